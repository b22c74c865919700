"""What people see of a sweep: on a terminal, piped, quietly, from elsewhere, and in a notebook."""

import json
import os
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest
from conftest import environment, type_sweeper, until

import sweeper
from sweeper.ledger import Ledger
from sweeper.live import frame
from sweeper.records import COMPLETED, FAILED, Objective, Outcome
from sweeper.results import RunResult, SweepResult
from sweeper.view import Progress, View
from sweeper.watch import _Watched

# Runs of x > 1 wait until there is a file `go`.
WAITING = """
    import os, time
    import sweeper

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        sweeper.report({"epoch": 1, "loss": cfg.x / 2}, step=3)
        while cfg.x > 1 and not os.path.exists("go"):
            time.sleep(0.02)
        if cfg.x == 9:
            raise ValueError("nine")
        return {"loss": cfg.x, "epoch": 1}

    if __name__ == "__main__":
        train()
"""
LOSS = "sweeper.objective.metric=loss"


@pytest.fixture
def waiting(project):
    return project.write(config="x: 0\nname: none\n", train_py=WAITING)


# ------------------------------------------------------------------------------------- the terminal


class Screen:
    """A terminal of a size, in which a command runs: tmux."""

    def __init__(self, folder, columns, rows):
        self.name = f"sweeper-{os.getpid()}-{columns}-{time.monotonic_ns()}"
        self.folder, self.columns, self.rows = folder, columns, rows

    def start(self, *arguments, **variables):
        line = f"{shlex.join([sys.executable, *arguments])}; echo ended $?; stty -a > tty; sleep 60"
        env = {k: v for k, v in environment().items() if k not in ("CI", "NO_COLOR", "TMUX", "TERM")}
        self.tmux(
            "-f", "/dev/null", "new-session", "-d", "-x", str(self.columns), "-y", str(self.rows), line,
            env={"LC_ALL": "C.UTF-8", **env, **variables},
        )  # fmt: skip
        return self

    def tmux(self, *words, env=None):
        return subprocess.run(
            ["tmux", "-L", self.name, *words], cwd=self.folder, env=env, capture_output=True, text=True
        ).stdout

    def lines(self, *, past=False):
        shown = self.tmux("capture-pane", "-p", "-J", *(["-S", "-200"] if past else []))
        return [line.rstrip() for line in shown.rstrip().splitlines()]

    def shows(self, pattern, **how):
        """Wait until a line matches, and return all lines."""
        try:
            return until(
                lambda: (found := self.lines(**how)) and any(re.search(pattern, e) for e in found) and found
            )
        except AssertionError:
            raise AssertionError("\n".join(self.lines(past=True))) from None

    def pid(self):
        """Return the command's process."""
        shell = self.tmux("list-panes", "-F", "#{pane_pid}").strip()
        found = subprocess.run(["ps", "--ppid", shell, "-o", "pid="], capture_output=True, text=True)
        return int(found.stdout.split()[0])

    def key(self, *keys):
        self.tmux("send-keys", *keys)


@pytest.fixture
def screen(project):
    """Make terminals, and take them away."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    made = []

    def make(columns=80, rows=24):
        made.append(Screen(project.folder, columns, rows))
        return made[-1]

    yield make
    for each in made:
        each.tmux("kill-server")


@pytest.mark.parametrize("columns", [80, 200])
def test_a_terminal_shows_a_bar_the_runs_that_go_on_and_the_best(waiting, screen, columns):
    shown = screen(columns).start("train.py", "-m", "x=1,2,3,4", f"name={'long' * 15},b", "--jobs", "2", LOSS)
    lines = shown.shows(r"^  run 3 .*@3")
    assert re.match(r"run [01]  COMPLETED           1 \*  ", lines[2])
    rows = lines[-4:]
    assert re.match(r"  ━+─+  2/8 runs · \S+ left$", rows[0])
    assert re.match(r"  run 2 +\d+s  loss 1 @3  x=2  name=longlong\S*…$", rows[1])
    assert re.match(r"  run 3 +\d+s  loss 1 @3  x=2  name=b$", rows[2])
    assert re.match("  best 1  run [01]  x=1  name=", rows[3])
    assert all(len(line) < columns for line in rows)
    (waiting.folder / "go").touch()
    lines = shown.shows("^ended 0")
    assert [line for line in lines if "━" in line or line.startswith("  ")] == []
    assert sum("COMPLETED  " in line for line in lines) == 8


def test_of_many_runs_as_many_are_shown_as_fit(waiting, screen):
    shown = screen(80, 9).start("train.py", "-m", "x=range(2,14)", "--jobs", "12")
    lines = shown.shows("and 7 more")
    assert len(lines) <= 9
    assert [line[:7] for line in lines[-7:-1]] == ["  ─────", *(f"  run {n:>2}"[:7] for n in range(5))]


def test_a_failure_is_shown_as_it_comes_with_its_last_lines_and_its_log(waiting, screen):
    (waiting.folder / "go").touch()
    shown = screen(200).start("train.py", "-m", "x=9,8", LOSS)
    lines = shown.shows("^ended 1")
    at = next(n for n, line in enumerate(lines) if line.startswith("run 0  FAILED"))
    assert lines[at + 2].endswith('raise ValueError("nine")')
    assert lines[at + 3] == "    ValueError: nine"
    assert lines[at + 4].endswith("/0/train.log")


def test_whatever_others_print_stands_above_whole(waiting, screen):
    waiting.write(
        noisy_py="""
            import logging, os, subprocess, sys, threading, time, warnings

            class Noisy:
                def on_multirun_start(self, config, **more):
                    log = logging.getLogger("mine")
                    log.addHandler(logging.StreamHandler(sys.stderr))
                    threading.Thread(target=self.talk, args=[log], daemon=True).start()

                def talk(self, log):
                    for n in range(3):
                        time.sleep(0.3)
                        print("printed", n)
                        warnings.warn(f"warned {n}")
                        log.warning("logged %d", n)
                        subprocess.run(["sh", "-c", f"echo a process {n} >&2"])
                        os.write(2, b"no end of line; ")
                    open("go", "w").close()
        """
    )
    shown = screen(100).start("train.py", "-m", "x=1,2,3", "+sweeper.callbacks.n._target_=noisy.Noisy")
    lines = shown.shows("^ended 0", past=True)
    for n in range(3):
        for words in (f"printed {n}", f"logged {n}", f"a process {n}"):
            assert sum(line.removeprefix("no end of line; ") == words for line in lines) == 1, words
        assert sum(line.endswith(f"UserWarning: warned {n}") for line in lines) == 1
    assert not [line for line in lines if "━" in line or "─" in line]


def test_a_terminal_that_changes_its_width_keeps_no_remains(waiting, screen):
    shown = screen(120).start("train.py", "-m", "x=1,2,3", f"name={'n' * 50},b", "--jobs", "2", LOSS)
    for columns in (50, 90, 40):
        shown.shows("^  best 1")
        os.kill(shown.pid(), signal.SIGSTOP)  # or it may draw before it can know of the new width
        time.sleep(0.1)
        shown.tmux("resize-window", "-x", str(columns), "-y", "24")
        time.sleep(0.4)
        os.kill(shown.pid(), signal.SIGCONT)
        lines = shown.shows(rf"^  run 2 .{{{columns - 10}}}…$" if columns < 80 else "^  run 2 .*nnn…$")
        assert sum("/6 runs" in line for line in lines) == 1
    (waiting.folder / "go").touch()
    shown.shows("^ended 0")


@pytest.mark.parametrize("end", ["once", "twice", "SIGTERM"])
def test_an_interruption_is_calm_and_leaves_the_terminal_sane(waiting, screen, end):
    if end == "twice":  # the first is not heard
        script = waiting.folder / "train.py"
        deaf = "def train(cfg):\n    import signal\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        script.write_text(script.read_text().replace("def train(cfg):\n", deaf))
    shown = screen(120, 40).start(
        "train.py", "-m", "x=1,2,3", "--jobs", "2", LOSS, "sweeper.launcher.grace=30"
    )
    shown.shows("^  run 2 ")
    shown.shows("^  best 1")
    if end == "SIGTERM":
        os.kill(shown.pid(), signal.SIGTERM)
    else:
        shown.key("C-c")
        shown.shows("^interrupted: ending the runs")
    if end == "twice":
        shown.key("C-c")
    lines = shown.shows("^ended 130")
    assert sum("CANCELLED" in line for line in lines) >= 2
    assert any(line.startswith("go on with  python train.py --resume multirun/") for line in lines)
    assert not [line for line in lines if "━" in line or "Traceback" in line]
    assert shown.tmux("display", "-p", "#{cursor_flag}").strip() == "1"
    tty = until(lambda: (waiting.folder / "tty").exists() and (waiting.folder / "tty").read_text())
    assert re.search(r"(?<!-)\bicanon\b.*(?<!-)\becho\b", tty, re.DOTALL)


def test_a_mistake_while_the_view_is_up_stands_below_it(waiting, screen):
    shown = screen(100).start(
        "train.py", "--search", "random", "x=interval(0,1)", "sweeper.objective.metric=none"
    )
    lines = shown.shows("^ended 2")
    assert any(line.startswith("error: A search needs a score") for line in lines)
    assert not [line for line in lines if "━" in line or "Traceback" in line]


@pytest.mark.parametrize("variable", ["CI=true", "TERM=dumb"])
def test_in_ci_and_on_a_dumb_terminal_there_are_plain_lines(parabola, variable):
    env = {**{k: v for k, v in environment().items() if k != "CI"}, "TERM": "xterm"}
    env.update([variable.split("=")])
    ours, theirs = os.openpty()
    command = [sys.executable, "train.py", "-m", "x=1,2"]
    process = subprocess.Popen(
        command, cwd=parabola.folder, env=env, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    try:
        while more := os.read(ours, 65536):
            shown += more
    except OSError:  # the end, on Linux
        pass
    os.close(ours)
    assert process.wait() == 0
    assert b"\x1b" not in shown
    assert b"run 1  COMPLETED" in shown


# --------------------------------------------------------------------------------- piped and quietly


def test_piped_lines_are_plain_and_nothing_is_imported_for_them(parabola):
    process = subprocess.run(
        [sys.executable, "-X", "importtime", "train.py", "-m", "x=1,2"], cwd=parabola.folder,
        env=environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "\x1b" not in process.stdout
    assert [line.split()[:3] for line in process.stdout.splitlines()[2:4]] == [
        ["run", "0", "COMPLETED"],
        ["run", "1", "COMPLETED"],
    ]
    assert not re.search(r"\| +(rich|IPython|plotly)\b", process.stderr)


def test_quietly_the_last_line_is_all(parabola):
    ended = parabola.run("-m", "x=1,2,3", "--quiet")
    assert (ended.out, ended.err) == ("best (minimize score): run 2, score 0, x=3\n", "")
    assert parabola.run("-q", "x=1").out == ""  # a single run has nothing to say anyway


def test_quietly_failures_are_counted_and_the_exit_code_is_as_always(waiting):
    (waiting.folder / "go").touch()
    ended = waiting.run("-m", "x=8,9", "-q", LOSS, code=1)
    assert ended.out == "best (minimize loss): run 0, score 8, x=8\n"
    assert ended.err == "error: 1 of 2 runs failed\n"


def test_a_quiet_sweep_in_python_prints_nothing(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    sweeper.sweep(lambda cfg: cfg.x, overrides=["x=1,2"], quiet=True)
    assert capfd.readouterr() == ("", "")


# ---------------------------------------------------------------------------------- what is reckoned


def progress(total=10, slots=2, **known):
    return Progress(Objective(), total, slots, **known)


def test_the_time_left_follows_what_runs_take_the_slots_and_what_runs():
    known = progress(ended=4, seconds=40.0)
    assert known.left(now=100.0) == 6 * 10 / 2
    known.start(4, {}, at=94.0)
    known.start(5, {}, at=98.0)
    assert known.left(now=100.0) == (4 * 10 + 4 + 8) / 2


def test_a_run_that_takes_longer_than_others_is_reckoned_with():
    known = progress(total=5, ended=4, seconds=40.0)
    known.start(4, {}, at=0.0)
    assert known.left(now=60.0) == 50.0


def test_nobody_can_tell_the_time_left_before_a_run_ends_or_without_a_total():
    assert progress().left(now=0.0) is None
    assert progress(total=None, ended=3, seconds=3.0).left(now=0.0) is None


def test_what_lies_between_runs_counts_too(monkeypatch):
    known = progress(total=20, slots=1)
    for at in range(10):  # a search that thinks for ten seconds before each run
        monkeypatch.setattr(time, "time", lambda at=at: 1000.0 + 10 * at)
        known.end(at, {}, Outcome(COMPLETED, seconds=0.1))
    assert known.left(now=1090.0) == pytest.approx(100.0)


def test_the_time_left_does_not_go_beyond_the_timeout():
    known = progress(total=1000, ended=1, seconds=60.0, until=150.0)
    assert known.left(now=100.0) == 50.0


def test_the_objectives_metric_is_shown_or_else_the_first():
    known = Progress(Objective(("loss",)), 3, 1)
    known.start(0, {}, at=0.0)
    known.report(0, {"epoch": 1.0}, 1)
    assert known.running[0].latest == ("epoch", 1.0, 1)
    known.report(0, {"epoch": 2.0, "loss": 0.5}, 2)
    known.report(0, {"epoch": 3.0}, 3)
    assert known.running[0].latest == ("loss", 0.5, 2)


@pytest.mark.parametrize("columns", [10, 39, 80, 200])
@pytest.mark.parametrize("rows", [1, 3, 6, 23])
def test_what_is_drawn_fits_the_terminal(columns, rows):
    known = progress(total=50, slots=12, ended=9, seconds=9.0, failed=2, pruned=1)
    for number in range(12):
        known.start(number, {"名前": "値" * 30, "x": number}, at=0.0)
        known.report(number, {"loss": 1 / 3}, number)
    known.end(12, {"x": 1}, Outcome(COMPLETED, score=0.5, seconds=1.0))
    lines = frame(known, 5.0, columns, rows)
    assert len(lines) <= rows
    assert all(line.cell_len <= columns for line in lines)
    if columns == 80 and rows == 23:
        assert [line.plain[:12] for line in lines[-2:]] == ["  and 4 more", "  best 0.5  "]
        assert lines[0].plain.split("  ")[2].startswith("10/50 runs · 2 failed · 1 pruned · ")


def test_a_terminal_without_such_letters_gets_others():
    assert (
        frame(progress(ended=5, seconds=1.0), 0.0, 80, 24, "ascii")[0].plain.split()[0] == "#" * 10 + "." * 10
    )


# ----------------------------------------------------------------------------------- from elsewhere


def watch(project, *words, **more):
    return project.start("-m", "sweeper", "watch", *words, **more)


def begun(waiting, count=1):
    """Whether runs are known to have ended."""

    def seen():
        try:
            return waiting.query("select count(*) from runs where status = 'COMPLETED'") >= [(count,)]
        except sqlite3.OperationalError:
            return False

    return seen


def test_a_sweep_that_runs_elsewhere_is_watched_until_it_ends(waiting):
    sweep = waiting.start("train.py", "-m", "x=1,2,3", "--jobs", "2", LOSS)
    until(begun(waiting))
    watching = watch(waiting)
    first = [watching.stdout.readline() for _ in range(2)]
    (waiting.folder / "go").touch()
    out, err = watching.communicate(timeout=30)
    sweep.communicate()
    assert first[0] == "grid: 3 runs, 2 at a time, minimize loss, 1 of them have ended\n"
    assert (watching.returncode, err) == (0, "")
    lines = out.splitlines()
    assert sorted(line[:16] for line in lines[:2]) == ["run 1  COMPLETED", "run 2  COMPLETED"]
    assert re.fullmatch(r"3 COMPLETED in \S+", lines[3])
    assert lines[-1] == "best (minimize loss): run 0, score 1, x=1"


def test_watch_shows_the_same_view(waiting, screen):
    sweep = waiting.start("train.py", "-m", "x=1,2,3", "--jobs", "2", LOSS)
    until(begun(waiting))
    shown = screen().start("-m", "sweeper", "watch", "last")
    lines = shown.shows("^  best 1  run 0  x=1")
    assert re.match(r"  ━+─+  1/3 runs · \S+ left$", lines[-4])
    assert lines[-1] == "  best 1  run 0  x=1"
    shown.key("C-c")
    assert not [line for line in shown.shows("^ended 130") if "━" in line]
    (waiting.folder / "go").touch()
    sweep.communicate(timeout=30)
    assert sweep.returncode == 0  # it did not mind


def test_watch_says_that_a_sweep_has_ended_already_and_how(waiting):
    (waiting.folder / "go").touch()
    waiting.run("-m", "x=8,9", code=1)
    watching = watch(waiting)
    out, _ = watching.communicate(timeout=30)
    assert watching.returncode == 1
    assert re.match(r"the sweep \S+ has ended already\n\n1 COMPLETED, 1 FAILED in \S+\n", out)


def test_watch_says_that_the_process_of_a_sweep_is_gone(waiting):
    sweep = waiting.start("train.py", "-m", "x=1,2", LOSS)
    until(begun(waiting))
    sweep.kill()
    sweep.communicate()
    watching = watch(waiting, "--quiet")
    out, _ = watching.communicate(timeout=30)
    assert watching.returncode == 1
    assert re.match(r"go on with  sweeper resume \S+\nbest \(", out)


def test_watch_ends_when_the_sweep_is_removed(waiting):
    sweep = waiting.start("train.py", "-m", "x=1,2", LOSS)
    until(begun(waiting))
    watching = watch(waiting)
    watching.stdout.readline()
    with closing(sqlite3.connect(waiting.folder / "sweeper.db")) as db:  # as another machine's rm would
        db.execute("delete from sweeps")
        db.commit()
    _, err = watching.communicate(timeout=30)
    (waiting.folder / "go").touch()
    sweep.communicate()
    assert watching.returncode == 2
    assert re.fullmatch(r"error: The sweep \S+ is gone: it was removed meanwhile\n", err)


def told(project, *words):
    return json.loads(type_sweeper(project.folder, *words, "--json").out)


def test_ls_and_show_do_not_say_of_what_was_killed_that_it_runs(waiting):
    sweep = waiting.start("train.py", "-m", "x=1,2")
    until(lambda: waiting.asked("select 1 from runs where status = 'COMPLETED'"))
    until((waiting.folder / "multirun/latest/1/.sweeper/run.yaml").exists)
    assert told(waiting, "ls")[0]["status"] == "RUNNING"
    sweep.kill()
    sweep.communicate()
    until(lambda: told(waiting, "show", "last/1")["status"] != "RUNNING")  # its runs end with it
    (row,) = told(waiting, "ls")
    assert (row["status"], row["note"]) == ("CANCELLED", f"not running any more: sweeper resume {row['id']}")
    assert [run["status"] for run in told(waiting, "ls", "last")] == ["COMPLETED", "CANCELLED"]
    assert told(waiting, "show", "last")["runs"] == {"CANCELLED": 1, "COMPLETED": 1}
    assert [run["number"] for run in told(waiting, "ls", "last", "status=CANCELLED")] == [1]
    assert [run["number"] for run in told(waiting, "ls", "--sort", "status")] == [1, 0]
    assert told(waiting, "ls", "status=RUNNING") == []
    assert "\n1,CANCELLED," in type_sweeper(waiting.folder, "export", "last", "--to", "csv").out
    assert waiting.query("select status from sweeps") == [("RUNNING",)], "a reader writes nothing"
    single = waiting.start("train.py", "x=2")
    until(lambda: waiting.asked("select 1 from runs where sweep_id is null"))
    until(lambda: list(waiting.folder.glob("outputs/latest/.sweeper/run.yaml")))
    single.kill()
    single.communicate()
    row = told(waiting, "ls")[-1]
    assert (row["status"], row["note"]) == ("FAILED", "the process was killed")


def test_a_watcher_sees_failed_runs_that_a_resumed_sweep_makes_again(project, capsys):
    project.write(
        config="x: 0\n",
        train_py="""
            import os
            import sweeper

            @sweeper.main(config_path="conf", config_name="config")
            def train(cfg):
                if cfg.x < 9 and not os.path.exists("mended"):
                    raise ValueError("broken")
                return cfg.x

            if __name__ == "__main__":
                train()
        """,
    )
    project.run("-m", "x=7,9,8", "sweeper.sweep.dir=here", code=1)
    ledger, known = Ledger(str(project.folder / "sweeper.db")), progress(total=3)
    watched = _Watched(ledger, ledger.find_sweep("last")["id"], View(known))
    watched.look()
    assert (known.ended, known.failed, known.best.first.number) == (3, 2, 1)
    (project.folder / "mended").touch()
    project.run("--resume", "here", "--retry-failed", "--jobs", "1")
    watched.look()
    ledger.db.close()
    assert (known.ended, known.failed, known.best.first.number) == (3, 0, 0)
    assert re.findall(r"(run . .*?) +\d+ms", capsys.readouterr().out) == [
        "run 0  COMPLETED           7 *",
        "run 2  COMPLETED           8",
    ]


def test_a_watcher_asks_for_nothing_where_nothing_changed_and_for_little_where_little_did(waiting, capsys):
    (waiting.folder / "go").touch()
    waiting.run("-m", "x=1")
    path = str(waiting.folder / "sweeper.db")
    ((sweep, text),) = waiting.query("select id, objective from sweeps")
    with closing(sqlite3.connect(path)) as db:
        insert = (
            "insert into runs (id, sweep_id, number, attempt, status, score, seconds, directory, started) "
        )
        values = [
            (f"{sweep}/{n}", sweep, n, 1, COMPLETED, 5, 1.0, "d", "2026-01-01T00:00:00+00:00")
            for n in range(1, 2000)
        ]
        db.executemany(f"{insert} values (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        db.commit()
        ledger = Ledger(path)
        known = Progress(Objective.parse(text), None, 1)
        watched = _Watched(ledger, sweep, View(known))
        watched.look()
        asked = []
        ledger.db.set_trace_callback(asked.append)
        watched.look()
        assert (known.ended, len(asked)) == (2000, 1)
        db.execute(
            f"{insert} values (?, ?, 2000, 1, ?, 0, 1.0, 'd', '')", (f"{sweep}/2000", sweep, COMPLETED)
        )
        db.commit()
        watched.look()
    assert (known.ended, known.best.first.number, len(asked)) == (2001, 2000, 6)
    assert "number >= 2000" in asked[3]
    assert capsys.readouterr().out.startswith("run 2000  COMPLETED           0 *")
    ledger.db.close()


# -------------------------------------------------------------------------------------- a notebook


def result(*scores, objective=None):
    runs = [
        RunResult(
            n,
            1,
            f"/s/{n}",
            {"x<": f"<b>{n}"},
            Outcome(COMPLETED if s is not None else FAILED, s, ended=f"2026-01-01T00:00:{n:02}"),
        )
        for n, s in enumerate(scores)
    ]
    return SweepResult("/s<i>", objective or Objective(), tuple(runs), "all points run")


def test_a_result_shows_itself_as_a_table_and_nothing_in_it_is_markup():
    shown = result(3.0, None, *range(10))._repr_html_()
    assert "<p>11 COMPLETED, 1 FAILED (all points run), in <code>/s&lt;i&gt;</code></p>" in shown
    assert shown.count("<tr>") == 6
    assert "<td>2</td><td>0</td><td>&lt;b&gt;2</td>" in shown
    assert "<b>" not in shown
    assert "the first 5 of 11 points with a score" in shown
    assert "<table>" not in result(None)._repr_html_()


def test_a_result_has_a_figure_with_the_best_so_far():
    pytest.importorskip("plotly")
    figure = result(3.0, None, 5.0, 1.0).to_figure()
    assert [list(trace.y) for trace in figure.data] == [[3, 5, 1], [3, 3, 1]]
    assert list(figure.data[0].x) == [1, 3, 4]
    assert figure.data[0].text[0] == "run 0<br>x&lt;=&lt;b&gt;0"


def test_a_notebook_shows_how_a_sweep_goes_on_and_what_came_of_it(tmp_path, monkeypatch):
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat.v4")
    pytest.importorskip("ipykernel")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    cells = [
        "import sweeper, time\ndef train(cfg):\n    time.sleep(0.3)\n    assert cfg.x < 3, '<b>'\n    return cfg.x",
        "found = sweeper.sweep(train, overrides=['x=1,2,3'])",
        "found",
    ]
    book = nbformat.new_notebook(cells=[nbformat.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(book, timeout=60, kernel_name="python3").execute()
    _, going, shown = (cell.outputs for cell in book.cells)
    html = next(out["data"]["text/html"] for out in going if out.output_type == "display_data")
    text = "".join(out.text for out in going if out.output_type == "stream")
    assert '<progress value="3" max="3"></progress> <b>3/3</b> runs · 1 failed' in html
    assert "best <b>1</b>  run 0  x=1" in html
    assert "run 2  FAILED" in text
    assert "COMPLETED" not in text
    assert text.endswith("best (minimize score): run 0, score 1, x=1\n")
    assert "<table>" in shown[0]["data"]["text/html"]
