"""A page on sweeps: one HTML file that needs nothing else, for a browser without a network.

    facts      what is known of a sweep, as plain data
    figures    the charts of it, as plotly reads them
    markup     the text, in which all that people typed is escaped
    page.*     what the page looks like, and what its script does

plotly's own script goes in compressed, once.
"""

from __future__ import annotations

import base64
import gzip
import os
import re
import secrets
import time
from collections.abc import Sequence
from functools import cache
from typing import Any

from .. import yamls
from ..errors import RecordError, UsageError
from ..journal import is_driven
from ..ledger import Ledger
from .facts import Facts, read_facts
from .markup import Markup, Text, comparison, embedded, footer, join, names_of, tag

EVERY_SECONDS = 2.0  # between two looks at a running sweep
_SHARE = 0.1  # of the time that writing pages may take


def write_page(sweeps: Sequence[Facts], path: str, *, live: bool = False) -> None:
    """Write the page on some sweeps; a live one reloads itself.

    Raises:
        UsageError: if plotly is not installed.
        RecordError: if the file cannot be written.
    """
    text = page(sweeps, os.path.dirname(os.path.abspath(path)), live=live)
    try:
        yamls.write_text(path, text)
    except OSError as error:
        raise RecordError(
            f"Cannot write {path}: {error.strerror}", hint="Name another file with --out FILE."
        ) from None


def page(sweeps: Sequence[Facts], folder: str, *, live: bool = False) -> str:
    """Return the page on some sweeps, for a folder that its links start from."""
    script = _plotly()
    alone = len(sweeps) == 1
    names = names_of(sweeps)
    texts = [Text(facts, names[at], at, folder, 1 if alone else 2) for at, facts in enumerate(sweeps)]
    articles = [text.article() for text in texts]
    title, charts = texts[0].name, list[Any]()
    if not alone:
        title = f"{len(sweeps)} sweeps"
        table, found = comparison(sweeps, texts)
        charts = [chart.figure for chart in found]
        drawn = [_compared(chart.title, chart.words, chart.figure, at) for at, chart in enumerate(found)]
        heading = tag("h1", f"{len(sweeps)} sweeps compared")
        articles = [join([heading, tag("section", tag("h2", "Their bests"), table, drawn)]), *articles]
    nonce = secrets.token_urlsafe(12)
    data = [{**text.data(), "best": facts.best()} for text, facts in zip(texts, sweeps, strict=True)]
    parts: dict[str, str] = {
        "title": join([f"{title} · sweeper"]),
        "live": " data-live" if live else "",
        "nonce": nonce,
        "style": _own("page.css"),
        "content": join(articles),
        "footer": footer(),
        "data": embedded({"sweeps": data, "charts": charts}),
        "script": _own("page.js"),
        "plotly": script,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _own("page.html"))


def _compared(title: str, words: str, figure: dict[str, Any], at: int) -> Markup:
    drawn = tag(
        "div", class_="chart", data_sweep=-1, data_figure=at, role="group", aria_label=f"Chart: {title}",
        style=f"height:{figure['layout']['height']}px",
    )  # fmt: skip
    return tag("figure", tag("h3", title), drawn, tag("figcaption", words))


@cache
def _own(name: str) -> str:
    with open(os.path.join(os.path.dirname(__file__), name), encoding="utf-8") as file:
        return file.read()


@cache
def _plotly() -> str:
    """Return plotly's script, compressed: 2 MB in the place of 5."""
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise UsageError(
            "The page's charts need plotly", hint="Install it with: pip install 'sweeper[report]'"
        ) from None
    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode()


def watch_page(ledger: Ledger, names: Sequence[str], path: str) -> None:
    """Write a page anew whenever there is something new, until none of its sweeps runs any more.

    Whoever looks at the page sees it reload itself; the last one written does not.
    """
    seen, sweeps = -1, list[Facts]()
    try:
        while True:
            began, version = time.monotonic(), ledger.version()
            if version != seen or not all(is_driven(f.directory) for f in sweeps if f.running):
                before, seen = sweeps, version
                sweeps = _read(ledger, names)
                if before and not any(facts.running for facts in sweeps):
                    _wait(sweeps)
                    sweeps = _read(ledger, names)
                live = any(facts.running for facts in sweeps)
                write_page(sweeps, path, live=live)
                if not live:
                    return
            time.sleep(max(EVERY_SECONDS, (time.monotonic() - began) / _SHARE))
    except KeyboardInterrupt:
        write_page(sweeps or _read(ledger, names), path)
        raise


def _read(ledger: Ledger, names: Sequence[str]) -> list[Facts]:
    return [read_facts(ledger, ledger.find_sweep(name)) for name in names]


def _wait(sweeps: Sequence[Facts], seconds: float = 5.0) -> None:
    """Wait until what drove the sweeps has written its last lines too."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and any(is_driven(facts.directory) for facts in sweeps):
        time.sleep(0.1)
