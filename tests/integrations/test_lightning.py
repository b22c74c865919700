"""A project of Lightning's, with the tree of configs that such projects have."""

import os
import signal
import time

import pytest
import yaml
from conftest import until

pytestmark = pytest.mark.example("with_lightning")

SRC = "src/train.py"
DDP = ("trainer=ddp", "test=false", "trainer.max_epochs=2")


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
    assert found["score"] == found["metrics"]["val/acc"] > 0.7
    assert found["metrics"]["test/acc"] > 0.7
    steps = "select step from metrics where name = 'val/acc' and step is not null order by step"
    assert lightning.query(steps) == [(0,), (1,)]


def test_an_experiment_and_a_debug_config_compose_as_the_tree_says(lightning):
    lightning.run(SRC, "experiment=example", "debug=fdr")
    run = newest(lightning.folder / "logs/debug/runs")
    config = yaml.safe_load((run / ".sweeper/config.yaml").read_text())
    assert config["model"]["net"]["_target_"] == "models.nets.cnn"
    assert config["trainer"]["fast_dev_run"] is True
    assert (config["seed"], config["callbacks"], config["logger"]) == (7, None, None)
    assert "Running in `fast_dev_run` mode" in (run / "train.log").read_text()
    assert not (run / "checkpoints").exists()


def test_a_search_of_hydras_optuna_sweeper_runs_unchanged(lightning):
    ended = lightning.run(SRC, "-m", "hparams_search=optuna", "hydra.sweeper.n_trials=3")
    assert "tpe: 3 runs, 2 at a time, maximize val/acc" in ended.out
    assert "3 COMPLETED" in ended.out
    params = lightning.query("select distinct key from params order by key")
    assert {"data.batch_size", "model.net.width", "model.optimizer.lr"} <= {key for (key,) in params}


def test_a_poor_run_is_pruned_at_the_end_of_an_epoch_and_is_no_failure(lightning):
    words = ["model.optimizer.lr=0.01,1e-6", "trainer.max_epochs=40", "callbacks.early_stopping.patience=40"]
    pruner = ["sweeper/pruner=threshold", "sweeper.pruner.lower=0.3", "sweeper.pruner.warmup=3"]
    lightning.run(SRC, "-m", *words, *pruner)
    good, poor = (record(lightning.sweep() / str(number)) for number in (0, 1))
    assert (good["status"], poor["status"], poor["error"]) == ("COMPLETED", "PRUNED", None)
    lines = (lightning.sweep() / "1/.sweeper/metrics.jsonl").read_text().splitlines()
    assert 3 < len(lines) < 40
    log = (lightning.sweep() / "1/train.log").read_text()
    assert "Traceback" not in log


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
def test_two_processes_train_one_run_and_the_first_reports(lightning, strategy):
    lightning.run(SRC, "-m", *DDP, f"trainer.strategy={strategy}", "model.optimizer.lr=0.01")
    found = record(lightning.sweep() / "0")
    assert found["status"] == "COMPLETED"
    assert found["score"] > 0.7
    assert len((lightning.sweep() / "0/.sweeper/metrics.jsonl").read_text().splitlines()) == 2
    assert lightning.query("select count(*) from runs") == [(1,)]


def test_a_run_of_processes_started_by_pickle_is_pruned_from_inside(lightning):
    pruner = ["sweeper/pruner=threshold", "sweeper.pruner.lower=0.9"]
    words = ["trainer.strategy=ddp_fork", "model.optimizer.lr=1e-6", "trainer.max_epochs=60"]
    lightning.run(SRC, "-m", "trainer=ddp", *words, "callbacks.early_stopping.patience=60", *pruner)
    found = record(lightning.sweep() / "0")
    assert (found["status"], found["error"]) == ("PRUNED", None)
    assert found["metrics"]["val/acc"] < 0.9


def test_a_run_out_of_time_has_failed_though_lightning_ends_it_in_peace(lightning):
    long = ["trainer.max_epochs=5000", "callbacks.early_stopping.patience=5000", "model.optimizer.lr=0.001"]
    lightning.run(SRC, "-m", *long, "sweeper.launcher.run_timeout=2", code=1)
    found = record(lightning.sweep() / "0")
    assert (found["status"], found["score"]) == ("FAILED", None)
    assert found["error"] == "the run took longer than 2 s (run_timeout)"


def test_what_was_cut_off_is_made_again(lightning):
    long = ["trainer.max_epochs=5000", "callbacks.early_stopping.patience=5000", "model.optimizer.lr=0.001"]
    process = lightning.start(SRC, "-m", *long, "sweeper.sweep.dir=cut")
    until(lambda: lightning.asked("select 1 from metrics where step = 3"))
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130
    assert lightning.query("select status from runs") == [("CANCELLED",)]
    began = time.monotonic()
    lightning.run(SRC, "--resume", "cut", "sweeper.launcher.run_timeout=1", code=1)
    assert time.monotonic() - began < 30
    assert record(lightning.folder / "cut/0.1")["status"] == "FAILED"


def test_threads_that_the_launcher_shares_out_reach_torch(lightning):
    script = lightning.folder / SRC
    text = script.read_text().replace(
        "    trainer.fit(", "    return {'val/acc': torch.get_num_threads()}\n    trainer.fit("
    )
    script.write_text(text.replace("import lightning", "import torch\nimport lightning"))
    lightning.run(SRC, "-m", "seed=1", "sweeper.launcher.threads=2")
    assert record(lightning.sweep() / "0")["score"] == 2
    lightning.run(SRC, "-m", "seed=1", "sweeper.launcher.threads=1")
    assert lightning.query("select score from runs order by score") == [(1.0,), (2.0,)]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("model=cnm", "Did you mean 'cnn'?"),
        ("trainer.max_epoch=3", "Did you mean 'max_epochs'"),
        ("hparams_search=optun", "Did you mean 'optuna'?"),
    ],
)
def test_a_typo_is_named_before_anything_runs(lightning, word, said):
    ended = lightning.run(SRC, word, code=2)
    assert said in ended.err
    assert not (lightning.folder / "logs").exists()
