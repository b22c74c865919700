"""What does it cost to begin a grid, and does it matter how large it is?

Grids of 1,000 and of 1,000,000 points are begun with two workers and interrupted after some hundred runs.
And `--dry-run` of each is read by `head`, which closes the pipe after ten lines.

    first s     from the command to the moment at which the first run starts
    memory MB   that the launching process holds after the first runs
    head s      `--dry-run | head`, the whole pipe

    python benchmarks/large_grid.py --out benchmarks/results/large_grid.json
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from common import Mark, about, bars, keep, run, user_environment

PROGRAM = """
import sweeper

@sweeper.main(config_path="conf", config_name="config")
def train(cfg):
    return cfg.x + cfg.y

if __name__ == "__main__":
    train()
"""
RUNS = 200  # after which a grid is interrupted


def begin(folder: Path, points: int) -> tuple[float, float]:
    """Begin a grid; return the seconds until its first run, and the MB that it holds after some."""
    here = folder / f"{points}-{time.monotonic_ns()}"
    words = [*command(points), f"sweeper.sweep.dir={here}", "--jobs", "2", "--quiet"]
    began = time.time()
    process = subprocess.Popen(
        words, cwd=folder, env=user_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    journal = here / "sweep.jsonl"
    ended = 0
    while ended < min(RUNS, points // 2):
        time.sleep(0.02)
        if process.poll() is not None:
            sys.exit(f"the grid of {points} points ended by itself")
        events = events_of(journal)
        ended = sum(event["event"] == "end" for event in events)
    memory = memory_of(process.pid)
    process.send_signal(signal.SIGTERM)
    process.wait()
    first = next(event["time"] for event in events if event["event"] == "start")
    return datetime.fromisoformat(first).timestamp() - began, memory


def command(points: int) -> list[str]:
    return [sys.executable, "train.py", "-m", f"x=range({points // 100})", "y=range(100)"]


def events_of(journal: Path) -> list[dict[str, str]]:
    """Return what has happened so far; a line that is being written is left out."""
    if not journal.exists():
        return []
    whole = journal.read_text().rpartition("\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


def memory_of(pid: int) -> float:
    """Return the MB that a process holds, where /proc tells."""
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text().splitlines() if status.exists() else ()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), float("nan"))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, nargs=2, default=[1_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "conf").mkdir()
        (folder / "conf/config.yaml").write_text("x: 0\ny: 0\n")
        (folder / "train.py").write_text(PROGRAM)
        found: dict[int, list[tuple[float, float, float]]] = {points: [] for points in args.points}
        for _ in range(args.rounds):
            for points, measured in found.items():
                first, memory = begin(folder, points)
                pipe = " ".join(f"'{word}'" for word in command(points)) + " --dry-run | head"
                listed = run(["bash", "-c", pipe], folder)
                if len(listed.printed.splitlines()) != 10:
                    sys.exit(f"--dry-run | head prints\n{listed.printed}")
                measured.append((first, memory, listed.seconds))
        for points, measured in found.items():
            first, memory, head = (statistics.median(column) for column in zip(*measured, strict=True))
            rows.append({"points": points, "first s": first, "memory MB": memory, "head s": head})
    small, large = rows
    marks = [
        Mark("the first run of the large grid starts after s", float(large["first s"]), most=1),
        Mark(
            "memory of the large grid, of the small one's",
            float(large["memory MB"]) / float(small["memory MB"]),
            most=1.05,
        ),
    ]
    keep(args.out, about(rounds=args.rounds, runs=RUNS), rows, bars("points", "first s"), marks)


if __name__ == "__main__":
    main()
