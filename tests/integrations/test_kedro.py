"""A Kedro project whose parameters are swept, unchanged."""

import json

import pytest

pytestmark = pytest.mark.example("with_kedro")

HOOKS = """
from kedro.framework.hooks import hook_impl


class Loud:
    @hook_impl
    def before_pipeline_run(self, run_params):
        print("the hook sees", run_params["runtime_params"]["model"])


HOOKS = (Loud(),)
"""

REPORTS = """
    import sweeper
    import time
    for epoch in range(20):
        sweeper.report({"log_loss": log_loss(y, model.predict_proba(x))}, step=epoch)
        time.sleep(0.05)
"""


def test_a_run_scores_what_kedro_run_does_with_the_same_parameters(example):
    ended = example.run("sweep.py", "model.C=3", "model.degree=2")
    example.run("-m", "kedro", "run", "--params", "model.C=3,model.degree=2")
    metrics = json.loads((example.folder / "data/metrics.json").read_text())
    assert ended.record()["score"] == pytest.approx(metrics["log_loss"])
    assert ended.record()["metrics"] == pytest.approx(metrics)


def test_a_sweep_gives_nested_parameters_to_the_nodes_and_leaves_the_projects_data_alone(example):
    ended = example.run("sweep.py", "-m", "model.C=0.1,10", "model.degree=1", "--jobs", "2")
    one, other = (float(row["score"]) for row in ended.results)
    assert other < one
    assert example.query("select count(*) from metrics where name = 'accuracy'") == [(2,)]
    assert not (example.folder / "data").exists(), "runs do not write over the project's files"


def test_the_data_is_loaded_before_the_runs_and_not_in_them(example):
    source = example.folder / "src/iris/data.py"
    loud = '    def load(self):\n        open("loads", "a").write("one\\n")\n'
    source.write_text(source.read_text().replace("    def load(self):\n", loud))
    example.run("sweep.py", "-m", "model.C=1,2,3,4", "model.degree=1")
    # The process that was started reads the script, and so does the one that its runs are forked from.
    assert (example.folder / "loads").read_text() == "one\n" * 2


def test_the_defaults_are_kedros_with_those_of_its_environments(example, monkeypatch):
    (example.folder / "conf/local/parameters_more.yml").write_text("test_share: 0.25\n")
    (example.folder / "conf/prod").mkdir()
    (example.folder / "conf/prod/parameters.yml").write_text("model: {C: 7.0, degree: 2}\n")
    assert "test_share: 0.25" in example.run("sweep.py", "--cfg", "job").out
    monkeypatch.setenv("KEDRO_ENV", "prod")
    assert "C: 7.0" in example.run("sweep.py", "--cfg", "job").out


def test_the_best_parameters_become_an_environment_of_kedros(example):
    ended = example.run("sweep.py", "--search", "random", "--trials", "4", "--jobs", "2")
    best = min(float(row["score"]) for row in ended.results)
    found = example.run("sweep.py", "-cd", ".", "+multirun/latest=best", "--cfg", "job").out
    (example.folder / "conf/best").mkdir()
    (example.folder / "conf/best/parameters.yml").write_text(found)
    example.run("-m", "kedro", "run", "--env", "best")
    metrics = json.loads((example.folder / "data/metrics.json").read_text())
    assert metrics["log_loss"] == pytest.approx(best)


def test_a_parameter_that_the_project_has_not_is_a_mistake(example):
    ended = example.run("sweep.py", "-m", "model.c=1,2", code=2)
    assert "the config has no key 'model.c'" in ended.err
    assert "Traceback" not in ended.err


def test_a_node_that_fails_costs_its_run_alone(example):
    ended = example.run("sweep.py", "-m", "model.C=1,-1", "model.degree=1", code=1)
    assert [row["status"] for row in ended.results] == ["COMPLETED", "FAILED"]
    assert "The 'C' parameter of LogisticRegression must be" in ended.out
    assert "src/iris/pipeline_registry.py" in ended.record(1)["error"]


def test_hooks_are_called_and_a_node_that_reports_can_be_pruned(example):
    (example.folder / "src/iris/settings.py").write_text(HOOKS)
    nodes = example.folder / "src/iris/pipeline_registry.py"
    nodes.write_text(nodes.read_text().replace("    x, y = test\n", f"    x, y = test\n{REPORTS}"))
    bound = ("--pruner", "threshold", "sweeper.pruner.upper=0.5")
    ended = example.run("sweep.py", "-m", "model.C=0.01,10", "model.degree=1", *bound)
    assert [row["status"] for row in ended.results] == ["PRUNED", "COMPLETED"]
    log = (ended.sweep / "1/sweep.log").read_text()
    assert "the hook sees {'C': 10, 'degree': 1}" in log


def test_the_environments_variables_can_still_be_read_by_configs(example):
    file = example.folder / "conf/base/sweep.yaml"
    file.write_text(file.read_text().replace("sweeper:", "where: ${oc.env:DO_NOT_TRACK}\nsweeper:", 1))
    assert "where: '1'" in example.run("sweep.py", "--cfg", "job", "--resolve").out
    example.run("sweep.py", "-m", "model.C=1,2", "model.degree=1")
