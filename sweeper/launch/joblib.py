"""Runs in pooled worker processes of joblib's loky: for notebooks, and where nothing forks.

Each slot is an executor with one worker of its own, so that a worker that dies takes no other along;
loky itself breaks the whole pool. Functions that have no importable name travel by cloudpickle.

A worker is a session of its own. What its runs start and leave behind ends with
it: when it dies, and at the latest with the sweep. Where the launching process is killed, the `guard`
sees to that.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from typing import Any

from ..job import call, run_job
from ..output import captured
from ..records import Job, Outcome, Program
from ..settings import LauncherSettings
from . import (
    KILL_AFTER,
    RunDiedError,
    RunTimeoutError,
    death,
    die_with_parent,
    end_group,
    guard,
    signal_run,
    thread_limits,
)

POSIX = hasattr(os, "killpg")
LAST = signal.SIGKILL if POSIX else signal.SIGTERM


class Joblib:
    """See the module."""

    def __init__(self, settings: LauncherSettings) -> None:
        self.settings, self.slots = settings, settings.jobs or 1

    def open(self, program: Program) -> JoblibExecutor:
        """Return an executor with one worker a slot, started when it is first needed."""
        return JoblibExecutor(program, self.settings)


class _Worker:
    """A pool of one worker, and the number of its process."""

    def __init__(self, environment: dict[str, str]) -> None:
        from joblib.externals.loky import ProcessPoolExecutor

        self.pool = ProcessPoolExecutor(
            max_workers=1, timeout=None, env=environment, initializer=_begin_worker, initargs=(os.getpid(),)
        )
        self.pid = 0

    def submit(self, *task: Any) -> Any:
        future = self.pool.submit(*task)
        self.pid = self.pid or next(iter(self.pool._processes))  # noqa: SLF001  no public way tells
        return future

    def signal(self, number: int) -> None:
        if POSIX:
            signal_run(self.pid, number)
        else:
            self.pool.shutdown(wait=False, kill_workers=True)

    def end(self, *, wait: bool) -> None:
        """End the worker, and what its runs have left behind."""
        self.pool.shutdown(wait=wait, kill_workers=True)
        if POSIX:
            end_group(self.pid)


class JoblibExecutor:
    """Hands each job to a worker that has none."""

    note = ""

    def __init__(self, program: Program, settings: LauncherSettings) -> None:
        self.program, self.settings = program, settings
        self.idle: list[_Worker] = []
        self.busy: dict[Future[Outcome], _Worker] = {}
        self.late: set[Future[Outcome]] = set()  # their time was over
        self.lock = threading.Lock()
        self.guard = _start_guard()

    def submit(self, run: Callable[[Job], Outcome], job: Job, /) -> Future[Outcome]:
        """Start a job in a pooled worker."""
        # By name if it has one; else loky's cloudpickle takes the function itself along.
        function = None if self.program.ref.module else self.program.function
        task = (_run_in_worker, job, function, tuple(self.program.path))
        with self.lock:
            worker = self.idle.pop() if self.idle else self._make()
        limit = self.settings.run_timeout
        try:
            ready = worker.submit(os.getpid) if limit else None  # done when the worker has come to be
            inner = worker.submit(*task)
        except Exception:  # noqa: BLE001  it died while it had nothing to do
            self._forget(worker)
            worker = self._make()
            ready = worker.submit(os.getpid) if limit else None
            inner = worker.submit(*task)
        self._tell_guard(worker.pid)
        outer: Future[Outcome] = Future()
        outer.set_running_or_notify_cancel()
        self.busy[outer] = worker
        timers: list[threading.Timer] = []
        if ready is not None:
            ready.add_done_callback(lambda done: timers.extend(self._time(outer, done)))
        inner.add_done_callback(lambda done: self._ended(done, outer, timers))
        return outer

    def _make(self) -> _Worker:
        return _Worker(thread_limits(self.settings))

    def _time(self, outer: Future[Outcome], ready: Any) -> list[threading.Timer]:
        """Start the clocks that end a run: politely, then for good; none if its worker is gone."""
        if ready.cancelled() or ready.exception() is not None:
            return []
        limit = self.settings.run_timeout or 0.0
        timers = [
            threading.Timer(limit, self._end_late, [outer, signal.SIGTERM]),
            threading.Timer(limit + KILL_AFTER, self._end_late, [outer, LAST]),
        ]
        for timer in timers:
            timer.daemon = True
            timer.start()
        return timers

    def _end_late(self, outer: Future[Outcome], number: int) -> None:
        with self.lock:  # its worker may have the next run by now
            if outer in self.busy:
                self.late.add(outer)
                self.busy[outer].signal(number)

    def _ended(self, inner: Any, outer: Future[Outcome], timers: list[threading.Timer]) -> None:
        error = inner.exception()
        with self.lock:
            worker = self.busy.pop(outer)
            late = outer in self.late
            if error is None and not late:
                self.idle.append(worker)
        for timer in timers:
            timer.cancel()
        if error is None and not late:
            outer.set_result(inner.result())
            return
        self._forget(worker)
        outer.set_exception(
            RunTimeoutError(self.settings.run_timeout) if late else RunDiedError(_describe(error))
        )

    def _forget(self, worker: _Worker) -> None:
        worker.end(wait=False)  # for we may be in a thread of its pool's
        self._tell_guard(-worker.pid)

    def _tell_guard(self, number: int) -> None:
        if self.guard is not None and self.guard.stdin is not None:
            with suppress(OSError):  # without it the workers' end is not as sure
                self.guard.stdin.write(b"%d\n" % number)

    def stop(self, grace: float) -> None:
        """Ask all runs to end, wait for them, and end those that stay."""
        with self.lock:
            busy = dict(self.busy)
        try:
            for worker in busy.values():
                worker.signal(signal.SIGTERM)
            wait(busy, timeout=grace)
        finally:
            for outer, worker in busy.items():
                if not outer.done():
                    worker.signal(LAST)

    def shutdown(self) -> None:
        """End all workers."""
        with self.lock:
            workers = [*self.idle, *self.busy.values()]
        for worker in workers:
            worker.end(wait=True)
        if self.guard is not None and self.guard.stdin is not None:
            self.guard.stdin.close()
            self.guard.wait()


def _start_guard() -> subprocess.Popen[bytes] | None:
    if not POSIX:
        return None
    return subprocess.Popen(  # noqa: S603  our own interpreter
        [sys.executable, "-I", "-S", guard.__file__],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        bufsize=0, start_new_session=True,
    )  # fmt: skip


def _describe(error: BaseException) -> str:
    text = " ".join(str(error).split())
    found = re.search(r"exit codes of the workers are \{(\w+)\((-?\d+)\)", text)
    if found:
        return death(int(found[2]))
    return f"the worker died: {type(error).__name__}: {text:.300}"


def _begin_worker(parent: int) -> None:
    """Make a worker ready for its first run."""
    import multiprocessing

    from joblib.externals.loky import process_executor

    die_with_parent(parent)  # loky itself leaves its workers behind
    if POSIX:
        os.setsid()
    # loky would replace a worker that has grown, and with it the process that signals are meant for.
    process_executor._USE_PSUTIL = False  # noqa: SLF001  no public way says so
    # loky's own, which stands there now, is not known to the processes that a run may start.
    multiprocessing.set_start_method(None, force=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # between runs it would break the pool


def _run_in_worker(job: Job, function: Any, path: tuple[str, ...]) -> Outcome:
    """Make a run in a pooled worker."""
    for entry in reversed(path):
        if entry not in sys.path:
            sys.path.insert(0, entry)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        if function is None:
            return run_job(job)
        os.makedirs(job.records, exist_ok=True)
        with captured(job.log):
            return call(job, lambda: function).outcome
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
