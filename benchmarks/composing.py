"""How long does it take to compose a config, and how does that grow?

Trees of 2, 20, 100 and 400 groups, each chosen in the defaults list, of three options with ten keys and
an interpolation; one override. In one process, again and again: with the files parsed already. Beside it
Hydra and lerna, each in a process of its own; and, for the first time of all, reading and parsing the
same files with libyaml.

    warm ms     a compose, a DictConfig made of it included, the files parsed already
    cold ms     the first one of a tree, its files in the system's cache; the median of several trees
    yaml ms     reading and parsing the files that it takes

    python benchmarks/composing.py --peers --out benchmarks/results/composing.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from common import Mark, about, keep, lines, peer, ratio, run

# Asked in each environment: how long composes take, in seconds.
PROGRAM = """
import json, os, statistics, sys, time
import yaml
from {module} import compose, initialize_config_dir

def first(folder):
    began = time.perf_counter()
    with initialize_config_dir(os.path.abspath(folder), version_base="1.3"):
        compose("config", ["g0.k1=7"])
    return time.perf_counter() - began

def parse(folder):
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    began = time.perf_counter()
    for name in ["config", *(f"g{{at}}/a" for at in range(groups))]:
        with open(f"{{folder}}/{{name}}.yaml") as file:
            yaml.load(file, loader)
    return time.perf_counter() - began

groups, repeats, trees = map(int, sys.argv[1:])
first("warm")  # imports are not counted
for at in range(trees):
    parse(f"{{groups}}-{{at}}")  # so that the system has the files at hand
pairs = [(first(f"{{groups}}-{{at}}"), parse(f"{{groups}}-{{at}}")) for at in range(trees)]
warm = []
with initialize_config_dir(os.path.abspath(f"{{groups}}-0"), version_base="1.3"):
    compose("config", ["g0.k1=7"])
    for _ in range(repeats):
        began = time.perf_counter()
        compose("config", ["g0.k1=7"])
        warm.append(time.perf_counter() - began)
cold, parsed = (statistics.median(part) for part in zip(*pairs))
print(json.dumps([statistics.median(warm), cold, parsed]))
"""


def write_tree(folder: Path, groups: int) -> None:
    """Write a tree of so many groups."""
    defaults = "".join(f"  - g{at}: a\n" for at in range(groups))
    folder.mkdir()
    (folder / "config.yaml").write_text(f"defaults:\n{defaults}  - _self_\nname: bench\n")
    for at in range(groups):
        (folder / f"g{at}").mkdir()
        for option in "abc":
            keys = "".join(f"k{key}: {at + key}\n" for key in range(8))
            text = f"{keys}option: {option}\nof: ${{name}}\n"
            (folder / f"g{at}" / f"{option}.yaml").write_text(text)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--groups", type=int, nargs="*", default=[2, 20, 100, 400])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", action="store_true", help="beside Hydra and lerna")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    pythons = {"sweeper": sys.executable}
    if args.peers:
        pythons |= {name: peer(name) for name in ("hydra", "lerna")}
    rows, marks = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_tree(folder / "warm", 1)
        for module in pythons:
            (folder / f"with_{module}.py").write_text(PROGRAM.format(module=module))
        for groups in args.groups:
            trees = 10 if groups <= 20 else 3
            for at in range(trees):
                write_tree(folder / f"{groups}-{at}", groups)
            found: dict[str, list[list[float]]] = {module: [] for module in pythons}
            for _ in range(args.rounds):
                for module, python in pythons.items():
                    repeats = 200 if module == "sweeper" else max(3, 40 // groups)
                    words = [python, f"with_{module}.py", str(groups), str(repeats), str(trees)]
                    printed = run(words, folder, ours=module == "sweeper").printed
                    found[module].append(json.loads(printed.splitlines()[-1]))
            for module, times in found.items():
                warm, cold, parsed = zip(*times, strict=True)
                ours, our_cold, _ = zip(*found["sweeper"], strict=True)
                row = {"groups": groups, "module": module}
                row |= {f"{k} ms": 1e3 * statistics.median(v) for k, v in (("warm", warm), ("cold", cold))}
                row |= {"times sweeper's": ratio(warm, ours), "cold, times sweeper's": ratio(cold, our_cold)}
                rows.append(row | {"yaml ms": 1e3 * statistics.median(parsed)})
                if module == "sweeper":
                    marks.append(Mark(f"{groups} groups, cold, of parsing", ratio(cold, parsed), most=2))
                elif module == "hydra" and groups in (2, 100):
                    marks.append(Mark(f"{groups} groups, of Hydra's time", ratio(warm, ours), least=50))
    keep(
        args.out,
        about("omegaconf", "pyyaml", rounds=args.rounds, peers={"hydra-core": "1.3.8", "lerna": "2.2.1"}),
        rows,
        lines("groups", "warm ms", "module"),
        marks,
    )


if __name__ == "__main__":
    main()
