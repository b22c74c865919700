"""The run that the caller is in, from inside: `sweeper.report` and `sweeper.current_run`.

What a run reports is appended to its `metrics.jsonl`, which the launching process reads as it grows. A
process that the run has started reports there too.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

from .errors import Pruned, UsageError
from .records import Job
from .score import to_number


class CurrentRun:
    """The run that the caller is in: `id`, `number`, `directory`, `seed`, `params`, and `folder`.

    `folder` is where the program was started. Outside of a run `id` and `directory` are empty, the seed is
    None, and the methods leave no record.
    """

    def __init__(self, job: Job | None = None, *, helping: bool = False) -> None:
        self.id = job.id if job else ""
        self.number = job.number if job else 0
        self.directory = job.directory if job else ""
        self.seed = job.seed if job else None
        self.folder = (job.folder if job else "") or os.getcwd()
        self.params: dict[str, Any] = dict(job.params) if job else {}
        self.metrics: dict[str, float] = {}
        self.tags: dict[str, str] = {}
        self.artifacts: list[str] = []
        self.inputs: list[dict[str, Any]] = []
        self._records = job.records if job and not helping else ""
        self._stream: Any = None
        self._written = 0

    def report(self, metrics: Mapping[str, Any], step: int | None, *, prune: bool) -> bool:
        """Append metrics to the run's `metrics.jsonl`; see `sweeper.report`."""
        numbers = {str(name): _number(value, str(name)) for name, value in metrics.items()}
        at = None if step is None else _step(step)
        self._append({"time": round(time.time(), 3), "step": at, "metrics": numbers})
        self.metrics.update(numbers)
        stop = f"{self._records}/stop"
        if not self._records or not os.path.exists(stop):
            return False
        if prune:
            with open(stop, "a", encoding="utf-8") as file:
                file.write("raised\n")
            raise Pruned
        return True

    @property
    def was_pruned(self) -> bool:
        """Whether a process of the run raised `Pruned`, whatever became of that on its way."""
        stop = f"{self._records}/stop"
        return bool(self._records) and os.path.exists(stop) and os.path.getsize(stop) > 0

    def last_metrics(self) -> dict[str, float]:
        """Return the last value of each metric, of what the run's other processes reported too."""
        path = f"{self._records}/metrics.jsonl"
        written = os.path.getsize(path) if self._records and os.path.exists(path) else 0
        return dict(self.metrics) if written == self._written else last_metrics(self.directory)

    def log_artifact(self, path: str | os.PathLike[str]) -> None:
        """Record a file that the run has made."""
        absolute = os.path.abspath(path)
        if not os.path.exists(absolute):
            raise UsageError(f"log_artifact: there is no file {os.fspath(path)!r}")
        self.artifacts.append(absolute)

    def log_input(self, name: str, path: str | os.PathLike[str]) -> None:
        """Record a file that the run has read: its path, size in bytes and sha256."""
        import hashlib

        with open(path, "rb") as file:
            digest = hashlib.sha256()
            while block := file.read(1 << 20):
                digest.update(block)
        size = os.path.getsize(path)
        entry = {"name": name, "path": os.path.abspath(path), "size": size, "sha256": digest.hexdigest()}
        self.inputs.append(entry)

    def set_tag(self, key: str, value: object) -> None:
        """Record a tag of the run."""
        self.tags[str(key)] = str(value)

    def _append(self, line: dict[str, Any]) -> None:
        if not self._records:
            return
        import json

        if self._stream is None:
            self._stream = open(f"{self._records}/metrics.jsonl", "a", encoding="utf-8")  # noqa: SIM115
        self._written += self._stream.write(json.dumps(line) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Close the file of reports."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


_current = CurrentRun()  # one a process, so that threads which a function starts see it too


def current_run() -> CurrentRun:
    """Return the run that the caller is in; outside of one, a run with nothing in it.

    A process that a run has started, such as one of `torch.multiprocessing`, is in that run. It may report;
    artifacts, inputs and tags are those of the process that made the run.
    """
    directory = os.environ.get("SWEEPER_RUN_DIR")
    return _current if _current.directory or not directory else _run_around(directory)


@cache
def _run_around(directory: str) -> CurrentRun:
    """Return the run in a directory, for a process that it has started."""
    import json

    try:
        with open(f"{directory}/.sweeper/job.json", encoding="utf-8") as file:
            return CurrentRun(Job(**json.load(file), config={}))
    except (OSError, ValueError, TypeError):  # it is gone, or was another version's
        return CurrentRun()


def current_folder() -> str:
    """Return the folder in which the program was started."""
    return _current.folder if _current.directory else os.getcwd()


@contextmanager
def inside(job: Job, *, helping: bool = False) -> Iterator[CurrentRun]:
    """Be in the run of a job; a process that only helps it records nothing."""
    global _current  # noqa: PLW0603  see above
    before, _current = _current, CurrentRun(job, helping=helping)
    run = _current
    try:
        yield run
    finally:
        _current = before
        run.close()


def report(metrics: Mapping[str, Any], step: int | None = None, *, prune: bool = True) -> bool:
    """Report metrics of the current run while it goes on.

    Args:
        metrics: numbers by name.
        step: when they were measured, such as an epoch: a whole number.
        prune: whether to raise when the run should end early; otherwise True is returned then.

    Raises:
        Pruned: if the run should end early.
        UsageError: if a metric is no number, or the step no whole one.
    """
    return current_run().report(metrics, step, prune=prune)


def _number(value: Any, name: str) -> float:
    found = to_number(value)
    if found is None:
        raise UsageError(f"The metric {name!r} must be a number, not {type(value).__name__} {value!r:.60}")
    return found


def _step(value: Any) -> int:
    """Return a step as a plain whole number, which every tracker can keep."""
    found = to_number(value)
    if found is None or not -(1 << 63) <= found < 1 << 63 or found != int(found):  # or NaN
        raise UsageError(
            f"The step must be a whole number, not {type(value).__name__} {value!r:.60}",
            hint="Report a fraction, such as of an epoch, as a metric.",
        )
    return int(found)


def last_metrics(directory: str) -> dict[str, float]:
    """Return the last value of each metric that a run has reported."""
    found: dict[str, float] = {}
    for line in read_reports(directory)[0]:
        found.update(line["metrics"])
    return found


LOOK_EVERY = 0.25  # seconds between looks at what a run reports


@contextmanager
def watched(look: Callable[[], None] | None) -> Iterator[None]:
    """Call `look` again and again while a run has this thread, and once at its end."""
    if look is None:
        yield
        return
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(LOOK_EVERY):
            look()

    thread = threading.Thread(target=watch, name="sweeper-reports", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        look()


def read_reports(directory: str, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Return what a run has reported since a place in its `metrics.jsonl`, and the new place."""
    try:
        with open(f"{directory}/.sweeper/metrics.jsonl", "rb") as file:
            file.seek(offset)
            data = file.read()
    except OSError:
        return [], offset
    whole = data.rpartition(b"\n")[0]
    if not whole:
        return [], offset
    import json

    lines = []
    for line in whole.split(b"\n"):
        try:
            found = json.loads(line)
        except ValueError:  # a run that died while it wrote
            continue
        if isinstance(found, dict) and {"time", "step", "metrics"} <= found.keys():  # else nobody's report
            lines.append(found)
    return lines, offset + len(whole) + 1
