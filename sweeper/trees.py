"""Plain nested dicts and lists as configs: merge, look up, change and delete, as OmegaConf would.

A tree that is merged into is owned by its composition; what is merged in is shared between
compositions and never changed, so dicts are copied on the way in and lists when they are written.
Where a result depends on what an interpolation points to, `Unresolved` is raised and the caller
asks OmegaConf itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

MISSING = "???"


class Unresolved(Exception):
    """The result depends on an interpolation's target."""


class Mismatch(Exception):
    """A dict and a list meet, or a key does not exist; the message says which."""


def is_interpolation(value: Any) -> bool:
    """Whether a leaf is an interpolation, or a text with one in it."""
    return isinstance(value, str) and "${" in value


def copy(value: Any) -> Any:
    """Return a copy of a tree that may be changed without changing the first."""
    if isinstance(value, dict):
        return {key: copy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copy(item) for item in value]
    return value


def _own(value: Any) -> Any:
    # Lists are replaced whole by a merge, so they can stay shared until `put` writes into one.
    return {key: _own(item) for key, item in value.items()} if isinstance(value, dict) else value


def merge(base: dict[Any, Any], other: dict[Any, Any], path: str = "") -> None:
    """Merge `other` into `base`: dicts deeply, lists and leaves replaced, `???` overwrites nothing."""
    for key, value in other.items():
        if key not in base:
            base[key] = _own(value)
            continue
        there = base[key]
        if isinstance(value, str) and value == MISSING:
            if is_interpolation(there):
                raise Unresolved  # a dict or list that it points to is copied into its place
            continue
        if isinstance(value, dict):
            if isinstance(there, dict):
                merge(there, value, f"{path}{key}.")
            elif isinstance(there, list):
                raise Mismatch(f"a dict is merged onto the list at '{path}{key}'")
            elif is_interpolation(there):
                raise Unresolved
            else:
                base[key] = _own(value)
        elif isinstance(value, list):
            if isinstance(there, dict):
                raise Mismatch(f"a list is merged onto the dict at '{path}{key}'")
            if is_interpolation(there):
                raise Unresolved
            base[key] = value
        else:
            base[key] = value


def nest(package: str, content: Any) -> Any:
    """Return `content` placed under a dotted package."""
    if package:
        for part in reversed(package.split(".")):
            content = {part: content}
    return content


def get(tree: Any, key: str) -> Any:
    """Return the value at a dotted key, or None where there is none.

    Raises:
        Unresolved: if the way, or the value, is an interpolation.
        Mismatch: if an index of a list is no number.
    """
    for part in key.split("."):
        if isinstance(tree, dict):
            tree = tree.get(part)
        elif isinstance(tree, list):
            index = _index(tree, part)
            tree = tree[index] if index < len(tree) else None
        else:
            return None
        if is_interpolation(tree):
            raise Unresolved
    return None if isinstance(tree, str) and tree == MISSING else tree


def child(tree: Any, part: str, default: Any) -> Any:
    """Return what a part of a key leads to in a mapping or a list, or a default."""
    if isinstance(tree, dict) and part in tree:
        return tree[part]
    if isinstance(tree, list) and part.isdigit() and int(part) < len(tree):
        return tree[int(part)]
    return default


def _index(items: list[Any], part: str) -> int:
    try:
        index = int(part)
    except ValueError:
        raise Mismatch(f"'{part}' is no index of a list") from None
    return index + len(items) if index < 0 else index


def extended(tree: Any, key: str, values: Iterable[Any]) -> list[Any]:
    """Return the list at a dotted key with more values at its end.

    Raises:
        Mismatch: if something else is there.
    """
    there = get(tree, key)
    if there is not None and not isinstance(there, list):
        raise Mismatch(f"'{key}' is no list to extend")
    return [*(there or []), *values]


class Absent(Mismatch):
    """A key does not exist; `known` are those that do, where the way ends."""

    def __init__(self, path: str, known: list[str]) -> None:
        super().__init__(f"there is no key '{path}'")
        self.path, self.known = path, known


def put(tree: dict[Any, Any], key: str, value: Any, *, add: bool) -> None:
    """Set the value at a dotted key; dicts merge. Without `add` every key must exist.

    Raises:
        Absent: if a key does not exist and `add` is false.
        Mismatch: if a dict meets a list, or an index is out of range.
        Unresolved: if the way is an interpolation.
    """
    *way, last = key.split(".")
    at: Any = tree
    done: list[str] = []
    for part in way:
        there = _child(at, part, done, add=add)
        if is_interpolation(there):
            raise Unresolved
        done.append(part)
        if isinstance(there, list):
            there = copy(there)  # the dicts in it too: they are the file's
            _set(at, part, there)
        elif not isinstance(there, dict):
            if not add:
                raise Absent(".".join([*done, last]), [])
            there = {}
            _set(at, part, there)
        at = there
    there = _child(at, last, done, add=add)
    if isinstance(value, dict) and isinstance(there, dict):
        if not add:
            _check_known(there, value, ".".join([*done, last]))
        merge(there, value, ".".join([*done, last, ""]))
    elif (
        isinstance(value, (dict, list)) and isinstance(there, (dict, list)) and type(value) is not type(there)
    ):
        raise Mismatch(f"a {type(value).__name__} is merged onto the {type(there).__name__} at '{key}'")
    else:
        _set(at, last, copy(value))


def _check_known(there: dict[Any, Any], value: dict[Any, Any], path: str) -> None:
    for key, item in value.items():
        if key not in there:
            raise Absent(f"{path}.{key}", [str(k) for k in there])
        if isinstance(item, dict) and isinstance(there[key], dict):
            _check_known(there[key], item, f"{path}.{key}")


def _child(at: Any, part: str, done: list[str], *, add: bool) -> Any:
    if isinstance(at, list):
        index = _index(at, part)
        if not 0 <= index < len(at):
            raise Mismatch(f"the list at '{'.'.join(done)}' has {len(at)} items, so no index {part}")
        return at[index]
    if part not in at and not add:
        raise Absent(".".join([*done, part]), [str(key) for key in at])
    return at.get(part)


def _set(at: Any, part: str, value: Any) -> None:
    if isinstance(at, list):
        at[_index(at, part)] = value
    else:
        at[part] = value


def delete(tree: dict[Any, Any], key: str) -> None:
    """Delete the value at a dotted key that exists."""
    *way, last = key.split(".")
    at: Any = tree
    for part in way:
        there = at[_index(at, part)] if isinstance(at, list) else at[part]
        if isinstance(there, list):
            there = copy(there)  # the dicts in it too: they are the file's
            _set(at, part, there)
        at = there
    if isinstance(at, list):
        del at[_index(at, last)]
    else:
        del at[last]


def leaves(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Return the leaves of plain data by dotted key; empty mappings and lists are leaves.

    >>> leaves({"model": {"depth": 3, "layers": [8, 4]}})
    {'model.depth': 3, 'model.layers.0': 8, 'model.layers.1': 4}
    """
    items = tree.items() if isinstance(tree, Mapping) else enumerate(tree) if isinstance(tree, list) else ()
    found: dict[str, Any] = {}
    for key, value in items:
        if isinstance(value, (Mapping, list)) and value:
            found.update(leaves(value, f"{prefix}{key}."))
        else:
            found[f"{prefix}{key}"] = value
    return found
