"""Keras on torch, whose own callback reports."""

import pytest

pytestmark = pytest.mark.example("with_keras")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


def test_epochs_are_reported_and_what_lags_behind_is_pruned(example):
    pruner = ["sweeper/pruner=threshold", "sweeper.pruner.lower=0.5", "epochs=8"]
    ended = example.run("-m", "optimizer.learning_rate=0.01,1e-7", "~sweeper.space", *pruner)
    assert [row["status"] for row in ended.results] == ["COMPLETED", "PRUNED"]
    assert ended.record(0)["score"] > 0.8
    steps = "select m.step from metrics m join runs r on m.run_id = r.id where r.number = 0 and m.name = 'val_accuracy'"
    assert {step for (step,) in example.query(steps) if step is not None} == set(range(8))
