"""Sweeps as entry points of an MLflow project, by `mlflow run` itself."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

pytestmark = pytest.mark.example("with_mlproject")


@pytest.fixture
def project(example, monkeypatch):
    """The example, with the `python` that its MLproject names; its store is the file mlflow.db."""
    monkeypatch.setenv("PATH", f"{Path(example.python).parent}:{os.environ['PATH']}")
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    return example


def start(project, *words, code=0):
    return project.run("-m", "mlflow", "run", ".", "--env-manager", "local", *words, code=code)


def runs_of(project):
    """Return each run in mlflow.db: its status, experiment, params, metrics and tags."""
    with closing(sqlite3.connect(project.folder / "mlflow.db")) as db:

        def read(table, run):
            return dict(db.execute(f"select key, value from {table} where run_uuid = ?", [run]).fetchall())

        rows = db.execute("select run_uuid, status, experiment_id from runs").fetchall()
        return {
            run: {
                "status": status,
                "experiment": experiment,
                "params": read("params", run),
                "metrics": read("latest_metrics", run),
                "tags": read("tags", run),
            }
            for run, status, experiment in rows
        }


def split(project):
    """Return the id of the project's own run, that run, and those in it."""
    runs = runs_of(project)
    ((own, run),) = [each for each in runs.items() if "mlflow.parentRunId" not in each[1]["tags"]]
    children = [each for each in runs.values() if each["tags"].get("mlflow.parentRunId") == own]
    assert len(children) == len(runs) - 1
    return own, run, children


def test_a_search_is_the_projects_run_and_goes_on_in_it_when_it_is_resumed(project):
    ended = start(project, "-P", "trials=3")
    assert "3 COMPLETED" in ended.out
    assert "warning" not in ended.err
    own, run, children = split(project)
    assert run["status"] == "FINISHED"
    assert run["params"] == {"trials": "3", "jobs": "1"}
    assert run["tags"]["mlflow.source.type"] == "PROJECT", "what it says of itself stays"
    assert run["tags"]["sweeper.search"] == "tpe"
    assert run["metrics"]["best_score"] == max(child["metrics"]["r2"] for child in children)
    assert {child["experiment"] for child in children} == {run["experiment"]}
    assert [child["status"] for child in children] == ["FINISHED"] * 3
    project.run("--resume", "multirun/latest", "--trials", "4")
    assert split(project)[0] == own
    assert len(split(project)[2]) == 4


def test_a_sweep_that_fails_fails_the_projects_run(project):
    ended = start(project, "-e", "grid", "-P", "alphas=0.1,-1", code=1)
    assert "1 COMPLETED, 1 FAILED" in ended.out
    _, run, children = split(project)
    assert run["status"] == "FAILED"
    assert sorted(child["status"] for child in children) == ["FAILED", "FINISHED"]


def test_a_single_run_is_the_projects_run(project):
    start(project, "-e", "train", "-P", "alpha=0.1", "--experiment-name", "single")
    _, run, children = split(project)
    assert not children
    assert run["status"] == "FINISHED"
    assert run["params"] == {"alpha": "0.1", "folds": "5"}
    (score,) = project.query("select score from runs")[0]
    assert run["metrics"]["r2"] == score
    assert run["tags"]["sweeper.status"] == "COMPLETED"


def test_a_wrong_word_is_said_once_and_fails_the_projects_run(project):
    ended = start(project, "-e", "grid", "-P", "alphas=[0.1", code=1)
    assert "error: " in ended.err
    assert 'File "' not in ended.err.partition("mlflow.projects:")[0].rpartition("error: ")[2]
    assert [run["status"] for run in runs_of(project).values()] == ["FAILED"]
