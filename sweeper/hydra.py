"""What an existing Hydra tree may name: Hydra's own configs and groups, as plain data.

They are here so that such a tree composes as it stands; what has a meaning for sweeper is read from
the composed `hydra` node by the settings.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .groups import SELF, Config, Default

_LOGGING: dict[str, Any] = {
    "version": 1,
    "formatters": {"simple": {"format": "[%(asctime)s][%(levelname)s] - %(message)s"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "simple",
            "stream": "ext://sys.stdout",
        }
    },
    "root": {"level": "INFO", "handlers": ["console"]},
    "disable_existing_loggers": False,
}
_DISABLED: dict[str, Any] = {"version": 1, "root": None, "disable_existing_loggers": False}

CONFIGS: dict[str, Any] = {
    "hydra/config": {
        "defaults": [
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
        "output_subdir": ".hydra",
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
    "hydra/help/default": {"app_name": "???", "header": "", "footer": "", "template": ""},
    "hydra/hydra_help/default": {"hydra_help": "???", "template": ""},
    "hydra/hydra_logging/default": _LOGGING,
    "hydra/hydra_logging/none": _DISABLED,
    "hydra/hydra_logging/disabled": _DISABLED,
    "hydra/hydra_logging/hydra_debug": _LOGGING,
    "hydra/job_logging/default": _LOGGING,
    "hydra/job_logging/stdout": _LOGGING,
    "hydra/job_logging/none": _DISABLED,
    "hydra/job_logging/disabled": _DISABLED,
    "hydra/env/default": {},
}


class Plugins:
    """The last source: options of Hydra's plugin groups that nobody has are read as empty."""

    provider = "plugins"
    groups = ("hydra/launcher", "hydra/sweeper", "hydra/sweeper/sampler")
    others = ("hydra/job_logging/colorlog", "hydra/hydra_logging/colorlog")

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
        if path.rpartition("/")[0] in self.groups or path in self.others:
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
}
_SEARCHES = {"tpe": "tpe", "random": "random", "grid": "grid", "qmc": "random"}
_SAMPLERS = {"TPESampler": "tpe", "RandomSampler": "random", "GridSampler": "grid"}
# Known to have no meaning here, and not worth a word.
_SILENT = (
    "defaults", "help", "hydra_help", "hydra_logging", "job_logging", "mode", "output_subdir", "overrides",
    "runtime", "searchpath", "verbose", "env", "output",
)  # fmt: skip
_PLUGIN_KEYS = (
    "_target_", "direction", "max_batch_size", "n_jobs", "n_trials", "params", "sampler", "storage",
    "study_name", "search_space", "max_failure_rate",
)  # fmt: skip


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
    if node.get("callbacks"):
        settings["callbacks"] = node["callbacks"]
    search = _search(node, choices)
    if search is not None:
        settings["search.name"] = search
        if search != "tpe":
            settings.pop("search.startup", None)
    space = {str(key): value for key, value in (value_at(node, "sweeper.params") or {}).items()}
    return Translated(settings, space, sorted(set(_meaningless(node, choices))))


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
        ("hydra/launcher", ("basic", "joblib")),
        ("hydra/sweeper/sampler", tuple(_SEARCHES)),
    ):
        choice = choices.get(group)
        if choice is not None and choice not in known:
            yield f"{group}={choice}"
    for key, value in node.items():
        if key in _SILENT or value in (None, {}, [], "???"):
            continue
        if key == "sweeper" and isinstance(value, Mapping):
            if choices.get("hydra/sweeper") in ("basic", "optuna"):
                yield from (f"hydra.sweeper.{name}" for name in value if name not in _PLUGIN_KEYS)
        elif key not in ("run", "sweep", "job", "launcher", "sweeper", "callbacks"):
            yield f"hydra.{key}"
