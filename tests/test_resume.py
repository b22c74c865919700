"""Resuming: what is killed goes on from what was finished, and repeats nothing."""

import json
import signal
import time

import pytest
from conftest import until

SLOW = """
    import time
    import sweeper

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        time.sleep(cfg.t)
        if cfg.x == 1.5:
            raise ValueError("bad point")
        return (cfg.x - 3) ** 2

    if __name__ == "__main__":
        train()
"""


@pytest.fixture
def slow(project):
    return project.write(config="x: 0.0\nt: 0.15\n", train_py=SLOW)


def events(folder):
    return [json.loads(line) for line in (folder / "sweep.jsonl").read_text().splitlines()]


def kill_midway(project, *arguments, ends=4, number=signal.SIGKILL, pause=0):
    """Start a sweep in `here`, and send it a signal when so many of its runs have ended."""
    process = project.start("train.py", *arguments, "sweeper.sweep.dir=here")
    journal = project.folder / "here/sweep.jsonl"
    until(lambda: journal.exists() and journal.read_text().count('"event": "end"') >= ends)
    time.sleep(pause)
    process.send_signal(number)
    out, err = process.communicate()
    return process.returncode, out, err


@pytest.mark.parametrize("search", ["random", "sobol", "lhs", "tpe", "gp", "skopt", "cmaes", "nsga2"])
def test_a_killed_search_asks_for_the_same_points_as_one_that_was_not(slow, search):
    arguments = ("--search", search, "--trials", "12", "x=interval(0,10)", "t=0.08", "sweeper.search.seed=7")
    whole = slow.run(*arguments).results
    code, _, _ = kill_midway(slow, *arguments, ends=6)
    folder = slow.folder / "here"
    assert code == -signal.SIGKILL
    assert len([e for e in events(folder) if e["event"] == "ask"]) < 12, "it was killed midway"
    slow.run("--resume", "here")
    asked = [e["params"]["x"] for e in events(folder) if e["event"] == "ask"]
    assert asked == [float(row["x"]) for row in whole]


@pytest.mark.parametrize("search", ["tpe", "gp"])
def test_a_conditional_search_goes_on_the_same_though_it_is_killed_twice_and_runs_fail(project, search):
    project.write(
        config="defaults: [m: a]\nx: 0.5\n",
        m__a="depth: 3\n_space_: {depth: 'range(1, 30)'}\n",
        m__b="rate: 0.1\n_space_: {rate: 'interval(1e-4, 1, log=true)'}\n",
        train_py="""
        import os, signal, time
        import sweeper

        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            time.sleep(0.06)
            if cfg.x > 0.8:
                raise ValueError("too far")
            return (cfg.x - 0.3) ** 2 + (abs(cfg.m.depth - 20) / 30 if "depth" in cfg.m else cfg.m.rate)

        if __name__ == "__main__":
            train()
        """,
    )
    arguments = (
        "--search", search, "--trials", "24", "m=a,b", "x=interval(0,1)", "sweeper.search.seed=7",
        "sweeper.launcher.max_failures=null",
    )  # fmt: skip
    project.run(*arguments, "sweeper.sweep.dir=whole", code=1)
    folder = project.folder / "here"
    for begun, ends in ((arguments, 5), (("--resume", "here"), 16)):
        words = (*begun, "sweeper.sweep.dir=here") if begun is arguments else begun
        process = project.start("train.py", *words)
        until(lambda n=ends: (folder / "sweep.jsonl").exists() and len(of(folder, "end")) >= n)
        process.kill()
        process.communicate()
        assert len(of(folder, "ask")) < 24, "it was killed midway"
    project.run("--resume", "here", code=1)
    whole, resumed = ([e["params"] for e in of(project.folder / name, "ask")] for name in ("whole", "here"))
    assert resumed == whole
    assert len({e["params"].get("m") for e in of(folder, "ask")}) == 2


def of(folder, event):
    return [e for e in events_whole(folder / "sweep.jsonl") if e["event"] == event]


def test_a_killed_grid_completes_each_point_exactly_once(slow):
    kill_midway(slow, "-m", "x=range(0,9)", "--jobs", "2")
    slow.run("--resume", "here")
    ends = [e for e in events(slow.folder / "here") if e["event"] == "end"]
    assert sorted(e["number"] for e in ends) == list(range(9))
    assert {e["status"] for e in ends} == {"COMPLETED"}


def test_what_was_running_is_run_again_under_a_new_attempt(slow):
    kill_midway(slow, "-m", "x=range(0,9)", "--jobs", "2")
    ended = slow.run("--resume", "here")
    again = [e for e in events(slow.folder / "here") if e["event"] == "start" and e["attempt"] == 2]
    assert again
    assert all(e["directory"] == f"{e['number']}.1" for e in again)
    assert "of them made before" in ended.out


def test_a_run_whose_config_does_not_compose_keeps_its_directory(project):
    project.write(
        config="defaults: [a: one, b: one]\n",
        a__one="{}",
        a__two="defaults: [/c: '${b}']\n",
        b__one="{}",
        b__two="{}",
        c__one="{}",
        train_py="""
            import sweeper

            @sweeper.main(config_path="conf", config_name="config")
            def train(cfg):
                return 1
        """,
        call_py="""
            import sweeper
            from train import train

            result = sweeper.sweep(train, overrides=["a=one,two", "b=one,two"], resume="here", quiet=True)
            print([run.status for run in result.runs], result.runs[-1].directory)
        """,
    )
    said = f"['COMPLETED', 'COMPLETED', 'COMPLETED', 'FAILED'] {project.folder}/here/3\n"
    assert project.run("call.py").out == said
    assert project.run("call.py").out == said
    assert project.run("-m", "sweeper", "import", "here", "--db", "new.db").out == "4 runs read into new.db\n"


def test_a_run_that_completed_without_its_end_being_noted_is_not_repeated(slow):
    slow.run("-m", "x=1,2", "sweeper.sweep.dir=here")
    journal = slow.folder / "here/sweep.jsonl"
    kept = [line for line in journal.read_text().splitlines() if '"end"' not in line and '"stop"' not in line]
    journal.write_text("\n".join(kept) + "\n" + '{"event": "sta')
    slow.run("--resume", "here")
    assert [e["attempt"] for e in events_whole(journal) if e["event"] == "start"] == [1, 1]


def test_a_run_whose_record_is_damaged_is_made_again(slow):
    slow.run("-m", "x=1,2", "sweeper.sweep.dir=here")
    journal = slow.folder / "here/sweep.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(line for line in lines if '"end"' not in line))
    (slow.folder / "here/1/.sweeper/run.yaml").write_bytes(bytes(300))  # as a power cut leaves it
    slow.run("--resume", "here")
    assert [e["attempt"] for e in events_whole(journal) if e["event"] == "start"] == [1, 1, 2]


def test_a_sweep_that_is_resumed_through_a_link_is_where_the_link_led(slow):
    swept = slow.run("-m", "x=1,2", "--jobs", "2").sweep
    journal = swept / "sweep.jsonl"
    journal.write_text(
        "\n".join(line for line in journal.read_text().splitlines() if '"end"' not in line) + "\n"
    )
    for run in (0, 1):
        (swept / f"{run}/.sweeper/run.yaml").unlink()
    slow.run("--resume", "multirun/latest")
    assert slow.query("select distinct directory from runs where attempt = 2 order by 1") == [
        (str(swept / name),) for name in ("0.1", "1.1")
    ]


def events_whole(journal):
    found = []
    for line in journal.read_text().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def test_more_trials_extend_a_sweep(slow):
    slow.run("--search", "random", "--trials", "3", "x=interval(0,9)", "sweeper.sweep.dir=here")
    slow.run("--resume", "here", "--trials", "5", "--jobs", "2")
    assert len([e for e in events(slow.folder / "here") if e["event"] == "end"]) == 5


def test_each_resume_records_what_the_ones_before_it_were_given_once(slow):
    slow.run("-m", "x=1,2", "t=0", "sweeper.sweep.dir=here")
    for jobs in ("2", "3", "4"):
        slow.run("--resume", "here", "--jobs", jobs)
    given = [f"sweeper.launcher.jobs={jobs}" for jobs in (2, 3, 4)]
    recorded = [e["overrides"] for e in events(slow.folder / "here") if e["event"] == "resume"]
    assert recorded == [given[:1], given[:2], given]


def test_failed_runs_are_run_again_when_asked(slow):
    slow.run("-m", "x=1,1.5,2", "sweeper.sweep.dir=here", code=1)
    assert [e["number"] for e in events(slow.folder / "here") if e["event"] == "start"] == [0, 1, 2]
    slow.run("--resume", "here", code=1)
    assert [e["number"] for e in events(slow.folder / "here") if e["event"] == "start"] == [0, 1, 2]
    slow.write(train_py=SLOW.replace("cfg.x == 1.5", "False"))
    slow.run("--resume", "here", "--retry-failed")
    starts = [(e["number"], e["attempt"]) for e in events(slow.folder / "here") if e["event"] == "start"]
    assert starts == [(0, 1), (1, 1), (2, 1), (1, 2)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sweep_says_how_to_go_on_and_leaves_no_process(slow, number):
    slow.write(config="x: 0.0\nt: 0.3\n")
    code, out, err = kill_midway(slow, "-m", "x=range(0,20)", "--jobs", "2", ends=2, number=number)
    assert code == 130
    assert "go on with  python train.py --resume here" in out
    assert "Traceback" not in out + err
    cancelled = [
        e for e in events(slow.folder / "here") if e["event"] == "end" and e["status"] == "CANCELLED"
    ]
    assert len(cancelled) <= 2
    slow.write(config="x: 0.0\nt: 0.3\n")
    slow.run("--resume", "here", "--jobs", "4")
    completed = [
        e["number"]
        for e in events(slow.folder / "here")
        if e["event"] == "end" and e["status"] == "COMPLETED"
    ]
    assert sorted(completed) == list(range(20))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--resume", "nowhere"), "There is no sweep in nowhere"),
        (("--resume", "here", "x=5"), "would change a sweep that is resumed"),
        (("--resume", "here", "--search", "tpe"), "would change the search"),
        (("-m", "x=1", "--retry-failed"), "goes with --resume"),
        (("--resume", "here", "--dry-run"), "--dry-run does not go with --resume"),
        (("--resume", "here", "--maximize"), "would change the search"),
    ],
)
def test_a_resume_that_has_no_meaning_is_refused(slow, arguments, said):
    slow.run("-m", "x=1,2", "sweeper.sweep.dir=here")
    ended = slow.run(*arguments, code=2)
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_a_changed_config_or_space_is_refused(slow):
    slow.write(config="x: 0.0\nt: 0.01\nsweeper: {space: {x: 'interval(0, 9)'}}\n")
    slow.run("--search", "random", "--trials", "3", "sweeper.sweep.dir=here")
    slow.write(config="x: 0.0\nt: 0.02\nsweeper: {space: {x: 'interval(0, 9)'}}\n")
    ended = slow.run("--resume", "here", "--trials", "4", code=2)
    assert "The config has changed since the sweep began, at 't'" in ended.err
    assert "conf/config.yaml" in ended.err
    slow.write(config="x: 0.0\nt: 0.01\nsweeper: {space: {x: 'interval(20, 30)'}}\n")
    ended = slow.run("--resume", "here", "--trials", "4", code=2)
    assert "The space has changed" in ended.err


def test_two_processes_cannot_drive_one_sweep(slow):
    slow.write(config="x: 0.0\nt: 60\n")
    process = slow.start("train.py", "-m", "x=1,2", "sweeper.sweep.dir=here")
    until((slow.folder / "here/sweep.jsonl").exists)
    ended = slow.run("--resume", "here", code=2)
    assert "Another process drives the sweep" in ended.err
    process.kill()
    process.communicate()


def test_files_that_change_while_a_sweep_runs_do_not_change_its_queued_runs(slow):
    slow.write(config="x: 0.0\nt: 0.2\n")
    process = slow.start("train.py", "-m", "x=range(0,5)", "sweeper.sweep.dir=here")
    until((slow.folder / "here/0/.sweeper").exists)
    slow.write(config="x: 0.0\nt: 0.2\nnew: 1\n")
    process.communicate()
    assert process.returncode == 0
    assert "new" not in (slow.folder / "here/4/.sweeper/config.yaml").read_text()


def test_a_retried_run_can_be_resumed_too(slow):
    slow.run("-m", "x=1,1.5,2", "sweeper.sweep.dir=here", code=1)
    slow.write(train_py=SLOW.replace("cfg.x == 1.5", "False"))
    slow.run("--resume", "here", "--retry-failed")
    assert "all points run" in slow.run("--resume", "here").out
    journal = slow.folder / "here/sweep.jsonl"
    cut = journal.read_text().rpartition('{"event": "end"')[0]
    journal.write_text(cut)
    (slow.folder / "here/1.1/.sweeper/run.yaml").unlink()
    slow.run("--resume", "here")
    starts = [(e["number"], e["attempt"]) for e in events(slow.folder / "here") if e["event"] == "start"]
    assert starts[-1] == (1, 3), "what was running when it was killed runs again"


def test_a_second_attempt_never_takes_another_runs_directory(slow):
    slow.write(
        train_py=SLOW.replace("cfg.x == 1.5", "cfg.x == 0 and not __import__('os').path.exists('fixed')")
    )
    slow.run("-m", "x=0,0.1", "sweeper.sweep.dir=here", "sweeper.sweep.subdir='x=${x}'", code=1)
    before = (slow.folder / "here/x=0.1/.sweeper/run.yaml").read_text()
    (slow.folder / "fixed").touch()
    slow.run("--resume", "here", "--retry-failed")
    assert (slow.folder / "here/x=0.1/.sweeper/run.yaml").read_text() == before
    assert (slow.folder / "here/x=0.1-2/.sweeper/run.yaml").exists()


def test_the_database_catches_up_with_what_a_killed_process_did_not_tell(slow):
    slow.write(config="x: 0.0\nt: 0.02\n")
    slow.write(train_py=SLOW.replace("time.sleep", "sweeper.report({'t': 1}, step=0); time.sleep"))
    kill_midway(slow, "-m", "x=range(0,30)", "--jobs", "2", ends=8)
    slow.run("--resume", "here", "--jobs", "2")
    assert slow.query("select count(*) from metrics where name = 't'") == [(30,)]
    assert slow.query("select status, count(*) from runs group by status") == [("COMPLETED", 30)]
    assert slow.query("select status from sweeps") == [("COMPLETED",)]


def test_a_resume_remembers_what_an_earlier_one_was_given(slow):
    slow.write(config="x: 0.0\nt: 0.01\n")
    slow.run("--search", "random", "--trials", "2", "x=interval(0,9)", "sweeper.sweep.dir=here")
    slow.run("--resume", "here", "--trials", "4")
    assert "4 runs" in slow.run("--resume", "here").out.splitlines()[0]


def test_an_option_that_changed_is_refused_and_changed_code_is_said(slow):
    slow.write(config="defaults: [m: a]\nx: 1\nt: 0.01\n", m__a="v: 1\n", m__b="v: 2\n")
    slow.run("-m", "m=a,b", "--trials", "1", "sweeper.sweep.dir=here")
    slow.write(train_py=SLOW + "\n    # changed\n", m__b="# a comment changes nothing\nv: 2\n")
    assert "train.py has changed since the sweep began" in slow.run("--resume", "here").err
    slow.write(m__b="v: 77\n")
    ended = slow.run("--resume", "here", "--trials", "2", code=2)
    assert "The config has changed since the sweep began" in ended.err
    assert "conf/m/b.yaml" in ended.err


@pytest.mark.parametrize(
    "point", ["x=nan,1,inf", "x={1: a},{2: b}", "x=[1],[true],[null]", "x=1,1.0,true,'1'"]
)
def test_values_of_any_kind_survive_a_resume(parabola, point):
    parabola.write(
        train_py="""
        import sweeper
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            return 1
        if __name__ == "__main__":
            train()
    """
    )
    parabola.run("-m", point, "--trials", "1", "sweeper.sweep.dir=here")
    ended = parabola.run("--resume", "here", "--trials", "9")
    assert f"{4 if 'true,' in point else 2 if 'a}' in point else 3} COMPLETED" in ended.out


def test_ctrl_c_in_this_process_leaves_a_record_too(slow):
    slow.write(train_py=SLOW.replace("time.sleep(cfg.t)", "time.sleep(0 if cfg.x == 1 else 60)"))
    code, out, err = kill_midway(
        slow, "-m", "x=1,2,3", "sweeper/launcher=inline", ends=1, number=signal.SIGINT, pause=0.2
    )
    assert code == 130, err
    assert "1 COMPLETED, 1 CANCELLED" in out
    slow.write(train_py=SLOW)
    slow.run("--resume", "here")


def test_the_command_resume_starts_the_program_again_with_what_else_is_given(slow):
    slow.run("-m", "x=1,1.5,2", "sweeper.sweep.dir=here", code=1)
    refused = slow.run("-m", "sweeper", "resume", "here", "x=3", code=2)
    assert "'x=3' would change a sweep that is resumed" in refused.err
    slow.run("-m", "sweeper", "resume", "here", "--retry-failed", "--jobs", "2", code=1)
    assert [e["number"] for e in events(slow.folder / "here") if e["event"] == "start"] == [0, 1, 2, 1]


@pytest.mark.parametrize(
    "line",
    [("-m", "pkg.train"), ("-c", "import sys; sys.argv[0] = 'mytool'; from pkg.train import train; train()")],
    ids=["a module", "a console script"],
)
def test_the_command_resume_knows_how_a_program_was_started(slow, line):
    slow.write(pkg____init___py="", pkg__train_py=SLOW.replace('"conf"', '"../conf"'))
    process = slow.start(*line, "-m", "x=1,2", "t=0", "sweeper.sweep.dir=here")
    out, err = process.communicate()
    assert process.returncode == 0, out + err
    journal = slow.folder / "here/sweep.jsonl"
    kept = [e for e in events(slow.folder / "here") if e.get("number") != 1 and e["event"] != "stop"]
    journal.write_text("".join(json.dumps(e) + "\n" for e in kept))
    slow.run("-m", "sweeper", "resume", "here")
    assert [e["number"] for e in events(slow.folder / "here") if e["event"] == "end"] == [0, 1]


# ------------------------------------------------------------------------------------- from Python

CALL = """
    import sweeper
    from train import train

    result = sweeper.sweep(
        train, overrides=[{overrides}], search="random", trials={trials}, resume="here", quiet={quiet},
    )
    print(len(result.runs), result.best.score == train(result.best.config), result.best.number)
"""


def call(project, overrides="'x=interval(0,9)'", *, trials=12, code=0, quiet=True):
    project.write(call_py=CALL.format(overrides=overrides, trials=trials, quiet=quiet))
    return project.run("call.py", code=code)


def test_a_sweep_from_python_begins_in_its_directory_and_goes_on_there(slow):
    slow.write(call_py=CALL.format(overrides="'x=interval(0,9)'", trials=12, quiet=True))
    process = slow.start("call.py")
    journal = slow.folder / "here/sweep.jsonl"
    until(lambda: journal.exists() and journal.read_text().count('"event": "end"') >= 3)
    process.kill()
    process.communicate()
    assert call(slow).out.startswith("12 True ")
    found = events(slow.folder / "here")
    assert [e["event"] for e in found].count("begin") == 1
    ended = [e["number"] for e in found if e["event"] == "end" and e["status"] == "COMPLETED"]
    assert sorted(ended) == list(range(12)), "each run was finished once"


def test_a_sweep_from_python_that_was_finished_is_read_and_may_have_more_trials(slow):
    slow.write(config="x: 0.0\nt: 0.01\n")
    first = call(slow, trials=3).out
    assert call(slow, trials=3).out == first
    assert call(slow, trials=5).out.startswith("5 True ")
    asked = [e["number"] for e in events(slow.folder / "here") if e["event"] == "ask"]
    assert asked == [0, 1, 2, 3, 4]
    assert slow.query("select status, count(*) from runs group by status") == [("COMPLETED", 5)]


@pytest.mark.parametrize(
    ("overrides", "config", "said"),
    [
        ("'x=interval(0,8)'", "x: 0.0\nt: 0.01\n", "was begun with other overrides"),
        ("'x=interval(0,9)', 't=0.02'", "x: 0.0\nt: 0.01\n", "was begun with other overrides"),
        ("'x=interval(0,9)', 'sweeper.search.seed=1'", "x: 0.0\nt: 0.01\n", "was begun with other overrides"),
        ("'x=interval(0,9)'", "x: 0.0\nt: 0.02\n", "The config has changed since the sweep began, at 't'"),
    ],
)
def test_a_sweep_from_python_goes_on_with_none_but_its_own(slow, overrides, config, said):
    slow.write(config="x: 0.0\nt: 0.01\n")
    call(slow, trials=2)
    slow.write(config=config)
    ended = call(slow, overrides, trials=4, code=1)
    assert said in ended.err
    assert "RecordError" in ended.err, "Python gets an exception"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("train, resume=''", "resume is empty"),
        ("train, resume='file'", "Cannot make the directory"),
        ("train, resume='here', config={'x': 0.0}", "The config has changed since the sweep began, at 't'"),
        ("other, resume='here', config='conf/config.yaml'", "is of another function, 'train'"),
    ],
)
def test_a_directory_that_does_not_fit_the_sweep_is_refused(slow, arguments, said):
    script = """
        import sweeper
        from train import train

        def other(cfg):
            return cfg.x

        sweeper.sweep({}, overrides=["x=1,2"], quiet=True)
    """
    slow.write(config="x: 0.0\nt: 0.01\n", call_py=script.format("train, resume='here'"))
    slow.run("call.py")
    (slow.folder / "file").touch()
    slow.write(call_py=script.format(arguments))
    assert said in slow.run("call.py", code=1).err


def test_a_sweep_from_python_says_that_its_script_has_changed(slow):
    slow.write(config="x: 0.0\nt: 0.01\n")
    call(slow, trials=2)
    assert "call.py has changed since the sweep began" in call(slow, trials=3, quiet=False).err


def test_no_command_is_named_for_a_sweep_from_python(slow):
    slow.write(config="x: 0.0\nt: 0.01\n")
    said = call(slow, trials=2, quiet=False).out
    assert "best (minimize score): run" in said
    assert "python call.py" not in said
    assert "python call.py" not in slow.run("-m", "sweeper", "best", "last").out
    for words in (("resume", "last"), ("rerun", "last/0")):
        ended = slow.run("-m", "sweeper", *words, code=2)
        assert "was made from Python, and no command can" in ended.err
        assert ended.out == ""


def test_an_interrupted_sweep_from_python_says_how_it_goes_on(slow):
    slow.write(config="x: 0.0\nt: 0.3\n")
    slow.write(call_py=CALL.format(overrides="'x=interval(0,9)'", trials=9, quiet=False))
    process = slow.start("call.py")
    until(lambda: slow.asked("select 1 from runs where status = 'COMPLETED'"))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert "go on with  sweeper.sweep(…, resume='here')" in out, err
    assert call(slow, trials=9).out.startswith("9 True")
