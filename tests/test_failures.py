"""Runs that fail: made again, limited, or the end of it."""

import json
import os
import subprocess
from itertools import pairwise

import pytest

FLAKY = """
    import os, signal, time
    from pathlib import Path
    import sweeper

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        run = sweeper.current_run()
        tries = Path(run.folder, f"tries-{run.number}")
        count = len(tries.read_text()) if tries.exists() else 0
        tries.write_text("x" * (count + 1))
        if cfg.x == 2 and count < cfg.bad:
            if cfg.how == "kill": os.kill(os.getpid(), signal.SIGKILL)
            if cfg.how == "raise": raise ValueError("bad luck")
            if cfg.how == "hang": time.sleep(60)
        return float(cfg.x)

    if __name__ == "__main__":
        train()
"""


@pytest.fixture
def flaky(project):
    return project.write(config="x: 1\nhow: kill\nbad: 1\n", train_py=FLAKY)


def events(ended):
    return [json.loads(line) for line in (ended.sweep / "sweep.jsonl").read_text().splitlines()]


def test_a_run_that_fails_when_all_others_have_begun_is_made_again_too(flaky):
    ended = flaky.run("-m", "x=1,2", "--jobs", "4", "sweeper.launcher.retries=2")
    assert [row["status"] for row in ended.results] == ["COMPLETED"] * 2


@pytest.mark.parametrize("words", [[], ["-m"], ["-m", "sweeper/launcher=inline"]])
def test_an_error_whose_words_are_not_utf_8_is_told_as_any_other(project, words):
    project.write(
        config="x: 1",
        train_py="""
        import sweeper

        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            raise ValueError("cannot read caf\\udce9.csv")

        if __name__ == "__main__":
            train()
    """,
    )
    ended = project.run(*words, code=1)
    said = r"ValueError: cannot read caf\udce9.csv"
    assert said in ended.err + ended.out
    record = ended.record(0 if words else "")
    assert (record["status"], record["error"].splitlines()[-1]) == ("FAILED", said)
    assert project.query("select status, error from runs") == [("FAILED", record["error"])]


@pytest.mark.parametrize("launcher", ["local", "joblib"])
@pytest.mark.parametrize(
    ("how", "settings"),
    [
        ("kill", []),
        ("raise", ["sweeper.launcher.retry_on=error"]),
        ("hang", ["sweeper.launcher.retry_on=[died,timeout]", "sweeper.launcher.run_timeout=1"]),
    ],
)
def test_a_run_that_fails_is_made_again(flaky, launcher, how, settings):
    ended = flaky.run(
        "-m", "x=1,2,3", f"how={how}", "sweeper.launcher.retries=2", f"sweeper/launcher={launcher}", *settings
    )
    assert [row["status"] for row in ended.results] == ["COMPLETED"] * 3
    assert ended.record("1.1")["attempt"] == 2
    assert (ended.sweep / "1/.sweeper/run.yaml").exists()
    assert "attempt 2 of 3 follows" in ended.out
    assert len(flaky.query("select * from runs where number = 1 and status = 'COMPLETED'")) == 1


def test_the_last_run_is_made_again_too_when_there_is_nothing_left_to_ask(flaky):
    ended = flaky.run("-m", "x=1,2", "sweeper.launcher.retries=1", "--jobs", "3")
    assert [row["status"] for row in ended.results] == ["COMPLETED", "COMPLETED"]
    assert "(all points run)" in ended.out


def test_an_exception_is_not_worth_a_second_attempt_unless_it_is_said_to_be(flaky):
    ended = flaky.run("-m", "x=1,2", "how=raise", "sweeper.launcher.retries=2", code=1)
    assert [row["status"] for row in ended.results] == ["COMPLETED", "FAILED"]
    assert not (ended.sweep / "1.1").exists()


def test_a_run_that_fails_too_often_has_failed(flaky):
    ended = flaky.run("-m", "x=1,2", "bad=9", "sweeper.launcher.retries=2", code=1)
    assert [row["status"] for row in ended.results] == ["COMPLETED", "FAILED"]
    assert [e["attempt"] for e in events(ended) if e["event"] == "end" and e["number"] == 1] == [1, 2, 3]


def test_a_sweep_that_is_cut_off_between_attempts_makes_the_next_one(flaky):
    ended = flaky.run("-m", "x=1,2", "sweeper.launcher.retries=1")
    journal = ended.sweep / "sweep.jsonl"
    lines = journal.read_text().splitlines()
    cut = next(at for at, line in enumerate(lines) if '"again": true' in line)
    journal.write_text("\n".join(lines[: cut + 1]) + "\n")
    again = flaky.run("--resume", str(ended.sweep))
    assert [row["status"] for row in again.results] == ["COMPLETED", "COMPLETED"]


def test_fail_fast_starts_no_run_after_a_failure(flaky):
    ended = flaky.run("-m", "x=1,2,3,4", "how=raise", "sweeper.launcher.fail_fast=true", code=1)
    assert [row["x"] for row in ended.results] == ["1", "2"]
    assert "(a run failed (fail_fast))" in ended.out


def test_a_run_that_wants_too_much_memory_gets_an_error_and_no_more(project):
    project.write(
        config="size: 10\n",
        train_py="""
            import sweeper

            @sweeper.main(config_path="conf", config_name="config")
            def train(cfg):
                return float(len(bytearray(cfg.size * 1000_000)))

            if __name__ == "__main__":
                train()
        """,
    )
    ended = project.run("-m", "size=10,2000,20", "sweeper.launcher.memory=500MB", code=1)
    assert [row["status"] for row in ended.results] == ["COMPLETED", "FAILED", "COMPLETED"]
    assert "MemoryError" in ended.record(1)["error"]


@pytest.mark.parametrize("launcher", ["local", "joblib"])
def test_each_run_holds_a_resource_of_its_own(project, launcher):
    project.write(
        config="x: 1\n",
        train_py="""
            import os, time
            import sweeper

            @sweeper.main(config_path="conf", config_name="config")
            def train(cfg):
                began = time.time()
                time.sleep(0.2)
                return {"gpu": int(os.environ["CUDA_VISIBLE_DEVICES"]), "began": began, "ended": time.time()}

            if __name__ == "__main__":
                train()
        """,
    )
    ended = project.run(
        "-m", "x=range(0,8)", "--jobs", "2", "sweeper.launcher.resources.CUDA_VISIBLE_DEVICES=[3,5]",
        f"sweeper/launcher={launcher}",
    )  # fmt: skip
    runs = [ended.record(number)["metrics"] for number in range(8)]
    assert {run["gpu"] for run in runs} == {3, 5}
    for device in (3, 5):
        own = sorted((run["began"], run["ended"]) for run in runs if run["gpu"] == device)
        assert all(end <= begin for (_, end), (begin, _) in pairwise(own))


def test_a_full_disk_ends_a_sweep_that_goes_on_when_there_is_room(parabola, small_disk):
    os.symlink(small_disk, parabola.folder / "multirun")
    ended = parabola.run("-m", "x=range(0,200)", "--jobs", "2", "sweeper.sweep.dir=multirun/here", code=2)
    assert "The sweep's records cannot be written: No space left on device" in ended.err
    assert "go on with: python train.py --resume multirun/here" in ended.err
    assert "Traceback" not in ended.err
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    parabola.run("--resume", "multirun/here")
    with (small_disk / "here/sweep.jsonl").open() as file:
        ends = [e["number"] for e in map(json.loads, filter(str.strip, file)) if e["event"] == "end" and e["status"] == "COMPLETED"]  # fmt: skip
    assert sorted(set(ends)) == list(range(200))


@pytest.mark.parametrize("error", ["ConnectionRefusedError", "PermissionError", "RuntimeError"])
@pytest.mark.parametrize("blind", [False, True])
def test_a_search_that_fails_ends_its_sweep_in_order(parabola, error, blind):
    parabola.write(
        sweeper__search__mine="_target_: mine.Mine\n",
        mine_py=f"""
            import errno

            class Mine:
                blind = {blind}  # such a one is asked in the thread of the loop

                def ask(self, space, history, rng):
                    if len(history.ended) < 3:
                        return space.complete(lambda parameter: parameter.domain.sample(rng))
                    raise {error}(errno.EACCES, "no answer")
        """,
    )
    ended = parabola.run("--search", "mine", "x=interval(0,9)", "sweeper.sweep.dir=here", code=1)
    assert "no answer" in ended.err
    assert "in ask" in ended.err, "its traceback is shown"
    assert "records cannot be written" not in ended.err
    with (parabola.folder / "here/sweep.jsonl").open() as file:
        assert json.loads(list(file)[-1])["event"] == "stop"
    assert parabola.query("select status from sweeps") == [("FAILED",)]
    assert parabola.query("select status from runs") == [("COMPLETED",)] * 3


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("sweeper.launcher.retries=-1", "must be 0 or more"),
        ("sweeper.launcher.retry_on=dying", "is of died, timeout, error"),
        ("sweeper.launcher.memory=lots", "must be a size such as 4GiB"),
        ("sweeper.launcher.resources.GPU=[0]", "needs a value for each of 2 runs, and has 1 value"),
    ],
)
def test_settings_of_failures_that_mean_nothing_are_mistakes(flaky, setting, said):
    ended = flaky.run("-m", "x=1,2", "--jobs", "2", setting, code=2)
    assert said in ended.err


POLITE = """
    import signal, time
    import sweeper

    class Ended(SystemExit):
        pass

    def end(*_):
        raise Ended

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        if cfg.how == "term":  # as Lightning has it
            signal.signal(signal.SIGTERM, end)
        sweeper.report({"loss": 1})
        try:
            if cfg.how == "interrupt":
                signal.raise_signal(signal.SIGINT)
            time.sleep(60)
        except KeyboardInterrupt:
            raise SystemExit(cfg.code)

    if __name__ == "__main__":
        train()
"""


def test_a_run_out_of_time_fails_though_it_leaves_politely_at_sigterm(project):
    config = "how: term\nx: 0\ncode: 0\nsweeper:\n  objective:\n    metric: loss\n"
    project.write(config=config, train_py=POLITE)
    ended = project.run("-m", "x=1", "sweeper.launcher.run_timeout=0.5", code=1)
    assert ended.record(0)["status"] == "FAILED"
    assert ended.record(0)["error"] == "the run took longer than 0.5 s (run_timeout)"


@pytest.mark.parametrize("code", [0, 1])
def test_a_function_that_turns_an_interrupt_into_an_exit_was_interrupted(project, code):
    project.write(config=f"how: interrupt\nx: 0\ncode: {code}\n", train_py=POLITE)
    ended = project.run("x=1", code=code)
    assert ended.record()["status"] == "CANCELLED"
    ended = project.run("-m", "x=1", code=1)
    assert ended.record(0)["error"] == "the process was killed by SIGINT"
