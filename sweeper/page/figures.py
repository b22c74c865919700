"""The charts of a page, as plotly reads them: plain dicts, the colours by the names of the page's style.

A trace has the places of its runs under `runs`; the page puts there what is shown under the pointer.
All that people typed is escaped, since plotly takes some HTML in its texts.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Any, NamedTuple

from ..records import CANCELLED, COMPLETED, FAILED, PRUNED, QUEUED, RUNNING, Objective, instant
from ..standings import Standings
from ..view import shorten, show_param
from .facts import Facts, Varied, is_number, thinned

Figure = dict[str, Any]

MOST = 2000  # runs in a chart
_SMALL = 600  # runs in a small one
_STRIPS = 12  # values of a choice
_BARS = 20  # parameters in the chart of importances
_PAIRS = 6  # of objectives

_COLORS = {
    COMPLETED: "--completed", FAILED: "--failed", PRUNED: "--pruned", RUNNING: "--running",
    CANCELLED: "--cancelled", QUEUED: "--cancelled",
}  # fmt: skip
_SYMBOLS = {FAILED: "x-thin-open", PRUNED: "triangle-down-open", CANCELLED: "line-ns-open"}
_SERIES = [f"--series-{at}" for at in range(1, 9)]
_DASHES = ["solid", "dash", "dot", "dashdot"]


class Chart(NamedTuple):
    """A figure, and the words that stand below it."""

    figure: Figure
    title: str
    words: str


def text(value: Any, width: int = 40) -> str:
    """Return a value as plotly shows it as text."""
    return html.escape(shorten(show_param(value), width), quote=False)


def short(value: float) -> float:
    """Return a number with the digits that a chart can show."""
    return float(f"{value:.6g}")


def figure(traces: list[Figure], height: int, **layout: Any) -> Figure:
    """Return a figure of some traces."""
    return {"data": traces, "layout": {"height": height, "showlegend": False, **layout}}


def _points(places: Sequence[int], x: Sequence[Any], y: Sequence[Any], color: str, **more: Any) -> Figure:
    marker = {"color": color, "size": 7, "opacity": 0.65, **more.pop("marker", {})}
    return {
        "type": "scatter", "mode": "markers", "x": list(x), "y": list(y), "runs": list(places),
        "marker": marker, "hovertemplate": "%{text}<extra></extra>", **more,
    }  # fmt: skip


def _star(at: int, x: Any, y: Any) -> Figure:
    marker = {"symbol": "star", "size": 15, "opacity": 1, "line": {"width": 1, "color": "--surface"}}
    return _points([at], [x], [y], "--best", marker=marker, name="best")


def _window(values: Sequence[float], objective: Objective) -> tuple[list[float] | None, int]:
    """Return the ends of an axis that leaves out the few worst values which would flatten the rest.

    And how many these are; None and 0 if there are none.
    """
    losses = sorted(objective.loss(value) for value in values)
    if len(losses) < 10:
        return None, 0
    low, high = losses[0], losses[math.ceil(len(losses) * 0.9) - 1]
    reach = high + 1.5 * (high - low)
    if high == low or losses[-1] <= reach or not math.isfinite(reach):
        return None, 0
    out = sum(loss > reach for loss in losses)
    margin = (high - low) * 0.06
    ends = [objective.loss(low - margin), objective.loss(max(x for x in losses if x <= reach) + margin)]
    return [short(end) for end in sorted(ends)], out


def _beyond(out: int) -> str:
    if not out:
        return ""
    runs = "run is" if out == 1 else f"{out} runs are"
    return f" The worst {runs} left out, so that the others can be told apart; a double click shows all."


def sampled(facts: Facts, places: Sequence[int], most: int = MOST) -> tuple[list[int], str]:
    """Return the runs that a chart shows, and words if these are not all."""
    if len(places) <= most:
        return list(places), ""
    ranks = [at for standing in facts.standings() for at in standing.runs]
    best = set(ranks[: most // 10]).intersection(places)
    others = thinned([at for at in places if at not in best], most - len(best))
    chosen = best.union(others)
    said = f" Of {len(places)} runs {len(chosen)} are shown: the best {len(best)}, and others evenly taken."
    return [at for at in places if at in chosen], said


# ------------------------------------------------------------------------------------ score over time


def so_far(facts: Facts, at: int = 0) -> list[float | None]:
    """Return the best point's value of an objective up to each run, in the order in which they ended."""
    standings = Standings[int](maximize=facts.objectives[at].maximize, repeats=facts.row["repeats"])
    found: list[float | None] = []
    for place in facts.ended():
        run = facts.runs[place]
        standings.add(run["number"], run["values"][at] if run["values"] else None, place)
        found.append(None if standings.best is None else short(standings.best.score))
    return found


def history(facts: Facts, at: int) -> Chart | None:
    """Return the values of an objective in the order in which runs ended, with the best so far."""
    objective, order = facts.objectives[at], facts.ended()
    values = [facts.runs[place]["values"][at] if facts.runs[place]["values"] else None for place in order]
    known = [value for value in values if value is not None]
    if not known:
        return None
    window, out = _window(known, objective)
    number = {place: n + 1 for n, place in enumerate(order)}
    shown, said = sampled(facts, [place for place in order if facts.runs[place]["values"]])
    ys = [short(facts.runs[place]["values"][at]) for place in shown]
    best = so_far(facts, at)
    steps = [n for n, value in enumerate(best) if n in (0, len(best) - 1) or value != best[n - 1]]
    traces = [
        _points(shown, [number[place] for place in shown], ys, "--completed", name="run"),
        {
            "type": "scatter", "mode": "lines", "x": [n + 1 for n in steps], "y": [best[n] for n in steps],
            "line": {"shape": "hv", "color": "--best", "width": 2.5}, "name": "best so far",
            "hovertemplate": "best so far %{y:.6~g}<extra></extra>",
        },
    ]  # fmt: skip
    top = facts.standings(at)[0].first
    traces.append(_star(top, number[top], short(facts.runs[top]["values"][at])))
    for status, symbol in _SYMBOLS.items():
        places = thinned([place for place in order if facts.runs[place]["status"] == status], MOST // 4)
        if places:
            marker = {"symbol": symbol, "size": 8, "opacity": 1, "line": {"width": 1.5}}
            xs, lane = [number[place] for place in places], [0.5] * len(places)
            more = {"marker": marker, "name": status.lower(), "yaxis": "y2"}
            traces.append(_points(places, xs, lane, _COLORS[status], **more))
    layout: Figure = {
        "showlegend": True,
        "xaxis": {"title": {"text": "runs in the order they ended"}, "rangemode": "tozero"},
        "yaxis": {"title": {"text": text(objective.name)}, **_ends(window)},
    }
    if any(trace.get("yaxis") for trace in traces):  # a lane below, of the runs without a value
        layout["xaxis"].update(anchor="y2")
        layout["yaxis"].update(domain=[0.12, 1])
        layout["yaxis2"] = {"domain": [0, 0.09], "range": [0, 1], "visible": False, "fixedrange": True}
    where = facts.runs[top]["number"]
    return Chart(
        figure(traces, 380, **layout),
        "Score over time" if not facts.several else f"{objective.name} over time",
        f"{len(known)} of {len(order)} ended runs have a value, from {min(known):.6g} to {max(known):.6g}; "
        f"the best came with run {where}, as number {number[top]}.{said}{_beyond(out)}",
    )


def _ends(window: list[float] | None) -> Figure:
    return {} if window is None else {"range": window}


def compared(sweeps: Sequence[Facts], names: Sequence[str]) -> Chart | None:
    """Return the best so far of several sweeps of one objective."""
    objective = sweeps[0].objectives[0]
    traces: list[Figure] = []
    finals: list[float] = []
    for number, (facts, name) in enumerate(zip(sweeps, names, strict=True)):
        best = so_far(facts)
        steps = [n for n, v in enumerate(best) if v is not None and (n == len(best) - 1 or v != best[n - 1])]
        if not steps:
            continue
        finals += [value for n in steps if (value := best[n]) is not None]
        traces.append({
            "type": "scatter", "mode": "lines+markers", "name": text(name, 60),
            "x": [n + 1 for n in steps], "y": [best[n] for n in steps], "marker": {"size": 5},
            "line": {
                "shape": "hv", "width": 2.5, "color": _SERIES[number % len(_SERIES)],
                "dash": _DASHES[number // len(_SERIES) % len(_DASHES)],
            },
            "hovertemplate": "%{y:.6~g} after %{x} runs",
        })  # fmt: skip
    if not traces:
        return None
    window, _ = _window(finals, objective)
    layout = {
        "showlegend": True,
        "xaxis": {"title": {"text": "runs that have ended"}, "rangemode": "tozero"},
        "yaxis": {"title": {"text": f"best {text(objective.name)} so far"}, **_ends(window)},
    }
    words = (
        f"The best {objective.name} that each sweep had found after so many runs, to {objective.describe()}."
    )
    return Chart(figure(traces, 380, **layout), f"Best so far: {objective.describe()}", words)


# ----------------------------------------------------------------------------------------- parameters


def slices(facts: Facts, at: int) -> tuple[list[Chart], str]:
    """Return a small chart a parameter, of its values against an objective; and words on all of them."""
    objective = facts.objectives[at]
    scored = facts.scored()
    if not scored:
        return [], ""
    window, out = _window([facts.runs[place]["values"][at] for place in scored], objective)
    chosen, said = sampled(facts, scored, _SMALL)
    star = facts.standings(at)[0].first
    found = []
    for varied in facts.varied:
        places = [place for place in chosen if place in varied.values]
        if not places:
            continue
        ys = [short(facts.runs[place]["values"][at]) for place in places]
        xs, axis, cut = _axis(varied, places)
        traces = [_points(places, xs, ys, "--completed", marker={"size": 6, "opacity": 0.55})]
        if star in places:
            traces.append(_star(star, xs[places.index(star)], ys[places.index(star)]))
        layout = {
            "xaxis": axis, "yaxis": {"nticks": 5, **_ends(window)},
            "margin": {"l": 52, "r": 10, "t": 8, "b": 34},
        }  # fmt: skip
        some = f"In {len(varied.values)} of {len(facts.runs)} runs. " if partly(varied, facts) else ""
        log = "Logarithmic. " if varied.log and varied.numbers else ""
        words = f"{some}{log}{cut}".strip()
        found.append(Chart(figure(traces, 230, **layout), varied.key, words))
    return found, f"The star is the best run.{said}{_beyond(out)}"


def partly(varied: Varied, facts: Facts) -> bool:
    """Whether only some runs have a parameter."""
    return len(varied.values) < len(facts.runs)


def _axis(varied: Varied, places: Sequence[int]) -> tuple[list[Any], Figure, str]:
    """Return where values stand on an axis, the axis, and words on what it leaves out."""
    if varied.numbers:
        xs = [short(varied.values[place]) for place in places]
        axis: Figure = {"type": "log" if varied.log else "linear", "nticks": 6}
        decades = math.log10(max(xs)) - math.log10(min(xs)) if varied.log else 0.0
        if decades > 1.5:
            axis.update(dtick=math.ceil(decades / 5), exponentformat="e")
        return xs, axis, ""
    names, others = levels(varied)
    slot = {name: n for n, name in enumerate(names)}
    xs = [slot.get(repr(varied.values[place]), len(names)) + jitter(place) for place in places]
    labels = [text(by_repr(varied)[name], max(38 // len(names), 10)) for name in names]
    labels += ["others"] if others else []
    axis = {
        "tickvals": list(range(len(labels))), "ticktext": labels, "range": [-0.5, len(labels) - 0.5],
        "zeroline": False, "showgrid": False, **({"tickangle": 0} if len(labels) <= 4 else {}),
    }  # fmt: skip
    cut = f"{others} values that are seldom stand together as others. " if others else ""
    return xs, axis, cut


def by_repr(varied: Varied) -> dict[str, Any]:
    """Return the values of a parameter by their `repr`."""
    return {repr(value): value for value in varied.values.values()}


def levels(varied: Varied) -> tuple[list[str], int]:
    """Return the values of a choice, each by its `repr`, and how many are left out."""
    counts: dict[str, int] = {}
    for value in varied.values.values():
        counts[repr(value)] = counts.get(repr(value), 0) + 1
    names = list(counts)
    kept = names
    if len(names) > _STRIPS:
        kept = sorted(names, key=lambda name: -counts[name])[: _STRIPS - 1]
    own = by_repr(varied)
    if all(is_number(own[name]) for name in kept):
        kept = sorted(kept, key=lambda name: float(own[name]))
    else:
        kept = sorted(kept, key=lambda name: show_param(own[name]))
    return kept, len(names) - len(kept)


def jitter(place: int) -> float:
    """Return a shift that keeps the points of a strip apart; the same each time."""
    return round((place * 0.618033988749895 % 1 - 0.5) * 0.5, 3)


def importance(facts: Facts, at: int) -> Chart | None:
    """Return the shares of an objective's variance that parameters explain."""
    shares = facts.importances[at]
    if not shares:
        return None
    shown = list(shares.items())[:_BARS][::-1]
    bars = {
        "type": "bar", "orientation": "h", "x": [short(share) for _, share in shown],
        "y": list(range(len(shown))), "text": [f"{share:.0%}" for _, share in shown],
        "textposition": "outside", "cliponaxis": False, "marker": {"color": "--completed"},
        "hovertext": [text(key, 200) for key, _ in shown],
        "hovertemplate": "%{hovertext}: %{x:.1%}<extra></extra>",
    }  # fmt: skip
    labels = [text(key if len(key) <= 30 else f"…{key[-29:]}") for key, _ in shown]  # the end tells more
    layout = {
        "xaxis": {"tickformat": ".0%", "range": [0, min(1.0, max(shares.values()) * 1.15 + 0.05)]},
        "yaxis": {
            "tickvals": bars["y"], "ticktext": labels, "automargin": True, "showgrid": False,
            "zeroline": False, "range": [-0.5, len(shown) - 0.5],
        },
        "margin": {"l": 40, "r": 40, "t": 8, "b": 34}, "bargap": 0.35,
    }  # fmt: skip
    said = ", ".join(f"{key} {share:.0%}" for key, share in list(shares.items())[:5] if share >= 0.005)
    said = said or "No parameter by itself"
    more = f" The first {_BARS} of {len(shares)} are shown." if len(shares) > _BARS else ""
    words = (
        f"{said}.{more} This is the share of the variance of the ranks of {facts.objectives[at].name} that a "
        "parameter explains by itself (epsilon squared, sweeper's own measure, as the sweep's last lines "
        "have it); what two do together is not seen. A parameter that only some runs have is reckoned "
        "within these."
    )
    return Chart(figure([bars], 60 + 30 * len(shown), **layout), "Importance", words)


# -------------------------------------------------------------------------------- workers, curves, front


def timeline(facts: Facts) -> Chart | None:
    """Return who ran what when: a bar a run, a line a worker."""
    places = [at for at, run in enumerate(facts.runs) if run["started"]]
    if not places:
        return None
    lanes = _lanes(facts, places)
    shown = thinned(places, MOST)
    names = sorted(set(lanes.values()))
    first = min((facts.runs[at]["started"] for at in places), key=instant)
    now = max((facts.runs[at]["ended"] or facts.runs[at]["started"] for at in places), key=instant)
    zone = datetime.fromisoformat(first).tzinfo  # hosts may be in several, and the axis knows none
    traces = []
    for status, color in _COLORS.items():
        own = [at for at in shown if facts.runs[at]["status"] == status]
        if not own:
            continue
        begun = [_clock(facts.runs[at]["started"], zone) for at in own]
        ended = [facts.runs[at]["ended"] or now for at in own]
        spans = [milliseconds(facts.runs[at]["started"], end) for at, end in zip(own, ended, strict=True)]
        shape = {FAILED: "x", PRUNED: "/", CANCELLED: "\\"}.get(status, "")
        traces.append({
            "type": "bar", "orientation": "h", "base": begun, "x": spans, "runs": own,
            "y": [names.index(lanes[at]) for at in own], "name": status.lower(),
            "marker": {
                "color": color, "line": {"color": "--surface", "width": 0.5 if len(shown) < 500 else 0},
                "pattern": {"shape": shape, "size": 5, "fgcolor": "--surface", "fillmode": "overlay"},
            },
            "hovertemplate": "%{text}<extra></extra>", "textposition": "none",
        })  # fmt: skip
    labels = [text(f"{host or 'worker'} {slot}", 24) for host, slot in names]
    layout = {
        "showlegend": True, "barmode": "overlay", "bargap": 0.25,
        "xaxis": {"type": "date"},
        "yaxis": {
            "tickvals": list(range(len(names))), "ticktext": labels,
            "automargin": True, "showgrid": False, "zeroline": False, "range": [len(names) - 0.5, -0.5],
        },
    }  # fmt: skip
    said = f" Of {len(places)} runs {len(shown)} are shown." if len(shown) < len(places) else ""
    busy = math.fsum(facts.runs[at]["seconds"] or 0.0 for at in places)
    span = milliseconds(first, now) / 1000
    share = f", busy {min(busy / (span * len(names)), 1):.0%} of the time" if span > 0 else ""
    count = f"{len(names)} {'worker' if len(names) == 1 else 'workers'}"
    words = f"{len(places)} runs on {count}{share}.{said} A bar is a run; its colour tells its status."
    return Chart(figure(traces, min(110 + 30 * len(names), 900), **layout), "Workers", words)


def _lanes(facts: Facts, places: Sequence[int]) -> dict[int, tuple[str, int]]:
    """Return the worker of each run, as its host and a number there.

    A process that made several runs is a worker; where each run has a process of its own, a worker is
    a slot: the first that was free when a run started.
    """
    hosts = {facts.runs[at]["host"] for at in places} - {None, ""}
    only = next(iter(hosts)) if len(hosts) == 1 else ""
    found: dict[int, tuple[str, int]] = {}
    by_host: dict[str, list[int]] = {}
    for at in sorted(places, key=lambda at: (instant(facts.runs[at]["started"]), facts.runs[at]["number"])):
        host = facts.runs[at]["host"] or only
        by_host.setdefault("" if host == only else host, []).append(at)
    for host, own in by_host.items():
        pids = dict.fromkeys(pid for at in own if (pid := facts.runs[at]["pid"]))
        if 0 < len(pids) <= len(own) / 2:
            number = {pid: n + 1 for n, pid in enumerate(pids)}
            found.update({at: (host, number.get(facts.runs[at]["pid"], 0)) for at in own})
            continue
        free: list[float] = []  # when each slot is free again
        for at in own:
            run = facts.runs[at]
            begun = instant(run["started"])
            slot = next((n for n, until in enumerate(free) if until <= begun), len(free))
            free[slot : slot + 1] = [instant(run["ended"]) if run["ended"] else math.inf]
            found[at] = (host, slot + 1)
    return found


def _clock(time: str, zone: tzinfo | None) -> str:
    """Return a time as the clocks of a zone show it, to the millisecond."""
    there = datetime.fromtimestamp(instant(time), zone)
    return there.replace(tzinfo=None).isoformat(timespec="milliseconds")


def milliseconds(started: str, ended: str) -> float:
    """Return the time between two times."""
    return max(round((instant(ended) - instant(started)) * 1000, 1), 1.0)


def curves(facts: Facts) -> list[Chart]:
    """Return the learning curves: a chart a metric."""
    best = facts.best()
    found = []
    for name, lines in facts.curves.items():
        traces = []
        for at in sorted(lines, key=lambda at: at == best):
            color = "--best" if at == best else _COLORS[facts.runs[at]["status"]]
            traces.append({
                "type": "scatter", "mode": "lines+markers" if len(lines[at]) == 1 else "lines",
                "x": [step for step, _ in lines[at]],
                "y": [short(v) if is_number(v) else None for _, v in lines[at]],
                "line": {"color": color, "width": 3 if at == best else 1.3}, "marker": {"color": color},
                "opacity": 1 if at == best else 0.6, "run": at,
                "hovertemplate": "%{text}<br>step %{x}: %{y:.6~g}<extra></extra>",
            })  # fmt: skip
        layout = {"xaxis": {"title": {"text": "step"}}, "yaxis": {"title": {"text": text(name)}}}
        all_of_them = facts.stepped[name]
        words = "The best run stands out." if best in lines else ""
        if len(lines) < all_of_them:
            words = f"{len(lines)} of {all_of_them} runs: the best, and others evenly taken. {words}"
        found.append(Chart(figure(traces, 320, **layout), name, words.strip()))
    return found


def fronts(facts: Facts) -> list[Chart]:
    """Return the runs by each two objectives, those that none beats apart."""
    scored, front = facts.scored(), facts.front()
    pairs = [(a, b) for b in range(len(facts.objectives)) for a in range(b)][:_PAIRS]
    if not scored:
        return []
    rest, said = sampled(facts, [at for at in scored if at not in set(front)])
    found = []

    def values(places: Sequence[int], which: int) -> list[float]:
        return [short(facts.runs[at]["values"][which]) for at in places]

    for a, b in pairs:
        one, other = facts.objectives[a], facts.objectives[b]
        own = sorted(front, key=lambda at: facts.runs[at]["values"][a])
        marker = {"size": 9, "opacity": 1, "symbol": "diamond"}
        front_line: Figure = {"name": "none is better in all", "marker": marker}
        if len(pairs) == 1:
            front_line.update(mode="lines+markers", line={"color": "--best", "width": 1.5})
        traces = [
            _points(rest, values(rest, a), values(rest, b), "--completed", name="run"),
            _points(own, values(own, a), values(own, b), "--best", **front_line),
        ]
        layout = {
            "showlegend": True,
            "xaxis": {"title": {"text": text(one.describe())}},
            "yaxis": {"title": {"text": text(other.describe())}},
        }  # fmt: skip
        words = f"{len(front)} of {len(scored)} runs are beaten by no other in every objective.{said}"
        found.append(Chart(figure(traces, 400, **layout), f"{one.name} and {other.name}", words))
    return found
