"""What does the embedded tracker cost, and how quickly does it answer?

Runs with 20 params and 100 metric points each are told to the tracker as a sweep tells them, in this
process; then `sweeper` lists them, each time as a whole process. Beside it the time of an empty Python
process that imports omegaconf, which the command does too.

    python benchmarks/database.py --runs 10000 --out benchmarks/results/database.json
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from common import about, bars, keep, run

from sweeper.records import COMPLETED, FAILED, FunctionRef, Job, Outcome, now
from sweeper.track import SweepRecord
from sweeper.track.sqlite import Sqlite

PARAMS, POINTS = 20, 100
QUESTIONS = {
    "ls": ["ls"],
    "ls SWEEP": ["ls", "last"],
    "ls status=FAILED": ["ls", "status=FAILED"],
    "ls params.p3<0.01": ["ls", "params.p3<0.01"],
    "ls --sort score": ["ls", "last", "--sort", "score"],
    "ls --sort metrics.loss": ["ls", "last", "--sort", "metrics.loss"],
    "best": ["best"],
    "show": ["show", "last/77"],
}


def fill(folder: str, runs: int) -> tuple[float, float]:
    """Return the wall and CPU seconds that it takes to tell of so many runs."""
    record = SweepRecord("20260101-000000-aaaaaa", "bench", folder, now(), search="random", folder=folder)
    wall, cpu = time.perf_counter(), time.process_time()
    tracker = Sqlite(record)
    for number in range(runs):
        params = {f"p{at}": (number * 7919 + at * 104729) % 10007 / 10007 for at in range(PARAMS)}
        job = Job(
            number, 1, f"{folder}/{number}", {}, FunctionRef("train", "train"), params,
            tuple(f"{key}={value}" for key, value in params.items()), sweep_id=record.id,
            sweep_directory=folder, seed=number,
        )  # fmt: skip
        tracker.start(job)
        for step in range(POINTS):
            tracker.log(job, {"loss": params["p0"] + 1 / (step + 1)}, step, 1e9 + step)
        status = FAILED if number % 10 == 9 else COMPLETED
        score = params["p0"] if status == COMPLETED else None
        tracker.finish(job, Outcome(status, score, {"loss": params["p0"] + 0.01}, started=now(), ended=now()))
        if number % 40 == 39:  # as often as a sweep of 5 ms a run does
            tracker.flush()
    tracker.close(COMPLETED)
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = fill(folder, args.runs)
        size = sum(os.path.getsize(entry) for entry in os.scandir(folder))
        asked = {"import omegaconf": ["-c", "import omegaconf"]}
        asked |= {f"sweeper {name}": ["-m", "sweeper", *words] for name, words in QUESTIONS.items()}
        rows = []
        for name, words in asked.items():
            costs = [run([sys.executable, *words], folder) for _ in range(args.repeats)]
            rows.append({"asked": name, "ms": 1e3 * statistics.median(cost.seconds for cost in costs)})
    told = {
        "ms a run": round(wall / args.runs * 1e3, 3),
        "CPU ms a run": round(cpu / args.runs * 1e3, 3),
        "kB a run": round(size / args.runs / 1e3, 2),
    }
    print(told)
    said = about(runs=args.runs, params=PARAMS, points=POINTS, repeats=args.repeats, writing=told)
    keep(args.out, said, rows, bars("asked", "ms"))


if __name__ == "__main__":
    main()
