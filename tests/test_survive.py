"""Sweeps that survive: whatever is killed, and when, each point comes to one good end."""

import json
import os
import pty
import signal
import subprocess
import sys

import pytest
from chaos import Storm, processes
from conftest import environment, until

LAUNCHERS = ["local", "joblib"]

SLOW = """
    import os, signal, subprocess, sys, time
    from pathlib import Path
    import sweeper

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        time.sleep(cfg.t)
        return (cfg.x - 3) ** 2

    if __name__ == "__main__":
        train()
"""


@pytest.fixture
def slow(project):
    return project.write(config="x: 0.0\nt: 0.1\n", train_py=SLOW)


def events(folder):
    return [json.loads(line) for line in (folder / "sweep.jsonl").read_text().splitlines()]


def count(folder, what):
    journal = folder / "sweep.jsonl"
    return journal.read_text().count(what) if journal.exists() else 0


@pytest.mark.parametrize(
    ("launcher", "search", "runs", "kills"), [("local", "tpe", 60, 5), ("joblib", "grid", 24, 2)]
)
def test_a_storm_passes_over_a_sweep(tmp_path, launcher, search, runs, kills):
    storm = Storm(tmp_path, launcher, search, runs, kills, seed=1).pass_over()
    assert storm.faults == []
    assert sum(storm.struck.values()) > kills


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_the_last_runs_are_made_again_though_nothing_is_left_to_ask(slow, launcher):
    slow.write(train_py=SLOW.replace("time.sleep", 'cfg.x == 2 and not Path("once").exists() and (Path("once").touch(), os.kill(os.getpid(), signal.SIGKILL)); time.sleep'))  # fmt: skip
    ended = slow.run(
        "-m", "x=1,2", "--jobs", "2", "sweeper.launcher.retries=1", f"sweeper/launcher={launcher}"
    )
    assert [row["status"] for row in ended.results] == ["COMPLETED", "COMPLETED"]
    assert ended.record("1.1")["attempt"] == 2


def test_a_line_that_was_cut_off_takes_no_other_along(slow):
    slow.run("-m", "x=1,2,3", "t=0", "--trials", "2", "sweeper.sweep.dir=here")
    with (slow.folder / "here/sweep.jsonl").open("a") as journal:
        journal.write('{"event": "sta')
    slow.run("--resume", "here", "--trials", "3")
    assert [e["event"] for e in events(slow.folder / "here")][-5:] == [
        "resume",
        "ask",
        "start",
        "end",
        "stop",
    ]


def test_a_sweep_that_was_killed_before_its_first_line_can_be_started_again(slow):
    slow.run("-m", "x=1,2", "t=0", "sweeper.sweep.dir=here")
    (slow.folder / "here/sweep.jsonl").write_text("")
    ended = slow.run("--resume", "here", code=2)
    assert "has not begun" in ended.err
    assert "Start it again as it was started the first time." in ended.err
    slow.run("-m", "x=1,2", "t=0", "sweeper.sweep.dir=here")


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_sweep_whose_terminal_is_closed_ends_as_by_ctrl_c(slow, launcher):
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(slow.folder)
        words = ["train.py", "-m", "x=range(0,20)", "t=0.2", "--jobs", "2", "sweeper.sweep.dir=here"]
        os.execvpe(sys.executable, [sys.executable, *words, f"sweeper/launcher={launcher}"], environment())
    until(lambda: os.read(terminal, 1000) and count(slow.folder / "here", '"end"') >= 1)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    until(lambda: not processes(slow.folder), 10)
    assert events(slow.folder / "here")[-1]["reason"] == "interrupted"
    ended = slow.run("--resume", "here", "--jobs", "8")
    assert "20 COMPLETED" in ended.out


def test_ctrl_c_while_a_sweep_closes_its_launcher_does_not_take_the_end_away(slow):
    closes = """    import sweeper.launch.local as engine
        shutdown = engine.LocalExecutor.shutdown
        def interrupted(self):
            shutdown(self)
            signal.raise_signal(signal.SIGINT)
        engine.LocalExecutor.shutdown = interrupted
        train()
    """
    slow.write(train_py=SLOW.rpartition("    train()")[0] + closes)
    ended = slow.run("-m", "x=1,2", "t=0", "sweeper.sweep.dir=here")
    assert "best (minimize score): run 1" in ended.out
    assert events(slow.folder / "here")[-1]["event"] == "stop"


def test_under_nohup_a_sweep_goes_on_when_its_terminal_goes(slow):
    process = subprocess.Popen(
        ["nohup", sys.executable, "train.py", "-m", "x=1,2,3", "sweeper.sweep.dir=here"], cwd=slow.folder,
        env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until(lambda: count(slow.folder / "here", '"start"'))
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=20) == 0
    assert count(slow.folder / "here", '"COMPLETED"') >= 3


def test_a_sweep_goes_on_when_nobody_reads_its_lines_any_more(slow):
    process = slow.start("train.py", "-m", "x=range(0,9)", "t=0.02", "sweeper.sweep.dir=here")
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=20) == 0, process.stderr.read()
    process.stderr.close()
    assert sum(e["event"] == "end" for e in events(slow.folder / "here")) == 9


def test_when_the_fork_server_dies_its_runs_end_whole_and_another_one_takes_over(slow):
    kill = 'cfg.x == 2 and not Path("once").exists() and (Path("once").touch(), subprocess.Popen(["sleep", "60"]), os.kill(os.getppid(), signal.SIGKILL)); time.sleep'  # fmt: skip
    slow.write(train_py=SLOW.replace("time.sleep", kill))
    ended = slow.run("-m", "x=range(0,6)", "--jobs", "2")
    assert [row["status"] for row in ended.results] == ["COMPLETED"] * 6, "it was no run's fault"
    assert "the fork server died" in ended.record(2)["error"]
    assert ended.record("2.1")["status"] == "COMPLETED"
    until(lambda: not processes(slow.folder), 10)


def test_what_a_run_starts_in_a_session_of_its_own_ends_with_the_sweep(slow):
    daemon = (
        'subprocess.Popen(["setsid", "sh", "-c", "sleep 60 & sleep 61"], start_new_session=True); time.sleep'
    )
    slow.write(train_py=SLOW.replace("time.sleep", daemon))
    slow.run("-m", "x=1,2", "--jobs", "2")
    until(lambda: not processes(slow.folder), 10)
    process = slow.start("train.py", "-m", "x=1,2", "t=60", "--jobs", "2")
    until(lambda: sum("sleep 6" in p.line for p in processes(slow.folder)) >= 4)
    process.kill()
    process.communicate()
    until(lambda: not processes(slow.folder), 10)


COUNTS = """
    import os
    from pathlib import Path
    import sweeper

    def stat(pid):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()

    def zombies(pid):
        found = 0
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                state, parent, *_ = stat(name)
            except OSError:
                continue
            found += state == "Z" and int(parent) == pid
        return found

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        parent = os.getppid()
        launching = int(stat(parent)[1]) if cfg.forked else parent
        return {
            "parent": len(os.listdir(f"/proc/{parent}/fd")),
            "launching": len(os.listdir(f"/proc/{launching}/fd")),
            "zombies": (zombies(parent) + zombies(launching)) if cfg.x % 50 == 49 else 0,
        }

    if __name__ == "__main__":
        train()
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_many_runs_leave_no_open_files_and_no_zombies(project, launcher):
    project.write(config=f"x: 0\nforked: {str(launcher == 'local').lower()}\n", train_py=COUNTS)
    ended = project.run("-m", "x=range(0,200)", "--jobs", "2", f"sweeper/launcher={launcher}")
    rows = [{key: float(value) for key, value in row.items() if "metrics" in key} for row in ended.results]
    for name in ("metrics.parent", "metrics.launching"):
        assert max(row[name] for row in rows[-50:]) <= max(row[name] for row in rows[:50]) + 2
    assert max(row["metrics.zombies"] for row in rows) <= 2


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_modules_can_be_imported_for_all_runs_at_once(parabola, start):
    parabola.write(
        heavy_py="import os\npid = os.getpid()\n",
        train_py="""
        import os, sys
        import sweeper
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            import heavy
            return float(heavy.pid == os.getppid())
        if __name__ == "__main__":
            train()
        """,
    )
    ended = parabola.run("-m", "x=1,2", "sweeper.launcher.preload=[heavy]", f"sweeper.launcher.start={start}")
    imported = 1.0 if start == "fork" else 0.0  # by the fork server; a spawned run has its own
    assert [float(row["score"]) for row in ended.results] == [imported] * 2


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_run_gets_a_grace_time_to_end_by_itself(slow, launcher):
    grace = (
        'signal.signal(signal.SIGTERM, lambda *_: (Path(f"saved-{cfg.x}").touch(), sys.exit(1)));'
        'Path(f"ready-{cfg.x}").touch(); time.sleep'
    )
    slow.write(train_py=SLOW.replace("time.sleep", grace))
    process = slow.start("train.py", "-m", "x=1,2", "t=30", "--jobs", "2", "sweeper.sweep.dir=here",
                         f"sweeper/launcher={launcher}")  # fmt: skip
    until(lambda: len(list(slow.folder.glob("ready-*"))) == 2)
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert sorted(path.name for path in slow.folder.glob("saved-*")) == ["saved-1", "saved-2"]
    until(lambda: not processes(slow.folder), 10)
