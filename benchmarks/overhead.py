"""What does a run cost that does nothing?

Sweeps of runs that return a number at once, everything written to disk: by each launcher of sweeper's on
one machine, by joblib's own `Parallel` on an empty function, which writes nothing, and by Hydra with
hydra-joblib-launcher. They take turns, round after round, so that what else the machine does befalls all.

    ms          wall time a run, beyond the first one
    start       seconds of a sweep of one run: its start and its imports
    own         CPU time of the launching process a run, in ms

    python benchmarks/overhead.py --peers --out benchmarks/results/overhead.json
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from common import PROGRAM, Cost, Mark, about, bars, keep, peer, run

PARALLEL = """
import sys
from joblib import Parallel, delayed

def nothing(x):
    return 1.0

if __name__ == "__main__":
    Parallel(n_jobs=int(sys.argv[2]), batch_size=1)(delayed(nothing)(x) for x in range(int(sys.argv[1])))
"""


class Contender(NamedTuple):
    """Something that makes runs: a name, and its command for so many of them, so many at a time."""

    name: str
    jobs: int
    python: str = sys.executable

    def words(self, runs: int) -> list[str]:
        if self.name == "Parallel":
            return [self.python, "parallel.py", str(runs), str(self.jobs)]
        if self.name == "Hydra":
            flags = ["hydra/launcher=joblib", f"hydra.launcher.n_jobs={self.jobs}"]
            return [self.python, "hydra_train.py", "-m", f"x=range({runs})", *flags]
        flags = [f"sweeper/launcher={self.name}", "--jobs", str(self.jobs)]
        return [self.python, "train.py", "-m", f"x=range({runs})", *flags]

    def cost(self, folder: Path, runs: int) -> Cost:
        """Return what so many runs cost."""
        return run(self.words(runs), folder, ours=self.name != "Hydra")


def measure(contenders: list[Contender], runs: int, rounds: int, folder: Path) -> dict[str, dict[str, float]]:
    """Return what a run costs each contender: the medians of so many rounds."""
    (folder / "conf").mkdir()
    (folder / "conf/config.yaml").write_text("x: 0\n")
    (folder / "train.py").write_text(PROGRAM.format(module="sweeper"))
    (folder / "hydra_train.py").write_text(PROGRAM.format(module="hydra"))
    (folder / "parallel.py").write_text(PARALLEL)
    found: dict[str, list[tuple[float, float, float]]] = {}
    for turn in range(rounds):
        for contender in contenders:
            one, many = contender.cost(folder, 1), contender.cost(folder, runs)
            name = f"{contender.name}, {contender.jobs} at a time"
            more = max(1, runs - 1)
            row = (many.seconds - one.seconds) / more * 1e3, one.seconds, (many.own - one.own) / more * 1e3
            found.setdefault(name, []).append(row)
            print(
                f"{turn}  {name:24} {row[0]:8.2f} ms  start {row[1]:.2f} s  own {row[2]:.2f} ms", flush=True
            )
    return {
        name: {
            key: statistics.median(values)
            for key, values in zip(("ms", "start", "own"), zip(*rows, strict=True), strict=True)
        }
        for name, rows in found.items()
    }


def marks_of(costs: dict[str, dict[str, float]]) -> list[Mark]:
    """Return what was to be reached."""
    marks = []
    for name, most, times in (("local", 8, 10), ("joblib", 2, 40)):
        cost = costs.get(f"{name}, 2 at a time")
        if cost is not None:
            marks.append(Mark(f"{name}, ms a run at two jobs", cost["ms"], most=most))
            if hydra := costs.get("Hydra, 2 at a time"):
                marks.append(Mark(f"{name}, times less than Hydra's", hydra["ms"] / cost["ms"], least=times))
    if "local, 2 at a time" in costs:
        marks.append(Mark("the launching process, ms a run", costs["local, 2 at a time"]["own"], most=1))
    return marks


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--peers", action="store_true", help="beside Hydra")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    contenders = [Contender("inline", 1)]
    for jobs in args.jobs:
        contenders += [Contender(name, jobs) for name in ("local", "joblib", "Parallel")]
        if args.peers:
            contenders.append(Contender("Hydra", jobs, peer("hydra")))
    with tempfile.TemporaryDirectory() as folder:
        costs = measure(contenders, args.runs, args.rounds, Path(folder))
    peers = {"hydra-core": "1.3.8", "hydra-joblib-launcher": "1.2.0"}
    said = about("joblib", runs=args.runs, rounds=args.rounds, peers=peers)
    rows = [{"launcher": name, **cost} for name, cost in costs.items()]
    keep(args.out, said, rows, bars("launcher", "ms", log=True), marks_of(costs))


if __name__ == "__main__":
    main()
