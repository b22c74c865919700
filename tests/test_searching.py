"""Searches as people run them: budgets, pruning, repeats, several objectives, warm starts, what is said."""

import csv
import json
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from random import Random

import pytest
import yaml
from omegaconf import OmegaConf

import sweeper
from sweeper.errors import SweeperError
from sweeper.findings import importances
from sweeper.grammar import parse
from sweeper.records import History, Trial, dominates, undominated
from sweeper.space import Space, parameter

BOWL = """
    import random
    import sweeper

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        return (cfg.x - 3) ** 2 + cfg.noise * random.random()

    if __name__ == "__main__":
        train()
"""
EPOCHS = """
    import time
    import sweeper

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        for epoch in range(cfg.epochs):
            time.sleep(0.02)
            loss = cfg.x + 1 / (epoch + 1)
            sweeper.report({"loss": loss}, step=epoch)
        return loss

    if __name__ == "__main__":
        train()
"""
TWO = """
    import sweeper

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        return {"cost": cfg.x ** 2, "gain": -((cfg.x - 2) ** 2) - cfg.y}

    if __name__ == "__main__":
        train()
"""


@pytest.fixture
def bowl(project):
    return project.write(config="x: 0.0\nnoise: 0.0\n", train_py=BOWL)


def scores(ended):
    return [float(row["score"]) for row in ended.results]


# ------------------------------------------------------------------------------------------ mishaps


@pytest.mark.parametrize("search", ["tpe", "gp", "skopt"])
def test_mishaps_in_a_third_of_the_runs_neither_end_a_search_nor_mislead_it(project, search):
    project.write(
        config="x: 1.0\nmishap: 0\n",
        train_py="""
            import math, os, time
            import sweeper

            @sweeper.main(config_path="conf", config_name="config")
            def train(cfg):
                mishap = sweeper.current_run().number % 15 if sweeper.current_run().number % 3 == 2 else 0
                if mishap == 2: return math.nan
                if mishap == 5: return -math.inf
                if mishap == 8: raise RuntimeError("bad luck")
                if mishap == 11: return "a word"
                if mishap == 14: time.sleep(60)
                return (cfg.x - 3) ** 2

            if __name__ == "__main__":
                train()
        """,
    )
    ended = project.run(
        "--search", search, "--trials", "30", "--jobs", "2", "x=interval(-10,10)", "sweeper.search.seed=1",
        "sweeper.launcher.run_timeout=2", code=1,
    )  # fmt: skip
    rows = ended.results
    assert len(rows) == 30
    assert sum(row["score"] == "" for row in rows) == 10
    assert min(float(row["score"]) for row in rows if row["score"]) < 0.5
    assert "run_timeout" in ended.out or "time" in ended.out


# ------------------------------------------------------------------------------------------ budgets


def test_a_sweep_ends_when_its_target_is_reached(bowl):
    ended = bowl.run("-m", "x=0,1,2.9,3,4,5", "sweeper.search.target=0.05")
    assert len(ended.results) == 3
    assert "(the target of 0.05 is reached)" in ended.out


def test_a_sweep_ends_when_no_score_is_better_for_a_while(bowl):
    ended = bowl.run("-m", "x=5,3,0,1,2,4", "sweeper.search.patience=2")
    assert len(ended.results) == 4
    assert "(no better score in 2 runs)" in ended.out


def test_a_target_is_reached_by_the_mean_of_a_points_runs(bowl):
    ended = bowl.run(
        "-m",
        "x=0,3,5",
        "noise=1.0",
        "sweeper.search.repeats=3",
        "sweeper.search.seed=1",
        "sweeper.search.target=1",
    )
    assert len(ended.results) == 6
    assert "(the target of 1 is reached)" in ended.out


def test_a_resumed_search_may_be_given_more_and_nothing_else(bowl):
    ended = bowl.run("--search", "random", "--trials", "3", "x=interval(0,9)")
    more = bowl.run("--resume", str(ended.sweep), "--trials", "5", "sweeper.search.target=-1")
    assert len(more.results) == 5
    for setting in ("sweeper.search.repeats=2", "sweeper.search.first=[{x: 1}]", "--pruner=median"):
        assert "would change the search" in bowl.run("--resume", str(ended.sweep), setting, code=2).err


# ------------------------------------------------------------------------------------------ repeats


def test_repeats_run_each_point_under_seeds_of_their_own_and_rank_the_means(bowl):
    ended = bowl.run(
        "--search", "tpe", "--trials", "6", "x=interval(0,6)", "noise=1.0", "sweeper.search.repeats=3",
        "sweeper.search.seed=1",
    )  # fmt: skip
    rows = ended.results
    assert len(rows) == 18
    points = [rows[at : at + 3] for at in range(0, 18, 3)]
    assert all(len({row["x"] for row in point}) == 1 for point in points)
    assert all(len({row["score"] for row in point}) == 3 for point in points)
    assert ended.out.startswith("tpe: 18 runs, 3 of each point")
    means = [sum(float(row["score"]) for row in point) / 3 for point in points]
    best = points[means.index(min(means))]
    assert f"run {best[0]['number']}, score {min(means):.6g} ± " in ended.out.splitlines()[-1]
    assert ended.out.splitlines()[-1].count("(3 runs)") == 1


def test_a_repeated_point_that_was_cut_off_is_completed_by_a_resumed_sweep(bowl):
    ended = bowl.run("-m", "x=1,2,3", "noise=1.0", "sweeper.search.repeats=2", "sweeper.search.seed=1")
    journal = ended.sweep / "sweep.jsonl"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    cut = next(at for at, line in enumerate(lines) if line["event"] == "ask" and line["number"] == 3)
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines[:cut]))
    for number in (3, 4, 5):
        (ended.sweep / str(number)).rename(ended.sweep / f"away-{number}")
    again = bowl.run("--resume", str(ended.sweep))
    assert [row["x"] for row in again.results] == ["1", "1", "2", "2", "3", "3"]
    assert scores(again) == scores(ended)


# ------------------------------------------------------------------------------------------ pruning


@pytest.mark.parametrize(
    "words",
    ["median sweeper.pruner.startup=2", "percentile sweeper.pruner.startup=2", "asha", "mine",
     "threshold sweeper.pruner.upper=6", "threshold sweeper.pruner.upper=6 sweeper/launcher=inline"],
)  # fmt: skip
def test_a_pruner_ends_runs_that_lag_behind(project, words):
    project.write(
        config="x: 0.0\nepochs: 40\n",
        sweeper__pruner__mine="_target_: optuna.pruners.MedianPruner\nn_startup_trials: 2\n",
        train_py=EPOCHS,
    )
    ended = project.run("-m", "x=0,1,8,9", "--pruner", *words.split())
    status = {row["x"]: row["status"] for row in ended.results}
    assert status["0"] == "COMPLETED"
    assert status["9"] == "PRUNED"
    pruned = next(row for row in ended.results if row["x"] == "9")
    assert pruned["score"] == ""
    assert float(pruned["metrics.loss"]) > 9
    last = json.loads(
        (ended.sweep / pruned["number"] / ".sweeper/metrics.jsonl").read_text().splitlines()[-1]
    )
    assert last["step"] < 39


@pytest.mark.parametrize("setting", ["run_timeout=1", "memory=1GiB", "threads=1"])
def test_what_runs_of_this_process_cannot_be_kept_to_is_refused(bowl, setting):
    words = ("-m", "x=1,2", "sweeper/launcher=inline")
    ended = bowl.run(*words, f"sweeper.launcher.{setting}", code=2)
    assert f"'inline' cannot keep its runs to sweeper.launcher.{setting.partition('=')[0]}" in ended.err
    assert not (bowl.folder / "multirun").exists()
    bowl.run(*words)


@pytest.mark.parametrize("setting", ["target=1", "patience=2"])
def test_what_waits_for_a_score_is_refused_where_the_objectives_are_several(project, setting):
    project.write(config="x: 1.0\ny: 1.0\nsweeper: {objective: {metric: [cost, gain]}}\n", train_py=TWO)
    ended = project.run("-m", "x=1,2", f"sweeper.search.{setting}", code=2)
    assert f"sweeper.search.{setting.partition('=')[0]} follows one score" in ended.err
    project.run("-m", "x=1,2")


def test_hyperband_ends_some_runs_early_and_gives_others_time(project):
    project.write(config="x: 0.0\nepochs: 12\n", train_py=EPOCHS)
    ended = project.run("-m", "x=range(0,14)", "--pruner", "hyperband", "sweeper.pruner.max_step=9")
    statuses = [row["status"] for row in ended.results]
    assert statuses[0] == "COMPLETED"
    assert 2 <= statuses.count("PRUNED") <= 12


def test_a_search_learns_from_pruned_runs_and_resumes_with_them(project):
    project.write(config="x: 0.0\nepochs: 20\n", train_py=EPOCHS)
    ended = project.run(
        "--search", "tpe", "--trials", "16", "x=interval(0, 10)", "--pruner", "median", "--jobs", "2",
        "sweeper.search.seed=3", "sweeper.pruner.startup=3",
    )  # fmt: skip
    assert {row["status"] for row in ended.results} == {"COMPLETED", "PRUNED"}
    ends = [json.loads(line) for line in (ended.sweep / "sweep.jsonl").read_text().splitlines()]
    assert all(e["last"][1] > 0 for e in ends if e["event"] == "end" and e["status"] == "PRUNED")
    more = project.run("--resume", str(ended.sweep), "--trials", "18")
    assert len(more.results) == 18


def test_a_resumed_sweep_judges_no_run_that_has_ended(project):
    project.write(config="x: 0.0\nepochs: 4\n", train_py=EPOCHS)
    words = ("--pruner", "median", "sweeper.pruner.startup=2")
    ended = project.run("-m", "x=9,0,1,2", "--trials", "3", *words)
    assert [row["status"] for row in ended.results] == ["COMPLETED"] * 3
    project.run("--resume", str(ended.sweep), "--trials", "4")
    assert not (ended.sweep / "0/.sweeper/stop").exists()


def test_a_run_may_ask_whether_to_end_and_save_its_work(project):
    project.write(
        config="x: 0.0\nepochs: 400\n",
        train_py=EPOCHS.replace(
            'sweeper.report({"loss": loss}, step=epoch)',
            'if sweeper.report({"loss": loss}, step=epoch, prune=False): return 100 + loss',
        ),
    )
    ended = project.run("-m", "x=0,9", "epochs=40", "--pruner", "asha")
    assert max(scores(ended)) > 100


# ------------------------------------------------------------------------------- several objectives


@pytest.mark.parametrize("search", ["nsga2", "tpe", "sobol"])
def test_several_objectives_end_in_a_front(project, search):
    project.write(
        config="x: 5.0\ny: 1.0\nsweeper: {objective: {metric: [cost, gain], direction: [minimize, maximize]}}\n",
        train_py=TWO,
    )
    ended = project.run(
        "--search", search, "--trials", "40", "x=interval(-6,6)", "y=interval(0,1)", "sweeper.search.seed=1"
    )
    last = ended.out.splitlines()[-1]
    assert last.startswith("front (minimize cost, maximize gain): ")
    front = [line for line in ended.out.splitlines() if line.startswith("    run ")]
    assert len(front) >= 2
    assert all(row["score"] == "" for row in ended.results)


def test_a_search_of_one_objective_refuses_several(project):
    project.write(config="x: 5.0\ny: 1\nsweeper: {objective: {metric: [cost, gain]}}\n", train_py=TWO)
    ended = project.run("--search", "gp", "x=interval(-6,6)", code=2)
    assert "follows one objective, and there are several" in ended.err


# --------------------------------------------------------------------------- what is known beforehand


def test_a_warm_start_tries_the_best_points_of_an_earlier_sweep_first(bowl):
    earlier = bowl.run("-m", "x=1,2,3,4,5").sweep
    ended = bowl.run(
        "--search", "random", "--trials", "4", "x=interval(0,6)", f"sweeper.search.warm_start={earlier}",
        "sweeper.search.warm_top=2",
    )  # fmt: skip
    assert [float(row["x"]) for row in ended.results[:3]] == [0.0, 3.0, 2.0]


def test_an_earlier_sweeps_runs_count_as_observations_where_that_is_asked_for(bowl):
    earlier = bowl.run("-m", "x=range(0,60,7)", "noise=0,1e-6").sweep
    words = ["--search", "gp", "--trials", "3", "x=interval(0,60)", "noise=0,1e-6", f"sweeper.search.warm_start={earlier}", "sweeper.search.warm_top=0"]  # fmt: skip
    ended = bowl.run(*words, "sweeper.search.warm_observe=true")
    assert min(scores(ended)) < 1
    begun = json.loads((ended.sweep / "sweep.jsonl").read_text().splitlines()[0])
    assert len(begun["warm"]["observed"]) == 18
    assert "importance" not in ended.out, "what mattered is said of the sweep's own runs"


def test_a_study_of_optunas_is_a_warm_start(bowl):
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    url = f"sqlite:///{bowl.folder}/study.db"
    study = optuna.create_study(storage=url, study_name="before")
    study.optimize(lambda trial: (trial.suggest_float("x", 0, 6) - 3) ** 2, n_trials=8)
    ended = bowl.run(
        "--search", "random", "--trials", "2", "x=interval(0,6)", f"sweeper.search.warm_start='{url}'"
    )
    assert float(ended.results[1]["x"]) == study.best_params["x"]


@pytest.mark.parametrize(
    ("value", "said"),
    [("nowhere", "There is no sweep in nowhere"), ("'sqlite:///empty.db'", "has 0 studies: none")],
)
def test_a_warm_start_from_nothing_is_a_mistake(bowl, value, said):
    ended = bowl.run("--search", "random", "x=interval(0,6)", f"sweeper.search.warm_start={value}", code=2)
    assert said in ended.err
    assert not list(bowl.folder.glob("multirun/*"))


def test_a_warm_start_goes_with_one_objective(bowl):
    earlier = bowl.run("-m", "x=1,2").sweep
    several = "sweeper.objective.direction=[minimize,minimize]"
    words = ["--search", "nsga2", "x=interval(0,6)", f"sweeper.search.warm_start={earlier}", several]
    assert "warm_start goes with one objective" in bowl.run(*words, code=2).err


# ------------------------------------------------------------------------------------ what is left


def test_the_best_point_is_an_experiment_file_that_composes_to_the_same_config(project):
    project.write(
        config="defaults: [model: tree]\nx: 1\nfixed: a\n",
        model__tree="depth: 3\n_space_: {depth: 'range(1, 9)'}\n",
        model__net="width: 8\n_space_: {width: 'interval(1, 9)'}\n",
        extra__one="z: 1\n",
        experiment__other="# @package _global_\nx: 7\n",
        train_py="""
            import sweeper

            @sweeper.main(config_path="conf", config_name="config")
            def train(cfg):
                return 5 - cfg.model.get("width", 0) + cfg.x

            train()
        """,
    )
    ended = project.run(
        "--search", "random", "--trials", "9", "model=tree,net", "x=interval(0,1)", "fixed=b", "+extra=one",
        "+new.key='a b'",
    )  # fmt: skip
    assert (ended.sweep / "best.yaml").read_text().startswith("# @package _global_\n# minimize score: ")
    command = next(line for line in ended.out.splitlines() if line.startswith("as an experiment"))
    words = command.split("train.py ")[1].split()
    best = min(ended.results, key=lambda row: float(row["score"]))["number"]
    config = yaml.safe_load((ended.sweep / best / ".sweeper/config.yaml").read_text())
    assert yaml.safe_load(project.run(*words, "--cfg", "job").out) == config


def test_the_best_of_a_tree_with_later_groups_names_what_must_be_typed_beside_it(project):
    project.write(
        config="defaults: [_self_, model: a, experiment: null, hp: null]\nx: 1\ny: 0\n",
        model__a="p: 1\n",
        model__b="p: 0\n",
        experiment__own="# @package _global_\ny: 5\n",
        hp__wide="# @package _global_\nsweeper: {space: {x: 'range(0, 5)'}}\n",
        train_py="""
            import sweeper

            @sweeper.main(config_path="conf", config_name="config")
            def train(cfg):
                return cfg.x + cfg.model.p + cfg.y

            train()
        """,
    )
    ended = project.run("--search", "random", "--trials", "9", "model=a,b", "hp=wide", "experiment=own")
    command = next(line for line in ended.out.splitlines() if line.startswith("as an experiment"))
    words = command.split("train.py ")[1].split()
    assert words[0] == "hp=wide"
    assert words[1].startswith("experiment=./multirun/")
    best = min(ended.results, key=lambda row: float(row["score"]))["number"]
    config = yaml.safe_load((ended.sweep / best / ".sweeper/config.yaml").read_text())
    assert yaml.safe_load(project.run(*words, "--cfg", "job").out) == config


def test_repeats_that_all_agree_are_remarked_upon(bowl):
    ended = bowl.run("-m", "x=1,2", "sweeper.search.repeats=2")
    assert "note: all runs of a point agree" in ended.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--pruner", "threshold"], "sweeper.pruner.lower, sweeper.pruner.upper"),
        (["--pruner", "asha", "sweeper.pruner.factor=1"], "`factor` is 1"),
        (["--pruner", "medan"], "'sweeper/pruner' has no option 'medan'"),
        (["sweeper.search=tpe"], "write sweeper/search=tpe"),
        (
            ["sweeper.objective.metric=[a,b]", "sweeper.objective.direction=[maximize]"],
            "2 metrics and 1 direction",
        ),
    ],
)
def test_settings_of_a_search_that_mean_nothing_are_mistakes(bowl, words, said):
    assert said in bowl.run("-m", "x=1,2", *words, code=2).err


def test_a_pruner_that_never_sees_its_metric_says_so(project):
    project.write(config="x: 0.0\nepochs: 2\nsweeper: {objective: {metric: lss}}\n", train_py=EPOCHS)
    ended = project.run("-m", "x=1,2", "--pruner", "median")
    assert ended.out.count("note: runs report loss, and the pruner follows lss") == 1


def test_from_python_a_plain_function_needs_no_config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = sweeper.sweep(
        lambda cfg: (cfg.x - 1) ** 2, overrides=["x=interval(0, 2)"], search="random", trials=3, quiet=True
    )
    assert len(result.runs) == 3
    with pytest.raises(SweeperError, match="list of texts"):
        sweeper.sweep(lambda cfg: cfg.x, overrides="x=1")


def test_from_python_a_config_is_a_path_or_a_mapping_with_configs_in_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("conf.yaml").write_text("model:\n  lr: 1\n  deep:\n    x: ${model.lr}\n")
    mapping = dict(OmegaConf.load("conf.yaml"))
    for config in (
        Path("conf.yaml"),
        "conf.yaml",
        mapping,
        {"model": mapping["model"], "more": [mapping["model"]]},
    ):
        result = sweeper.sweep(
            lambda cfg: cfg.model.deep.x, config=config, overrides=["model.lr=2,3"], quiet=True
        )
        assert [run.score for run in result.runs] == [2, 3]
    with pytest.raises(SweeperError, match="a file's path or a mapping, not 3"):
        sweeper.sweep(lambda cfg: 1, config=3)


class Kind(Enum):
    small = 1


@dataclass
class Typed:
    kind: Kind = Kind.small
    x: int = 1


@pytest.mark.parametrize("config", [OmegaConf.structured(Typed), {"kind": "small", "x": 1}])
def test_from_python_the_enum_of_a_typed_config_is_its_name_as_in_a_file(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = sweeper.sweep(lambda cfg: cfg.kind, config=config, overrides=["x=1"], quiet=True)
    assert result.runs[0].config == {"kind": "small", "x": 1}


def test_the_end_of_a_search_says_what_mattered_and_what_came_close(project):
    project.write(
        config="x: 0.0\ny: 0.0\n",
        train_py=BOWL.replace("cfg.noise * random.random()", "0.001 * cfg.y"),
    )
    ended = project.run(
        "--search", "random", "--trials", "30", "x=interval(0,6)", "y=interval(0,6)", "sweeper.search.seed=1"
    )
    line = next(line for line in ended.out.splitlines() if line.startswith("importance"))
    assert line.split()[1] == "x"
    assert sum(line.startswith("runner-up  run ") for line in ended.out.splitlines()) == 3


def test_an_exported_study_has_the_objective_by_step_whatever_else_is_reported(project):
    import optuna

    from sweeper.commands import main

    project.write(
        config="x: 1.0\nsweeper: {objective: {metric: loss}}\n",
        train_py="""
            import sweeper

            @sweeper.main(config_path="conf", config_name="config")
            def train(cfg):
                sweeper.report({"lr": 0.1, "loss": cfg.x}, step=3)
                return {"loss": cfg.x, "lr": 0.1}

            train()
        """,
    )
    sweep = project.run("-m", "x=1,2").sweep
    url = f"sqlite:///{sweep}/optuna.db"
    assert main(["export", str(sweep), "--to", "optuna"]) == 0
    study = optuna.load_study(study_name=optuna.get_all_study_names(url)[0], storage=url)
    assert [trial.intermediate_values for trial in study.trials] == [{3: 1.0}, {3: 2.0}]


def test_a_sweep_is_exported_as_a_study_of_optunas(project):
    import optuna

    from sweeper.commands import main

    project.write(
        config="defaults: [m: a]\n",
        m__a="x: 1.0\n_space_: {x: 'interval(0.1, 4, log=true)'}\n",
        m__b="y: 1\n_space_: {y: 'range(0, 9)'}\n",
        train_py="""
            import sweeper

            @sweeper.main(config_path="conf", config_name="config")
            def train(cfg):
                sweeper.report({"loss": 1.0}, step=0)
                if cfg.m.get("y", 0) > 6:
                    raise ValueError
                return cfg.m.get("x", 5)

            train()
        """,
    )
    sweep = project.run(
        "--search", "random", "--trials", "12", "m=a,b", "sweeper.search.seed=2", code=None
    ).sweep
    assert main(["export", str(sweep), "--to", "optuna", "--out", str(project.folder / "study.db")]) == 0
    (name,) = optuna.get_all_study_names(f"sqlite:///{project.folder}/study.db")
    study = optuna.load_study(study_name=name, storage=f"sqlite:///{project.folder}/study.db")
    assert len(study.trials) == 12
    with (sweep / "results.csv").open() as file:
        rows = {int(row["number"]): row for row in csv.DictReader(file)}
    for trial in study.trials:
        row = rows[trial.user_attrs["number"]]
        assert (trial.state.name == "COMPLETE") == (row["status"] == "COMPLETED")
        if trial.values:
            assert trial.value == float(row["score"])
        assert trial.intermediate_values == {0: 1.0}
    assert study.best_trial.distributions["m.x [m/a]"].log
    assert main(["export", str(sweep), "--to", "optuna", "--out", str(project.folder / "study.db")]) == 2
    assert main(["export", "nowhere", "--to", "optuna"]) == 2


def test_any_sampler_of_optunas_and_any_class_is_a_search(bowl):
    bowl.write(
        sweeper__search__qmc="_target_: optuna.samplers.QMCSampler\n",
        sweeper__search__mine="_target_: mine.Middle\nstep: 2\n",
        mine_py="""
            class Middle:
                def __init__(self, step): self.step = step
                def ask(self, space, history, rng):
                    return space.complete(lambda p: p.domain.from_unit(len(history.ended) / 10 * self.step))
        """,
    )
    ended = bowl.run("--search", "mine", "--trials", "3", "x=interval(0,10)")
    assert [float(row["x"]) for row in ended.results] == [0.0, 2.0, 4.0]
    words = ("--search", "qmc", "--trials", "6", "x=interval(0,10)", "sweeper.search.seed=1")
    one, two = (bowl.run(*words).results for _ in range(2))
    assert [row["x"] for row in one] == [row["x"] for row in two]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_front_is_what_no_other_dominates(count):
    rng = Random(count)
    losses = [tuple(float(rng.randrange(6)) for _ in range(count)) for _ in range(80)]
    front = undominated(losses)
    assert sorted(front) == [
        at for at, one in enumerate(losses) if not any(dominates(o, one) for o in losses)
    ]
    assert [losses[at] for at in front] == sorted(losses[at] for at in front)


def test_importance_is_the_share_of_the_variance_that_a_parameter_explains_alone():
    rng = Random(1)
    space = Space(
        tuple(parameter(parse(text), text) for text in ("x=interval(0,6)", "c=a,b,z", "y=interval(0,1)"))
    )
    points = [space.complete(lambda p: p.domain.sample(rng)) for _ in range(300)]
    bowl = [Trial(i, p, (p["x"] - 3) ** 2 + 0.1 * p["y"]) for i, p in enumerate(points)]
    found = importances(space.active, History(bowl))
    assert next(iter(found)) == "x"
    assert found["x"] > 0.7
    assert max(found["y"], found["c"]) < 0.05
    choice = [Trial(i, p, {"a": 0, "b": 9, "z": 9}[p["c"]] + p["x"]) for i, p in enumerate(points)]
    found = importances(space.active, History(choice))
    assert list(found) == ["c", "x", "y"]
    assert importances(space.active, History(bowl[:5])) == {}
    assert importances(space.active, History([trial._replace(loss=1.0) for trial in bowl])) == {}
