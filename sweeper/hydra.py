"""What an existing Hydra tree may name: Hydra's own configs and groups, as plain data.

They are here so that such a tree composes as it stands; what has a meaning for sweeper is read from
the composed `hydra` node by the settings.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from . import trees
from .groups import SELF, Config, Default

_LINE = "[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"
_LOG = "${hydra.runtime.output_dir}/${hydra.job.name}.log"


def _logging(line: str, *, file: bool, coloured: str = "", **more: Any) -> dict[str, Any]:
    """Return a `dictConfig` that logs to the terminal, and to the run's log."""
    formatters: dict[str, Any] = {"simple": {"format": line}}
    if coloured:
        colours = {"DEBUG": "purple", "INFO": "green", "WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}
        formatters["colorlog"] = {
            "()": "colorlog.ColoredFormatter",
            "format": coloured,
            "log_colors": colours,
        }
    console = {"class": "logging.StreamHandler", "formatter": list(formatters)[-1]}
    handlers: dict[str, Any] = {"console": {**console, "stream": "ext://sys.stdout"}}
    if file:
        handlers["file"] = {"class": "logging.FileHandler", "formatter": "simple", "filename": _LOG}
    return {
        "version": 1,
        "formatters": formatters,
        "handlers": handlers,
        "root": {"level": "INFO", "handlers": list(handlers)},
        **more,
        "disable_existing_loggers": False,
    }


_JOB_LOGGING = _logging(_LINE, file=True)
_LAUNCHER_LOGGING = _logging(
    "[%(asctime)s][HYDRA] %(message)s", file=False, loggers={"logging_example": {"level": "DEBUG"}}
)
_DEBUG: dict[str, Any] = {
    "version": 1,
    "formatters": {"simple": {"format": _LINE}},
    "handlers": {
        "file": {
            "class": "logging.FileHandler",
            "mode": "w",
            "formatter": "simple",
            "filename": "hydra-${hydra.job.name}.log",
            "delay": True,
        }
    },
    "root": {"level": "ERROR", "handlers": ["file"]},
    "loggers": {"hydra": {"level": "DEBUG"}},
    "disable_existing_loggers": False,
}
_NO_LOGGING: dict[str, Any] = {"version": 1, "root": None, "disable_existing_loggers": False}
_DISABLED: dict[str, Any] = {"version": 1, "root": {"level": "ERROR"}, "disable_existing_loggers": True}
_COLOURED_LINE = (
    "[%(cyan)s%(asctime)s%(reset)s][%(blue)s%(name)s%(reset)s]"
    "[%(log_color)s%(levelname)s%(reset)s] - %(message)s"
)
_HELP = """\
${hydra.help.header}
== Configuration groups ==
Compose your configuration from those groups (group=option)

$APP_CONFIG_GROUPS

== Config ==
Override anything in the config (foo.bar=value)

$CONFIG

== Flags ==
$FLAGS_HELP

${hydra.help.footer}
"""
_HYDRA_HELP = """\
== Flags ==
$FLAGS_HELP

== Configuration groups of the program itself ==
Choose with group=option

$HYDRA_CONFIG_GROUPS

Use --cfg sweeper to see its settings.
"""

CONFIGS: dict[str, Any] = {
    "hydra/config": {
        "defaults": [
            "_self_",
            {"output": "default"},
            {"launcher": "basic"},
            {"sweeper": "basic"},
            {"help": "default"},
            {"hydra_help": "default"},
            {"hydra_logging": "default"},
            {"job_logging": "default"},
            {"callbacks": None},
            {"env": "default"},
        ],
        "mode": None,
        "searchpath": [],
        "run": {"dir": "???"},
        "sweep": {"dir": "???", "subdir": "???"},
        "hydra_logging": "???",
        "job_logging": "???",
        "sweeper": "???",
        "launcher": "???",
        "callbacks": {},
        "help": {"app_name": "???", "header": "???", "footer": "???", "template": "???"},
        "hydra_help": {"hydra_help": "???", "template": "???"},
        "output_subdir": ".sweeper",  # where the records of a run lie
        "overrides": {"hydra": [], "task": []},
        "job": {
            "name": "???",
            "chdir": None,
            "override_dirname": "???",
            "id": "???",
            "num": "???",
            "config_name": "???",
            "env_set": {},
            "env_copy": [],
            "config": {"override_dirname": {"kv_sep": "=", "item_sep": ",", "exclude_keys": []}},
        },
        "runtime": {
            "version": "???",
            "version_base": "???",
            "cwd": "???",
            "config_sources": "???",
            "output_dir": "???",
            "choices": {},
        },
        "verbose": False,
    },
    "hydra/output/default": {},
    "hydra/launcher/basic": {"_target_": "hydra._internal.core_plugins.basic_launcher.BasicLauncher"},
    "hydra/sweeper/basic": {
        "_target_": "hydra._internal.core_plugins.basic_sweeper.BasicSweeper",
        "max_batch_size": None,
        "params": None,
    },
    "hydra/help/default": {
        "app_name": "${hydra.job.name}",
        "header": "${hydra.help.app_name} is made with sweeper.",
        "footer": "",
        "template": _HELP,
    },
    "hydra/hydra_help/default": {"hydra_help": "???", "template": _HYDRA_HELP},
    "hydra/hydra_logging/default": _LAUNCHER_LOGGING,
    "hydra/hydra_logging/none": _NO_LOGGING,
    "hydra/hydra_logging/disabled": _DISABLED,
    "hydra/hydra_logging/hydra_debug": _DEBUG,
    "hydra/hydra_logging/colorlog": _logging(
        "[%(asctime)s][HYDRA] %(message)s",
        file=False,
        coloured="[%(cyan)s%(asctime)s%(reset)s][%(purple)sHYDRA%(reset)s] %(message)s",
    ),
    "hydra/job_logging/default": _JOB_LOGGING,
    "hydra/job_logging/stdout": _logging("%(message)s", file=False),
    "hydra/job_logging/none": _NO_LOGGING,
    "hydra/job_logging/disabled": _DISABLED,
    "hydra/job_logging/colorlog": _logging(_LINE, file=True, coloured=_COLOURED_LINE),
    "hydra/env/default": {},
}


class Plugins:
    """The last source: options of Hydra's plugin groups that nobody has are read as empty."""

    provider, shown = "plugins", "plugins://"
    groups = ("hydra/launcher", "hydra/sweeper", "hydra/sweeper/sampler")

    def __repr__(self) -> str:
        return "plugins: (options of Hydra's plugins)"

    def available(self) -> bool:
        """Whether the source exists at all."""
        return True

    def read(self, path: str) -> Config | None:
        """Return an empty config for an option that only a plugin could have."""
        if path == "hydra/sweeper/optuna":
            defaults = (Default(group="sampler", value="tpe"), SELF)
            return Config(f"plugins:{path}", {}, defaults=defaults, shipped=True)
        if path.rpartition("/")[0] in self.groups:
            return Config(f"plugins:{path}", {}, shipped=True)
        return None

    def has_group(self, group: str) -> bool:
        """Whether plugins may add to the group."""
        return group in self.groups

    def list(self, group: str) -> tuple[list[str], list[str]]:
        """Return nothing: what plugins there are is not known."""
        return [], []


# What of Hydra's node is ours by another name.
_SAME = {
    "run.dir": "run.dir",
    "sweep.dir": "sweep.dir",
    "sweep.subdir": "sweep.subdir",
    "job.name": "job.name",
    "job.chdir": "job.chdir",
    "sweeper.n_trials": "search.trials",
    "sweeper.direction": "objective.direction",
    "sweeper.sampler.seed": "search.seed",
    "sweeper.sampler.n_startup_trials": "search.startup",
    "sweeper.n_jobs": "launcher.jobs",
    "launcher.n_jobs": "launcher.jobs",
    "launcher.array_parallelism": "launcher.jobs",
    "launcher.cpus_per_task": "launcher.threads",
}
_SEARCHES = {
    "tpe": "tpe", "random": "random", "grid": "grid", "qmc": "sobol", "cmaes": "cmaes", "nsgaii": "nsga2",
    "motpe": "tpe",
}  # fmt: skip
_SAMPLERS = {
    "TPESampler": "tpe", "MOTPESampler": "tpe", "RandomSampler": "random", "GridSampler": "grid",
    "QMCSampler": "sobol", "CmaEsSampler": "cmaes", "NSGAIISampler": "nsga2", "GPSampler": "gp",
}  # fmt: skip
# What has a meaning, or is not worth a word.
_KNOWN = (
    "run", "sweep", "job", "launcher", "sweeper", "callbacks", "hydra_logging", "job_logging", "verbose",
    "defaults", "help", "hydra_help", "mode", "output_subdir", "overrides", "runtime", "searchpath", "env",
    "output",
)  # fmt: skip
_SWEEPER_KEYS = (
    "_target_", "direction", "max_batch_size", "n_jobs", "n_trials", "params", "sampler", "storage",
    "study_name", "search_space", "max_failure_rate",
)  # fmt: skip
_ELSEWHERE = ("storage", "study_name", "max_failure_rate")  # what sweeps keep and do in their own way
# Settings of submitit's launcher for Slurm: ours by another name, and such as only sbatch has.
_SUBMITIT = {
    "partition": "partition", "account": "account", "qos": "qos", "nodes": "nodes", "setup": "setup",
    "constraint": "constraint", "gpus_per_node": "gpus", "cpus_per_task": "cpus",
}  # fmt: skip
_SBATCH = (
    "comment", "exclude", "gres", "cpus_per_gpu", "gpus_per_task", "mem_per_gpu", "mem_per_cpu",
    "tasks_per_node",
)  # fmt: skip
_LAUNCHER_KEYS = {
    "joblib": (
        "_target_", "n_jobs", "backend", "prefer", "require", "verbose", "timeout", "pre_dispatch",
        "batch_size", "temp_folder", "max_nbytes", "mmap_mode",
    ),
    "submitit_local": ("_target_", "timeout_min", "array_parallelism", "cpus_per_task"),
    "submitit_slurm": (
        "_target_", "timeout_min", "array_parallelism", "cpus_per_task", "mem_gb", "additional_parameters",
        "submitit_folder", "name", "stderr_to_stdout", *_SUBMITIT, *_SBATCH,
    ),
}  # fmt: skip


class Translated(NamedTuple):
    """What a `hydra` node says, in sweeper's words, and the names of what has none."""

    settings: dict[str, Any]  # by dotted key under `sweeper`
    space: dict[str, Any]  # override texts by key
    meaningless: list[str]


def translate(node: Mapping[str, Any], choices: Mapping[str, str | None]) -> Translated:
    """Return the settings that a composed `hydra` node and the choices of its groups stand for."""
    settings: dict[str, Any] = {}
    for theirs, ours in _SAME.items():
        value = value_at(node, theirs)
        if value is not None and value != "???":
            settings[ours] = value
    if settings.get("launcher.jobs") == -1:
        settings["launcher.jobs"] = os.cpu_count() or 1
    env = {key: os.environ[key] for key in value_at(node, "job.env_copy") or () if key in os.environ}
    env.update(value_at(node, "job.env_set") or {})
    if env:
        settings["job.env"] = env
    for theirs, ours, usual in (
        ("callbacks", "callbacks", {}),
        ("job_logging", "job.logging", _JOB_LOGGING),
        ("hydra_logging", "logging", _LAUNCHER_LOGGING),
        ("verbose", "job.verbose", False),
    ):
        value = node.get(theirs)
        if value not in (None, "???", usual):
            settings[ours] = value
    if str(choices.get("hydra/launcher")).startswith("submitit"):
        minutes = value_at(node, "launcher.timeout_min")
        if isinstance(minutes, (int, float)):
            settings["launcher.run_timeout"] = 60 * minutes
    if choices.get("hydra/launcher") == "submitit_slurm":
        settings.update(_slurm(node.get("launcher") or {}))
    search = _search(node, choices)
    if search is not None:
        settings["search.name"] = search
        if search != "tpe":
            settings.pop("search.startup", None)
    old = value_at(node, "sweeper.search_space") or {}
    space = {str(key): _range_of(value) for key, value in old.items()}
    space.update({str(key): value for key, value in (value_at(node, "sweeper.params") or {}).items()})
    return Translated(settings, space, sorted(set(_meaningless(node, choices))))


def _range_of(written: Any) -> Any:
    """Return the range that an entry of the optuna sweeper's older `search_space` stands for.

    A mapping with `type` (categorical, int or float) and `choices`, or `low`, `high`, `step` and `log`;
    both ends belong to it. What is none is returned as it is.
    """
    if not isinstance(written, Mapping) or "type" not in written:
        return written
    if written["type"] == "categorical" or "low" not in written or "high" not in written:
        return list(written.get("choices") or [])
    whole = written["type"] == "int"
    low, high, step = written["low"], written["high"], written.get("step")
    if step is not None and not (whole and step == 1):
        return f"range({low}, {high + (1 if whole else step / 2)}, {step})"
    text = f"interval({low}, {high}{', log=true' if written.get('log') else ''})"
    return f"int({text})" if whole else text


def _slurm(launcher: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that submitit's launcher for Slurm was given, as those of ours."""
    given = {key: value for key, value in launcher.items() if value not in (None, "???")}
    found = {f"launcher.{ours}": given[theirs] for theirs, ours in _SUBMITIT.items() if theirs in given}
    if "mem_gb" in given:
        found["launcher.memory"] = f"{given['mem_gb']}GiB"
    extra = {key.replace("tasks_per", "ntasks_per"): given[key] for key in _SBATCH if key in given}
    return {
        **found,
        "launcher.name": "slurm",
        "launcher.extra": {**extra, **(given.get("additional_parameters") or {})},
    }


def value_at(node: Any, key: str) -> Any:
    """Return what a node has at a dotted key, or None."""
    for part in key.split("."):
        if not isinstance(node, Mapping):
            return None
        node = node.get(part)
    return node


def _search(node: Mapping[str, Any], choices: Mapping[str, str | None]) -> str | None:
    """Return the search that Hydra's optuna sweeper was told to make."""
    if choices.get("hydra/sweeper") != "optuna":
        return None
    target = value_at(node, "sweeper.sampler._target_")
    if isinstance(target, str):
        return _SAMPLERS.get(target.rpartition(".")[2], "tpe")
    return _SEARCHES.get(str(choices.get("hydra/sweeper/sampler")), "tpe")


def _meaningless(node: Mapping[str, Any], choices: Mapping[str, str | None]) -> Iterator[str]:
    for group, known in (
        ("hydra/sweeper", ("basic", "optuna")),
        ("hydra/launcher", ("basic", "joblib", "submitit_local", "submitit_slurm")),
        ("hydra/sweeper/sampler", tuple(_SEARCHES)),
    ):
        choice = choices.get(group)
        if choice is not None and choice not in known:
            yield f"{group}={choice}"
    launcher = node.get("launcher")
    launchers = _LAUNCHER_KEYS.get(str(choices.get("hydra/launcher")))
    if launchers and isinstance(launcher, Mapping):
        yield from (f"hydra.launcher.{name}" for name in launcher if name not in launchers)
    sweeper = node.get("sweeper")
    if choices.get("hydra/sweeper") in ("basic", "optuna") and isinstance(sweeper, Mapping):
        yield from (f"hydra.sweeper.{name}" for name in sweeper if name not in _SWEEPER_KEYS)
        yield from (f"hydra.sweeper.{name}" for name in _ELSEWHERE if sweeper.get(name))
    for key, value in node.items():
        if key not in _KNOWN and value not in (None, {}, [], "???"):
            yield f"hydra.{key}"


def is_plugins(key: str, choices: Mapping[str, str | None]) -> bool:
    """Whether a key belongs to a launcher or a sweeper that is not known here, so that it may be new."""
    parts = key.split(".")
    group = f"hydra/{parts[1]}" if len(parts) > 2 else ""
    return parts[0] == "hydra" and choices.get(group) not in (None, "basic")


def whole_node(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's `hydra` node with all that Hydra itself would have put into it."""
    if "hydra_help" in node:
        return dict(node)
    found: dict[str, Any] = trees.copy(CONFIGS["hydra/config"])
    for group, option in (pair for default in found.pop("defaults")[1:] for pair in default.items()):
        if option is not None:
            trees.merge(found, {group: CONFIGS[f"hydra/{group}/{option}"]})
    trees.merge(found, dict(node))
    return found
