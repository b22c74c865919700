"""Parallel coordinates: a line a run through all parameters, one colour for the best, one for the rest.

Drawn as plain lines, since plotly's own kind needs WebGL and leaves out runs that lack a parameter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ..view import shorten
from .facts import ABSENT, Facts, Varied, thinned
from .figures import Chart, Figure, by_repr, figure, jitter, levels, partly, short, text

_LINES = 1000  # runs
_AXES = 10  # parameters


def parallel(facts: Facts) -> Chart | None:
    """Return the runs as lines through all parameters, by how good they are."""
    ranks = [at for standing in facts.standings() for at in standing.runs]
    if len(ranks) < 2 or not facts.varied:
        return None
    order = {key: n for n, key in enumerate(facts.importances[0])}
    first = sorted(facts.varied, key=lambda varied: order.get(varied.key, len(order)))[:_AXES]
    kept = [varied for varied in facts.varied if varied in first]
    chosen = [*ranks[: _LINES // 4], *thinned(ranks[_LINES // 4 :], _LINES - _LINES // 4)]
    axes = [_column(varied, chosen) for varied in kept]
    axes += [_column(_values_of(facts, n), chosen) for n in range(len(facts.objectives))]
    ends = [0, 1, max(len(ranks) // 10, 1), len(ranks) // 2, len(ranks)]
    place = {at: rank for rank, at in enumerate(ranks)}
    traces = []
    for (name, color, width), low, high in zip(_GROUPS, ends, ends[1:], strict=False):
        own = [at for at in chosen if low <= place[at] < high]
        if own:
            traces.append(_lines(own, axes, name, color, width))
    shapes = [_upright(n) for n in range(len(axes))]
    notes = [each for n, axis in enumerate(axes) for each in axis.labels(n)]
    layout = {
        "showlegend": True, "shapes": shapes, "annotations": notes, "legend": {"traceorder": "reversed"},
        "xaxis": {"visible": False, "range": [-0.75, len(axes) - 0.75]},
        "yaxis": {"visible": False, "range": [-0.06, 1.12]},
        "margin": {"l": 4, "r": 4, "t": 38, "b": 8},
    }  # fmt: skip
    words = "A line is a run. A click on a name above the chart hides these runs, or shows them again."
    if facts.several:
        words += f" The best are those by {facts.objectives[0].name}."
    if any(partly(varied, facts) for varied in kept):
        words += " A line at the foot of an axis: the run has no such parameter."
    if len(facts.varied) > len(kept):
        words += f" Of {len(facts.varied)} parameters the {len(kept)} most important are shown."
    if len(ranks) > len(chosen):
        words += f" Of {len(ranks)} runs {len(chosen)} are shown: the best, and others evenly taken."
    drawn = figure(traces[::-1], 440, **layout)
    return Chart({**drawn, "width": 100 * len(axes)}, "Parallel coordinates", words)


_GROUPS = (
    ("best run", "--best", 3.0), ("best tenth", "--near", 1.4), ("best half", "--middle", 1.0),
    ("others", "--far", 1.0),
)  # fmt: skip


class _Column(NamedTuple):
    """An axis of parallel coordinates: where runs stand on it, from 0 to 1."""

    name: str
    heights: dict[int, float]
    ticks: dict[float, str]
    foot: float  # where runs stand that have no such parameter

    def labels(self, at: int) -> list[Figure]:
        """Return the axis' name and its ticks, as they stand at a place."""
        font = {"size": 11.5, "color": "--muted"}
        common = {"x": at, "xref": "x", "yref": "y", "showarrow": False}
        ticks = [
            {
                **common,
                "y": y,
                "text": said,
                "xanchor": "right",
                "xshift": -5,
                "font": font,
                "bgcolor": "--veil",
            }
            for y, said in self.ticks.items()
        ]
        if len(ticks) > 1 and 0.0 in self.ticks:  # below the axis, where no line runs over it
            ticks[-1].update(xanchor="center", xshift=0, yshift=-10)
        return [*ticks, {**common, "y": 1.09, "text": text(_brief(self.name)), "font": {"size": 12}}]


def _brief(key: str, width: int = 15) -> str:
    """Return a key, or its last part where it is too long."""
    return shorten(key if len(key) <= width else f"….{key.rpartition('.')[2]}".replace("….…", "…"), width)


def _values_of(facts: Facts, which: int) -> Varied:
    """Return an objective's values in the form of a parameter's."""
    values = {at: facts.runs[at]["values"][which] for at in facts.scored()}
    return Varied(facts.objectives[which].name, "", numbers=True, log=False, values=values)


def _column(varied: Varied, places: Sequence[int]) -> _Column:
    if varied.numbers:
        scale = math.log10 if varied.log else float
        own = {at: scale(varied.values[at]) for at in places if at in varied.values}
        low, high = min(own.values(), default=0.0), max(own.values(), default=0.0)
        said = {n: f"{10**n:.3g}" if varied.log else f"{n:.4g}" for n in _ticks(low, high, log=varied.log)}
    else:
        names, others = levels(varied)
        slot = {name: float(n) for n, name in enumerate(names)}
        own = {
            at: slot.get(repr(varied.values[at]), float(len(names))) + jitter(at) * 0.3
            for at in places if at in varied.values
        }  # fmt: skip
        said = {float(n): text(by_repr(varied)[name], 11) for n, name in enumerate(names)}
        said.update({float(len(names)): "others"} if others else {})
        low, high = -0.15, max(said, default=0.0) + 0.15
    base = 0.14 if len(own) < len(places) else 0.0
    width = (high - low) or 1.0
    if not math.isfinite(width):  # from one end of the floats to the other
        low, width = low / 4, high / 4 - low / 4
        own, said = ({at: v / 4 for at, v in own.items()}, {n / 4: name for n, name in said.items()})

    def height(value: float) -> float:
        return short(base + (1 - base) * (value - low) / width)

    ticks = {height(n): name for n, name in said.items()}
    return _Column(
        varied.key,
        {at: height(value) for at, value in own.items()},
        {**ticks, **({0.0: ABSENT} if base else {})},
        0.0,
    )


def _lines(places: Sequence[int], axes: Sequence[_Column], name: str, color: str, width: float) -> Figure:
    """Return one trace with a line a run, broken between them."""
    xs: list[int | None] = []
    ys: list[float | None] = []
    runs: list[int | None] = []
    for at in places[::-1]:
        xs += [*range(len(axes)), None]
        ys += [*(axis.heights.get(at, axis.foot) for axis in axes), None]
        runs += [*([at] * len(axes)), None]
    return {
        "type": "scatter", "mode": "lines", "x": xs, "y": ys, "runs": runs, "name": name,
        "line": {"color": color, "width": width}, "hovertemplate": "%{text}<extra></extra>",
        "opacity": 1 if len(places) < 50 else 0.5,
    }  # fmt: skip


def _upright(at: int) -> Figure:
    line = {"color": "--muted", "width": 1}
    return {"type": "line", "xref": "x", "yref": "y", "x0": at, "x1": at, "y0": 0, "y1": 1, "line": line}


def _ticks(low: float, high: float, *, log: bool) -> list[float]:
    """Return round numbers between two, at most some seven; of logarithms, whole ones where they serve."""
    width = high - low
    if width <= 0:
        return [low]
    if not math.isfinite(width):
        return [low, 0.0, high]
    step = 10 ** math.floor(math.log10(width / 4))
    step = next((step * k for k in (1, 2, 5, 10) if width / (step * k) <= 6), step * 10)
    if log and step < 1:
        return [low, high] if width < 1 else [float(n) for n in range(math.ceil(low), math.floor(high) + 1)]
    return [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]
