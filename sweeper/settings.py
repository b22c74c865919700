"""The `sweeper` node of the config: its keys, their types and defaults, the options that ship.

What is written here is the reference: the shipped configs, the checks and the help are made from
these classes. Resolves nothing but its own node; runs nothing.
"""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import SettingsError, nearest
from .grammar import show
from .records import Objective


def _key(default: Any, text: str) -> Any:
    if isinstance(default, (dict, list)):
        kind = type(default)
        return field(default_factory=lambda: kind(default), metadata={"help": text})
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class RunSettings:
    """`sweeper.run`"""

    dir: str = _key(
        "outputs/${now:%Y-%m-%d}/${now:%H-%M-%S}", "directory of a single run; a taken one gets -2"
    )


@dataclass(frozen=True)
class SweepSettings:
    """`sweeper.sweep`"""

    dir: str = _key("multirun/${now:%Y-%m-%d}/${now:%H-%M-%S}", "directory of a sweep")
    subdir: str = _key("${sweeper:run.number}", "directory of a run, inside the sweep's")


@dataclass(frozen=True)
class SearchSettings:
    """`sweeper.search`"""

    name: str = _key("grid", "the search: an option of the group sweeper/search")
    trials: int | None = _key(None, "runs in all; without it 20, or for a grid all of it")
    seed: int | None = _key(None, "seed of the search and of its runs; drawn and recorded if null")
    timeout: float | None = _key(None, "time after which no run starts: 90, '30m', '2h'")
    options: dict[str, Any] = _key({}, "what else the option of the group says")


@dataclass(frozen=True)
class LauncherSettings:
    """`sweeper.launcher`"""

    name: str = _key("local", "the launcher: an option of the group sweeper/launcher")
    jobs: int = _key(1, "runs at the same time")
    run_timeout: float | None = _key(None, "time after which a run is ended and FAILED: 90, '30m'")
    max_failures: int | None = _key(
        5, "no run starts any more if so many have ended and all of them failed"
    )
    threads: int | None = _key(None, "threads of BLAS and OpenMP in a run; cores / jobs if null")
    grace: float = _key(5.0, "time that an interrupted run gets to end by itself")
    preload: str | list[Any] | None = _key(
        "auto", "what runs start with: auto (the script), null (nothing), or a list of modules"
    )
    start: str = _key("auto", "how runs start: fork (from a server), spawn, or auto")
    options: dict[str, Any] = _key({}, "what else the option of the group says")


@dataclass(frozen=True)
class ObjectiveSettings:
    """`sweeper.objective`"""

    metric: str | list[Any] | None = _key(None, "the metric that is the score; a list for several")
    direction: str | list[Any] = _key("minimize", "minimize or maximize; a list for several")


@dataclass(frozen=True)
class JobSettings:
    """`sweeper.job`"""

    name: str | None = _key(None, "name of the log file; the script's without it")
    chdir: bool | None = _key(None, "whether a run works inside its own directory; as Hydra did if null")
    env: dict[str, Any] = _key({}, "environment variables of a run")


@dataclass(frozen=True)
class Settings:
    """`sweeper`"""

    name: str | None = _key(None, "name of the experiment; the script's without it")
    note: str = _key("", "a description, kept with the record")
    run: RunSettings = field(default_factory=RunSettings)
    sweep: SweepSettings = field(default_factory=SweepSettings)
    search: SearchSettings = field(default_factory=SearchSettings)
    launcher: LauncherSettings = field(default_factory=LauncherSettings)
    tracker: dict[str, Any] = _key({}, "a node for each tracker")
    objective: ObjectiveSettings = field(default_factory=ObjectiveSettings)
    space: dict[str, Any] = _key({}, "ranges to search, by override key")
    job: JobSettings = field(default_factory=JobSettings)
    callbacks: dict[str, Any] = _key({}, "objects that are told of runs")

    def goal(self) -> Objective:
        """Return the objective that the settings name."""
        metric, direction = self.objective.metric, self.objective.direction
        metrics = metric if isinstance(metric, list) else [] if metric is None else [metric]
        directions = direction if isinstance(direction, list) else [direction]
        for word in directions:
            if word not in ("minimize", "maximize"):
                raise SettingsError(
                    f"sweeper.objective.direction must be minimize or maximize, not {word!r}",
                    hint=nearest(str(word), ("minimize", "maximize")),
                )
        if metrics and len(directions) == 1:
            directions = directions * len(metrics)
        if metrics and len(metrics) != len(directions):
            raise SettingsError(
                f"sweeper.objective has {len(metrics)} metrics and {len(directions)} directions"
            )
        return Objective(tuple(map(str, metrics)), tuple(directions))


# The options that ship, by group: what each says beside its name.
OPTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "search": {
        "grid": {},
        "random": {},
        "tpe": {"startup": 10, "candidates": 24},
        "gp": {"startup": None, "candidates": 2000},
        "skopt": {"startup": None, "candidates": 2000},
    },
    "launcher": {"local": {}, "joblib": {}, "inline": {}},
    "tracker": {"sqlite": {"path": "sweeper.db"}, "none": {}},
}


def configs() -> dict[str, Any]:
    """Return the configs that ship, as `SearchPath` reads them: by `group/option`."""
    node = defaults()
    found: dict[str, Any] = {
        "sweeper/config": {
            "defaults": [
                {"search": "grid"},
                {"launcher": "local" if sys.platform.startswith("linux") else "joblib"},
                {"tracker": "sqlite"},
                "_self_",
            ],
            **node,
        }
    }
    for name, options in OPTIONS["search"].items():
        found[f"sweeper/search/{name}"] = {"name": name, **options}
    for name, options in OPTIONS["launcher"].items():
        found[f"sweeper/launcher/{name}"] = {"name": name, **options}
    for name, options in OPTIONS["tracker"].items():
        found[f"sweeper/tracker/{name}"] = {name: dict(options)}
    for part in ("search", "launcher"):  # the group's option says it
        del node[part]["name"]
    return found


def defaults() -> dict[str, Any]:
    """Return the node with its defaults, as plain data."""
    return _plain(Settings())


def _plain(settings: Any) -> dict[str, Any]:
    found = {}
    for item in dataclasses.fields(settings):
        if item.name == "options":
            continue
        value = getattr(settings, item.name)
        found[item.name] = _plain(value) if dataclasses.is_dataclass(value) else value
    return found


def keys() -> dict[str, tuple[str, Any, str]]:
    """Return type, default and meaning of every key, by its dotted name under `sweeper`."""
    return dict(_keys(Settings, ""))


def _keys(kind: Any, path: str) -> list[tuple[str, tuple[str, Any, str]]]:
    found: list[tuple[str, tuple[str, Any, str]]] = []
    for item in dataclasses.fields(kind):
        if item.name in _PARTS and not path:
            found += _keys(_PARTS[item.name], f"{item.name}.")
        elif item.name != "options":
            default = item.default
            if default is dataclasses.MISSING and item.default_factory is not dataclasses.MISSING:
                default = item.default_factory()
            found.append((path + item.name, (str(item.type), default, item.metadata["help"])))
    return found


_PARTS: dict[str, Any] = {
    "run": RunSettings,
    "sweep": SweepSettings,
    "search": SearchSettings,
    "launcher": LauncherSettings,
    "objective": ObjectiveSettings,
    "job": JobSettings,
}
_DURATIONS = ("search.timeout", "launcher.run_timeout", "launcher.grace")
_KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "None": (type(None),),
    "list[Any]": (list,),
    "dict[str, Any]": (dict,),
}


def settings_from(node: Mapping[str, Any]) -> Settings:
    """Return the settings that a composed `sweeper` node holds, its interpolations resolved.

    Raises:
        SettingsError: for a key that does not exist or a value of the wrong type.
    """
    values = _checked(Settings, node, "")
    for name, kind in _PARTS.items():
        if name in values:
            part = values[name]
            if not isinstance(part, dict):
                raise SettingsError(f"sweeper.{name} must be a mapping, not {show(part)}")
            values[name] = kind(**_checked(kind, part, f"{name}."))
    return Settings(**values)


def _checked(kind: Any, node: Mapping[str, Any], path: str) -> dict[str, Any]:
    fields = {item.name: item for item in dataclasses.fields(kind)}
    values: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for key, value in node.items():
        item = fields.get(key)
        if item is None or key == "options":
            if "options" not in fields or not _is_option(path, str(key), node):
                raise SettingsError(
                    f"There is no setting sweeper.{path}{key}",
                    hint=nearest(str(key), fields)
                    or f"sweeper{'.' + path[:-1] if path else ''} has {', '.join(fields)}.",
                )
            options[str(key)] = value
            continue
        if path + key in _DURATIONS and value is not None:
            value = seconds(value, f"sweeper.{path}{key}")
        elif (path or key not in _PARTS) and not _is_kind(value, str(item.type)):
            raise SettingsError(f"sweeper.{path}{key} must be {_words(str(item.type))}, not {show(value)}")
        values[key] = value
    if options:
        values["options"] = options
    if path == "launcher." and values.get("jobs", 1) < 1:
        raise SettingsError(f"sweeper.launcher.jobs must be 1 or more, not {values['jobs']}")
    if path == "search." and (values.get("trials") or 1) < 1:
        raise SettingsError(f"sweeper.search.trials must be 1 or more, not {values['trials']}")
    return values


def _is_option(path: str, key: str, node: Mapping[str, Any]) -> bool:
    """Whether a shipped option of the group has such a key; those of a user's own may have any."""
    known = OPTIONS[path[:-1]].get(str(node.get("name")))
    return known is None or key in known or "_target_" in node


def _is_kind(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return "bool" in kind
    return any(isinstance(value, _KINDS[name]) for name in kind.split(" | "))


def _words(kind: str) -> str:
    words = {
        "str": "a text", "int": "a whole number", "float": "a number", "bool": "true or false",
        "None": "null", "list[Any]": "a list", "dict[str, Any]": "a mapping",
    }  # fmt: skip
    return " or ".join(words[name] for name in kind.split(" | "))


_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(value: Any, name: str) -> float:
    """Return a duration in seconds: a number of them, or '90s', '30m', '2h', '1d'.

    >>> seconds("1.5h", "timeout")
    5400.0
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0:
        return float(value)
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([smhd]?)\s*", value) if isinstance(value, str) else None
    if match is None:
        raise SettingsError(f"{name} must be a duration such as 90, 30m or 2h, not {show(value)}")
    return float(match[1]) * _UNITS[match[2]]
