"""The MLflow tracker, against a real server with basic auth on loopback, and a file of SQLite."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from conftest import until

pytest.importorskip("mlflow", reason="mlflow is not installed")

# What MLflow's own reader warns of is its own affair.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

NAME, PASSWORD = "admin", "correct-horse-battery"


def free_port() -> int:
    with closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Server:
    """A real `mlflow server`, which can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process = None
        (folder / "auth.ini").write_text(
            f"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{folder}/auth.db\n"
            f"admin_username = {NAME}\nauth_cache_ttl_seconds = 60\n"
            "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
        )

    def start(self) -> None:
        environment = {
            **os.environ,
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "for tests alone",
            "MLFLOW_AUTH_CONFIG_PATH": str(self.folder / "auth.ini"),
        }
        command = [
            sys.executable, "-m", "mlflow", "server", "--workers", "1", "--app-name", "basic-auth",
            "--host", "127.0.0.1", "--port", str(self.port),
            "--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db",
            "--artifacts-destination", str(self.folder / "artifacts"),
        ]  # fmt: skip
        with (self.folder / "server.log").open("a") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        for _ in range(600):
            with suppress(OSError), urllib.request.urlopen(f"{self.uri}/health", timeout=1):
                return
            assert self.process.poll() is None, (self.folder / "server.log").read_text()
            time.sleep(0.1)
        raise AssertionError((self.folder / "server.log").read_text())

    def stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = Server(tmp_path_factory.mktemp("mlflow"))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def mlflow(server, monkeypatch):
    """The server, and the environment that leads to it."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", NAME)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    return server


def client(uri=None):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def runs_in(experiment, uri=None):
    """Return the parent and the children, by number and attempt, that an experiment has."""
    reader = client(uri)
    known = reader.get_experiment_by_name(experiment)
    found = reader.search_runs([known.experiment_id], max_results=1000) if known else []
    parents = [run for run in found if "sweeper.number" not in run.data.tags]
    children = {}
    for run in found:
        tags = run.data.tags
        if "sweeper.number" in tags:
            key = (int(tags["sweeper.number"]), int(tags["sweeper.attempt"]))
            assert key not in children, f"{key} is there twice"
            children[key] = run
    return parents, children


FULL = """
    import os, time
    import sweeper

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        run = sweeper.current_run()
        for step in range(3):
            sweeper.report({"loss": cfg.x / (step + 1)}, step=step)
        path = f"{run.directory}/model.txt"
        with open(path, "w") as file:
            file.write(f"model {cfg.x}")
        run.log_artifact(path)
        run.log_input("train", __file__)
        run.set_tag("mine", f"x is {cfg.x}")
        print("said", cfg.x)
        return {"loss": cfg.x, "gap": float("inf")}

    if __name__ == "__main__":
        train()
"""
CONFIG = """
    x: 0
    half: ${x}
    opt: {lr: 0.1, betas: [0.9, 0.99]}
    db: {password: hunter2}
    long: ''
    sweeper: {objective: {metric: loss}, note: for the test}
"""


@pytest.fixture
def full(project):
    subprocess.run(["git", "init", "-q"], cwd=project.folder, check=True)
    project.write(config=CONFIG, train_py=FULL)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "add", "train.py"], cwd=project.folder, check=True)
    subprocess.run([*git, "commit", "-qm", "first"], cwd=project.folder, check=True)
    return project


def test_a_sweep_is_a_parent_with_nested_children(mlflow, full):
    ended = full.run(
        "-m", "--tracker", "mlflow", "x=range(0,20)", "--jobs", "2", "sweeper.name=full", f"long={'x' * 7000}"
    )
    assert "warning" not in ended.err
    (parent,), children = runs_in("full")
    assert sorted(number for number, _ in children) == list(range(20))
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["mlflow.note.content"] == "for the test"
    assert parent.data.tags["sweeper.best_overrides"].startswith("x=0 long=xxx")
    assert parent.data.metrics["best_score"] == 0
    run = children[7, 1]
    assert run.info.status == "FINISHED"
    assert run.info.end_time >= run.info.start_time > 1e12
    tags = run.data.tags
    assert tags["mlflow.parentRunId"] == parent.info.run_id
    assert tags["mlflow.source.name"] == str(full.folder / "train.py")
    assert len(tags["mlflow.source.git.commit"]) == 40
    assert tags["mlflow.source.git.branch"]
    assert tags["mine"] == "x is 7"
    assert tags["sweeper.metrics.gap"] == "inf", "which MLflow keeps as 1.8e308"
    params = run.data.params
    assert {"x": "7", "half": "7", "opt.lr": "0.1", "opt.betas.1": "0.99"}.items() <= params.items()
    assert params["db.password"] == "***"
    assert len(params["long"]) == 6000
    steps = [(m.step, m.value) for m in client().get_metric_history(run.info.run_id, "loss")]
    assert steps == [(0, 7), (1, 3.5), (2, 7 / 3), (2, 7)]
    assert run.data.metrics["score"] == run.data.metrics["loss"] == 7
    assert {file.path for file in client().list_artifacts(run.info.run_id)} == {"model.txt", "train.log"}
    assert Path(client().download_artifacts(run.info.run_id, "train.log")).read_text() == "said 7\n"
    (given,) = run.inputs.dataset_inputs
    assert given.dataset.name == "train"
    assert "hunter2" not in str([run.to_dictionary(), parent.to_dictionary()])


# --------------------------------------------------------------------- servers that are slow, or away


class Proxy:
    """What stands before a server: it answers late, or not at all, and counts the requests."""

    def __init__(self, server: Server, delay: float = 0.0) -> None:
        self.server, self.delay, self.requests, self.port = server, delay, 0, free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.open()

    def open(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def close(self) -> None:
        for sock in [self.listener, *self.sockets]:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self.server.port))
                for sock in (near, far):
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.sockets += [near, far]
                answered = threading.Event()
                answered.set()
                threading.Thread(target=self._forth, args=(near, far, answered), daemon=True).start()
                threading.Thread(target=self._back, args=(far, near, answered), daemon=True).start()

    def _forth(self, near: socket.socket, far: socket.socket, answered: threading.Event) -> None:
        with suppress(OSError):
            while data := near.recv(1 << 16):
                if answered.is_set():
                    answered.clear()
                    self.requests += 1
                    time.sleep(self.delay)
                far.sendall(data)
            far.shutdown(socket.SHUT_WR)

    def _back(self, far: socket.socket, near: socket.socket, answered: threading.Event) -> None:
        with suppress(OSError):
            while data := far.recv(1 << 16):
                answered.set()
                near.sendall(data)
            near.shutdown(socket.SHUT_WR)


@pytest.fixture
def proxy(mlflow, monkeypatch):
    made = Proxy(mlflow)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", made.uri)
    yield made
    made.close()


SLEEPY = """
    import time
    import sweeper

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        for step in range(3):
            sweeper.report({"loss": cfg.x + step}, step=step)
            time.sleep(cfg.sleep / 3)
        print("slept")
        return cfg.x

    if __name__ == "__main__":
        train()
"""


@pytest.fixture
def sleepy(project):
    return project.write(config="x: 0\nsleep: 0.3\n", train_py=SLEEPY)


def export(project, sweep="last", code=0):
    return project.run("-m", "sweeper", "export", sweep, "--to", "mlflow", code=code)


def test_what_a_dead_server_missed_is_sent_later_and_nothing_twice(proxy, mlflow, sleepy):
    process = sleepy.start(
        "train.py", "-m", "--tracker", "mlflow", "x=range(0,8)", "--jobs", "2", "sweeper.name=dead"
    )
    until(lambda: proxy.requests >= 14)
    proxy.close()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert err.count("cannot be reached (connection refused)") == 1
    assert "of 8 runs are not in MLflow" in err
    assert "send them later with: sweeper export multirun/" in err
    assert len(runs_in("dead", mlflow.uri)[1]) < 8
    proxy.open()
    assert "runs sent" in export(sleepy).out
    (parent,), children = runs_in("dead", mlflow.uri)
    assert len(children) == 8
    assert {run.info.status for run in (parent, *children.values())} == {"FINISHED"}
    for (number, _), run in children.items():
        points = client(mlflow.uri).get_metric_history(run.info.run_id, "loss")
        assert [m.value for m in points] == [number, number + 1, number + 2]
        assert [file.path for file in client(mlflow.uri).list_artifacts(run.info.run_id)] == ["train.log"]
    requests = proxy.requests
    assert "0 runs sent, 8 were there" in export(sleepy).out
    assert proxy.requests - requests < 20, "a look at each, nothing more"


def test_a_slow_server_delays_no_run(proxy, sleepy):
    arguments = ("-m", "x=range(0,8)", "--jobs", "2", "sleep=0.6", "sweeper.name=slow")

    def seconds(*more):
        began = time.perf_counter()
        assert "warning" not in sleepy.run(*arguments, *more).err
        return time.perf_counter() - began

    alone = seconds()
    proxy.delay = 0.5
    tracked = seconds("--tracker", "mlflow")
    proxy.delay = 0.0
    assert proxy.requests > 24, "of half a second each"
    assert tracked - alone < 8, "the end of the last run, and some noise: one after the other they take 15 s"
    assert len(runs_in("slow")[1]) == 8


class NoMlflow(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>hello</html>")

    def log_message(self, *_):
        pass


@contextmanager
def another_server():
    with HTTPServer(("127.0.0.1", 0), NoMlflow) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("wrong", ["password", "host", "port", "server", "package"])
def test_a_wrong_setting_is_answered_and_the_sweep_goes_on(wrong, mlflow, parabola, monkeypatch):
    with another_server() as another:
        uri, words = {
            "password": (mlflow.uri, "does not let us in as 'admin'\n  Set MLFLOW_TRACKING_USERNAME"),
            "host": ("http://no-such-host.invalid:5000", "there is no host 'no-such-host.invalid'"),
            "port": (f"http://127.0.0.1:{free_port()}", "connection refused"),
            "server": (another, "is no MLflow server"),
            "package": ("sqlite:///runs.db", "needs the package mlflow"),
        }[wrong]
        if wrong == "password":
            monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wrong")
        if wrong == "package":
            parabola.write(mlflow_py="raise ImportError('no mlflow here')")
        ended = parabola.run("-m", "--tracker", "mlflow", "x=1,2", f"sweeper.tracker.mlflow.uri={uri}")
    assert words in ended.err
    assert ended.err.count("warning") <= 2
    assert "Traceback" not in ended.err
    assert "sweeper export multirun/" in ended.err
    assert [row["status"] for row in ended.results] == ["COMPLETED", "COMPLETED"]


# ------------------------------------------------------------------------------ how runs come to an end

DYING = """
    import os, signal, time
    import sweeper

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        sweeper.report({"loss": cfg.x}, step=0)
        if cfg.x == 1 and not os.path.exists("died"):
            open("died", "w").close()
            time.sleep(0.5)
            os.kill(os.getpid(), signal.SIGKILL)
        if cfg.x == 2 and not os.path.exists("go"):
            open("here", "w").close()
            time.sleep(60)
        return cfg.x

    if __name__ == "__main__":
        train()
"""


def test_what_was_killed_is_not_left_running(mlflow, project):
    project.write(config="x: 0\n", train_py=DYING)
    arguments = ("-m", "--tracker", "mlflow", "x=0,1,2", "sweeper.name=dying", "sweeper.launcher.retries=1")
    process = project.start("train.py", *arguments, start_new_session=True)
    until(lambda: (project.folder / "here").exists() and {(1, 2), (2, 1)} <= runs_in("dying")[1].keys())
    until(lambda: runs_in("dying")[1][1, 2].info.status != "RUNNING")
    assert runs_in("dying")[1][1, 1].info.status == "FAILED", "a second attempt is a run of its own"
    assert runs_in("dying")[1][1, 2].info.status == "FINISHED"
    os.killpg(process.pid, signal.SIGKILL)  # all of it
    process.communicate()
    assert runs_in("dying")[1][2, 1].info.status == "RUNNING"
    export(project)
    (parent,), children = runs_in("dying")
    assert children[2, 1].info.status == parent.info.status == "KILLED"
    assert children[2, 1].data.metrics == {"loss": 2}
    (project.folder / "go").touch()
    project.run("--resume", "multirun/latest")
    (parent,), children = runs_in("dying")
    assert {key: run.info.status for key, run in children.items()} == {
        (0, 1): "FINISHED", (1, 1): "FAILED", (1, 2): "FINISHED", (2, 1): "KILLED", (2, 2): "FINISHED",
    }  # fmt: skip
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["sweeper.best_run"] == "0", "which the first process made"


def test_a_resumed_sweep_sends_nothing_twice(proxy, sleepy):
    searched = (
        "--search",
        "random",
        "--tracker",
        "mlflow",
        "x=interval(0,1)",
        "sleep=0",
        "sweeper.name=resumed",
    )
    sleepy.run(*searched, "--trials", "6")
    before, requests = runs_in("resumed")[1], proxy.requests
    sleepy.run("--resume", "multirun/latest", "sweeper.search.trials=7")
    (parent,), after = runs_in("resumed")
    assert len(after) == 7
    assert {key: after[key].to_dictionary() for key in before} == {
        k: run.to_dictionary() for k, run in before.items()
    }
    assert parent.data.tags["sweeper.runs"] == "7 COMPLETED"
    assert proxy.requests - requests < 20


# ------------------------------------------------------------------------------- the user's own calls

OWN = """
    import mlflow
    import sweeper

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        if cfg.x == 3:
            mlflow.set_experiment("another")
        if cfg.x == 2:
            mlflow.start_run()
            mlflow.set_tag("inside", "yes")
        mlflow.log_metric("mine", cfg.x)
        mlflow.log_params({"lr": "of my own", "flag": cfg.flag})
        return cfg.x

    if __name__ == "__main__":
        train()
"""


@pytest.mark.parametrize("launcher", ["local", "inline"])
def test_the_users_own_calls_land_in_the_same_run(launcher, mlflow, project):
    project.write(config="x: 0\nlr: 0.1\nflag: true\nother: 5\n", train_py=OWN)
    name = f"own-{launcher}"
    ended = project.run(
        "-m", "--tracker", "mlflow", "x=1,2,3", f"sweeper.name={name}", f"sweeper/launcher={launcher}", code=1
    )
    parents, children = runs_in(name)
    assert len(parents) == 1
    assert sorted(children) == [(0, 1), (1, 1), (2, 1)]
    for number, run in ((n, children[n, 1]) for n in range(2)):
        assert run.data.metrics["mine"] == number + 1
        assert run.data.params["lr"] == "of my own", "what was there first stays"
        assert run.data.params["other"] == "5"
        assert run.data.params["flag"] == "True"
    assert children[1, 1].data.tags["inside"] == "yes"
    assert [children[n, 1].info.status for n in range(3)] == ["FINISHED", "FINISHED", "FAILED"]
    assert "run 2 calls mlflow.set_experiment" in ended.err
    assert "Remove the call, or set sweeper.tracker.mlflow.join=false" in ended.err


def test_a_file_of_sqlite_is_written_by_mlflows_own_package(project, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    project.write(config=CONFIG, train_py=FULL)
    options = ("sweeper.tracker.mlflow.uri=sqlite:///runs.db", "sweeper.name=file")
    project.run("-m", "--tracker", "mlflow", "x=1,2", "--jobs", "2", *options)
    uri = f"sqlite:///{project.folder}/runs.db"
    (parent,), children = runs_in("file", uri)
    assert {run.info.status for run in (parent, *children.values())} == {"FINISHED"}
    assert children[0, 1].data.params["x"] == "1"
    assert {f.path for f in client(uri).list_artifacts(children[0, 1].info.run_id)} == {
        "model.txt",
        "train.log",
    }
    assert "0 runs sent, 2 were there" in export(project).out


def test_the_last_value_of_a_metric_is_mlflows_latest_too(project, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    project.write(
        config="x: 0",
        train_py="""
        import sweeper
        from unittest.mock import patch
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            with patch("sweeper.current.time.time", return_value=4e9):
                for step in (2, 1):
                    sweeper.report({"loss": 9, "gap": step}, step=step)
            return {"loss": 5}
        train()
    """,
    )
    project.run("-m", "x=1", "--tracker", "mlflow", "sweeper.tracker.mlflow.uri=sqlite:///runs.db")
    _, children = runs_in("train", f"sqlite:///{project.folder}/runs.db")
    run = children[0, 1]
    assert (run.data.metrics["loss"], run.data.metrics["gap"]) == (5, 1)


def test_an_artifact_that_is_gone_costs_itself_alone(project, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    project.write(
        config=CONFIG,
        train_py=FULL.replace("run.log_input", "cfg.x == 1 and os.unlink(path)\n        run.log_input"),
    )
    options = ("--tracker", "mlflow", "sweeper.tracker.mlflow.uri=sqlite:///runs.db")
    ended = project.run("-m", "x=1,2", *options)
    assert "the file model.txt of run run 0 cannot be read: No such file or directory" in ended.err
    assert "fails" not in ended.err
    uri = f"sqlite:///{project.folder}/runs.db"
    (parent,), children = runs_in("train", uri)
    assert {run.info.status for run in (parent, *children.values())} == {"FINISHED"}
    files = {f.path for f in client(uri).list_artifacts(children[1, 1].info.run_id)}
    assert files == {"model.txt", "train.log"}


def test_a_single_run_is_a_run_without_parent(mlflow, sleepy):
    sleepy.run("--tracker", "mlflow", "x=4", "sweeper.name=single", "sleep=0")
    parents, children = runs_in("single")
    assert not parents
    run = children[0, 1]
    assert run.data.metrics == {"loss": 6, "score": 4}
    assert "mlflow.parentRunId" not in run.data.tags
    assert run.data.tags["sweeper.command"].endswith("x=4 sweeper.name=single sleep=0")
    assert "0 runs sent, 1 were there" in export(sleepy, "outputs/latest").out


# ------------------------------------------------------------------- a run that this all is to be in


@pytest.fixture
def around(mlflow, monkeypatch):
    """The id of a run that somebody else has begun, and of which we are told."""
    experiment = client().create_experiment(f"around-{free_port()}")
    run = client().create_run(experiment, run_name="theirs", tags={"mlflow.source.type": "PROJECT"})
    monkeypatch.setenv("MLFLOW_RUN_ID", run.info.run_id)
    return run.info.run_id


def runs_beside(run):
    """Return the other runs of a run's experiment."""
    found = client().search_runs([client().get_run(run).info.experiment_id])
    return [each for each in found if each.info.run_id != run]


def test_a_sweep_is_the_run_that_it_was_started_in_and_another_is_nested(around, parabola):
    arguments = ("-m", "--tracker", "mlflow", "x=1,2")
    assert "warning" not in parabola.run(*arguments).err
    theirs = client().get_run(around)
    assert theirs.data.tags["mlflow.source.type"] == "PROJECT"
    assert theirs.data.tags["sweeper.best_overrides"] == "x=2"
    assert theirs.info.run_name == "theirs"
    assert theirs.info.status == "RUNNING", "whoever made it ends it"
    assert [run.data.tags["mlflow.parentRunId"] for run in runs_beside(around)] == [around] * 2
    before = {run.info.run_id for run in runs_beside(around)}
    parabola.run(*arguments)
    (second,) = [
        run
        for run in runs_beside(around)
        if run.info.run_id not in before and "sweeper.number" not in run.data.tags
    ]
    assert second.data.tags["mlflow.parentRunId"] == around
    assert second.info.status == "FINISHED"


def test_a_run_that_is_of_another_store_is_not_the_one_to_be_in(around, mlflow, parabola):
    arguments = ("-m", "--tracker", "mlflow", "x=1,2", "sweeper.name=elsewhere")
    another = mlflow.uri.replace("127.0.0.1", "localhost")
    parabola.run(*arguments, f"sweeper.tracker.mlflow.uri={another}")
    assert not runs_beside(around)
    assert len(runs_in("elsewhere")[1]) == 2


def test_a_run_that_there_is_not_is_named(mlflow, parabola, monkeypatch):
    monkeypatch.setenv("MLFLOW_RUN_ID", "0123456789abcdef0123456789abcdef")
    ended = parabola.run("-m", "--tracker", "mlflow", "x=1,2")
    assert "MLFLOW_RUN_ID is 0123456789abcdef0123456789abcdef, and MLflow at" in ended.err
    assert "has no such run\n  Unset MLFLOW_RUN_ID" in ended.err


# ------------------------------------------------------------------------------------------- promoted


def promote(project, *words, code):
    return project.run("-m", "sweeper", "promote", *words, code=code)


def test_what_cannot_be_promoted_is_said_without_mlflows_package(mlflow, parabola, monkeypatch):
    parabola.write(mlflow_py="raise ImportError('no mlflow here')")
    name = f"sweeper.name=promoted-{free_port()}"
    parabola.run("-m", "x=1,2", name)
    words = ("last", "--model", "parabola")
    ended = promote(parabola, *words, code=2)
    assert f"MLflow at {mlflow.uri} has no run 2" in ended.err
    ((sweep,),) = parabola.query("select id from sweeps")
    assert f"sweeper export {sweep} --to mlflow" in ended.err
    export(parabola)
    ended = promote(parabola, *words, code=2)
    assert f"The run {sweep}/1 has no model at MLflow" in ended.err
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wrong")
    assert "does not let us in as 'admin'" in promote(parabola, *words, code=2).err
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert "needs the package mlflow" in promote(parabola, *words, code=2).err


# --------------------------------------------------------------------------------------- the settings


@pytest.mark.parametrize(
    ("override", "words"),
    [
        (
            "sweeper.tracker.mlflow.timeout=soon",
            "sweeper.tracker.mlflow.timeout must be a number of seconds, not soon",
        ),
        (
            "sweeper.tracker.mlflow.join=maybe",
            "sweeper.tracker.mlflow.join must be auto, true or false, not maybe",
        ),
        ("+sweeper.tracker.mlflow.experimnt=a", "Did you mean 'experiment'?"),
    ],
)
def test_a_mistake_in_the_settings_is_found_before_a_run(override, words, parabola):
    ended = parabola.run("-m", "--tracker", "mlflow", "x=1", override, code=2)
    assert words in ended.err


def test_the_doctor_measures_a_server_and_says_what_slows_it_down(proxy, project):
    ended = project.run("-m", "sweeper", "doctor", "mlflow", code=None)  # a busy machine is slow by itself
    assert f"{proxy.uri} answers as MLflow 3." in ended.out
    assert "lets admin in" in ended.out
    assert "artifacts go through the server" in ended.out
    assert "wrong" not in ended.out
    proxy.delay = 0.05
    ended = project.run("-m", "sweeper", "doctor", "mlflow", code=1)
    proxy.delay = 0.0
    assert "start it with --workers 1" in ended.out


def test_the_doctor_makes_no_experiment(mlflow, project):
    for uri in (mlflow.uri, f"sqlite:///{project.folder}/mlflow.db"):
        for _ in range(2):
            words = ("doctor", "mlflow", "--uri", uri, "--experiment", "typo")
            assert "wrong there is no experiment 'typo'" in project.run("-m", "sweeper", *words, code=1).out


def test_the_doctor_shows_no_password_of_a_server_that_it_cannot_reach(project):
    uri = f"http://me:{PASSWORD}@127.0.0.1:{free_port()}"
    said = project.run("-m", "sweeper", "doctor", "mlflow", "--uri", uri, code=1).out
    assert "cannot be reached: connection refused" in said
    assert PASSWORD not in said


def test_the_doctor_names_a_wrong_password(mlflow, project, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wrong")
    ended = project.run("-m", "sweeper", "doctor", "mlflow", code=1)
    assert "wrong MLflow at" in ended.out
    assert "does not let us in as 'admin'" in ended.out


def test_a_server_that_says_nothing_is_not_waited_for_without_end(parabola):
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        began = time.perf_counter()
        ended = parabola.run(
            "-m", "--tracker", "mlflow", "x=1,2",
            f"sweeper.tracker.mlflow.uri={uri}", "sweeper.tracker.mlflow.timeout=1",
        )  # fmt: skip
    assert time.perf_counter() - began < 20, "else each request waits for twenty"
    assert "2 of 2 runs are not in MLflow" in ended.err
    assert "no answer within 1 s" in ended.err


def test_a_large_config_goes_out_in_several_requests(mlflow, project):
    config = "x: 0\n" + "".join(f"key{n}: {n}\n" for n in range(250))
    train = FULL.replace("range(3)", "range(2000)")
    project.write(config=config, train_py=train)
    project.run("--tracker", "mlflow", "x=1", "sweeper.name=large", "sweeper.objective.metric=loss")
    run = runs_in("large")[1][0, 1]
    assert len(run.data.params) == 251
    assert len(client().get_metric_history(run.info.run_id, "loss")) == 2001
