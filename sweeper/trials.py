"""What a searcher knows of a sweep's runs: one trial a point, however often the point is run."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .records import COMPLETED, PRUNED, History, Objective, Outcome, Point, Trial


class Trials:
    """The trials of a sweep, in the order in which they ended, and those that are pending.

    With `repeats`, so many runs that follow each other are of one point: the trial has ended when all
    of them have, and its loss is the mean of those that completed.
    """

    def __init__(self, objective: Objective, repeats: int = 1, prior: Sequence[Trial] = ()) -> None:
        self.objective, self.repeats, self.prior = objective, repeats, prior
        self._points: dict[int, Point] = {}
        self._outcomes: dict[int, dict[int, Outcome]] = {}  # by trial, then by run
        self._ended: list[Trial] = list(prior)
        self._pending: dict[int, Trial] = {}
        self.least: float | None = None  # loss of the sweep's own trials
        self.since = 0  # trials that have ended after the one that had it

    def __len__(self) -> int:
        return len(self._points)

    def history(self) -> History:
        """Return what a searcher may know now; what has ended is the sweep's own list, and grows on."""
        return History(self._ended, list(self._pending.values()))

    @property
    def own(self) -> Sequence[Trial]:
        """The sweep's trials that have ended, without those of a warm start."""
        return self._ended[len(self.prior) :]

    def open(self, run: int, point: Point) -> None:
        """Take note of a run that is asked for."""
        number = run // self.repeats
        self._points[number] = point
        self._pending.setdefault(number, Trial(number, point))

    def close(self, run: int, outcome: Outcome) -> None:
        """Take note of what came of a run."""
        number = run // self.repeats
        outcomes = self._outcomes.setdefault(number, {})
        outcomes[run] = outcome
        if len(outcomes) == self.repeats:
            del self._pending[number]
            self._ended.append(self._trial(number, list(outcomes.values())))
            self._compare(self._ended[-1])

    def _compare(self, trial: Trial) -> None:
        self.since += 1
        if trial.loss is not None and (self.least is None or trial.loss < self.least):
            self.least, self.since = trial.loss, 0

    def reopen(self, run: int) -> None:
        """Take back what came of a run that is made again."""
        number = run // self.repeats
        self._outcomes[number].pop(run, None)
        if number not in self._pending:
            self._ended[:] = [trial for trial in self._ended if trial.number != number]
            self._pending[number] = Trial(number, self._points[number])
            self.least, self.since = None, 0
            for trial in self.own:
                self._compare(trial)

    def _trial(self, number: int, outcomes: Sequence[Outcome]) -> Trial:
        point = self._points[number]
        found = [self._losses(outcome) for outcome in outcomes if outcome.status == COMPLETED]
        losses = [each for each in found if each]
        if losses:
            means = tuple(math.fsum(column) / len(losses) for column in zip(*losses, strict=True))
            several = self.objective.several
            return Trial(number, point, None if several else means[0], means if several else ())
        last = next((o.last for o in outcomes if o.status == PRUNED and o.last is not None), None)
        if last is None:
            return Trial(number, point)
        step, value = last
        return Trial(number, point, reached=(step, self.objective.losses([value])[0]))

    def _losses(self, outcome: Outcome) -> tuple[float, ...]:
        """Return an outcome's objectives, each so that lower is better; nothing if it has none."""
        values = outcome.values or (() if outcome.score is None else (outcome.score,))
        return self.objective.losses(values) if values else ()
