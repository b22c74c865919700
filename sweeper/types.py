"""`hydra.types`, for existing code."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from .instantiation import ConvertMode

__all__ = ["ConvertMode", "RunMode", "TaskFunction"]

TaskFunction = Callable[[Any], Any]


class RunMode(Enum):
    """Whether a program makes one run or several."""

    RUN = 1
    MULTIRUN = 2
