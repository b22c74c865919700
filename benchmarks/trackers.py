"""What does a tracker cost a run?

Sweeps of runs with ten params that report ten times and return a number, two at a time, with each
tracker in turn; MLflow is a server of its own on this machine, spoken to over http.

    own         CPU time of the launching process a run, in ms
    ms          wall time a run, beyond the first one

    python benchmarks/trackers.py --out benchmarks/results/trackers.json
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from importlib.util import find_spec
from pathlib import Path

from common import about, bars, by_turns, keep, ratio, run

PROGRAM = """
import sweeper

@sweeper.main(config_path="conf", config_name="config")
def train(cfg):
    for step in range(10):
        sweeper.report({"loss": cfg.p0 + 1 / (step + 1)}, step=step)
    return cfg.p0

if __name__ == "__main__":
    train()
"""


@contextmanager
def mlflow_server(folder: str) -> Iterator[str]:
    """Run a server of MLflow's, and yield its address."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    words = ["-m", "mlflow", "server", "--port", str(port), "--backend-store-uri", f"sqlite:///{folder}/m.db"]
    process = subprocess.Popen(
        [sys.executable, *words, "--workers", "1", "--artifacts-destination", folder],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            with suppress(OSError), urllib.request.urlopen(f"{address}/health"):
                break
            time.sleep(0.2)
        yield address
    finally:
        os.killpg(process.pid, 15)
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trackers", nargs="*", default=["none", "sqlite", "mlflow", "sqlite,mlflow"])
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    names = [name for name in args.trackers if "mlflow" not in name or find_spec("mlflow")]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "conf").mkdir()
        (Path(folder) / "conf/config.yaml").write_text("".join(f"p{at}: {at}\n" for at in range(10)))
        (Path(folder) / "train.py").write_text(PROGRAM)
        server = mlflow_server(folder) if any("mlflow" in name for name in names) else nullcontext("")
        with server as address:

            def cost(tracker: str) -> tuple[float, float]:
                uri = [f"sweeper.tracker.mlflow.uri={address}"] if "mlflow" in tracker else []
                params = [f"p{at}=choice({at}.5)" for at in range(1, 10)]
                words = [sys.executable, "train.py", "-m", "--jobs", "2", "--tracker", tracker, *uri, *params]
                one, many = (run([*words, f"p0=range({runs})"], folder) for runs in (1, args.runs))
                more = max(args.runs - 1, 1) / 1e3
                return (many.own - one.own) / more, (many.seconds - one.seconds) / more

            found = by_turns({name: lambda name=name: cost(name) for name in names}, args.rounds)
    rows = []
    for name, costs in found.items():
        own, wall = (list(column) for column in zip(*costs, strict=True))
        base_own, base_wall = (list(column) for column in zip(*found[names[0]], strict=True))
        rows.append({
            "tracker": name,
            "own": statistics.median(own), f"own, of {names[0]}'s": ratio(own, base_own),
            "ms": statistics.median(wall), f"ms, of {names[0]}'s": ratio(wall, base_wall),
        })  # fmt: skip
    versions = [name for name in ("mlflow",) if find_spec(name)]
    keep(args.out, about(*versions, runs=args.runs, rounds=args.rounds), rows, bars("tracker", "own"))


if __name__ == "__main__":
    main()
