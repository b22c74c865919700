"""The page on speed and scale, made from what benchmarks/results holds whenever the site is built; a hook.

Each benchmark says itself, in its docstring, what it asks and of what; the page has its rows, its marks,
and a figure of each, drawn by matplotlib.
"""

from __future__ import annotations

import ast
import io
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

BENCHMARKS = os.path.join(os.path.dirname(__file__), "..", "benchmarks")
PAGE = "speed.md"
# In this order; every benchmark has its place, which a test holds.
ORDER = (
    "startup", "composing", "overhead", "trackers", "large_grid", "history", "database", "idle", "asking",
    "search_quality", "early_stopping",
)  # fmt: skip
HEAD = """# Speed and scale

What is measured here is measured by the scripts in `benchmarks/`, one a question, and this page is made
from what they have kept. Contenders take turns on one machine, so that what else it does befalls all: read
the ratios, not the digits. Install with `pip install '.[test,mlflow]'`; a flag `--peers` makes environments
with Hydra and lerna.

"""


def page() -> str:
    """Return the page."""
    return HEAD + "\n".join(_section(name) for name in ORDER)


def images() -> dict[str, str]:
    """Return the figures: SVG by the path that the page shows it at."""
    return {f"speed/{name}.svg": _svg(_result(name)) for name in ORDER}


def _result(name: str) -> dict[str, Any]:
    with open(f"{BENCHMARKS}/results/{name}.json", encoding="utf-8") as file:
        found: dict[str, Any] = json.load(file)
    return found


def _section(name: str) -> str:
    with open(f"{BENCHMARKS}/{name}.py", encoding="utf-8") as file:
        question, _, more = (ast.get_docstring(ast.parse(file.read())) or "").partition("\n")
    result = _result(name)
    parts = [f"## {question}", *_paragraphs(more), f"![{question}](speed/{name}.svg)"]
    rows = _summary(result["rows"])
    parts.append(_table(rows))
    if result["marks"]:
        marks = [{**mark, "met": "yes" if mark["met"] else "**no**"} for mark in result["marks"]]
        parts.append(_table(marks))
    parts.append(_about(result["about"]))
    return "\n\n".join(parts) + "\n"


def _paragraphs(text: str) -> Iterable[str]:
    """Return the paragraphs of a docstring; what is indented, as code."""
    for paragraph in text.strip("\n").split("\n\n"):
        if paragraph.startswith("    "):
            lines = "\n".join(line.removeprefix("    ") for line in paragraph.splitlines())
            yield f"```text\n{lines}\n```"
        elif paragraph:
            yield paragraph


def _summary(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows without what only a figure shows."""
    return [{k: v for k, v in row.items() if not isinstance(v, list)} for row in rows]


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names, ["---"] * len(names), *([_cell(row.get(name, "")) for name in names] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "\\|")


def _about(about: Mapping[str, Any]) -> str:
    versions = {"Python": about["python"], **about["versions"], **about.get("peers", {})}
    fixed = ("date", "python", "machine", "versions", "peers")
    more = {key: value for key, value in about.items() if key not in fixed}
    said = [f"{key} {_said(value)}" for key, value in more.items()]
    names = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"{about['date']}, {about['machine']}; {names}; {', '.join(said)}."


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{name} {_cell(each)}" for name, each in value.items()) + ")"
    return _cell(value)


# ------------------------------------------------------------------------------------- the figures


def _svg(result: Mapping[str, Any]) -> str:
    """Return the figure that a result asks for."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "sweeper"
    mpl.rcParams["svg.fonttype"] = "none"
    figure, rows, how = Figure(layout="constrained"), result["rows"], result["figure"]
    match how["kind"]:
        case "bars":
            _bars(figure, rows, how)
        case "lines":
            _lines(figure, rows, how)
        case "regrets":
            _regrets(figure, rows)
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def _bars(figure: Any, rows: Sequence[Mapping[str, Any]], how: Mapping[str, Any]) -> None:
    figure.set_size_inches(8, 1 + 0.3 * len(rows))
    axes = figure.subplots()
    values = [row[how["value"]] for row in rows]
    if how["log"]:
        axes.set_xscale("log")
        values = [value if value > 0 else math.nan for value in values]
    names = [str(row[how["row"]]) for row in rows]
    drawn = axes.barh(names, values, color=["C0" if _ours(name) else "0.7" for name in names])
    axes.bar_label(drawn, labels=[_cell(float(value)) for value in values], padding=3)
    axes.invert_yaxis()
    axes.set_xlabel(how["value"])
    axes.margins(x=0.12)


def _ours(name: str) -> bool:
    return not name.startswith(("bare", "hydra", "Hydra", "lerna", "Parallel", "import"))


def _lines(figure: Any, rows: Sequence[Mapping[str, Any]], how: Mapping[str, Any]) -> None:
    figure.set_size_inches(8, 4.5)
    axes = figure.subplots()
    for name in dict.fromkeys(row[how["by"]] for row in rows):
        found = [row for row in rows if row[how["by"]] == name]
        axes.loglog([row[how["x"]] for row in found], [row[how["y"]] for row in found], "o-", label=name)
    axes.set(xlabel=how["x"], ylabel=how["y"])
    figure.legend(loc="outside right upper", fontsize="small")


def _regrets(figure: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Draw the regrets by trial and by time: a row of four for each problem, mean and standard error."""
    problems = {problem: [row for row in rows if row["problem"] == problem] for problem in _problems(rows)}
    figure.set_size_inches(14, 3 * len(problems))
    colours = {name: f"C{at}" for at, name in enumerate(sorted({row["method"] for row in rows}))}
    table = figure.subplots(len(problems), 4, squeeze=False)
    for line, (problem, found) in zip(table, problems.items(), strict=True):
        for row in found:
            across = 0 if row["workers"] == 1 else 2
            trials = list(range(1, row["trials"] + 1))
            for axes, at, pairs in (
                (line[across], trials, row["by_trial"]),
                (line[across + 1], row["seconds"], row["by_time"]),
            ):
                mean = [pair[0] for pair in pairs]
                spread = [0.0 if math.isnan(pair[1]) else pair[1] for pair in pairs]
                low = [max(m - s, m / 10) for m, s in zip(mean, spread, strict=True)]
                high = [m + s for m, s in zip(mean, spread, strict=True)]
                axes.semilogy(at, mean, color=colours[row["method"]], label=row["method"])
                axes.fill_between(at, low, high, color=colours[row["method"]], alpha=0.15)
        line[0].set_ylabel(f"{problem}\nregret, mean ± s.e.")
        line[0].legend(fontsize="x-small")
        for axes, title in zip(line, ("one worker", "", "four workers", ""), strict=True):
            axes.set_title(title)
            axes.sharey(line[0])
        for at, axes in enumerate(line):
            axes.set_xlabel("trials" if at % 2 == 0 else "seconds, of runs that take one in the median")


def _problems(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(row["problem"] for row in rows))


def on_files(files: Any, config: Any) -> Any:
    """Add the page and its figures to the files that MkDocs has found."""
    from mkdocs.structure.files import File

    for path, content in {PAGE: page(), **images()}.items():
        files.append(File.generated(config, path, content=content))
    return files
