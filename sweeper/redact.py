"""Secrets: which keys of a config name them, and what is shown in their place.

A key names a secret if its last words are `password`, `secret`, `token`, `api key` or the like, however
they are joined: `db.password`, `WANDB_API_KEY`, `authToken`; or if it is among those that
`sweeper.tracker.redact` lists. `max_tokens` names none, nor does `pad_token`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

MASK = "***"

_SECRET = re.compile(
    r"(?:^|_)(?:password|passwd|passphrase|secret|credentials?|token|api_?key|"
    r"(?:access|private|secret|auth|account)_?key)$"
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


def masked(tree: Any, patterns: Sequence[str] = (), prefix: str = "") -> Any:
    """Return plain data with the values of secret keys replaced; what is null stays null."""
    if isinstance(tree, Mapping):
        found = {}
        for key, value in tree.items():
            path = f"{prefix}{key}"
            secret = value is not None and not isinstance(value, bool) and hides(path, patterns)
            found[key] = MASK if secret else masked(value, patterns, f"{path}.")
        return found
    if isinstance(tree, list):
        return [masked(value, patterns, f"{prefix}{at}.") for at, value in enumerate(tree)]
    return tree


def masked_override(text: str, patterns: Sequence[str] = ()) -> str:
    """Return the text of an override, or of any other word, with a secret in it replaced.

    >>> masked_override("+db.password=hunter2")
    '+db.password=***'
    """
    key, equals, value = text.partition("=")
    if not equals:
        return text
    name = key.lstrip("+~").replace("@", ".").replace("/", ".")
    if hides(name, patterns):
        return f"{key}={MASK}"
    return f"{key}={_IN_BRACES.sub(lambda m: _mask_pair(m, name, patterns), value)}"


_IN_BRACES = re.compile(r"""([{,]\s*)([\w.-]+)(\s*:\s*)('(?:\\.|[^'])*'|"(?:\\.|[^"])*"|[^,{}\[\]]+)""")


def _mask_pair(found: re.Match[str], name: str, patterns: Sequence[str]) -> str:
    before, key, colon, _ = found.groups()
    secret = hides(key, patterns) or hides(f"{name}.{key}", patterns)
    return f"{before}{key}{colon}{MASK}" if secret else found[0]


def masked_words(words: Iterable[str], patterns: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the words of a command line, each as `masked_override` shows it."""
    return tuple(masked_override(word, patterns) for word in words)
