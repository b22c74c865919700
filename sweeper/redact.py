"""Secrets: which keys of a config name them, and what is shown in their place.

A key names a secret if its last words are `password`, `secret`, `token`, `api key` or the like, however
they are joined: `db.password`, `WANDB_API_KEY`, `authToken`; or if it is among those that
`sweeper.tracker.redact` lists. `max_tokens` names none, nor does `pad_token`. All that lies in a node whose
key names a secret is one, and so is the password in a URL: `//user:password@host`. In a config the text of a
secret is hidden wherever else it stands, if it is long enough to be no word such as `test` or `root`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from .errors import OverrideError
from .grammar import Choice, Extend, parse_value, show

MASK = "***"

_SECRET = re.compile(
    r"(?:^|_)(?:passwords?|passwds?|passphrase|pwd|secrets?|credentials?|authorization|token|api_?tokens|"
    r"api_?key|(?:access|private|secret|auth|account)_?key)$"
    r"|^(?:(?:db|user|root|admin|e?mail|smtp|ftp|http|proxy)_?)?pass$"  # a forward_pass is none
)
_OWN = ("sweeper.tracker.notify.url",)  # a webhook's address is all it takes to use it
_VOCABULARY = re.compile(r"(?:^|_)(?:pad|eos|bos|unk|mask|cls|sep|start|end|image|special)_token$")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def hides(key: str, patterns: Sequence[str] = ()) -> bool:
    """Whether a dotted key names a secret; `patterns` are keys, or their last parts, with `*` and `?`.

    >>> hides("db.password"), hides("apiKey"), hides("max_tokens"), hides("pad_token")
    (True, True, False, False)
    """
    last = key.rpartition(".")[2]
    if key in _OWN:
        return True
    if any(fnmatchcase(key, pattern) or fnmatchcase(last, pattern) for pattern in patterns):
        return True
    words = _CAMEL.sub("_", last).replace("-", "_").lower()
    return bool(_SECRET.search(words)) and not _VOCABULARY.search(words)


def hidden(key: str, patterns: Sequence[str] = ()) -> bool:
    """Whether a dotted key, or that of a node which it lies in, names a secret.

    >>> hides("credentials.id"), hidden("credentials.id")
    (False, True)
    """
    dots = (at for at, char in enumerate(key) if char == ".")
    return hides(key, patterns) or any(hides(key[:at], patterns) for at in dots)


def listed(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the keys that `sweeper.tracker.redact` lists in the record of a sweep, or of a run's origin."""
    tracker = (record.get("sweeper") or {}).get("tracker") or {}
    return tuple(tracker.get("redact") or ())


def masked(tree: Any, patterns: Sequence[str] = (), prefix: str = "") -> Any:
    """Return plain data with secrets replaced, and their texts wherever else they stand.

    What is null or a boolean stays.
    """
    secrets: set[str] = set()
    found = _masked(tree, patterns, prefix, secrets)
    return _without(secrets, found) if secrets else found


def _masked(tree: Any, patterns: Sequence[str], prefix: str, secrets: set[str]) -> Any:
    """Return plain data with what stands under the keys of secrets replaced, and take note of its texts."""
    if isinstance(tree, Mapping):
        found = {}
        for key, value in tree.items():
            path = f"{prefix}{key}"
            test = hidden if "." in str(key) else hides  # the nodes above were tested on the way here
            secret = value is not None and not isinstance(value, bool) and test(path, patterns)
            found[key] = MASK if secret else _masked(value, patterns, f"{path}.", secrets)
            if secret:
                texts = (text for text in leaves_in(value) if isinstance(text, str))
                secrets.update(text for text in texts if len(text) >= _UNUSUAL)
        return found
    if isinstance(tree, list):
        return [_masked(value, patterns, f"{prefix}{at}.", secrets) for at, value in enumerate(tree)]
    if isinstance(tree, (Choice, Extend)):
        return tree._replace(values=tuple(_masked(value, patterns, prefix, secrets) for value in tree.values))
    return _without_password(tree) if isinstance(tree, str) else tree


_LONG = 4  # letters from which a secret is looked for inside of what refers to it
_UNUSUAL = 6  # from which a text is taken for the secret wherever it stands


def leaves_in(value: Any) -> Iterator[Any]:
    """Yield what a secret is made of: texts and numbers, but nothing that only refers to it."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from leaves_in(each)
    elif isinstance(value, str):
        if value not in ("", "???") and "${" not in value:
            yield value
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield value


def tells(value: Any, secrets: set[Any]) -> bool:
    """Whether plain data has a secret in it: as it is, or a long one inside of a text."""
    long = [str(secret) for secret in secrets if len(str(secret)) >= _LONG]
    return any(
        leaf in secrets or (isinstance(leaf, str) and any(text in leaf for text in long))
        for leaf in leaves_in(value)
    )


def _without(secrets: set[str], tree: Any) -> Any:
    """Return plain data without the texts of secrets."""
    texts = re.compile("|".join(map(re.escape, sorted(secrets, key=len, reverse=True))))

    def shown(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: shown(each) for key, each in value.items()}
        if isinstance(value, list):
            return [shown(each) for each in value]
        if isinstance(value, (Choice, Extend)):
            return value._replace(values=tuple(map(shown, value.values)))
        return texts.sub(MASK, value) if isinstance(value, str) else value

    return shown(tree)


_IN_URL = re.compile(r"(//[^\s/:@]*:)[^\s/]+@")


def _without_password(text: str) -> str:
    return _IN_URL.sub(rf"\g<1>{MASK}@", text) if "@" in text else text


def masked_override(text: str, patterns: Sequence[str] = ()) -> str:
    """Return the text of an override, or of any other word, with the secrets in it replaced.

    >>> masked_override("+db.password=hunter2"), masked_override("db.url=http://me:hunter2@host")
    ('+db.password=***', 'db.url=http://me:***@host')
    """
    key, equals, value = text.partition("=")
    if not equals or "//" in key:
        return _without_password(text)
    name = key.lstrip("+~").replace("@", ".").replace("/", ".")
    if hidden(name, patterns):
        return f"{key}={MASK}"
    return f"{key}={_masked_text(value, name, patterns)}"


def _masked_text(text: str, name: str, patterns: Sequence[str]) -> str:
    """Return the text of a value without its secrets: as typed, unless a node must be written anew."""
    if not any(char in text for char in "{[(@"):
        return text
    typed = _without_password(text)
    try:
        value = parse_value(text)
        shown = masked(value, patterns, f"{name}.")
        if shown == value:
            return text
        return typed if parse_value(typed) == shown else show(shown)
    except OverrideError:  # a word that is no override
        for found in _IN_BRACES.finditer(typed):
            if hidden(found[1], patterns) or hidden(f"{name}.{found[1]}", patterns):
                return typed[: found.end()] + MASK  # where its value ends cannot be told
        return typed


_IN_BRACES = re.compile(r"""[{,]\s*['"]?([\w.-]+)['"]?\s*:\s*""")


def masked_words(words: Iterable[str], patterns: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the words of a command line, each as `masked_override` shows it."""
    return tuple(masked_override(word, patterns) for word in words)
