"""What makes a run repeatable is recorded on its own, and secrets stay with the run."""

import json
import sqlite3
import subprocess
from contextlib import closing

import pytest
import yaml

from sweeper.redact import MASK, hides, masked, masked_override
from sweeper.track import sqlite

SECRETIVE = """
    import sweeper

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        assert cfg.db.password != "***"
        return cfg.x

    if __name__ == "__main__":
        train()
"""


def git(folder, *words):
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *words], cwd=folder, check=True)


@pytest.fixture
def repository(parabola):
    git(parabola.folder, "init", "-q")
    git(parabola.folder, "add", "train.py", "conf")
    git(parabola.folder, "commit", "-qm", "first")
    return parabola


def test_a_single_run_records_where_it_came_from(parabola):
    origin = yaml.safe_load((parabola.run("x=4").run / ".sweeper/origin.yaml").read_text())
    assert origin["program"]["main"] == str(parabola.folder / "train.py")
    assert origin["program"]["command"] == "python train.py x=4"
    assert origin["versions"]["omegaconf"]
    assert len(origin["versions"]) > 5


@pytest.mark.parametrize("sweep", [False, True])
def test_what_differs_from_the_commit_is_kept_as_a_diff(repository, sweep):
    arguments = ("-m", "x=1,2") if sweep else ("x=1",)
    clean = repository.run(*arguments)
    folder = clean.sweep if sweep else clean.run / ".sweeper"
    assert not (folder / "git.diff").exists()
    script = repository.folder / "train.py"
    script.write_text(script.read_text() + "# changed\n")
    changed = repository.run(*arguments)
    folder = changed.sweep if sweep else changed.run / ".sweeper"
    assert "+# changed" in (folder / "git.diff").read_text()
    column = "git_dirty, git_branch is not null, length(git_commit)"
    assert set(repository.query(f"select {column} from runs")) == {(0, 1, 40), (1, 1, 40)}


def test_the_diff_of_a_resumed_sweep_stands_beside_the_first(repository):
    swept = repository.run("-m", "x=1,2", "--search", "random", "--trials", "2").sweep
    script = repository.folder / "train.py"
    script.write_text(script.read_text() + "# mended\n")
    repository.run("--resume", str(swept), "sweeper.search.trials=2")
    assert "+# mended" in (swept / "git.diff").read_text()


def test_a_config_with_interpolations_is_kept_resolved_too(project):
    project.write(
        config="x: 3\nhalf: ${x}\nlist: [1, '${half}']\ntoken: ${oc.env:HOME}\nbroken: ${nowhere}\nnode: ${inner}\n"
        "inner: {a: 1}\ndb: {password: hunter2}\n",
        train_py=SECRETIVE,
    )
    ended = project.run("x=5")
    found = yaml.safe_load((ended.run / ".sweeper/resolved.yaml").read_text())
    assert found["half"] == 5
    assert found["list"] == [1, 5]
    assert found["node"] == {"a": 1}
    assert found["broken"] == "${nowhere}", "what cannot be resolved stays as it was written"
    assert found["token"] == "${oc.env:HOME}", "a secret is not written down"
    assert "half: ${x}" in (ended.run / ".sweeper/config.yaml").read_text()


def test_a_config_without_interpolations_is_not_kept_twice(parabola):
    assert not (parabola.run("x=5").run / ".sweeper/resolved.yaml").exists()


# ----------------------------------------------------------------------------------------- secrets


@pytest.mark.parametrize(
    "key",
    ["password", "db.password", "DB_PASSWORD", "wandb.api_key", "apiKey", "hf_token", "authToken", "aws.secret_key",
     "client-secret", "credentials", "db.pwd", "db.pass", "db_pass", "db.passwords", "passwd", "secrets", "api_tokens",
     "AUTHORIZATION"],
)  # fmt: skip
def test_a_key_that_looks_like_a_secret_is_one(key):
    assert hides(key)


@pytest.mark.parametrize(
    "key",
    ["max_tokens", "tokens", "tokenizer", "pad_token", "secretary", "key", "monkey", "n_key_points", "token.length",
     "pass_through", "n_passes", "bypass", "forward_pass"],
)  # fmt: skip
def test_a_key_that_only_resembles_one_is_not(key):
    assert not hides(key)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("db.password=hunter2", "db.password=***"),
        ("+db={user: me, password: hunter2}", "+db={user: me, password: ***}"),
        ("db={auth: {token: 'a, b', n: 3}}", "db={auth: {token: ***, n: 3}}"),
        ("~db.password", "~db.password"),
        ("lr=0.1", "lr=0.1"),
        ("credentials.id=S", "credentials.id=***"),
        ("+a={password:[S]}", "+a={password: ***}"),
        ("+a={token:{k:S}}", "+a={token: ***}"),
        ("+a=[{b: {token: S}}, 1]", "+a=[{b: {token: ***}}, 1]"),
        ("a={token: S},{token: T}", "a=choice({token: ***}, {token: ***})"),
        ("a={n:  1,m: [2]}", "a={n:  1,m: [2]}"),
        ("a={token: S", "a={token: ***"),
        ("a={n: 1, 'token': [S, T]", "a={n: 1, 'token': ***"),
        ("db.url=http://u:S@h/", "db.url=http://u:***@h/"),
        ("db.url='http://u:S@t@h/'", "db.url='http://u:***@h/'"),
        (r"db.url=http\://u\:S@h/", r"db.url=http\://u\:***@h/"),
        ("+db={url: 'redis://:S@h'}", "+db={url: 'redis://:***@h'}"),
        ("sweeper.tracker.mlflow.uri=http://u:S@host", "sweeper.tracker.mlflow.uri=http://u:***@host"),
        ("sweeper.tracker={notify:{url:http://S}}", "sweeper.tracker={notify: {url: ***}}"),
        ("http://u:S@h/?a=b", "http://u:***@h/?a=b"),
        ("urls=[http://h:80/a,me@h]", "urls=[http://h:80/a,me@h]"),
        ("db@backup=mysql", "db@backup=mysql"),
    ],
)
def test_overrides_are_shown_without_secrets(text, shown):
    assert masked_override(text) == shown


def test_keys_may_be_named_with_wildcards():
    tree = {"a": {"pin": 1234, "who": "me"}, "list": [{"pin": 1}], "token": None}
    assert masked(tree, ["pin"]) == {"a": {"pin": MASK, "who": "me"}, "list": [{"pin": MASK}], "token": None}
    assert masked(tree, ["a.*"])["a"] == {"pin": MASK, "who": MASK}


def test_a_secret_node_hides_what_lies_in_it_and_a_url_its_password():
    assert masked({"credentials.id": "S", "x.y": 1}) == {"credentials.id": MASK, "x.y": 1}
    assert masked({"urls": ["http://u:S@h/", "http://h:80/"]}) == {
        "urls": ["http://u:***@h/", "http://h:80/"]
    }


def test_no_secret_reaches_the_database(project):
    project.write(
        config="x: 1\npin: 0\ndb: {user: me, password: '???'}\nsweeper: {tracker: {redact: [pin]}}\n",
        train_py=SECRETIVE,
    )
    project.run("db.password=hunter2", "pin=98765")
    project.run("-m", "x=1,2", "db.password=hunter2", "pin=98765")
    for file in project.folder.glob("sweeper.db*"):
        assert b"hunter2" not in file.read_bytes()
        assert b"98765" not in file.read_bytes()
    assert project.query("select value from params where key = 'db.password'") == [("***",)]
    assert project.query("select distinct overrides from runs order by 1")[0] == ("db.password=***\npin=***",)
    assert project.query("select command from sweeps") == [
        ("python train.py -m x=1,2 'db.password=***' 'pin=***'",)
    ]


def test_no_secret_reaches_the_database_inside_a_value(project):
    project.write(config="x: 1\ndb: {password: '???'}\n", train_py=SECRETIVE)
    nested = ("+credentials.id=hunter2", "+a={token:{k:[hunter2]}}", "+url=http://me:hunter2@host/")
    project.run("db.password=hunter2", *nested)
    project.run("-m", "db={password:hunter2},{password:hunter22}", *nested)
    for file in project.folder.glob("sweeper.db*"):
        assert b"hunter2" not in file.read_bytes()


def test_no_secret_reaches_a_tracker_through_what_refers_to_it(project, monkeypatch):
    monkeypatch.setenv("KEY_OF_MINE", "topsecret")
    project.write(
        config="x: 1\ndb: {user: me, password: hunter2}\nurl: host=h password=${db.password}\nagain: ${db}\n"
        "login: ${db.password}\nmode: hunter2\ntoken: ${oc.env:KEY_OF_MINE}\nheader: Bearer ${token}\n"
        "pin: 98765\ncode: ${pin}\nsweeper: {tracker: {redact: [pin]}}\n",
        train_py=SECRETIVE,
    )
    words = ("login=x${db.password}", "--tracker", "sacred")
    first, second = project.run(*words).run, project.run("-m", "x=2,3", *words).sweep / "0"
    told = project.run("-m", "sweeper", "compare", str(first), str(second), "--json").out
    project.run("-m", "sweeper", "report", "--out", "page.html")
    kept = [*project.folder.glob("sacred/*/config.json"), project.folder / "page.html"]
    for text in (told, *(path.read_text() for path in kept)):
        assert not {word for word in ("hunter2", "topsecret", "98765") if word in text}
    config = json.loads((project.folder / "sacred/1/config.json").read_text())
    assert (config["header"], config["mode"], config["db"]["user"]) == ("Bearer ${token}", MASK, "me")
    assert "topsecret" not in (first / ".sweeper/resolved.yaml").read_text()


@pytest.mark.parametrize(
    ("tree", "shown"),
    [
        ({"password": "hunter2", "url": "h:hunter2:hunter2"}, {"password": "***", "url": "h:***:***"}),
        ({"secrets": ["longer", "longest"], "of": ["longest"]}, {"secrets": "***", "of": ["***"]}),
        ({"password": "test", "x": "test", "y": "latest"}, {"password": "***", "x": "test", "y": "latest"}),
        ({"password": "???", "x": "???"}, {"password": "***", "x": "???"}),
        ({"password": "", "x": ""}, {"password": "***", "x": ""}),
    ],
)
def test_the_text_of_a_secret_is_hidden_wherever_else_it_stands(tree, shown):
    assert masked(tree) == shown


def test_no_secret_is_exported_to_optuna(project):
    import optuna

    project.write(
        config="x: 1\npin: 0\ncode: 1\ndb: {password: a}\nsweeper: {tracker: {redact: [pin, code]}}\n",
        train_py=SECRETIVE,
    )
    words = ("pin=interval(98765.0,98766.0)", "code=range(4321,4323)", "db.password=hunter2,hunter3", "x=1,2")
    sweep = project.run("-m", "--search", "random", "--trials", "3", *words).sweep
    project.run("-m", "sweeper", "export", str(sweep), "--to", "optuna")
    url = f"sqlite:///{sweep}/optuna.db"
    trials = optuna.load_study(study_name=None, storage=url).trials
    assert [set(trial.params) for trial in trials] == [{"x", "db.password"}] * 3
    for trial in trials:
        shown = trial.user_attrs["params"]
        assert (shown["pin"], shown["code"], shown["db.password"]) == (MASK, MASK, MASK)
        assert shown["x"] in (1, 2)
    assert b"hunter" not in (sweep / "optuna.db").read_bytes()


def test_no_secret_is_compared(project):
    project.write(
        config="x: 1\ncode: ${pin}\npin: 12345\ndb: {password: a}\nsweeper: {tracker: {redact: [pin, code]}}\n",
        train_py=SECRETIVE,
    )
    single = project.run("x=3").run
    config = project.folder / "conf/config.yaml"
    config.write_text(config.read_text().replace("12345", "98765"))
    swept = project.run("-m", "x=1,2").sweep
    shown = project.run("-m", "sweeper", "compare", str(single), str(swept / "0"), "--json").out
    assert '"params.x"' in shown
    assert "12345" not in shown
    assert "98765" not in shown


def test_a_list_of_keys_is_wanted(parabola):
    ended = parabola.run("x=1", "++sweeper.tracker.redact=pin", code=2)
    assert "sweeper.tracker.redact is a list of keys, not pin" in ended.err


def test_only_the_record_that_holds_resolved_secrets_is_closed_to_others(parabola, monkeypatch):
    monkeypatch.setenv("KEY_OF_MINE", "hunter2")
    records = parabola.run("x=1", "+sweeper.job.env.API_KEY=${oc.env:KEY_OF_MINE}").run / ".sweeper"
    usual = (parabola.folder / "train.py").stat().st_mode & 0o777
    modes = {path.name: path.stat().st_mode & 0o777 for path in records.iterdir()}
    assert [path.name for path in records.iterdir() if "hunter2" in path.read_text()] == ["job.json"]
    assert modes.pop("job.json") == 0o600
    assert set(modes.values()) == {usual}


# ------------------------------------------------------------------------------------ the database


def test_a_database_of_the_first_version_is_brought_up_to_date(parabola):
    with closing(sqlite3.connect(parabola.folder / "sweeper.db")) as db:
        db.executescript(sqlite._STEPS[0] + "; pragma user_version = 1;")
        db.execute("insert into runs (id, status, score) values ('old', 'COMPLETED', 7)")
        db.commit()
    parabola.run("x=4")
    assert parabola.query("pragma user_version") == [(sqlite.VERSION,)]
    rows = parabola.query("select score, command from runs order by started is null desc")
    assert rows == [(7.0, None), (1.0, "python train.py x=4")]


def test_a_database_of_a_later_version_is_left_alone(parabola):
    with closing(sqlite.connect(str(parabola.folder / "sweeper.db"))) as db:
        db.execute("pragma user_version = 99")
        db.execute("drop table runs")
    ended = parabola.run("x=4")
    assert f"written by a newer sweeper (schema 99; this one knows {sqlite.VERSION})" in ended.err
    assert parabola.query("select name from sqlite_master where name = 'runs'") == []


@pytest.mark.parametrize("version", [0, 9])
def test_a_database_of_another_program_is_left_as_it_is(parabola, version):
    path = parabola.folder / "other.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("create table studies (study_id integer)")
        db.execute(f"pragma user_version = {version}")
    before = path.read_bytes()
    ended = parabola.run("x=1", "sweeper.tracker.sqlite.path=other.db")
    assert "other.db cannot be used: it is the database of another program, not of sweeper" in ended.err
    assert path.read_bytes() == before


def test_the_versions_of_packages_are_kept_once_for_all_runs_that_had_them(parabola):
    for x in (1, 2):
        parabola.run(f"x={x}")
    parabola.run("-m", "x=1,2")
    ((versions, python),) = parabola.query("select versions, python from environments")
    assert versions.startswith(f"python=={python}\n")
    assert len(parabola.query("select * from runs join environments on environment = environments.id")) == 4


def test_a_resumed_sweep_tells_a_tracker_only_what_it_lacks(parabola):
    swept = parabola.run("-m", "x=1,2,3").sweep
    with closing(sqlite3.connect(parabola.folder / "sweeper.db")) as db:
        db.execute("update runs set host = 'kept' where number = 0")
        db.execute("delete from runs where number = 1")
        db.execute("insert into tags select id, 'mine', '1' from runs where number = 2")
        db.commit()
    parabola.run("--resume", str(swept))
    assert parabola.query("select number, host = 'kept', score from runs order by number") == [
        (0, 1, 4.0), (1, 0, 1.0), (2, 0, 0.0),
    ]  # fmt: skip
    assert parabola.query("select key, value from tags") == [("mine", "1")]
