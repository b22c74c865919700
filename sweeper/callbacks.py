"""Callbacks: objects that are told when runs and sweeps begin and end.

    sweeper.callbacks.mine: {_target_: package.Mine, …}        or hydra.callbacks, for existing trees

Each may have any of Hydra's methods: `on_run_start`, `on_run_end`, `on_multirun_start` and
`on_multirun_end(config, **kwargs)` in the launching process; `on_job_start(config, task_function,
**kwargs)` and `on_job_end(config, job_return, **kwargs)` in the run's. What one of them raises is said
and goes no further. Those of an end are called in reverse order.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple


class JobStatus(Enum):
    """How a job ended, in Hydra's words."""

    UNKNOWN = 0
    COMPLETED = 1
    FAILED = 2


class JobReturn(NamedTuple):
    """What `on_job_end` is given."""

    return_value: Any
    status: JobStatus
    cfg: Any
    overrides: tuple[str, ...]
    working_dir: str
    task_name: str


class Callbacks:
    """The callbacks that a config names, made once."""

    def __init__(self, nodes: Mapping[str, Any]) -> None:
        self.objects: list[Any] = []
        if nodes:
            from .instantiation import instantiate

            self.objects = [instantiate(node) for node in nodes.values() if node]

    def start(self, event: str, **what: Any) -> None:
        """Call the method of an event's beginning, in the order of the config."""
        self._call(self.objects, event, what)

    def end(self, event: str, **what: Any) -> None:
        """Call the method of an event's end, in reverse order."""
        self._call(self.objects[::-1], event, what)

    @staticmethod
    def _call(objects: list[Any], event: str, what: dict[str, Any]) -> None:
        for found in objects:
            method = getattr(found, event, None)
            if method is None:
                continue
            try:
                method(**what)
            except Exception as error:  # noqa: BLE001  no callback may fail a run
                name = type(found).__name__
                print(f"warning: the callback {name}.{event} failed: {error!r}", file=sys.stderr)  # noqa: T201
