"""Composing with OmegaConf itself: where a schema holds the types, or a merge follows interpolations.

The same steps as on plain data, many times slower; the types of dataclasses and attrs classes hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf, flag_override, open_dict
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from . import nodes, trees, yamls
from .defaults import Entry
from .errors import ConfigError, KeyAbsentError, nearest
from .grammar import NOTHING, Extend, Override, show
from .groups import SearchPath
from .store import STRIP, is_typed


class Merged(NamedTuple):
    """A config that OmegaConf has merged."""

    config: DictConfig
    own: dict[Any, Any]  # the nodes that are not the user's, as plain data


def needs_types(entries: Sequence[Entry], search: SearchPath) -> bool:
    """Whether any of the files has a type, or a stored schema of its own name."""
    schemas = search.schemas()
    return any(
        not isinstance(entry.config.content, (dict, list))
        or (entry.path in schemas and not entry.config.where.startswith("structured://"))
        for entry in entries
    )


def merge(
    entries: Sequence[Entry],
    overrides: Sequence[Override],
    search: SearchPath,
    *,
    schema: Any = None,
    own: Sequence[str] = ("hydra",),
) -> Merged:
    """Merge files and apply overrides; with a `schema`, onto the defaults of its class.

    The top-level keys `own` are kept apart, as plain data, since no schema of the user's has them.

    Raises:
        ConfigError: naming the file or the override that does not fit.
    """
    apart: dict[Any, Any] = {}
    with _said("the schema"):
        config = OmegaConf.structured(schema) if schema is not None else OmegaConf.create()
    for entry in entries:
        with _said(entry.config.where, package=entry.package):
            content = _with_schema(entry, search)
            if isinstance(content, dict):
                content = trees.copy(trees.nest(entry.package, content))
                apart = _merged(apart, {key: content.pop(key) for key in own if key in content})
                content = nodes.build(content)
            elif entry.package.split(".")[0] in own:
                apart = _merged(apart, trees.nest(entry.package, plain(content)))
                continue
            elif entry.package:
                nested = OmegaConf.create()
                OmegaConf.update(nested, entry.package, content, merge=False)
                content = nested
            with flag_override(config, "no_deepcopy_set_nodes", True):
                config.merge_with(content)
    _strip(config)
    OmegaConf.set_struct(config, True)
    for override in overrides:
        if override.key.split(".")[0] in own:
            continue
        with _said(f"    {override.text}", override):
            apply(config, override)
    return Merged(config, apart)


def _merged(base: dict[Any, Any], other: dict[Any, Any]) -> dict[Any, Any]:
    merged: dict[Any, Any] = trees.copy(base)
    try:
        trees.merge(merged, other)
    except trees.Unresolved:
        merged = plain(OmegaConf.merge(nodes.build(base), nodes.build(other)))
    return merged


def _with_schema(entry: Entry, search: SearchPath) -> Any:
    """Return a file's content merged onto the stored schema of the same name, if there is one."""
    content = entry.config.content
    if entry.config.where.startswith("structured://"):
        return content
    schema = search.schemas().get(entry.path)
    if schema is None or not isinstance(content, dict):
        return content
    hydra = {"hydra": content["hydra"]} if entry.primary and "hydra" in content else {}
    rest = {key: value for key, value in content.items() if key not in hydra}
    merged = OmegaConf.merge(schema, nodes.build(rest))
    if hydra:
        with open_dict(merged):
            merged.hydra = hydra["hydra"]
    return merged if is_typed(merged) else plain(merged)


def plain(config: Any) -> Any:
    """Return a config as plain data, its interpolations as they stand."""
    if not OmegaConf.is_config(config):
        return config
    return OmegaConf.to_container(config, resolve=False, enum_to_str=True)


def _strip(config: Any) -> None:
    """Take out the `defaults` that came along with typed nodes."""
    if not isinstance(config, DictConfig) or config._is_none() or config._is_missing():  # noqa: SLF001
        return
    with flag_override(config, ["readonly", "struct"], False):
        if config._get_flag(STRIP):  # noqa: SLF001
            config._set_flag(STRIP, None)  # noqa: SLF001
            config.pop("defaults", None)
    for _, child in config.items_ex(resolve=False):
        _strip(child)


@contextmanager
def _said(where: str, override: Override | None = None, package: str = "") -> Iterator[None]:
    """Say OmegaConf's errors as ours: with the file and its line, or the override."""
    try:
        yield
    except (ConfigAttributeError, ConfigKeyError) as error:
        key, parent = str(error.full_key or error.key), error.parent_node
        known = [str(name) for name in parent] if isinstance(parent, DictConfig) else []
        hint = nearest(key.rpartition(".")[2], known)
        if override is None:
            place = yamls.place_of(where, key.removeprefix(f"{package}."))
            raise ConfigError(f"The config has no key '{key}'", place, hint) from None
        hint = f"{hint}\nTo add the key write +{override.text}".strip()
        raise KeyAbsentError(
            f"Cannot override '{override.key}': the config has no key '{key}'", where, hint, override
        ) from None
    except OmegaConfBaseException as error:
        key = str(error.full_key or "")
        said = str(error.msg or error).splitlines()[0]
        place = where if override else yamls.place_of(where, key.removeprefix(f"{package}."))
        raise ConfigError(f"{said} (at '{key}')" if key else said, place) from None
    except (TypeError, IndexError, ValueError, KeyError, trees.Mismatch, trees.Unresolved) as error:
        raise ConfigError(
            f"Cannot merge: {str(error).splitlines()[0] if str(error) else error!r}", where
        ) from None


def apply(config: Any, override: Override) -> None:
    """Apply one override to a closed config, as OmegaConf does it."""
    key, value = override.key, override.value
    there = None
    if override.sign in ("+", "~") or isinstance(value, Extend):
        there = OmegaConf.select(config, key, throw_on_missing=False)
    if isinstance(value, Extend):
        value = [*(there or []), *value.values]
    if override.sign == "~":
        if there is None:
            raise ConfigError(f"Cannot delete '{key}': the config has no such key")
        if value is not NOTHING and value is not None and value != there:
            raise ConfigError(f"Cannot delete '{key}': its value is {show(there)}, not {show(value)}")
        parent, _, name = key.rpartition(".")
        with open_dict(config):
            node = OmegaConf.select(config, parent) if parent else config
            del node[int(name) if OmegaConf.is_list(node) else name]
    elif override.sign == "+" and there is not None and not isinstance(value, (dict, list)):
        raise ConfigError(
            f"'{override.text}' adds a key that is there already",
            hint=f"To change it write {override.text[1:]}",
        )
    else:
        OmegaConf.update(config, key, value, merge=True, force_add=override.sign in ("+", "++"))
