"""What the benchmarks share: environments of the peers, commands by turns, and how a result is kept.

A result is a JSON file: `about`, what it was measured on; `rows`, a mapping a row of its table; `figure`,
how the page of the documentation draws them; `marks`, what was to be reached, and what was.
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

import sweeper

ROOT = Path(sweeper.__file__).parents[1]
PEERS = {
    "hydra": ("hydra-core==1.3.8", "hydra-joblib-launcher==1.2.0", "hydra-optuna-sweeper==1.3.0"),
    "lerna": ("lerna==2.2.1",),
}

PROGRAM = """
import {module}

@{module}.main(config_path="conf", config_name="config", version_base="1.3")
def train(cfg):
    return 1.0

if __name__ == "__main__":
    train()
"""


def peer(name: str) -> str:
    """Return the Python of an environment with a peer, made in .venvs if there is none."""
    python = ROOT / ".venvs" / f"peer-{name}" / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(python.parents[1])], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *PEERS[name]], check=True)
    return str(python)


class Cost(NamedTuple):
    """What a command took."""

    seconds: float
    own: float  # CPU seconds of its process, without its children
    memory: float  # MB that its process held at most, or the largest of its children
    printed: str


def run(words: Sequence[str], folder: Path | str, *, ours: bool = True, code: int = 0) -> Cost:
    """Run a command in a folder and return what it took; `ours` says that it imports sweeper from here."""
    environment = user_environment(ours=ours)
    began = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(words, cwd=folder, env=environment, stdout=output, stderr=output)
        own = _own_seconds(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        printed = output.read().decode(errors="replace")
    if process.returncode != code:
        sys.exit(f"{' '.join(words)}\nended with {process.returncode}:\n{printed[-2000:]}")
    return Cost(seconds, own, usage.ru_maxrss / 1024, printed)


def user_environment(*, ours: bool = True) -> dict[str, str]:
    """Return the environment of what is measured: one thread of BLAS, this sweeper or none."""
    fixed = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT) if ours else "", "PYTHONWARNINGS": "ignore"}
    return {**os.environ, **fixed}


def _own_seconds(pid: int) -> float:
    """Wait for a process, and return the CPU time that it alone has taken, where /proc tells."""
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # ended, and still to be looked at
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return 0.0
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def by_turns(contenders: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Return what each contender gives, asked in turn, round after round: what else goes on befalls all."""
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, ask in contenders.items():
            found[name].append(ask())
    return found


def ratio(of: Sequence[float], to: Sequence[float]) -> float:
    """Return the median of what pairs of the same round come to; NaN where none took any time."""
    found = [a / b for a, b in zip(of, to, strict=True) if b]
    return statistics.median(found) if found else math.nan


class Mark(NamedTuple):
    """Something to be reached: at most so much, or at least."""

    what: str
    measured: float
    most: float | None = None
    least: float | None = None

    @property
    def met(self) -> bool:
        """Whether it is."""
        over = self.most is not None and self.measured > self.most
        return not over and not (self.least is not None and self.measured < self.least)

    def data(self) -> dict[str, Any]:
        """Return what is kept of it."""
        bound = f"at most {self.most:g}" if self.most is not None else f"at least {self.least:g}"
        return {"what": self.what, "mark": bound, "measured": rounded(self.measured), "met": self.met}


def rounded(value: Any) -> Any:
    """Return a number with four digits, None for NaN; anything else as it is."""
    if isinstance(value, float) and math.isnan(value):
        return None
    return float(f"{value:.4g}") if isinstance(value, float) else value


def about(*packages: str, **more: Any) -> dict[str, Any]:
    """Return on what, and when, something was measured."""
    return {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {name: importlib.metadata.version(name) for name in ("sweeper", *packages)},
        **more,
    }


def bars(row: str, value: str, *, log: bool = False) -> dict[str, Any]:
    """Return how to draw a value of each row as a bar."""
    return {"kind": "bars", "row": row, "value": value, "log": log}


def lines(x: str, y: str, by: str) -> dict[str, Any]:
    """Return how to draw a value against another, a line for each kind of row; both in logarithms."""
    return {"kind": "lines", "x": x, "y": y, "by": by}


def keep(
    path: Path | None,
    about: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    figure: Mapping[str, Any] | None = None,
    marks: Sequence[Mark] = (),
    *,
    shown: bool = True,
) -> None:
    """Print rows and marks, and write them where that is asked for."""
    rows = [{key: rounded(value) for key, value in row.items()} for row in rows]
    for row in rows if shown else ():
        cells = {key: value for key, value in row.items() if not isinstance(value, (list, tuple))}
        print("  ".join(f"{key} {value}" for key, value in cells.items()))
    for mark in marks:
        kept = mark.data()
        print(f"{'met' if mark.met else 'MISSED'}: {mark.what}: {kept['measured']:g}, {kept['mark']}")
    if path is not None:
        listed = ",\n  ".join(json.dumps(row) for row in rows)
        marked = ",\n  ".join(json.dumps(mark.data()) for mark in marks)
        path.write_text(
            f'{{"about": {json.dumps(about)},\n "figure": {json.dumps(figure)},\n'
            f' "marks": [\n  {marked}\n ],\n "rows": [\n  {listed}\n ]}}\n'
        )
