"""What the tests share: a project of real files, and programs that really run."""

import csv
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest
import yaml

import sweeper
from sweeper.composition import compose_tree, main_source, parse_all, search_path
from sweeper.plan import make_plan, shipped


@dataclass
class Ended:
    """What a program did."""

    code: int
    out: str
    err: str
    folder: Path

    @property
    def sweep(self) -> Path:
        """The directory of the latest sweep."""
        return (self.folder / "multirun/latest").resolve()

    @property
    def run(self) -> Path:
        """The directory of the latest single run."""
        return (self.folder / "outputs/latest").resolve()

    @property
    def results(self) -> list[dict[str, str]]:
        """The rows of results.csv."""
        with (self.sweep / "results.csv").open() as file:
            return list(csv.DictReader(file))

    def record(self, number: int | str = "") -> dict:
        """What run.yaml says of a run of the sweep, or of the single run."""
        folder = self.run if number == "" else self.sweep / str(number)
        return yaml.safe_load((folder / ".sweeper/run.yaml").read_text())


class Project:
    """A folder with config files and scripts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, **files: str) -> "Project":
        """Write files: `model__gbm` is conf/model/gbm.yaml, `train_py` is train.py."""
        for name, text in files.items():
            path = name.replace("__", "/")
            path = path[:-3] + ".py" if path.endswith("_py") else f"conf/{path}.yaml"
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(dedent(text))
        return self

    def compose(self, *overrides: str, name: str | None = "config") -> dict:
        """Return what the configs compose to, as plain data."""
        search = search_path(main_source(str(self.folder / "conf")))
        return compose_tree(search, name, parse_all(overrides)).tree

    def plan(self, *overrides: str, sweeping: bool = True):
        """Return the plan of a command line."""
        search = search_path(main_source(str(self.folder / "conf")), shipped())
        return make_plan(search, "config", parse_all(overrides), sweeping=sweeping)

    def query(self, sql: str) -> list[tuple]:
        """Return the rows that a question to sweeper.db gives."""
        with closing(sqlite3.connect(self.folder / "sweeper.db")) as db:
            return db.execute(sql).fetchall()

    def start(self, *arguments: str, **more: object) -> subprocess.Popen:
        """Start `python arguments` in the folder."""
        return subprocess.Popen(
            [sys.executable, *arguments], cwd=self.folder, text=True, env=environment(),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more,
        )  # fmt: skip

    def run(self, *arguments: str, code: int | None = 0) -> Ended:
        """Run `python arguments` in the folder; `train.py` is meant where no script is named."""
        module = arguments[0] == "-m" and re.fullmatch(r"[\w.]+", (*arguments, "")[1]) if arguments else None
        if not (module or (arguments and arguments[0].endswith(".py"))):
            arguments = ("train.py", *arguments)
        process = self.start(*arguments)
        out, err = process.communicate(timeout=120)
        if code is not None:
            assert process.returncode == code, f"exit code {process.returncode}\n{out}\n{err}"
        return Ended(process.returncode, out, err, self.folder)


def environment() -> dict[str, str]:
    """Return an environment without traces of the test runner's."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "SWEEPER_", "HYDRA_"))}
    return {
        **kept,
        "PYTHONPATH": str(Path(sweeper.__file__).parents[1]),
        "PYTHONWARNINGS": "error::DeprecationWarning:sweeper",
    }


COMPOSITION = ("composition", "nodes", "trees", "yamls", "schema", "instantiate", "hydra_trees", "run")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what a second environment runs: what concerns Hydra, and what concerns omegaconf."""
    for item in items:
        if item.path.parent.name == "hydra":
            item.add_marker("hydra")
        elif item.path.stem.removeprefix("test_") in COMPOSITION:
            item.add_marker("composition")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project."""
    return Project(tmp_path)


TRAIN = """
    import sweeper

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        return (cfg.x - 3) ** 2

    if __name__ == "__main__":
        train()
"""


@pytest.fixture
def parabola(project: Project) -> Project:
    """A program whose score is least at x=3."""
    return project.write(config="x: 0.0\nname: parabola\n", train_py=TRAIN)


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)], capture_output=True, check=False)  # fmt: skip
    if mounted.returncode:
        pytest.skip("a small disk can only be mounted by root")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def without_times(text: str) -> str:
    """Return output with its times and directories made alike."""
    text = re.sub(r" *\b(\d+(\.\d+)?m?s|\d+m\d+s)\b", " TIME", text)
    return re.sub(r"multirun/[\d-]+/[\d-]+", "SWEEP", text)
