"""How long does a whole program take that trains nothing?

A program of two config files: one run, `--help`, `--cfg job`, and what TAB asks for, each as a whole
process. Beside it the same program with Hydra and with lerna, and a bare Python that imports omegaconf,
which all of them must. They take turns.

    python benchmarks/startup.py --peers --out benchmarks/results/startup.json
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from common import PROGRAM, Mark, about, bars, by_turns, keep, peer, ratio, run

from sweeper.shells import START

ASKED = {
    "a run": [],
    "--help": ["--help"],
    "--cfg job": ["--cfg", "job"],
    "TAB": ["-sc", "query=bash"],
}
BARE = "import omegaconf"
BARES = {"sweeper": "bare", "hydra": "bare, of hydra's", "lerna": "bare, of lerna's"}  # versions of it differ


def write_program(folder: Path) -> None:
    """Write the program, once for each module that can run it."""
    (folder / "conf/model").mkdir(parents=True)
    (folder / "conf/config.yaml").write_text("defaults:\n  - model: tree\n  - _self_\nlr: 0.1\n")
    (folder / "conf/model/tree.yaml").write_text("depth: 3\ncost: ${lr}\n")
    for module in ("sweeper", "hydra", "lerna"):
        (folder / f"with_{module}.py").write_text(PROGRAM.format(module=module))


def contenders(folder: Path, *, peers: bool) -> dict[str, Callable[[], float]]:
    """Return everything that is timed, by name."""
    pythons = {"sweeper": sys.executable}
    if peers:
        pythons |= {module: peer(module) for module in ("hydra", "lerna")}

    def seconds(words: list[str], *, ours: bool) -> float:
        return run(words, folder, ours=ours).seconds

    found: dict[str, Callable[[], float]] = {}
    for module, python in pythons.items():
        found[f"{BARES[module]}: {BARE}"] = partial(seconds, [python, "-c", BARE], ours=False)
        for name, words in ASKED.items():
            command = [python, f"with_{module}.py", *words]
            if name == "TAB":
                line = f"python with_{module}.py model="
                command = ["env", f"COMP_LINE={line}", f"COMP_POINT={len(line)}", *command]
                if module == "sweeper":  # what the shell asks; it does not start the program
                    command = [python, "-c", START, "bash", line, ":="]
            found[f"{module}: {name}"] = partial(seconds, command, ours=module == "sweeper")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--peers", action="store_true", help="beside Hydra and lerna")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        write_program(Path(name))
        asked = contenders(Path(name), peers=args.peers)
        by_turns(asked, 1)  # what is compiled once is not counted
        times = by_turns(asked, args.rounds)
    bare = times[f"{BARES['sweeper']}: {BARE}"]
    rows = [
        {
            "program": program,
            "ms": 1e3 * statistics.median(seconds),
            "of import omegaconf": ratio(seconds, bare),
        }
        for program, seconds in times.items()
    ]
    budget = [1.3 * second + 0.03 for second in bare]
    marks = [
        Mark(f"{name}, of 1.3 times `{BARE}` and 30 ms", ratio(times[f"sweeper: {name}"], budget), most=1)
        for name in ("a run", "--help", "--cfg job")
    ]
    marks.append(Mark("TAB, ms", 1e3 * statistics.median(times["sweeper: TAB"]), most=150))
    keep(
        args.out,
        about("omegaconf", rounds=args.rounds, peers={"hydra-core": "1.3.8", "lerna": "2.2.1"}),
        rows,
        bars("program", "ms"),
        marks,
    )


if __name__ == "__main__":
    main()
