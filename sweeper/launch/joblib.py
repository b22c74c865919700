"""Runs in pooled worker processes of joblib's loky: for notebooks, and where nothing forks.

Each slot is an executor with one worker of its own, so that a worker that dies takes no other along;
loky itself breaks the whole pool. Functions that have no importable name travel by cloudpickle.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from ..job import call, run_job
from ..output import captured
from ..records import Job, Outcome, Program
from ..settings import LauncherSettings
from . import RunDiedError, RunTimeoutError, death, die_with_parent, thread_limits


class Joblib:
    """See the module."""

    def __init__(self, settings: LauncherSettings) -> None:
        self.settings, self.slots = settings, settings.jobs or 1

    def open(self, program: Program) -> _JoblibExecutor:
        """Return an executor with one worker a slot, started when it is first needed."""
        return _JoblibExecutor(program, self.settings)


class _JoblibExecutor:
    note = ""

    def __init__(self, program: Program, settings: LauncherSettings) -> None:
        self.program, self.settings = program, settings
        self.idle: list[Any] = []
        self.busy: dict[Future[Outcome], Any] = {}
        self.lock = threading.Lock()

    def submit(self, run: Callable[[Job], Outcome], job: Job, /) -> Future[Outcome]:
        with self.lock:
            pool = self.idle.pop() if self.idle else self._make()
        # By name if it has one; else loky's cloudpickle takes the function itself along.
        function = None if self.program.ref.module else self.program.function
        task = (_run_in_worker, job, function, tuple(self.program.path))
        try:
            inner = pool.submit(*task)
        except Exception:  # noqa: BLE001  its worker died while it had nothing to do
            pool.shutdown(wait=False, kill_workers=True)
            pool = self._make()
            inner = pool.submit(*task)
        outer: Future[Outcome] = Future()
        outer.set_running_or_notify_cancel()
        self.busy[outer] = pool
        timer = None
        if self.settings.run_timeout is not None:
            timer = threading.Timer(self.settings.run_timeout, self._end, [outer, pool])
            timer.daemon = True
            timer.start()
        inner.add_done_callback(lambda done: self._ended(done, outer, pool, timer))
        return outer

    def _make(self) -> Any:
        from joblib.externals.loky import ProcessPoolExecutor

        return ProcessPoolExecutor(max_workers=1, timeout=None, env=thread_limits(self.settings))

    def _end(self, outer: Future[Outcome], pool: Any) -> None:
        with contextlib.suppress(Exception):
            outer.set_exception(RunTimeoutError(self.settings.run_timeout))
        pool.shutdown(kill_workers=True)

    def _ended(self, inner: Any, outer: Future[Outcome], pool: Any, timer: Any) -> None:
        if timer is not None:
            timer.cancel()
        self.busy.pop(outer, None)
        error = inner.exception() if not inner.cancelled() else RunDiedError("the run was cancelled")
        if error is None:
            with self.lock:
                self.idle.append(pool)
        if outer.done():
            return
        if error is None:
            outer.set_result(inner.result())
        elif isinstance(error, RunDiedError):
            outer.set_exception(error)
        else:
            pool.shutdown(wait=False, kill_workers=True)
            outer.set_exception(RunDiedError(_describe(error)))

    def stop(self, grace: float) -> None:
        for outer, pool in list(self.busy.items()):
            if not outer.done():
                outer.set_exception(RunDiedError("the run was cancelled"))
            pool.shutdown(kill_workers=True)

    def shutdown(self) -> None:
        for pool in [*self.idle, *self.busy.values()]:
            pool.shutdown(kill_workers=True)


def _describe(error: BaseException) -> str:
    text = " ".join(str(error).split())
    found = re.search(r"exit codes of the workers are \{(\w+)\((-?\d+)\)", text)
    if found:
        return death(int(found[2]))
    return f"the worker died: {type(error).__name__}: {text:.300}"


def _run_in_worker(job: Job, function: Any, path: tuple[str, ...]) -> Outcome:
    """Make a run in a pooled worker."""
    import sys

    die_with_parent()  # loky itself leaves its workers behind
    for entry in reversed(path):
        if entry not in sys.path:
            sys.path.insert(0, entry)
    if function is None:
        return run_job(job)
    os.makedirs(job.records, exist_ok=True)
    with captured(job.log):
        return call(job, lambda: function).outcome
