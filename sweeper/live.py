"""The view at the foot of a terminal: a bar, the runs that go on, the best so far.

A thread draws it, at most four times a second, in one write each; the loop only keeps its `Progress`. The
lines of a view, and whatever this process and those it starts print meanwhile, appear above. The cursor
is never hidden and the terminal never set otherwise, so that nothing is left behind, whatever ends us.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TextIO, TypeAlias

from .view import Progress, Running, View, clock, latest, params_line

_EVERY = 0.25  # seconds between drawings
_RUNS = 8  # that are shown, at most
_BAR = 24  # columns
_Part: TypeAlias = str | tuple[str, str]  # of a line: a text, or one with its style
_STATUS = re.compile(r"(?P<head>^run +\d+  )(?P<status>[A-Z]+)(?P<rest>[^*]*)(?P<best>\*)?")
_COLOURS = {"FAILED": "red", "PRUNED": "yellow", "CANCELLED": "yellow"}


def view_for(
    progress: Progress, *, stream: TextIO | None = None, quiet: bool = False, shared: bool = False
) -> View:
    """Return the view that suits where its lines go.

    Args:
        progress: what it shows.
        stream: where it writes to, if not the standard output.
        quiet: whether the last line is all.
        shared: whether runs themselves use the terminal.
    """
    kind: type[View] = View
    if not (quiet or shared):
        if is_live(stream or sys.stdout):
            kind = LiveView
        elif stream is None and in_notebook():
            from .notebook import NotebookView

            kind = NotebookView
    return kind(progress, stream=stream, quiet=quiet)


def is_live(stream: TextIO) -> bool:
    """Whether a stream is a terminal that somebody looks at, and that can move its cursor."""
    continuous = os.environ.get("CI", "").lower() not in ("", "0", "false")
    able = os.environ.get("TERM") not in ("dumb", "unknown") and hasattr(os, "pread")  # Windows has none
    return stream.isatty() and able and not continuous


def in_notebook() -> bool:
    """Whether this process is a notebook's."""
    python = sys.modules.get("IPython")
    return getattr(python and python.get_ipython(), "kernel", None) is not None


class LiveView(View):
    """The lines of a sweep, and below them how it is."""

    foot: _Foot | None = None

    def begin(self, headline: str) -> None:
        """Say what begins, and show how it goes on."""
        super().begin(headline)
        self.foot = _Foot(self.stream, self.progress)
        self.foot.begin()

    def line(self, text: str) -> None:
        """Print a line above what moves."""
        if self.foot is not None:
            self.foot.lines.append(text)
        else:
            super().line(text)

    def close(self) -> None:
        """Take away what moves, and leave the lines."""
        foot, self.foot = self.foot, None
        if foot is not None:
            foot.end()


class _Foot(threading.Thread):
    """What moves at the foot of a terminal, and the thread that draws it."""

    def __init__(self, stream: TextIO, progress: Progress) -> None:
        super().__init__(name="sweeper-view", daemon=True)
        from rich.console import Console

        self.progress = progress
        self.lines: deque[str] = deque()  # to be printed above
        self.over = threading.Event()
        self.drawn: list[int] = []  # the widths of the lines that stand there now
        self.columns = 0  # of the terminal, then
        self.gone = False  # the terminal is
        self.others = _Others(stream)
        self.terminal = open(os.dup(stream.fileno()), "wb", buffering=0)  # noqa: SIM115  closed by end()
        self.encoding = stream.encoding or "utf-8"
        self.console = Console(
            file=open(os.devnull, "w", encoding=self.encoding),  # noqa: SIM115  it is captured
            force_terminal=True, highlight=False, markup=False, emoji=False, soft_wrap=True,
        )  # fmt: skip

    def begin(self) -> None:
        """Take the terminal over."""
        self.others.begin()
        self.start()

    def run(self) -> None:
        """Draw until the end."""
        self.draw()
        while not (self.over.wait(_EVERY) or self.gone):
            self.draw()

    def draw(self, *, last: bool = False) -> None:
        """Draw anew what has changed; at last leave nothing but the lines."""
        above = [*self.others.read(whole=last), *(self.lines.popleft() for _ in range(len(self.lines)))]
        try:
            columns, rows = os.get_terminal_size(self.terminal.fileno())
            columns, rows = columns or 80, rows or 24
            shown = [] if last else frame(self.progress, time.time(), columns - 1, rows - 1, self.encoding)
            self._write(above, shown, columns)
        except OSError:  # the terminal is gone
            self.gone = True

    def _write(self, above: Sequence[str], shown: Sequence[Any], columns: int) -> None:
        # Where the terminal is narrower now, lines that stood there have become several.
        up = sum(max(1, -(-width // columns)) for width in self.drawn[:-1])
        text = ["\x1b[?2026h\r", f"\x1b[{up}A" if up else ""]  # all at once, where a terminal knows how
        if above or columns != self.columns:  # a terminal knows of each line whether it goes on in the next
            text += ["\x1b[J", *(f"{self._above(line)}\n" for line in above)]
        text += ["\n".join(f"{self._coded(line)}\x1b[K" for line in shown), "\x1b[J\r\x1b[?2026l"]
        self.drawn, self.columns = [line.cell_len for line in shown], columns
        left = "".join(text).encode(self.encoding, "replace")
        while left:
            left = left[self.terminal.write(left) :]

    def _above(self, line: str) -> str:
        plain = line.isprintable() and not any(status in line for status in _COLOURS) and " *" not in line
        return line if plain else self._coded(_coloured(line))

    def _coded(self, line: Any) -> str:
        with self.console.capture() as captured:
            self.console.print(line, end="")
        return str(captured.get())

    def end(self) -> None:
        """Leave the terminal as it was, with all the lines."""
        self.others.end()
        self.over.set()
        if self.is_alive():
            self.join()
        self.draw(last=True)
        self.others.close()
        self.terminal.close()
        self.console.file.close()


class _Others:
    """What is printed to the terminal by others than the view: kept, to be shown above it.

    It is caught below Python, so that loggers that hold a stream, C code and processes that this one
    starts are caught too; and in a file, so that nobody ever waits for a reader.
    """

    def __init__(self, stream: TextIO) -> None:
        own = os.fstat(stream.fileno())
        self.numbers = [n for n in (1, 2) if _is_same(n, own)]
        self.saved: list[int] = []
        self.encoding = stream.encoding or "utf-8"
        self.file = os.memfd_create("sweeper") if hasattr(os, "memfd_create") else _temporary()
        self.rest, self.at = b"", 0  # what is read of a line without its end, and how far

    def begin(self) -> None:
        _flush()
        _append_only(self.file)
        self.saved = [os.dup(number) for number in self.numbers]
        for number in self.numbers:
            os.dup2(self.file, number)

    def read(self, *, whole: bool) -> list[str]:
        """Return the lines that are complete; the whole at the end."""
        data = self.rest
        while more := os.pread(self.file, 1 << 16, self.at):
            self.at += len(more)
            data += more
        lines = data.split(b"\n")
        self.rest = b"" if whole else lines.pop()
        if whole and not lines[-1]:
            lines.pop()
        return [line.decode(self.encoding, "replace").rstrip("\r") for line in lines]

    def end(self) -> None:
        _flush()
        for number, before in zip(self.numbers, self.saved, strict=True):
            os.dup2(before, number)
            os.close(before)
        self.saved, self.numbers = [], []

    def close(self) -> None:
        os.close(self.file)


def _is_same(number: int, own: os.stat_result) -> bool:
    try:
        found = os.fstat(number)
    except OSError:
        return False
    return os.isatty(number) and found.st_rdev == own.st_rdev


def _temporary() -> int:
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _append_only(number: int) -> None:
    """See that all who write to a file write behind each other."""
    import fcntl

    fcntl.fcntl(number, fcntl.F_SETFL, fcntl.fcntl(number, fcntl.F_GETFL) | os.O_APPEND)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with suppress(OSError, ValueError):  # closed, or its terminal is gone
                stream.flush()


# ------------------------------------------------------------------------------------- what is drawn


def frame(progress: Progress, now: float, columns: int, rows: int, encoding: str = "utf-8") -> list[Any]:
    """Return the lines that show how far a sweep is, as rich texts, each fit for the columns."""
    from rich.text import Text

    def line(*parts: _Part) -> Text:
        made = Text.assemble(*parts)
        made.truncate(columns, overflow="ellipsis")
        return made

    running = sorted(progress.running.values(), key=lambda run: run.number)
    room = max(0, min(_RUNS, rows - 3))  # beside the bar, the best and the number of more
    if len(running) == room + 1 <= _RUNS:
        room += 1
    found = [line(*_bar(progress, encoding, columns), *_counts(progress, now))]
    found += [line(*_going(run, now, running)) for run in running[:room]]
    if len(running) > room:
        words = f"and {len(running) - room} more" if room else f"{len(running)} running"
        found.append(line((f"  {words}", "dim")))
    if progress.best is not None:
        best = progress.best
        found.append(
            line(
                "  best ", (f"{best.score:.6g}", "bold green"), f"  run {best.first.number}  ",
                (params_line(best.first.params), "dim"),
            )
        )  # fmt: skip
    return found[: max(1, rows)]


def _bar(progress: Progress, encoding: str, columns: int) -> list[_Part]:
    if not progress.total:
        return []
    full, empty = ("━", "─") if encoding.lower().replace("-", "").startswith("utf") else ("#", ".")
    width = min(_BAR, columns // 4)
    done = min(width, width * progress.ended // progress.total)
    colour = "red" if progress.failed == progress.ended > 0 else "green"
    return ["  ", (full * done, colour), (empty * (width - done), "dim"), "  "]


def _counts(progress: Progress, now: float) -> list[_Part]:
    total = f"/{progress.total}" if progress.total is not None else ""
    parts: list[_Part] = [(f"{progress.ended}{total}", "bold"), " runs"]
    for count, word in progress.apart():
        parts += [" · ", (f"{count} {word}", _COLOURS[word.upper()])]
    left = progress.left(now)
    if left is not None and (progress.running or progress.ended != progress.total):
        parts.append(f" · {clock(left)} left")
    return parts if progress.total else ["  ", *parts]


def _going(run: Running, now: float, running: Sequence[Running]) -> list[_Part]:
    """Return a row: its columns are as wide as the running runs need."""
    numbers = max(len(str(each.number)) for each in running)
    widest = max(len(latest(each)) for each in running)
    return [
        f"  run {run.number:>{numbers}}  {clock(now - run.since):>6}  ",
        (f"{latest(run):<{widest}}", "cyan"),
        "  " if widest else "",
        (params_line(run.params), "dim"),
    ]


def _coloured(line: str) -> Any:
    """Return the line of a run that has ended with its status in colour, and the mark of a best."""
    from rich.text import Text

    found = _STATUS.match(line)
    text = Text(line)
    if found is None:
        return Text.from_ansi(line) if "\x1b" in line else text
    if found["status"] in _COLOURS:
        text.stylize(_COLOURS[found["status"]], *found.span("status"))
    if found["best"]:
        text.stylize("bold green", *found.span("best"))
    return text
