"""A sweep over pipelines of scikit-learn's."""

import json
import subprocess

import joblib
import pytest
from conftest import environment
from sklearn.datasets import load_digits

pytestmark = pytest.mark.example("with_sklearn")


def test_each_model_is_searched_by_its_own_parameters_and_the_best_is_found(example):
    example.run("--search", "random", "--trials", "6", "--jobs", "2", "model=logistic,svm,forest",
                "model.trees=10", "sweeper.search.seed=2", "folds=3")  # fmt: skip
    own = {
        "logistic": {"model.C"},
        "svm": {"model.C", "model.gamma", "model.components"},
        "forest": {"model.leaf"},
    }
    rows = example.query(
        "select r.number, r.directory, p.key, p.value from runs r join params p on p.run_id = r.id"
    )
    images, digits = load_digits(return_X_y=True)
    for number in range(6):
        params = {key: value for of, _, key, value in rows if of == number}
        assert params.keys() - {"model"} == own[params["model"]]
        directory = next(directory for of, directory, *_ in rows if of == number)
        pipeline = joblib.load(f"{directory}/pipeline.joblib")
        assert pipeline.score(images, digits) > 0.8, "it was fitted on everything"
    assert example.query("select count(*) from artifacts where path like '%pipeline.joblib'") == [(6,)]
    folds = example.query(
        "select distinct step from metrics where name = 'accuracy' and step is not null order by 1"
    )
    assert folds == [(0,), (1,), (2,)]
    best = example.run("-m", "sweeper", "best", "last", "--json").out
    process = subprocess.run([example.python, "predict.py"], cwd=example.folder, input=best, env=environment(),
                             capture_output=True, text=True, check=True)  # fmt: skip
    assert f"run {json.loads(best)[0]['number']}, " in process.stdout
    assert "% of what it was fitted on" in process.stdout


def test_a_pipeline_whose_first_fold_is_poor_is_pruned(example):
    ended = example.run("-m", "model=svm", "model.gamma=0.01,100", "folds=20", "sweeper/pruner=threshold",
                        "sweeper.pruner.lower=0.5")  # fmt: skip
    assert [row["status"] for row in ended.results] == ["COMPLETED", "PRUNED"]
    assert not (ended.sweep / "1/pipeline.joblib").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["model=swm"], 2, "Did you mean 'svm'?"),
        (["-m", "model.C=-1"], 1, "must be a float in the range (0.0, inf]. Got -1"),
        (["model.pipeline._target_=sklearn.pipeline.make_pipelin"], 1, "Did you mean 'make_pipeline' or"),
        (["--search", "tpe", "model.C=1"], 2, "nothing to search"),
    ],
)
def test_a_mistake_is_named(example, words, code, said):
    ended = example.run(*words, code=code)
    assert said in ended.out + ended.err
