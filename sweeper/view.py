"""What people look at while a sweep runs, and when it has ended.

On a terminal a line a finished run above a progress bar (rich); piped, plain lines. Decides nothing.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

from .grammar import show
from .records import COMPLETED, FAILED, Job, Objective, Outcome
from .results import RunResult, Standing


@dataclass(slots=True)
class Progress:
    """How far a sweep is."""

    total: int | None  # runs in all, where that is known
    jobs: int
    ended: int = 0
    failed: int = 0
    running: int = 0
    seconds: float = 0.0  # of all ended runs
    best: tuple[int, float] | None = None  # number and score

    def left(self) -> float | None:
        """Return the seconds that the rest is likely to take."""
        if self.total is None or not self.ended:
            return None
        return (self.total - self.ended) * self.seconds / self.ended / self.jobs


class View:
    """The lines of a sweep."""

    def __init__(self, objective: Objective, progress: Progress, *, stream: TextIO | None = None) -> None:
        self.objective, self.progress = objective, progress
        self.stream = stream or sys.stdout
        self.bar: _Bar | None = None

    def begin(self, headline: str) -> None:
        """Say what begins."""
        self.line(headline)
        if self.stream.isatty():
            self.bar = _Bar(self.stream, self.progress)

    def ended(self, job: Job, outcome: Outcome) -> None:
        """Say what came of a run."""
        number, total = job.number, self.progress.total
        width = len(str(total - 1)) if total else 1
        score = "" if outcome.score is None else f"  {outcome.score:.6g}"
        if outcome.values:
            score = "  " + " ".join(f"{value:.6g}" for value in outcome.values)
        params = "  ".join(f"{key}={shorten(show_param(value))}" for key, value in job.params.items())
        mark = " *" if self.progress.best is not None and self.progress.best[0] == number else ""
        attempt = f" (attempt {job.attempt})" if job.attempt > 1 else ""
        self.line(
            f"run {number:>{width}}  {outcome.status:<9}{score:>12}{mark:<2}  "
            f"{duration(outcome.seconds):>6}  {params}{attempt}".rstrip()
        )
        if outcome.status == FAILED:
            for text in outcome.error.rstrip().splitlines()[-3:]:
                self.line(f"    {text}")
            self.line(f"    log: {job.log}")
        elif outcome.note:
            self.line(f"    note: {outcome.note}")

    def tick(self) -> None:
        """Bring the progress bar up to date."""
        if self.bar is not None:
            self._on_bar(self.bar.update)

    def line(self, text: str) -> None:
        """Print a line, above the progress bar if there is one."""
        if self.bar is not None:
            bar = self.bar
            self._on_bar(lambda: bar.print(text))
        else:
            self._print(text)

    def _on_bar(self, act: Callable[[], None]) -> None:
        try:
            act()
        except OSError:  # the terminal is gone
            self.bar = None
            self._print("")

    def _print(self, text: str) -> None:
        try:
            print(text, file=self.stream, flush=True)
        except UnicodeEncodeError:
            encoding = getattr(self.stream, "encoding", None) or "ascii"
            self._print(text.encode(encoding, "backslashreplace").decode(encoding))
        except OSError:  # nobody reads on, or there is no room: the runs matter more than the lines
            self.stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  until the process ends
            if sys.stdout is not None and sys.stdout.fileno() == 1:
                os.dup2(self.stream.fileno(), 1)

    def end(self) -> None:
        """Take the progress bar away."""
        if self.bar is not None:
            self._on_bar(self.bar.close)
            self.bar = None


class _Bar:
    """A progress bar at the foot of the terminal."""

    def __init__(self, stream: TextIO, progress: Progress) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as RichProgress

        self.progress, self.began = progress, time.monotonic()
        self.console = Console(file=stream, highlight=False, soft_wrap=True)
        columns = ("{task.description}", BarColumn(bar_width=24), TextColumn("{task.fields[state]}"))
        self.rich = RichProgress(*columns, console=self.console, transient=True, refresh_per_second=4)
        self.task = self.rich.add_task("", total=progress.total, state="")
        self.rich.start()
        self.update()

    def update(self) -> None:
        p = self.progress
        total = f"/{p.total}" if p.total is not None else ""
        state = [f"{p.ended}{total} runs", f"{p.running} running"]
        if p.failed:
            state.append(f"{p.failed} failed")
        if p.best is not None:
            state.append(f"best {p.best[1]:.6g} (run {p.best[0]})")
        left = p.left()
        if left is not None:
            state.append(f"{duration(left)} left")
        self.rich.update(self.task, completed=p.ended, total=p.total, state=" · ".join(state))

    def print(self, text: str) -> None:
        self.console.print(text, markup=False)

    def close(self) -> None:
        self.rich.stop()


@dataclass(frozen=True, slots=True)
class Ended:
    """What is said at the end of a sweep."""

    reason: str
    directory: str
    objective: Objective
    counts: Mapping[str, int]
    seconds: float
    searching: bool
    standings: Sequence[Standing] = ()  # the points that have a score, the best first
    front: Sequence[RunResult] = ()  # of several objectives
    importances: Mapping[str, float] = field(default_factory=dict)
    repeat: str = ""
    experiment: str = ""
    resume: str = ""


_RUNNERS_UP = 3
_IMPORTANT = 6  # parameters
_FRONT = 12  # runs


def summary(ended: Ended) -> list[str]:
    """Return the lines that end a sweep; the last says the direction, where something was searched."""
    counts = ", ".join(f"{count} {status}" for status, count in ended.counts.items() if count)
    lines = ["", f"{counts or 'no runs'} in {duration(ended.seconds)} ({ended.reason})"]
    lines.append(f"directory  {ended.directory}")
    if ended.resume:
        lines.append(f"go on with  {ended.resume}")
    if ended.front:
        lines.append("runs that none beats in every objective")
        lines += [
            f"    {_found(run, ' '.join(f'{v:.6g}' for v in run.outcome.values))}"
            for run in ended.front[:_FRONT]
        ]
        if len(ended.front) > _FRONT:
            lines.append(f"    and {len(ended.front) - _FRONT} more")
        lines.append(f"front ({ended.objective.describe()}): {len(ended.front)} runs")
    elif ended.standings:
        best, *others = ended.standings
        if ended.searching:
            lines += [f"runner-up  {_found(other.first, other.describe())}" for other in others[:_RUNNERS_UP]]
        if ended.importances:
            shares = [f"{key} {share:.0%}" for key, share in list(ended.importances.items())[:_IMPORTANT]]
            said = [share for share in shares if not share.endswith(" 0%")] or ["no parameter by itself"]
            lines.append(f"importance  {', '.join(said)}")
        lines.append(f"repeat the best  {ended.repeat}")
        lines.append(f"as an experiment  {ended.experiment}")
        lines.append(f"its directory    {best.first.directory}")
        lines.append(f"best ({ended.objective.describe()}): {_found(best.first, best.describe())}")
    elif ended.searching:
        lines.append(f"no run has a score to {ended.objective.describe()}")
    return lines


def _found(run: RunResult, score: str) -> str:
    params = " ".join(f"{key}={show_param(value)}" for key, value in run.params.items())
    return f"run {run.number}, score {score}{', ' if params else ''}{params}"


def show_param(value: Any) -> str:
    """Return a value as it stands in tables: texts bare, floats in six digits."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else show(value)


def shorten(text: str, width: int = 40) -> str:
    """Return a text cut to a width."""
    return text if len(text) <= width else text[: width - 1] + "…"


def duration(seconds: float) -> str:
    """Return a duration as people say it.

    >>> duration(75)
    '1m15s'
    """
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s"


def command_line(words: Sequence[str]) -> str:
    """Return words as a shell takes them."""
    return " ".join(map(shlex.quote, words))


STATUS_ORDER = (COMPLETED, FAILED, "PRUNED", "CANCELLED")
