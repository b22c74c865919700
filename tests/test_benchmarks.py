"""Benchmarks: each runs, with next to nothing to do."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import sweeper

FOLDER = Path(sweeper.__file__).parents[1] / "benchmarks"
SMALLEST = {
    "database.py": ["--runs", "100", "--repeats", "1"],
    "early_stopping.py": ["--seeds", "1", "--runs", "none:1", "median:1"],
    "overhead.py": ["--runs", "2", "--rounds", "1", "--jobs", "2"],
    "search_quality.py": ["--methods", "random", "--problems", "branin", "--seeds", "1"],
}


def test_every_benchmark_is_tried():
    assert {path.name for path in FOLDER.glob("*.py")} == set(SMALLEST)


@pytest.mark.parametrize("name", SMALLEST)
def test_a_benchmark_runs_and_says_of_what_and_when(tmp_path, name):
    out = tmp_path / "out.json"
    process = subprocess.run(
        [sys.executable, str(FOLDER / name), *SMALLEST[name], "--out", str(out)],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
        env={**__import__("os").environ, "PYTHONPATH": str(FOLDER.parent)},
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    found = json.loads(out.read_text())
    assert {"date", "python"} <= found.get("about", found).keys()
