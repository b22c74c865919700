"""A sweep of Weights & Biases, held against their own packages: `sweeps`, which draws the points, and `wandb`."""

import json
import os
import re
import subprocess
from textwrap import dedent

import pytest
import yaml
from conftest import environment, type_sweeper

from sweeper.grammar import parse_value
from sweeper.space import Choices, domain_of

pytestmark = pytest.mark.example("with_wandb_sweep")

PARAMETERS = {
    "categorical": {"values": ["a", 2, None]},
    "probabilities": {"values": ["a", "b"], "probabilities": [0.25, 0.75]},
    "whole": {"min": -3, "max": 12},
    "int_uniform": {"distribution": "int_uniform", "min": 1, "max": 2},
    "uniform": {"min": 0.5, "max": 2.5},
    "uniform_whole": {"distribution": "uniform", "min": 0, "max": 3},
    "q_uniform": {"distribution": "q_uniform", "min": 1, "max": 10, "q": 2},
    "q_uniform_tenths": {"distribution": "q_uniform", "min": 0.1, "max": 0.9, "q": 0.1},
    "log_uniform": {"distribution": "log_uniform", "min": -9.2, "max": 0.5},
    "log_uniform_values": {"distribution": "log_uniform_values", "min": 1e-5, "max": 0.1},
    "q_log_uniform": {"distribution": "q_log_uniform", "min": 1, "max": 4, "q": 3},
    "q_log_uniform_values": {"distribution": "q_log_uniform_values", "min": 8, "max": 256, "q": 8},
    "inv_log_uniform": {"distribution": "inv_log_uniform", "min": 0.5, "max": 4},
    "inv_log_uniform_values": {"distribution": "inv_log_uniform_values", "min": 1e-3, "max": 10},
    "normal": {"distribution": "normal", "mu": 5, "sigma": 2},
    "q_normal": {"distribution": "q_normal", "mu": 50, "sigma": 5, "q": 5},
    "log_normal": {"distribution": "log_normal", "mu": -1, "sigma": 0.5},
    "q_log_normal": {"distribution": "q_log_normal", "mu": 3, "sigma": 0.4, "q": 2},
    "beta": {"distribution": "beta", "a": 2, "b": 3},
    "q_beta": {"distribution": "q_beta", "a": 2, "b": 3, "q": 0.25},
}
EXACT = {"uniform", "uniform_whole", "whole", "int_uniform", "log_uniform", "log_uniform_values",
         "inv_log_uniform", "inv_log_uniform_values"}  # fmt: skip
PARTS = [0.002, 0.01, 0.1, 0.26, 0.49, 0.74, 0.9, 0.99, 0.998]


def ask(example, script: str, given: object) -> object:
    """Return what a script that has their package prints of something."""
    asked = subprocess.run(
        [example.python, "-W", "ignore", "-c", dedent(script)],
        input=json.dumps(given), env=environment(), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    if "No module named 'sweeps'" in asked.stderr:
        pytest.skip("sweeps has no package for this Python")
    assert asked.returncode == 0, asked.stderr
    return json.loads(asked.stdout)


def test_the_values_are_those_that_their_package_draws(example):
    drawn = ask(
        example,
        """
        import json, sys
        from sweeps.params import HyperParameter
        given = json.load(sys.stdin)
        ask = {name: HyperParameter(name, node) for name, node in given["parameters"].items()}
        found = {name: [p.ppf(part) for part in given["parts"]] for name, p in ask.items()}
        print(json.dumps(found, default=lambda number: number.item()))
        """,
        {"parameters": PARAMETERS, "parts": PARTS},
    )
    (example.folder / "all.yaml").write_text(yaml.safe_dump({"method": "random", "parameters": PARAMETERS}))
    made = yaml.safe_load(type_sweeper(example.folder, "import", "all.yaml").out)
    assert made["sweeper"]["space"].keys() == PARAMETERS.keys()
    for name, said in made["sweeper"]["space"].items():
        values = Choices(tuple(said)) if isinstance(said, list) else domain_of(parse_value(said, name), name)
        near = [value for value in drawn[name] if values.contains(value) or close(value, values)]
        assert near == drawn[name], f"{name}: {said}"
        if name in EXACT:
            assert [values.from_unit(part) for part in PARTS] == pytest.approx(drawn[name]), name


def close(value: object, values: object) -> bool:
    """Whether a fraction is one of the choices, but for its last digits."""
    own = values.values if isinstance(values, Choices) else ()
    return any(number == pytest.approx(value) for number in own if isinstance(number, float))


def test_what_their_schema_takes_is_taken_and_what_it_refuses_is_refused(example):
    whole = {
        "method": "random", "program": "train.py", "run_cap": 3, "project": "p", "entity": "e", "name": "n",
        "metric": {"name": "loss", "goal": "minimize", "target": 0.1},
        "early_terminate": {"type": "hyperband", "min_iter": 3, "eta": 2},
        "parameters": {"x": {"value": 1}, "deep": {"parameters": {"y": {"values": [1, 2]}}}},
    }  # fmt: skip
    current = {
        k: v for k, v in PARAMETERS.items() if k not in ("log_uniform", "q_log_uniform", "inv_log_uniform")
    }
    cases = [
        whole,
        {**whole, "method": "bayes", "parameters": current},
        {**whole, "early_terminate": {"type": "hyperband", "max_iter": 27, "s": 2}},
        {**whole, "method": "grid", "command": ["${env}", "${program}", "${args_json}"]},
        *({"method": "random", "parameters": {"x": node}} for node in (
            {"min": 3, "max": 1}, {"values": []}, {"min": "a", "max": 1}, {"distribution": "gauss"},
            {"distribution": "normal", "min": 0}, {"values": [1, 2], "probabilities": [0.3, 0.3]},
            {"values": [1, 2], "probabilities": [1.0]}, {"distribution": "q_uniform", "min": 0, "max": 1, "q": 0},
            {"distribution": "normal", "sigma": -1}, {"distribution": "log_uniform_values", "min": 0, "max": 1},
            {"distribution": "beta", "a": -1}, {"value": 1, "values": [1]}, {}, {"distribution": "int_uniform", "min": 0.5, "max": 2},
        )),
        {**whole, "methd": 1}, {**whole, "run_cap": 0}, {**whole, "run_cap": "3"}, {**whole, "method": "tpe"},
        {**whole, "metric": {"goal": "minimize"}}, {**whole, "metric": {"name": "x", "golden": 1}},
        {**whole, "early_terminate": {"type": "hyperband"}}, {**whole, "early_terminate": {"type": "median"}},
        {**whole, "early_terminate": {"type": "hyperband", "min_iter": 2, "eta": 1}},
    ]  # fmt: skip
    script = """
        import json, sys
        from sweeps.config import schema_violations_from_proposed_config as violations
        def refused(case):
            try:
                return bool(violations(case))
            except Exception:
                return True
        print(json.dumps([refused(case) for case in json.load(sys.stdin)]))
        """
    answers = ask(example, script, cases)
    for number, (case, refused) in enumerate(zip(cases, answers, strict=True)):
        path = example.folder / f"{number}.yaml"
        path.write_text(yaml.safe_dump(case))
        ended = type_sweeper(example.folder, "import", path.name, code=2 if refused else 0)
        assert not refused or ended.err.startswith("error: "), case
    assert answers == [False] * 4 + [True] * (len(cases) - 4)


def test_the_script_as_it_was_and_the_one_of_sweeper_come_to_the_same(example, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    type_sweeper(example.folder, "import", "sweep.yaml", "--out", "conf/sweep.yaml")
    (example.folder / "theirs.yaml").write_text("lr: {value: 0.3}\nepochs: {value: 5}\n")
    monkeypatch.setenv("WANDB_SWEEP_PARAM_PATH", str(example.folder / "theirs.yaml"))
    alone = example.run("before.py")
    monkeypatch.delenv("WANDB_SWEEP_PARAM_PATH")
    same = ["lr=0.3", "epochs=5", "batch_size=32"]
    ours = example.run("train.py", *same).record()["metrics"]["val_loss"]
    assert float(re.search(r"val_loss (\d\S+)", alone.err)[1]) == pytest.approx(ours, abs=1e-4)
    assert example.run("agent.py", *same).record()["metrics"]["val_loss"] == ours


def test_a_sweep_of_the_script_as_it_was_ends_what_lags_behind(example, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    type_sweeper(example.folder, "import", "sweep.yaml", "--out", "conf/sweep.yaml")
    slow = "sweeper/pruner=threshold", "sweeper.pruner.upper=0.001", "epochs=3000"
    words = [*slow, "~sweeper.pruner.min_step", "~sweeper.pruner.factor", "--trials", "2", "--jobs", "2"]
    ended = example.run("agent.py", "-m", *words)
    assert [row["status"] for row in ended.results] == ["PRUNED"] * 2
    assert len(os.listdir(example.folder / "wandb")) >= 2  # their runs are there as well
