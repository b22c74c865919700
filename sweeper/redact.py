"""Secrets: which keys of a config name them, and what is shown in their place.

A key names a secret if its last words are `password`, `secret`, `token`, `api key` or the like, however
they are joined: `db.password`, `WANDB_API_KEY`, `authToken`; or if it is among those that
`sweeper.tracker.redact` lists. `max_tokens` names none, nor does `pad_token`. All that lies in a node whose
key names a secret is one, and so is the password in a URL: `//user:password@host`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
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
    """Return plain data with secrets replaced; what is null or a boolean stays."""
    if isinstance(tree, Mapping):
        found = {}
        for key, value in tree.items():
            path = f"{prefix}{key}"
            test = hidden if "." in str(key) else hides  # the nodes above were tested on the way here
            secret = value is not None and not isinstance(value, bool) and test(path, patterns)
            found[key] = MASK if secret else masked(value, patterns, f"{path}.")
        return found
    if isinstance(tree, list):
        return [masked(value, patterns, f"{prefix}{at}.") for at, value in enumerate(tree)]
    if isinstance(tree, (Choice, Extend)):
        return tree._replace(values=tuple(masked(value, patterns, prefix) for value in tree.values))
    return _without_password(tree) if isinstance(tree, str) else tree


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
