"""What came of a sweep: its runs as people and tables see them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from . import yamls
from .grammar import show
from .records import COMPLETED, FAILED, Objective, Outcome


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

    @property
    def best(self) -> RunResult | None:
        """The run with the best score, the first of equals."""
        return best_of(self.runs, self.objective)

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


def best_of(runs: Sequence[RunResult], objective: Objective) -> RunResult | None:
    """Return the run with the best score, the first of equals."""
    best: RunResult | None = None
    for run in sorted(runs, key=lambda run: run.number):
        if run.status != COMPLETED or run.score is None or objective.several:
            continue
        if objective.better(run.score, best.score if best is not None else None):
            best = run
    return best


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
    table = rows(runs)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table[0] if table else _FIXED)
    for row in table:
        writer.writerow([_cell(name, value) for name, value in row.items()])
    yamls.write_text(path, text.getvalue())


def _cell(name: str, value: Any) -> Any:
    if value is None and name in _FIXED:
        return ""
    return value if isinstance(value, str) else show(value)
