"""What an existing Hydra tree may name: Hydra's own configs and groups, as plain data.

They are here so that such a tree composes as it stands; what has a meaning for sweeper is read from
the composed `hydra` node by the settings.
"""

from __future__ import annotations

from typing import Any

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
    "hydra/help/default": {"app_name": "${hydra.job.name}", "header": "", "footer": "", "template": ""},
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
