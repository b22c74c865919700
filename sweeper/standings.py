"""How the points of a sweep stand: which is the best. The one place that decides it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Generic, TypeVar

R = TypeVar("R")  # what its owner knows a run by


@dataclass(frozen=True)
class Standing(Generic[R]):
    """A point of a sweep and its score.

    Args:
        runs: its runs that have a score, by number.
        score: their mean.
        spread: their standard deviation, where a point has several runs.
    """

    runs: tuple[R, ...]
    score: float
    spread: float | None = None

    @property
    def first(self) -> R:
        """The first of its runs."""
        return self.runs[0]

    def describe(self) -> str:
        """Return words such as '0.41 ± 0.02 (3 runs)'."""
        if self.spread is None:
            return f"{self.score:.6g}"
        return f"{self.score:.6g} ± {self.spread:.2g} ({len(self.runs)} runs)"


class Standings(Generic[R]):
    """The points of a sweep by their scores, as its runs end in any order.

    Runs that follow each other, `repeats` of them, are of one point, and its score is the mean of those
    that have one. Of equals the one that was asked for first is the better.

    Args:
        maximize: whether the highest score is best.
        repeats: runs of a point.
    """

    def __init__(self, *, maximize: bool, repeats: int = 1) -> None:
        self.maximize, self.repeats = maximize, repeats
        self.best: Standing[R] | None = None
        self._best_point = -1
        self._points: dict[int, dict[int, tuple[float, R]]] = {}  # score and run, by number
        self._standings: dict[int, Standing[R]] = {}

    def add(self, number: int, score: float | None, run: R) -> None:
        """Take note of a run that has ended; one without a score counts for nothing."""
        if score is None or not math.isfinite(score):
            return
        point = number // self.repeats
        self._points.setdefault(point, {})[number] = (score, run)
        self._standings[point] = self._standing(point)
        if point == self._best_point:  # its mean may be worse now
            self._best_point = min(self._standings, key=self._rank)
        elif self.best is None or self._rank(point) < self._rank(self._best_point):
            self._best_point = point
        self.best = self._standings[self._best_point]

    def ranked(self) -> list[Standing[R]]:
        """Return all of them, the best first."""
        return [self._standings[point] for point in sorted(self._standings, key=self._rank)]

    def _rank(self, point: int) -> tuple[float, int]:
        score = self._standings[point].score
        return (-score if self.maximize else score, point)

    def _standing(self, point: int) -> Standing[R]:
        runs = self._points[point]
        scores, found = zip(*(runs[number] for number in sorted(runs)), strict=True)
        mean = math.fsum(scores) / len(scores)
        if self.repeats == 1:
            return Standing(found, mean)
        squares = math.fsum((score - mean) ** 2 for score in scores)
        spread = math.sqrt(squares / (len(scores) - 1)) if len(scores) > 1 else 0.0
        return Standing(found, mean, 0.0 if spread < 1e-12 * abs(mean) else spread)
