"""The best of a sweep is the point with the best mean, and the same wherever it is named."""

import json
import re

import pytest
from conftest import Project, type_sweeper

from sweeper.records import Objective
from sweeper.standings import Standings

# What MLflow's own reader warns of is its own affair.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

# Of the best point, x=2, no run is as good as the first of x=1.
TRAIN = """
    import sweeper

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        return [0.0, 10.0, 3.0, 4.0, 9.0, 9.0][sweeper.current_run().number]

    if __name__ == "__main__":
        train()
"""
FROM_PYTHON = """
    import sweeper

    def train(cfg):
        return [0.0, 10.0, 3.0, 4.0, 9.0, 9.0][sweeper.current_run().number]

    if __name__ == "__main__":
        words = ["x=1,2,3", "sweeper.search.repeats=2"]
        found = sweeper.sweep(train, config={"x": 1}, overrides=words, quiet=True)
        print(found, found.best.number, found.to_figure().data[1].y[-1], sep="|")
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("swept"))
    project.write(config="x: 1\n", train_py=TRAIN, notebook_py=FROM_PYTHON)
    project.said = project.run("-m", "x=1,2,3", "sweeper.search.repeats=2").out
    return project


def by_the_sweep(swept):
    return re.findall(r"run (\d+), score (\S+)", swept.said.splitlines()[-1])[0]


def by_ls(swept):
    return "2", json.loads(type_sweeper(swept.folder, "ls", "--json").out)[0]["best"]


def by_best(swept):
    found = json.loads(type_sweeper(swept.folder, "best", "--json").out)[0]
    return found["number"], found["score"]


def by_compare(swept):
    row = json.loads(type_sweeper(swept.folder, "compare", "last", "last/0", "--json").out)[0]
    return next(name for name in row if name != "what").partition("/")[2], 3.5


def by_watch(swept):
    said = type_sweeper(swept.folder, "watch", "--quiet").out
    return re.findall(r"run (\d+), score (\S+) ± \S+ \(2 runs\)", said)[0]


def by_the_page(swept):
    type_sweeper(swept.folder, "report", "--out", "page.html")
    page = (swept.folder / "page.html").read_text()
    assert "the mean of 2 runs of this point" in page
    return re.findall(r'score (\S+)</strong>.*?<a href="[^"]*">run (\d+)', page)[0][::-1]


def by_mlflow(swept):
    mlflow = pytest.importorskip("mlflow")
    uri = f"sqlite:///{swept.folder}/mlflow.db"
    type_sweeper(swept.folder, "export", "last", "--to", "mlflow", "--uri", uri)
    found = mlflow.MlflowClient(uri).search_runs(["1"], "tags.sweeper.attempt = '0'")[0].data
    assert found.metrics["best_score"] == 3.5
    return found.tags["sweeper.best_run"], found.tags["sweeper.best_score"]


def by_python(swept):
    said = swept.start("notebook.py").communicate(timeout=60)[0].splitlines()[-1]
    _, number, so_far = said.split("|")
    assert "best 3.5 ± 0.71 (2 runs) by run 2" in said
    return number, so_far


TELLERS = [by_the_sweep, by_ls, by_best, by_compare, by_watch, by_the_page, by_mlflow, by_python]


@pytest.mark.parametrize("teller", TELLERS, ids=lambda teller: teller.__name__)
def test_the_best_is_that_of_the_point_with_the_best_mean(teller, swept):
    number, score = teller(swept)
    assert (int(number), float(score)) == (2, 3.5)


def test_a_warm_start_tries_points_in_that_order(swept):
    apart = ("--tracker", "none", "sweeper.sweep.dir=warm")  # so that the other stays the last
    earlier = "sweeper.search.warm_start=multirun/latest"
    swept.run("--search", "random", "--trials", "1", "x=choice(1,2,3)", earlier, *apart)
    begun = json.loads((swept.folder / "warm/sweep.jsonl").read_text().splitlines()[0])
    assert [point["x"] for point in begun["warm"]["first"]] == ["2", "1", "3"]


def test_the_best_changes_when_another_run_of_its_point_is_worse():
    standings = Standings(maximize=False, repeats=2)
    named = []
    for number, score in enumerate([0.0, 10.0, 3.0, None]):
        standings.add(number, score, number)
        named.append(standings.best.runs)
    assert named == [(0,), (0, 1), (2,), (2,)]
    assert [standing.score for standing in standings.ranked()] == [3.0, 5.0]


def test_the_first_of_equals_is_the_best_whichever_ended_first():
    standings = Standings(maximize=True)
    for number in (5, 3, 4):
        standings.add(number, 1.0, number)
    assert standings.best.first == 3


@pytest.mark.parametrize(
    "objective",
    [
        Objective(),
        Objective(("accuracy",), ("maximize",)),
        Objective(("accuracy", "size"), ("maximize", "minimize")),
        Objective(("a, b", "c d"), ("minimize", "maximize")),
        Objective((), ("minimize", "maximize")),
    ],
)
def test_the_words_of_an_objective_say_all_of_it(objective):
    assert Objective.parse(objective.describe()) == objective
