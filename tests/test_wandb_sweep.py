"""`sweeper import sweep.yaml`: a sweep of Weights & Biases becomes a config."""

from textwrap import dedent

import pytest
import yaml
from conftest import type_sweeper

TRAIN = """
    import sweeper

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        for step in range(4):
            sweeper.report({"loss": (cfg.lr - 0.3) ** 2 + 1 / (step + 1)}, step=step)
        return {"loss": (cfg.lr - 0.3) ** 2, "size": 1.0}

    if __name__ == "__main__":
        train()
"""
HEAD = """
    program: train.py
    method: random
    run_cap: 5
    metric: {name: loss, goal: minimize}
"""


def imported(folder, text, *words):
    """Return the config that a sweep becomes, and what is said of it."""
    (folder / "sweep.yaml").write_text(dedent(text))
    ended = type_sweeper(folder, "import", "sweep.yaml", *words)
    return yaml.safe_load(ended.out), ended.err


def space_of(folder, parameter, method="random"):
    config, said = imported(
        folder, f"program: x.py\nmethod: {method}\nrun_cap: 1\nparameters: {{x: {parameter}}}"
    )
    return config["sweeper"].get("space", {}).get("x"), config["x"], said


@pytest.mark.parametrize(
    ("parameter", "ours", "first"),
    [
        ("{values: [16, 32, 64]}", [16, 32, 64], 16),
        ("{distribution: categorical, values: [a, null, true]}", ["a", None, True], "a"),
        ("{values: [[1, 2], {a: 1}]}", [[1, 2], {"a": 1}], [1, 2]),
        ("{min: 1, max: 9}", "range(1, 10)", 5),
        ("{min: 0.0, max: 1}", "interval(0.0, 1.0)", 0.5),
        ("{distribution: uniform, min: 0, max: 1}", "interval(0.0, 1.0)", 0.5),
        ("{distribution: int_uniform, min: -2, max: 2}", "range(-2, 3)", 0),
        ("{distribution: q_uniform, min: 1, max: 10, q: 2}", "range(0, 11, 2)", 4),
        ("{distribution: q_uniform, min: 0, max: 1, q: 0.25}", "range(0.0, 1.125, 0.25)", 0.5),
        ("{distribution: log_uniform_values, min: 1e-4, max: 1}", "interval(0.0001, 1.0, log=true)", 0.01),
        ("{distribution: inv_log_uniform_values, min: 0.25, max: 4}", "interval(0.25, 4.0, log=true)", 1.0),
        ("{distribution: log_uniform, min: 0, max: 2}", "interval(1.0, 7.38905609893065, log=true)", 2.72),
        ("{distribution: inv_log_uniform, min: -2, max: 0}", "interval(1.0, 7.38905609893065, log=true)", 2.72),
        ("{distribution: q_log_uniform_values, min: 16, max: 128, q: 16}", "tag(log, range(16, 129, 16))", 48),
        ("{distribution: q_log_uniform, min: 0, max: 2}", "tag(log, range(1, 8))", 3),
        ("{distribution: beta}", "interval(0.0, 1.0)", 0.5),
    ],
)  # fmt: skip
def test_a_distribution_becomes_a_range_of_the_same_values(tmp_path, parameter, ours, first):
    assert space_of(tmp_path, parameter) == (ours, first, "")


@pytest.mark.parametrize(
    ("parameter", "ours", "said"),
    [
        ("{distribution: normal, mu: 1, sigma: 0.5}", "interval(-0.5, 2.5)", "in mu ± 3 sigma"),
        ("{distribution: normal}", "interval(-3.0, 3.0)", "in mu ± 3 sigma"),
        ("{distribution: q_normal, mu: 10, sigma: 2, q: 2}", "range(4, 17, 2)", "in mu ± 3 sigma"),
        ("{distribution: log_normal, sigma: 0}", None, ""),
        ("{distribution: q_log_normal, sigma: 0.5}", "tag(log, range(1, 5))", "begins at 1.0"),
        ("{distribution: q_log_normal, mu: 1, sigma: 0.5}", "tag(log, range(1, 13))", "in mu ± 3 sigma"),
        ("{distribution: beta, a: 2, b: 5}", "interval(0.0, 1.0)", "evenly from 0 to 1"),
        ("{distribution: q_beta, a: 2, q: 0.5}", "range(0.0, 1.25, 0.5)", "evenly from 0 to 1"),
        ("{values: [a, b, c], probabilities: [0.5, 0.5, 0]}", ["a", "b"], "drawn alike, and c left out"),
        ("{distribution: log_uniform, min: 0.001, max: 0.1}", "interval(1.0010005001667084, 1.1051709180756477, log=true)", "for the values themselves write log_uniform_values"),
        ("{distribution: q_uniform, min: 0, max: 1, q: 1e-9}", "interval(0.0, 1.0)", "not rounded to multiples of 1e-09"),
        ("{distribution: q_uniform, min: -1e300, max: 1e300, q: 1e-300}", "interval(-1e+300, 1e+300)", "not rounded to"),
        ("{distribution: q_log_uniform_values, min: 0.1, max: 1, q: 0.1}", "interval(0.1, 1.0, log=true)", "not rounded to multiples of 0.1"),
    ],
)  # fmt: skip
def test_what_only_comes_near_is_said(tmp_path, parameter, ours, said):
    space, _, notes = space_of(tmp_path, parameter)
    assert space == ours
    assert said in notes
    assert not said or notes.startswith("note: x: ")


def test_a_grid_gets_the_points_that_theirs_has(tmp_path):
    assert (
        space_of(tmp_path, "{distribution: q_uniform, min: 1, max: 7, q: 2}", "grid")[0] == "range(1, 7, 2)"
    )
    assert space_of(tmp_path, "{min: 1, max: 3}", "grid")[0] == "range(1, 4)"


def test_the_whole_of_a_sweep_becomes_a_config(tmp_path):
    config, said = imported(
        tmp_path,
        """
        program: train.py
        name: first
        description: with dropout
        entity: team
        project: vision
        method: bayes
        metric: {name: acc, goal: maximize, target: 0.99}
        run_cap: 30
        early_terminate: {type: hyperband, max_iter: 27, s: 2, eta: 3}
        parameters:
          lr: {distribution: log_uniform_values, min: 0.001, max: 1}
          epochs: {value: 27}
          model:
            parameters:
              depth: {values: [1, 2]}
              net: {parameters: {act: {value: relu}}}
        """,
    )
    assert config == {
        "defaults": [{"override /sweeper/search": "gp"}, {"override /sweeper/pruner": "asha"}, "_self_"],
        "lr": 0.0316,
        "epochs": 27,
        "model": {"depth": 1, "net": {"act": "relu"}},
        "sweeper": {
            "name": "first",
            "note": "with dropout",
            "objective": {"metric": "acc", "direction": "maximize"},
            "search": {"trials": 30, "target": 0.99},
            "pruner": {"min_step": 3, "factor": 3},
            "space": {"lr": "interval(0.001, 1.0, log=true)", "model.depth": [1, 2]},
        },
    }
    assert "--tracker wandb sweeper.tracker.wandb.project=vision sweeper.tracker.wandb.entity=team" in said


def test_several_metrics_are_several_objectives(tmp_path):
    config, said = imported(
        tmp_path,
        "method: custom\nscheduler: {engine: optuna}\nparameters: {x: {min: 1, max: 2}}\n"
        "metrics: [{name: loss}, {name: acc, goal: maximize}]\nrun_cap: 3\n",
    )
    assert config["sweeper"]["objective"] == {
        "metric": ["loss", "acc"],
        "direction": ["minimize", "maximize"],
    }
    assert config["defaults"][0] == {"override /sweeper/search": "tpe"}
    assert "the scheduler of method custom is left out" in said


@pytest.mark.parametrize(
    ("command", "runs"),
    [
        ("", "python train.py -m -cn sweep"),
        ("command: ['${env}', python3, -u, '${program}', '${args}']", "python3 -u train.py -m -cn sweep"),
        ("command: ['${env}', '${interpreter}', -m, pkg.train, '${args}']", "python -m pkg.train -m -cn sweep"),
        ("command: [python, -m, torch.distributed.run, '${program}', '${args}']", "python -m torch.distributed.run train.py -m -cn sweep"),
        ("command: [torchrun, --nproc-per-node=2, '${program}', '${args_no_hyphens}']",
         "torchrun --nproc-per-node=2 train.py -m +experiment=sweep"),
        ("command: ['${interpreter}', '${program}', 'data=big one', '${args_no_hyphens}']",
         "python train.py -m +experiment=sweep 'data=big one'"),
        ("command: ['${interpreter}', '${program}', 'root=${envvar:DATA}', '${args_append_hydra}']",
         "python train.py -m +experiment=sweep root=$DATA"),
    ],
)  # fmt: skip
def test_the_command_says_what_runs_the_sweep(tmp_path, command, runs):
    (tmp_path / "sweep.yaml").write_text(
        dedent(HEAD) + f"{command}\nparameters: {{lr: {{min: 0.0, max: 1.0}}}}"
    )
    assert f"#   {runs}\n" in type_sweeper(tmp_path, "import", "sweep.yaml").out


def test_flags_of_the_command_are_keys_of_the_config(tmp_path):
    config, said = imported(
        tmp_path,
        dedent(HEAD)
        + "command: ['${interpreter}', '${program}', --epochs=3, --out, here, --fast, --lr=1, x, '${args}']\n"
        "parameters: {lr: {min: 0.0, max: 1.0}}",
    )
    assert config.keys() == {"defaults", "lr", "epochs", "out", "fast", "sweeper"}
    assert (config["epochs"], config["out"], config["fast"]) == (3, "here", True)
    assert "'--lr=1' is left out: 'lr' is a parameter" in said
    assert "word 'x' is left out" in said


def test_a_program_with_configs_of_its_own_gets_ranges_for_its_keys(tmp_path):
    text = """
        method: grid
        program: train.py
        command: ['${interpreter}', '${program}', '${args_override_hydra}']
        parameters: {model: {values: [tree, net]}, epochs: {value: 3}}
    """
    config, _ = imported(tmp_path, text)
    assert config == {
        "defaults": [{"override /sweeper/search": "grid"}, "_self_"],
        "sweeper": {"space": {"++model": ["tree", "net"]}},
    }
    assert "-m +experiment=sweep ++epochs=3" in type_sweeper(tmp_path, "import", "sweep.yaml").out


# ------------------------------------------------------------------------------------- what is made runs


@pytest.mark.parametrize("method", ["random", "bayes", "grid"])
def test_what_is_made_runs(project, method):
    project.write(train_py=TRAIN)
    values = "{values: [0.1, 0.2, 0.3]}" if method == "grid" else "{min: 0.0, max: 1.0}"
    text = dedent(HEAD).replace("random", method) + f"parameters: {{lr: {values}, epochs: {{value: 2}}}}\n"
    (project.folder / "sweep.yaml").write_text(text + "early_terminate: {type: hyperband, min_iter: 2}\n")
    said = type_sweeper(project.folder, "import", "sweep.yaml", "--out", "conf/mine.yaml").out
    assert said == "conf/mine.yaml is written; run it with  python train.py -m -cn mine\n"
    ended = project.run("-m", "-cn", "mine")
    assert f"{ {'random': 'random', 'bayes': 'gp', 'grid': 'grid'}[method] }: " in ended.out
    assert len(ended.results) == (3 if method == "grid" else 5)
    assert "best (minimize loss)" in ended.out
    assert project.run("-cn", "mine", "lr=0.3").record()["score"] == 0  # and so does one run


def test_what_is_made_goes_on_top_of_a_programs_configs(project):
    project.write(config="lr: 0.5\ndepth: 2\n", train_py=TRAIN)
    text = dedent(HEAD) + "parameters: {lr: {min: 0.0, max: 1.0}, wide: {value: true}}\n"
    (project.folder / "sweep.yaml").write_text(text)
    said = type_sweeper(project.folder, "import", "sweep.yaml", "--out", "conf/experiment/mine.yaml").out
    assert said.endswith("python train.py -m +experiment=mine\n")
    ended = project.run("-m", "+experiment=mine", "--trials", "2")
    assert len(ended.results) == 2
    assert yaml.safe_load((ended.sweep / "0/.sweeper/config.yaml").read_text()) == {
        "lr": 0.5, "depth": 2, "wide": True,
    }  # fmt: skip


def test_a_hydra_programs_sweep_runs_on_its_groups(project):
    project.write(config="defaults: [model: tree]\nlr: 0.5\n", model__tree="depth: 3", model__net="wide: 4")
    project.write(train_py=TRAIN)
    text = """
        method: grid
        program: train.py
        command: ['${interpreter}', '${program}', 'lr=0.1', '${args_no_hyphens}']
        parameters: {model: {values: [tree, net]}}
    """
    (project.folder / "sweep.yaml").write_text(dedent(text))
    type_sweeper(project.folder, "import", "sweep.yaml", "--out", "conf/experiment/mine.yaml")
    ended = project.run("-m", "+experiment=mine", "lr=0.1", "sweeper.objective.metric=loss")
    assert [row["model"] for row in ended.results] == ["tree", "net"]


# --------------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("method: grid\nprogram: x.py\n", "sweep.yaml is no sweep of Weights & Biases"),
        ("method: [grid\n", "Cannot read the YAML"),
        ("method: byes\nparameters: {x: {value: 1}}", "There is no method 'byes'\n  sweep.yaml:1: method\n  Did you mean 'bayes'?"),
        ("method: grid\nparametres: 1\nparameters: {x: {value: 1}}", "A sweep has no 'parametres'\n  sweep.yaml:2: parametres\n  Did you mean 'parameters'?"),
        ("method: grid\nparameters:\n  x: {valeus: [1]}", "sweep.yaml:3: parameters.x\n  Did you mean 'values' or 'value'?"),
        ("method: grid\nparameters:\n  x: 3", "A parameter is a mapping, not 3\n  sweep.yaml:3: parameters.x\n  Write x: {value: 3}"),
        ("method: grid\nparameters: []", "'parameters' must be a mapping, not []"),
        ("method: grid\nparameters:\n  x: {min: 0.0, max: 1.0}", "A grid has no points in a range of uniform"),
        ("method: random\nparameters:\n  x:\n    min: 2\n    max: 1", "'min' 2 is not below 'max' 1\n  sweep.yaml:4: parameters.x.min"),
        ("method: random\nparameters: {x: {min: 2}}", "The distribution uniform needs 'max'"),
        ("method: random\nparameters: {x: {min: a, max: 2}}", "'min' must be a number, not a"),
        ("method: random\nparameters: {x: {distribution: lognormal}}", "Did you mean 'log_normal'"),
        ("method: random\nparameters: {x: {distribution: [normal]}}", "There is no distribution [normal]"),
        ("method: random\nparameters: {x: {distribution: normal, sigm: 1}}", "The distribution normal takes no 'sigm'"),
        ("method: random\nparameters: {x: {distribution: normal, sigma: -1}}", "'sigma' must not be below zero"),
        ("method: random\nparameters: {x: {distribution: log_uniform, min: 1, max: 1000}}", "e to the power of 1000 is no number"),
        ("method: random\nparameters: {x: {distribution: log_uniform_values, min: 0, max: 1}}", "must be above zero, not 0"),
        ("method: random\nparameters: {x: {distribution: q_uniform, min: 0, max: 1, q: 0}}", "'q' must be above zero"),
        ("method: random\nparameters: {x: {distribution: int_uniform, min: 0.5, max: 3}}", "must be a whole number, not 0.5"),
        ("method: random\nparameters: {x: {values: []}}", "'values' must be a list, not []"),
        ("method: random\nparameters: {x: {values: [1, 2], probabilities: [1]}}", "must have a number for each value"),
        ("method: random\nparameters: {x: {values: [1, 2], probabilities: [1, 1]}}", "sum to 2, not to 1"),
        ("method: random\nparameters: {'a b': {value: 1}}", "'a b' is no key of a config"),
        ("method: random\nparameters: {sweeper: {value: 1}}", "'sweeper' means something else"),
        ("method: random\nparameters: {a: {value: 1}, a.b: {value: 1}}", "'a.b' stands below 'a', which has a value"),
        ("method: random\nparameters: {a.b: {value: 1}, a: {value: 1}}", "'a' stands there twice"),
        ("method: random\nparameters: {a: {parameters: 3}}", "'parameters' inside of one is a mapping"),
        ("method: random\nparameters: {x: {value: 1}}\nmetric: {name: l, goal: minimise}", "Did you mean 'minimize' or"),
        ("method: random\nparameters: {x: {value: 1}}\nmetric: loss", "'metric' must be a mapping, not loss"),
        ("method: random\nparameters: {x: {value: 1}}\nmetric: {goal: minimize}", "A metric has a name"),
        ("method: random\nparameters: {x: {value: 1}}\nmetric: {name: l}\nmetrics: []", "one 'metric', or several 'metrics'"),
        ("method: random\nparameters: {x: {value: 1}}\nrun_cap: 0", "'run_cap' must be a whole number above zero, not 0"),
        ("method: random\nparameters: {x: {value: 1}}\nearly_terminate: {type: median}", "is of type hyperband, not median"),
        ("method: random\nparameters: {x: {value: 1}}\nearly_terminate: {type: hyperband}", "It needs min_iter, or max_iter and s"),
        ("method: random\nparameters: {x: {value: 1}}\nearly_terminate: {type: hyperband, min_iter: 1, eta: 1}", "'eta' must be above one"),
        ("method: random\nparameters: {x: {value: 1}}\ncommand: ['${program}', '${arg}']", "The command has no '${arg}'"),
        ("method: random\nparameters: {x: {value: 1}}\ncommand: ['${env}']", "The command starts no program"),
        ("method: random\nparameters: {x: {value: 1}}\ncommand: python train.py", "'command' must be a list of words"),
    ],
)  # fmt: skip
def test_what_means_nothing_is_refused_with_its_line(tmp_path, text, said):
    (tmp_path / "sweep.yaml").write_text(text)
    assert said in type_sweeper(tmp_path, "import", "sweep.yaml", code=2).err


def test_the_command_refuses_what_it_would_overwrite_or_not_obey(tmp_path):
    (tmp_path / "sweep.yaml").write_text("method: grid\nparameters: {x: {values: [1, 2]}}\n")
    (tmp_path / "old.csv").write_text("x,y\nparameter,score\n1,2\n")
    for words, said in [
        (["sweep.yaml", "--out", "sweep.yaml"], "sweep.yaml is there already"),
        (["sweep.yaml", "--out", "conf"], "--out is a config, whose name ends in .yaml"),
        (["sweep.yaml", "--maximize"], "sweep.yaml says it: metric.goal"),
        (["nosuch.yaml"], "Cannot read nosuch.yaml: No such file or directory"),
        (["old.csv", "--out", "conf/x.yaml"], "--out is for the config that a sweep.yaml becomes"),
    ]:
        assert said in type_sweeper(tmp_path, "import", *words, code=2).err
    assert not (tmp_path / "sweeper.db").exists()


def test_a_program_can_read_it_too(tmp_path):
    import json

    (tmp_path / "sweep.yaml").write_text("method: grid\nparameters: {x: {values: [1, 2]}}\n")
    found = json.loads(type_sweeper(tmp_path, "import", "sweep.yaml", "--json", "--name", "mine").out)
    assert found["command"] == "python train.py -m -cn sweep"
    assert found["config"]["sweeper"] == {"name": "mine", "space": {"x": [1, 2]}}
    assert found["notes"] == ["no program is named: train.py stands for it"]
