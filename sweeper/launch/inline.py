"""Runs in the launching process, one after the other: for a debugger.

Nothing isolates them: state, folder and environment leak as they would in a loop, but for what
`job.surroundings` puts back. Nor can one be ended, or kept to limits, from outside: settings that ask for
that are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial

from ..errors import SettingsError
from ..job import call
from ..output import teed
from ..records import Job, Outcome, Program
from ..settings import LauncherSettings


class Inline:
    """See the module."""

    slots = 1

    def __init__(self, settings: LauncherSettings) -> None:
        for name in ("run_timeout", "memory", "threads"):
            if getattr(settings, name) is not None:
                raise SettingsError(
                    f"The launcher 'inline' cannot keep its runs to sweeper.launcher.{name}",
                    "they are made in the launching process",
                    f"Leave it out, or write sweeper.launcher.{name}=null.",
                )

    def open(self, program: Program) -> _InlineExecutor:
        """Return an executor that runs what it is given before it returns."""
        return _InlineExecutor(program)


class _InlineExecutor:
    note = ""

    def __init__(self, program: Program) -> None:
        self.function = program.function
        self.look: Callable[[Sequence[Job]], None] | None = None  # see `Executor`

    def submit(self, run: Callable[[Job], Outcome], job: Job, /) -> Future[Outcome]:
        import os

        future: Future[Outcome] = Future()
        os.makedirs(job.records, exist_ok=True)
        with teed(job.log):
            look = None if self.look is None else partial(self.look, [job])
            result = call(job._replace(capture=False), lambda: self.function, look=look)
        future.set_result(result.outcome)
        return future

    def stop(self, grace: float) -> None:
        pass

    def shutdown(self) -> None:
        pass
