"""The view in a notebook: a bar, the runs that go on and the best so far, in place; lines for what failed.

Plain HTML in a display of its own, so that it needs no widgets and stands in the saved notebook. The runs
themselves are in the table that the result shows.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from html import escape
from typing import Any

from .results import RunResult
from .view import Progress, View, clock, final, latest, params_line

_EVERY = 0.5  # seconds between drawings
_RUNS = 8  # that are shown, at most


class NotebookView(View):
    """The lines of what failed, and above them how the sweep is."""

    _shown: Any = None
    _drawer: threading.Thread | None = None

    def begin(self, headline: str) -> None:
        """Say what begins, and show how it goes on."""
        from IPython.display import HTML, display

        super().begin(headline)
        self._shown = display(HTML(progress_html(self.progress, time.time())), display_id=True)
        self._over = threading.Event()
        self._drawer = threading.Thread(target=self._draw, name="sweeper-view", daemon=True)
        self._drawer.start()

    def ended(self, run: RunResult, log: str) -> None:
        """Say what came of a run, if there is more to say than its score."""
        if run.outcome.error or run.outcome.note:
            super().ended(run, log)

    def last(self, lines: Sequence[str]) -> None:
        """Print what was found; the rest is for a command line."""
        super().last(final(lines))

    def _draw(self) -> None:
        while not self._over.wait(_EVERY):
            self._update()

    def _update(self) -> None:
        from IPython.display import HTML

        self._shown.update(HTML(progress_html(self.progress, time.time())))

    def close(self) -> None:
        """Show how it is at the end."""
        drawer, self._drawer = self._drawer, None
        if drawer is not None:
            self._over.set()
            drawer.join()
            self._update()


def progress_html(progress: Progress, now: float) -> str:
    """Return HTML that shows how far a sweep is."""
    total = f"/{progress.total}" if progress.total is not None else ""
    parts = [f"<b>{progress.ended}{total}</b> runs"]
    parts += [f"{count} {word}" for count, word in progress.apart()]
    left = progress.left(now)
    if left is not None and progress.running:
        parts.append(f"{clock(left)} left")
    bar = f'<progress value="{progress.ended}" max="{progress.total}"></progress> ' if progress.total else ""
    lines = [bar + " · ".join(parts)]
    running = sorted(progress.running.values(), key=lambda run: run.number)
    for run in running[:_RUNS]:
        words = [f"run {run.number}", clock(now - run.since), latest(run), params_line(run.params)]
        lines.append(escape("  ".join(word for word in words if word)))
    if len(running) > _RUNS:
        lines.append(f"and {len(running) - _RUNS} more")
    if progress.best is not None:
        best = progress.best
        params = escape(params_line(best.first.params))
        lines.append(f"best <b>{best.score:.6g}</b>  run {best.first.number}  {params}")
    return f'<div style="font-family: monospace; white-space: pre-wrap">{"<br>".join(lines)}</div>'
