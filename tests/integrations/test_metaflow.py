"""Metaflow: a sweep whose runs are runs of a flow, and a flow with a sweep in a step."""

import json
import os
import signal

import pytest
from conftest import until

pytestmark = pytest.mark.example("with_metaflow")

LOOK = """
import json
import sys
from metaflow import Flow, namespace

namespace(None)
runs = [(run.pathspec, sorted(run.user_tags), run.successful) for run in Flow(sys.argv[1]).runs()]
print(json.dumps(runs))
"""


@pytest.fixture
def flows(example):
    """What Metaflow knows of the runs of a flow: the name, our tags, and whether it went well."""
    (example.folder / "look.py").write_text(LOOK)
    return lambda flow: json.loads(example.run("look.py", flow).out)


def test_each_run_is_a_run_of_the_flow_and_either_leads_to_the_other(example, flows):
    example.run("-m", "model=polynomial,waves", "--jobs", "2")
    (sweep,) = example.query("select id from sweeps")[0]
    told = dict(
        example.query("select value, number from tags join runs on run_id = runs.id where key = 'metaflow'")
    )
    known = {name: tags for name, tags, _ in flows("Curve")}
    assert {name: [f"run:{number}", f"sweep:{sweep}"] for name, number in told.items()} == known
    assert len(known) == 2
    plain = "import yaml; from model import *; c = yaml.safe_load(open('{}')); print(error(c, fit(c)))"
    for number, score in example.query("select number, score from runs"):
        (example.folder / "plain.py").write_text(
            plain.format(f"multirun/latest/{number}/.sweeper/config.yaml")
        )
        assert float(example.run("plain.py").out) == pytest.approx(score)


def test_a_flow_that_fails_fails_its_run_and_is_found_from_it(example, flows):
    ended = example.run("-m", "model.degree=-3", code=1)
    ((name, _, successful),) = flows("Curve")
    assert not successful
    assert f"the flow's run failed: {name}" in ended.out
    assert ended.record(0)["tags"] == {"metaflow": name}
    assert "need at least one array to stack" in (ended.sweep / "0/train.log").read_text()


def test_a_run_that_is_ended_leaves_no_step_behind(example):
    flow = example.folder / "flow.py"
    flow.write_text(
        flow.read_text().replace(
            "self.weights =",
            "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(60); self.weights =",
        )
    )
    example.run("-m", "ridge=1", "sweeper.launcher.run_timeout=8", code=1)
    pid = int((example.folder / "pid").read_text())
    until(lambda: not os.path.exists(f"/proc/{pid}"))


def events(example):
    (journal,) = example.folder.glob("sweeps/*/sweep.jsonl")
    return [json.loads(line) for line in journal.read_text().splitlines()]


def test_a_flow_hands_the_best_config_of_its_sweep_to_the_next_step(example):
    ended = example.run("nightly.py", "run", "--trials", "6")
    best = example.query(
        "select params.value from params join runs on run_id = runs.id where key = 'model' order by score limit 1"
    )
    assert f"fitted with {{'kind': '{best[0][0]}'" in ended.out


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "asked to end"])
def test_a_step_that_is_tried_again_goes_on_with_its_sweep(example, number):
    model = example.folder / "model.py"
    slow = "    import time; time.sleep(0.1)\n    x, y = points(config, seed=0)\n"
    model.write_text(model.read_text().replace("    x, y = points(config, seed=0)\n", slow))
    process = example.start("nightly.py", "run", "--trials", "16")
    until(lambda: example.asked("select count(*) from runs where status = 'COMPLETED'") > [(3,)])
    begun = next(event for event in events(example) if event["event"] == "begin")
    os.kill(begun["pid"], number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    assert "Task is starting (retry)" in out
    found = events(example)
    resumed = [event["event"] for event in found].index("resume")
    before = {
        event["number"]
        for event in found[:resumed]
        if event["event"] == "end" and event["status"] == "COMPLETED"
    }
    after = {event["number"] for event in found[resumed:] if event["event"] == "start"}
    assert len(before) > 3
    assert not before & after, "nothing is repeated"
    assert before | after == set(range(16))
    assert "fitted with" in out
