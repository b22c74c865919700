"""A single run: its directory, its record, what the function gets and what its value means."""

import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
import yaml
from conftest import TRAIN, environment


def test_a_run_leaves_its_config_its_record_and_its_log(parabola):
    parabola.write(
        train_py="""
        import sweeper, logging, sys

        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            print("printed", sys.stdout.isatty())
            logging.getLogger("mine").info("logged")
            return {"loss": (cfg.x - 3) ** 2, "size": 7}

        if __name__ == "__main__":
            train()
    """
    )
    ended = parabola.run("x=1", "sweeper.objective.metric=loss")
    assert ended.out.startswith("printed False\n")
    assert ended.out.endswith("[mine][INFO] - logged\n")
    assert (ended.run / "train.log").read_text() == ended.out
    assert yaml.safe_load((ended.run / ".sweeper/config.yaml").read_text()) == {"x": 1, "name": "parabola"}
    assert yaml.safe_load((ended.run / ".sweeper/overrides.yaml").read_text()) == ["x=1"]
    record = ended.record()
    assert (record["status"], record["score"], record["params"]) == ("COMPLETED", 4, {"x": 1})
    assert record["metrics"] == {"loss": 4, "size": 7}
    assert datetime.fromisoformat(record["started"]).tzinfo is not None
    assert datetime.fromisoformat(record["ended"]) >= datetime.fromisoformat(record["started"])
    assert {"seconds", "error", "host", "pid", "seed", "git"} <= record.keys()
    assert record["seed"] is None


def test_a_run_is_in_the_database(parabola):
    parabola.run("x=1")
    assert parabola.query("select status, score, sweep_id from runs") == [("COMPLETED", 4.0, None)]
    assert parabola.query("select key, value from params") == [("x", 1)]
    assert parabola.query("pragma journal_mode")[0] == ("wal",)


def test_two_runs_in_one_second_do_not_share_a_directory(parabola):
    for _ in range(3):
        parabola.run("sweeper.run.dir=out/${now:%Y}")
    assert sorted(p.name[4:] for p in (parabola.folder / "out").iterdir() if not p.is_symlink()) == [
        "",
        "-2",
        "-3",
    ]


def test_a_directory_that_the_user_fixed_is_used_as_it_is(parabola):
    for _ in range(2):
        parabola.run("sweeper.run.dir=fixed/${x}")
    assert [p.name for p in (parabola.folder / "fixed").iterdir()] == ["0.0"]


def test_the_value_is_returned_and_a_call_with_a_config_goes_straight_through(parabola):
    parabola.write(
        train_py="""
        import sweeper
        from omegaconf import OmegaConf

        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            "Trains."
            return cfg.x

        print(train(OmegaConf.create({"x": 5})), train.__doc__, train(), sweeper.current_run().number)
        sweeper.report({"loss": 1})
    """
    )
    assert parabola.run().out == "5 Trains. 0.0 0\n"


@pytest.mark.parametrize(
    ("signature", "value", "result"),
    [
        ("cfg", "cfg.x", 0.0), ("config", "config.x", 0.0), ("x, name, seed=7", "(x, name, seed)", (0.0, "parabola", 7)),
        ("name, cfg", "(name, cfg.x)", ("parabola", 0.0)), ("*, x, name", "x", 0.0),
        ("conf: 'DictConfig', name='me'", "(conf.x, name)", (0.0, "parabola")),
    ],
)  # fmt: skip
def test_parameters_get_the_config_or_its_keys_by_name(parabola, signature, value, result):
    parabola.write(
        train_py=f"""
        import sweeper
        @sweeper.main(config_path="conf", config_name="config")
        def train({signature}):
            return {value}
        if __name__ == "__main__":
            print(repr(train()))
    """
    )
    assert parabola.run().out.strip() == repr(result)


def test_configs_and_schema_are_those_of_the_file_with_the_function_not_of_its_decorators(parabola):
    parabola.write(
        lib__deco_py="""
        import functools

        def twice(function):
            @functools.wraps(function)
            def doubled(*args, **kwargs):
                return 2 * function(*args, **kwargs)
            return doubled
        """,
        train_py="""
        from __future__ import annotations
        from dataclasses import dataclass
        import sweeper
        from lib.deco import twice

        @dataclass
        class Settings:
            x: float = 1
            name: str = ""

        @sweeper.main(config_path="conf", config_name="config")
        @twice
        def train(settings: Settings):
            return settings.x

        if __name__ == "__main__":
            print(train())
    """,
    )
    assert parabola.run("x=3").out == "6.0\n"
    assert "could not be converted to Float" in parabola.run("x=three", code=2).err


def test_a_parameter_that_the_config_lacks_is_named(parabola):
    parabola.write(
        train_py="""
        import sweeper
        @sweeper.main(config_path="conf", config_name="config")
        def train(x, depth):
            return x
        train()
    """
    )
    ended = parabola.run(code=2)
    assert "train() takes 'depth', but the config has no such key" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("???", "which has no value: it is ???\n  Give it one: depth=…"),
        ("${missing}", "which cannot be resolved\n  Interpolation key 'missing' not found"),
    ],
)
@pytest.mark.parametrize("words", [[], ["-m", "x=1,2"]])
def test_a_parameter_whose_value_cannot_be_had_is_named(parabola, value, said, words):
    parabola.write(
        config=f"x: 1\ndepth: {value}\n",
        train_py="""
        import sweeper
        @sweeper.main(config_path="conf", config_name="config")
        def train(x, depth):
            return x
        train()
    """,
    )
    ended = parabola.run(*words, code=2)
    assert ended.err == f"error: train() takes 'depth', {said}\n"


def test_an_exception_shows_its_traceback_and_is_recorded(parabola):
    parabola.write(config="x: ${missing}\n")
    ended = parabola.run(code=1)
    assert "InterpolationKeyError" in ended.err
    assert "Traceback" in ended.err
    assert ended.record()["status"] == "FAILED"
    assert "InterpolationKeyError" in ended.record()["error"]


def test_a_mistake_of_ours_inside_of_the_function_is_the_functions_own(parabola):
    parabola.write(
        train_py="""
        import sweeper
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            sweeper.report({"loss": "high"})
        if __name__ == "__main__":
            train()
    """
    )
    ended = parabola.run(code=1)
    assert "UsageError: The metric 'loss' must be a number" in ended.err
    assert "Traceback" in ended.err
    assert ended.record()["status"] == "FAILED"


def test_a_step_is_a_plain_whole_number_or_the_functions_mistake(parabola):
    parabola.write(
        train_py="""
        import numpy, sweeper
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            for step in (numpy.int64(0), numpy.float32(1), 2.0, True + 2):
                sweeper.report({"loss": 1.5}, step=step)
            if cfg.x:
                sweeper.report({"loss": 2.5}, step={1: "one", 2: 0.5, 3: 2**63, 4: float("nan")}[cfg.x])
            return 1
        train()
    """
    )
    ended = parabola.run("-m", "x=0,1,2,3,4", code=1)
    assert "tracker" not in ended.err
    assert [row["status"] for row in ended.results] == ["COMPLETED", *["FAILED"] * 4]
    assert "UsageError: The step must be a whole number, not str 'one'" in ended.out
    steps = "select step, typeof(step) from metrics where name = 'loss' and step is not null"
    assert parabola.query(f"{steps} order by rowid") == [(n, "integer") for n in range(4)] * 5


def test_the_functions_own_exit_code_is_kept(parabola):
    parabola.write(
        train_py="""
        import sweeper, sys
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            sys.exit(cfg.x)
        train()
    """
    )
    parabola.run("x=7", code=7)
    assert parabola.run("x=0", code=0).record()["status"] == "COMPLETED"


@pytest.mark.parametrize(
    ("returned", "score", "note"),
    [
        ("__import__('numpy').bool_(True)", 1, None),
        ("float('nan')", None, "the score is nan"), ("None", None, "returned None"), ("'abc'", None, "which is no number"),
        ("{'a': 1, 'b': 2}", None, "names none"), ("{'a': 1}", 1, None), ("True", 1, None), ("[1]", None, "no number"),
        ("__import__('fractions').Fraction(1, 2)", 0.5, None), ("object()", None, "no number"),
    ],
)  # fmt: skip
def test_what_is_returned_is_a_score_or_said_to_be_none(parabola, returned, score, note):
    parabola.write(
        train_py=f"""
        import sweeper
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            return {returned}
        train()
    """
    )
    record = parabola.run().record()
    assert record["status"] == "COMPLETED"
    assert (record["score"], type(record["score"])) == (score, type(score))
    assert (note in record["note"]) if note else record["note"] is None


def test_metrics_tags_inputs_and_artifacts_are_kept(parabola):
    parabola.write(
        train_py="""
        import sweeper
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            run = sweeper.current_run()
            for step in range(3):
                assert sweeper.report({"loss": 3 - step}, step=step) is False
            open(f"{run.directory}/model.txt", "w").write("m")
            run.log_artifact(f"{run.directory}/model.txt")
            run.log_input("data", __file__)
            run.set_tag("kind", "test")
            assert run.params == {"x": 1}
        train()
    """
    )
    ended = parabola.run("x=1", "sweeper.objective.metric=loss")
    record = ended.record()
    assert record["score"] == 1
    assert record["tags"] == {"kind": "test"}
    assert record["inputs"][0]["name"] == "data"
    assert parabola.query("select step, value from metrics where name='loss' order by step") == [(0, 3.0), (1, 2.0), (2, 1.0)]  # fmt: skip
    assert parabola.query("select key, value from tags") == [("kind", "test")]
    assert parabola.query("select path from artifacts")[0][0].endswith("model.txt")
    assert parabola.query("select name, size > 0, length(sha256) from inputs") == [("data", 1, 64)]


def test_interpolations_of_the_run_resolve_inside_of_it(parabola):
    parabola.write(config="x: 0.0\nout: ${sweeper:run.dir}/model\nday: ${now:%Y}\n")
    parabola.write(
        train_py="""
        import sweeper
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            print(cfg.out, cfg.day)
        train()
    """
    )
    ended = parabola.run()
    assert ended.out.split()[0] == f"{ended.run}/model"
    assert ended.out.split()[1] == str(datetime.now().astimezone().year)


def test_interpolations_resolve_in_the_threads_of_a_run_as_they_do_in_its_first(parabola):
    parabola.write(
        config="out: ckpt/${now:%H-%M-%S}\ndir: ${sweeper:run.dir}\n",
        train_py="""
        import time
        from concurrent.futures import ThreadPoolExecutor
        import sweeper
        from sweeper.core.hydra_config import HydraConfig

        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            time.sleep(1.1)  # by now it is another second
            see = lambda: (cfg.out, cfg.dir, HydraConfig.get().runtime.output_dir)
            with ThreadPoolExecutor(1) as pool:
                assert pool.submit(see).result() == see()

        train()
    """,
    )
    parabola.run()
    parabola.run("-m", "+x=1,2", "--jobs", "2")


def test_a_run_changes_into_its_directory_when_told_to(parabola):
    parabola.write(
        train_py="""
        import sweeper, os
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            print(os.getcwd(), os.environ.get("A", ""))
        train()
    """
    )
    assert parabola.run().out.strip() == str(parabola.folder)
    ended = parabola.run("sweeper.job.chdir=true", "+sweeper.job.env.A=b")
    assert ended.out.strip() == f"{ended.run} b"


@pytest.fixture
def latin(project, monkeypatch):
    """A program that reads a file, one whose name UTF-8 cannot encode, and a terminal that takes UTF-8 alone."""
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")
    project.write(
        config="data: ???\n",
        train_py="""
        import os
        import sweeper

        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            return os.path.getsize(cfg.data)

        if __name__ == "__main__":
            train()
    """,
    )
    (project.folder / "caf\udce9.csv").write_text("1,2,3")
    return project


def test_a_file_whose_name_is_not_utf_8_is_found_again_by_what_its_run_recorded(latin):
    assert latin.run("data=caf\udce9.csv").record()["score"] == 5
    assert "the score is 5" in latin.run("--rerun", "outputs/latest").out
    ended = latin.run("-m", "data=caf\udce9.csv,train.py", "sweeper.launcher.start=spawn")
    assert ended.record(0)["score"] == 5, "it was read from the run's files"
    assert ended.results[0]["data"] == r"caf\udce9.csv"
    latin.run("--resume", "multirun/latest")
    assert latin.query("select distinct value from params where value like 'caf%'") == [(r"caf\udce9.csv",)]


@pytest.mark.parametrize("flag", ["--explain=data", "--dry-run"])
def test_a_text_that_the_terminal_cannot_show_is_a_mistake(latin, flag):
    said = latin.run("data=caf\udce9.csv", *flag.split("="), code=2).err
    assert said == "error: A text in it cannot be shown: utf-8 has no '\\udce9'\n"


def test_a_program_may_lie_in_a_folder_whose_name_is_not_utf_8(latin):
    folder = latin.folder / "caf\udce9"
    folder.mkdir()
    for name in ("train.py", "conf"):
        (latin.folder / name).rename(folder / name)
    latin.folder = folder
    latin.run("train.py", "data=train.py")
    latin.run("-m", "data=train.py")
    assert [status for (status,) in latin.query("select status from runs")] == ["COMPLETED"] * 2


def test_a_single_runs_random_state_is_not_touched(parabola):
    parabola.write(
        train_py="""
        import sweeper, random
        random.seed(4)
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            return random.random()
        value = train()
        random.seed(4)
        assert value == random.random()
    """
    )
    parabola.run()


def test_the_same_script_started_inside_of_a_run_joins_it(parabola):
    parabola.write(
        train_py="""
        import os, subprocess, sys
        import sweeper
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            print("rank", os.environ.get("LOCAL_RANK", "0"), cfg.x, flush=True)
            if "LOCAL_RANK" not in os.environ:
                env = {**os.environ, "LOCAL_RANK": "1"}
                subprocess.run([sys.executable, *sys.argv], env=env, check=True)
            return cfg.x
        if __name__ == "__main__":
            train()
    """
    )
    ended = parabola.run("-m", "x=4,5")
    for number, x in enumerate((4, 5)):
        assert (ended.sweep / f"{number}/train.log").read_text() == f"rank 0 {x}\nrank 1 {x}\n"
    assert not (parabola.folder / "outputs").exists()


def test_a_plain_run_imports_none_of_the_heavy_libraries(parabola):
    process = subprocess.run(
        [sys.executable, "-X", "importtime", "train.py"], cwd=parabola.folder, env=environment(),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in process.stderr.splitlines()}
    assert "omegaconf" in imported
    assert not imported & {
        "optuna",
        "skopt",
        "sklearn",
        "joblib",
        "mlflow",
        "rich",
        "plotly",
        "numpy",
        "scipy",
    }


def test_importing_sweeper_writes_nothing(tmp_path: Path):
    subprocess.run([sys.executable, "-c", "import sweeper"], cwd=tmp_path, env=environment(), check=True)
    assert list(tmp_path.iterdir()) == []


def test_the_traceback_of_a_run_shows_the_users_code_alone(project):
    project.write(
        config="x: 1\n",
        train_py="""
            import sweeper

            def divide(x):
                return 1 / (x - 1)

            @sweeper.main(config_path="conf", config_name="config")
            def train(cfg):
                return divide(cfg.x)

            train()
        """,
    )
    err = project.run(code=1).err
    assert "ZeroDivisionError" in err
    assert [line.strip().split()[-1] for line in err.splitlines() if "File" in line] == [
        "<module>",
        "train",
        "divide",
    ]


def test_an_environment_variable_resolves_though_a_library_took_omegaconfs_resolver_away(parabola):
    taken = "from omegaconf import OmegaConf\n    OmegaConf.clear_resolver('oc.env')\n\n    @sweeper.main"
    parabola.write(
        train_py=TRAIN.replace("@sweeper.main", taken), config="x: ${oc.decode:${oc.env:LEVEL,5}}\n"
    )
    assert parabola.run().record()["score"] == 4
    assert "x: 5" in parabola.run("--cfg", "job", "--resolve").out
    assert parabola.run("-m", "+y=1,2").record(1)["score"] == 4
