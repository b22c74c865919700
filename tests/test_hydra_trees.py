"""An existing Hydra tree works as it stands: its `hydra` node is read as ours."""

import pytest

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
