"""What does a run cost that does nothing?

Sweeps of runs that return a number at once, everything written to disk: by each launcher of sweeper's on
one machine, by joblib's own `Parallel` on an empty function, which writes nothing, and by Hydra with
hydra-joblib-launcher. They take turns, round after round, so that what else the machine does befalls all.

    ms          wall time a run, beyond the first one
    start       seconds of a sweep of one run: its start and its imports
    own         CPU time of the launching process a run, in ms

    python benchmarks/overhead.py --hydra .venv/hydra-joblib --out benchmarks/results/overhead.json

The folder that --hydra names gets an environment with Hydra, if it has none.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

import sweeper

HYDRA = ("hydra-core==1.3.8", "hydra-joblib-launcher==1.2.0")
PROGRAM = """
import {module}

@{module}.main(config_path="conf", config_name="config", version_base="1.3")
def train(cfg):
    return 1.0

if __name__ == "__main__":
    train()
"""
PARALLEL = """
import sys
from joblib import Parallel, delayed

def nothing(x):
    return 1.0

if __name__ == "__main__":
    Parallel(n_jobs=int(sys.argv[2]), batch_size=1)(delayed(nothing)(x) for x in range(int(sys.argv[1])))
"""


class Cost(NamedTuple):
    """What a command took."""

    seconds: float
    own: float  # CPU seconds of its process, without its children


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
        root = str(Path(sweeper.__file__).parents[1])
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": root if self.name != "Hydra" else "",
        }
        began = time.perf_counter()
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                self.words(runs), cwd=folder, env=environment, stdout=output, stderr=output
            )
            own = own_seconds(process)
            if process.returncode:
                output.seek(0)
                sys.exit(f"{self.name} ended with {process.returncode}:\n{output.read().decode()[-2000:]}")
        return Cost(time.perf_counter() - began, own)


def own_seconds(process: subprocess.Popen[bytes]) -> float:
    """Wait for a process, and return the CPU time that it alone has taken, where /proc tells."""
    stat, own = Path(f"/proc/{process.pid}/stat"), 0.0
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # ended, and still to be looked at
    if stat.exists():
        fields = stat.read_text().rpartition(")")[2].split()
        own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    process.wait()
    return own


def hydra_python(folder: Path) -> str:
    """Return the Python of an environment with Hydra, made if there is none."""
    python = folder / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *HYDRA], check=True)
    return str(python.absolute())


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
            key: round(statistics.median(values), 3)
            for key, values in zip(("ms", "start", "own"), zip(*rows, strict=True), strict=True)
        }
        for name, rows in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--hydra", type=Path, help="an environment with Hydra")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    contenders = [Contender("inline", 1)]
    for jobs in args.jobs:
        contenders += [Contender(name, jobs) for name in ("local", "joblib", "Parallel")]
        if args.hydra is not None:
            contenders.append(Contender("Hydra", jobs, hydra_python(args.hydra)))
    with tempfile.TemporaryDirectory() as folder:
        costs = measure(contenders, args.runs, args.rounds, Path(folder))
    ratios = {}
    if args.hydra is not None:
        for name, cost in costs.items():
            if name.startswith(("Hydra", "Parallel")):
                continue
            hydra = costs.get(f"Hydra, {name.partition(', ')[2]}")
            if hydra is not None and cost["ms"] > 0:
                ratios[name] = round(hydra["ms"] / cost["ms"], 1)
    for name, cost in costs.items():
        beside = f"  Hydra takes {ratios[name]} times as long" if name in ratios else ""
        print(f"{name:24} {cost['ms']:8.2f} ms a run{beside}", flush=True)
    if args.out is not None:
        about = {
            "date": datetime.now(timezone.utc).date().isoformat(),
            "python": platform.python_version(),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "versions": {**{name: importlib.metadata.version(name) for name in ("sweeper", "joblib")},
                         **(dict(name.split("==") for name in HYDRA) if args.hydra else {})},
            "runs": args.runs,
            "rounds": args.rounds,
        }  # fmt: skip
        args.out.write_text(
            json.dumps({"about": about, "rows": costs, "hydra_over": ratios}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
