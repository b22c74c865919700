"""What `--cfg`, `--help`, `--info` and `--explain` print."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from . import nodes, resolve, trees
from .cli import Command, flags_help
from .defaults import Entry
from .errors import ConfigError, nearest
from .grammar import show
from .plan import Plan


def show_config(command: Command, plan: Plan, function: Callable[..., Any]) -> None:
    """Print what a command line asks to see of a composed config."""
    if "--help" in command:
        print(_help(plan, function))  # noqa: T201
    elif "--explain" in command:
        print("\n".join(explain(plan, command.values["--explain"])))  # noqa: T201
    elif "--info" in command:
        print(_info(plan, command.values["--info"]))  # noqa: T201
    else:
        print(_config(command, plan))  # noqa: T201


def _whole(plan: Plan, what: str) -> DictConfig:
    own = {"sweeper": plan.base.settings}
    tree = {"job": plan.base.tree, "sweeper": own, "hydra": own, "all": {**plan.base.tree, **own}}[what]
    return nodes.build(tree)


def _config(command: Command, plan: Plan) -> str:
    what, key = command.values["--cfg"], command.values.get("--package")
    config = _whole(plan, what)
    whole = nodes.build({**plan.base.tree, "sweeper": plan.base.settings})
    node: Any = config
    try:
        if "--resolve" in command:
            resolve.register()
            config._set_parent(whole)  # noqa: SLF001  so that it resolves against all there is
            OmegaConf.resolve(config)
        if key is not None:
            node = OmegaConf.select(config, key, throw_on_missing=False)
    except OmegaConfBaseException as error:
        raise ConfigError(f"Cannot resolve the config: {str(error).splitlines()[0]}") from None
    if key is not None and node is None:
        raise ConfigError(f"The config has no key '{key}'", hint=nearest(key, map(str, config)))
    if not OmegaConf.is_config(node):
        return str(node)
    text = OmegaConf.to_yaml(node).rstrip()
    return f"# @package {key}\n{text}" if key else text


def _help(plan: Plan, function: Callable[..., Any]) -> str:
    name = function.__module__ if function.__module__ != "__main__" else "This program"
    lines = [inspect.getdoc(function) or f"{name} is made with sweeper.", ""]
    groups = list(_groups(plan, ""))
    if groups:
        lines += ["Config groups (choose with group=option)"]
        lines += [f"  {group}: {', '.join(options)}" for group, options in groups]
        lines.append("")
    lines += ["Config (override anything with key=value)", _indented(_whole(plan, "job")), ""]
    return "\n".join([*lines, "Flags", flags_help()])


def _indented(config: DictConfig) -> str:
    text = OmegaConf.to_yaml(config).rstrip() if config else "(empty)"
    return "\n".join(f"  {line}" for line in text.splitlines())


def _groups(plan: Plan, above: str) -> Iterator[tuple[str, list[str]]]:
    for name in plan.search.groups(above):
        group = f"{above}/{name}" if above else name
        if group in ("hydra", "sweeper") or name.startswith("."):
            continue
        options = plan.search.options(group)
        if options:
            yield group, options
        yield from _groups(plan, group)


def _info(plan: Plan, what: str) -> str:
    parts = []
    if what in ("all", "searchpath"):
        parts.append("Search path\n" + plan.search.describe())
    if what in ("all", "defaults", "defaults-tree"):
        rows = [("Config", "Package", "Parent")]
        rows += [(e.path, e.package or "_global_", e.parent or "") for e in plan.base.entries]
        parts.append("Defaults list\n" + _table(rows))
    if what in ("all", "config"):
        parts.append("Config\n" + _indented(_whole(plan, "job")))
    if what in ("all", "plugins"):
        from .launch import LAUNCHERS
        from .search import SEARCHERS
        from .track import TRACKERS

        seams = (("search", SEARCHERS), ("launcher", LAUNCHERS), ("tracker", TRACKERS))
        options = [(f"sweeper/{group}", ", ".join(names)) for group, names in seams]
        parts.append("Options that ship\n" + _table([("Group", "Options"), *options]))
    return "\n\n".join(parts)


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(f"  {line}".rstrip() for line in lines)


def explain(plan: Plan, key: str) -> list[str]:
    """Return the files, with lines, and the overrides that set a value, the last one wins."""
    found = []
    for entry in plan.base.entries:
        place = _place(entry, key)
        if place is not None:
            found.append(place)
    found += [
        (f"the command line: {o.text}", o.value)
        for o in plan.overrides
        if not o.sweeps and (o.key == key or key.startswith(f"{o.key}."))
    ]
    if not found:
        keys = [f"{e.package}.{k}" if e.package else str(k) for e in plan.base.entries for k in _top(e)]
        raise ConfigError(f"Nothing sets '{key}'", hint=nearest(key, keys))
    lines = [f"{place}\n    {key} = {show(value)}" for place, value in found]
    return [*lines[:-1], f"{lines[-1]}    <- in force"]


def _top(entry: Entry) -> list[Any]:
    return list(entry.config.content) if isinstance(entry.config.content, dict) else []


def _place(entry: Entry, key: str) -> tuple[str, Any] | None:
    package = entry.package
    inside = key
    if package:
        if not key.startswith(f"{package}."):
            return None
        inside = key[len(package) + 1 :]
    try:
        value = trees.get(entry.config.content, inside)
    except trees.Unresolved:
        value = "${…}"
    except trees.Mismatch:
        return None
    if value is None:
        return None
    line = _line(entry.config.where, inside.split("."))
    return (f"{entry.config.where}:{line}" if line else entry.config.where), value


def _line(path: str, parts: list[str]) -> int | None:
    """Return the line of a file on which a key stands."""
    try:
        with open(path, encoding="utf-8") as file:
            node = yaml.compose(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, yaml.YAMLError):
        return None
    line = None
    for part in parts:
        if not isinstance(node, yaml.MappingNode):
            return line
        for name, value in node.value:
            if name.value == part:
                line, node = name.start_mark.line + 1, value
                break
        else:
            return line
    return line
