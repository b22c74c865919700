"""An existing Hydra tree works as it stands: its `hydra` node is read as ours."""

import re

import pytest

from sweeper.points import Points

PRINTS = """
    import os, sys
    import sweeper as hydra
    from omegaconf import OmegaConf

    @hydra.main(config_path="conf", config_name="config", version_base="1.3")
    def train(cfg):
        print(OmegaConf.to_container(cfg, resolve=True))
        return float(cfg.get("x", 0))

    if __name__ == "__main__":
        train()
"""


@pytest.fixture
def template(project):
    return project.write(
        config="""
            defaults:
              - _self_
              - paths: default
              - hydra: default
              - experiment: null
            task_name: fit
            x: 1
        """,
        paths__default="""
            log_dir: logs
            output_dir: ${hydra:runtime.output_dir}
            work_dir: ${hydra:runtime.cwd}
        """,
        hydra__default="""
            defaults:
              - override hydra_logging: colorlog
              - override job_logging: colorlog
            run:
              dir: ${paths.log_dir}/${task_name}/runs/${now:%Y}
            sweep:
              dir: ${paths.log_dir}/${task_name}/multiruns/${now:%Y}
              subdir: ${hydra.job.num}
            job:
              env_set: {GREETING: hello}
        """,
        experiment__big="# @package _global_\nx: 9\n",
        train_py=PRINTS,
    )


def test_its_directories_are_used_and_its_interpolations_resolve(template):
    ended = template.run("experiment=big")
    (run,) = (template.folder / "logs/fit/runs").glob("2*")
    assert f"'output_dir': '{run}'" in ended.out
    assert f"'work_dir': '{template.folder}'" in ended.out
    assert "'x': 9" in ended.out
    assert "hydra" not in ended.out.replace("hydra:", "")


def test_its_sweeps_go_where_it_says(template):
    template.run("-m", "x=1,2")
    (sweep,) = (path for path in (template.folder / "logs/fit/multiruns").glob("2*"))
    assert sorted(p.name for p in sweep.iterdir() if p.is_dir()) == ["0", "1"]


def test_the_environment_that_it_sets_is_set_in_the_run(template):
    template.write(
        train_py=PRINTS.replace("print(OmegaConf", "print(os.environ['GREETING']); print(OmegaConf")
    )
    assert template.run().out.startswith("hello\n")


def test_settings_typed_in_hydras_words_count(template):
    template.run("hydra.run.dir=mine/${x}", "hydra.job.name=called")
    assert (template.folder / "mine/1/called.log").exists()


def test_params_of_its_sweeper_are_swept(project):
    project.write(
        config="x: 1\ny: 2\nhydra: {sweeper: {params: {x: '1,2', y: 'range(0, 2)'}}}\n", train_py=PRINTS
    )
    assert len(project.run("-m").results) == 4
    assert len(project.run("-m", "y=5").results) == 2


def test_its_mode_asks_for_a_sweep(project):
    project.write(config="x: 1\nhydra: {mode: MULTIRUN}\n", train_py=PRINTS)
    assert len(project.run("x=1,2").results) == 2
    assert "'x': 5" in project.run("-r", "x=5").out


def test_its_mode_counts_wherever_it_stands(project):
    project.write(
        config="defaults: [_self_, hp: null]\nx: 1\n",
        hp__grid="# @package _global_\nhydra: {mode: MULTIRUN, sweeper: {params: {x: 'range(0,3)'}}}\n",
        train_py=PRINTS,
    )
    assert len(project.run("hp=grid").results) == 3
    assert len(project.run("hp=grid", "x=7,8").results) == 2
    assert project.run("hp=grid", "--cfg", "hydra", "-p", "hydra.mode").out == "MULTIRUN\n"
    assert "several values, but this is a single run" in project.run("x=7,8", code=2).err
    assert "hydra.mode must be RUN or MULTIRUN, not MULTIRN" in project.run("hydra.mode=MULTIRN", code=2).err


def test_the_optuna_sweeper_becomes_a_search(project):
    project.write(
        config="""
            defaults:
              - override hydra/sweeper: optuna
              - override hydra/sweeper/sampler: random
              - override hydra/launcher: joblib
              - _self_
            x: 1.0
            hydra:
              launcher: {n_jobs: 2}
              sweeper: {n_trials: 5, direction: maximize, params: {x: 'interval(0, 2)'}}
        """,
        train_py=PRINTS,
    )
    ended = project.run("-m")
    assert ended.out.startswith("random: 5 runs, 2 at a time, maximize score")


def test_the_older_search_space_of_the_optuna_sweeper_is_read_and_its_store_is_named(project, capsys):
    plan = project.write(
        config="""
            defaults: [{override hydra/sweeper: optuna}, _self_]
            a: 1.0
            b: 1.0
            c: 1
            d: 3
            e: x
            hydra:
              sweeper:
                storage: sqlite:///study.db
                search_space:
                  a: {type: float, low: 1e-4, high: 1.0, log: true}
                  b: {type: float, low: -1.0, high: 1.0, step: 0.5}
                  c: {type: int, low: 1, high: 4}
                  d: {type: int, low: 3, high: 9, step: 3}
                  e: {type: categorical, choices: [x, y]}
        """
    ).plan()
    space = Points(plan).space
    values = {p.name: p.domain for p in space.active(space.first())}
    assert [value for value in (-1.0, -0.5, 0.25, 1.0) if values["b"].contains(value)] == [-1.0, -0.5, 1.0]
    assert [value for value in range(12) if values["c"].contains(value)] == [1, 2, 3, 4]
    assert [value for value in range(12) if values["d"].contains(value)] == [3, 6, 9]
    assert values["a"].contains(1e-4)
    assert not values["e"].contains("z")
    assert "no meaning here, and left out: hydra.sweeper.storage" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("overrides", "search"),
    [
        (["hydra/sweeper/sampler=nsgaii"], "nsga2"),
        (["hydra/sweeper/sampler=cmaes"], "cmaes"),
        (["+hydra.sweeper.sampler._target_=optuna.samplers.QMCSampler"], "sobol"),
        ([], "tpe"),
        (["hydra/sweeper/sampler=grid"], "grid"),
    ],
)
def test_the_samplers_of_the_optuna_sweeper_are_searches_here(project, overrides, search):
    plan = project.write(config="x: 1\n").plan("hydra/sweeper=optuna", *overrides)
    assert plan.settings.search.name == search


def test_what_has_no_meaning_is_said_once_by_name(project):
    project.write(
        config="defaults: [override hydra/sweeper: ax, _self_]\nx: 1\nhydra: {sweeper: {ax_config: {max_trials: 3}}}\n",
        train_py=PRINTS,
    )
    ended = project.run("-m", "x=1,2")
    assert ended.err.count("no meaning here, and left out: hydra/sweeper=ax") == 1
    assert len(ended.results) == 2


def test_without_a_version_a_tree_with_a_hydra_node_changes_into_the_runs_directory(project):
    project.write(config="x: 1\nhydra: {output_subdir: .hydra}\n", train_py=PRINTS.replace(', version_base="1.3"', "").replace("print(OmegaConf", "print(os.getcwd()); print(OmegaConf"))  # fmt: skip
    ended = project.run()
    assert ended.out.splitlines()[0] == str(ended.run)
    assert (ended.run / ".hydra/config.yaml").read_text() == "x: 1\n"


LOGS = """
    import logging
    import sweeper as hydra

    log = logging.getLogger("mine")

    @hydra.main(config_path="conf", config_name="config", version_base="1.3")
    def train(cfg):
        log.debug("a detail")
        log.info("a step")
        log.error("a fault")
        return 1.0

    if __name__ == "__main__":
        train()
"""


def lines(text: str) -> list[str]:
    text = re.sub(r"\x1b\[\d*m", "", text)  # colours
    return [line.rpartition(" - ")[2] for line in text.splitlines() if " a " in f" {line}"]


@pytest.mark.parametrize(
    ("override", "terminal", "log"),
    [
        (None, ["a step", "a fault"], ["a step", "a fault"]),
        ("hydra/job_logging=none", ["a fault"], ["a fault"]),  # Python's own last resort
        ("hydra/job_logging=disabled", [], []),
        ("hydra/job_logging=stdout", ["a step", "a fault"], ["a step", "a fault"]),
        ("hydra/job_logging=colorlog", ["a step", "a fault"], ["a step", "a fault"]),
        ("hydra.job_logging.root.level=DEBUG", *[["a detail", "a step", "a fault"]] * 2),
        ("hydra.job_logging.root.handlers=[console]", *[["a step", "a fault"]] * 2),
        ("hydra.job_logging.root.handlers=[file]", [], ["a step", "a fault"]),
        ("hydra.verbose=true", *[["a detail", "a step", "a fault"]] * 2),
        ("hydra.verbose=[mine,other]", *[["a detail", "a step", "a fault"]] * 2),
        ("hydra.verbose=other", *[["a step", "a fault"]] * 2),
    ],
)
def test_logging_is_as_it_says_and_each_record_is_in_the_log_once(project, override, terminal, log):
    project.write(config="x: 1\n", train_py=LOGS)
    overrides = [override] if override else []
    ended = project.run(*overrides)
    assert lines(ended.out + ended.err) == terminal
    assert lines((ended.run / "train.log").read_text()) == log
    ended = project.run("-m", "x=1", *overrides)
    assert lines((ended.sweep / "0/train.log").read_text()) == log


def test_a_verbose_logger_has_its_level_again_when_the_run_has_ended(project):
    script = (
        LOGS.rpartition("    train()")[0]
        + """    log.setLevel("WARNING")
        train()
        print("then", logging.getLevelName(log.level))
    """
    )
    project.write(config="x: 1\n", train_py=script)
    assert "then WARNING" in project.run("hydra.verbose=[mine]").out
    assert "then WARNING" in project.run("hydra.verbose=[mine]", "-m", "sweeper/launcher=inline").out


def test_its_logging_may_name_files_of_the_run(project):
    project.write(
        config="x: 1\n",
        hydra__job_logging__mine="""
            version: 1
            formatters: {short: {format: '%(name)s says %(message)s'}}
            handlers:
              file: {class: logging.FileHandler, formatter: short, filename: '${hydra.runtime.output_dir}/${hydra.job.name}-${hydra.job.num}.txt'}
            root: {level: INFO, handlers: [file]}
            disable_existing_loggers: false
        """,
        train_py=LOGS,
    )
    ended = project.run("-m", "x=1,2", "hydra/job_logging=mine")
    assert (ended.sweep / "1/train-1.txt").read_text() == "mine says a step\nmine says a fault\n"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("hydra.job_logging.handlers.console.class=logging.Nothing", "Cannot find 'logging.Nothing'"),
        ("hydra.job_logging.root.level=LOUD", "Cannot configure logging"),
        ("hydra.job_logging.handlers.file.class=os.system", "'os.system' is refused"),
        ("hydra.job_logging.handlers.file.filename=${nothing}", "Cannot resolve the logging"),
    ],
)
def test_logging_that_cannot_be_is_a_mistake(project, override, said):
    ended = project.write(config="x: 1\n", train_py=LOGS).run(override, code=2)
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_an_unknown_plugin_is_no_reason_not_to_compose(project):
    project.write(config="x: 1\n", train_py=PRINTS)
    ended = project.run("-m", "x=1", "hydra/launcher=flux", "hydra.launcher.partition=gpu")
    assert "left out: hydra/launcher=flux" in ended.err


def test_what_submitit_was_told_of_slurm_is_told_to_our_launcher(project):
    settings = project.write(config="x: 1\n").plan(
        "hydra/launcher=submitit_slurm", "hydra.launcher.partition=gpu", "hydra.launcher.gpus_per_node=2",
        "hydra.launcher.mem_gb=8", "hydra.launcher.array_parallelism=12", "hydra.launcher.timeout_min=5",
        "hydra.launcher.exclude=n7", "+hydra.launcher.additional_parameters={nice: 100}",
    ).settings.launcher  # fmt: skip
    assert (settings.name, settings.jobs, settings.run_timeout, settings.memory) == ("slurm", 12, 300, 2**33)
    extra = {"exclude": "n7", "nice": 100}
    assert settings.options == {**settings.options, "partition": "gpu", "gpus": 2, "extra": extra}


def test_a_time_limit_of_submitit_is_one_of_the_run(project):
    plan = project.write(config="x: 1\n").plan(
        "hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5"
    )
    assert plan.settings.launcher.run_timeout == 300


def test_hydra_config_has_all_that_hydras_has(project):
    project.write(
        config="x: 1\n",
        train_py="""
            import sweeper as hydra
            from sweeper.core.hydra_config import HydraConfig

            @hydra.main(config_path="conf", config_name="config", version_base="1.3")
            def train(cfg):
                node = HydraConfig.get()
                print(node.job.name, node.job.config_name, node.overrides.task, node.mode.name)
                print(node.runtime.choices, node.runtime.version_base, node.job_logging.root.level)
                print([source.provider for source in node.runtime.config_sources])
                print((__import__("pathlib").Path(node.runtime.output_dir) / node.output_subdir).is_dir())
                return 0.0

            train()
        """,
        db__pg="port: 1\n",
    )
    out = project.run("+db=pg", "x=2").out.splitlines()
    assert out[0] == "train config ['+db=pg', 'x=2'] RUN"
    assert "'db': 'pg'" in out[1] and out[1].endswith("1.3 INFO")
    assert out[2:] == ["['hydra', 'main', 'schema']", "True"]
