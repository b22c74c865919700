"""One config from many files: a primary config, group choices and overrides become one tree.

`compose_tree` is the whole of it, on plain data: the defaults list, the files merged in its order,
the overrides applied, what is sweeper's own taken out. `compose` and `initialize*` are Hydra's words
for it. There is no global state but the stack of `initialize*`, which each thread has for itself.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple

from omegaconf import DictConfig, open_dict

from . import nodes, trees, typed
from .defaults import DefaultsList, Entry, expand
from .errors import ConfigError, KeyAbsentError, OverrideError, UsageError, nearest
from .grammar import NOTHING, Choice, Extend, Override, Swept, parse, show
from .groups import Folder, SearchPath, Source, Table, content_at, source
from .hydra import CONFIGS as HYDRA_CONFIGS
from .hydra import Plugins, is_plugins, whole_node
from .store import ConfigStore, Stored

SPACE = "_space_"
OPEN_SETTINGS = (
    "sweeper.job.env", "sweeper.space", "sweeper.tracker", "sweeper.callbacks", "sweeper.launcher.resources",
    "sweeper.launcher.extra",
)  # fmt: skip


class Composed(NamedTuple):
    """What a composition gives."""

    tree: dict[Any, Any]  # the config, as plain data
    choices: dict[str, str | None]  # the options chosen, by override key
    entries: list[Entry]  # the files merged, in order
    settings: Mapping[str, Any] = {}  # the node `sweeper`
    hydra: Mapping[str, Any] = {}  # the node `hydra`
    space: Mapping[str, Any] = {}  # what `_space_` nodes declare, by key
    typed: DictConfig | None = None  # the config, where a schema gives it types

    def config(self) -> DictConfig:
        """Return the config as the training function gets it, closed against new keys."""
        return self.typed if self.typed is not None else nodes.build(self.tree, struct=True)


def compose_tree(
    search: SearchPath,
    primary: str | None,
    overrides: Sequence[Override],
    *,
    roots: Sequence[str] = ("hydra/config",),
    skip_missing: bool = False,
    schema: Any = None,
) -> Composed:
    """Return the config of a primary config and overrides.

    Overrides that sweep are left out. `roots` are the configs of the nodes that are not the user's;
    `sweeper/config` among them makes `sweeper` a reserved key. A `schema`, a dataclass or an attrs
    class, gives the whole config its types and defaults.

    Raises:
        ConfigError: if the config cannot be composed.
    """
    search, listed = list_defaults(search, primary, overrides, roots=roots, skip_missing=skip_missing)
    if not _has_hydra(listed):  # nor does it get Hydra's own
        shipped = (e for e in listed.entries if not (e.config.shipped and e.path.startswith("hydra/")))
        listed = listed._replace(entries=list(shipped))
    own = [root.partition("/")[0] for root in roots]
    for override in listed.overrides:
        _refuse_meaningless(override)
    spaces: dict[str, Any] = {}
    if schema is not None or typed.needs_types(listed.entries, search):
        return _compose_typed(listed, search, own, schema, spaces)
    try:
        tree = _merge(listed)
        for override in listed.overrides:
            _apply(tree, override, loose=_is_open(override.key, own, listed.choices))
    except trees.Unresolved:
        merged = typed.merge(listed.entries, listed.overrides, search, own=())
        tree = typed.plain(merged.config)
    if _has_spaces(listed):
        _lift_spaces(tree, "", spaces)
    settings = tree.pop("sweeper", None) or {} if "sweeper" in own else {}
    hydra = tree.pop("hydra", None) or {}
    return Composed(tree, listed.choices, listed.entries, settings, hydra, spaces)


def list_defaults(
    search: SearchPath,
    primary: str | None,
    overrides: Sequence[Override],
    *,
    roots: Sequence[str] = ("hydra/config",),
    skip_missing: bool = False,
) -> tuple[SearchPath, DefaultsList]:
    """Return the search path with what the config adds to it, and the defaults list."""
    search = with_searchpath(search, primary, overrides)
    return search, expand(search, primary, overrides, roots=roots, skip_missing=skip_missing)


def _is_open(key: str, own: Sequence[str], choices: Mapping[str, str | None]) -> bool:
    """Whether a key that does not exist may be set without a `+`."""
    if "sweeper" in own and f"{key}.".startswith(tuple(f"{name}." for name in OPEN_SETTINGS)):
        return True
    return is_plugins(key, choices)


def _has_hydra(listed: DefaultsList) -> bool:
    """Whether a file, a choice or an override says anything of the node `hydra`."""
    if any(override.key.partition(".")[0] == "hydra" for override in listed.overrides):
        return True
    for key, choice in listed.choices.items():
        if key.startswith("hydra/") and choice not in (None, "default", "basic"):
            return True
    for entry in listed.entries:
        content = entry.config.content
        if not entry.config.shipped and (
            entry.package.partition(".")[0] == "hydra" or (not entry.package and "hydra" in content)
        ):
            return True
    return False


def _has_spaces(listed: DefaultsList) -> bool:
    declared = any(entry.config.declares_space for entry in listed.entries)
    return declared or any(SPACE in override.key for override in listed.overrides)


def _compose_typed(
    listed: DefaultsList, search: SearchPath, own: list[str], schema: Any, spaces: dict[str, Any]
) -> Composed:
    """Compose where types hold: the user's nodes by OmegaConf, the others and spaces as plain data."""
    apart: dict[Any, Any] = {}
    entries = []
    for entry in listed.entries:
        content = entry.config.content
        if entry.config.declares_space and isinstance(content, dict):
            content = trees.copy(content)
            trees.merge(apart, trees.nest(entry.package, _only_spaces(content)))
        entries.append(entry._replace(config=entry.config._replace(content=content)))
    typed_overrides = []
    for override in listed.overrides:
        if SPACE in override.key.split("."):
            _apply(apart, override)
        else:
            typed_overrides.append(override)
    _lift_spaces(apart, "", spaces)
    merged = typed.merge(entries, typed_overrides, search, schema=schema, own=own)
    for override in typed_overrides:
        if override.key.split(".")[0] in own:
            _apply(merged.own, override, loose=_is_open(override.key, own, listed.choices))
    settings, hydra = (merged.own.get(name) or {} for name in ("sweeper", "hydra"))
    tree = typed.plain(merged.config)
    return Composed(tree, listed.choices, listed.entries, settings, hydra, spaces, merged.config)


def _only_spaces(content: dict[Any, Any]) -> dict[Any, Any]:
    """Take the `_space_` nodes out of a tree and return them, in their places."""
    found: dict[Any, Any] = {}
    if SPACE in content:
        found[SPACE] = content.pop(SPACE)
    for key, value in content.items():
        if isinstance(value, dict):
            below = _only_spaces(value)
            if below:
                found[key] = below
    return found


def with_searchpath(search: SearchPath, primary: str | None, overrides: Sequence[Override]) -> SearchPath:
    """Return the search path with what the primary config or the command line adds to it."""
    provider, found = "hydra.searchpath", None
    for override in overrides:
        if override.key == "hydra.searchpath" and override.sign != "~":
            found = override.value
            break
    else:
        if primary is not None:
            found = content_at(search.read(primary), "hydra.searchpath")
    if found is None:
        return search
    if not isinstance(found, list) or not all(isinstance(path, str) for path in found):
        raise ConfigError(f"hydra.searchpath must be a list of texts, not {found!r}")
    return search.extended(found, provider)


def _merge(listed: DefaultsList) -> dict[Any, Any]:
    tree: dict[Any, Any] = {}
    for entry in listed.entries:
        config = entry.config
        _check_searchpath(entry)
        content = trees.nest(entry.package, config.content)
        if not isinstance(content, dict):
            raise ConfigError("A list cannot be the whole config", config.where, "Give it a # @package NAME")
        try:
            trees.merge(tree, content)
        except trees.Mismatch as error:
            raise ConfigError(f"Cannot merge the file: {error}", config.where) from None
    return tree


def _check_searchpath(entry: Entry) -> None:
    if entry.primary or entry.path == "hydra/config" or not isinstance(entry.config.content, dict):
        return
    parts = entry.package.split(".") if entry.package else []
    key = {(): "hydra.searchpath", ("hydra",): "searchpath"}.get(tuple(parts))
    if key and content_at(entry.config, key) is not None:
        raise ConfigError(
            "hydra.searchpath can only be set in the primary config or on the command line",
            entry.config.where,
        )


def _apply(tree: dict[Any, Any], override: Override, *, loose: bool = False) -> None:
    key, value = override.key, override.value
    try:
        if isinstance(value, Extend):
            value = trees.extended(tree, key, value.values)
        if override.sign == "~":
            _delete(tree, override)
        elif override.sign == "+":
            if trees.get(tree, key) is not None and not isinstance(value, (dict, list)):
                raise ConfigError(
                    f"'{override.text}' adds a key that is there already",
                    hint=f"To change it write {override.text[1:]}, to add or change it +{override.text}",
                )
            trees.put(tree, key, value, add=True)
        else:
            trees.put(tree, key, value, add=loose or override.sign == "++")
    except trees.Absent as error:
        raise _absent(override, error) from None
    except trees.Mismatch as error:
        raise ConfigError(f"Cannot apply '{override.text}': {error}") from None


def _absent(override: Override, error: trees.Absent) -> KeyAbsentError:
    parent, _, name = error.path.rpartition(".")
    known = [key for key in error.known if key != SPACE and (parent or key not in ("hydra", "sweeper"))]
    hint = nearest(name, known)
    if not hint and known:
        listed = ", ".join(sorted(known)[:12]) + (", …" if len(known) > 12 else "")
        hint = f"{f'{parent!r} has' if parent else 'The config has'} {listed}."
    if not override.key.startswith("sweeper.") or parent in OPEN_SETTINGS:
        hint = f"{hint}\nTo add the key write +{override.text}".strip()
    what = f"Cannot override '{override.key}': the config has no key '{error.path}'"
    return KeyAbsentError(what, f"    {override.text}", hint, override)


def _refuse_meaningless(override: Override) -> None:
    if override.package is not None:
        raise ConfigError(
            f"'{override.text}' chooses an option, but there is no group '{override.key}'",
            hint="A value is set without '@'.",
        )
    if isinstance(override.value, (dict, list)):
        stack: list[Any] = [override.value]
        while stack:
            value = stack.pop()
            if isinstance(value, (Swept, Extend)):
                raise ConfigError(
                    f"'{override.text}' has a sweep inside of a list or a dict",
                    hint="Sweep over whole values: choice([a, 1], [b, 2])",
                )
            stack += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _delete(tree: dict[Any, Any], override: Override) -> None:
    key, value = override.key, override.value
    there = trees.get(tree, key)
    if there is None:
        parent, _, name = key.rpartition(".")
        around = trees.get(tree, parent) if parent else tree
        if not isinstance(around, dict) or name not in around:
            known = [str(k) for k in around] if isinstance(around, dict) else []
            raise ConfigError(f"Cannot delete '{key}': the config has no such key", hint=nearest(name, known))
    if value is not NOTHING and value is not None and value != there:
        raise ConfigError(f"Cannot delete '{key}': its value is {show(there)}, not {show(value)}")
    trees.delete(tree, key)


def _lift_spaces(tree: dict[Any, Any], path: str, found: dict[str, Any]) -> None:
    """Take the `_space_` nodes out of a tree, their keys made absolute."""
    if SPACE in tree:
        declared = tree.pop(SPACE)
        if declared is not None:
            if not isinstance(declared, dict):
                raise ConfigError(
                    f"'{path}{SPACE}' must map keys to ranges, not be {declared!r}",
                    hint="Write, for example, _space_: {depth: 'range(2, 9)'}",
                )
            for key, value in flatten(declared):
                if value is not None:
                    found[key[1:] if key.startswith("/") else f"{path}{key}"] = value
    for key, value in tree.items():
        if isinstance(value, dict):
            _lift_spaces(value, f"{path}{key}.", found)


def flatten(tree: Mapping[Any, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of a tree that are no mappings themselves, by dotted key."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


# ------------------------------------------------------------------------------------- for people

_hydra = Table(HYDRA_CONFIGS, "hydra")
_stored = Stored(ConfigStore.instance())
_plugins = Plugins()


def search_path(main: Source | None, *more: Source) -> SearchPath:
    """Return the search path with a program's own source, as Hydra orders it."""
    return SearchPath([_hydra, *([main] if main else []), *more, _stored, _plugins])


def parse_all(texts: Iterable[str]) -> list[Override]:
    """Return the overrides that the texts write."""
    found = []
    for text in texts:
        if not isinstance(text, str):
            raise OverrideError(f"An override must be a text, not {text!r}")
        found.append(parse(text))
    return found


def refuse_sweeps(overrides: Iterable[Override]) -> None:
    """Refuse overrides that stand for several values, where only one will do."""
    for override in overrides:
        if not override.sweeps:
            continue
        if isinstance(override.value, Choice) and override.value.simple:
            raise OverrideError(
                f"'{override.text}' has several values, but this is a single run",
                hint=f"To sweep over them add -m; a list is {override.sign}{override.name}="
                f"{show(list(override.value.values))}, a text is quoted.",
            )
        raise OverrideError(
            f"'{override.text}' stands for several values, but this is a single run",
            hint="To sweep over them add -m.",
        )


_initialized: ContextVar[tuple[SearchPath, ...]] = ContextVar("sweeper_initialized", default=())


class _Initialized:
    """What `initialize*` returns: in force from the call on, or for a `with` block."""

    def __init__(self, search: SearchPath) -> None:
        self._before = _initialized.get()
        _initialized.set((*self._before, search))

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        _initialized.set(self._before)


def initialize(
    config_path: str | None = None,
    job_name: str | None = None,  # noqa: ARG001  Hydra's signature
    caller_stack_depth: int = 1,
    version_base: str | None = "",
) -> _Initialized:
    """Make `compose` read from a folder, given relative to the file of the caller.

    From now on, or in a `with` block.

    Raises:
        UsageError: if the path is absolute.
        MissingConfigError: if the folder does not exist.
    """
    if config_path is not None and os.path.isabs(config_path):
        raise UsageError(
            f"initialize() takes a path relative to the calling file, not {config_path!r}",
            hint="Use initialize_config_dir() for an absolute path.",
        )
    caller = sys._getframe(caller_stack_depth).f_globals.get("__file__")  # noqa: SLF001
    base = os.path.dirname(os.path.abspath(caller)) if caller else os.getcwd()
    path = os.path.join(base, config_path) if config_path else None
    return _Initialized(_main_search_path(path, version_base))


def initialize_config_dir(
    config_dir: str,
    job_name: str = "app",  # noqa: ARG001  Hydra's signature
    version_base: str | None = "",
) -> _Initialized:
    """Make `compose` read from a folder, given by its absolute path; from now on, or in a `with` block."""
    if not os.path.isabs(config_dir):
        raise UsageError(
            f"initialize_config_dir() takes an absolute path, not {config_dir!r}",
            hint="Use initialize() for a path relative to the calling file.",
        )
    return _Initialized(_main_search_path(config_dir, version_base))


def initialize_config_module(
    config_module: str,
    job_name: str = "app",  # noqa: ARG001  Hydra's signature
    version_base: str | None = "",
) -> _Initialized:
    """Make `compose` read from a package, given by its dotted name; from now on, or in a `with` block."""
    return _Initialized(_main_search_path(f"pkg://{config_module}", version_base))


def _main_search_path(path: str | None, version_base: str | None) -> SearchPath:
    found = search_path(None if path is None else main_source(path))
    found.legacy = is_legacy(version_base)
    return found


def is_legacy(version_base: str | None) -> bool:
    """Whether to compose as Hydra 1.1 did, which it still does where no version is asked for."""
    return version_base in ("", "1.0", "1.1")


def main_source(path: str) -> Source:
    """Return a program's own source, which must exist."""
    found = Folder(os.path.normpath(path), "main") if "://" not in path else source(path, "main")
    if not found.available():
        shown = found.path if isinstance(found, Folder) else path
        raise ConfigError(
            f"There is no config folder {shown!r}",
            hint="Give it as config_path of the decorator, or with --config-path.",
        )
    return found


def compose(
    config_name: str | None = None,
    overrides: Sequence[str] = (),
    return_hydra_config: bool = False,  # noqa: FBT001, FBT002  Hydra's signature
) -> DictConfig:
    """Return the config that a config's name and overrides compose to.

    Reads from where the innermost `initialize*` says. The result is closed against new keys.

    Raises:
        SweeperError: if it cannot be composed.
    """
    stack = _initialized.get()
    if not stack:
        raise UsageError(
            "compose() does not know where the configs are",
            hint="Call it within initialize(), initialize_config_dir() or initialize_config_module().",
        )
    search = SearchPath(stack[-1].sources, legacy=stack[-1].legacy)
    parsed = parse_all(overrides)
    refuse_sweeps(parsed)
    composed = compose_tree(search, config_name, parsed)
    if not return_hydra_config:
        return composed.config()
    node = whole_node(composed.hydra)
    task = [override.text for override in parsed if not override.name.startswith(("hydra.", "hydra/"))]
    node["runtime"] = {**node["runtime"], "choices": dict(composed.choices)}
    node["job"] = {**node["job"], "config_name": config_name}
    node["overrides"] = {**node["overrides"], "task": task}
    config = composed.config()
    with open_dict(config):
        config["hydra"] = node
    return config
