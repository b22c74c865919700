"""Trackers: where runs are reported to. One backend a file.

A tracker works in the launching process, in a thread of its own: nothing that it does, or fails to
do, delays a run or fails one.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple, Protocol

from ..errors import SettingsError, nearest
from ..records import Job, Outcome


class SweepRecord(NamedTuple):
    """What a tracker is told of a sweep, or of a single run's circumstances."""

    id: str
    name: str
    directory: str
    started: str
    search: str = ""  # empty for a single run
    objective: str = ""
    overrides: tuple[str, ...] = ()
    command: str = ""
    note: str = ""
    seed: int | None = None
    folder: str = ""
    git: Mapping[str, Any] | None = None


class Tracker(Protocol):
    """A backend. It is made with its settings and a `SweepRecord`, before the first run."""

    def start(self, run: Job) -> None:
        """Take note that a run begins."""
        ...

    def log(self, run: Job, metrics: Mapping[str, float], step: int | None, at: float) -> None:
        """Take note of metrics that a run has reported; `at` is in seconds since 1970."""
        ...

    def finish(self, run: Job, outcome: Outcome) -> None:
        """Take note of what came of a run."""
        ...

    def flush(self) -> None:
        """Make what was noted readable by others; called when there is nothing else to do."""
        ...

    def close(self, status: str) -> None:
        """Take note that the sweep has ended."""
        ...


# Every tracker that ships, by the name of its option: module and class.
TRACKERS: dict[str, tuple[str, str]] = {"sqlite": ("sqlite", "Sqlite")}


class Trackers:
    """All the trackers of a sweep, each behind a queue of its own."""

    def __init__(self) -> None:
        self.lines: list[_Line] = []

    def start(self, run: Job) -> None:
        """Tell all of them; see `Tracker`."""
        self._tell("start", run)

    def log(self, run: Job, metrics: Mapping[str, float], step: int | None, at: float) -> None:
        """Tell all of them; see `Tracker`."""
        self._tell("log", run, metrics, step, at)

    def finish(self, run: Job, outcome: Outcome) -> None:
        """Tell all of them; see `Tracker`."""
        self._tell("finish", run, outcome)

    def close(self, status: str) -> None:
        """Tell all of them, and wait until they have written what they know."""
        self._tell("close", status)
        for line in self.lines:
            line.end()

    def _tell(self, verb: str, *what: Any) -> None:
        for line in self.lines:
            line.queue.put((verb, what))


_FLUSH_EVERY = 0.2  # seconds


class _Line:
    """One tracker and the thread that it works in."""

    def __init__(self, name: str, make: Callable[[], Tracker]) -> None:
        self.name, self.make = name, make
        self.queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.failed = False
        self.thread = threading.Thread(target=self._work, name=f"sweeper-{name}", daemon=True)
        self.thread.start()

    def _work(self) -> None:
        tracker: Tracker | None = None
        flush_at: float | None = None  # at most so long is anything kept back, or a database locked
        while True:
            wait = None if flush_at is None else max(0.0, flush_at - time.monotonic())
            try:
                message = self.queue.get(timeout=wait) if wait != 0.0 else ("flush", ())
            except queue.Empty:
                message = ("flush", ())
            if message is None:
                return
            if self.failed:
                continue
            verb, what = message
            try:
                if tracker is None:
                    tracker = self.make()
                getattr(tracker, verb)(*what)
                if verb in ("flush", "close"):
                    flush_at = None
                elif flush_at is None:
                    flush_at = time.monotonic() + _FLUSH_EVERY
            except Exception as error:  # noqa: BLE001  no tracker may fail a run
                self.failed = True
                print(  # noqa: T201
                    f"warning: the tracker {self.name!r} fails, and is left out from here on: "
                    f"{type(error).__name__}: {error}",
                    file=sys.stderr,
                )

    def end(self) -> None:
        self.queue.put(None)
        self.thread.join()


def open_trackers(settings: Mapping[str, Any], sweep: SweepRecord) -> Trackers:
    """Return the trackers that the settings name; the embedded one is always among them.

    Raises:
        SettingsError: if there is none of a name.
    """
    named = {name: options for name, options in settings.items() if isinstance(options, dict)}
    if "none" in named:
        return Trackers()
    named.setdefault("sqlite", {})
    found = Trackers()
    for name, options in named.items():
        if name not in TRACKERS:
            raise SettingsError(
                f"There is no tracker {name!r}",
                hint=nearest(name, TRACKERS) or f"There are {', '.join(TRACKERS)} and none.",
            )
        module, kind = TRACKERS[name]
        found.lines.append(_Line(name, _maker(module, kind, options, sweep)))
    return found


def _maker(module: str, kind: str, options: Mapping[str, Any], sweep: SweepRecord) -> Callable[[], Tracker]:
    folder = sweep.folder or os.getcwd()

    def make() -> Tracker:
        cls = getattr(import_module(f".{module}", __name__), kind)
        return cls(sweep=sweep, folder=folder, **options)  # type: ignore[no-any-return]

    return make
