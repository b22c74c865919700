"""The text of a page: HTML in which everything that people typed is escaped by construction."""

from __future__ import annotations

import html
import json
import math
import os
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from .. import __version__
from ..provenance import DECISIVE
from ..records import CANCELLED, COMPLETED, FAILED, PRUNED, QUEUED, RUNNING, instant, now
from ..view import duration, show_param
from . import figures
from .facts import ABSENT, Facts, Varied
from .figures import Chart
from .parallel import parallel

_STATUSES = (COMPLETED, FAILED, PRUNED, RUNNING, QUEUED, CANCELLED)
_FRONT = 50  # runs in the table of those that none beats
_ERROR = 4000  # characters of a traceback, its last


class Markup(str):
    """HTML; every other text is escaped when it is put into some."""

    __slots__ = ()


def tag(name: str, *content: object, **attributes: object) -> Markup:
    """Return an element; an attribute that is None or False is left out, `class_` is `class`.

    >>> tag("p", "a < b", class_="x")
    '<p class="x">a &lt; b</p>'
    """
    said = ""
    for key, value in attributes.items():
        if value is not None and value is not False:
            text = "" if value is True else f'="{html.escape(str(value))}"'
            said += f" {key.rstrip('_').replace('_', '-')}{text}"
    return Markup(f"<{name}{said}>{join(content)}</{name}>")


def join(content: Iterable[object]) -> Markup:
    """Return pieces one after the other; None is nothing, and a list its own pieces."""
    return Markup("".join(_piece(each) for each in content))


def _piece(content: object) -> str:
    if content is None:
        return ""
    if isinstance(content, Markup):
        return content
    if isinstance(content, (list, tuple)):
        return join(content)
    return html.escape(str(content))


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> Markup:
    """Return a table: the first cell of a row is its head, and columns of numbers stand to the right."""
    numbers = [
        all(row[at] is None or isinstance(row[at], (int, float)) for row in rows) for at in range(len(heads))
    ]
    right = ["number" if at and numbers[at] else None for at in range(len(heads))]
    top = [tag("th", head, scope="col", class_=kind) for head, kind in zip(heads, right, strict=True)]
    body = []
    for head, *cells in rows:
        shown = [each if isinstance(each, Markup) or each is None else show_param(each) for each in cells]
        kinds = zip(shown, right[1:], strict=True)
        body.append(tag("tr", tag("th", head, scope="row"), [tag("td", c, class_=kind) for c, kind in kinds]))
    return tag("table", tag("thead", tag("tr", top)), tag("tbody", body))


def plain(value: Any) -> Any:
    """Return data as JSON has it: numbers that are none as text, keys as texts."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def embedded(data: Any) -> Markup:
    """Return data as JSON that a script element can hold: no text in it can end the element."""
    text = json.dumps(plain(data), separators=(",", ":"), allow_nan=False)  # all but ASCII is escaped
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


# ------------------------------------------------------------------------------------------- a sweep


class Text:
    """The text of one sweep: its sections, and what the script needs for them.

    Args:
        facts: what is known of the sweep.
        name: what it is called, as no other of the page is.
        number: of the sweep in the page.
        folder: where the page will stand, which links start from.
        level: of its heading: 1 if it is the page's only sweep.
    """

    def __init__(self, facts: Facts, name: str, number: int, folder: str, level: int) -> None:
        self.facts, self.name, self.number, self.folder, self.level = facts, name, number, folder, level
        self.of = "" if level == 1 else f" of {name}"  # what tells its parts from those of other sweeps
        self.figures: list[dict[str, Any]] = []
        self.contents: list[tuple[str, str]] = []  # id and title of each section

    def article(self) -> Markup:
        """Return the whole of it."""
        facts = self.facts
        sections = [
            self._what(), self._front() if facts.several else self._best(), *self._history(),
            *self._parameters(), self._one("parallel", parallel(facts)),
            self._one("workers", figures.timeline(facts)), self._curves(), self._runs(), self._config(),
        ]  # fmt: skip
        title = tag(f"h{self.level}", self.name, id=f"s{self.number}")
        note = tag("p", facts.row["note"], class_="note") if facts.row["note"] else None
        links = tag("ul", [tag("li", tag("a", name, href=f"#{at}")) for at, name in self.contents])
        nav = tag("nav", links, class_="contents", aria_label=f"Sections{self.of}")
        return tag("article", title, note, self._tiles(), nav, sections, aria_labelledby=f"s{self.number}")

    def data(self) -> dict[str, Any]:
        """Return what the script reads of it, once the article is made."""
        facts = self.facts
        objectives = {objective.name for objective in facts.objectives}
        runs = [
            {
                "number": run["number"], "attempt": run["attempt"], "status": run["status"],
                "values": run["values"], "seconds": run["seconds"], "params": run["params"],
                "metrics": {name: v for name, v in run["metrics"].items() if name not in objectives},
                "tags": run["tags"], "note": run["note"] or "", "error": (run["error"] or "")[-_ERROR:],
                "link": self.link(run["directory"]),
            }
            for run in facts.runs
        ]  # fmt: skip
        return {
            "objectives": [objective.name for objective in facts.objectives],
            "runs": runs,
            "figures": self.figures,
        }

    def link(self, directory: str | None) -> str | None:
        """Return a directory as a link from the page."""
        if not directory or not os.path.isabs(directory):
            return None
        path = os.path.relpath(directory, self.folder).replace(os.sep, "/")
        return quote(path) + "/"

    def _section(self, key: str, title: str, *content: object) -> Markup:
        name = f"s{self.number}-{key}"
        self.contents.append((name, title))
        heading = tag(f"h{self.level + 1}", title, id=f"{name}-h")
        label = f"{name}-h" if self.level == 1 else None
        return tag("section", heading, content, id=name, aria_labelledby=label)

    def _chart(self, chart: Chart, *, heading: bool = False) -> Markup:
        """Return the place of a chart, with the words that say what it shows."""
        self.figures.append(chart.figure)
        figure = chart.figure
        drawn = tag(
            "div", class_="chart", data_sweep=self.number, data_figure=len(self.figures) - 1, role="group",
            aria_label=f"Chart: {chart.title}",
            style=f"height:{figure['layout']['height']}px;min-width:{figure.get('width', 0)}px",
        )  # fmt: skip
        title = tag(f"h{self.level + 2}", chart.title) if heading else None
        drawn = self._box(f"{chart.title}, chart", drawn, "box wide") if figure.get("width") else drawn
        return tag("figure", title, drawn, tag("figcaption", chart.words) if chart.words else None)

    def _one(self, key: str, chart: Chart | None) -> Markup | None:
        return None if chart is None else self._section(key, chart.title, self._chart(chart))

    # ---- what it was

    def _tiles(self) -> Markup:
        facts = self.facts
        counts = {s: sum(run["status"] == s for run in facts.runs) for s in _STATUSES}
        tiles = [("runs", str(len(facts.runs)), "")]
        tiles += [(s.lower(), str(n), s.lower()) for s, n in counts.items() if n and s != COMPLETED]
        if facts.several:
            tiles.insert(0, ("on the front", str(len(facts.front())), "best"))
        elif standings := facts.standings():
            tiles.insert(0, (f"best {facts.objectives[0].name}", f"{standings[0].score:.6g}", "best"))
        seconds = self.seconds()
        if seconds is not None:
            tiles.append(("so far" if facts.running else "in all", duration(seconds), ""))
        return tag(
            "dl",
            [tag("div", tag("dt", n), tag("dd", v), class_=c or None) for n, v, c in tiles],
            class_="tiles",
        )

    def seconds(self) -> float | None:
        """Return how long the sweep took, or has taken."""
        row = self.facts.row
        if not row["started"]:
            return None
        ends = [run["ended"] for run in self.facts.runs if run["ended"]]
        end = row["ended"] or (now() if self.facts.running else max(ends, key=instant, default=None))
        return None if end is None else figures.milliseconds(row["started"], end) / 1000

    def _status(self) -> str:
        facts, status = self.facts, str(self.facts.row["status"] or "")
        if facts.running:
            return "running"
        if status == RUNNING:
            return f"{facts.reason or 'stopped without an end'}; --resume goes on with it"
        return f"{status.lower()}, {facts.reason}" if facts.reason else status.lower()

    def _what(self) -> Markup:
        facts, row = self.facts, self.facts.row
        commit = row["git_commit"]
        branch = f" on {row['git_branch']}" if row["git_branch"] else ""
        dirty = ", with changes that were not committed" if row["git_dirty"] else ""
        link = self.link(facts.directory) if os.path.isdir(facts.directory) else None
        rows: list[tuple[str, object]] = [
            ("Status", self._status()),
            ("Objective", ", ".join(objective.describe() for objective in facts.objectives)),
            ("Search", row["search"]),
            ("Seed", row["seed"]),
            ("Started", _time(row["started"])),
            ("Ended", _time(row["ended"])),
            ("Command", tag("code", row["command"]) if row["command"] else None),
            ("In", row["folder"]),
            ("Directory", tag("a", facts.directory, href=link) if link else facts.directory),
            ("Commit", f"{commit[:12]}{branch}{dirty}" if commit else None),
            ("Versions", ", ".join(f"{k} {v}" for k, v in facts.versions.items() if k in DECISIVE)),
            ("Sweep", row["id"]),
        ]
        pairs = [[tag("dt", key), tag("dd", value)] for key, value in rows if value not in (None, "")]
        return self._section("what", "What it was", tag("dl", pairs, class_="facts"))

    # ---- what is best

    def _best(self) -> Markup:
        facts = self.facts
        standings, best = facts.standings(), facts.best()
        if best is None:
            ended = len(facts.ended())
            said = f"No run has a score yet; {ended} ended." if facts.running else "No run has a score."
            return self._section("best", "The best", tag("p", said))
        run, score, places = facts.runs[best], standings[0].score, standings[0].runs
        name = tag("a", f"run {run['number']}", href=self.link(run["directory"]))
        mean = f", the mean of {len(places)} runs of this point" if len(places) > 1 else ""
        line = tag(
            "p", tag("strong", f"{facts.objectives[0].name} {score:.10g}", class_="score"), mean, ", ", name
        )
        rows = [[key, _exact(value)] for key, value in run["params"].items()]
        values = (
            self._box("Parameters of the best run", table(["parameter", "value"], rows)) if rows else None
        )
        return self._section("best", "The best", line, values, self._repeat(best))

    def _repeat(self, at: int) -> Markup | None:
        command = self.facts.repeat(at)
        if not command:
            return None
        masked = tag("p", "Put what *** stands for in its place.") if "***" in command else None
        button = tag("button", "Copy", type="button", class_="copy", aria_label="Copy the command")
        return join([
            tag("p", "This repeats it:"),
            tag("div", tag("pre", tag("code", command), tabindex=0), button, class_="command"),
            masked,
        ])  # fmt: skip

    def _front(self) -> Markup:
        """Return the runs that none beats in every objective, and the charts of them."""
        facts = self.facts
        front = facts.front()
        if not front:
            return self._section("best", "The best", tag("p", "No run has a value of every objective."))
        keys = list(dict.fromkeys(key for at in front for key in facts.runs[at]["params"]))
        heads = ["run", *(objective.name for objective in facts.objectives), *keys, "command"]
        rows: list[list[object]] = []
        for at in front[:_FRONT]:
            run, command = facts.runs[at], facts.repeat(at)
            name = tag("a", run["number"], href=self.link(run["directory"]))
            words = f"Copy the command of run {run['number']}"
            copy = tag("button", "Copy", type="button", class_="copy", data_copy=command, aria_label=words)
            params = [run["params"].get(key) for key in keys]
            rows.append([name, *run["values"], *params, copy if command else None])
        found = self._box("Runs that none beats", table(heads, rows))
        more = f" The first {_FRONT} of {len(front)} stand here." if len(front) > _FRONT else ""
        words = f"{len(front)} runs are beaten by no other in every objective: the Pareto front.{more}"
        charts = [self._chart(chart, heading=True) for chart in figures.fronts(facts)]
        return self._section("best", "The best", tag("p", words), charts, found)

    def _box(self, label: str, content: Markup, kind: str = "box") -> Markup:
        """Return a table or a chart in a box of its own, which scrolls where it is too wide."""
        return tag("div", content, class_=kind, tabindex=0, role="region", aria_label=f"{label}{self.of}")

    # ---- how good are the rest

    def _history(self) -> list[Markup | None]:
        found = [
            self._one(f"score{at}", figures.history(self.facts, at))
            for at in range(len(self.facts.objectives))
        ]
        return found if any(found) else [self._no_scores()]

    def _no_scores(self) -> Markup | None:
        notes = dict.fromkeys(run["note"] for run in self.facts.runs if run["note"])
        if not self.facts.runs:
            return None
        said = tag("ul", [tag("li", note) for note in list(notes)[:5]]) if notes else None
        return self._section("score", "Score over time", tag("p", "There are no scores to draw."), said)

    def _parameters(self) -> list[Markup]:
        facts = self.facts
        if not facts.varied:
            return []
        found = [
            self._section(
                "parameters", "Parameters", self._box("Table of parameters", self._parameter_table())
            )
        ]
        for at, objective in enumerate(facts.objectives):
            of = f" for {objective.name}" if facts.several else ""
            chart = figures.importance(facts, at)
            if chart is not None:
                found.append(self._section(f"importance{at}", f"Importance{of}", self._chart(chart)))
            slices, words = figures.slices(facts, at)
            charts = [self._chart(each, heading=True) for each in slices]
            if charts:
                title = f"Each parameter against {objective.name if facts.several else 'the score'}"
                grid = tag("div", charts, class_="multiples")
                found.append(self._section(f"slices{at}", title, tag("p", words), grid))
        return found

    def _parameter_table(self) -> Markup:
        """Return a table of what was searched, and what the best tenth of the runs had."""
        facts = self.facts
        shares = facts.importances[0] if not facts.several else {}
        best = facts.best()
        ranks = [at for standing in facts.standings() for at in standing.runs] if not facts.several else []
        tenth = ranks[: max(len(ranks) // 10, 1)] if len(ranks) >= 10 else []
        heads = ["parameter", "space", "runs"]
        heads += ["importance"] if shares else []
        heads += ["best run"] if best is not None else []
        heads += [f"best {len(tenth)} runs"] if tenth else []
        rows: list[list[object]] = []
        for varied in facts.varied:
            row: list[object] = [
                varied.key,
                varied.space or _range(varied, list(varied.values)),
                len(varied.values),
            ]
            row += [f"{shares[varied.key]:.0%}" if varied.key in shares else None] if shares else []
            row += [varied.values.get(best)] if best is not None else []
            row += [_range(varied, tenth)] if tenth else []
            rows.append(row)
        return table(heads, rows)

    def _curves(self) -> Markup | None:
        charts = [self._chart(chart, heading=True) for chart in figures.curves(self.facts)]
        return self._section("curves", "Learning curves", charts) if charts else None

    # ---- all of it

    def _runs(self) -> Markup:
        if not self.facts.runs:
            return self._section("runs", "Runs", tag("p", "No run has started yet."))
        name = f"s{self.number}-filter"
        label = tag(
            "label",
            "Filter ",
            tag("input", id=name, type="search", placeholder="failed model=gbm"),
            for_=name,
        )
        hint = tag(
            "span", "Words that a run must have: failed, model=gbm, a part of an error.", class_="hint"
        )
        count = tag("output", class_="count", for_=name)
        box = self._box("Table of runs", tag("table", class_="runs"))
        more = tag("button", "Show all", type="button", class_="more", hidden=True)
        bar = tag("div", label, hint, count, class_="filter")
        missing = tag("noscript", tag("p", "The table and the charts need JavaScript."))
        return self._section(
            "runs", "Runs", missing, tag("div", bar, box, more, class_="table", data_sweep=self.number)
        )

    def _config(self) -> Markup | None:
        if not self.facts.config:
            return None
        summary = tag("summary", "The composed config, before what a run changes")
        code = tag("pre", tag("code", self.facts.config), tabindex=0)
        details = tag("details", summary, code, id=f"s{self.number}-yaml")
        return self._section("config", "Config", details)


def _time(text: str | None) -> str:
    return text[:19].replace("T", " ") if text else ""


def _exact(value: Any) -> str:
    return repr(value) if isinstance(value, float) else show_param(value)


def _range(varied: Varied, places: Sequence[int]) -> str:
    """Return words for the values of some runs: from the least to the greatest, or the choices by count."""
    values = [varied.values[at] for at in places if at in varied.values]
    if not values:
        return ABSENT
    if varied.numbers:
        low, high = min(values), max(values)
        return show_param(low) if low == high else f"{show_param(low)} to {show_param(high)}"
    counts: dict[str, int] = {}
    for value in values:
        counts[show_param(value)] = counts.get(show_param(value), 0) + 1
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    said = ", ".join(f"{name} ({count})" if len(counts) > 1 else name for name, count in ordered[:6])
    return said + (f", and {len(ordered) - 6} more" if len(ordered) > 6 else "")


# -------------------------------------------------------------------------------------- several sweeps


def names_of(sweeps: Sequence[Facts]) -> list[str]:
    """Return what sweeps are called: their names, with their ids where names are alike."""
    names = [str(facts.row["name"] or facts.row["id"]) for facts in sweeps]
    return [n if names.count(n) == 1 else f"{n} ({f.row['id']})" for n, f in zip(names, sweeps, strict=True)]


def comparison(sweeps: Sequence[Facts], texts: Sequence[Text]) -> tuple[Markup, list[Chart]]:
    """Return the table of the sweeps' bests, and the charts of how they came to them."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for at, facts in enumerate(sweeps):
        if not facts.several:
            groups.setdefault(facts.objectives, []).append(at)
    charts = [
        figures.compared([sweeps[at] for at in group], [texts[at].name for at in group])
        for group in groups.values()
    ]
    heads = ["sweep", "search", "objective", "runs", "failed", "time", "best", "of run", "params"]
    rows: list[list[object]] = []
    for text, facts in zip(texts, sweeps, strict=True):
        best, seconds = facts.best(), text.seconds()
        score = facts.standings()[0].score if best is not None else None
        run = facts.runs[best] if best is not None else {"number": None, "params": {}}
        rows.append([
            tag("a", text.name, href=f"#s{text.number}"), facts.row["search"],
            ", ".join(objective.describe() for objective in facts.objectives), len(facts.runs),
            sum(each["status"] == FAILED for each in facts.runs),
            None if seconds is None else duration(seconds), score, run["number"],
            " ".join(f"{key}={show_param(value)}" for key, value in run["params"].items()),
        ])  # fmt: skip
    found = table(heads, rows)
    box = tag("div", found, class_="box", tabindex=0, role="region", aria_label="Table of bests")
    return box, [chart for chart in charts if chart is not None]


def footer() -> Markup:
    """Return who wrote the page, and when."""
    return tag("footer", tag("p", f"Written by sweeper {__version__} at {_time(now())}."))
