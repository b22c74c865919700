"""LightGBM and XGBoost, whose own callbacks report."""

import pytest

LIBRARIES = [
    pytest.param(name, marks=pytest.mark.example(f"with_{name}")) for name in ("lightgbm", "xgboost")
]
RATE = {"lightgbm": "params.learning_rate", "xgboost": "params.eta"}
# Trees enough that a run takes its time, and that none is ended by early stopping.
LONG = ("rounds=1500", "patience=1500", "sweeper.launcher.threads=1")


@pytest.mark.parametrize("library", LIBRARIES)
def test_each_tree_is_reported_and_the_best_is_the_score(example, library):
    example.run("rounds=30")
    values = [
        value for (value,) in example.query("select value from metrics where step is not null order by step")
    ]
    assert len(values) == 30
    assert example.query("select score from runs") == [(pytest.approx(min(values)),)]


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_lags_behind_is_pruned_in_the_midst_of_training(example, library):
    pruner = ["sweeper/pruner=threshold", "sweeper.pruner.upper=4.4", "sweeper.pruner.warmup=50"]
    rates = f"{RATE[library]}=0.2,1e-5"  # the second learns next to nothing
    ended = example.run("-m", rates, *LONG, *pruner, "~sweeper.space")
    good, poor = ended.results
    assert (good["status"], poor["status"]) == ("COMPLETED", "PRUNED")
    assert ended.record(1)["error"] is None
    assert float(good["score"]) < 3.5
    (steps,) = example.query(
        "select max(step) from metrics m join runs r on m.run_id = r.id where r.number = 1"
    )[0]
    assert 50 <= steps < 1490


@pytest.mark.parametrize("library", LIBRARIES)
def test_data_made_when_the_script_is_imported_is_shared_by_runs_of_several_threads(example, library):
    words = ["--search", "random", "--trials", "2", "rounds=20"]
    ended = example.run(*words, "sweeper.launcher.threads=2", "sweeper.launcher.run_timeout=20")
    assert [row["status"] for row in ended.results] == ["COMPLETED"] * 2
    assert "a Python of its own" not in ended.out


@pytest.mark.example("with_lightgbm")
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["params.num_leafs=3"], 2, "Did you mean 'num_leaves'?"),
        (["params.num_leaves=1"], 1, "Check failed: (num_leaves) > (1)"),
        (["+params.device_type=gpu"], 1, "No OpenCL device found"),
    ],
)
def test_a_mistake_is_named(example, words, code, said):
    assert said in example.run(*words, code=code).err


@pytest.mark.example("with_xgboost")
def test_xgboost_without_a_gpu_goes_on_without_and_says_so(example):
    ended = example.run("params.device=cuda", "rounds=2")
    assert "No visible GPU is found" in (ended.run / "train.log").read_text()
