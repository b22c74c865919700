"""The `sweeper` node of the config: its keys, their types and defaults, the options that ship.

What is written here is the reference: the shipped configs, the checks and the help are made from
these classes. Resolves nothing but its own node; runs nothing.
"""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .errors import SettingsError, nearest
from .grammar import show
from .records import Objective


class RunSettings(NamedTuple):
    """`sweeper.run`."""

    dir: str = "outputs/${now:%Y-%m-%d}/${now:%H-%M-%S}"


class SweepSettings(NamedTuple):
    """`sweeper.sweep`."""

    dir: str = "multirun/${now:%Y-%m-%d}/${now:%H-%M-%S}"
    subdir: str = "${sweeper:run.number}"


class SearchSettings(NamedTuple):
    """`sweeper.search`."""

    name: str = "grid"
    trials: int | None = None
    seed: int | None = None
    timeout: float | None = None
    target: float | None = None
    patience: int | None = None
    repeats: int = 1
    first: list[Any] = []  # noqa: RUF012  a default is never changed
    constraint: str | list[Any] | None = None
    warm_start: str | None = None
    warm_top: int = 5
    warm_observe: bool = False
    options: Mapping[str, Any] = {}  # what else the option of the group says


class PrunerSettings(NamedTuple):
    """`sweeper.pruner`."""

    name: str = "none"
    options: Mapping[str, Any] = {}


class LauncherSettings(NamedTuple):
    """`sweeper.launcher`."""

    name: str = "local"
    jobs: int | None = None
    run_timeout: float | None = None
    memory: str | int | None = None
    retries: int = 0
    retry_on: str | list[Any] = "died"
    max_failures: int | None = 5
    fail_fast: bool = False
    resources: Mapping[str, Any] = {}
    threads: int | None = None
    grace: float = 5.0
    preload: str | list[Any] | None = "auto"
    start: str = "auto"
    options: Mapping[str, Any] = {}

    def causes(self) -> tuple[str, ...]:
        """Return the causes of failures after which a run is made again."""
        return (self.retry_on,) if isinstance(self.retry_on, str) else tuple(self.retry_on)


class ObjectiveSettings(NamedTuple):
    """`sweeper.objective`."""

    metric: str | list[Any] | None = None
    direction: str | list[Any] = "minimize"

    def checked(self) -> Objective:
        """Return the objective that the settings name.

        Raises:
            SettingsError: for another direction, or not as many as there are metrics.
        """
        metric, direction = self.metric, self.direction
        metrics = metric if isinstance(metric, list) else [] if metric is None else [metric]
        directions = direction if isinstance(direction, list) else [direction]
        for word in directions:
            if word not in ("minimize", "maximize"):
                raise SettingsError(
                    f"sweeper.objective.direction must be minimize or maximize, not {word!r}",
                    hint=nearest(str(word), ("minimize", "maximize")),
                )
        if metrics and isinstance(direction, str):
            directions = directions * len(metrics)
        if metrics and len(metrics) != len(directions):
            raise SettingsError(
                f"sweeper.objective has {len(metrics)} metrics and {len(directions)} directions"
            )
        return Objective(tuple(map(str, metrics)), tuple(directions))


class JobSettings(NamedTuple):
    """`sweeper.job`."""

    name: str | None = None
    chdir: bool | None = None
    env: Mapping[str, Any] = {}
    logging: Mapping[str, Any] | None = None
    verbose: bool | str | list[Any] = False

    def loggers(self) -> tuple[str, ...]:
        """Return the names of the loggers of level DEBUG; an empty one is the root's."""
        if isinstance(self.verbose, bool):
            return ("",) if self.verbose else ()
        return (self.verbose,) if isinstance(self.verbose, str) else tuple(map(str, self.verbose))


class Settings(NamedTuple):
    """`sweeper`."""

    name: str | None = None
    note: str = ""
    run: RunSettings = RunSettings()
    sweep: SweepSettings = SweepSettings()
    search: SearchSettings = SearchSettings()
    pruner: PrunerSettings = PrunerSettings()
    launcher: LauncherSettings = LauncherSettings()
    tracker: Mapping[str, Any] = {}
    objective: ObjectiveSettings = ObjectiveSettings()
    space: Mapping[str, Any] = {}
    job: JobSettings = JobSettings()
    logging: Mapping[str, Any] | None = None
    callbacks: Mapping[str, Any] = {}

    def redact(self) -> tuple[str, ...]:
        """Return the keys whose values no tracker gets, beside those that look like secrets."""
        found = self.tracker.get("redact") or ()
        if isinstance(found, str) or not all(isinstance(key, str) for key in found):
            raise SettingsError(f"sweeper.tracker.redact is a list of keys, not {show(found)}")
        return tuple(found)


HELP = {
    "name": "name of the experiment; the script's without it",
    "note": "a description, kept with the record",
    "run.dir": "directory of a single run; one that is taken gets -2",
    "sweep.dir": "directory of a sweep; one that is taken gets -2",
    "sweep.subdir": "directory of a run, inside of the sweep's",
    "search.name": "the search: an option of the group sweeper/search",
    "search.trials": "points to run in all; without it 20, and for a grid all of it",
    "search.seed": "seed of the search and of its runs; drawn and recorded if null",
    "search.timeout": "time after which no run starts: 90, 30m, 2h",
    "search.target": "score that ends the sweep when it is reached",
    "search.patience": "points in a row without a better score, after which no run starts",
    "search.repeats": "runs of each point, under seeds of their own; their mean is the point's score",
    "search.first": "points to try first, after the config's own: a list of mappings from key to value",
    "search.constraint": "what a point must satisfy: 'depth * width < 64', or a list of such",
    "search.warm_start": "directory of an earlier sweep, whose best points are tried first",
    "search.warm_top": "how many of them",
    "search.warm_observe": "whether the earlier sweep's runs count as observations too",
    "pruner.name": "the pruner, which ends runs early: an option of the group sweeper/pruner",
    "launcher.name": "the launcher: an option of the group sweeper/launcher",
    "launcher.jobs": "runs at the same time; if null one, on a cluster as many as it takes, on slurm 16",
    "launcher.run_timeout": "time after which a run is ended, and FAILED: 90, 30m, 2h",
    "launcher.memory": "memory of a run's process: 4GiB, 500MB; what goes beyond is a MemoryError",
    "launcher.retries": "how often a failed run is made again",
    "launcher.retry_on": "after what: died (a signal, an exit), timeout, error (an exception), or a list",
    "launcher.fail_fast": "whether no run starts any more when one has failed",
    "launcher.resources": "values handed out, one a run, by environment variable: {GPU: [0, 1]}",
    "launcher.max_failures": "no run starts any more if so many have ended and all of them failed",
    "launcher.threads": "threads of BLAS and OpenMP in a run; cores / jobs if null",
    "launcher.grace": "time that an interrupted run gets to end by itself",
    "launcher.preload": "what a run finds imported: auto (the script), null (nothing), or modules",
    "launcher.start": "how a run starts: fork (from a server), spawn, or auto",
    "tracker": "a node for each tracker, by its name; redact: keys whose values none of them gets",
    "objective.metric": "the metric that is the score; a list for several objectives",
    "objective.direction": "minimize or maximize; a list for several objectives",
    "space": "ranges to search, by override key",
    "job.name": "name of the log file; the script's without it",
    "job.chdir": "whether a run works inside of its directory; if null, as Hydra would",
    "job.env": "environment variables of a run",
    "job.logging": "logging of a run, as logging.config.dictConfig has it; INFO to the output if null",
    "job.verbose": "loggers of level DEBUG: true (all), a name, or a list of names",
    "logging": "logging of the launching process, as logging.config.dictConfig has it",
    "callbacks": "objects that are told of runs",
}

# The searches that run a list of points, and need no score; the others end by themselves after so many.
LISTED = ("grid", "zip", "points")
DEFAULT_TRIALS = 20

# The options that ship, by group: what each says beside its name.
OPTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "search": {
        "grid": {},
        "zip": {},
        "points": {"points": []},
        "random": {},
        "sobol": {},
        "lhs": {"samples": None},
        "tpe": {"startup": 10, "candidates": 24},
        "gp": {"startup": None, "candidates": 512},
        "skopt": {"startup": None, "candidates": 2000},
        "cmaes": {"population": None, "sigma": 0.25},
        "nsga2": {"population": 20, "crossover": 0.9},
    },
    "pruner": {
        "none": {},
        "median": {"startup": 5, "warmup": 0, "interval": 1},
        "percentile": {"percentile": 25.0, "startup": 5, "warmup": 0, "interval": 1},
        "asha": {"min_step": 1, "factor": 3},
        "hyperband": {"min_step": 1, "max_step": None, "factor": 3},
        "patience": {"patience": 5, "min_delta": 0.0},
        "threshold": {"lower": None, "upper": None, "warmup": 0},
    },
    "launcher": {
        "local": {},
        "joblib": {},
        "inline": {},
        "dask": {"address": None},
        "ray": {"address": None, "cpus": 1, "gpus": 0.0},
        "slurm": {
            "partition": None,
            "account": None,
            "qos": None,
            "time": None,
            "cpus": None,
            "gpus": None,
            "nodes": None,
            "constraint": None,
            "setup": None,
            "extra": {},
            "poll": 1.0,
            "wait": True,
        },
    },
    "tracker": {
        "sqlite": {"path": "sweeper.db"},
        "mlflow": {
            "uri": None,
            "experiment": None,
            "artifact_location": None,
            "artifacts": True,
            "config": True,
            "timeout": 20.0,
            "join": "auto",
        },
        "wandb": {"project": None, "entity": None, "mode": None, "dir": None},
        "comet": {"workspace": None, "project": None, "mode": "online", "dir": "comet"},
        "tensorboard": {"dir": None},
        "sacred": {"dir": "sacred"},
        "notify": {"url": None, "on": ["failed", "sweep"]},
        "none": {},
    },
}


def configs() -> dict[str, Any]:
    """Return the configs that ship, as `SearchPath` reads them: by `group/option`."""
    node = defaults()
    found: dict[str, Any] = {
        "sweeper/config": {
            "defaults": [
                {"search": "grid"},
                {"pruner": "none"},
                {"launcher": "local" if sys.platform.startswith("linux") else "joblib"},
                {"tracker": "sqlite"},
                "_self_",
            ],
            **node,
        }
    }
    for group in NAMED:
        for name, options in OPTIONS[group].items():
            found[f"sweeper/{group}/{name}"] = {"name": name, **options}
    for name, options in OPTIONS["tracker"].items():
        found[f"sweeper/tracker/{name}"] = {name: dict(options)}
    for part in NAMED:  # the group's option says it
        del node[part]["name"]
    return found


def defaults() -> dict[str, Any]:
    """Return the node with its defaults, as plain data."""
    return _plain(Settings())


def _plain(settings: Any) -> dict[str, Any]:
    return {
        name: _plain(value) if hasattr(value, "_asdict") else value
        for name, value in settings._asdict().items()
        if name != "options"
    }


def keys() -> dict[str, tuple[str, Any, str]]:
    """Return type, default and meaning of every key, by its dotted name under `sweeper`."""
    found: dict[str, tuple[str, Any, str]] = {}
    for kind, path in ((Settings, ""), *((part, f"{name}.") for name, part in _PARTS.items())):
        for name, default in kind._field_defaults.items():
            if path + name in HELP:
                found[path + name] = (_types(kind)[name], default, HELP[path + name])
    return found


def _types(kind: Any) -> dict[str, str]:
    return {
        name: note.__forward_arg__ if hasattr(note, "__forward_arg__") else str(note)
        for name, note in kind.__annotations__.items()
    }


NAMED = ("search", "pruner", "launcher")  # groups whose node has the option's name
_PARTS: dict[str, Any] = {
    "run": RunSettings,
    "sweep": SweepSettings,
    "search": SearchSettings,
    "pruner": PrunerSettings,
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
    "Mapping[str, Any]": (dict,),
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
                hint = f"To choose an option write sweeper/{name}={show(part)}" if name in NAMED else ""
                raise SettingsError(f"sweeper.{name} must be a mapping, not {show(part)}", hint=hint)
            values[name] = kind(**_checked(kind, part, f"{name}."))
    return Settings(**values)


def _checked(kind: Any, node: Mapping[str, Any], path: str) -> dict[str, Any]:
    fields = _types(kind)
    values: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for key, value in node.items():
        if key not in fields or key == "options":
            if "options" not in fields or not _is_option(path, str(key), node):
                raise SettingsError(
                    f"There is no setting sweeper.{path}{key}",
                    hint=nearest(str(key), fields)
                    or f"sweeper{'.' + path[:-1] if path else ''} has {', '.join(fields)}.",
                )
            options[str(key)] = value
            continue
        if path + key in _DURATIONS and value is not None:
            values[key] = seconds(value, f"sweeper.{path}{key}")
            continue
        if (path or key not in _PARTS) and not _is_kind(value, fields[key]):
            raise SettingsError(f"sweeper.{path}{key} must be {_words(fields[key])}, not {show(value)}")
        values[key] = value
    if options:
        values["options"] = options
    for key, least in _LEAST.items():
        value = values.get(key[len(path) :]) if key.startswith(path) else None
        if isinstance(value, int) and value < least:
            raise SettingsError(f"sweeper.{key} must be {least} or more, not {value}")
    if path == "launcher.":
        _check_launcher(values)
    if path == "job." and os.sep in (values.get("name") or ""):
        raise SettingsError(f"sweeper.job.name is a file's name, without '{os.sep}': {values['name']}")
    _check_options(path, str(node.get("name")), options)
    return values


_LEAST = {
    "launcher.jobs": 1,
    "launcher.threads": 1,
    "launcher.retries": 0,
    "launcher.max_failures": 1,
    "search.trials": 1,
    "search.seed": 0,
    "search.patience": 1,
    "search.repeats": 1,
    "search.warm_top": 0,
}


CAUSES = ("died", "timeout", "error")  # of a failed run


def _check_launcher(values: dict[str, Any]) -> None:
    if values.get("start", "auto") not in ("auto", "fork", "spawn"):
        raise SettingsError(f"sweeper.launcher.start must be auto, fork or spawn, not {values['start']}")
    causes = values.get("retry_on", "died")
    for cause in [causes] if isinstance(causes, str) else causes:
        if cause not in CAUSES:
            raise SettingsError(
                f"sweeper.launcher.retry_on is of {', '.join(CAUSES)}, or a list, not {show(cause)}",
                hint=nearest(str(cause), CAUSES),
            )
    if values.get("memory") is not None:
        values["memory"] = size_in_bytes(values["memory"], "sweeper.launcher.memory")
    for name, found in values.get("resources", {}).items():
        jobs = values.get("jobs") or 1
        if not isinstance(found, list) or len(found) < jobs:
            count = f"{len(found)} values" if isinstance(found, list) else show(found)
            raise SettingsError(
                f"sweeper.launcher.resources.{name} needs a value for each of {jobs} runs, and has {count}",
                hint=f"Give a list, such as {name}: {show(list(range(jobs)))}, or fewer --jobs.",
            )


_FREE = ("lower", "upper", "address")  # null if not said, and no whole numbers
_FEWEST = {"cmaes": 4, "nsga2": 2}  # in a population: half of one has a spread; two are a point's parents
_NUMBERS: dict[str, tuple[Callable[[float], bool], str]] = {
    "search.sigma": (lambda value: 0 < value < math.inf, "above zero"),
    "search.crossover": (lambda value: 0 <= value <= 1, "from zero to one"),
    "launcher.gpus": (lambda value: 0 <= value < math.inf, "from zero on"),
}


def _check_options(path: str, name: str, options: Mapping[str, Any]) -> None:
    known = OPTIONS.get(path[:-1], {}).get(name, {})
    if path == "launcher." and name == "slurm":  # which checks its own
        return
    for key, value in options.items():
        usual = known.get(key, "")
        if type(usual) is float and path + key in _NUMBERS:
            holds, words = _NUMBERS[path + key]
            if not (_is_kind(value, "int | float") and holds(value)):
                raise SettingsError(f"sweeper.{path}{key} must be a number {words}, not {show(value)}")
        if type(usual) not in (int, type(None)) or (usual is None and (value is None or key in _FREE)):
            continue
        least = _FEWEST[name] if key == "population" else 0 if usual == 0 else 1
        if type(value) is not int or value < least:
            words = {0: "from zero on", 1: "above zero"}.get(least, f"from {least} on")
            raise SettingsError(f"sweeper.{path}{key} must be a whole number {words}, not {show(value)}")


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
        "None": "null", "list[Any]": "a list", "Mapping[str, Any]": "a mapping",
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


_BYTES = {
    "": 1,
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "t": 10**12,
    "ki": 2**10,
    "mi": 2**20,
    "gi": 2**30,
    "ti": 2**40,
}


def size_in_bytes(value: Any, name: str) -> int:
    """Return a size in bytes: a number of them, or '500MB', '4GiB'.

    >>> size_in_bytes("4GiB", "memory")
    4294967296
    """
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([kmgt]i?)?b?\s*", str(value).lower())
    if match is None or float(match[1]) <= 0:
        raise SettingsError(f"{name} must be a size such as 4GiB or 500MB, not {show(value)}")
    return int(float(match[1]) * _BYTES[match[2] or ""])
