"""How long does a search think about its next point, and how does that grow?

Searches that know 10, 100, 1,000 and 10,000 runs of a smooth function of 2 and of 20 numbers are asked
for a point and told of its end, some times over. `optuna`, `optuna-gp` and `skopt-default` are those
libraries as they come. What takes longer than 0.4 seconds is not asked at the next size.

    ms          CPU time of an ask and a tell, of one thread, the mean
    slowest ms  the longest of them: for models, that which fits their parameters anew
    first ms    the first ask after all runs were told: what a resumed sweep waits for

In a sweep an ask goes on in a thread of its own while runs do. `gp` models 400 runs at most, the best
and the latest, so that its time does not grow beyond; `tpe` looks at all, as optuna does.

    python benchmarks/asking.py --out benchmarks/results/asking.json
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from common import Mark, about, keep, lines
from search_quality import Optuna, Ours, SkoptDefault, make_method, space_of, why_not

from sweeper.records import History, Point, Trial
from sweeper.space import Space

ASKED = ("random", "tpe", "gp", "optuna", "optuna-gp", "skopt-default")


def loss(point: Point) -> float:
    return sum((float(value) - 0.3) ** 2 for value in point.values())


def known_trials(space: Space, runs: int) -> list[Trial]:
    """Return so many runs at random points."""
    random = Random(runs)
    points = [{p.name: p.domain.sample(random) for p in space.roots} for _ in range(runs)]
    return [Trial(number, point, loss(point)) for number, point in enumerate(points)]


def tell_all(asked: Ours | Optuna | SkoptDefault, trials: list[Trial]) -> None:
    """Make a search know of runs."""
    if isinstance(asked, Ours):
        asked.ask(History(), 0)  # the first point is any; the history is handed to each ask
    elif isinstance(asked, Optuna):
        import optuna

        within = optuna.distributions.FloatDistribution(0.0, 1.0)
        asked.study.add_trials(
            optuna.create_trial(
                params=dict(trial.point), distributions=dict.fromkeys(trial.point, within), value=trial.loss
            )
            for trial in trials
        )
    elif isinstance(asked, SkoptDefault):
        asked.optimizer.tell([list(t.point.values()) for t in trials], [t.loss for t in trials])


def cpu(call: Callable[[], Any]) -> tuple[Any, float]:
    began = time.process_time()
    found = call()
    return found, 1e3 * (time.process_time() - began)


def measure(method: str, dimensions: int, runs: int, repeats: int) -> dict[str, float]:
    """Return what it takes to ask a search that knows so many runs."""
    space = space_of(" ".join(f"x{at}=interval(0.0,1.0)" for at in range(dimensions)))()
    asked = make_method(method, space, 0)
    ended = known_trials(space, runs)
    _, told = cpu(lambda: tell_all(asked, ended))
    times = []
    for number in range(runs, runs + 1 + repeats):
        point, thought = cpu(lambda number=number: asked.ask(History(tuple(ended)), number))
        trial = Trial(number, point, loss(point))
        ended.append(trial)
        _, took = cpu(lambda trial=trial: asked.tell(trial))
        times.append(thought + took)
    return {
        "ms": statistics.fmean(times[1:]),
        "slowest ms": max(times[1:]),
        "first ms": told + times[0],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--methods", nargs="*", default=list(ASKED), choices=ASKED)
    parser.add_argument("--runs", type=int, nargs="*", default=[10, 100, 1_000, 10_000])
    parser.add_argument("--dimensions", type=int, nargs="*", default=[2, 20])
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--patience", type=float, default=400, help="ms an ask may take to be asked again")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    warnings.simplefilter("ignore")
    for dimensions in args.dimensions:
        for method in args.methods:
            if reason := why_not(method, "branin", 1):
                print(f"{method}: {reason}")
                continue
            measure(method, dimensions, 10, 2)  # imports are not counted
            for runs in args.runs:
                row = {"search": f"{method}, {dimensions}-D", "runs": runs}
                rows.append(row | measure(method, dimensions, runs, args.repeats))
                print(rows[-1], flush=True)
                if rows[-1]["ms"] > args.patience:
                    break
    marks = []
    most = max(args.runs)
    for row in rows:
        if row["search"].startswith("gp") and row["runs"] == most > 1_000:
            before = next(r for r in rows if r["search"] == row["search"] and r["runs"] == 1_000)
            what = f"{row['search']}: an ask at {most:,} runs, of one at 1,000"
            marks.append(Mark(what, row["ms"] / before["ms"], most=2))
    said = about("optuna", "scikit-optimize", "numpy", "scipy", repeats=args.repeats)
    keep(args.out, said, rows, lines("runs", "ms", "search"), marks)


if __name__ == "__main__":
    main()
