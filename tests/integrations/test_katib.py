"""A sweep as an Experiment of Katib's: what is written, what is refused, and what a trial then does.

A cluster is not needed. Katib's own models read the manifest, in the example's environment; what they let
through and Katib's admission webhook does not is in the list of `mistakes` here.
"""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from conftest import environment, type_sweeper

from sweeper import katib
from sweeper.app import program_of
from sweeper.errors import SweeperError

with_katib = pytest.mark.example("with_katib")

CONFIG = """
    lr: 0.1
    depth: 3
    units: [64, 32]
    name: adam
    db: {password: none}
"""


def train(cfg):
    return cfg.lr


@pytest.fixture
def program(project):
    project.write(config=CONFIG)
    return program_of(train)._replace(words=("python", "train.py"), folder=str(project.folder), name="train")


@pytest.fixture
def experiment(project, program):
    """What makes the Experiment of a command line."""

    def made(*overrides: str) -> dict:
        found = yaml.safe_load(katib.manifest(project.plan(*overrides), program))
        assert not list(mistakes(found))
        return found

    return made


def feasible(experiment: dict) -> dict:
    return {p["name"]: (p["parameterType"], p["feasibleSpace"]) for p in experiment["spec"]["parameters"]}


def job_of(experiment: dict) -> dict:
    return experiment["spec"]["trialTemplate"]["trialSpec"]["spec"]


def line_of(experiment: dict) -> str:
    return job_of(experiment)["template"]["spec"]["containers"][0]["args"][0]


def mistakes(experiment: dict):
    """Yield what Katib's admission webhook would refuse an Experiment for."""
    spec = experiment["spec"]
    if not re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", experiment["metadata"]["name"]):
        yield "name"
    if not 0 <= spec["maxFailedTrialCount"] <= spec["maxTrialCount"]:
        yield "maxFailedTrialCount"
    if not 0 < spec["parallelTrialCount"] <= spec["maxTrialCount"]:
        yield "parallelTrialCount"
    if (
        spec["objective"]["type"] not in ("minimize", "maximize")
        or not spec["objective"]["objectiveMetricName"]
    ):
        yield "objective"
    for form in spec["metricsCollectorSpec"]["source"]["filter"]["metricsFormat"]:
        if not re.search(r"\(.*\).*\(.*\)", form) or ";" in form:  # which it joins them by
            yield "metricsFormat"
    for each in spec["parameters"]:
        yield from mistakes_of_a_parameter(each)
    yield from mistakes_of_a_template(spec["trialTemplate"], {each["name"] for each in spec["parameters"]})


def mistakes_of_a_parameter(each: dict):
    space = each["feasibleSpace"]
    if each["parameterType"] in ("int", "double"):
        if "list" in space or not (space["min"] and space["max"]):
            yield f"the ends of {each['name']}"
        if space.get("distribution") not in (None, "uniform", "logUniform", "normal", "logNormal"):
            yield f"the distribution of {each['name']}"
    elif each["parameterType"] not in ("categorical", "discrete") or set(space) != {"list"}:
        yield f"the list of {each['name']}"


def mistakes_of_a_template(template: dict, parameters: set[str]):
    text, references = json.dumps(template["trialSpec"]), set()
    for each in template["trialParameters"]:
        placeholder = f"${{trialParameters.{each['name']}}}"
        if {*"{}"} & {*each["name"]} or placeholder not in text or each["reference"] in references:
            yield f"the trial's parameter {each['name']}"
        references.add(each["reference"])
        text = text.replace(placeholder, "test-value")
    if "${trialParameters." in text or references != parameters:
        yield "parameters without a reference"
    if not all(template[key] for key in ("successCondition", "failureCondition")):
        yield "conditions"
    job = template["trialSpec"]
    if "metadata" in job or (job["apiVersion"], job["kind"]) != ("batch/v1", "Job"):
        yield "trialSpec"
    containers = [each["name"] for each in job["spec"]["template"]["spec"]["containers"]]
    if template["primaryContainerName"] not in containers:
        yield "primaryContainerName"


# --------------------------------------------------------------------------------- what is written


def test_each_kind_of_range_has_its_words(experiment):
    found = experiment(
        "sweeper/search=tpe", "lr=interval(1e-4, 1, log=true)", "depth=int(interval(2, 9))",
        "units=[64],[64,32]", "name=adam,sgd",
    )  # fmt: skip
    assert feasible(found) == {
        "lr": ("double", {"min": "0.0001", "max": "1.0", "distribution": "logUniform"}),
        "depth": ("int", {"min": "2", "max": "9", "distribution": "uniform"}),
        "units": ("categorical", {"list": ["[64]", "[64, 32]"]}),
        "name": ("categorical", {"list": ["adam", "sgd"]}),
    }


def test_a_step_becomes_a_list_since_katibs_searches_pass_over_it(experiment):
    found = experiment("sweeper/search=random", "depth=range(2,9,3)", "lr=0.1,0.2")
    assert feasible(found)["depth"] == ("discrete", {"list": ["2", "5", "8"]})
    assert feasible(found)["lr"] == ("discrete", {"list": ["0.1", "0.2"]})


@pytest.mark.parametrize(("ours", "theirs"), katib.ALGORITHMS.items())
def test_each_search_has_its_algorithm(experiment, ours, theirs):
    ranges = ("lr=0.1,0.2", "depth=1,2") if ours == "grid" else ("lr=interval(0, 1)", "depth=interval(1, 9)")
    assert experiment(f"sweeper/search={ours}", *ranges)["spec"]["algorithm"]["algorithmName"] == theirs


def test_a_grid_has_as_many_trials_as_points_and_a_search_twenty_or_as_said(experiment):
    assert experiment("lr=0.1,0.2", "depth=range(1,4)")["spec"]["maxTrialCount"] == 6
    tpe = ("sweeper/search=tpe", "lr=interval(0, 1)")
    assert experiment(*tpe)["spec"]["maxTrialCount"] == 20
    spec = experiment(*tpe, "sweeper.search.trials=3", "sweeper.launcher.jobs=8")["spec"]
    assert (spec["maxTrialCount"], spec["parallelTrialCount"], spec["maxFailedTrialCount"]) == (3, 3, 3)


def test_seed_options_target_and_direction_go_along(experiment):
    spec = experiment(
        "sweeper/search=tpe", "lr=interval(0, 1)", "sweeper.search.seed=7", "sweeper.search.startup=5",
        "sweeper.search.target=0.9", "sweeper.objective.direction=maximize",
    )["spec"]  # fmt: skip
    assert spec["algorithm"]["algorithmSettings"] == [
        {"name": "n_startup_trials", "value": "5"}, {"name": "random_state", "value": "7"},
    ]  # fmt: skip
    assert spec["objective"] == {"type": "maximize", "goal": 0.9, "objectiveMetricName": "score"}


def test_limits_of_a_run_are_limits_of_its_job(experiment):
    limits = ("run_timeout=90s", "memory=1GiB", "retries=2", "fail_fast=true")
    found = experiment("lr=1,2", *(f"sweeper.launcher.{each}" for each in limits))
    job = job_of(found)
    assert (job["activeDeadlineSeconds"], job["backoffLimit"]) == (90, 2)
    limit = job["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert (limit["memory"], found["spec"]["maxFailedTrialCount"]) == (str(2**30), 0)


def test_the_command_keeps_what_was_fixed_and_leaves_out_what_is_the_sweeps_own(experiment):
    found = experiment("sweeper/search=tpe", "+new.a='b c'", "lr=interval(0, 1)", "sweeper.job.name=x")
    first, second, *_ = line_of(found).splitlines()
    assert first == """python train.py '+new.a='"'"'b c'"'"'' sweeper.job.name=x \\"""
    assert second == "  'lr=${trialParameters.lr}' \\"


def test_an_option_that_brings_no_parameter_of_its_own_is_one_more_parameter(project, experiment):
    project.write(config="defaults: [{model: a}]\nlr: 0.1", model__a="kind: a", model__b="kind: b")
    found = feasible(experiment("sweeper/search=tpe", "model=a,b", "lr=interval(0, 1)"))
    assert found["model"] == ("categorical", {"list": ["a", "b"]})


def test_names_are_made_such_as_kubernetes_takes(experiment):
    found = experiment("lr=1,2", "sweeper.name=Résumé_2 of My.Net " + "x" * 60)
    assert found["metadata"]["name"] == "r-sum-2-of-my-net-" + "x" * 22
    found = experiment("+a.b=1,2", "+a-b=1,2")
    names = [each["name"] for each in found["spec"]["trialTemplate"]["trialParameters"]]
    assert names == ["a-b", "a-b-2"]


def test_a_tree_that_sweeps_by_itself_makes_a_single_run_in_a_trial(project, experiment):
    project.write(config="lr: 0.1\nhydra: {mode: MULTIRUN}")
    assert line_of(experiment("lr=1,2")).startswith("python train.py --run \\\n")


# --------------------------------------------------------------------------------- what is refused


TPE = ("sweeper/search=tpe", "lr=interval(0, 1)")


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (("sweeper/search=lhs", "lr=interval(0, 1)"), "sweeper/search=lhs: it knows grid, random"),
        ((*TPE, "sweeper.search.constraint=lr < depth"), "sweeper.search.constraint: it has no constraints"),
        ((*TPE, "sweeper.search.repeats=3"), "sweeper.search.repeats: it makes each point once"),
        ((*TPE, "sweeper.search.first=[{lr: 0.5}]"), "sweeper.search.first"),
        ((*TPE, "sweeper.search.timeout=1"), "sweeper.search.timeout: it stops after a number of trials"),
        ((*TPE, "sweeper.search.patience=1"), "sweeper.search.patience: it stops after a number of trials"),
        (("sweeper/search=sobol", "lr=interval(0, 1)", "sweeper.search.seed=1"), "its sobol takes none"),
        (("sweeper/search=cmaes", "sweeper.search.population=9"), "population: it has no such option"),
        ((*TPE, "sweeper/pruner=median"), "sweeper/pruner=median"),
        ((*TPE, "sweeper.objective.metric=[loss,size]"), "it has one objective"),
        (("sweeper/search=cmaes", "lr=interval(0, 1)"), "wants two numbers or more, and here are 1"),
        (("""name="it's",b""",), r"name='it\'s': it puts values into a command as they are"),
        ((*TPE, "db.password=hunter2"), "db.password: a secret; let the pod's environment have it"),
        (("sweeper/search=tpe",), "There is nothing to search"),
        (("depth=3",), "There is nothing to search"),
        (("lr=interval(0, 1)",), "grid"),
        (("sweeper.name='42'", "lr=1,2"), "'42' makes no name of an Experiment"),
    ],
)
def test_what_katib_cannot_do_is_refused_with_the_reason(experiment, overrides, words):
    with pytest.raises(SweeperError) as refused:
        experiment(*overrides)
    assert words in str(refused.value)


def test_a_secret_that_the_pod_looks_up_itself_is_none(experiment):
    assert "db.password=${oc.env:DB}" in line_of(experiment(*TPE, "db.password=${oc.env:DB}"))


def test_parameters_that_come_with_an_option_are_refused_with_a_way_out(project, experiment):
    project.write(
        config="defaults: [{model: tree}]", model__net="lr: 1\n_space_: {lr: 'interval(0, 1)'}",
        model__tree="depth: 3\n_space_: {depth: 'range(1, 5)'}",
    )  # fmt: skip
    with pytest.raises(SweeperError) as refused:
        experiment("sweeper/search=tpe", "model=tree,net")
    assert "'model' decides on some\n    model.depth, model.lr\n" in str(refused.value)
    assert "such as model=net" in str(refused.value)
    assert set(feasible(experiment("sweeper/search=tpe", "model=net"))) == {"model.lr"}


def test_the_command_line_says_it_in_a_few_lines(parabola):
    ended = parabola.run("--search", "lhs", "--export", "katib", "x=interval(0, 1)", code=2)
    assert ended.err.startswith("error: Katib cannot make this sweep\n      sweeper/search=lhs: it knows")
    assert ended.out == ""
    ended = parabola.run("--export", "kubernetes", "x=1,2", code=2)
    assert "--export takes katib, not 'kubernetes'" in ended.err


# ------------------------------------------------------------------------------- what a trial does


def container_of(experiment: dict, values: dict[str, str], log: Path) -> list[str]:
    """Return the command of a trial, put together as Katib's controller and its webhook do."""
    template = experiment["spec"]["trialTemplate"]
    text = json.dumps(template["trialSpec"])
    for each in template["trialParameters"]:
        text = text.replace(f"${{trialParameters.{each['name']}}}", values[each["reference"]])
    container = json.loads(text)["spec"]["template"]["spec"]["containers"][0]
    assert container["command"] == ["sh", "-c"]
    return ["sh", "-c", f"{' '.join(container['args'])} 1>{log} 2>&1 && echo completed > {log}.pid"]


@with_katib
def test_katibs_models_read_it_and_a_trial_reports_the_score_that_the_run_had(example, tmp_path):
    text = example.run("--search", "tpe", "--export", "katib", "images=200").out
    (example.folder / "experiment.yaml").write_text(text)
    said = example.run("check.py", "experiment.yaml").out
    assert said == "experiment.yaml: 5 parameters, 20 trials, as Katib has them\n"
    found = yaml.safe_load(text)
    assert not list(mistakes(found))

    values = {
        "svm.C": "10.0",
        "svm.gamma": "1e-03",
        "svm.kernel": "poly",
        "svm.degree": "2",
        "scale": "false",
    }
    command, log = container_of(found, values, tmp_path / "metrics.log"), tmp_path / "metrics.log"
    command = [word.replace("/tmp/trial", str(tmp_path / "trial")) for word in command]
    (tmp_path / "python").symlink_to(example.python)
    path = f"{Path(example.python).parent}:{environment()['PATH']}"
    done = subprocess.run(
        command, cwd=example.folder, env={**environment(), "PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    run = yaml.safe_load((tmp_path / "trial/.sweeper/run.yaml").read_text())
    assert run["params"] == {
        "images": 200, "svm.C": 10.0, "svm.gamma": 0.001, "svm.kernel": "poly", "svm.degree": 2, "scale": False,
    }  # fmt: skip
    form = found["spec"]["metricsCollectorSpec"]["source"]["filter"]["metricsFormat"][0]
    assert [each[:2] for each in re.findall(form, log.read_text())] == [("score", str(run["score"]))]


def test_a_trial_without_a_score_is_a_failed_one(parabola, tmp_path):
    parabola.write(train_py=(parabola.folder / "train.py").read_text().replace("(cfg.x - 3) ** 2", "None"))
    found = yaml.safe_load(parabola.run("--search", "random", "--export", "katib", "x=interval(0, 1)").out)
    command = container_of(found, {"x": "0.5"}, tmp_path / "metrics.log")
    command[-1] = command[-1].replace("/tmp/trial", str(tmp_path / "trial"))
    command[-1] = command[-1].replace("python ", f"{parabola.python} ", 1)
    done = subprocess.run(command, cwd=parabola.folder, env=environment(), capture_output=True)
    assert (done.returncode, (tmp_path / "metrics.log").read_text()) == (1, "")


# ----------------------------------------------------------------------------------- from a record


def test_a_sweep_that_ran_is_exported_as_its_program_would(parabola):
    words = ("--search", "random", "--trials", "2", "x=interval(0, 5)")
    parabola.run(*words)
    text = parabola.run(*words, "--export", "katib").out
    assert type_sweeper(parabola.folder, "export", "last", "--to", "katib").out == text
    asked = ("export", "last", "--to", "katib", "--image", "here/it:1", "--out", "it.yaml")
    type_sweeper(parabola.folder, *asked)
    written = (parabola.folder / "it.yaml").read_text()
    assert written == text.replace("image: IMAGE", "image: here/it:1")


def test_one_that_katib_cannot_make_is_refused_there_too(parabola):
    parabola.run("--search", "lhs", "--trials", "2", "x=interval(0, 5)")
    ended = type_sweeper(parabola.folder, "export", "last", "--to", "katib", code=2)
    assert ended.err.startswith("error: Katib cannot make this sweep\n")
    (parabola.folder / "train.py").write_text("def")
    ended = type_sweeper(parabola.folder, "export", "last", "--to", "katib", code=2)
    said = "error: The program of the sweep does not start\n      SyntaxError: invalid syntax\n  Mend it first.\n"
    assert ended.err == said
