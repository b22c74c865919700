"""What `--cfg`, `--help`, `--info` and `--explain` print."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from string import Template
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from . import nodes, resolve, trees, yamls
from .cli import Command, flags_help
from .composition import list_defaults
from .defaults import Entry
from .errors import ConfigError, nearest
from .grammar import NOTHING, Override, show
from .hydra import CONFIGS, whole_node
from .plan import ROOTS, Plan
from .records import Program
from .typed import plain


def show_config(command: Command, plan: Plan, program: Program) -> None:
    """Print what a command line asks to see of a composed config."""
    if "--help" in command:
        print(_help(command, plan, program))  # noqa: T201
    elif "--hydra-help" in command:
        print(_hydra_help(plan, program))  # noqa: T201
    elif "--explain" in command:
        print("\n".join(explain(plan, command.values["--explain"])))  # noqa: T201
    elif "--info" in command:
        print(_info(plan, command.values["--info"]))  # noqa: T201
    else:
        print(_config(command, plan))  # noqa: T201


def _whole(plan: Plan, what: str, key: str) -> DictConfig:
    own: dict[str, Any] = {"sweeper": plan.base.settings}
    if key.partition(".")[0] == "hydra":
        known = whole_node(resolve.fact("hydra") or plan.base.hydra)
        run, sweep = plan.settings.run._asdict(), plan.settings.sweep._asdict()
        return nodes.build({**plan.base.tree, "hydra": {**known, "run": run, "sweep": sweep}})
    tree = {"job": plan.base.tree, "sweeper": own, "hydra": own, "all": {**plan.base.tree, **own}}[what]
    return nodes.build(tree)


def _config(command: Command, plan: Plan) -> str:
    what, key = command.values["--cfg"], command.values.get("--package")
    key = None if key == "_global_" else key
    config = _whole(plan, what, key or "")
    whole = nodes.build({**plan.base.tree, "sweeper": plan.base.settings})
    node: Any = config
    resolve.register()
    with _resolving():
        if "--resolve" in command:
            config._set_parent(whole)  # noqa: SLF001  so that it resolves against all there is
        if key is not None:
            node = OmegaConf.select(config, key, default=NOTHING)
        if "--resolve" in command and OmegaConf.is_config(node):
            OmegaConf.resolve(node)
    if node is NOTHING and key is not None:
        if _at(plain(config), key) == trees.MISSING:
            return trees.MISSING
        raise ConfigError(f"The config has no key '{key}'", hint=nearest(key, map(str, config)))
    if not OmegaConf.is_config(node):
        return "null" if node is None else str(node)
    text = OmegaConf.to_yaml(node).rstrip()
    return f"# @package {key}\n{text}" if key else text


@contextmanager
def _resolving() -> Iterator[None]:
    try:
        yield
    except OmegaConfBaseException as error:
        raise ConfigError(f"Cannot resolve the config: {str(error).splitlines()[0]}") from None


def _help(command: Command, plan: Plan, program: Program) -> str:
    """Return the help by the template in `hydra.help`, of which a tree may have its own."""
    node = whole_node(plan.base.hydra)
    own = inspect.getdoc(program.function)
    if own and node["help"]["header"] == CONFIGS["hydra/help/default"]["header"]:
        node["help"] = {**node["help"], "header": own.replace("${", "\\${") + "\n"}
    config = plan.base.config()
    if "--resolve" in command:
        resolve.register()
        with _resolving():
            OmegaConf.resolve(config)
    return _filled(node, "help", plan, program, OmegaConf.to_yaml(config) if config else "(empty)\n")


def _hydra_help(plan: Plan, program: Program) -> str:
    """Return the help of the program itself, by the template in `hydra.hydra_help`."""
    return _filled(whole_node(plan.base.hydra), "hydra_help", plan, program, "")


def _filled(node: dict[str, Any], which: str, plan: Plan, program: Program, config: str) -> str:
    node["job"] = {**node["job"], "name": plan.settings.job.name or program.name}
    whole = {**plan.base.tree, "hydra": node}
    template = str(resolve.resolve(node[which]["template"], whole, f"hydra.{which}.template"))
    ours = ("hydra", "sweeper")
    groups = [(g.split("/")[0] in ours, f"{g}: {', '.join(options)}\n") for g, options in _groups(plan, "")]
    return (
        Template(template)
        .safe_substitute(
            FLAGS_HELP=flags_help() + "\n",
            APP_CONFIG_GROUPS="".join(line for is_ours, line in groups if not is_ours),
            HYDRA_CONFIG_GROUPS="".join(line for is_ours, line in groups if is_ours),
            CONFIG=config,
        )
        .rstrip()
    )


def _groups(plan: Plan, above: str) -> Iterator[tuple[str, list[str]]]:
    for name in plan.search.groups(above):
        group = f"{above}/{name}" if above else name
        if name.startswith("."):
            continue
        options = plan.search.options(group)
        if options:
            yield group, options
        yield from _groups(plan, group)


def _info(plan: Plan, what: str) -> str:
    overrides = [override for override in plan.overrides if not override.sweeps]
    search, listed = list_defaults(plan.search, plan.primary, overrides, roots=ROOTS, skip_missing=True)
    parts = []
    if what in ("all", "plugins"):
        parts.append(_titled("Options that ship", _options()))
    if what in ("all", "config", "searchpath"):
        rows = [(source["provider"], f"{source['schema']}://{source['path']}") for source in search.table()]
        parts.append(_titled("Config search path", _table([("Provider", "Search path"), *rows])))
    if what in ("all", "config", "defaults-tree"):
        tree = "\n".join("  " * depth + text for depth, text in listed.tree())
        parts.append(_titled("Defaults Tree", tree))
    if what in ("all", "config", "defaults"):
        entries = [
            (e.path, e.package, str(e.is_self), e.parent if e.parent is not None else "<root>")
            for e in listed.entries
        ]
        table = _table([("Config path", "Package", "_self_", "Parent"), *entries])
        parts.append(_titled("Defaults List", table))
    if what in ("all", "config"):
        parts.append(_titled("Config", OmegaConf.to_yaml(plan.base.config())))
    return "\n\n".join(parts)


def _options() -> str:
    from .launch import LAUNCHERS
    from .prune import PRUNERS
    from .search import SEARCHERS
    from .track import TRACKERS

    seams = (("search", SEARCHERS), ("pruner", PRUNERS), ("launcher", LAUNCHERS), ("tracker", TRACKERS))
    return _table([("Group", "Options"), *((f"sweeper/{group}", ", ".join(names)) for group, names in seams)])


def _titled(title: str, text: str) -> str:
    return f"{title}\n{'*' * len(title)}\n{text}"


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    rule = "-" * len(lines[0])
    return "\n".join([lines[0], rule, *lines[1:], rule])


_DELETED = object()  # what an override with ~ makes of a value


def explain(plan: Plan, key: str) -> list[str]:
    """Return the files, with lines, and the overrides that set a value, the last one wins."""
    found = [_place(entry, key) for entry in plan.base.entries]
    if plan.schema is not None:
        fields = plain(OmegaConf.structured(plan.schema))
        found.insert(0, (f"the schema {plan.schema.__name__}", _at(fields, key)))
    found = [(place, value) for place, value in found if value is not NOTHING]
    found = [*found[:1], *(item for item in found[1:] if item[1] != trees.MISSING)]  # it overwrites nothing
    overrides = [override for override in plan.overrides if not override.sweeps]
    _, listed = list_defaults(plan.search, plan.primary, overrides, roots=ROOTS, skip_missing=True)
    for override in listed.overrides:  # without those that choose an option
        value = _given(override, key)
        if value is not NOTHING:
            found.append((f"the command line: {override.text}", value))
    if not found:
        keys = [f"{e.package}.{k}" if e.package else str(k) for e in plan.base.entries for k in _top(e)]
        raise ConfigError(f"Nothing sets '{key}'", hint=nearest(key, keys))
    lines = [
        f"{place}\n    {key} {'is deleted' if value is _DELETED else f'= {show(value)}'}"
        for place, value in found
    ]
    return [*lines[:-1], f"{lines[-1]}    <- in force"]


def _given(override: Override, key: str) -> Any:
    """Return what an override makes of a key."""
    if override.key.startswith(f"{key}."):
        below = override.key[len(key) + 1 :]
        return NOTHING if override.sign == "~" else trees.nest(below, override.value)
    if not f"{key}.".startswith(f"{override.key}."):
        return NOTHING
    return _DELETED if override.sign == "~" else _at(override.value, key[len(override.key) + 1 :])


def _at(content: Any, key: str) -> Any:
    """Return what stands at a key of plain data."""
    for part in key.split(".") if key else ():
        if trees.is_interpolation(content):
            return "${…}"
        content = trees.child(content, part, NOTHING)
    return content


def _top(entry: Entry) -> list[Any]:
    return list(entry.config.content) if isinstance(entry.config.content, dict) else []


def _place(entry: Entry, key: str) -> tuple[str, Any]:
    """Return where a file sets a key, and what to."""
    content, package, inside = plain(entry.config.content), entry.package, key
    if package and f"{package}.".startswith(f"{key}."):
        return entry.config.where, trees.nest(package[len(key) + 1 :], content)
    if package:
        if not key.startswith(f"{package}."):
            return "", NOTHING
        inside = key[len(package) + 1 :]
    value = _at(content, inside)
    return "" if value is NOTHING else yamls.place_of(entry.config.where, inside), value
