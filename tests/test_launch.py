"""Launchers: one suite that each of them passes; nothing that a run does reaches another."""

import os
import subprocess
import time
from datetime import datetime
from textwrap import dedent

import pytest
from conftest import TRAIN, until

# The launchers that nothing which a run does may disturb, and what else their command lines need.
LAUNCHERS: dict[str, list[str]] = {"local": [], "joblib": []}

DEATHS = """
    import ctypes, os, signal, subprocess, sys, threading, time
    from pathlib import Path
    import sweeper

    class Unpicklable(Exception):
        def __reduce__(self):
            raise TypeError("no")

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        print("begins", cfg.how, flush=True)
        how, begun = cfg.how, Path("begun")
        begun.mkdir(exist_ok=True)
        (begun / how).touch()
        while cfg.deaths and len(list(begun.glob("long*"))) < 2:
            time.sleep(0.01)
        if how == "raise":
            raise ValueError("boom")
        if how == "raise_unpicklable":
            raise Unpicklable("boom")
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "interrupt":
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        if how == "segfault":
            ctypes.string_at(0)
        if how == "_exit":
            os._exit(3)
        if how == "exit":
            sys.exit("bad luck")
        if how == "hang":
            subprocess.Popen(["sleep", str(cfg.sleep)])
            time.sleep(1000)
        if how == "child":
            subprocess.Popen(["sleep", str(cfg.sleep)])
        if how == "orphan":
            subprocess.Popen(["sleep", str(cfg.sleep)])
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(1000)
        if how == "unpicklable":
            return threading.Lock()
        if how == "exit_0":
            sys.exit(0)
        if how.startswith("long"):  # until all the others have died
            while len(list(begun.glob("*"))) < cfg.deaths + 2:
                time.sleep(0.01)
            time.sleep(0.2)
            return os.getpid()
        return 1.0

    if __name__ == "__main__":
        train()
"""
FAILS = {  # a death, and what is said of it
    "raise": "ValueError: boom",
    "raise_unpicklable": "Unpicklable: boom",
    "kill": "SIGKILL (out of memory?)",
    "interrupt": "SIGINT",
    "segfault": "SIGSEGV (a crash in C code)",
    "_exit": "exit code 3",
    "exit": "SystemExit: bad luck",
    "hang": "took longer than 5 s",
}
ENDS_WELL = ["child", "unpicklable", "exit_0", "well"]


def leftovers(sleep: int) -> str:
    return subprocess.run(["pgrep", "-f", f"sleep {sleep}"], capture_output=True, text=True).stdout


def are_gone(sleep: int) -> bool:
    """Whether what runs have started is gone, or goes within a moment."""
    for _ in range(200):
        if not leftovers(sleep):
            return True
        time.sleep(0.05)
    subprocess.run(["pkill", "-f", f"sleep {sleep}"], check=False)
    return False


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_every_kind_of_death_costs_its_own_run_alone(project, launcher):
    sleep = 987680 + [*LAUNCHERS].index(launcher)
    project.write(config=f"how: well\nsleep: {sleep}\ndeaths: 0\n", train_py=DEATHS)
    hows = [*FAILS, *ENDS_WELL]
    ended = project.run(
        "-m", f"how={','.join(hows)}", "--jobs", "3", f"sweeper/launcher={launcher}",
        "sweeper.launcher.run_timeout=5", "sweeper.launcher.max_failures=null", *LAUNCHERS[launcher], code=1,
    )  # fmt: skip
    for number, how in enumerate(hows):
        record = ended.record(number)
        assert record["status"] == ("FAILED" if how in FAILS else "COMPLETED"), how
        assert FAILS.get(how, "") in (record["error"] or ""), how
        assert record["pid"] > 0
        assert record["seconds"] >= 0
        assert f"begins {how}" in (ended.sweep / f"{number}/train.log").read_text()
    assert "lock" in ended.record(hows.index("unpicklable"))["note"]
    statuses = [("FAILED" if how in FAILS else "COMPLETED",) for how in hows]
    assert project.query("select status from runs order by number") == statuses, "one row a run, ended"
    assert project.query("select count(*) from runs where ended is null") == [(0,)]
    assert are_gone(sleep), "what runs started ends with them"


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_runs_in_flight_go_on_while_others_die(project, launcher):
    project.write(config="how: well\nsleep: 1\ndeaths: 5\n", train_py=DEATHS)
    deaths = ["kill", "segfault", "_exit", "exit", "raise"]
    ended = project.run(
        "-m", f"how=long1,long2,{','.join(deaths)}", "--jobs", "3", f"sweeper/launcher={launcher}",
        "sweeper.launcher.max_failures=null", *LAUNCHERS[launcher], code=1,
    )  # fmt: skip
    longs, died = [ended.record(0), ended.record(1)], [ended.record(n) for n in range(2, 7)]
    assert {run["status"] for run in died} == {"FAILED"}
    for run in longs:
        assert run["status"] == "COMPLETED"
        assert run["pid"] == run["score"], "the process that began is the one that ended"
        assert run["started"] < min(other["ended"] for other in died)
        assert run["ended"] > max(other["ended"] for other in died[:-1])
        began, over = (datetime.fromisoformat(run[key]) for key in ("started", "ended"))
        assert abs((over - began).total_seconds() - run["seconds"]) < 0.5


def test_in_this_process_a_run_may_raise_and_exit(project):
    project.write(config="how: well\nsleep: 1\ndeaths: 0\n", train_py=DEATHS)
    hows = ["raise", "raise_unpicklable", "exit", "unpicklable", "exit_0", "well"]
    ended = project.run("-m", f"how={','.join(hows)}", "sweeper/launcher=inline", code=1)
    statuses = ["FAILED" if how in FAILS else "COMPLETED" for how in hows]
    assert [row["status"] for row in ended.results] == statuses
    assert project.query("select status from runs order by number") == [(status,) for status in statuses]


@pytest.mark.parametrize("launcher", ["local", "joblib", "inline"])
def test_every_launcher_gives_the_same_scores(parabola, launcher):
    ended = parabola.run("-m", "x=range(0,6)", "--jobs", "2", f"sweeper/launcher={launcher}")
    assert [float(row["score"]) for row in ended.results] == [(x - 3) ** 2 for x in range(6)]
    assert "COMPLETED" in (ended.sweep / "5/.sweeper/run.yaml").read_text()
    assert (ended.sweep / "0/train.log").exists()


def test_a_pooled_worker_that_has_grown_still_ends_a_run_whose_time_is_over(parabola):
    pytest.importorskip("psutil")  # with which loky looks at how large its workers are
    parabola.write(
        train_py="""
        import time
        import sweeper

        kept = []

        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            if cfg.x == 0:
                time.sleep(1.1)  # loky looks once a second
                kept.append(b"x" * 350_000_000)
            else:
                time.sleep(20)
            return cfg.x

        train()
    """
    )
    ended = parabola.run(
        "-m", "x=0,1", "sweeper/launcher=joblib", "sweeper.launcher.run_timeout=3", code=1
    )  # fmt: skip
    assert [row["status"] for row in ended.results] == ["COMPLETED", "FAILED"]
    assert "took longer than 3 s" in ended.record(1)["error"]
    assert ended.record(0)["pid"] == ended.record(1)["pid"]
    assert "UserWarning" not in ended.err


@pytest.mark.parametrize("launcher", ["local", "joblib"])
def test_folder_environment_and_random_state_leak_into_no_other_run(parabola, launcher):
    parabola.write(
        train_py="""
        import os, random
        import sweeper
        here = os.getcwd()
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            assert os.getcwd() == here and "LEAK" not in os.environ
            os.environ["LEAK"] = "1" if LOCAL else os.environ.pop("LEAK", "")
            os.chdir("/")
            if not LOCAL: del os.environ["LEAK"]
            return random.random()
        LOCAL = True
        if __name__ == "__main__":
            train()
    """
    )
    if launcher == "joblib":  # pooled workers keep what a run leaves in the environment
        text = (parabola.folder / "train.py").read_text().replace("LOCAL = True", "LOCAL = False")
        (parabola.folder / "train.py").write_text(text)
    ended = parabola.run("-m", "x=range(0,4)", "--jobs", "1", f"sweeper/launcher={launcher}")
    assert len({row["score"] for row in ended.results}) == 4


def test_each_local_run_is_a_process_of_its_own_that_has_imported_the_script_once(parabola):
    parabola.write(
        train_py="""
        import os
        import sweeper
        print("imported by", os.getpid())
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            return os.getpid()
        if __name__ == "__main__":
            train()
    """
    )
    ended = parabola.run("-m", "x=range(0,12)", "--jobs", "2")
    assert len({row["score"] for row in ended.results}) == 12
    assert ended.out.count("imported by") == 1


def test_numpy_is_seeded_apart_in_each_run_and_alike_again(parabola):
    parabola.write(
        train_py="""
        import numpy
        import sweeper
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            return float(numpy.random.random())
        if __name__ == "__main__":
            train()
    """
    )
    one, two = (parabola.run("-m", "x=1,2,3", "sweeper.search.seed=9").results for _ in range(2))
    assert len({row["score"] for row in one}) == 3
    assert [row["score"] for row in one] == [row["score"] for row in two]


def test_a_script_that_starts_threads_is_not_forked_and_says_so(parabola):
    parabola.write(
        train_py="""
        import threading, time
        import sweeper
        threading.Thread(target=time.sleep, args=(60,), name="mine", daemon=True).start()
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            return cfg.x
        if __name__ == "__main__":
            train()
    """
    )
    ended = parabola.run("-m", "x=1,2,3", "--jobs", "2")
    assert [row["score"] for row in ended.results] == ["1", "2", "3"]
    assert (
        ended.out.count(
            "note: each run starts a Python of its own: importing the script starts threads (mine)"
        )
        == 1
    )


def test_a_script_that_imports_pyarrow_is_forked_though_its_allocator_has_a_thread(parabola):
    pytest.importorskip("pyarrow")  # pandas imports it, and so does scikit-learn, where it is installed
    (parabola.folder / "train.py").write_text("import pyarrow\n" + dedent(TRAIN))
    ended = parabola.run("-m", "x=1,2", "sweeper.launcher.threads=1")
    assert [row["score"] for row in ended.results] == ["4", "1"]
    assert "a Python of its own" not in ended.out


def test_a_script_whose_import_has_used_openmp_is_forked_and_its_runs_use_it_again(parabola):
    parabola.write(
        train_py="""
        import numpy as np
        import sweeper
        from sklearn.ensemble import HistGradientBoostingRegressor
        x = np.random.default_rng(0).random((2000, 5))
        model = HistGradientBoostingRegressor(max_iter=2).fit(x, x[:, 0])
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            return model.fit(x, x[:, 1]).n_iter_
        if __name__ == "__main__":
            train()
    """
    )
    words = ["sweeper.launcher.threads=2", "sweeper.launcher.run_timeout=20"]
    ended = parabola.run("-m", "x=1,2", *words)
    assert [row["score"] for row in ended.results] == ["2", "2"]
    assert "a Python of its own" not in ended.out


@pytest.mark.parametrize("threads", [1, 2])
def test_a_thread_of_c_code_is_not_taken_for_one_of_blas(parabola, threads):
    thread = """
        import ctypes
        import numpy
        libc = ctypes.CDLL(None)
        pause = ctypes.cast(libc.pause, ctypes.c_void_p)
        libc.pthread_create(ctypes.byref(ctypes.c_ulong()), None, pause, None)
    """
    (parabola.folder / "train.py").write_text(dedent(thread) + dedent(TRAIN))
    ended = parabola.run("-m", "x=1,2", f"sweeper.launcher.threads={threads}")
    assert [row["score"] for row in ended.results] == ["4", "1"]
    assert "importing the script starts threads in C code (python)" in ended.out


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_how_runs_start_can_be_chosen(parabola, start):
    ended = parabola.run("-m", "x=1,2", f"sweeper.launcher.start={start}")
    assert [row["score"] for row in ended.results] == ["4", "1"]


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_when_the_launching_process_is_killed_its_runs_end_too(project, launcher):
    sleep = 987690 + [*LAUNCHERS].index(launcher)
    project.write(config=f"how: well\nn: 0\nsleep: {sleep}\ndeaths: 0\n", train_py=DEATHS)
    arguments = ("how=hang", "n=1,2", "--jobs", "2", f"sweeper/launcher={launcher}")
    process = project.start("train.py", "-m", *arguments)
    try:
        until(lambda: len(leftovers(sleep).split()) == 2)
    finally:
        process.kill()
        process.communicate()
    until(lambda: subprocess.run(["pgrep", "-f", str(project.folder)], capture_output=True).stdout == b"", 10)
    assert are_gone(sleep)


def test_a_run_whose_process_cannot_be_started_costs_no_other_run(parabola):
    parabola.write(
        train_py="""
        import os, resource, time
        from pathlib import Path
        import sweeper

        if __name__ != "__main__":  # the fork server may open as many files as two runs at a time take
            free = [os.dup(0) for _ in range(6)]
            resource.setrlimit(resource.RLIMIT_NOFILE, (free[-1], free[-1]))
            for file in free:
                os.close(file)

        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            last = Path(sweeper.current_run().directory, "../2.3/.sweeper/run.yaml")
            while cfg.x < 2 and not last.exists():  # until the third has had its four attempts
                time.sleep(0.05)
            return os.getppid()

        train()
    """
    )
    ended = parabola.run("-m", "x=0,1,2", "--jobs", "3", code=1)
    assert [row["status"] for row in ended.results] == ["COMPLETED", "COMPLETED", "FAILED"]
    assert ended.record("2.3")["error"] == "no process could be started for it: Too many open files"
    assert ended.out.count("attempt 4 of 4 follows") == 1, "it is not the run's fault"
    assert ended.record(0)["score"] == ended.record(1)["score"], "the fork server lives"


def test_when_the_fork_server_is_killed_its_runs_end_too_and_others_follow(project):
    project.write(config="how: well\nsleep: 987655\ndeaths: 0\n", train_py=DEATHS)
    ended = project.run("-m", "how=orphan,well", code=1)
    assert [row["status"] for row in ended.results] == ["FAILED", "COMPLETED"]
    assert ended.record(0)["error"] == "the fork server died"
    until(lambda: leftovers(987655) == "", seconds=10)


def test_threads_of_a_run_are_its_share_of_the_cores(parabola):
    parabola.write(
        train_py="""
        import os, sweeper
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            return float(os.environ["OMP_NUM_THREADS"])
        if __name__ == "__main__":
            train()
    """
    )
    cores = len(os.sched_getaffinity(0))
    ended = parabola.run("-m", "x=1,2", "--jobs", str(cores))
    assert {row["score"] for row in ended.results} == {"1.0"}
    ended = parabola.run("-m", "x=1,2", "sweeper.launcher.threads=7")
    assert {row["score"] for row in ended.results} == {"7.0"}


def test_a_script_that_a_worker_cannot_import_is_said_before_anything_is_lost(parabola):
    parabola.write(
        train_py="""
        import sys
        import sweeper
        if __name__ != "__main__":
            raise RuntimeError("not in a worker")
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            return cfg.x
        train()
    """
    )
    ended = parabola.run("-m", "x=1,2", code=2)
    assert "cannot be imported by a run's process" in ended.err
    assert "not in a worker" in ended.err


def test_an_import_that_failed_is_tried_again_by_the_next_run_of_a_pooled_worker(parabola):
    parabola.write(
        train_py="""
        import os
        import sweeper
        if __name__ != "__main__" and not os.path.exists("tried"):
            open("tried", "w").close()
            raise ImportError("the file server is away for a moment")
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            return cfg.x
        train()
    """
    )
    ended = parabola.run("-m", "x=0,1,2", "sweeper/launcher=joblib", code=1)
    assert [row["status"] for row in ended.results] == ["FAILED", "COMPLETED", "COMPLETED"]
    assert "the file server is away" in ended.record(0)["error"]


def test_a_script_that_kills_the_process_which_imports_it_is_said_too(parabola):
    parabola.write(
        train_py="""
        import os
        import sweeper
        if __name__ != "__main__":
            os._exit(3)
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            return cfg.x
        train()
    """
    )
    ended = parabola.run("-m", "x=1,2", code=2)
    assert "While it imports the script, the process ended with exit code 3" in ended.err
    assert not (ended.sweep / "1").exists()


def test_functions_without_a_name_travel_by_joblib(parabola):
    parabola.write(
        call_py="""
        import sweeper
        if __name__ == "__main__":
            factor = 10
            result = sweeper.sweep(lambda cfg: cfg.x * factor, config={"x": 1}, overrides=["x=1,2,3"], jobs=2, quiet=True)
            print([run.score for run in result.runs])
    """
    )
    assert parabola.run("call.py").out.strip() == "[10, 20, 30]"
