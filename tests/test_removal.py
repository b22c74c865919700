"""`sweeper rm` takes away runs and what was made for them, and nothing else, ever."""

import os
import signal
import subprocess
import sys

import pytest
from conftest import environment, until

SLOW = """
    import os, time
    import sweeper

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        open("begun", "w").close()
        while cfg.wait and not os.path.exists("go"):
            time.sleep(0.05)
        return cfg.x

    if __name__ == "__main__":
        train()
"""


@pytest.fixture
def slow(project):
    return project.write(config="x: 1\nwait: false\n", train_py=SLOW)


def sweeper(project, *words, code=0):
    process = subprocess.run(
        [sys.executable, "-m", "sweeper", *words],
        cwd=project.folder,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert process.returncode == code, process.stdout + process.stderr
    assert "Traceback" not in process.stderr
    return process.stderr


@pytest.mark.parametrize(
    "words", [["sweeper.run.dir=."], ["sweeper.run.dir=mine"], ["-m", "x=1,2", "sweeper.sweep.dir=mine"]]
)
def test_a_directory_that_the_user_named_is_never_removed(slow, words):
    (slow.folder / "mine").mkdir()
    (slow.folder / "mine/data.csv").write_text("precious")
    slow.run(*words)
    assert "was not made for this" in sweeper(slow, "rm", "last", "--yes", code=2)
    assert (slow.folder / "mine/data.csv").exists()
    assert (slow.folder / "train.py").exists()
    assert slow.query("select count(*) > 0 from runs") == [(1,)], "nor is it forgotten"
    sweeper(slow, "rm", "last", "--yes", "--keep-files")
    assert slow.query("select count(*) from runs") == [(0,)]


def test_a_run_that_goes_on_is_not_removed(slow):
    for words in (["-m", "x=1,2", "wait=true"], ["wait=true"]):
        process = slow.start("train.py", *words)
        until(lambda: slow.asked("select 1 from runs where status = 'RUNNING'"))
        assert "goes on: a process makes it" in sweeper(slow, "rm", "last", "--yes", code=2)
        (slow.folder / "go").touch()
        _, err = process.communicate(timeout=30)
        assert process.returncode == 0, err
        (slow.folder / "go").unlink()


def test_a_run_that_was_removed_is_not_brought_back_by_a_resumed_sweep(slow):
    swept = slow.run("-m", "x=1,2,3").sweep
    sweeper(slow, "rm", "last/1", "--yes")
    slow.run("--resume", str(swept))
    assert slow.query("select number from runs order by number") == [(0,), (2,)]


def test_a_run_that_was_removed_is_no_best_and_no_import_brings_it_back(slow):
    swept = slow.run("-m", "x=1,2,3").sweep
    sweeper(slow, "rm", "last/0", "--yes")
    ended = slow.run("--resume", str(swept))
    assert ended.out.endswith("best (minimize score): run 1, score 2, x=2\n")
    assert "2 COMPLETED" in ended.out
    assert [row["number"] for row in ended.results] == ["1", "2"]
    assert "x: 2" in (swept / "best.yaml").read_text()
    for words in ([], ["--db", "new.db"]):
        sweeper(slow, "import", "multirun", *words)
    assert slow.query("select number from runs order by number") == [(1,), (2,)]
    (slow.folder / "new.db").replace(slow.folder / "sweeper.db")
    assert slow.query("select number from runs order by number") == [(1,), (2,)]


def test_a_removed_run_that_is_made_again_counts_again(slow):
    slow.write(
        train_py=SLOW.replace("return cfg.x", "return cfg.x if os.path.exists('ok') else 1 / (cfg.x - 1)")
    )
    swept = slow.run("-m", "x=1,2", code=1).sweep
    sweeper(slow, "rm", "last/0", "--yes")
    (slow.folder / "ok").touch()
    for words in (["--retry-failed"], []):
        ended = slow.run("--resume", str(swept), *words)
        assert ended.out.endswith("best (minimize score): run 0, score 1, x=1\n")
    assert slow.query("select number from runs order by number") == [(0,), (1,)]


def test_nor_is_a_run_of_a_sweep_that_goes_on_however_deep_its_directory_is(slow):
    deep = "sweeper.sweep.subdir=x/${sweeper:run.number}"
    process = slow.start("train.py", "-m", "x=1,2", "wait=true", deep)
    until(lambda: slow.asked("select 1 from runs where status = 'RUNNING'"))
    assert "goes on: a process makes it" in sweeper(slow, "rm", "last/0", "--yes", code=2)
    (slow.folder / "go").touch()
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, out + err


def test_a_removal_is_noted_after_a_line_that_was_torn(slow):
    swept = slow.run("-m", "x=1,2,3").sweep
    with (swept / "sweep.jsonl").open("a") as file:
        file.write('{"event": "st')
    sweeper(slow, "rm", "last/1", "--yes")
    for _ in range(2):
        slow.run("--resume", str(swept))
    assert slow.query("select number from runs order by number") == [(0,), (2,)]


@pytest.mark.skipif(sys.platform != "linux", reason="needs chattr")
def test_what_cannot_be_removed_is_said_and_stays_listed(slow):
    swept = slow.run("-m", "x=1,2").sweep
    file = swept / "1/train.log"
    if subprocess.run(["chattr", "+i", str(file)], capture_output=True).returncode:
        pytest.skip("needs chattr, and a file system that has it")
    try:
        assert "cannot be removed" in sweeper(slow, "rm", "last", "--yes", code=2)
        assert slow.query("select count(*) from sweeps") == [(1,)]
    finally:
        subprocess.run(["chattr", "-i", str(file)], check=True)


def test_a_single_run_that_is_asked_to_end_is_cancelled_on_record(slow):
    process = slow.start("train.py", "wait=true")
    until((slow.folder / "begun").exists)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert slow.query("select status from runs") == [("CANCELLED",)]


FAULTY = """
    class Faulty:
        def __init__(self, **options):
            pass

        def ask(self, space, history, rng):
            if history.ended:
                raise ValueError("my search is faulty")
            return space.first()
"""


def test_a_search_that_raises_ends_the_sweep_resumably_with_its_traceback(slow):
    slow.write(faulty_py=FAULTY, sweeper__search__faulty="_target_: faulty.Faulty\n")
    ended = slow.run("--search", "faulty", "--trials", "4", "x=interval(0,1)", code=1)
    assert "ValueError: my search is faulty" in ended.err
    assert slow.query("select distinct status from sweeps union select status from runs order by 1") == [
        ("COMPLETED",), ("FAILED",),
    ]  # fmt: skip
    assert '"event": "stop"' in (ended.sweep / "sweep.jsonl").read_text()


def test_a_damaged_line_of_the_record_is_named(slow):
    swept = slow.run("-m", "x=1,2").sweep
    journal = swept / "sweep.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join([*lines[:2], "garbage\n", *lines[2:]]))
    assert "sweep.jsonl:3" in slow.run("--resume", str(swept), code=2).err
    assert os.path.exists(swept / "0")
