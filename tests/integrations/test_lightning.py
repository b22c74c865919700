"""A project of Lightning's, with the tree of configs that such projects have."""

import os
import signal

import pytest
import yaml
from conftest import until

pytestmark = pytest.mark.example("with_lightning")

SRC = "src/train.py"
ONE = "sweeper.launcher.threads=1"


def record(directory):
    return yaml.safe_load((directory / ".sweeper/run.yaml").read_text())


def newest(folder):
    return max(folder.glob("2*"))


@pytest.fixture
def lightning(example):
    example.sweep = lambda: newest(example.folder / "logs/train/multiruns")
    return example


def test_a_run_has_its_checkpoints_metrics_and_log_in_its_own_directory(lightning):
    lightning.run(SRC, "trainer.max_epochs=2")
    run = newest(lightning.folder / "logs/train/runs")
    assert {file.name for file in (run / "checkpoints").iterdir()} == {"epoch_01.ckpt", "last.ckpt"}
    assert (run / "csv/version_0/metrics.csv").exists()
    assert {*os.listdir(lightning.folder)} == {
        "configs",
        "latest",
        "logs",
        "requirements.txt",
        "src",
        "sweeper.db",
    }
    found = record(run)
    assert found["score"] == found["metrics"]["val/acc"] > 0.5
    assert found["metrics"]["test/acc"] > 0.5
    steps = "select step from metrics where name = 'val/acc' and step is not null order by step"
    assert lightning.query(steps) == [(0,), (1,)]


def test_an_experiment_and_a_debug_config_compose_as_the_tree_says(lightning):
    lightning.run(SRC, "experiment=example", "debug=fdr")
    run = newest(lightning.folder / "logs/debug/runs")
    config = yaml.safe_load((run / ".sweeper/config.yaml").read_text())
    assert config["model"]["net"]["_target_"] == "models.nets.cnn"
    assert config["trainer"]["fast_dev_run"] is True
    assert (config["seed"], config["callbacks"], config["logger"]) == (7, None, None)
    assert not (run / "checkpoints").exists()


def test_a_poor_run_is_pruned_at_the_end_of_an_epoch_and_is_no_failure(lightning):
    words = ["model.optimizer.lr=0.01,1e-6", "trainer.max_epochs=6", "test=false"]
    lightning.run(SRC, "-m", ONE, *words, "sweeper/pruner=threshold", "sweeper.pruner.lower=0.4")
    good, poor = (record(lightning.sweep() / str(number)) for number in (0, 1))
    assert (good["status"], poor["status"], poor["error"]) == ("COMPLETED", "PRUNED", None)
    assert good["score"] > 0.8
    assert poor["metrics"]["val/acc"] < 0.4
    assert "Traceback" not in (lightning.sweep() / "1/train.log").read_text()


def test_a_declared_space_is_searched_where_its_model_is_chosen(lightning):
    lightning.run(SRC, "--search", "random", "--trials", "4", "--jobs", "2", "model=mlp,cnn", "test=false",
                  "trainer.max_epochs=1", "sweeper.search.seed=3")  # fmt: skip
    rows = lightning.query(
        "select r.number, p.key, p.value from runs r join params p on p.run_id = r.id order by 1"
    )
    for number in range(4):
        params = {key: value for of, key, value in rows if of == number}
        own = {"mlp": "model.net.depth", "cnn": "model.net.channels"}
        assert own.pop(params["model"]) in params
        assert not params.keys() & own.values()


@pytest.mark.parametrize("strategy", ["ddp", "ddp_fork"])
def test_two_processes_train_one_run_where_the_first_reports_and_is_pruned(lightning, strategy):
    pruner = ["sweeper/pruner=threshold", "sweeper.pruner.lower=0.3", "test=false", "trainer.max_epochs=6"]
    words = ["trainer=ddp", f"trainer.strategy={strategy}", "model.optimizer.lr=0.05,1e-6"]
    lightning.run(SRC, "-m", ONE, *words, *pruner)
    good, poor = (record(lightning.sweep() / str(number)) for number in (0, 1))
    assert (good["status"], poor["status"], poor["error"]) == ("COMPLETED", "PRUNED", None)
    assert good["score"] > 0.8
    assert poor["metrics"]["val/acc"] < 0.3
    reports = (lightning.sweep() / "0/.sweeper/metrics.jsonl").read_text().splitlines()
    assert len(reports) <= 6, "one process reports, not both"
    assert lightning.query("select count(*) from runs") == [(2,)]


def test_what_is_cut_off_is_cancelled_though_lightning_ends_it_in_peace(lightning):
    long = ["trainer.max_epochs=5000", "callbacks.early_stopping.patience=5000", "model.optimizer.lr=0.001"]
    process = lightning.start(SRC, "-m", ONE, *long)
    until(lambda: lightning.asked("select 1 from metrics where step = 3"))
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130
    assert lightning.query("select status from runs") == [("CANCELLED",)]
