"""The command line: flags, what they print, and what is said of a wrong one."""

import re

import pytest

from sweeper.cli import FLAGS, parse_command
from sweeper.errors import UsageError

WRONG = {
    "xx=3": "Cannot override 'xx'",
    "x=1,2": "To sweep over them add -m",
    "x=[1": "a list that is not closed",
    "--trals 3": "Did you mean '--trials'",
    "-m x=interval(0,1)": "A grid has no end over x=interval(0.0, 1.0)",
    "-m x=range(3,3)": "is empty",
    "--search tpa x=1": "Did you mean 'tpe'?",
    "--search tpe": "There is nothing to search",
    "-m sweeper.launcher.jobs=1,2": "sweeps over a setting",
    "sweeper.search.trails=5": "Did you mean 'trials'?",
    "+sweeper.search.trails=5": "There is no setting sweeper.search.trails",
    "--search tpe --trials zero x=interval(0,1)": "must be a whole number or null, not zero",
    "--search tpe --trials 0 x=interval(0,1)": "must be 1 or more",
    "-cn nope": "There is no config 'nope' to begin with",
    "-cp nowhere": "There is no config folder",
    "-cd nowhere": "--config-dir: there is no folder",
    "~zz": "Cannot delete 'zz'",
    "--search tpe x=interval(1,0)": "Write interval(0.0, 1.0)",
    "--search tpe x=interval(0,1,log=true)": "has no logarithm",
    "x=${nope}": "Cannot resolve 'x=${nope}'",
    "+x=3": "adds a key that is there already",
    "--resume nowhere": "There is no sweep in nowhere",
    "--jobs 0 -m x=1,2": "must be 1 or more, not 0",
    "-m x=1 sweeper/launcher=loca": "Did you mean 'local'?",
    "--cfg jb": "Did you mean 'job'?",
    "x=foo(3)": "which is no function",
    "--tracker mlflo x=1": "There is no config 'sweeper/tracker/mlflo'",
    "--trials": "--trials needs a value",
    "--multirun=3": "takes no value",
    "-r -m x=1": "--run contradicts",
    "-m x=1,2 --maximize --minimize": "--maximize contradicts --minimize",
    "--tracker none,mlflow x=1": "The tracker 'none' turns all others off, and mlflow stands beside it",
    "sweeper/tracker=[sqlite,none]": "The tracker 'none' turns all others off, and sqlite stands beside it",
    "--resolve": "--resolve goes with --cfg",
    "--timeout soon -m x=1": "must be a duration such as 90, 30m or 2h",
    "--search tpe x=interval(0,1) sweeper.objective.direction=maximise": "Did you mean 'maximize'",
    "--search tpe +sweeper.search.starup=3 x=interval(0,1)": "There is no setting sweeper.search.starup",
    "--cfg job -p nope": "has no key 'nope'",
    "--explain nope": "Nothing sets 'nope'",
    "-m x=${nope},1": "Cannot resolve 'x=${nope}'",
    "sweeper.run.dir=train.py": "Cannot make the directory",
    "sweeper.job.name=a/b": "is a file's name",
    "-m x=1 sweeper.launcher.start=bad": "must be auto, fork or spawn",
    "-m x=1 sweeper.launcher.threads=0": "must be 1 or more",
    "--search gp sweeper.search.candidates=0 x=interval(0,1)": "a whole number above zero",
    "--search tpe sweeper.search.startup=abc x=interval(0,1)": "a whole number above zero",
    "--search cmaes sweeper.search.sigma=a x=interval(0,1)": "sigma must be a number above zero, not a",
}


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_command_line_is_answered_in_a_few_lines_and_exits_with_2(parabola, line):
    ended = parabola.run("train.py", *line.split(" "), code=2)
    assert WRONG[line] in ended.err
    assert ended.err.startswith("error: ")
    assert "Traceback" not in ended.err
    assert len(ended.err.splitlines()) <= 8
    assert not list(parabola.folder.glob("multirun/*/*/sweep.jsonl"))


def test_flags_and_overrides_mix_in_any_order():
    command = parse_command(["a=1", "--search", "tpe", "b=2", "--jobs=3", "-m", "c=4", "-cn", "other"])
    assert command.overrides == ["a=1", "sweeper/search=tpe", "b=2", "sweeper.launcher.jobs=3", "c=4"]
    assert command.multirun
    assert command.kept() == ("--config-name", "other")


def test_a_flag_is_known_by_a_beginning_that_only_it_has():
    assert "--multirun" in parse_command(["--multi"])
    with pytest.raises(UsageError):
        parse_command(["--con", "x"])


def test_search_trials_and_resume_imply_a_sweep():
    for line in (["--search", "tpe"], ["--trials", "3"], ["--resume", "here"]):
        assert parse_command(line).multirun
    assert not parse_command(["--jobs", "3"]).multirun


def test_help_names_every_flag_the_groups_and_the_config(parabola):
    parabola.write(db__mysql="port: 1\n", db__postgres="port: 2\n")
    out = parabola.run("--help").out
    for flag in FLAGS:
        assert all(name in out for name in flag.names)
    assert "db: mysql, postgres" in out
    assert "name: parabola" in out


def test_the_config_is_printed_and_nothing_runs(parabola):
    parabola.write(config="x: 0.0\nmodel: {depth: 3, twice: '${x}'}\n")
    assert parabola.run("--cfg", "job", "x=2").out == "x: 2\nmodel:\n  depth: 3\n  twice: ${x}\n"
    assert (
        parabola.run("--cfg", "job", "-p", "model", "--resolve").out
        == "# @package model\ndepth: 3\ntwice: 0.0\n"
    )
    assert parabola.run("--cfg", "job", "-p", "model.depth").out == "3\n"
    assert "jobs: 4" in parabola.run("--cfg", "sweeper", "--jobs", "4").out
    assert "x: 0.0" in parabola.run("--cfg", "all").out
    assert not (parabola.folder / "outputs").exists()


def test_explain_names_the_files_and_the_overrides_that_set_a_value(parabola):
    parabola.write(
        config="defaults: [db: mysql, _self_]\nx: 1\ndb:\n  port: 2\n", db__mysql="host: h\nport: 1\n"
    )
    lines = parabola.run("--explain", "db.port", "db.port=3").out.splitlines()
    assert lines[0].endswith("conf/db/mysql.yaml:2")
    assert lines[2].endswith("conf/config.yaml:4")
    assert lines[4] == "the command line: db.port=3"
    assert lines[5] == "    db.port = 3    <- in force"


def test_a_node_is_shown_whatever_stands_beside_it(parabola):
    parabola.write(config="x: 1\nnode: {sum: '${x}'}\nbroken: ${nowhere}\nnone: null\nmissing: ???\n")
    for key, text in (("node", "# @package node\nsum: 1"), ("none", "null"), ("missing", "???")):
        assert parabola.run("--cfg", "job", "--resolve", "-p", key).out == f"{text}\n"
    for words in (["--cfg", "job"], ["--cfg", "job", "-p", "broken"], ["--help"]):
        ended = parabola.run(*words, "--resolve", code=2)
        assert ended.err == "error: Cannot resolve the config: Interpolation key 'nowhere' not found\n"
    assert "no key 'nonn'\n  Did you mean 'none'?" in parabola.run("--cfg", "job", "-p", "nonn", code=2).err


@pytest.mark.parametrize(
    ("words", "key", "said"),
    [
        (["db=pg"], "db.port", ["pg.yaml:1", "db.port = 1    <- in force"]),  # db=pg itself sets no port
        (["+late=off"], "x", ["config.yaml:2", "x = 1", "off.yaml:2", "x = null    <- in force"]),
        (["+late=off"], "y", ["config.yaml:3", "y = ???    <- in force"]),
        (["db={host: h}"], "db.host", ["mysql.yaml:1", "db.host = a", "line: db={host: h}", "db.host = h    <- in force"]),
        (["db={host: h}"], "db.port", ["mysql.yaml:2", "db.port = 2    <- in force"]),
        (["~db.port"], "db.port", ["mysql.yaml:2", "db.port = 2", "line: ~db.port", "db.port is deleted    <- in force"]),
        (["+new.a=1"], "new", ["line: +new.a=1", "new = {a: 1}    <- in force"]),
        (["--trials", "3"], "sweeper.search.trials", ["sweeper/config", "sweeper.search.trials = null",
            "line: sweeper.search.trials=3", "sweeper.search.trials = 3    <- in force"]),
    ],
)  # fmt: skip
def test_explain_tells_what_each_file_and_override_makes_of_the_very_key(parabola, words, key, said):
    parabola.write(
        config="defaults: [_self_, db: mysql]\nx: 1\ny: ???\n",
        db__mysql="host: a\nport: 2\n",
        db__pg="port: 1\n",
        late__off="# @package _global_\nx: null\ny: ???\n",
    )
    lines = parabola.run("--explain", key, *words).out.splitlines()
    assert len(lines) == len(said)
    assert all(line.endswith(end) for line, end in zip(lines, said, strict=True))


def test_explain_knows_the_defaults_of_a_schema(project):
    project.write(
        train_py="""
        from dataclasses import dataclass
        import sweeper

        @dataclass
        class Settings:
            lr: float = 0.1

        @sweeper.main()
        def train(settings: Settings):
            return settings.lr

        if __name__ == "__main__":
            train()
    """
    )
    assert project.run("--explain", "lr").out == "the schema Settings\n    lr = 0.1    <- in force\n"


def test_info_lists_the_search_path_and_the_defaults(parabola):
    parabola.write(config="defaults: [db: pg, _self_]\nx: 0\n", db__pg="port: 1\n")
    out = parabola.run("-i").out
    assert f"| main     | file://{parabola.folder}/conf" in out
    assert "\n  config:\n    db: pg\n    _self_\n" in out
    assert re.search(r"\| db/pg +\| db +\| False +\| config +\|", out)


def test_a_preview_of_the_config_knows_what_its_run_would(parabola):
    out = parabola.run("--cfg", "job", "--resolve", "+at=${sweeper:run.dir}", "+name2=${hydra:job.name}").out
    assert re.search(rf"at: {parabola.folder}/outputs/[\d-]+/[\d-]+\nname2: train\n", out)


def test_help_follows_the_template_that_a_tree_has(parabola):
    parabola.write(
        config="""
            x: 1
            hydra:
              help:
                app_name: mine
                template: |
                  ${hydra.help.app_name} has $$1 groups:
                  $APP_CONFIG_GROUPS
                  and is by default
                  $CONFIG
        """,
        db__pg="port: 1\n",
        db__my="port: 2\n",
    )
    assert parabola.run("--help").out == "mine has $1 groups:\ndb: my, pg\n\nand is by default\nx: 1\n"


def test_version_and_flags_are_printed(parabola):
    assert parabola.run("--version").out.startswith("sweeper 0.")
    assert "--multirun" in parabola.run("--hydra-help").out


def test_other_configs_are_chosen_by_flags(parabola, tmp_path):
    parabola.write(other="x: 8\n")
    (tmp_path / "more/g").mkdir(parents=True)
    (tmp_path / "more/g/a.yaml").write_text("y: 1\n")
    ended = parabola.run("train.py", "-m", "-cn", "other", "-cd", "more", "+g=a", "x=1,2")
    assert ended.record(0)["params"] == {"g": "a", "x": 1} or ended.record(0)["params"] == {"x": 1}
    assert (
        f"repeat the best  python train.py --config-name other --config-dir {tmp_path}/more +g=a x=2"
        in ended.out
    )


def test_a_file_given_as_a_config_path_is_refused_with_both_arguments_spelled_out(parabola):
    text = (
        (parabola.folder / "train.py")
        .read_text()
        .replace('config_path="conf"', 'config_path="conf/config.yaml"')
    )
    (parabola.folder / "train.py").write_text(text)
    assert "Write config_path='conf', config_name='config'" in parabola.run(code=2).err


def test_our_own_bug_shows_its_traceback(parabola):
    parabola.write(
        bug_py="""
        import sweeper.app, train
        sweeper.app.make_plan = lambda *_, **__: 1 / 0
        train.train()
    """
    )
    ended = parabola.run("bug.py", code=1)
    assert "ZeroDivisionError" in ended.err
