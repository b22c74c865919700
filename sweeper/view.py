"""What people look at while a sweep runs, and when it has ended.

`Progress` is how far a sweep is: the loop keeps it, or `sweeper watch` from what stands in sweeper.db. A
view shows it: this one in plain lines, one a run; `live` at the foot of a terminal, `notebook` in a
notebook. Decides nothing.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TextIO

from .records import CANCELLED, COMPLETED, FAILED, PRUNED, Objective, Outcome
from .results import RunResult
from .results import show_param as show_param  # noqa: PLC0414  who shows params looks for it here
from .standings import Standing, Standings


@dataclass(slots=True)
class Running:
    """A run that goes on."""

    number: int
    params: Mapping[str, Any]
    since: float  # in seconds since 1970
    latest: tuple[str, float, int | None] | None = None  # a metric: name, value, step


class Scored(NamedTuple):
    """A run that has a score."""

    number: int
    params: Mapping[str, Any]


@dataclass(slots=True)
class Progress:
    """How far a sweep is."""

    objective: Objective
    total: int | None  # runs in all, where that is known
    slots: int  # runs at a time
    until: float | None = None  # no run starts after this time, in seconds since 1970
    ended: int = 0
    failed: int = 0
    pruned: int = 0
    seconds: float = 0.0  # of all ended runs
    running: dict[int, Running] = field(default_factory=dict)
    repeats: int = 1  # runs of a point
    standings: Standings[Scored] = field(init=False)
    _ends: tuple[int, float, float] = (0, 0.0, 0.0)  # seen by this process: how many, the first, the last

    def __post_init__(self) -> None:
        """Begin with no run."""
        self.standings = Standings(maximize=self.objective.maximize, repeats=self.repeats)

    @property
    def best(self) -> Standing[Scored] | None:
        """The best point so far."""
        return self.standings.best

    def start(self, number: int, params: Mapping[str, Any], at: float) -> None:
        """Take note that a run begins."""
        self.running[number] = Running(number, params, at)

    def report(self, number: int, metrics: Mapping[str, float], step: int | None) -> None:
        """Take note of what a run has reported: of its metrics the objective's, else the first there was."""
        run = self.running.get(number)
        if run is None:
            return
        wanted = (
            [*self.objective.metrics, run.latest[0]] if run.latest else [*self.objective.metrics, *metrics]
        )
        for name in wanted:
            if name in metrics:
                run.latest = (name, metrics[name], step)
                return

    def stop(self, number: int) -> None:
        """Take note that a run goes on no more."""
        self.running.pop(number, None)

    def end(self, number: int, params: Mapping[str, Any], outcome: Outcome) -> None:
        """Take note of what came of a run."""
        self.stop(number)
        self.count(number, params, outcome)
        count, first, now = self._ends[0], self._ends[1], time.time()
        self._ends = (count + 1, first or now, now)

    def count(self, number: int, params: Mapping[str, Any], outcome: Outcome) -> None:
        """Count a run that has ended."""
        self.ended += 1
        self.failed += outcome.status == FAILED
        self.pruned += outcome.status == PRUNED
        self.seconds += outcome.seconds
        self.standings.add(number, outcome.score, Scored(number, params))

    def reopen(self, outcome: Outcome) -> None:
        """Take back the end of a run that is made again: of one that failed or was cancelled."""
        self.ended -= 1
        self.failed -= outcome.status == FAILED
        self.seconds -= outcome.seconds

    def apart(self) -> list[tuple[int, str]]:
        """Return how many runs ended in another way than they should, with the word for it."""
        return [(count, word) for count, word in ((self.failed, "failed"), (self.pruned, "pruned")) if count]

    def left(self, now: float) -> float | None:
        """Return the seconds that the rest is likely to take; None if nobody can tell yet."""
        rest = None if self.until is None else max(0.0, self.until - now)
        if self.total is None or not self.ended:
            return rest
        mean = self.seconds / self.ended
        # A run that takes longer than the mean is taken to go on for as long again as it is over.
        taken = [now - run.since for run in list(self.running.values())]
        going = [abs(mean - seconds) for seconds in taken]
        longer = [2 * seconds - mean for seconds in taken if seconds > mean]
        mean = (self.seconds + sum(longer)) / (self.ended + len(longer))
        waiting = max(0, self.total - self.ended - len(taken))
        left = max([(waiting * mean + sum(going)) / max(1, self.slots), *going])
        count, first, last = self._ends
        if count > self.slots:  # what lies between runs takes its time too, such as a search at work
            left = max(left, (self.total - self.ended) * (last - first) / (count - 1) - (now - last))
        return left if rest is None or self.total == self.ended else min(left, rest + max(going, default=0.0))


class View:
    """The lines of a sweep, one a run."""

    def __init__(self, progress: Progress, *, stream: TextIO | None = None, quiet: bool = False) -> None:
        self.progress, self.quiet = progress, quiet
        self.stream = stream or sys.stdout

    def begin(self, headline: str) -> None:
        """Say what begins."""
        self.line(headline)

    def ended(self, run: RunResult, log: str) -> None:
        """Say what came of a run, whose output lies in the file `log`."""
        outcome, total = run.outcome, self.progress.total
        width = len(str(total - 1)) if total else 1
        score = "" if outcome.score is None else f"  {outcome.score:.6g}"
        if outcome.values:
            score = "  " + " ".join(f"{value:.6g}" for value in outcome.values)
        best = self.progress.best
        mark = " *" if best is not None and any(one.number == run.number for one in best.runs) else ""
        attempt = f" (attempt {run.attempt})" if run.attempt > 1 else ""
        self.line(
            f"run {run.number:>{width}}  {outcome.status:<9}{score:>12}{mark:<2}  "
            f"{duration(outcome.seconds):>6}  {params_line(run.params)}{attempt}".rstrip()
        )
        if outcome.status == FAILED:
            lines = [line for line in outcome.error.splitlines() if line.strip(" ^~")]
            for text in lines[-3:]:
                self.line(f"    {text}")
            self.line(f"    log: {log}")
        elif outcome.note:
            self.line(f"    note: {outcome.note}")

    def line(self, text: str) -> None:
        """Print a line."""
        if not self.quiet:
            self._print(text)

    def last(self, lines: Sequence[str]) -> None:
        """Print the lines that end it all."""
        self.close()
        for line in final(lines) if self.quiet else lines:
            self._print(line)

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

    def close(self) -> None:
        """Take away what moves, and leave the lines."""


def headline(search: str, total: int | None, slots: int, objective: str = "", each: str = "") -> str:
    """Return the words that begin a sweep."""
    count = f"{total} {'run' if total == 1 else 'runs'}" if total is not None else "runs without end"
    return f"{search}: {count}{each}, {slots} at a time{f', {objective}' if objective else ''}"


@dataclass(frozen=True, slots=True)
class Ended:
    """What is said at the end of a sweep."""

    reason: str
    directory: str
    objective: Objective
    counts: Mapping[str, int]
    seconds: float
    searching: bool
    standings: Sequence[Standing[RunResult]] = ()  # the points that have a score, the best first
    front: Sequence[RunResult] = ()  # of several objectives
    importances: Mapping[str, float] = field(default_factory=dict)
    repeat: str = ""
    experiment: str = ""
    resume: str = ""


GO_ON = "go on with"
_RUNNERS_UP = 3
_IMPORTANT = 6  # parameters
_FRONT = 12  # runs


def summary(ended: Ended) -> list[str]:
    """Return the lines that end a sweep; the last says the direction, where something was searched."""
    counts = ", ".join(f"{count} {status}" for status, count in ended.counts.items() if count)
    lines = ["", f"{counts or 'no runs'} in {duration(ended.seconds)} ({ended.reason})"]
    lines.append(f"directory  {ended.directory}")
    if ended.resume:
        lines.append(f"{GO_ON}  {ended.resume}")
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
        if ended.repeat:
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


def final(lines: Sequence[str]) -> list[str]:
    """Return what nobody goes without, of the lines of a summary: what was found, and how to go on."""
    return [*(line for line in lines[:-1] if line.startswith(GO_ON)), *lines[-1:]]


def params_line(params: Mapping[str, Any], between: str = "  ") -> str:
    """Return params on a line, long values cut."""
    return between.join(f"{key}={shorten(show_param(value))}" for key, value in params.items())


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


def clock(seconds: float) -> str:
    """Return a duration in whole seconds, for what is drawn again and again."""
    return f"{max(0, int(seconds))}s" if seconds < 60 else duration(seconds)


def latest(run: Running) -> str:
    """Return the metric that a run has last reported, and its step: `loss 0.25 @3`."""
    if run.latest is None:
        return ""
    name, value, step = run.latest
    return f"{name} {value:.6g}" + (f" @{step}" if step is not None else "")


def command_line(words: Sequence[str]) -> str:
    """Return words as a shell takes them."""
    return " ".join(map(shlex.quote, words))


STATUS_ORDER = (COMPLETED, FAILED, PRUNED, CANCELLED)
