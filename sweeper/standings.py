"""How the points of a sweep stand: which is the best. The one place that decides it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from operator import itemgetter
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
        self._points: dict[int, list[tuple[int, float, R]]] = {}  # number, score and run
        self._means: dict[int, float] = {}
        self._best = -1

    @property
    def best(self) -> Standing[R] | None:
        """The best point, if any has a score."""
        return self._standing(self._best) if self._means else None

    def add(self, number: int, score: float | None, run: R) -> None:
        """Take note of a run that has ended; one without a score counts for nothing."""
        if score is None or not math.isfinite(score):
            return
        point = number // self.repeats
        others = [each for each in self._points.get(point, ()) if each[0] != number]
        runs = self._points[point] = [*others, (number, score, run)]
        self._means[point] = math.fsum(score for _, score, _ in runs) / len(runs)
        if point == self._best:  # its mean may be worse now
            self._best = min(self._means, key=self._rank)
        elif self._best < 0 or self._rank(point) < self._rank(self._best):
            self._best = point

    def ranked(self) -> list[Standing[R]]:
        """Return all of them, the best first."""
        return [self._standing(point) for point in sorted(self._means, key=self._rank)]

    def _rank(self, point: int) -> tuple[float, int]:
        mean = self._means[point]
        return (-mean if self.maximize else mean, point)

    def _standing(self, point: int) -> Standing[R]:
        _, scores, runs = zip(*sorted(self._points[point], key=itemgetter(0)), strict=True)
        mean = self._means[point]
        if self.repeats == 1:
            return Standing(runs, mean)
        squares = math.fsum((score - mean) ** 2 for score in scores)
        spread = math.sqrt(squares / (len(scores) - 1)) if len(scores) > 1 else 0.0
        return Standing(runs, mean, 0.0 if spread < 1e-12 * abs(mean) else spread)
