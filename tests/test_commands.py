"""The `sweeper` command: what one does with runs that have been made."""

import csv
import html
import json
import shlex
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing, redirect_stderr
from textwrap import dedent

import pytest
from conftest import environment, type_sweeper

from sweeper.commands import main
from sweeper.tables import table

FAILING = """
    import sweeper

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        if cfg.x == 9:
            raise ValueError("nine")
        for step in range(3):
            sweeper.report({"loss": cfg.x + 1 / (step + 1)}, step=step)
        sweeper.current_run().set_tag("kind", "parabola")
        return (cfg.x - 3) ** 2

    if __name__ == "__main__":
        train()
"""


class Shell:
    """A folder in which `sweeper` is typed."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, *words, code=0):
        return type_sweeper(self.folder, *words, code=code)

    def json(self, *words):
        return json.loads(self(*words, "--json").out)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A sweep of four runs, one of them failed, and a single run after it."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "conf").mkdir()
    (folder / "conf/config.yaml").write_text("x: 1\nlr: 0.1\n")
    (folder / "train.py").write_text(dedent(FAILING))
    for words in (["-m", "x=1,2,4,9"], ["x=3", "lr=0.5"]):
        subprocess.run(
            [sys.executable, "train.py", *words], cwd=folder, env=environment(), capture_output=True
        )
    return Shell(folder)


@pytest.fixture
def shell(tmp_path):
    return Shell(tmp_path)


# ------------------------------------------------------------------------------------------- lists


def test_ls_lists_sweeps_and_single_runs_by_time(made):
    sweep, single = made.json("ls")
    assert (sweep["search"], sweep["runs"], sweep["failed"], sweep["best"]) == ("grid", 4, 1, 1.0)
    assert (single["search"], single["runs"], single["best"], single["status"]) == ("", 1, 0.0, "COMPLETED")
    columns = made("ls").out.splitlines()[0].split()
    assert " ".join(columns) == "id name search status runs failed best started overrides"


def test_ls_of_a_sweep_lists_its_runs_with_their_params(made):
    rows = made.json("ls", made.json("ls")[0]["id"][:-2])
    assert [(row["number"], row["params"]["x"], row["status"]) for row in rows] == [
        (0, 1, "COMPLETED"), (1, 2, "COMPLETED"), (2, 4, "COMPLETED"), (3, 9, "FAILED"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("filters", "xs"),
    [
        (["status=FAILED"], [9]),
        (["status!=FAILED", "score>0"], [1, 2, 4]),
        (["params.x<3"], [1, 2]),
        (["x<3", "score<=1"], [2]),
        (["metrics.loss>4"], [4]),
        (["loss>4"], [4]),
        (["tags.kind=parabola", "params.x>=3"], [4, 3]),
        (["error~nine"], [9]),
        (["name=train", "lr=0.5"], [3]),
        (["status=COMPLETED", "score=abc"], []),
        (["started>=2020", "ended<2999-01-01 12:00", "x<3"], [1, 2]),
        (["started<2020-01"], []),
        (["status=RUNNING"], []),
    ],
)
def test_filters_pick_runs_by_what_is_known_of_them(made, filters, xs):
    assert [row["params"]["x"] for row in made.json("ls", *filters)] == xs


@pytest.mark.parametrize(
    ("sort", "xs"),
    [
        (["--sort", "score"], [9, 3, 2, 4, 1]),
        (["--sort", "score", "--reverse"], [9, 1, 4, 2, 3]),
        (["--sort", "params.x"], [1, 2, 3, 4, 9]),
        (["--sort", "loss"], [9, 1, 2, 3, 4]),
    ],
)
def test_runs_are_sorted_and_the_last_of_them_shown(made, sort, xs):
    assert [row["params"]["x"] for row in made.json("ls", "name=train", *sort)] == xs
    last = made.json("ls", "name=train", *sort, "--last", "2")
    assert [row["params"]["x"] for row in last] == xs[-2:]


@pytest.fixture(scope="module")
def travelled(tmp_path_factory):
    """Runs of three machines, each in its zone, whose texts are in another order than their times."""
    shell = Shell(tmp_path_factory.mktemp("travelled"))
    (shell.folder / "old.csv").write_text("a\nparam\n1\n")
    started = (
        "2026-01-02T08:00:00.000+09:00",
        "2026-01-01T20:00:00.000-05:00",
        "2026-01-02T03:00:00.000+01:00",
    )
    for name, at in zip("abc", started, strict=True):
        shell("import", "old.csv", "--name", name)
        shell("tag", "last", "here=1")
        with closing(sqlite3.connect(shell.folder / "sweeper.db")) as db, db:
            db.execute("update runs set started = ?, ended = ? where name = ?", (at, at, name))
            db.execute("update sweeps set started = ? where name = ?", (at, name))
            if name == "c":
                db.execute("update runs set sweep_id = null, id = 'c' where name = 'c'")
                db.execute("update tags set run_id = 'c' where run_id not in (select id from runs)")
                db.execute("delete from sweeps where name = 'c'")
    return shell


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["ls"], "abc"),
        (["ls", "--last", "2"], "bc"),
        (["ls", "--sort", "started"], "abc"),
        (["ls", "--sort", "ended", "--reverse", "--last", "1"], "a"),
        (["ls", "started>2026-01-01T23:30Z"], "bc"),
        (["ls", "ended<=2026-01-02 01:00+00:00"], "ab"),
        (["ls", "started<2026-01-01T18:30-05:00"], "a"),
    ],
)
def test_runs_are_ordered_by_time_whatever_the_zone_of_their_machine(travelled, words, names):
    assert "".join(row["name"] for row in travelled.json(*words)) == names


def test_the_last_is_that_of_the_last_moment(travelled):
    assert travelled.json("show", "last")["name"] == "c"
    assert travelled.json("ls", "last")[0]["name"] == "b", "of sweeps"
    assert set(travelled.json("compare", "last", "--baseline", "here")[0]) == {"what", "c", "c against it"}


@pytest.mark.parametrize(
    ("filters", "xs"),
    [
        (["tags.fold=2"], ["2"]),
        (["tags.fold!=1"], ["2", "10", "last"]),
        (["tags.fold>=2"], ["2", "10"]),
        (["tags.fold<=2.0"], ["1", "2"]),
        (["m=8"], ["1"]),
        (["m!=8"], ["2", "10", "last"]),
        (["m>7"], ["1", "last"]),
        (["m=0.90e1"], ["last"]),
        (["name=2024", "tags.fold=1"], ["1"]),
        (["note=3"], ["2"]),
    ],
)
def test_a_filter_by_a_number_finds_texts_that_are_one(shell, filters, xs):
    (shell.folder / "old.csv").write_text(
        "m,fold,n\nparam,tag,note\n8,1,\ngbm,2,3\nridge,10,three\n9,last,\n"
    )
    shell("import", "old.csv", "--name", "2024")
    assert [row["tags"]["fold"] for row in shell.json("ls", *filters)] == xs


def test_a_filter_finds_what_is_no_text_however_it_is_typed(parabola):
    parabola.run("-m", "+v=[1,2],{a:[b]},true,null,'[1,2','[1,2]'")
    shell = Shell(parabola.folder)
    numbers = {
        "v=[1,2]": [0, 5], "v=[1, 2]": [0], "v={a:[b]}": [1], "v=True": [2], "v=NULL": [3], "v=[1,2": [4],
        "v!=[1,2]": [1, 2, 3, 4],
    }  # fmt: skip
    for word, found in numbers.items():
        assert [row["number"] for row in shell.json("ls", "last", word)] == found, word


def test_a_metric_is_its_last_value(made):
    (row,) = made.json("ls", "x=4")
    assert row["metrics"]["loss"] == pytest.approx(4 + 1 / 3)


def test_a_metric_that_was_returned_as_nan_is_nan_whatever_was_reported(parabola):
    parabola.write(train_py=FAILING.replace("(cfg.x - 3) ** 2", "{'loss': float('nan')}"))
    swept = parabola.run("-m", "x=1", "+z=nan,1").sweep
    shell = Shell(parabola.folder)
    rows = shell.json("ls", "last")
    assert [(row["metrics"], row["params"]["z"]) for row in rows] == [
        ({"loss": "nan"}, "nan"),
        ({"loss": "nan"}, 1),
    ]
    assert shell.json("ls", "last", "loss<9") == shell.json("ls", "last", "loss>=0") == []
    assert shell.json("ls", "last", "loss=nan") == shell.json("ls", "last", "loss!=1") == rows
    assert shell.json("ls", "last", "loss!=nan") == []
    assert shell("export", "last", "--to", "csv").out == (swept / "results.csv").read_text()


def test_the_last_value_of_a_metric_counts_whatever_its_step(parabola):
    parabola.write(
        train_py="""
        import sweeper
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            sweeper.report({"bare": 7})
            for fold, steps in enumerate([4, 2]):
                for step in range(steps):
                    sweeper.report({"loss": 10 * fold + step, "bare": step, "flat": 1}, step=step)
            return cfg.x
        train()
    """
    )
    (row,) = parabola.run("-m", "x=1").results
    (found,) = Shell(parabola.folder).json("ls", "last")
    assert found["metrics"] == {"loss": 11, "bare": 1, "flat": 1}
    assert found["metrics"] == {name: float(row[f"metrics.{name}"]) for name in found["metrics"]}
    assert parabola.query("select name, value from metrics where step is null") == [
        ("bare", 7), ("bare", 1), ("loss", 11)
    ]  # fmt: skip


# ------------------------------------------------------------------------------------- one of them


def test_show_shows_a_run_or_a_sweep(made):
    sweep = made.json("ls")[0]["id"]
    shown = made.json("show", f"{sweep}/1")
    assert shown["params"] == {"x": 2}
    assert shown["versions"]["omegaconf"]
    assert shown["tags"] == {"kind": "parabola"}
    assert made.json("show", sweep)["runs"] == {"COMPLETED": 3, "FAILED": 1}
    assert "ValueError: nine" in made("show", f"{sweep}/3").out
    assert made.json("show", "last")["params"] == {"x": 3, "lr": 0.5}, "the newest is the single run"


def test_a_run_is_named_by_its_directory_too(made):
    directory = made.json("show", "last")["directory"]
    assert made.json("show", directory)["id"] == made.json("show", "last")["id"]


def test_best_ranks_the_runs_of_a_sweep(made):
    ranked = made.json("best", "last")
    assert [row["score"] for row in ranked] == [1.0, 1.0, 4.0]
    said = made("best", "-n", "1").out
    assert said.startswith("minimize score, sweep ")
    assert "repeat the best  python train.py x=2" in said
    assert [row["params"]["x"] for row in made.json("best", "--metric", "loss", "--maximize")] == [4, 2, 1]


def test_best_by_a_metric_that_is_an_objective_ranks_in_its_direction(parabola):
    parabola.write(train_py=FAILING.replace("(cfg.x - 3) ** 2", "{'loss': cfg.x, 'acc': cfg.x / 10}"))
    parabola.run("-m", "x=1,2", "sweeper.objective={metric: [loss, acc], direction: [minimize, maximize]}")
    shell = Shell(parabola.folder)
    for metric, way, xs in (("acc", "maximize", [2, 1]), ("loss", "minimize", [1, 2])):
        assert shell("best", "--metric", metric).out.startswith(f"{way} {metric}, sweep ")
        assert [row["params"]["x"] for row in shell.json("best", "--metric", metric)] == xs
    assert shell("best", "--metric", "acc", "--minimize").out.startswith("minimize acc")


def test_the_command_that_repeats_the_best_is_whole_where_a_value_has_lines(parabola):
    words = ["+note='a\nb\n\tc'", "+path=C:\\new", "+more='d\n'"]
    parabola.run("-m", "x=1,2", *words)
    shell = Shell(parabola.folder)
    again = shlex.split(shell("best").out.partition("repeat the best  ")[2])
    assert again[2:] == ["x=2", *words]
    assert shell.json("show", "last/1")["overrides"] == ["x=2", *words]
    shell("report", "--out", "page.html")
    assert shlex.join(words) in html.unescape((shell.folder / "page.html").read_text())


def test_compare_shows_in_what_runs_differ(made):
    sweep = made.json("ls")[0]["id"]
    rows = {row["what"]: row for row in made.json("compare", f"{sweep}/0", "last")}
    assert rows["params.x"][f"{sweep}/0"] == 1
    assert rows["params.lr"][f"{sweep}/0"] == 0.1, "as its config has it, which the sweep did not vary"
    assert "metrics.loss" in rows
    assert "name" not in rows, "what is the same is left out"


def test_compare_says_no_difference_where_one_sweep_fixed_what_another_varied(parabola):
    parabola.run("-m", "x=1,2", "+a=true", "+b=null", "+c='c d'", "sweeper.sweep.dir=first")
    parabola.run(
        "-m", "x=1", "+a=true,false", "+b=null,1", "+c='c d',e", "+d=1,2", "sweeper.sweep.dir=second"
    )
    rows = {row["what"]: row for row in Shell(parabola.folder).json("compare", "first/0", "second/0")}
    assert [what for what in rows if what.startswith("params.")] == ["params.d"]
    assert None in rows["params.d"].values()


def test_compare_with_a_baseline_says_how_much_better_a_run_is(made):
    sweep = made.json("ls")[0]["id"]
    made("tag", f"{sweep}/0", "baseline=yes")
    for tag in ("baseline", "baseline=yes"):
        rows = made.json("compare", sweep, "--baseline", tag)
        (score,) = (row for row in rows if row["what"] == "score")
        assert score[f"{sweep}/1 against it"] == "-75.00%, better"
    made("tag", f"{sweep}/0", "baseline=")
    assert "No run has the tag 'baseline'" in made("compare", sweep, "--baseline", "baseline", code=2).err


def test_compare_with_a_baseline_says_no_change_of_what_is_not_finite(shell):
    (shell.folder / "old.csv").write_text("a,b,s\nparam,metric,score\n1,inf,2\n2,nan,inf\n")
    shell("import", "old.csv")
    shell("tag", "last/0", "base=yes")
    rows = shell.json("compare", "last/1", "--baseline", "base")
    assert [row[key] for row in rows for key in row if key.endswith("against it")] == [None, None]


def test_rerun_makes_a_run_again(made):
    sweep = made.json("ls")[0]["id"]
    command = [sys.executable, "-m", "sweeper", "rerun", f"{sweep}/1"]
    again = subprocess.run(command, cwd=made.folder, env=environment(), capture_output=True, text=True)
    assert f"the score is 1, as it was in {sweep}/1" in again.stdout, again.stderr
    shown = made.json("show", "last")
    assert shown["tags"]["rerun_of"] == f"{sweep}/1"
    made("rm", shown["id"], "--yes")


@pytest.mark.parametrize("flag", [["--db", "mine.db"], ["--db=mine.db"]])
def test_the_database_of_resume_may_stand_after_the_sweep(parabola, flag):
    parabola.run("-m", "x=1", "sweeper.tracker.sqlite.path=mine.db")
    ended = parabola.run("-m", "sweeper", "resume", "last", "--quiet", *flag, "--trials", "1")
    assert ended.out == "best (minimize score): run 0, score 4\n"


# ----------------------------------------------------------------------------- in, out, and away


def test_a_sweep_is_exported_as_its_results_csv(parabola):
    swept = parabola.run("-m", "x=1.5,2.25,3.125").sweep
    shell = Shell(parabola.folder)
    assert shell("export", "last", "--to", "csv").out == (swept / "results.csv").read_text()
    shell("export", "last", "--to", "json", "--out", "out.json")
    rows = json.loads((parabola.folder / "out.json").read_text())
    assert [row["score"] for row in rows] == [2.25, 0.5625, 0.015625]


def test_a_database_that_is_lost_is_read_again_from_the_directories(made, tmp_path):
    made.folder.joinpath("sweeper.db").rename(tmp_path / "lost.db")
    try:
        made("import", "multirun")
        assert made("import", "outputs").out == "1 run read into sweeper.db\n"
        again = made("import", "outputs").out  # which changes nothing
        assert again == "0 runs read into sweeper.db; 1 was there already\n"
        assert made.json("import", "multirun") == {"read": 0, "known": 4}
        tables = ("sweeps", "runs", "params", "metrics", "tags")
        for words in (["ls"], ["ls", "name=train"], ["show", "last"]):
            before = Shell(made.folder).json(*words, "--db", str(tmp_path / "lost.db"))
            assert made.json(*words) == before, (words, tables)
    finally:
        (tmp_path / "lost.db").rename(made.folder / "sweeper.db")


def test_a_directory_that_was_moved_is_found_again_by_an_import(parabola):
    shell = Shell(parabola.folder)
    swept = parabola.run("-m", "x=1,2").sweep
    single = parabola.run("x=3").run
    shell("tag", "last", "mine=yes")
    for place, name in ((swept, "swept"), (single, "single")):
        place.rename(parabola.folder / name)
    hint = "sweeper.db does not know that directory: sweeper import swept makes it known."
    assert hint in shell("ls", "swept", code=2).err
    said = shell("import", ".").out.splitlines()
    assert said[0] == "0 runs read into sweeper.db; 3 were there already"
    assert len(said) == 3
    assert shell.json("ls", "swept")[1]["directory"] == str(parabola.folder / "swept/1")
    assert shell.json("show", "single")["tags"] == {"mine": "yes"}
    assert "repeat the best  python train.py x=2" in shell("best", "swept").out
    shutil.copytree(parabola.folder / "swept", parabola.folder / "copy")
    assert shell("import", "copy").out == "0 runs read into sweeper.db; 2 were there already\n"
    assert shell.json("show", "swept/0")["directory"] == str(parabola.folder / "swept/0")


def test_an_import_reads_what_is_whole_and_says_what_is_not(parabola):
    shell = Shell(parabola.folder)
    for name in ("a", "b", "c", "d"):
        parabola.run("-m", "x=1,2", f"sweeper.sweep.dir=multirun/{name}")
    (parabola.folder / "multirun/a/sweep.yaml").write_text("id: [")
    (parabola.folder / "multirun/b/sweep.jsonl").write_text('{"event": "ask"}\n')
    (parabola.folder / "multirun/c/sweep.yaml").unlink()
    said = shell("import", "multirun", "--db", "new.db", code=1)
    assert said.out == "2 runs read into new.db\n"
    lines = said.err.splitlines()
    assert lines[0] == "not read, as they are not whole:"
    starts = [line.split()[0] for line in lines if line.startswith("  multirun/")]
    assert starts == ["multirun/a:", "multirun/b:", "multirun/c:"]
    (parabola.folder / "multirun/d/sweep.yaml").unlink()
    said = shell("import", "multirun", "--db", "new.db", code=2).err
    assert said.startswith("error: None of the 4 records in multirun is whole\n  multirun/a: ")
    assert "There is no sweep in" in shell("import", "multirun/d", code=2).err


@pytest.mark.parametrize("line", ["{}", "[1, 2]", "null", "3"])
def test_a_line_of_a_record_that_is_no_event_is_named_whoever_reads_it(parabola, line):
    swept = parabola.run("-m", "x=1,2").sweep
    journal = swept / "sweep.jsonl"
    first, ask, *rest = journal.read_text().splitlines()
    journal.write_text("\n".join([first, line, *rest, ""]))
    shell = Shell(parabola.folder)
    for words in (["import", "multirun"], ["export", "last", "--to", "optuna"]):
        assert "A line of the record is not whole" in shell(*words, code=2).err
    assert "A line of the record is not whole" in parabola.run("--resume", str(swept), code=2).err
    (swept / "0/.sweeper/metrics.jsonl").write_text(
        f"{line}\n" + '{"time": 1, "step": 0, "metrics": {"a": 2}}\n'
    )
    journal.write_text("\n".join([first, ask, *rest, line]))
    assert shell("import", "multirun", "--db", "new.db").out == "2 runs read into new.db\n"
    assert shell.json("ls", "last", "--db", "new.db")[0]["metrics"] == {"a": 2}


def test_a_csv_kept_by_hand_is_read_by_what_its_second_row_says(shell):
    (shell.folder / "old.csv").write_text(
        "lr,model,who,acc,when\nparameter,param,tag,score,note\n0.1,gbm,me,0.9,monday\n0.01,ridge,,0.95,\n"
    )
    assert "2 runs read into sweeper.db" in shell("import", "old.csv", "--maximize").out
    first, second = shell.json("best", "last")
    assert (first["params"], first["score"]) == ({"lr": 0.01, "model": "ridge"}, 0.95)
    assert (second["tags"], second["note"]) == ({"who": "me"}, "monday")


def test_a_csv_may_have_numbers_of_more_than_64_bits(shell):
    large = "99999999999999999999"
    (shell.folder / "old.csv").write_text(
        f"a,b,c,d\nparam,metric,score,seconds\n{large},{large},{large},{large}\n"
    )
    shell("import", "old.csv")
    (row,) = shell.json("ls", "last")
    assert (row["params"], row["metrics"], row["score"]) == ({"a": large}, {"b": 1e20}, 1e20)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no rows"),
        ("a,b\n1,2\n", "The second row must say what each column is, and says '1'\n  old.csv:2"),
        ("a,b\nparam,metric\n1,high\n", "The metric 'b' must be a number, not 'high'\n  old.csv:3"),
        ('a,b\nparam,metric\n\n"x\ny",1\n3,high\n', "not 'high'\n  old.csv:6"),
        ("a\nparam\n1\n1,2\n", "The row has 2 cells, and there are 1 columns\n  old.csv:4"),
        ("a,s\nparam,status\n1,done\n", "not DONE"),
        ("a,b\nparam\n1,2\n", "The second row has 1 cells, and there are 2 columns\n  old.csv:2"),
        ("a,b\nscore,score\n1,2\n", "A run has one score, and 2 columns are one: a, b\n  old.csv:2"),
        ("a,b\nnote,note\nx,y\n", "A run has one note"),
        (f"a\nparam\n{'x' * 200_000}\n", "Cannot read old.csv: field larger than field limit (131072)"),
        ("a,a\nparam,param\n1,2\n", "several columns for the parameter 'a'\n  old.csv:1"),
    ],
)
def test_a_csv_that_cannot_be_read_is_refused_by_its_line(shell, text, said):
    (shell.folder / "old.csv").write_text(text)
    assert said in shell("import", "old.csv", code=2).err
    assert not (shell.folder / "sweeper.db").exists()


def test_rm_removes_what_is_known_and_the_directories(parabola):
    swept = parabola.run("-m", "x=1,2,3").sweep
    shell = Shell(parabola.folder)
    assert "nobody is there to answer" in shell("rm", "last", code=2).err
    shell("rm", "last/1", "--yes")
    assert sorted(path.name for path in swept.iterdir() if path.name.isdigit()) == ["0", "2"]
    shell("rm", "last", "--yes", "--keep-files")
    assert swept.exists()
    assert parabola.query("select count(*) from runs, params, sweeps") == [(0,)]


def test_rm_removes_no_directory_that_is_not_a_runs(shell):
    (shell.folder / "precious").mkdir()
    (shell.folder / "old.csv").write_text("a\nparam\n1\n")
    shell("import", "old.csv")
    shell("rm", "last", "--yes")
    assert (shell.folder / "old.csv").exists()
    assert (shell.folder / "precious").exists()


# ---------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ls", "--db", "no.db"], "There is no no.db"),
        (["ls", "nosuch"], "There is no sweep 'nosuch'"),
        (["ls", "params.z<1"], "No run has a param 'z'"),
        (["ls", "params.lrr<1"], "Did you mean 'lr'?"),
        (["ls", "metrics.nosuch<1"], "No run has a metric 'nosuch'"),
        (["ls", "tags.nosuch=1"], "No run has a tag 'nosuch'"),
        (["ls", "--sort", "params.nosuch"], "No run has a param 'nosuch'"),
        (["ls", "score<abc"], "'score<abc' compares with no number"),
        (["ls", "score<nan"], "'score<nan' compares with no number"),
        (["ls", "params.x<1e"], "compares with no number"),
        (["ls", "x<<3"], "compares with no number"),
        (["ls", "score=>3"], "Did you mean score>=3?"),
        (["ls", "name>=a"], "compares with no number"),
        (["ls", "started<yesterday"], "compares with no time"),
        (["ls", "started<2026-13"], "compares with no time"),
        (["ls", "status=FALED"], "Did you mean 'FAILED'?"),
        (["ls", "status!=failed"], "Did you mean 'FAILED'?"),
        (["ls", "status=3"], "There are QUEUED, RUNNING, COMPLETED"),
        (["ls", "zz=1"], "No run has a 'zz'"),
        (["ls", "name=train", "--sort", "scor"], "Did you mean 'score' or 'script'?"),
        (["ls", "a", "b"], "ls takes one sweep"),
        (["ls", "--last", "-1"], "--last takes a whole number"),
        (["show", "2026"], "begins 2 ids"),
        (["tag", "last", "novalue"], "'novalue' is no tag"),
        (["rerun", "nosuch"], "There is no run 'nosuch'"),
        (["compare", "last"], "compare takes two runs or more"),
        (["best", "--metric", "nosuch"], "has a nosuch"),
        (["export", "nosuch", "--to", "optuna"], "There is no sweep 'nosuch'"),
        (["import", "nosuch.csv"], "Cannot read nosuch.csv"),
        (["show", f"last/{'9' * 20}"], f"There is no run 'last/{'9' * 20}'"),
        (["tag", f"last/{'9' * 5000}", "a=b"], "There is no run"),
        (["show", "\udcff"], "There is no run '\\udcff'"),
        (["import", "multirun", "--name", "x"], "--name is for a csv"),
        (["import", "multirun", "--maximize"], "--maximize is for a csv"),
        (["import", "conf"], "There is no record of a sweep or a run in conf"),
    ],
)
def test_mistakes_are_said_in_a_few_lines(made, words, said):
    ended = made(*words, code=2 if said else 0)
    assert said in ended.err
    assert "Traceback" not in ended.err
    assert len(ended.err.splitlines()) <= 4


def test_any_number_of_rows_may_be_asked_for(made):
    for words in (["ls"], ["ls", "name=train"]):
        assert made.json(*words, "--last", "9" * 30) == made.json(*words, "--last", "0")


def test_a_text_that_utf_8_cannot_encode_is_kept_escaped(shell):
    (shell.folder / "old.csv").write_text("a\nparam\n1\n")
    shell("import", "old.csv", "--name", "\udcff")
    shell("tag", "last/0", "a=\udcff")
    (row,) = shell.json("ls", "tags.a=\udcff", "name~\udcff")
    assert (row["name"], row["tags"]) == ("\\udcff", {"a": "\\udcff"})


def test_what_a_terminal_cannot_show_is_escaped(parabola, monkeypatch):
    parabola.run("x=1")
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    parabola.run("-m", "sweeper", "tag", "last", "größe=1")
    assert "#gr\\xf6\\xdfe" in parabola.run("-m", "sweeper", "ls", "x=1").out


def test_a_command_closes_the_database(shell):
    (shell.folder / "old.csv").write_text("a\nparam\n1\n")
    shell("import", "old.csv")
    shell("tag", "last", "a=b")
    assert sorted(each.name for each in shell.folder.iterdir()) == ["old.csv", "sweeper.db"]


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("http://[::1", "Invalid IPv6 URL"),
        ("http://me:hunter2@local host:80", "URL can't contain control characters"),
        (f"http://{'a' * 70}:1", "label too long"),
        ("http://localhost:x", "Port could not be cast"),
    ],
)
def test_an_address_that_is_none_is_said_to_be_none(parabola, uri, why):
    parabola.run("-m", "x=1")
    shell = Shell(parabola.folder)
    said = [
        shell("promote", "last", "--model", "m", "--uri", uri, code=2).err,
        shell("export", "last", "--to", "mlflow", "--uri", uri, code=2).err,
        shell("doctor", "mlflow", "--uri", uri, code=1).out,
    ]
    for text in said:
        assert "is no address of an MLflow server: " in text
        assert why in text
        assert "hunter2" not in text


def test_a_database_that_is_none_is_said_to_be_none(shell):
    (shell.folder / "sweeper.db").write_text("this is no database at all, but a text of some length\n" * 20)
    assert "cannot be used: file is not a database" in shell("ls", code=2).err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--to", "csv", "--out", "/nonexistent/x"], "error: /nonexistent/x: No such file or directory"),
        (["--to", "json", "--out", "."], "error: .: Is a directory"),
        (["--to", "optuna", "--out", "/nonexistent/x.db"], "/nonexistent/x.db cannot be written: unable to"),
        (["--to", "optuna", "--out", "train.py"], "train.py cannot be written: file is not a database"),
    ],
)
def test_a_file_that_cannot_be_written_is_said_in_a_line(made, words, said):
    if "optuna" in words:
        pytest.importorskip("optuna")
    (sweep,) = (row["id"] for row in made.json("ls") if row["search"])
    ended = made("export", sweep, *words, code=2)
    assert said in ended.err
    assert len(ended.err.splitlines()) <= 2


def test_a_study_is_not_written_among_the_tables_of_mlflow(made):
    pytest.importorskip("optuna")
    with closing(sqlite3.connect(made.folder / "mlflow.db")) as db:
        db.execute("create table alembic_version (version_num)")
        db.execute("insert into alembic_version values ('1')")
        db.commit()
    said = made("export", "last", "--to", "optuna", "--out", "mlflow.db", code=2).err
    assert "mlflow.db cannot be written: The runtime optuna version" in said


def test_a_database_that_is_locked_or_not_whole_is_said_so(shell, monkeypatch):
    monkeypatch.setattr("sweeper.ledger.PATIENCE", 0.1)
    (shell.folder / "old.csv").write_text("a\nparam\n1\n")
    shell("import", "old.csv")
    with closing(sqlite3.connect(shell.folder / "sweeper.db", isolation_level=None)) as db:
        db.execute("begin immediate")
        assert "sweeper.db is locked" in shell("tag", "last", "a=b", code=2).err
        db.execute("rollback")
        db.execute("drop table runs")
    assert "sweeper.db cannot be used: no such table: runs" in shell("ls", code=2).err


def test_a_mistake_of_sweepers_own_is_told_with_its_traceback(shell, monkeypatch):
    monkeypatch.setattr("sweeper.commands.Ledger", lambda path: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        shell("ls")


def test_json_has_no_number_that_json_does_not_know(shell):
    (shell.folder / "old.csv").write_text("a,b\nparam,score\n1,inf\n2,-inf\n3,0.5\n")
    assert shell.json("import", "old.csv") == {"read": 3, "known": 0}

    def refuse(name):
        raise AssertionError(name)

    for words in (["ls", "last", "--json"], ["export", "last", "--to", "json"]):
        rows = json.loads(shell(*words).out, parse_constant=refuse)
        assert [row["score"] for row in rows] == ["inf", "-inf", 0.5]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["export", "last", "--to", "csv", "--json"], "unrecognized arguments: --json"),
        (["rm", "last", "--yes", "--json"], "unrecognized arguments: --json"),
        (["watch", "--json"], "unrecognized arguments: --json"),
        (["best", "-n", "0"], "'0' is no whole number from one on"),
        (["best", "-n", "-2"], "'-2' is no whole number from one on"),
        (["best", "-n", "x"], "'x' is no whole number from one on"),
    ],
)
def test_flags_that_mean_nothing_are_refused(made, capsys, words, said):
    with pytest.raises(SystemExit) as ended, redirect_stderr(sys.stderr):
        main(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_an_import_that_cannot_be_written_says_so(shell):
    (shell.folder / "old.csv").write_text("a\nparam\n1\n")
    with closing(sqlite3.connect(shell.folder / "optuna.db")) as db:
        db.execute("create table studies (study_id integer)")
    assert "another program" in shell("import", "old.csv", "--db", "optuna.db", code=2).err
    said = shell("import", "old.csv", "--db", "/nonexistent/x.db", code=2).err
    assert "--db PATH" in said
    assert "sweeper.tracker" not in said


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_anothers_database_is_refused_and_left_as_it_is(shell, mode):
    path = shell.folder / "optuna.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"pragma journal_mode = {mode}")
        db.execute("create table studies (study_id integer)")
    before = path.read_bytes()
    said = shell("ls", "--db", "optuna.db", code=2).err
    assert "optuna.db is the database of another program" in said
    assert "--db PATH" in said
    assert path.read_bytes() == before
    (shell.folder / "empty.db").touch()
    assert "empty.db is empty" in shell("ls", "--db", "empty.db", code=2).err
    assert (shell.folder / "empty.db").read_bytes() == b""
    assert sorted(each.name for each in shell.folder.iterdir()) == ["empty.db", "optuna.db"]


def test_what_is_no_database_is_told_with_the_commands_own_flag(shell):
    (shell.folder / "train.py").write_text("import sweeper\n" * 100)
    said = shell("ls", "--db", "train.py", code=2).err
    assert "--db PATH" in said
    assert "sweeper.tracker" not in said


def test_a_table_is_cut_to_the_terminals_width():
    rows = [{"a": 1, "b": "long " * 20}]
    assert len(table(rows, width=40).splitlines()[1]) == 40
    assert list(csv.reader(table(rows, width=0).splitlines()))[1][0].endswith("long")
