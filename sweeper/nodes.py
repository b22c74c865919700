"""A `DictConfig` from plain data, some 15 times faster than `OmegaConf.create`.

OmegaConf's constructor checks every value against every type there is. Plain data read from YAML
needs no checking, so the nodes are made as unpickling makes them: the class's `__new__`, then the
state. Held to `OmegaConf.create` by a differential test, and by `_trusted` once a process: where an
omegaconf we do not know differs, `OmegaConf.create` does the work.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import Any

from omegaconf import AnyNode, DictConfig, ListConfig, OmegaConf
from omegaconf.base import ContainerMetadata, Metadata
from omegaconf.errors import OmegaConfBaseException

from .errors import ConfigError

_LEAVES = (str, int, float, bool, type(None), bytes)


def build(tree: dict[Any, Any], *, struct: bool = False) -> DictConfig:
    """Return the `DictConfig` of a tree of plain data; `struct` closes it against new keys."""
    try:
        config = _dict(tree, None, None) if _trusted() else OmegaConf.create(tree)
    except _Foreign:
        config = _create(tree)
    if struct:
        OmegaConf.set_struct(config, True)
    return config


def _create(tree: dict[Any, Any]) -> DictConfig:
    try:
        return OmegaConf.create(tree)
    except OmegaConfBaseException as error:
        raise ConfigError(f"The config cannot be made: {str(error).splitlines()[0]}") from None


class _Foreign(Exception):
    """A value that is no plain data."""


def _state(metadata: Any, ref: Any, kind: Any, key: Any) -> dict[str, Any]:
    state = {
        "ref_type": ref,
        "object_type": kind,
        "optional": True,
        "key": key,
        "flags": {},
        "flags_root": False,
        "resolver_cache": defaultdict(dict),
    }
    metadata.__dict__ = state
    return state


def _leaf(value: Any, parent: Any, key: Any) -> AnyNode:
    if type(value) not in _LEAVES:
        raise _Foreign
    metadata = Metadata.__new__(Metadata)
    _state(metadata, Any, None, key)
    node = AnyNode.__new__(AnyNode)
    node.__dict__.update(_metadata=metadata, _parent=parent, _flags_cache=None, _val=value)
    return node


def _container(cls: Any, kind: Any, key_type: Any, parent: Any, key: Any, content: Any) -> Any:
    metadata = ContainerMetadata.__new__(ContainerMetadata)
    state = _state(metadata, Any, kind, key)
    state["key_type"], state["element_type"] = key_type, Any
    node = cls.__new__(cls)
    node.__dict__.update(_metadata=metadata, _parent=parent, _flags_cache=None, _content=content)
    return node


def _dict(tree: dict[Any, Any], parent: Any, key: Any) -> DictConfig:
    content: dict[Any, Any] = {}
    node = _container(DictConfig, dict, Any, parent, key, content)
    if len(set(map(type, tree))) > 1:
        raise _Foreign  # some omegaconf refuses keys such as 1 and '1' side by side
    for name, value in tree.items():
        if type(name) not in (str, int, float, bool, bytes):
            raise _Foreign
        if type(value) is dict:
            content[name] = _dict(value, node, name)
        elif type(value) is list:
            content[name] = _list(value, node, name)
        else:
            content[name] = _leaf(value, node, name)
    return node  # type: ignore[no-any-return]


def _list(items: list[Any], parent: Any, key: Any) -> ListConfig:
    content: list[Any] = []
    node = _container(ListConfig, list, int, parent, key, content)
    for index, value in enumerate(items):
        if type(value) is dict:
            content.append(_dict(value, node, index))
        elif type(value) is list:
            content.append(_list(value, node, index))
        else:
            content.append(_leaf(value, node, index))
    return node  # type: ignore[no-any-return]


@cache
def _trusted() -> bool:
    sample = {"a": 1, "b": {"c": [1.5, {"d": None}]}, "e": "???", "f": {2: "${a}"}}
    try:
        return _same(_dict(sample, None, None), OmegaConf.create(sample))
    except Exception:  # noqa: BLE001  whatever an unknown omegaconf does, the constructor is right
        return False


def _same(ours: Any, theirs: Any) -> bool:
    """Whether two nodes have the same class and the same state, all the way down."""
    if type(ours) is not type(theirs):
        return False
    mine, other = dict(ours.__dict__), dict(theirs.__dict__)
    if (mine.pop("_parent") is None) != (other.pop("_parent") is None):
        return False
    if vars(mine.pop("_metadata")) != vars(other.pop("_metadata")):
        return False
    here, there = mine.pop("_content", None), other.pop("_content", None)
    if mine != other or type(here) is not type(there):
        return False
    if isinstance(here, dict):
        return list(here) == list(there) and all(_same(here[key], there[key]) for key in here)
    if isinstance(here, list):
        return len(here) == len(there) and all(map(_same, here, there))
    return True
