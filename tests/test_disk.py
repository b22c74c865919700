"""Disks that are full or read-only, a database that cannot be used, a clock that is set back."""

import shutil
import sqlite3
import subprocess
import time
from contextlib import closing
from datetime import datetime

import pytest
import yaml


def remount(disk, how):
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)


def fill(disk):
    """Leave no room on a disk."""
    with (disk / "filled").open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


# ------------------------------------------------------------------------------------- read-only


def test_a_read_only_folder_is_said_before_anything_runs(parabola, small_disk):
    remount(small_disk, "ro")
    for arguments in (
        ["-m", "x=1,2", f"sweeper.sweep.dir={small_disk}/s"],
        [f"sweeper.run.dir={small_disk}/r"],
    ):
        ended = parabola.run(*arguments, code=2)
        assert f"error: Cannot make the directory {small_disk}" in ended.err
        assert "Read-only file system\n  Set another with sweeper.sweep.dir or sweeper.run.dir." in ended.err
        assert "Traceback" not in ended.err


def test_a_sweep_on_a_disk_that_has_become_read_only_is_resumed_when_it_is_not(parabola, small_disk):
    parabola.run("-m", "x=range(0,4)", "--trials", "2", f"sweeper.sweep.dir={small_disk}/s")
    remount(small_disk, "ro")
    ended = parabola.run("--resume", f"{small_disk}/s", "--trials", "4", code=2)
    assert "error: The sweep's records cannot be written: Read-only file system" in ended.err
    assert "go on with: python train.py --resume" in ended.err
    assert "Traceback" not in ended.err
    remount(small_disk, "rw")
    ended = parabola.run("--resume", f"{small_disk}/s", "--trials", "4")
    assert "4 COMPLETED" in ended.out


# ------------------------------------------------------------------------------------------ full


def test_a_single_run_without_room_for_its_records_says_so(parabola, small_disk):
    fill(small_disk)
    ended = parabola.run(f"sweeper.run.dir={small_disk}/r", code=2)
    assert "No space left on device" in ended.err
    assert "sweeper.run.dir" in ended.err
    assert "Traceback" not in ended.err


def test_a_full_disk_costs_a_single_run_its_log_and_not_its_value(parabola, small_disk):
    parabola.write(
        train_py=f"""
        import sweeper
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            with open("{small_disk}/filled", "wb", buffering=0) as file:
                try:
                    while file.write(b"x" * 4096): pass
                except OSError: pass
            print("still here")
            import os; os.truncate("{small_disk}/filled", 0)
            return cfg.x
        if __name__ == "__main__":
            train()
        """
    )
    ended = parabola.run(f"sweeper.run.dir={small_disk}/r", "x=3")
    assert ended.out == "still here\n"
    assert yaml.safe_load((small_disk / "r/.sweeper/run.yaml").read_text())["score"] == 3


def test_a_run_that_has_no_room_for_its_metrics_has_failed_and_says_why(parabola, small_disk):
    parabola.write(
        train_py=f"""
        import os, sweeper
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            if cfg.x == 1:
                with open("{small_disk}/filled", "wb", buffering=0) as file:
                    try:
                        while file.write(b"x" * 4096): pass
                        while file.write(b"x"): pass
                    except OSError: pass
            try:
                for step in range(1000):
                    sweeper.report({{"loss": 1.0}}, step=step)
            finally:
                if cfg.x == 1: os.truncate("{small_disk}/filled", 0)
            return cfg.x
        if __name__ == "__main__":
            train()
        """
    )
    remount(small_disk, "size=2m")
    ended = parabola.run("-m", "x=0,1,2", f"sweeper.sweep.dir={small_disk}/s", code=1)
    runs = [yaml.safe_load((small_disk / f"s/{n}/.sweeper/run.yaml").read_text()) for n in range(3)]
    assert [run["status"] for run in runs] == ["COMPLETED", "FAILED", "COMPLETED"]
    assert "No space left on device" in runs[1]["error"]
    assert "Traceback" not in ended.err
    ended = parabola.run("--resume", f"{small_disk}/s", "--retry-failed", code=1)
    assert "attempt 2" in ended.out


# -------------------------------------------------------------------------------------- database


def a_directory(path):
    path.mkdir()


def a_text(path):
    path.write_text("not a database, but a text that somebody keeps\n" * 20)


def of_a_newer_version(path):
    with closing(sqlite3.connect(path)) as db:
        db.execute("pragma user_version = 99")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (a_directory, "unable to open database file"),
        (a_text, "file is not a database"),
        (of_a_newer_version, "written by a newer sweeper (schema 99; this one knows"),
    ],
)
def test_a_database_that_cannot_be_used_costs_the_sweep_nothing_and_catches_up(parabola, spoil, said):
    path = parabola.folder / "sweeper.db"
    spoil(path)
    before = path.read_bytes() if path.is_file() else b""
    ended = parabola.run("-m", "x=1,2,3", "sweeper.sweep.dir=here")
    assert (
        f"warning: the tracker 'sqlite' fails, and is left out from here on: {path} cannot be used: "
        in ended.err
    )
    assert said in ended.err
    assert ended.err.count("warning") == 1
    assert "3 COMPLETED" in ended.out
    assert "Traceback" not in ended.err
    if before:
        assert path.read_bytes() == before, "nobody's file is touched"
    path.rename(parabola.folder / "aside")
    parabola.run("--resume", "here")
    assert parabola.query("select status, score from runs order by number") == [
        ("COMPLETED", (x - 3.0) ** 2) for x in (1, 2, 3)
    ]


def test_a_single_run_does_without_its_database(parabola):
    (parabola.folder / "sweeper.db").mkdir()
    ended = parabola.run("x=1")
    assert "warning: the tracker 'sqlite' fails" in ended.err
    assert ended.record()["status"] == "COMPLETED"


def test_a_database_on_a_full_disk_costs_the_sweep_nothing(parabola, small_disk):
    fill(small_disk)
    ended = parabola.run("-m", "x=1,2", f"sweeper.tracker.sqlite.path={small_disk}/sweeper.db")
    assert "database or disk is full" in ended.err
    assert "2 COMPLETED" in ended.out


def test_a_database_that_another_process_locks_for_long_is_left_out(parabola):
    parabola.run("-m", "x=0", "sweeper.sweep.dir=first")
    text = (parabola.folder / "train.py").read_text()
    parabola.write(train_py=text.replace("import sweeper\n", "import sweeper\nimport sweeper.track.sqlite\nsweeper.track.sqlite.PATIENCE = 0.3\n", 1))  # fmt: skip
    with closing(sqlite3.connect(parabola.folder / "sweeper.db")) as other:
        other.execute("begin immediate")
        ended = parabola.run("-m", "x=1,2", "sweeper.sweep.dir=here")
        assert "database is locked" in ended.err
        assert "2 COMPLETED" in ended.out
    parabola.run("--resume", "here")
    assert parabola.query("select count(*) from runs where status = 'COMPLETED'") == [(3,)]


def test_a_database_that_is_locked_for_a_moment_misses_nothing(parabola):
    parabola.run("-m", "x=0", "sweeper.sweep.dir=first")
    with closing(sqlite3.connect(parabola.folder / "sweeper.db")) as other:
        other.execute("begin immediate")
        process = parabola.start("train.py", "-m", "x=1,2")
        time.sleep(1.5)
        other.rollback()
        _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert err == ""
    assert parabola.query("select count(*) from runs where status = 'COMPLETED'") == [(3,)]


# ----------------------------------------------------------------------------------------- clock

CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(clock, at);
    if (clock == CLOCK_REALTIME && access(getenv("SET_BACK"), F_OK) == 0) at->tv_sec -= 3600;
    return code;
}
"""


@pytest.fixture
def clock(tmp_path, monkeypatch):
    """A file that, when it comes to exist, sets the clock of all programs back by an hour."""
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler, to set a clock back")
    (tmp_path / "clock.c").write_text(CLOCK)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "clock.so", "clock.c", "-ldl"], cwd=tmp_path, check=True)
    monkeypatch.setenv("SET_BACK", str(tmp_path / "set-back"))
    monkeypatch.setenv("LD_PRELOAD", str(tmp_path / "clock.so"))


@pytest.mark.parametrize("launcher", ["local", "joblib"])
def test_a_clock_that_is_set_back_amid_a_sweep_harms_nothing(project, clock, launcher):
    project.write(
        config="x: 0\n",
        train_py="""
        import os, signal, time
        from pathlib import Path
        import sweeper
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            if cfg.x == 2:
                Path(os.environ["SET_BACK"]).touch()
                time.sleep(0.1)
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(0.05)
            return cfg.x
        if __name__ == "__main__":
            train()
        """,
    )
    ended = project.run(
        "-m", "x=range(0,6)", "sweeper.sweep.dir=here", f"sweeper/launcher={launcher}", code=1
    )
    runs = [yaml.safe_load((project.folder / f"here/{n}/.sweeper/run.yaml").read_text()) for n in range(6)]
    assert datetime.fromisoformat(runs[2]["ended"]) < datetime.fromisoformat(runs[2]["started"]), "it was"
    assert all(0 <= run["seconds"] < 5 for run in runs)
    assert [run["status"] for run in runs].count("COMPLETED") == 5
    assert "Traceback" not in ended.err
    again = project.run("--resume", "here", "--retry-failed", code=1)
    assert "5 COMPLETED, 1 FAILED" in again.out
    assert project.query("select count(*), min(seconds) >= 0 from runs") == [(6, 1)]
