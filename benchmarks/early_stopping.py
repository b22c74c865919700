"""What does early stopping cost, and what does it save?

Random points of a small neural network on the digits data are trained in full, or under a pruner:
real sweeps of real processes, 27 epochs a run. A pruner is given more points, since each costs less; the
first ones are the same for all. Counted are the epochs, beside those of the full runs, and the
validation error of the best run.

    python benchmarks/early_stopping.py --seeds 20 --out benchmarks/results/early_stopping.json
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import warnings
from functools import cache
from pathlib import Path
from typing import Any

from common import about, bars, keep

import sweeper

EPOCHS = 27
CONFIG = {"epochs": EPOCHS, "width": 32, "rate": 1e-3, "alpha": 1e-4, "batch": 32, "momentum": 0.9}
SPACE = [
    "width=int(interval(4, 128, log=true))",
    "rate=interval(1e-4, 1, log=true)",
    "alpha=interval(1e-6, 1, log=true)",
    "batch=16,32,64,128",
    "momentum=interval(0, 0.99)",
]


@cache
def digits() -> Any:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    data, target = load_digits(return_X_y=True)
    return train_test_split(data / 16, target, test_size=0.3, random_state=0)


def train(cfg: Any) -> float:
    from sklearn.neural_network import MLPClassifier

    warnings.simplefilter("ignore")  # of rates that diverge
    x, x_valid, y, y_valid = digits()
    network = MLPClassifier(
        (cfg.width,), solver="sgd", learning_rate_init=cfg.rate, alpha=cfg.alpha, batch_size=cfg.batch,
        momentum=cfg.momentum, random_state=0,
    )  # fmt: skip
    error = 1.0
    for epoch in range(1, cfg.epochs + 1):
        network.partial_fit(x, y, classes=range(10))
        error = 1 - network.score(x_valid, y_valid)
        sweeper.report({"error": error}, step=epoch)
    return error


def run(seed: int, trials: int, pruner: str, folder: str) -> tuple[float, int, int]:
    """Return the error of the best run, the epochs of all runs, and how many were pruned."""
    result = sweeper.sweep(
        train, config=CONFIG, search="random", trials=trials, jobs=2, quiet=True,
        overrides=[
            *SPACE, f"sweeper/pruner={pruner}", f"sweeper.search.seed={seed}",
            f"sweeper.sweep.dir={folder}/{pruner}-{seed}", "sweeper/tracker=[none]",
        ],
    )  # fmt: skip
    reports = [Path(run.directory, ".sweeper/metrics.jsonl") for run in result.runs]
    epochs = sum(len(path.read_text().splitlines()) for path in reports)
    assert result.best is not None
    assert result.best.score is not None
    return result.best.score, epochs, sum(run.status == "PRUNED" for run in result.runs)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--runs", nargs="*", default=["none:20", "asha:28", "median:22"])
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    rows, made = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for words in args.runs:
            pruner, _, trials = words.partition(":")
            made[words] = [run(seed, int(trials), pruner, folder) for seed in range(args.seeds)]
            errors, epochs, pruned = zip(*made[words], strict=True)
            spread = statistics.stdev(errors) / math.sqrt(len(errors)) if len(errors) > 1 else None
            rows.append({
                "pruner:runs": words, "error": statistics.fmean(errors), "± s.e.": spread,
                "epochs %": 100 * sum(epochs) / sum(row[1] for row in made[args.runs[0]]),
                "runs pruned": statistics.fmean(pruned), "errors": errors,
            })  # fmt: skip
            print(rows[-1], flush=True)
    said = about("optuna", "scikit-learn", "numpy", epochs=EPOCHS, seeds=args.seeds)
    keep(args.out, said, rows, bars("pruner:runs", "epochs %"))


if __name__ == "__main__":
    main()
