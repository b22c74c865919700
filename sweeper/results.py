"""What came of a sweep: its runs as people and tables see them."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from . import yamls
from .grammar import show
from .records import COMPLETED, FAILED, Objective, Outcome, dominates


class RunResult(NamedTuple):
    """A run that has ended."""

    number: int
    attempt: int
    directory: str
    params: Mapping[str, Any]
    outcome: Outcome

    @property
    def status(self) -> str:
        """COMPLETED, FAILED, PRUNED or CANCELLED."""
        return self.outcome.status

    @property
    def score(self) -> float | None:
        """What the function returned, if it can be compared."""
        return self.outcome.score

    @property
    def metrics(self) -> Mapping[str, float]:
        """All metrics, the last value of each."""
        return self.outcome.metrics

    @property
    def seconds(self) -> float:
        """How long the run took."""
        return self.outcome.seconds


class SweepResult(NamedTuple):
    """What came of a sweep."""

    directory: str
    objective: Objective
    runs: tuple[RunResult, ...]  # by number
    reason: str = ""  # why it ended
    interrupted: bool = False
    repeats: int = 1  # runs of a point

    @property
    def best(self) -> RunResult | None:
        """The first run of the point with the best score."""
        found = self.ranked
        return found[0].first if found else None

    @property
    def ranked(self) -> list[Standing]:
        """The points that have a score, the best first."""
        return ranked(self.runs, self.objective, self.repeats)

    @property
    def front(self) -> list[RunResult]:
        """The runs that no other beats in every objective."""
        return front_of(self.runs, self.objective)

    @property
    def failed(self) -> tuple[RunResult, ...]:
        """The runs that failed."""
        return tuple(run for run in self.runs if run.status == FAILED)

    def __repr__(self) -> str:
        best = self.best
        found = f", best {best.score:.6g} by run {best.number}" if best and best.score is not None else ""
        return f"<SweepResult: {len(self.runs)} runs, {len(self.failed)} failed{found}, in {self.directory}>"

    def to_pandas(self) -> Any:
        """Return a DataFrame with a row a run, the columns those of results.csv."""
        import pandas as pd

        return pd.DataFrame(rows(self.runs))


class Standing(NamedTuple):
    """A point of a sweep and its score: the mean of its runs, and how far they spread."""

    runs: tuple[RunResult, ...]
    score: float
    spread: float | None = None  # standard deviation, of several runs

    @property
    def first(self) -> RunResult:
        """The first of its runs."""
        return self.runs[0]

    def describe(self) -> str:
        """Return words such as '0.41 ± 0.02 (3 runs)'."""
        if self.spread is None:
            return f"{self.score:.6g}"
        return f"{self.score:.6g} ± {self.spread:.2g} ({len(self.runs)} runs)"


def ranked(runs: Iterable[RunResult], objective: Objective, repeats: int = 1) -> list[Standing]:
    """Return the points whose runs have a score, the best first; the first of equals before others."""
    points: dict[int, list[RunResult]] = {}
    for run in sorted(runs, key=lambda run: run.number):
        if run.status == COMPLETED and run.score is not None and not objective.several:
            points.setdefault(run.number // repeats, []).append(run)
    found = []
    for each in points.values():
        scores = [run.score for run in each if run.score is not None]
        mean = math.fsum(scores) / len(scores)
        spread = None
        if repeats > 1:
            squares = math.fsum((score - mean) ** 2 for score in scores)
            spread = math.sqrt(squares / (len(scores) - 1)) if len(scores) > 1 else 0.0
            spread = 0.0 if spread < 1e-12 * abs(mean) else spread
        found.append(Standing(tuple(each), mean, spread))
    return sorted(found, key=lambda standing: objective.losses([standing.score]))


def front_of(runs: Iterable[RunResult], objective: Objective) -> list[RunResult]:
    """Return the runs that no other run beats in every objective: the Pareto front, by number."""
    count = len(objective.directions)
    valued = [r for r in runs if r.status == COMPLETED and len(r.outcome.values) == count]
    losses = {run.number: objective.losses(run.outcome.values) for run in valued}
    front = [r for r in valued if not any(dominates(other, losses[r.number]) for other in losses.values())]
    return sorted(front, key=lambda run: run.number)


_FIXED = ("number", "status", "score", "seconds")


def rows(runs: Sequence[RunResult]) -> list[dict[str, Any]]:
    """Return the rows of results.csv: one a run, with the columns of all."""
    keys = dict.fromkeys(key for run in runs for key in run.params)
    names = dict.fromkeys(name for run in runs for name in run.metrics)
    taken = {*_FIXED, *(f"metrics.{name}" for name in names)}
    column = {key: f"params.{key}" if key in taken else key for key in keys}
    found = []
    for run in sorted(runs, key=lambda run: run.number):
        row: dict[str, Any] = {
            "number": run.number, "status": run.status, "score": run.score, "seconds": run.seconds,
        }  # fmt: skip
        row.update({column[key]: run.params.get(key, "") for key in keys})
        row.update({f"metrics.{name}": run.metrics.get(name, "") for name in names})
        found.append(row)
    return found


def write_results(path: str, runs: Sequence[RunResult]) -> None:
    """Write results.csv."""
    yamls.write_text(path, csv_text(runs))


def csv_text(runs: Sequence[RunResult]) -> str:
    """Return what results.csv says of runs."""
    table = rows(runs)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table[0] if table else _FIXED)
    for row in table:
        writer.writerow([_cell(name, value) for name, value in row.items()])
    return text.getvalue()


def _cell(name: str, value: Any) -> Any:
    if value is None and name in _FIXED:
        return ""
    return value if isinstance(value, str) else show(value)
