"""Clusters: Dask and Ray, real ones, in processes of their own on loopback; each passes the same suite."""

import json
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from textwrap import dedent

import pytest
from conftest import environment, until

from sweeper.launch import remote
from sweeper.records import FunctionRef, Job, Program
from sweeper.settings import LauncherSettings

ENGINES = {"dask": "distributed", "ray": "ray"}
TRAIN = """
    import ctypes, os, signal, subprocess, time
    import sweeper

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        print("begins", cfg.how, flush=True)
        if cfg.how == "raise": raise ValueError("boom")
        if cfg.how == "kill": os.kill(os.getpid(), signal.SIGKILL)
        if cfg.how == "segfault": ctypes.string_at(0)
        if cfg.how == "_exit": os._exit(3)
        if cfg.how == "hang": subprocess.run(["sleep", str(cfg.sleep)])
        if cfg.how == "report":
            for step in range(200):
                sweeper.report({"loss": cfg.x}, step=step)
                time.sleep(0.05 if cfg.x > 5 else 0.001)
        time.sleep(1 if cfg.x in (30, 60) else cfg.t)
        return (cfg.x - 3) ** 2

    train()
"""


# ------------------------------------------------------------------------------------------- clusters


class Cluster:
    """A cluster of two workers, or of two slots, that is started by hand."""

    def __init__(self, engine: str, folder: Path) -> None:
        self.engine, self.folder = engine, folder
        self.processes: list[subprocess.Popen] = []
        self.address = ""

    @property
    def words(self) -> tuple[str, ...]:
        return f"sweeper/launcher={self.engine}", f"sweeper.launcher.address='{self.address}'"

    def begin(self, *command: str) -> None:
        with (self.folder / f"{len(self.processes)}.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, env=environment(), cwd=self.folder,
            )  # fmt: skip
        self.processes.append(process)

    def end(self) -> None:
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class DaskCluster(Cluster):
    """A scheduler, a worker alone and one with a nanny, which starts it again."""

    def start(self) -> None:
        file = self.folder / "scheduler.json"
        where = ("--host", "127.0.0.1", "--scheduler-file", str(file))
        self.begin("dask", "scheduler", "--port", "0", "--no-dashboard", *where)
        until(lambda: file.exists() and file.read_text().rstrip().endswith("}"))
        self.address = json.loads(file.read_text())["address"]
        self.begin("dask", "worker", self.address, "--nthreads", "1", "--host", "127.0.0.1", "--no-dashboard")
        self.alone()

    def alone(self) -> None:
        nobody = ("--no-nanny", "--no-dashboard")
        self.begin("dask", "worker", self.address, "--nthreads", "1", "--host", "127.0.0.1", *nobody)

    def ready(self) -> None:
        """Wait for two workers; a new one takes the place of one that was killed."""
        from distributed import Client

        if self.processes[-1].poll() is not None:
            self.alone()
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=20)


class RayCluster(Cluster):
    """A node with two CPUs, and two GPUs that it believes to have."""

    def start(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.folder = Path(tempfile.mkdtemp(prefix="ray"))  # whose sockets bear no long path
        self.address = f"127.0.0.1:{port}"
        self.begin(
            "ray.scripts.scripts", "start", "--head", "--block", "--port", str(port), "--num-cpus", "2",
            "--num-gpus", "2", "--include-dashboard", "false", "--disable-usage-stats",
            "--node-ip-address", "127.0.0.1", "--temp-dir", str(self.folder),
        )  # fmt: skip
        until(lambda: "Ray runtime started" in (self.folder / "0.log").read_text())

    def ready(self) -> None:
        pass

    def end(self) -> None:
        for process in self.processes:
            process.terminate()  # it ends the node's other processes
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)
        super().end()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def running(engine, folder):
    cluster = {"dask": DaskCluster, "ray": RayCluster}[engine](engine, folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.end()


ONLY_DASK, ONLY_RAY = (pytest.mark.parametrize("shared_cluster", [e], indirect=True) for e in ENGINES)


@pytest.fixture(scope="module", params=ENGINES)
def shared_cluster(request, tmp_path_factory):
    pytest.importorskip(ENGINES[request.param])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")  # and no token in the home of whoever tests
        with running(request.param, tmp_path_factory.mktemp(request.param)) as cluster:
            yield cluster


@pytest.fixture
def cluster(shared_cluster):
    shared_cluster.ready()
    return shared_cluster


@pytest.fixture
def program(project):
    return project.write(config="x: 0.0\nhow: well\nt: 0.02\nsleep: 987660\n", train_py=TRAIN)


def events(folder):
    lines = (folder / "sweep.jsonl").read_text().splitlines() if (folder / "sweep.jsonl").exists() else []
    return [json.loads(line) for line in lines]


def ends(folder):
    return [event for event in events(folder) if event["event"] == "end"]


def workers(folder):
    """The processes of workers that have begun runs, by the run's directory."""
    found = sorted(folder.glob("*/.sweeper/worker"), key=lambda file: file.stat().st_mtime)
    written = ((file.parts[-3], file.read_text().split()) for file in found)
    return {run: int(words[1]) for run, words in written if len(words) == 2}


def processes(word) -> list[str]:
    return subprocess.run(["pgrep", "-f", str(word)], capture_output=True, text=True).stdout.split()


# ---------------------------------------------------------------------------------------------- tests


def test_a_sweep_outlives_its_workers(cluster, program):
    process = program.start(
        "train.py", "-m", "x=range(0,100)", "--jobs", "2", *cluster.words, "sweeper.sweep.dir=here"
    )
    here = program.folder / "here"
    for number in ("30", "60"):  # which take a second
        until(lambda: number in workers(here))  # noqa: B023
        os.kill(workers(here)[number], signal.SIGKILL)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    assert "100 COMPLETED" in out
    told = [event for event in events(here) if event["event"] in ("start", "end")]
    again = [event for event in ends(here) if event.get("again")]
    assert {30, 60} <= {event["number"] for event in again}
    assert {event["cause"] for event in again} == {"lost"}
    for number in range(100):
        own = [event for event in told if event["number"] == number]
        attempts = len(own) // 2
        assert [event["event"] for event in own] == ["start", "end"] * attempts
        assert own[0]["directory"] == str(number)
        assert all(e["directory"] == f"{number}.{at}" for at, e in enumerate(own[2::2], 1))
        assert all(event["again"] for event in own[1:-1:2])
        assert own[-1]["status"] == "COMPLETED"


def test_a_death_costs_its_own_run_alone_and_no_worker(cluster, program):
    said = {
        "raise": "ValueError: boom",
        "kill": "SIGKILL",
        "segfault": "SIGSEGV",
        "_exit": "exit code 3",
        "hang": "took longer than 3 s",
    }
    hows = [*said, "well"]
    ended = program.run(
        "-m", f"how={','.join(hows)}", *cluster.words, "sweeper.launcher.run_timeout=3",
        "sweeper.launcher.max_failures=null", code=1,
    )  # fmt: skip
    assert ended.out.startswith("grid: 6 runs, 2 at a time"), "as many as there is room for"
    for number, how in enumerate(hows):
        record = ended.record(number)
        assert record["status"] == ("FAILED" if how in said else "COMPLETED"), how
        assert said.get(how, "") in (record["error"] or ""), how
        assert f"begins {how}" in (ended.sweep / f"{number}/train.log").read_text()
    assert len(set(workers(ended.sweep).values())) == 2
    until(lambda: processes("sleep 987660") == [], 5)


def test_reports_stream_and_a_run_that_lags_is_pruned(cluster, program):
    ended = program.run(
        "-m", "how=report", "x=1,9", *cluster.words, "--pruner", "threshold", "sweeper.pruner.upper=6"
    )
    assert [row["status"] for row in sorted(ended.results, key=lambda row: row["number"])] == [
        "COMPLETED",
        "PRUNED",
    ]
    steps = dict(program.query("select number, count(*) from metrics join runs on runs.id = run_id where metrics.name = 'loss' group by 1"))  # fmt: skip
    assert steps[0] >= 200
    assert steps[1] < 100


@pytest.fixture
def hanging(cluster, program):
    """A sweep with two runs that hang, and the words that find them."""
    sleep = f"sleep 98767{os.getpid() % 10000}"
    process = program.start(
        "train.py", "-m", "how=well,hang", f"sleep={sleep.split()[1]}", "x=1,2", "--jobs", "2",
        *cluster.words, "sweeper.sweep.dir=here", "sweeper.launcher.grace=1",
    )  # fmt: skip
    until(lambda: len(processes(sleep)) == 2)
    return process, sleep


def test_an_interrupted_sweep_ends_its_runs_on_the_workers(hanging, program):
    process, sleep = hanging
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, out + err
    assert "go on with  python train.py --resume here" in out
    assert "Traceback" not in out + err
    until(lambda: processes(sleep) == [], 5)


def test_a_sweep_whose_launching_process_is_killed_can_be_resumed_and_leaves_no_run(hanging, program):
    process, sleep = hanging
    process.kill()
    process.communicate()
    program.write(train_py=TRAIN.replace('"hang"', '"never"'))
    program.run("--resume", "here")
    completed = [event["number"] for event in ends(program.folder / "here") if event["status"] == "COMPLETED"]
    assert sorted(completed) == [0, 1, 2, 3]
    until(lambda: processes(sleep) == [], 5)
    until(lambda: processes(program.folder) == [], 5)  # nor a fork server, on a worker


@ONLY_DASK
def test_a_config_with_types_of_the_script_travels(cluster, project):
    project.write(
        train_py="""
            from dataclasses import dataclass
            from enum import Enum
            import sweeper

            class Kind(Enum):
                small = 1
                large = 2

            @dataclass
            class Config:
                kind: Kind = Kind.small
                x: float = 1.0

            @sweeper.main()
            def train(cfg: Config) -> float:
                assert isinstance(cfg.kind, Kind)
                return cfg.x * cfg.kind.value

            if __name__ == "__main__":
                train()
        """
    )
    ended = project.run("-m", "x=1,2", "kind=small,large", *cluster.words)
    assert sorted(row["score"] for row in ended.results) == ["1.0", "2.0", "2.0", "4.0"]


@ONLY_DASK
def test_a_script_that_a_worker_cannot_import_is_said(cluster, program):
    broken = "import sys\nif __name__ != '__main__': raise RuntimeError('not in a worker')\n"
    program.write(train_py=broken + dedent(TRAIN))
    ended = program.run("-m", "x=1,2", *cluster.words, code=2)
    assert "cannot be imported by a run's process" in ended.err
    assert "RuntimeError: not in a worker" in ended.err


@ONLY_RAY
def test_a_run_gets_the_gpus_that_ray_gives_it(cluster, project):
    project.write(
        config="x: 0\n",
        train_py="""
            import os, time
            import sweeper

            @sweeper.main(config_path="conf", config_name="config")
            def train(cfg):
                time.sleep(0.3)
                return float(os.environ["CUDA_VISIBLE_DEVICES"])

            train()
        """,
    )
    ended = project.run("-m", "x=range(0,4)", *cluster.words, "sweeper.launcher.gpus=1")
    assert {row["score"] for row in ended.results} == {"0.0", "1.0"}


@pytest.mark.parametrize("engine", ENGINES)
def test_without_an_address_a_cluster_is_started_for_the_sweep(engine, program, monkeypatch):
    pytest.importorskip(ENGINES[engine])
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("MARK", mark := os.urandom(8).hex())
    ended = program.run("-m", "x=range(0,6)", "--jobs", "2", f"sweeper/launcher={engine}")
    assert sorted(float(row["score"]) for row in ended.results) == sorted((x - 3) ** 2 for x in range(6))
    assert ended.err == ""
    until(lambda: marked(mark) == [], 10)


def marked(mark: str) -> list[str]:
    """The processes with something in their environment."""
    found = []
    for file in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if mark.encode() in file.read_bytes():
                found.append(file.parts[2])
    return found


@pytest.mark.parametrize(
    ("engine", "address", "said"),
    [
        ("dask", "tcp://127.0.0.1:1", "There is no Dask cluster at tcp://127.0.0.1:1: Connection refused"),
        ("dask", "nonsense", "There is no Dask cluster at nonsense: "),
        ("ray", "127.0.0.1:1", "There is no Ray cluster at 127.0.0.1:1: Connection refused"),
        ("ray", "nonsense", "There is no Ray cluster at nonsense: Invalid address format"),
    ],
)
def test_a_cluster_that_is_not_there_is_said_at_once(program, engine, address, said):
    pytest.importorskip(ENGINES[engine])
    began = time.monotonic()
    ended = program.run("-m", "x=1,2", f"sweeper/launcher={engine}", f"sweeper.launcher.address='{address}'", code=2)  # fmt: skip
    assert ended.err.startswith(f"error: {said}")
    assert len(ended.err.splitlines()) == 3
    assert time.monotonic() - began < 20, "dask itself tries for thirty seconds"
    assert not (program.folder / "multirun").exists()


def test_a_function_without_a_name_is_refused_by_a_cluster(program):
    program.write(
        call_py="""
            import sweeper
            try:
                sweeper.sweep(lambda cfg: 1, config={"x": 1}, overrides=["x=1,2", "sweeper/launcher=dask"])
            except sweeper.SweeperError as error:
                print(error)
        """
    )
    said = program.run("call.py").out
    assert said.startswith("The launcher 'dask' needs a function that its workers can import\nDefine it")


# ------------------------------------------------------------------------------- what a worker does


@pytest.fixture
def task(program):
    """The task of a run that takes long, with a lease that nobody renews."""
    (program.folder / "0").mkdir()
    lease = program.folder / ".lease"
    lease.write_text("me 1 go")
    main = str(program.folder / "train.py")
    ref = FunctionRef("__main__", "train", main)
    job = Job(
        0, 1, str(program.folder / "0"), {"x": 1.0, "t": 30, "how": "well"}, ref,
        sweep_directory=str(program.folder), folder=str(program.folder), path=tuple(sys.path),
    )  # fmt: skip
    settings = LauncherSettings(options={})
    whole = Program(
        remote._elsewhere, ref, argv=("train.py",), path=tuple(sys.path), folder=str(program.folder)
    )
    from sweeper.job import run_job

    return remote.Task(whole, settings, str(lease), "me", run_job, job, pickle.dumps(None))


def test_a_worker_that_hears_no_more_of_the_launching_process_ends_its_runs(task, monkeypatch):
    monkeypatch.setattr(remote, "_LOOK", 0.02)
    reply = remote.work(pickle.dumps(task))
    assert (reply.error, reply.cause) == ("the worker heard no more of the launching process", "lost")
    until(lambda: processes(task.program.folder) == [], 5)


def test_a_worker_ends_its_runs_when_the_lease_is_taken_by_another(task):
    from threading import Timer

    Timer(0.5, Path(task.lease).write_text, ["another 1 go"]).start()
    assert remote.work(pickle.dumps(task)).cause == "lost"


def test_a_worker_begins_no_run_that_another_has_begun(task):
    (Path(task.job.records)).mkdir()
    (Path(task.job.records) / "worker").write_text("elsewhere 1\n")
    assert remote.work(pickle.dumps(task)).cause == "lost"


def test_a_worker_that_does_not_share_the_directory_says_so(task, monkeypatch):
    monkeypatch.setattr(remote, "_SIGHT", 0.1)
    shutil.rmtree(task.job.directory)
    what, where, hint = remote.work(pickle.dumps(task)).mistake
    assert what == f"The worker on {socket.gethostname()} does not see the run's directory"
    assert where == task.job.directory
    assert "share" in hint


def test_a_job_of_another_version_is_a_mistake(task):
    what, _, hint = remote.work(pickle.dumps(task)[:-20]).mistake
    assert "cannot read a job" in what
    assert "the same sweeper" in hint
