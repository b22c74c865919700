"""Sweeps: a grid or a search as parallel runs, and what they leave behind."""

import pytest
import yaml
from conftest import without_times

from sweeper.records import COMPLETED, FAILED, Objective, Outcome
from sweeper.results import RunResult, SweepResult, csv_text


def test_a_grid_leaves_the_same_numbers_in_the_runs_the_table_and_the_database(parabola):
    ended = parabola.run("-m", "x=1,2.5", "name=a,b", "--jobs", "2")
    assert len(ended.results) == 4
    stored = dict(parabola.query("select number, score from runs"))
    assert parabola.query("select status, search from sweeps") == [("COMPLETED", "grid")]
    for row in ended.results:
        number = int(row["number"])
        record = ended.record(number)
        assert float(row["score"]) == record["score"] == stored[number] == (float(row["x"]) - 3) ** 2
        assert record["params"] == {"x": float(row["x"]), "name": row["name"]}
        config = yaml.safe_load((ended.sweep / row["number"] / ".sweeper/config.yaml").read_text())
        assert config == record["params"]


def test_the_lines_of_a_sweep_are_these(parabola):
    ended = parabola.run("-m", "x=1,3", "--jobs", "1")
    assert without_times(ended.out) == without_times(f"""\
grid: 2 runs, 1 at a time
in {ended.sweep.relative_to(parabola.folder)}
run 0  COMPLETED           4 *     5ms  x=1
run 1  COMPLETED           0 *     5ms  x=3

2 COMPLETED in 100ms (all points run)
directory  {ended.sweep.relative_to(parabola.folder)}
repeat the best  python train.py x=3
as an experiment  {ended.sweep.relative_to(parabola.folder)}/best.yaml
its directory    {ended.sweep}/1
best (minimize score): run 1, score 0, x=3
""")


@pytest.mark.parametrize("search", ["random", "tpe", "gp", "skopt"])
def test_a_search_finds_what_it_looks_for(parabola, search):
    ended = parabola.run(
        "--search", search, "--trials", "14", "--jobs", "2", "x=interval(0,10)", "sweeper.search.seed=1"
    )
    rows = ended.results
    assert len(rows) == 14
    assert rows[0]["x"] == "0.0"
    assert min(float(row["score"]) for row in rows) < 9.0
    assert ended.out.splitlines()[0] == f"{search}: 14 runs, 2 at a time, minimize score"
    assert ended.out.splitlines()[-1].startswith("best (minimize score): run ")


def test_the_command_that_repeats_the_best_repeats_it(parabola):
    ended = parabola.run(
        "--search", "random", "--trials", "5", "x=interval(0,10)", "sweeper.search.seed=1", "name='a b'"
    )
    line = next(line for line in ended.out.splitlines() if line.startswith("repeat the best"))
    assert "'name='\"'\"'a b'\"'\"''" in line
    best = min(ended.results, key=lambda row: float(row["score"]))
    assert f"x={best['x']}" in line
    assert parabola.run(f"x={best['x']}").record()["score"] == float(best["score"])


def test_a_conditional_search_gives_each_run_the_params_of_its_model(project):
    project.write(
        config="defaults: [model: tree]\n",
        model__tree="depth: 3\n_space_: {depth: 'range(1, 9)'}\n",
        model__net="lr: 0.1\n_space_: {lr: 'interval(0.01, 1, log=true)'}\n",
        train_py="""
            import sweeper
            @sweeper.main(config_path="conf", config_name="config")
            def train(cfg):
                return cfg.model.depth if "depth" in cfg.model else cfg.model.lr
            if __name__ == "__main__":
                train()
        """,
    )
    ended = project.run("--search", "tpe", "--trials", "12", "--jobs", "2", "model=tree,net", "--maximize")
    for row in ended.results:
        assert set(ended.record(row["number"])["params"]) == (
            {"model", "model.depth"} if row["model"] == "tree" else {"model", "model.lr"}
        )
        assert (row["model.lr"] == "") is (row["model"] == "tree")
    assert {row["model"] for row in ended.results} == {"tree", "net"}
    assert ended.out.splitlines()[-1].startswith("best (maximize score)")


def test_the_first_run_of_a_search_is_the_config_as_it_stands(parabola):
    ended = parabola.run("--search", "random", "--trials", "2", "x=interval(-1,1)")
    assert ended.record(0)["params"] == {"x": 0.0}


def test_a_finite_space_ends_when_it_is_exhausted(parabola):
    ended = parabola.run("--search", "random", "--trials", "50", "x=range(0,4)", "--jobs", "2")
    assert len(ended.results) == 4
    assert "(the space is exhausted)" in ended.out


def test_no_worker_waits_for_another(parabola):
    parabola.write(
        config="x: 0.0\nt: 0\n",
        train_py="""
        import os, sweeper, time
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            while cfg.x == 0 and not os.path.exists("ended-8"):
                time.sleep(0.02)
            open(f"ended-{cfg.x}", "w").close()
            return cfg.x
        if __name__ == "__main__":
            train()
    """,
    )
    ended = parabola.run("-m", "x=range(0,9)", "--jobs", "2")
    assert [row["status"] for row in ended.results] == ["COMPLETED"] * 9, (
        "eight went through beside the first"
    )


def test_a_run_that_raises_costs_itself_alone(parabola):
    parabola.write(
        train_py="""
        import sweeper
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            print("x is", cfg.x)
            return 1 / (cfg.x - 2)
        if __name__ == "__main__":
            train()
    """
    )
    ended = parabola.run("-m", "x=1,2,3,4", code=1)
    assert [row["status"] for row in ended.results] == ["COMPLETED", "FAILED", "COMPLETED", "COMPLETED"]
    assert "ZeroDivisionError" in ended.record(1)["error"]
    assert "Traceback" in (ended.sweep / "1/train.log").read_text()
    assert "    ZeroDivisionError: " in ended.out
    assert ended.err == "error: 1 of 4 runs failed\n"


def test_a_sweep_whose_first_five_runs_fail_stops(parabola):
    parabola.write(
        train_py="""
        import sweeper
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            raise RuntimeError("always")
        if __name__ == "__main__":
            train()
    """
    )
    ended = parabola.run("-m", "x=range(0,20)", code=1)
    assert len(ended.results) == 5
    assert "(the first 5 runs failed)" in ended.out


def test_a_search_that_gets_no_score_stops_and_says_what_was_returned(parabola):
    parabola.write(
        train_py="""
        import sweeper
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            return {"loss": 1, "accuracy": 2}
        if __name__ == "__main__":
            train()
    """
    )
    ended = parabola.run("--search", "random", "x=interval(0,1)", code=2)
    assert "returned 2 metrics (loss, accuracy)" in ended.err
    parabola.run("--search", "random", "--trials", "3", "x=interval(0,1)", "sweeper.objective.metric=loss")


def test_nan_is_a_run_without_a_score_and_the_search_goes_on(parabola):
    parabola.write(
        train_py="""
        import sweeper
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            return float("nan") if cfg.x > 5 else cfg.x
        if __name__ == "__main__":
            train()
    """
    )
    ended = parabola.run("--search", "tpe", "--trials", "16", "x=interval(0,10)", "sweeper.search.seed=3")
    rows = ended.results
    assert len(rows) == 16
    assert {row["status"] for row in rows} == {"COMPLETED"}
    assert any(row["score"] == "" for row in rows)


def test_runs_are_named_by_a_template_and_never_share_a_directory(parabola):
    ended = parabola.run("-m", "x=1,2,3", "sweeper.sweep.subdir=${name}", "sweeper.sweep.dir=here")
    assert "directory  here" in ended.out
    assert sorted(p.name for p in (parabola.folder / "here").iterdir() if p.is_dir()) == [
        "parabola",
        "parabola-2",
        "parabola-3",
    ]


def test_a_directory_that_holds_a_sweep_is_refused(parabola):
    parabola.run("-m", "x=1,2", "sweeper.sweep.dir=here")
    ended = parabola.run("-m", "x=1,2", "sweeper.sweep.dir=here", code=2)
    assert "--resume" in ended.err


def test_inside_of_a_run_the_command_line_and_the_seed_are_its_own(parabola):
    parabola.write(
        train_py="""
        import sweeper, sys, os, random
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            assert sys.argv[1:] == [f"x={cfg.x}", "name=me"], sys.argv
            assert os.environ["SWEEPER_RUN_DIR"] == sweeper.current_run().directory
            return random.random()
        if __name__ == "__main__":
            train()
    """
    )
    first, second = (
        parabola.run("-m", "x=1,2", "name=me", "sweeper.search.seed=5", "--jobs", jobs).results
        for jobs in ("1", "2")
    )
    assert [row["score"] for row in first] == [row["score"] for row in second]
    assert first[0]["score"] != first[1]["score"]


def test_all_output_of_a_run_is_in_its_log(parabola):
    parabola.write(
        train_py="""
        import sweeper, os, subprocess, sys, logging, ctypes
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            print("printed")
            print("error", file=sys.stderr)
            logging.warning("logged")
            os.write(1, b"raw\\n")
            subprocess.run(["echo", "from a subprocess"])
            ctypes.CDLL(None).puts(b"from C")
            return 1
        if __name__ == "__main__":
            train()
    """
    )
    ended = parabola.run("-m", "x=1,2")
    for number in (0, 1):
        log = (ended.sweep / f"{number}/train.log").read_text()
        for text in ("printed", "error", "logged", "raw", "from a subprocess", "from C"):
            assert text in log
    assert "printed" not in ended.out


def test_a_time_limit_lets_running_runs_finish(parabola):
    parabola.write(
        train_py="""
        import sweeper, time
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            time.sleep(0.3)
            return cfg.x
        if __name__ == "__main__":
            train()
    """
    )
    ended = parabola.run("-m", "x=range(0,100)", "--timeout", "1s")
    assert 1 <= len(ended.results) < 10
    assert {row["status"] for row in ended.results} == {"COMPLETED"}
    assert "the time of 1 s is over" in ended.out


SLEEPS = """
    import os, sweeper, time
    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        time.sleep(0.6)
        if cfg.name == "dies":
            os._exit(1)
    if __name__ == "__main__":
        train()
"""


def test_a_time_limit_holds_for_repeats_which_a_resumed_sweep_makes(parabola):
    parabola.write(train_py=SLEEPS)
    ended = parabola.run("-m", "x=1", "sweeper.search.repeats=5", "--timeout", "1")
    assert 1 <= len(ended.results) < 4
    assert "the time of 1 s is over" in ended.out
    assert "5 COMPLETED" in parabola.run("--resume", str(ended.sweep), "--timeout", "1m").out


def test_a_time_limit_holds_for_retries(parabola):
    parabola.write(train_py=SLEEPS)
    words = ("-m", "name=dies", "sweeper.launcher.retries=5", "--timeout", "1")
    ended = parabola.run(*words, code=1)
    assert 1 <= len([path for path in ended.sweep.iterdir() if path.is_dir()]) < 4
    assert [row["status"] for row in ended.results] == ["FAILED"]
    assert "the time of 1 s is over" in ended.out


def test_what_runs_report_is_in_the_database_with_its_steps(parabola):
    parabola.write(
        train_py="""
        import sweeper
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            for step in range(5):
                sweeper.report({"loss": cfg.x * step}, step=step)
            return cfg.x
        if __name__ == "__main__":
            train()
    """
    )
    parabola.run("-m", "x=1,2", "--jobs", "2")
    rows = parabola.query(
        "select number, step, value from metrics join runs on runs.id = run_id where metrics.name = 'loss' order by 1, 2"
    )
    assert rows == [(n, step, (n + 1) * step) for n in (0, 1) for step in range(5)]


def test_a_dry_run_lists_and_makes_nothing(parabola):
    ended = parabola.run("-m", "x=1,2", "name=a,b", "--dry-run")
    assert ended.out.splitlines() == [f"python train.py x={x} name={n}" for x in (1, 2) for n in "ab"]
    assert not (parabola.folder / "multirun").exists()


def test_a_million_points_begin_at_once_and_pipe_into_head(parabola):
    process = parabola.start("train.py", "-m", "x=range(0,1000)", "name=range(0,1000)", "--dry-run")
    assert process.stdout.readline() == "python train.py x=0 name=0\n"
    process.stdout.close()
    assert process.wait(timeout=20) == 0
    assert process.stderr.read() == ""
    process.stderr.close()


def test_objects_of_several_objectives_leave_the_score_empty(parabola):
    parabola.write(
        train_py="""
        import sweeper
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            return cfg.x, -cfg.x
        if __name__ == "__main__":
            train()
    """
    )
    ended = parabola.run(
        "--search", "random", "--trials", "3", "x=interval(0,1)",
        "sweeper.objective.metric=[cost,gain]", "sweeper.objective.direction=[minimize,maximize]",
    )  # fmt: skip
    assert {row["score"] for row in ended.results} == {""}
    assert all(float(row["metrics.cost"]) == -float(row["metrics.gain"]) for row in ended.results)


def test_sweeps_are_run_from_python_and_never_exit(parabola):
    parabola.write(
        call_py="""
        import sweeper
        from train import train
        result = sweeper.sweep(train, overrides=["x=interval(0,6)"], search="random", trials=6, jobs=2, quiet=True)
        print(len(result.runs), result.best.score == min(run.score for run in result.runs), result.failed)
        print(list(result.to_pandas().columns))
        plain = sweeper.sweep(train.__wrapped__, config={"x": 1}, overrides=["x=1,2"], quiet=True)
        print([run.score for run in plain.runs], plain.reason)
    """
    )
    ended = parabola.run("call.py")
    assert ended.out.splitlines() == [
        "6 True ()", "['number', 'status', 'score', 'seconds', 'x']", "[4, 1] all points run",
    ]  # fmt: skip


def test_a_frame_has_nan_for_what_a_run_lacks_and_its_columns_stay_numbers():
    runs = (
        RunResult(0, 1, "", {"m": "a", "m.x": 1.5}, Outcome(COMPLETED, 2.0, {"loss": 2.0})),
        RunResult(1, 1, "", {"m": "b", "m.y": 3}, Outcome(FAILED)),
    )
    result = SweepResult("", Objective(), runs)
    frame = result.to_pandas()
    assert list(frame.columns) == ["number", "status", "score", "seconds", "m", "m.x", "m.y", "metrics.loss"]
    assert [frame[name].dtype for name in ("score", "m.x", "m.y", "metrics.loss")] == ["float64"] * 4
    assert (frame["m.x"].mean(), frame["metrics.loss"].min()) == (1.5, 2.0)
    assert csv_text(runs).splitlines()[2] == "1,FAILED,,0.0,b,,3,"


def test_inside_pytest_a_foreign_command_line_is_not_read(parabola):
    parabola.write(
        test_it_py="""
        import pytest, sweeper
        from train import train

        def test_training():
            with pytest.raises(SystemExit):
                train()
            assert sweeper.sweep(train, overrides=["x=1,3"], quiet=True).best.score == 0
    """
    )
    ended = parabola.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py", code=None)
    assert ended.code == 2 or "1 passed" in ended.out


def test_whoever_stops_reading_stops_no_sweep(parabola):
    process = parabola.start("train.py", "-m", "x=range(0,30)", "sweeper.sweep.dir=here")
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    process.stderr.close()
    assert (parabola.folder / "here/results.csv").read_text().count("COMPLETED") == 30


def test_a_group_below_another_is_searched_where_it_exists(project):
    project.write(
        config="defaults: [model: net]\n",
        model__net="defaults: [sched: cos]\nlr: 1\n",
        model__tree="depth: 1\n",
        model__sched__cos="k: 1\n_space_: {k: 'range(1, 5)'}\n",
        model__sched__lin="m: 1\n",
        train_py="""
            import sweeper
            @sweeper.main(config_path="conf", config_name="config")
            def train(cfg):
                return len(cfg.model)
            if __name__ == "__main__":
                train()
        """,
    )
    ended = project.run("--search", "random", "--trials", "14", "model=net,tree", "model/sched=cos,lin")
    for row in ended.results:
        assert (row["model/sched"] == "") is (row["model"] == "tree")
        assert (row["model.sched.k"] == "") is (row["model/sched"] != "cos")


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ("lrr: 'interval(0, 1)'", "declares 'model.lrr'"),
        ("lr: 'interval(1, 0)'", "is empty"),
        ("lr: 'rang(3)'", "Did you mean 'range'"),
    ],
)
def test_a_mistake_in_an_options_space_shows_before_any_run(project, space, said):
    project.write(
        config="defaults: [model: a]\n", model__a="lr: 1.0\n", model__b=f"lr: 1.0\n_space_: {{{space}}}\n",
        train_py="""
            import sweeper
            @sweeper.main(config_path="conf", config_name="config")
            def train(cfg):
                return 1
            if __name__ == "__main__":
                train()
        """,
    )  # fmt: skip
    ended = project.run("--search", "random", "--trials", "4", "model=a,b", code=2)
    assert said in ended.err
    assert "model/b" in ended.err
    assert not (project.folder / "multirun").exists()


def test_what_a_script_defines_reaches_the_processes_of_a_run(parabola):
    parabola.write(
        train_py="""
        import sweeper
        from joblib import Parallel, delayed

        def double(x):
            return 2 * x

        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            return sum(Parallel(n_jobs=2)(delayed(double)(x) for x in range(int(cfg.x))))

        if __name__ == "__main__":
            train()
    """
    )
    assert parabola.run("x=3").record()["score"] == 6
    for launcher in ("local", "joblib"):
        ended = parabola.run("-m", "x=3,4", f"sweeper/launcher={launcher}")
        assert [row["score"] for row in ended.results] == ["6", "12"]


def test_a_sweep_keeps_the_users_decorators_as_a_single_run_does(parabola):
    parabola.write(
        train_py="""
        import functools
        import sys
        import sweeper

        def twice(function):
            @functools.wraps(function)
            def doubled(*args, **kwargs):
                return 2 * function(*args, **kwargs)
            return doubled

        @twice
        def train(cfg):
            return cfg.x

        program = sweeper.main(config_path="conf", config_name="config")(train)

        if __name__ == "__main__":
            if len(sys.argv) > 1:
                program()
            else:
                print([run.score for run in sweeper.sweep(train, config="conf/config.yaml", overrides=["x=1,2"], quiet=True).runs])
    """
    )
    assert parabola.run("x=3").record()["score"] == 6
    assert [row["score"] for row in parabola.run("-m", "x=3,4").results] == ["6", "8"]
    assert parabola.run().out == "[2, 4]\n"


@pytest.mark.parametrize(
    "made", ["Model(5)", "Model(5).scaled", "partial(scaled, factor=5)", "lambda x, name: 5 * x"]
)
def test_whatever_can_be_called_runs_alone_and_in_a_sweep(parabola, made):
    parabola.write(
        train_py=f"""
        import sys
        from functools import partial
        import sweeper

        class Callable:
            def __call__(self, cfg):
                return self.factor * cfg.x

        class Model(Callable):
            def __init__(self, factor):
                self.factor = factor

            def scaled(self, x, name):
                return self.factor * x

        def scaled(x, factor, name):
            return factor * x

        train = sweeper.main(config_path="conf", config_name="config")({made})

        if __name__ == "__main__":
            if len(sys.argv) > 1:
                train()
            else:
                print([run.score for run in sweeper.sweep({made}, config="conf/config.yaml", overrides=["x=1,2"], quiet=True).runs])
    """
    )
    assert parabola.run("x=3").record()["score"] == 15
    assert [row["score"] for row in parabola.run("-m", "x=3,4").results] == ["15", "20"]
    assert parabola.run().out == "[5, 10]\n"


def test_a_sweep_from_python_takes_its_keys_from_the_functions_schema(project):
    project.write(
        call_py="""
        from dataclasses import dataclass
        import sweeper

        @dataclass
        class Settings:
            x: float = 1.0
            y: float = 2.0

        def train(settings: Settings):
            return settings.x + settings.y

        if __name__ == "__main__":
            print([run.score for run in sweeper.sweep(train, overrides=["x=5,6"], quiet=True).runs])
            try:
                sweeper.sweep(train, overrides=["z=5,6"], quiet=True)
            except sweeper.SweeperError as error:
                print(error)
    """
    )
    lines = project.run("call.py").out.splitlines()
    assert lines[:2] == ["[7.0, 8.0]", "Cannot override 'z': the config has no key 'z'"]


def test_what_to_do_about_a_function_below_the_first_sweep_of_a_script_is_said(project):
    project.write(
        call_py="""
        import sweeper

        def first(x, y=1):
            return x

        sweeper.sweep(first, overrides=["x=1,2"], quiet=True)

        def second(x, y=1):
            return x

        sweeper.sweep(second, overrides=["x=1,2"], quiet=True)
    """
    )
    err = project.run("call.py", code=1).err
    assert "cannot find 'second'" in err
    assert "above its first sweep if that does not stand under if __name__ == '__main__'" in err


def test_a_model_follows_one_objective(parabola):
    ended = parabola.run("--search", "gp", "x=interval(0,1)", "sweeper.objective.metric=[a,b]", code=2)
    assert "follows one objective" in ended.err
