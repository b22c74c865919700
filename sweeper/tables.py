"""Tables for a terminal: columns that line up, cut to its width."""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from .view import show_param


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = (), *, width: int | None = None) -> str:
    """Return rows as a table, the columns in the order in which rows first have them.

    Columns without any value are left out, and numbers stand to the right. On a terminal lines are cut
    to its width, unless another is given; elsewhere they are whole.

    >>> print(table([{"lr": 0.1, "model": "gbm"}, {"lr": 0.001, "model": "ridge"}], width=0))
       lr  model
      0.1  gbm
    0.001  ridge
    """
    names = list(columns) or list(dict.fromkeys(name for row in rows for name in row))
    names = [name for name in names if any(row.get(name) not in (None, "") for row in rows)]
    if width is None:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    lines = [names, *([_cell(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(names))]
    right = [all(_is_number(row.get(name)) for row in rows) for name in names]
    return "\n".join(_cut(_line(line, widths, right), width) for line in lines)


def _cell(value: Any) -> str:
    return "" if value is None else " ".join(show_param(value).split())


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    pairs = zip(cells, widths, right, strict=True)
    return "  ".join(text.rjust(w) if number else text.ljust(w) for text, w, number in pairs).rstrip()


def _cut(line: str, width: int) -> str:
    return line if not width or len(line) <= width else line[: width - 1] + "…"


def json_text(value: Any) -> str:
    """Return a value as JSON, which knows no infinity: such numbers are the texts inf, -inf and nan."""
    import json

    return json.dumps(_finite(value), indent=2, default=str, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, (list, tuple)) else value
