"""`hydra.utils`, for existing code: objects from configs, and the folder that a program started in."""

from __future__ import annotations

import os

from .current import current_folder
from .instantiation import (
    ConvertMode,
    call,
    get_class,
    get_method,
    get_object,
    get_static_method,
    instantiate,
)

__all__ = [
    "ConvertMode",
    "call",
    "get_class",
    "get_method",
    "get_object",
    "get_original_cwd",
    "get_static_method",
    "instantiate",
    "to_absolute_path",
]


def get_original_cwd() -> str:
    """Return the folder in which the program was started, wherever a run works."""
    return current_folder()


def to_absolute_path(path: str) -> str:
    """Return a path made absolute from the folder in which the program was started."""
    return path if os.path.isabs(path) else os.path.join(get_original_cwd(), path)
