"""An experiment of Sacred's: driven as it stands, and ported, with the same score."""

import json
import re
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import until

pytestmark = pytest.mark.example("with_sacred")


def result_of(printed: str) -> float:
    return float(re.search(r"Result: (\S+)", printed)[1])


def statuses(example) -> list[str]:
    return [whole(path)["status"] for path in sorted(example.folder.glob("runs/*/run.json"))]


def whole(path: Path) -> dict:
    """Read a record of Sacred's, which writes it anew, in place, while a run goes on."""

    def parsed() -> dict | None:
        with suppress(json.JSONDecodeError):
            return json.loads(path.read_text())

    return until(parsed)


@pytest.mark.parametrize(
    ("sacred", "ours"),
    [
        ("seed=1", ["seed=1"]),
        ("seed=2 lr=0.3 data.noise=0.2", ["seed=2", "lr=0.3", "data.noise=0.2"]),
        ("seed=3 wide epochs=5", ["seed=3", "size=wide", "epochs=5"]),
    ],
)
def test_the_port_has_the_score_of_the_experiment(example, sacred, ours):
    score = result_of(example.run("before.py", "with", *sacred.split()).err)
    assert example.run("train.py", *ours).record()["score"] == score
    driven = [word.replace("size=", "named=") for word in ours]
    assert example.run("sweep.py", *driven).record()["score"] == score


def test_the_port_records_what_the_experiment_did(example):
    example.run("before.py", "with", "seed=1")
    example.run("train.py", "-m", "seed=1", "lr=0.1,0.2", "--tracker", "sacred")
    theirs = json.loads((example.folder / "runs/1/metrics.json").read_text())["loss"]
    ours = json.loads((example.folder / "sacred/1/metrics.json").read_text())["loss"]
    assert (ours["steps"], ours["values"]) == (theirs["steps"], theirs["values"])
    info = json.loads((example.folder / "runs/1/info.json").read_text())
    ((largest,),) = example.query("select value from metrics where name = 'largest' order by run_id limit 1")
    assert largest == info["largest"]
    for place in ("runs/1", "sacred/1"):
        assert (example.folder / place / "weights.txt").read_text()


def test_the_config_and_the_named_configs_come_from_the_experiment(example):
    assert "noise: 0.3" in example.run("sweep.py", "--cfg", "job").out
    assert "features: 64" in example.run("sweep.py", "--cfg", "job", "named=wide").out
    assert "Did you mean 'wide'?" in example.run("sweep.py", "named=wid", code=2).err
    assert "Did you mean 'lr'?" in example.run("sweep.py", "-m", "ler=1,2", code=2).err


def test_what_sacred_calculates_follows_what_a_sweep_sets(example):
    example.run("sweep.py", "-m", "features=4,16")
    configs = [json.loads(path.read_text()) for path in sorted(example.folder.glob("runs/*/config.json"))]
    assert {(config["features"], config["spread"]) for config in configs} == {(4, 2), (16, 8)}


def test_what_is_logged_is_reported_and_each_run_has_a_seed_of_its_own(example):
    ended = example.run(
        "sweep.py", "--search", "random", "--trials", "3", "epochs=4", "lr=interval(0.1, 0.2)"
    )
    counts = example.query("select count(*), max(step) from metrics where name = 'loss' group by run_id")
    assert counts == [(4, 3)] * 3
    seeds = {json.loads(path.read_text())["seed"] for path in example.folder.glob("runs/*/config.json")}
    assert len(seeds) == 3
    assert [row["status"] for row in ended.results] == ["COMPLETED"] * 3


def test_a_run_that_is_pruned_is_so_to_sacred_too(example):
    pruner = ["--pruner", "threshold", "sweeper.pruner.upper=0.1"]
    ended = example.run("sweep.py", "-m", "lr=0.001,0.01", "epochs=200000", *pruner)
    assert [row["status"] for row in ended.results] == ["PRUNED"] * 2
    assert statuses(example) == ["PRUNED"] * 2


def test_a_run_that_is_interrupted_or_takes_too_long_is_so_to_sacred_too(example):
    late = example.run("sweep.py", "-m", "epochs=100000000", "sweeper.launcher.run_timeout=1", code=1)
    assert "longer than 1 s" in late.out
    process = example.start("sweep.py", "-m", "epochs=100000000", "lr=0.1,0.2", "--jobs", "2")
    until(lambda: statuses(example).count("RUNNING") == 2)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "2 CANCELLED" in out
    assert statuses(example) == ["INTERRUPTED"] * 3


def test_a_run_that_fails_says_why_and_the_others_go_on(example):
    ended = example.run("sweep.py", "-m", "data.points=many,80", code=1)
    assert "1 COMPLETED, 1 FAILED" in ended.out
    assert "TypeError: 'str' object cannot be interpreted as an integer" in ended.out
    assert sorted(statuses(example)) == ["COMPLETED", "FAILED"]
