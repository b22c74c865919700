"""Trackers: one small sweep that each of them is told of, and one reader each that reads it back.

A new member is a line in MEMBERS: its package, its settings, and a reader that returns what it kept
as `Kept`, whatever its own words for it are.
"""

import json
import math
import os
import signal
import sqlite3
import struct
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conftest import Project

SECRET = "hunter2"
TRAIN = """
    import math, os, sys, time
    import sweeper

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        run = sweeper.current_run()
        with open(f"{run.directory}/model.txt", "w") as file:
            file.write("weights")
        run.log_artifact(f"{run.directory}/model.txt")
        run.log_input("data", __file__)
        run.set_tag("stage", "größer")
        time.sleep(cfg.sleep)
        for step, loss in enumerate([cfg.x, math.nan, cfg.x / 4]):
            sweeper.report({"loss": loss}, step=step)
            sweeper.report({"größe/ä b": math.inf}, step=step)
        if cfg.how == "raise" or (cfg.how == "again" and not run.directory.endswith(".1")):
            raise ValueError("boom")
        if cfg.how == "prune":
            raise sweeper.Pruned
        return {"accuracy": cfg.x / 10, "extra": 2.0}

    if __name__ == "__main__":
        train()
"""
CONFIG = """
    defaults:
      - opt/sched: cos
    x: 1.0
    how: well
    sleep: 0
    title: ${how}, naïve
    db: {user: me, password: hunter2}
    sweeper:
      note: a first look
      objective: {metric: accuracy, direction: maximize}
      launcher: {retries: 1, retry_on: [error], max_failures: null}
"""
SWEEP = (
    "--search", "zip", "how=well,raise,prune,again", "x=1,2,3,4", "opt/sched=cos,step,poly,warm",
    "+api_key=hunter2", "--jobs", "2",
)  # fmt: skip
STATUS = {0: "COMPLETED", 1: "FAILED", 2: "PRUNED", 3: "COMPLETED"}
PARAMS = {n: {"how": how, "x": n + 1, "opt/sched": s} for n, (how, s) in enumerate(
    [("well", "cos"), ("raise", "step"), ("prune", "poly"), ("again", "warm")]
)}  # fmt: skip


class Kept(NamedTuple):
    """What a tracker kept of a run."""

    number: int
    status: str
    score: float | None
    params: dict[str, Any]
    metrics: dict[str, list[tuple[int | None, float]]]


# ---------------------------------------------------------------------------------------- readers


def read_sqlite(folder: Path, sent: list) -> list[Kept]:
    found = []
    with closing(sqlite3.connect(folder / "sweeper.db")) as db:
        for name, number, status, score in db.execute(
            "select id, number, status, score from runs"
        ).fetchall():
            params = dict(db.execute("select key, value from params where run_id = ?", (name,)))
            metrics: dict = {}
            rows = db.execute(
                "select name, step, value from metrics where run_id = ? order by rowid", (name,)
            )
            for metric, step, value in rows:
                metrics.setdefault(metric, []).append((step, math.nan if value is None else value))
            found.append(Kept(number, status, score, params, metrics))
    return found


def wandb_records(path: Path) -> list:
    """Return the records of a `.wandb` file: protocol buffers in the frames of a LevelDB log."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, part, records = path.read_bytes(), 7, b"", []
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:  # no frame's head goes over the end of a block
            at += 32768 - at % 32768
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        part += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last of several
            records.append(Record.FromString(part))
            part = b""
    return records


def read_wandb(folder: Path, sent: list) -> list[Kept]:
    found = []
    for path in folder.glob("wandb/offline-run-*/run-*.wandb"):
        config: dict = {}
        summary: dict = {}
        metrics: dict = {}
        exits = []
        for record in wandb_records(path):
            for update in (record.run.config, record.config):
                config.update({item.key: json.loads(item.value_json) for item in update.update})
            summary.update(
                {i.key or i.nested_key[0]: json.loads(i.value_json) for i in record.summary.update}
            )
            row = {i.key or i.nested_key[0]: json.loads(i.value_json) for i in record.history.item}
            for name in row.keys() - {"step"}:
                if not name.startswith("_"):
                    metrics.setdefault(name, []).append((row.get("step"), float(row[name])))
            if record.HasField("exit"):
                exits.append(record.exit.exit_code)
        ours = config["sweeper"]
        metrics.update({n: [(None, summary[n])] for n in ("accuracy", "extra") if n in summary})
        assert exits == [1 if summary["status"] == "FAILED" else 0]
        assert config["title"] == f"{ours['params']['how']}, naïve", "it is resolved"
        found.append(Kept(ours["number"], summary["status"], summary.get("score"), ours["params"], metrics))
    return found


def read_comet(folder: Path, sent: list) -> list[Kept]:
    found = []
    for path in folder.glob("comet/*.zip"):
        params: dict = {}
        others: dict = {}
        metrics: dict = {}
        with zipfile.ZipFile(path) as archive:
            lines = archive.read("messages.json").decode().splitlines()
        for line in lines:
            kind, said = json.loads(line)["type"], json.loads(line)["payload"]
            if kind == "parameter_msg":
                params[said["param"]["paramName"]] = said["param"]["paramValue"]
            elif kind == "metric_msg" and said["metric"]["metricName"] != "process duration":
                metric = said["metric"]
                metrics.setdefault(metric["metricName"], []).append(
                    (metric["step"], float(metric["metricValue"]))
                )
            elif kind == "log_other":
                others[said["key"]] = said["value"]
        named = others["sweeper.params"].split(", ")
        score = float(others["score"]) if "score" in others else None
        number = int(others["sweeper.number"])
        found.append(Kept(number, others["status"], score, {n: params[n] for n in named}, metrics))
    return found


def read_tensorboard(folder: Path, sent: list) -> list[Kept]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata

    found = []
    for path in (folder / "here/tensorboard").iterdir():
        events = EventAccumulator(str(path), {"scalars": 0, "tensors": 0}).Reload()
        contents = events.PluginTagToContent("hparams")
        started = metadata.parse_session_start_info_plugin_data(contents[metadata.SESSION_START_INFO_TAG])
        params = {n: getattr(v, v.WhichOneof("kind")) for n, v in started.hparams.items()}
        text = events.Tensors("sweeper")[0].tensor_proto.string_val[0].decode()
        said = json.loads(text)
        metrics = {t: [(e.step, e.value) for e in events.Scalars(t)] for t in events.Tags()["scalars"]}
        found.append(Kept(int(path.name), said["status"], said["score"], params, metrics))
    return found


def read_sacred(folder: Path, sent: list) -> list[Kept]:
    found = []
    for path in sorted((folder / "sacred").iterdir()):
        if not path.name.isdigit():
            continue
        run, metrics, info = (
            json.loads((path / f"{name}.json").read_text()) for name in ("run", "metrics", "info")
        )
        series = {n: list(zip(m["steps"], m["values"], strict=True)) for n, m in metrics.items()}
        ours = info["sweeper"]
        assert run["status"] == {"PRUNED": "INTERRUPTED"}.get(ours["status"], ours["status"])
        assert (path / "model.txt").read_text() == "weights"
        assert run["artifacts"] == ["model.txt"]
        found.append(
            Kept(ours["number"], ours["status"], run["result"], run["meta"]["config_updates"], series)
        )
    return found


def read_notify(folder: Path, sent: list) -> list[Kept]:
    return [
        Kept(
            m["number"], m["status"], m["score"], m["params"],
            {name: [(None, float(value))] for name, value in m["metrics"].items()},
        )
        for m in (message["sweeper"] for message in sent)
        if m["event"] == "run"
    ]  # fmt: skip


def read_mine(folder: Path, sent: list) -> list[Kept]:
    found: dict[int, Kept] = {}
    for line in (folder / "mine.jsonl").read_text().splitlines():
        said = json.loads(line)
        if "params" in said:
            found[said["number"]] = Kept(said["number"], "RUNNING", None, said["params"], {})
        elif "status" in said:
            kept = found[said["number"]]
            assert kept.status == "RUNNING", "told of its end once"
            for name, value in said["metrics"].items():
                kept.metrics.setdefault(name, [(None, value)])
            found[said["number"]] = kept._replace(status=said["status"], score=said["score"])
        else:
            for name, value in said["reported"].items():
                found[said["number"]].metrics.setdefault(name, []).append((said["step"], value))
    return list(found.values())


MINE = """
    import json

    class Mine:
        def __init__(self, sweep, path="mine.jsonl"):
            self.file = open(f"{sweep.folder}/{path}", "a", buffering=1)

        def write(self, run, **what):
            self.file.write(json.dumps({"number": run.number, **what}) + "\\n")

        def start(self, run):
            self.write(run, params=dict(run.params))

        def log(self, run, metrics, step, at):
            self.write(run, reported=metrics, step=step)

        def finish(self, run, outcome):
            self.write(run, status=outcome.status, score=outcome.score, metrics=dict(outcome.metrics))
"""


class Member(NamedTuple):
    """A tracker that the suite tries: what it needs, how it is set, what it writes, and who reads it."""

    read: Callable[[Path, list], list[Kept]]
    package: str = ""
    settings: tuple[str, ...] = ()
    places: tuple[str, ...] = ()  # of what it writes
    steps: bool = True  # whether it keeps metrics by step


MEMBERS = {
    "sqlite": Member(read_sqlite, places=("sweeper.db*",)),
    "wandb": Member(read_wandb, "wandb", ("sweeper.tracker.wandb.mode=offline",), ("wandb/**/*",)),
    "comet": Member(read_comet, "comet_ml", ("sweeper.tracker.comet.mode=offline",), ("comet/*",)),
    "tensorboard": Member(read_tensorboard, "tensorboard", places=("here/tensorboard/**/*",)),
    "sacred": Member(read_sacred, places=("sacred/**/*",)),
    "notify": Member(
        read_notify,
        settings=(
            "sweeper.tracker.notify.url=${oc.env:HOOK_URL}",
            "sweeper.tracker.notify.on=[completed,failed,pruned,sweep]",
        ),
        steps=False,
    ),
    "mine": Member(read_mine, places=("mine.jsonl",)),
}
here = {name: m for name, m in MEMBERS.items() if not m.package or find_spec(m.package)}
every = pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[] if n in here else pytest.mark.skip(f"{m.package} is not installed"))
     for n, m in MEMBERS.items()],
)  # fmt: skip


# ---------------------------------------------------------------------------------------- the sweep


class Hook:
    """A web server that keeps what is posted to it, and answers with a code."""

    def __init__(self) -> None:
        self.got: list[dict] = []
        self.codes: list[int] = []  # to answer with, one by one; then 200
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                code = hook.codes.pop(0) if hook.codes else 200
                if code == 200:
                    hook.got.append(json.loads(body))
                self.send_response(code)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/services/T0/{SECRET}-hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def hook():
    found = Hook()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def quiet_hook(hook):
    hook.got.clear()
    hook.codes.clear()
    return hook


def make(folder: Path, hook: Hook) -> Project:
    """Return a project with a tracker of its own, a secret, and the address of the webhook."""
    project = Project(folder).write(
        config=CONFIG, train_py=TRAIN, **{f"opt__sched__{kind}": f"kind: {kind}\n" for kind in ("cos", "step", "poly", "warm")},
        mine_py=MINE, sweeper__tracker__mine="mine: {_target_: mine.Mine}\n",
    )  # fmt: skip
    os.environ["HOOK_URL"] = hook.url
    return project


def arguments(names=tuple(here)) -> list[str]:
    settings = [text for name in names for text in MEMBERS[name].settings]
    return ["--tracker", ",".join(names), *settings, "sweeper.sweep.dir=here"]


@pytest.fixture(scope="module")
def told(tmp_path_factory, hook):
    """A sweep that every tracker was told of: its project, and what the webhook got."""
    project = make(tmp_path_factory.mktemp("told"), hook)
    hook.got.clear()
    before = time.monotonic()
    ended = project.run(*SWEEP, *arguments(), code=1)
    assert "warning" not in ended.err, ended.err
    return project, list(hook.got), time.monotonic() - before


def kept(name, told) -> dict[int, Kept]:
    project, sent, *_ = told
    runs = MEMBERS[name].read(project.folder, sent)
    assert sorted(run.number for run in runs) == sorted({run.number for run in runs}), "once each"
    return {run.number: run for run in runs}


def same(a, b) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=1e-6)


@every
def test_each_run_is_there_once_with_its_status_and_score(name, told):
    runs = kept(name, told)
    assert {number: run.status for number, run in runs.items()} == STATUS
    assert runs[0].score == pytest.approx(0.1)
    assert runs[3].score == pytest.approx(0.4)
    assert runs[1].score is runs[2].score is None


@every
def test_each_run_has_its_params(name, told):
    for number, run in kept(name, told).items():
        assert run.params == PARAMS[number]


@every
def test_each_run_has_its_metrics_by_step_those_of_its_last_attempt(name, told):
    for number, run in kept(name, told).items():
        x = number + 1
        values = [x, math.nan, x / 4]
        wanted = {"loss": list(enumerate(values)), "größe/ä b": [(s, math.inf) for s in range(3)]}
        if not MEMBERS[name].steps:
            wanted = {"loss": [(None, x / 4)], "größe/ä b": [(None, math.inf)]}
        for metric, series in wanted.items():
            found = run.metrics[metric]
            assert [step for step, _ in found] == [step for step, _ in series]
            assert all(same(a, b) for (_, a), (_, b) in zip(found, series, strict=True)), (metric, found)
        if STATUS[number] == "COMPLETED":
            assert run.metrics["extra"][-1][1] == 2.0


def written(folder: Path, places) -> dict[Path, bytes]:
    """Return what lies in files, those in zip files unpacked."""
    found = {}
    for place in places:
        for path in folder.glob(place):
            if path.is_file():
                found[path] = path.read_bytes()
                if path.suffix == ".zip":
                    with zipfile.ZipFile(path) as archive:
                        found[path] = b"".join(archive.read(member) for member in archive.namelist())
    return found


@every
def test_no_secret_is_in_what_it_wrote(name, told):
    project, sent, _ = told
    files = written(project.folder, MEMBERS[name].places)
    assert files or name == "notify"
    for path, content in files.items():
        assert SECRET.encode() not in content, path
    assert SECRET not in json.dumps(sent)


def test_a_sweep_that_is_resumed_tells_nothing_twice(told, hook):
    project = told[0]
    places = [place for member in MEMBERS.values() for place in member.places if "sweeper.db" not in place]
    before, seen = written(project.folder, places), len(hook.got)
    project.run("--resume", "here", code=1)
    assert len(hook.got) == seen
    assert written(project.folder, places) == before
    assert len(read_sqlite(project.folder, [])) == 4


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> bool:
    for _ in range(int(seconds / 0.05)):
        if condition():
            return True
        time.sleep(0.05)
    return False


def services(pid: int) -> list[str]:
    """Return the service processes of wandb's that were started for a process."""
    lines = subprocess.run(["pgrep", "-af", "wandb-core"], capture_output=True, text=True).stdout.splitlines()
    return [line for line in lines if f"--pid {pid}" in line]


@pytest.mark.parametrize(("number", "names"), [(signal.SIGKILL, [*here]), (signal.SIGINT, ["wandb"])])
def test_a_sweep_that_was_cut_off_is_told_once_when_it_is_resumed(tmp_path, quiet_hook, number, names):
    # A webhook has no store to ask: one sent just before a SIGKILL may be sent again.
    names = [name for name in names if name in here and name != "notify"]
    project = make(tmp_path, quiet_hook)
    process = project.start("train.py", *SWEEP, *arguments(names), "sleep=0.5", "sweeper.launcher.grace=0")
    journal = tmp_path / "here/sweep.jsonl"
    assert wait_for(lambda: journal.exists() and '"number": 2' in journal.read_text()), "the third began"
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert wait_for(lambda: not services(process.pid)), "nothing outlives the sweep"
    project.run("--resume", "here", code=1)
    for name in names:
        runs = kept(name, (project, quiet_hook.got))
        assert {number: run.status for number, run in runs.items()} == STATUS, name
        assert runs[3].score == pytest.approx(0.4), name


# ------------------------------------------------------------------------------------- what goes wrong


def fails(project, *settings: str, trackers: str) -> str:
    """Return what a sweep with trackers that fail says; it is done all the same."""
    ended = project.run("-m", "x=1,2", "--tracker", trackers, *settings)
    assert [row["status"] for row in ended.results] == ["COMPLETED"] * 2
    assert "Traceback" not in ended.err
    assert len(project.query("select * from runs where status = 'COMPLETED'")) == 2
    return ended.err


def test_a_package_that_is_not_installed_is_named_with_its_extra(parabola):
    for package in ("wandb", "comet_ml", "tensorboard"):
        (parabola.folder / f"{package}.py").write_text("raise ImportError('gone')\n")
    said = fails(parabola, trackers="wandb,comet,tensorboard")
    for name, package in (("wandb", "wandb"), ("comet", "comet_ml"), ("tensorboard", "tensorboard")):
        line = f"warning: the tracker '{name}' fails, and is left out from here on: it needs the package {package}"
        assert line in said
        assert f"  pip install 'sweeper[{name}]'\n" in said


WRONG = [
    {
        "wandb": ("mode=offlin", "sweeper.tracker.wandb.mode must be one of online, offline, disabled"),
        "comet": ("mode=of", "sweeper.tracker.comet.mode must be online or offline"),
        "tensorboard": ("dir=train.py", "Not a directory"),
        "sacred": ("dir=train.py", "File exists"),
        "notify": ("url=ftp://hunter2", "sweeper.tracker.notify.url must be an http or https address"),
    },
    {
        "wandb": ("mode=online", "Weights & Biases has no key of yours\n  Call `wandb login`"),
        "comet": ("mode=online", "Comet has no key of yours\n  Call `comet login`"),
        "notify": ("on=fail", "not 'fail'\n  Did you mean 'failed'?"),
    },
]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_setting_that_cannot_work_costs_one_clear_line(parabola, monkeypatch, wrong):
    monkeypatch.setenv("HOME", str(parabola.folder))
    for variable in ("WANDB_API_KEY", "COMET_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(variable, raising=False)
    wrong = {name: case for name, case in wrong.items() if name in here}
    settings = [f"sweeper.tracker.{name}.{text}" for name, (text, _) in wrong.items()]
    said = fails(parabola, *settings, trackers=",".join(wrong))
    for name, (_, words) in wrong.items():
        assert words in said
        assert said.count(f"warning: the tracker '{name}' fails, and is left out from here on: ") == 1
    assert SECRET not in said


def test_a_webhook_that_is_not_there_is_tried_three_times(parabola):
    url = "sweeper.tracker.notify.url=http://127.0.0.1:9/T0/hunter2"
    said = fails(parabola, url, trackers="notify")
    assert "the webhook at 127.0.0.1 cannot be reached (Connection refused)" in said
    assert SECRET not in said


def test_a_setting_that_does_not_exist_is_a_mistake(parabola):
    ended = parabola.run("-m", "x=1,2", "+sweeper.tracker.wandb.projct=p", "--tracker", "wandb", code=2)
    assert ended.err == (
        "error: There is no setting sweeper.tracker.wandb.projct\n  Did you mean 'project'?\n"
    )
    ended = parabola.run("-m", "x=1,2", "+sweeper.tracker.mine=3", code=2)
    assert ended.err.startswith("error: sweeper.tracker.mine must be a mapping, not 3\n")
    assert not (parabola.folder / "multirun").exists(), "it shows before anything is made"


@pytest.mark.skipif("wandb" not in here, reason="wandb is not installed")
def test_runs_are_kept_where_weights_and_biases_does_not_answer(parabola, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "1")
    said = fails(parabola, trackers="wandb")
    assert said.count("does not answer") == 1
    assert "wandb sync ./wandb/offline-run-*" in said
    assert len(list(parabola.folder.glob("wandb/offline-run-*/*.wandb"))) == 2


# ----------------------------------------------------------------------------------- each one's own


def test_a_webhook_is_asked_again_when_its_server_fails_and_told_only_what_was_chosen(parabola, quiet_hook):
    quiet_hook.codes[:] = [503, 429]
    parabola.run("-m", "x=3,4", "--tracker", "notify", f"sweeper.tracker.notify.url={quiet_hook.url}")
    (message,) = quiet_hook.got
    assert message["text"].startswith("train: sweep ended after ")
    assert message["text"].endswith("s: 2 COMPLETED; best (minimize score): run 0, score 0, x=3")
    assert message["sweeper"]["event"] == "sweep"
    assert message["sweeper"]["best"] == {
        "run": f"{message['sweeper']['sweep']}/0",
        "number": 0,
        "score": 0.0,
    }


def test_a_webhook_that_refuses_is_left_out_and_its_address_is_shown_nowhere(parabola, quiet_hook):
    quiet_hook.codes[:] = [404]
    settings = f"sweeper.tracker.notify={{url: '{quiet_hook.url}', on: [completed]}}"
    said = fails(parabola, settings, trackers="notify,sacred")
    assert "the webhook at 127.0.0.1 answers 404" in said
    assert quiet_hook.got == []
    for path, content in written(parabola.folder, ("sweeper.db*", "sacred/**/*")).items():
        assert b"hunter2-hook" not in content, path


def test_a_failed_run_is_told_with_its_last_line(told):
    _, sent, _ = told
    (text,) = (m["text"] for m in sent if m["sweeper"].get("status") == "FAILED" and "run" in m["sweeper"])
    assert text.startswith("train: run 1 FAILED after ")
    assert text.endswith("how=raise x=2 opt/sched=step: ValueError: boom")


@pytest.mark.skipif("tensorboard" not in here, reason="tensorboard is not installed")
@pytest.mark.filterwarnings("ignore")  # of its own
def test_hparams_shows_the_params_and_the_metrics_of_a_sweep(told):
    from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
    from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
    from tensorboard.context import RequestContext
    from tensorboard.plugins.base_plugin import TBContext
    from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups

    events = EventMultiplexer().AddRunsFromDirectory(str(told[0].folder / "here/tensorboard"))
    events.Reload()
    provider = MultiplexerDataProvider(events, "here")
    backend = backend_context.Context(TBContext(data_provider=provider))
    context, metadata = RequestContext(), backend.hparams_metadata(RequestContext(), "here")
    found = backend.experiment_from_metadata(
        context, "here", True, metadata, backend.hparams_from_data_provider(context, "here", None)
    )
    assert {info.name for info in found.hparam_infos} == {"how", "x", "opt/sched"}
    assert {"loss", "accuracy", "extra"} <= {info.name.tag for info in found.metric_infos}
    statuses = [api_pb2.STATUS_SUCCESS, api_pb2.STATUS_FAILURE, api_pb2.STATUS_UNKNOWN]
    request = api_pb2.ListSessionGroupsRequest(
        allowed_statuses=statuses, slice_size=10,
        col_params=[api_pb2.ColParams(hparam="x", order=api_pb2.ORDER_ASC)],
    )  # fmt: skip
    groups = list_session_groups.Handler(context, backend, "here", request).run().session_groups
    assert [group.name for group in groups] == ["0", "1", "2", "3"]
    assert [group.sessions[0].status for group in groups] == [statuses[at] for at in (0, 1, 2, 0)]


@pytest.mark.skipif(not find_spec("sacred"), reason="sacred is not installed")
def test_a_folder_of_sacreds_has_the_keys_that_sacred_itself_writes(told, tmp_path):
    (tmp_path / "real.py").write_text("""
from sacred import Experiment
from sacred.observers import FileStorageObserver

experiment = Experiment("real", save_git_info=False)
experiment.observers.append(FileStorageObserver("runs"))

@experiment.main
def train(_run, seed):
    _run.log_scalar("loss", 1.0, 0)
    open("model.txt", "w").write("weights")
    _run.add_artifact("model.txt")
    _run.add_resource("real.py")
    return 0.5

experiment.run()
""")
    subprocess.run([sys.executable, "real.py"], cwd=tmp_path, check=True, capture_output=True)

    def read(folder):
        return {
            name: json.loads((folder / f"{name}.json").read_text()) for name in ("run", "metrics", "config")
        }

    ours = next(
        run for run in map(read, (told[0].folder / "sacred").glob("[0-9]*")) if run["run"]["result"] == 0.1
    )
    theirs = read(tmp_path / "runs/1")
    assert ours["run"].keys() == theirs["run"].keys()
    for key in ("experiment", "host"):
        assert ours["run"][key].keys() == theirs["run"][key].keys()
    assert theirs["run"]["meta"].keys() <= ours["run"]["meta"].keys()
    assert ours["metrics"]["loss"].keys() == theirs["metrics"]["loss"].keys()
    assert {k: type(v) for k, v in ours["run"].items()} == {k: type(v) for k, v in theirs["run"].items()}
    ((name, kept),) = ours["run"]["experiment"]["sources"]
    assert name == "train.py"
    assert (told[0].folder / "sacred" / kept).read_text() == (told[0].folder / "train.py").read_text()


@pytest.mark.skipif("wandb" not in here, reason="wandb is not installed")
@pytest.mark.parametrize(("how", "count"), [(["x=1"], 1), (["-m", "x=1,2", "sweeper/launcher=inline"], 2)])
def test_a_function_that_uses_wandb_itself_makes_a_run_of_its_own(project, monkeypatch, how, count):
    monkeypatch.setenv("WANDB_MODE", "offline")
    project.write(
        config="x: 1\nsweeper: {name: ours}\n",
        train_py="""
        import time
        import sweeper, wandb

        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            time.sleep(1)
            wandb.init(project="mine", settings=wandb.Settings(console="off", silent=True))
            wandb.log({"own": 1})
            wandb.finish()
            sweeper.report({"loss": 2.0}, step=0)
            return 1.0

        if __name__ == "__main__":
            train()
    """,
    )
    ended = project.run(*how, "--tracker", "wandb")
    assert "warning" not in ended.err
    found = [wandb_records(path) for path in project.folder.glob("wandb/offline-run-*/*.wandb")]
    keys = {"mine": [], "ours": []}
    for records in found:
        project = next(r.run.project for r in records if r.HasField("run"))
        keys[project].append({i.key or i.nested_key[0] for r in records for i in r.history.item})
    assert len(keys["mine"]) == len(keys["ours"]) == count
    assert all("own" in found and "loss" not in found for found in keys["mine"])
    assert all("loss" in found and "own" not in found for found in keys["ours"])


@pytest.mark.skipif("wandb" not in here, reason="wandb is not installed")
def test_a_run_of_weights_and_biases_has_the_sweep_as_its_group_the_tags_and_the_note(told):
    folder = told[0].folder
    (path,) = folder.glob("wandb/offline-run-*-0/run-*.wandb")
    run = next(record.run for record in wandb_records(path) if record.HasField("run"))
    sweep = folder.joinpath("here/sweep.yaml").read_text().partition("\n")[0].removeprefix("id: ")
    assert (run.run_group, run.job_type, run.display_name) == (sweep, "zip", "train-0")
    assert (run.project, run.notes) == ("train", "a first look")
    assert any("stage=größer" in r.run.tags for r in wandb_records(path))


# --------------------------------------------------------------------------------- one of your own

DOCUMENT = (Path(__file__).parents[1] / "docs/pages/howto/trackers.md").read_text()


def block(title: str) -> str:
    """Return the code of the documents that begins with a comment."""
    return DOCUMENT.partition(f"# {title}\n")[2].partition("```")[0]


def test_a_number_of_more_than_64_bits_ends_no_tracker(parabola):
    parabola.write(
        train_py=TRAIN.replace('{"accuracy": cfg.x / 10, "extra": 2.0}', '{"a": 10**19, "b": -(10**400)}')
    )
    settings = ("how=well", "sleep=0", "sweeper.objective.metric=a")
    words = [f"+{word}" if "sweeper" not in word else word for word in settings]
    names = [name for name in ("sacred", "tensorboard") if name in here]
    ended = parabola.run("-m", "x=1,2", *words, "--tracker", ",".join(names))
    assert ended.err == ""
    assert parabola.query("select score from runs") == [(1e19,), (1e19,)]
    assert parabola.query("select distinct value from metrics where name = 'b'") == [(-math.inf,)]


def test_a_tracker_of_another_package_is_found_by_its_entry_point(parabola):
    (parabola.folder / "lines.py").write_text(block("lines.py"))
    installed = parabola.folder / "lines-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: lines\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(
        "[sweeper.trackers]\nlines = lines:Lines\nbroken = lines:Lost\n"
    )
    parabola.run("x=1", "sweeper.tracker.lines={}")
    assert "COMPLETED score 4" in (parabola.folder / "lines.txt").read_text()
    ended = parabola.run("-m", "x=1,2", "sweeper.tracker.linse={}", code=2)
    assert ended.err == "error: There is no tracker 'linse'\n  Did you mean 'lines'?\n"
    ended = parabola.run("-m", "x=1,2", "sweeper.tracker.broken={}", code=2)
    assert ended.err.startswith("error: The tracker 'broken' cannot be imported: ")


def test_a_tracker_that_raises_is_left_out_and_the_sweep_goes_on(parabola):
    parabola.write(
        sweeper__tracker__bad="bad: {_target_: bad.Bad}\n",
        bad_py="class Bad:\n    def __init__(self, sweep): pass\n    def start(self, run): return 1 / 0\n",
    )
    said = fails(parabola, trackers="bad")
    assert said == (
        "warning: the tracker 'bad' fails, and is left out from here on: ZeroDivisionError: division by zero\n"
    )


def test_a_single_run_is_told_like_any_other(tmp_path, quiet_hook):
    project = make(tmp_path, quiet_hook)
    folder = project.run("how=well", *arguments(), f"sweeper.run.dir={tmp_path}/here").folder
    for name in here.keys() - {"tensorboard"}:
        (run,) = MEMBERS[name].read(folder, quiet_hook.got)
        assert (run.number, run.status, run.score) == (0, "COMPLETED", pytest.approx(0.1)), name
        assert run.params == {"how": "well"}, name
    assert quiet_hook.got[0]["text"].startswith("train: the run COMPLETED after ")
    assert quiet_hook.got[0]["text"].endswith("s, how=well: score 0.1")


SEES = """
    import multiprocessing, sqlite3, time
    from contextlib import closing, suppress
    import sweeper

    def told():
        with closing(sqlite3.connect("sweeper.db")) as db, suppress(sqlite3.OperationalError):  # no table yet
            return db.execute("select count(*) from metrics").fetchone()[0]

    def train_in_a_process(epoch):
        sweeper.report({"loss": 2.0 * epoch}, step=epoch)

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        for epoch in range(3):
            sweeper.report({"loss": epoch}, step=epoch)
        if cfg.process:
            process = multiprocessing.get_context("spawn").Process(target=train_in_a_process, args=(3,))
            process.start()
            process.join()
        deadline = time.monotonic() + 20
        while told() != 3 + cfg.process and time.monotonic() < deadline:
            time.sleep(0.05)
        assert told() == 3 + cfg.process
        sweeper.report({"loss": 9.0}, step=9)

    if __name__ == "__main__":
        train()
"""


@pytest.mark.parametrize("words", [[], ["process=1"], ["-m", "sweeper/launcher=inline"]])
def test_a_run_in_the_launching_process_is_told_of_while_it_goes_on_and_once(project, words):
    project.write(config="process: 0\n", train_py=SEES)
    project.run(*words)
    last = [(3, 6.0)] if "process=1" in words else []
    rows = project.query("select step, value from metrics order by rowid")
    assert rows == [(0, 0.0), (1, 1.0), (2, 2.0), *last, (9, 9.0)]


def test_ctrl_c_leaves_a_tracker_that_takes_too_long_and_not_what_the_sweep_has_to_say(parabola):
    parabola.write(
        sweeper__tracker__slow="slow: {_target_: slow.Slow}\n",
        slow_py="""
            import time

            class Slow:
                def __init__(self, sweep): pass
                def start(self, run): pass
                def finish(self, run, outcome): pass
                def close(self, status): time.sleep(60)
        """,
    )
    process = parabola.start("train.py", "-m", "x=1,2", "--tracker", "slow")
    note = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert note == "note: the tracker 'slow' still writes; Ctrl-C leaves it\n"
    assert (process.returncode, err) == (0, "")
    assert "best (minimize score): run 1, score 1, x=2" in out
