"""How does a sweep of 100,000 finished runs behave?

A grid of so many runs is made, one after another in one process, each with its directory and its records.
Then everything that looks back is asked, as whole processes: `sweeper ls` and its like, the report, an
export, and `--resume`, once with nothing left to do and once with one run more.

    python benchmarks/history.py --runs 1000 10000 100000 --out benchmarks/results/history.json
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from common import about, keep, lines, run

PROGRAM = """
import sweeper

@sweeper.main(config_path="conf", config_name="config")
def train(cfg):
    return (cfg.x % 997) / 997

if __name__ == "__main__":
    train()
"""
ASKED = {
    "ls": ["-m", "sweeper", "ls"],
    "ls SWEEP --sort score": ["-m", "sweeper", "ls", "last", "--sort", "score"],
    "ls params.x<10": ["-m", "sweeper", "ls", "params.x<10"],
    "best": ["-m", "sweeper", "best", "last"],
    "report": ["-m", "sweeper", "report", "last"],
    "export --to csv": ["-m", "sweeper", "export", "last", "--to", "csv"],
    "--resume, nothing to do": ["train.py", "--resume", "here", "--quiet"],
    "--resume, one run more": ["train.py", "--resume", "here", "--quiet", "--trials", "{more}"],
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, nargs="*", default=[1_000, 10_000, 100_000])
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    rows = []
    for runs in args.runs:
        folder = Path(tempfile.mkdtemp())
        (folder / "conf").mkdir()
        (folder / "conf/config.yaml").write_text("x: 0\n")
        (folder / "train.py").write_text(PROGRAM)
        grid = ["train.py", "-m", f"x=range({runs + 1})", "--trials", str(runs), "sweeper.sweep.dir=here"]
        asked = {"making them": [*grid, "sweeper/launcher=inline", "--quiet"], **ASKED}
        for name, words in asked.items():
            cost = run([sys.executable, *(word.format(more=runs + 1) for word in words)], folder)
            row = {"asked": name, "runs": runs, "s": cost.seconds, "memory MB": cost.memory}
            rows.append(row)
            print(row, flush=True)
        shutil.rmtree(folder)
    keep(args.out, about(), rows, lines("runs", "s", "asked"))


if __name__ == "__main__":
    main()
