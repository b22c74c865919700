"""What the tests share: a project of real files, and programs that really run."""

import csv
import io
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest
import yaml
from hypothesis import HealthCheck, settings

import sweeper
from sweeper.commands import main
from sweeper.composition import compose_tree, main_source, parse_all, search_path
from sweeper.plan import make_plan, shipped

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "conf_examples"

# What a property test tries is the same each time; SWEEPER_EXAMPLES=N has some try N others.
TRIES = int(os.environ.get("SWEEPER_EXAMPLES", "0"))
settings.register_profile(
    "sweeper", deadline=None, database=None, derandomize=not TRIES, suppress_health_check=list(HealthCheck)
)
settings.load_profile("sweeper")


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

    def __init__(self, folder: Path, python: str = sys.executable) -> None:
        self.folder, self.python = folder, python
        self.started: list[subprocess.Popen] = []

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

    def asked(self, sql: str) -> list[tuple]:
        """Return what `query` does, and nothing as long as the tables are not there yet."""
        try:
            return self.query(sql) if (self.folder / "sweeper.db").exists() else []
        except sqlite3.OperationalError:
            return []

    def start(self, *arguments: str, **more: object) -> subprocess.Popen:
        """Start `python arguments` in the folder; it is killed with the test, at the latest."""
        process = subprocess.Popen(
            [self.python, *arguments], cwd=self.folder, text=True, env=environment(),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more,
        )  # fmt: skip
        self.started.append(process)
        return process

    def end(self) -> None:
        """Kill what a test that failed has left running."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
            for stream in (process.stdout, process.stderr):
                if stream:
                    stream.close()
            process.wait()

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


def type_sweeper(folder: Path, *words: str, code: int = 0) -> Ended:
    """Do what `sweeper words`, typed in a folder, does; in this process."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
            ended = main(words)
    finally:
        os.chdir(before)
    assert ended == code, out.getvalue() + err.getvalue()
    return Ended(ended, out.getvalue(), err.getvalue(), folder)


def until(condition: Callable[[], object], seconds: float = 30) -> object:
    """Wait until something is so, and return it."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it does not come to that"
        time.sleep(0.02)
    return found


def environment() -> dict[str, str]:
    """Return an environment without traces of the test runner's."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "SWEEPER_", "HYDRA_"))}
    return {
        **kept,
        "PYTHONPATH": str(Path(sweeper.__file__).parents[1]),
        "PYTHONWARNINGS": "error::DeprecationWarning:sweeper",
        "DO_NOT_TRACK": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",  # it takes no 1
        "METAFLOW_USER": "ada",  # whoever runs the tests may have no name
        "METAFLOW_HOME": os.devnull,  # and may have a cloud
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
def project(tmp_path: Path) -> Iterator[Project]:
    """An empty project."""
    made = Project(tmp_path)
    yield made
    made.end()


def python_for(example: str) -> str:
    """Return the interpreter that has what an example requires; skip where there is none."""
    if not (EXAMPLES / example / "requirements.txt").exists():
        return sys.executable
    python = ROOT / ".venvs" / example / "bin/python"
    if not python.exists():
        pytest.skip(f"needs an environment of its own: .ci/environments {example}")
    return str(python)


def copy_example(example: str, folder: Path) -> None:
    """Copy an example without what its runs have left behind."""
    left = shutil.ignore_patterns("outputs", "multirun", "sweeper.db*", "__pycache__", "sweeps", ".metaflow")
    shutil.copytree(EXAMPLES / example, folder, ignore=left, dirs_exist_ok=True)


@pytest.fixture
def example(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    """A copy of the example that `pytest.mark.example` names, and the interpreter that it needs."""
    name = request.node.get_closest_marker("example").args[0]
    made = Project(tmp_path / name, python_for(name))
    copy_example(name, made.folder)
    yield made
    made.end()


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
