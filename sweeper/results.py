"""What came of a sweep: its runs as people and tables see them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from . import yamls
from .errors import RecordError
from .grammar import show
from .records import COMPLETED, ENDED, FAILED, Objective, Outcome, instant, undominated
from .standings import Standing, Standings

_TOP = 5  # runs in the table of a notebook


class RunResult(NamedTuple):
    """A run that has ended.

    Args:
        number: its number in the sweep.
        attempt: 1, and one more each time that it was begun again.
        directory: where its records and its log are.
        params: value by key, of the parameters that were active.
        outcome: all that came of it, the error included.
    """

    number: int
    attempt: int
    directory: str
    params: Mapping[str, Any]
    outcome: Outcome

    @property
    def config(self) -> DictConfig:
        """The config that the function got, with its interpolations."""
        path = f"{self.directory}/.sweeper/config.yaml"
        try:
            return OmegaConf.create(yamls.read(path) or {})
        except OSError as error:
            raise RecordError(f"There is no config of run {self.number} any more", str(error)) from None

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
    """What came of a sweep.

    Args:
        directory: the sweep's.
        objective: which metrics count, and which way.
        runs: those that have ended, by number.
        reason: why the sweep ended.
        interrupted: whether it was interrupted.
        repeats: runs of a point.
    """

    directory: str
    objective: Objective
    runs: tuple[RunResult, ...]
    reason: str = ""
    interrupted: bool = False
    repeats: int = 1

    @property
    def best(self) -> RunResult | None:
        """The first run of the point with the best score."""
        found = standings_of(self.runs, self.objective, self.repeats).best
        return found.first if found is not None else None

    @property
    def ranked(self) -> list[Standing[RunResult]]:
        """The points that have a score, the best first."""
        return standings_of(self.runs, self.objective, self.repeats).ranked()

    @property
    def front(self) -> list[RunResult]:
        """The runs that no other beats in every objective."""
        return front_of(self.runs, self.objective)

    @property
    def failed(self) -> tuple[RunResult, ...]:
        """The runs that failed."""
        return tuple(run for run in self.runs if run.status == FAILED)

    def __repr__(self) -> str:
        best = standings_of(self.runs, self.objective, self.repeats).best
        found = f", best {best.describe()} by run {best.first.number}" if best is not None else ""
        return f"<SweepResult: {len(self.runs)} runs, {len(self.failed)} failed{found}, in {self.directory}>"

    def to_pandas(self) -> Any:
        """Return a DataFrame with a row a run, the columns those of results.csv, and NaN what a run lacks."""
        import pandas as pd

        columns, rows = table(self.runs)
        return pd.DataFrame(rows, columns=columns)

    def to_figure(self) -> Any:
        """Return a plotly figure: the scores in the order in which runs ended, and the best so far.

        Of two objectives or more, the first two against each other, and the front.
        """
        import plotly.graph_objects as go

        dots = {"mode": "markers", "marker": {"size": 7, "opacity": 0.55}}
        if self.objective.several:
            valued = [run for run in self.runs if len(run.outcome.values) == len(self.objective.directions)]
            front = sorted(self.front, key=lambda run: run.outcome.values)
            traces: list[dict[str, Any]] = [
                {**_values(valued), **dots, "name": "runs"},
                {**_values(front), "mode": "lines+markers", "name": "none is better"},
            ]
            x, y = self.objective.describe().split(", ")[:2]
        else:
            runs = (run for run in self.runs if run.outcome.ended)
            ended = sorted(runs, key=lambda run: instant(run.outcome.ended))
            places = [at for at, run in enumerate(ended, 1) if run.score is not None]
            found = [run for run in ended if run.score is not None]
            scores = [run.score for run in found]
            best: list[float] = []
            standings = standings_of((), self.objective, self.repeats)
            for run in found:
                standings.add(run.number, run.score, run)
                best += [standings.best.score] if standings.best is not None else []
            traces = [
                {"x": places, "y": scores, **dots, "name": "score", "text": [_words(run) for run in found]},
                {"x": places, "y": best, "mode": "lines", "line": {"shape": "hv"}, "name": "best so far"},
            ]
            x, y = "runs ended", self.objective.describe()
        layout = {
            "xaxis": {"title": {"text": x}}, "yaxis": {"title": {"text": y}}, "height": 320,
            "template": "simple_white", "margin": {"l": 60, "r": 20, "t": 20, "b": 45},
        }  # fmt: skip
        return go.Figure([{"type": "scatter", **trace} for trace in traces], layout)

    def _repr_html_(self) -> str:
        """Return how many runs ended how, and the best of them, as a notebook shows it."""
        shown = self.front if self.objective.several else [standing.first for standing in self.ranked]
        counts = {status: sum(run.status == status for run in self.runs) for status in ENDED}
        said = ", ".join(f"{count} {status}" for status, count in counts.items() if count) or "no runs"
        lines = [f"<p>{said} ({escape(self.reason)}), in <code>{escape(self.directory)}</code></p>"]
        if shown:
            top = shown[:_TOP]
            keys = list(dict.fromkeys(key for run in top for key in run.params))
            head = ["run", escape(self.objective.describe()), *map(escape, keys), "time"]
            lines.append(f"<table><thead><tr>{_cells(head, 'th')}</tr></thead><tbody>")
            for run in top:
                values = run.outcome.values or (() if run.score is None else (run.score,))
                params = (show_param(run.params[key]) if key in run.params else "" for key in keys)
                cells = [f"{run.number}", " ".join(f"{value:.6g}" for value in values), *params]
                lines.append(f"<tr>{_cells(map(escape, [*cells, f'{run.seconds:.3g} s']), 'td')}</tr>")
            lines.append("</tbody></table>")
            if len(shown) > _TOP:
                words = "runs that none beats" if self.objective.several else "points with a score"
                lines.append(f"<p>the first {_TOP} of {len(shown)} {words}</p>")
        return "\n".join(lines)

    def _ipython_display_(self) -> None:
        """Show the table, and in a notebook below it the figure, where plotly is installed."""
        from importlib.util import find_spec

        from IPython import get_ipython
        from IPython.display import display

        display({"text/plain": repr(self), "text/html": self._repr_html_()}, raw=True)
        scored = any(run.score is not None or run.outcome.values for run in self.runs)
        if getattr(get_ipython(), "kernel", None) is not None and scored and find_spec("plotly"):
            display(self.to_figure())


def _values(runs: Iterable[RunResult]) -> dict[str, list[Any]]:
    found = list(runs)
    x, y = ([run.outcome.values[at] for run in found] for at in (0, 1))
    return {"x": x, "y": y, "text": [_words(run) for run in found]}


def _words(run: RunResult) -> str:
    """Return what stands beside a dot that the mouse is over; plotly reads it as HTML."""
    params = (f"{key}={show_param(value)}" for key, value in run.params.items())
    return "<br>".join(map(escape, [f"run {run.number}", *params]))


def _cells(cells: Iterable[str], tag: str) -> str:
    return "".join(f"<{tag}>{cell}</{tag}>" for cell in cells)


def standings_of(runs: Iterable[RunResult], objective: Objective, repeats: int) -> Standings[RunResult]:
    """Return how the points of a sweep stand; of several objectives none does."""
    found = Standings[RunResult](maximize=objective.maximize, repeats=repeats)
    for run in runs:
        if run.status == COMPLETED and not objective.several:
            found.add(run.number, run.score, run)
    return found


def front_of(runs: Iterable[RunResult], objective: Objective) -> list[RunResult]:
    """Return the runs that no other run beats in every objective: the Pareto front, by number."""
    count = len(objective.directions)
    valued = [r for r in runs if r.status == COMPLETED and len(r.outcome.values) == count]
    front = undominated([objective.losses(run.outcome.values) for run in valued])
    return sorted((valued[at] for at in front), key=lambda run: run.number)


_FIXED = ("number", "status", "score", "seconds")


def table(runs: Sequence[RunResult]) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the columns of results.csv, and a row a run; what a run lacks its row has no key for."""
    keys = dict.fromkeys(key for run in runs for key in run.params)
    names = dict.fromkeys(name for run in runs for name in run.metrics)
    taken = {*_FIXED, *(f"metrics.{name}" for name in names)}
    column = {key: f"params.{key}" if key in taken else key for key in keys}
    found = []
    for run in sorted(runs, key=lambda run: run.number):
        row: dict[str, Any] = {
            "number": run.number, "status": run.status, "score": run.score, "seconds": run.seconds,
        }  # fmt: skip
        row.update({column[key]: value for key, value in run.params.items()})
        row.update({f"metrics.{name}": value for name, value in run.metrics.items()})
        found.append(row)
    return list(dict.fromkeys([*_FIXED, *column.values(), *(f"metrics.{name}" for name in names)])), found


def write_results(path: str, runs: Sequence[RunResult]) -> None:
    """Write results.csv."""
    yamls.write_text(path, csv_text(runs))


def csv_text(runs: Sequence[RunResult]) -> str:
    """Return what results.csv says of runs."""
    columns, rows = table(runs)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(name, row[name]) if name in row else "" for name in columns])
    return text.getvalue()


def _cell(name: str, value: Any) -> Any:
    if value is None and name in _FIXED:
        return ""
    return value if isinstance(value, str) else show(value)


def show_param(value: Any) -> str:
    """Return a value as it stands in tables: texts bare, floats in six digits."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else show(value)
