"""Benchmarks: each runs, with next to nothing to do."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import sweeper

FOLDER = Path(sweeper.__file__).parents[1] / "benchmarks"
SMALLEST = {
    "asking": ["--methods", "random", "--runs", "10", "--dimensions", "2", "--repeats", "1"],
    "composing": ["--groups", "2", "--rounds", "1"],
    "database": ["--runs", "100", "--repeats", "1"],
    "early_stopping": ["--seeds", "1", "--runs", "none:1", "median:1"],
    "history": ["--runs", "3"],
    "idle": ["--runs", "4", "--rounds", "1", "--median", "0.05", "--sigmas", "0.5"],
    "large_grid": ["--points", "100", "1000", "--rounds", "1"],
    "overhead": ["--runs", "2", "--rounds", "1", "--jobs", "2"],
    "search_quality": ["--methods", "random", "--problems", "branin", "--seeds", "1"],
    "startup": ["--rounds", "1"],
    "trackers": ["--runs", "2", "--rounds", "1", "--trackers", "none", "sqlite"],
}


def test_every_benchmark_is_tried_and_its_result_kept():
    assert {path.stem for path in FOLDER.glob("*.py")} == {*SMALLEST, "common"}
    assert {path.stem for path in FOLDER.glob("results/*")} == set(SMALLEST)


@pytest.mark.parametrize("name", SMALLEST)
def test_a_benchmark_runs_and_says_of_what_and_when(tmp_path, name):
    out = tmp_path / "out.json"
    process = subprocess.run(
        [sys.executable, str(FOLDER / f"{name}.py"), *SMALLEST[name], "--out", str(out)],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
        env={**__import__("os").environ, "PYTHONPATH": str(FOLDER.parent)},
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    found = json.loads(out.read_text())
    assert {"date", "python", "versions"} <= found["about"].keys()
    assert found["rows"], "something was measured"
    assert found["figure"]["kind"] in ("bars", "lines", "regrets")
    kept = json.loads((FOLDER / "results" / f"{name}.json").read_text())
    assert set(found["rows"][0]) <= set(kept["rows"][0]), "what is kept is what is measured now"
