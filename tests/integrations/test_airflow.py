"""A nightly sweep in an Airflow of its own, on SQLite, by the code that the scheduler runs too."""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from conftest import environment, python_for

pytestmark = pytest.mark.example("with_airflow")


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """A database of Airflow's with nothing in it yet, made once."""
    home = tmp_path_factory.mktemp("airflow")
    known = {**environment(), "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "false"}
    command = [python_for("with_airflow"), "-m", "airflow", "db", "migrate"]
    subprocess.run(command, env=known, check=True, capture_output=True)
    return home / "airflow.db"


@pytest.fixture
def airflow(example, database, monkeypatch):
    """What runs `airflow …` in the folder of the example."""
    for name, value in re.findall(r'(\w+)=("[^"]*"|\S+)', (example.folder / "here.sh").read_text()):
        monkeypatch.setenv(name, value.strip('"').replace("$PWD", str(example.folder)))
    (example.folder / "airflow").mkdir()
    shutil.copy(database, example.folder / "airflow")

    def run(*words: str, code: int = 0) -> str:
        ended = example.run("-m", "airflow", *words, code=code)
        return ended.out + ended.err

    return run


def asked(example, sql: str) -> list[tuple]:
    with closing(sqlite3.connect(example.folder / "airflow/airflow.db")) as db:
        return db.execute(sql).fetchall()


TROUBLED = """
import os, time
import sweeper

def first(name):
    try:
        os.close(os.open(name, os.O_CREAT | os.O_EXCL))
        return True
    except FileExistsError:
        return False

@sweeper.main(config_path="conf", config_name="config")
def train(cfg):
    number = sweeper.current_run().number
    if number == 1 and first("raised"):
        raise ValueError("no convergence")
    if number == 2 and first("hung"):
        time.sleep(60)
    return cfg.model.alpha

if __name__ == "__main__":
    train()
"""


def test_a_retry_goes_on_with_the_sweep_and_its_best_is_handed_on(example, airflow, monkeypatch):
    (example.folder / "train.py").write_text(TROUBLED)
    dag = example.folder / "nightly.py"
    dag.write_text(dag.read_text().replace("duration(hours=5)", "duration(seconds=7)"))
    monkeypatch.setenv(
        "PROGRAM_PYTHON", sys.executable
    )  # the program's environment is another than Airflow's
    said = airflow("dags", "test", "nightly", "--conf", '{"trials": 4, "overrides": ["model.l1_ratio=0.5"]}')

    commands = re.findall(r"Running command: \[(.*?)\]", said)
    assert [sys.executable in each for each in commands] == [True, True]
    assert ["--resume" in each for each in commands] == [False, True]
    (sweep,) = (example.folder / "multirun").glob("manual*")
    assert {each.name for each in sweep.iterdir() if each.is_dir()} == {"0", "1", "1.1", "2", "2.1", "3"}
    assert example.query("select distinct status from runs") == [("COMPLETED",)]
    (best,) = asked(example, "select value from xcom where task_id = 'sweep' and key = 'return_value'")
    best = json.loads(best[0])
    scores = example.query("select max(score) from runs")
    assert [(best["score"],)] == scores
    assert best["params"]["model.alpha"] == best["score"]
    assert f"alpha: {best['score']!r}" in (example.folder / "deployed.yaml").read_text()


def test_a_mistake_is_not_tried_again(example, airflow):
    said = airflow("dags", "test", "nightly", "--conf", '{"overrides": ["model.alhpa=1"]}', code=1)
    assert "error: Cannot override 'model.alhpa'" in said
    assert said.count("Running command") == 1
    assert asked(example, "select state from task_instance where task_id = 'sweep'") == [("failed",)]
    assert not (example.folder / "deployed.yaml").exists()


def test_a_dag_refuses_params_of_another_type(airflow):
    said = airflow("dags", "test", "nightly", "--conf", '{"trials": "many"}', code=1)
    assert "'many' is not of type 'integer'" in said
