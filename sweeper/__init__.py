"""Hierarchical configs and hyperparameter sweeps for training functions."""

from .app import main, sweep
from .composition import compose, initialize, initialize_config_dir, initialize_config_module
from .current import current_run, report
from .errors import Pruned, SweeperError

__version__ = "0.1.0"
__all__ = [
    "Pruned",
    "SweeperError",
    "compose",
    "current_run",
    "initialize",
    "initialize_config_dir",
    "initialize_config_module",
    "main",
    "report",
    "sweep",
]
