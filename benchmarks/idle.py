"""How long do workers wait for one another?

A TPE search of runs that sleep, for lognormal times, with four workers: with sweeper, which asks for a
point whenever a run ends, and with hydra-optuna-sweeper, which waits for the last run of a batch. Both
sleep the same times, by the number of the run.

    idle %      of the workers' time between the first start and the last end in which they had no run
    least %     the same, if each run began at the moment at which a worker became free: the tail alone

    python benchmarks/idle.py --peers --out benchmarks/results/idle.json
"""

from __future__ import annotations

import argparse
import heapq
import json
import statistics
import sys
import tempfile
from pathlib import Path
from random import Random

from common import Mark, about, bars, keep, peer, run

WORKERS = 4
PROGRAM = """
import json, os, time
{imports}

with open({durations!r}) as file:
    DURATIONS = json.load(file)

@{module}.main(config_path="conf", config_name="config", version_base="1.3")
def train(cfg):
    began = time.time()
    number = {number}
    time.sleep(DURATIONS[number])
    with open(os.path.join({times!r}, str(number)), "w") as file:
        json.dump([began, time.time()], file)
    return (cfg.x - 0.5) ** 2

if __name__ == "__main__":
    train()
"""
SWEEPER = {"module": "sweeper", "imports": "import sweeper", "number": "sweeper.current_run().number"}
HYDRA = {
    "module": "hydra",
    "imports": "import hydra\nfrom hydra.core.hydra_config import HydraConfig",
    "number": "HydraConfig.get().job.num",
}


def idle(python: str, words: dict[str, str], durations: list[float]) -> float:
    """Return the share of the workers' time in which they had no run."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "conf").mkdir()
        (folder / "conf/config.yaml").write_text("x: 0.0\n")
        (folder / "times").mkdir()
        (folder / "durations.json").write_text(json.dumps(durations))
        paths = {"durations": str(folder / "durations.json"), "times": str(folder / "times")}
        (folder / "train.py").write_text(PROGRAM.format(**words, **paths))
        ours, trials = words["module"] == "sweeper", str(len(durations))
        if ours:
            flags = ["--search", "tpe", "--trials", trials, "--jobs", str(WORKERS), "x=interval(0, 1)"]
        else:
            flags = [
                "-m", "hydra/sweeper=optuna", f"hydra.sweeper.n_trials={trials}",
                f"hydra.sweeper.n_jobs={WORKERS}", "hydra/launcher=joblib",
                f"hydra.launcher.n_jobs={WORKERS}", "x=interval(0, 1)",
            ]  # fmt: skip
        run([python, "train.py", *flags], folder, ours=ours)
        found = [json.loads(path.read_text()) for path in (folder / "times").iterdir()]
    if len(found) != len(durations):
        sys.exit(f"{len(found)} of {len(durations)} runs were made")
    began, ended = zip(*found, strict=True)
    busy = sum(ended) - sum(began)
    return 1 - busy / (WORKERS * (max(ended) - min(began)))


def least(durations: list[float]) -> float:
    """Return the same, if each run, in its turn, began when a worker became free."""
    free = [0.0] * WORKERS
    for duration in durations:
        heapq.heapreplace(free, free[0] + duration)
    return 1 - sum(durations) / (WORKERS * max(free))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--median", type=float, default=1.0, help="of the runs' seconds")
    parser.add_argument("--sigmas", type=float, nargs="*", default=[0.5, 1.0])
    parser.add_argument("--peers", action="store_true", help="beside hydra-optuna-sweeper")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    contenders = {"sweeper": (sys.executable, SWEEPER)}
    if args.peers:
        contenders["hydra-optuna-sweeper"] = (peer("hydra"), HYDRA)
    rows, marks = [], []
    for sigma in args.sigmas:
        found: dict[str, list[float]] = {name: [] for name in (*contenders, "tail")}
        for turn in range(args.rounds):
            random = Random(turn)
            durations = [args.median * random.lognormvariate(0, sigma) for _ in range(args.runs)]
            found["tail"].append(least(durations))
            for name, (python, words) in contenders.items():
                found[name].append(idle(python, words, durations))
        tail = found.pop("tail")
        for name, shares in found.items():
            rows.append({
                "sweep": f"{name}, sigma {sigma:g}",
                "idle %": 100 * statistics.fmean(shares),
                "least %": 100 * statistics.fmean(tail),
            })  # fmt: skip
        beyond = max(share - unavoidable for share, unavoidable in zip(found["sweeper"], tail, strict=True))
        marks.append(Mark(f"sigma {sigma:g}, idle beyond the tail at worst, %", 100 * beyond, most=3))
    peers = {"hydra-core": "1.3.8", "hydra-optuna-sweeper": "1.3.0", "hydra-joblib-launcher": "1.2.0"}
    said = about("optuna", rounds=args.rounds, runs=args.runs, workers=WORKERS, peers=peers)
    keep(args.out, said, rows, bars("sweep", "idle %"), marks)


if __name__ == "__main__":
    main()
