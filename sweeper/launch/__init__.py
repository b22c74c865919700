"""Launchers: where runs are made, and how many at a time. One engine a file.

A launcher has a number of slots and opens an executor in the manner of `concurrent.futures`; at most
`slots` jobs are submitted to it at once. Whatever ends a run's process ends its future alone, with a
`RunDiedError` that says how.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from importlib import import_module
from typing import Protocol

from ..errors import SettingsError, UsageError, nearest
from ..records import Job, Outcome, Program
from ..settings import LauncherSettings


class RunDiedError(Exception):
    """A run's process ended without an outcome; the message says how."""

    cause = "died"


class RunTimeoutError(RunDiedError):
    """A run's process was ended because its time was over."""

    cause = "timeout"

    def __init__(self, seconds: float | None, words: str = "") -> None:
        super().__init__(words or f"the run took longer than {seconds:g} s (run_timeout)")


class RunLostError(RunDiedError):
    """The worker or machine that made a run is gone, through no fault of the run's: it is made again."""

    cause = "lost"


class Executor(Protocol):
    """What a launcher opens. Its `note` is what people should know of how it makes runs.

    One that makes a run before `submit` returns has a `look`: what the loop, which waits, wants to be called
    with the run's job meanwhile.
    """

    note: str

    def submit(self, run: Callable[[Job], Outcome], job: Job, /) -> Future[Outcome]:
        """Start a job; its future fails with a `RunDiedError` if its process dies."""
        ...

    def stop(self, grace: float) -> None:
        """Ask all jobs to end, and end them after `grace` seconds."""
        ...

    def shutdown(self) -> None:
        """Let everything go that was opened."""
        ...


class Keeper(Executor, Protocol):
    """An executor of an engine that keeps runs when the launching process is gone."""

    def adopt(self, job: Job) -> Future[Outcome] | None:
        """Take over a run that an earlier process submitted; None if it never came to that."""
        ...

    def leave(self, jobs: Sequence[Job]) -> str:
        """Submit runs for a later process to adopt, and return words for what was submitted."""
        ...


class Launcher(Protocol):
    """Where runs are made. One whose `leaves` is true opens a `Keeper`, and waits for no run of it."""

    slots: int

    def open(self, program: Program) -> Executor:
        """Return an executor that makes runs of a program."""
        ...


# Every launcher that ships, by the name of its option: module and class.
LAUNCHERS: dict[str, tuple[str, str]] = {
    "local": ("local", "Local"),
    "joblib": ("joblib", "Joblib"),
    "inline": ("inline", "Inline"),
    "dask": ("dask", "Dask"),
    "ray": ("ray", "Ray"),
    "slurm": ("slurm", "Slurm"),
}
CLUSTERS = ("dask", "ray", "slurm")  # to which a function travels by its name


def make_launcher(settings: LauncherSettings, program: Program) -> Launcher:
    """Return the launcher that the settings name.

    Raises:
        SettingsError: if there is none of that name.
        UsageError: if it cannot make runs of the program.
    """
    name = settings.name
    if name == "local" and not (program.ref.module and hasattr(os, "fork")):
        name = "joblib"  # what lives in a notebook, or where nothing forks, travels by pickle
    if name not in LAUNCHERS:
        raise SettingsError(
            f"There is no launcher {name!r}",
            hint=nearest(name, LAUNCHERS) or f"There are {', '.join(LAUNCHERS)}.",
        )
    if name in CLUSTERS and not program.ref.module:
        raise UsageError(
            f"The launcher {name!r} needs a function that its workers can import",
            hint="Define it at the top level of a file, or use sweeper/launcher=joblib.",
        )
    module, kind = LAUNCHERS[name]
    return getattr(import_module(f".{module}", __name__), kind)(settings)  # type: ignore[no-any-return]


def thread_limits(settings: LauncherSettings) -> dict[str, str]:
    """Return the environment that keeps the runs' BLAS and OpenMP threads from crowding the cores."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:
        cores = os.cpu_count() or 1
    threads = settings.threads or max(1, cores // (settings.jobs or 1))
    return {name: str(threads) for name in THREADS if settings.threads or name not in os.environ}


THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


def death(code: int) -> str:
    """Return words for the exit code of a process that left no outcome; negative codes are signals.

    >>> death(3)
    'the process ended with exit code 3'
    """
    import signal

    if code >= 0:
        return f"the process ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    guess = {"SIGKILL": " (out of memory?)", "SIGSEGV": " (a crash in C code)"}.get(name, "")
    return f"the process was killed by {name}{guess}"


KILL_AFTER = 2.0  # seconds between the polite signal and the last one, for a run out of time


def signal_run(pid: int, number: int) -> None:
    """Send a signal to a run's process, which nobody has waited for, and to all that it has started."""
    with suppress(ProcessLookupError, PermissionError):
        try:
            os.killpg(pid, number)
        except ProcessLookupError:  # it has not come to be a session of its own yet
            os.kill(pid, number)


def end_group(pid: int) -> None:
    """End what a run's process, itself gone, has started and left behind."""
    import signal

    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def adopt_orphans() -> None:
    """Ask the kernel to make this process the parent of all below it whose own parent ends; Linux only."""
    import ctypes

    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER


def die_with_parent(parent: int | None = None) -> None:
    """Ask the kernel to end this process when its parent ends, or has ended if it is known; Linux only."""
    import ctypes
    import signal

    if not sys.platform.startswith("linux"):
        return
    before = os.getppid()
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != (parent or before):  # it has ended already
        os._exit(1)
