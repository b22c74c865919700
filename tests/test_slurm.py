"""The launcher slurm, on a real Slurm: the one that is here, or one node of our own."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import ExitStack, suppress

import pytest
import yaml

from sweeper.launch.slurm import end_of

CLUSTER = """
ClusterName=sweeper
SlurmctldHost=localhost
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmctldPort={controller}
SlurmdPort={node}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
MaxArraySize=5
KillWait=3
MpiDefault=none
NodeName=localhost CPUs=2 RealMemory=500 State=UNKNOWN
PartitionName=debug Nodes=localhost Default=YES MaxTime=INFINITE State=UP
"""
DAEMONS = ("munged", "slurmctld", "slurmd")


def call(*words):
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


def answers():
    """Whether there is a Slurm whose nodes are ready."""
    if not shutil.which("sinfo"):
        return False
    done = call("sinfo", "--noheader", "--format=%T")
    return done.returncode == 0 and bool({"idle", "mixed", "allocated"} & set(done.stdout.split()))


def free_port():
    with socket.socket() as found:
        found.bind(("localhost", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """A Slurm; one node of it is started here where none answers."""
    if answers():
        yield "theirs"
        return
    if not all(map(shutil.which, (*DAEMONS, "sbatch"))) or os.geteuid() != 0:
        pytest.skip("there is no Slurm here; as root, with slurm-wlm and munge installed, one is started")
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool"):
        (folder / name).mkdir()
    config = folder / "slurm.conf"
    config.write_text(CLUSTER.format(folder=folder, controller=free_port(), node=free_port()))
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    munge = {
        "key-file": key,
        **{n: folder / f"munge.{n[:-5]}" for n in ("pid-file", "log-file", "seed-file")},
    }
    with ExitStack() as stack:
        before = os.environ.get("SLURM_CONF")
        os.environ["SLURM_CONF"] = str(config)
        stack.callback(os.environ.pop, "SLURM_CONF")
        if before is not None:
            stack.callback(os.environ.__setitem__, "SLURM_CONF", before)
        for line in (
            [
                "munged",
                "--force",
                f"--socket={folder}/munge.socket",
                *(f"--{n}={p}" for n, p in munge.items()),
            ],
            ["slurmctld", "-f", str(config)],
            ["slurmd", "-f", str(config)],
        ):
            done = call(*line)
            assert done.returncode == 0, done.stderr
            stack.callback(end, folder / f"{line[0].replace('munged', 'munge')}.pid")
        stack.callback(call, "scancel", "--signal=KILL", "--user=root")
        for _ in range(200):
            if answers():
                break
            time.sleep(0.1)
        else:
            pytest.skip(f"the node of Slurm does not come up: {call('sinfo').stdout}")
        yield "ours"


def end(pid_file):
    """End a daemon by its pid."""
    with suppress(OSError, ValueError):
        pid = int(pid_file.read_text())
        os.kill(pid, signal.SIGTERM)
        for _ in range(20):
            time.sleep(0.05)
            os.kill(pid, 0)
        os.kill(pid, signal.SIGKILL)


SLURM = ("sweeper/launcher=slurm", "sweeper.launcher.poll=0.3")
TRAIN = """
    import os, signal, subprocess, time
    import sweeper

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        print("begins", cfg.x, flush=True)
        if cfg.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if cfg.how == "raise":
            raise ValueError("boom")
        if cfg.how == "hang":
            subprocess.Popen(["sleep", str(cfg.sleep)])
            time.sleep(1000)
        while cfg.how == "wait" and not os.path.exists("go"):
            time.sleep(0.05)
        return (cfg.x - 3) ** 2

    if __name__ == "__main__":
        train()
"""


@pytest.fixture
def slurm(cluster, project):
    """A program whose runs end in many ways; `how=wait` waits for a file `go`."""
    sleep = 900000 + os.getpid() % 90000
    project.sleep = str(sleep)
    yield project.write(config=f"x: 0\nhow: well\nsleep: {sleep}\n", train_py=TRAIN)
    for id_ in queue(project, "%F"):
        call("scancel", id_)


def events(project, name="here"):
    return [json.loads(line) for line in (project.folder / name / "sweep.jsonl").read_text().splitlines()]


def queue(project, what="%T"):
    """Return the states of the project's jobs in the queue, or what else squeue knows of them."""
    lines = call("squeue", "--noheader", "--array", f"--format={what} %Z").stdout.splitlines()
    return [
        state for state, _, folder in (line.partition(" ") for line in lines) if folder == str(project.folder)
    ]


def started(project, *arguments, running=2):
    """Start a sweep in `here`, and return its process when so many of its runs go on."""
    process = project.start("train.py", "-m", *arguments, "sweeper.sweep.dir=here", *SLURM)
    wait_until(lambda: len(begun(project)) >= running, process)
    return process


def begun(project):
    logs = (project.folder / "here").glob("*/train.log")
    return [log for log in logs if "begins" in log.read_text()]


def wait_until(holds, process=None):
    for _ in range(400):
        if holds():
            return
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError(f"it took too long\n{call('squeue').stdout}")


def starts(project):
    return [(e["number"], e["attempt"]) for e in events(project) if e["event"] == "start"]


def test_every_kind_of_end_costs_its_own_run_alone_and_is_on_record(slurm):
    hows = {"well": "", "kill": "SIGKILL", "hang": "took longer than 6 s", "raise": "ValueError: boom"}
    ended = slurm.run(
        "-m", f"how={','.join(hows)}", *SLURM, "sweeper.launcher.run_timeout=6", code=1
    )  # fmt: skip
    for number, (how, said) in enumerate(hows.items()):
        record = ended.record(number)
        assert record["status"] == ("FAILED" if said else "COMPLETED"), how
        assert said in (record["error"] or ""), how
        assert "begins 0" in (ended.sweep / f"{number}/train.log").read_text()
        assert json.loads((ended.sweep / f"{number}/.sweeper/slurm.json").read_text())["job"].isdigit()
    wait_until(lambda: not queue(slurm))
    wait_until(lambda: call("pgrep", "-f", f"sleep {slurm.sleep}").stdout == "")  # what a run started


def test_a_run_whose_end_cannot_be_told_keeps_no_other_waiting(slurm):
    breaks = """    import sweeper.launch.slurm as engine
        read = engine.read_record
        def read_record(directory):
            return read(directory) if not directory.endswith("/0") else int("nothing that anybody expects")
        engine.read_record = read_record
        train()
    """
    slurm.write(train_py=TRAIN.rpartition("    train()")[0] + breaks)
    ended = slurm.run("-m", "x=1,2", *SLURM)
    assert [row["score"] for row in ended.results] == ["4", "1"]


def test_a_job_of_mine_whose_name_is_not_utf_8_disturbs_nothing(slurm):
    name = "--job-name=caf\udce9"
    job = call("sbatch", "--parsable", name, "--wrap=sleep 600", f"--chdir={slurm.folder}").stdout.strip()
    try:
        ended = slurm.run("-m", "how=kill", *SLURM, code=1)
    finally:
        call("scancel", job)
    assert "SIGKILL" in ended.record(0)["error"]


def test_a_disk_that_is_full_for_a_moment_costs_at_most_the_run_that_is_submitted_then(slurm):
    fills = """    import sweeper.launch.slurm as engine
        note = engine._note
        def full(job, name, index, found):
            if job.number == 1 or (job.number == 2 and found):
                raise OSError(28, "No space left on device")
            note(job, name, index, found)
        engine._note = full
        train()
    """
    slurm.write(train_py=TRAIN.rpartition("    train()")[0] + fills)
    ended = slurm.run("-m", "x=1,2,3", *SLURM, code=1)
    assert [row["score"] for row in ended.results] == ["4", "", "0"]
    assert "the run was not submitted: [Errno 28] No space left on device" in ended.record(1)["error"]
    assert queue(slurm) == []


def test_metrics_stream_and_a_run_is_pruned(slurm):
    slurm.write(
        train_py="""
        import time
        import sweeper
        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            for step in range(200):
                sweeper.report({"loss": cfg.x}, step=step)
                if cfg.x < 5: break
                time.sleep(0.05)
            return {"loss": cfg.x}
        if __name__ == "__main__":
            train()
    """
    )
    ended = slurm.run("-m", "x=1,9", *SLURM, "--pruner", "threshold", "sweeper.pruner.upper=5")
    assert [row["status"] for row in ended.results] == ["COMPLETED", "PRUNED"]
    assert slurm.query("select count(*) from metrics where name = 'loss'")[0][0] > 2


def test_ctrl_c_empties_the_queue_and_leaves_a_sweep_to_resume(slurm):
    process = started(slurm, "x=range(0,5)", "how=wait", "--jobs", "4")
    wait_until(lambda: len(queue(slurm)) == 4)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130
    assert "go on with  python train.py --resume here" in out
    assert "Traceback" not in out + err
    assert queue(slurm) == []
    (slurm.folder / "go").touch()
    slurm.run("--resume", "here")
    ends = [e for e in events(slurm) if e["event"] == "end"]
    assert [e["status"] for e in ends].count("CANCELLED") == 4
    assert sorted(e["number"] for e in ends if e["status"] == "COMPLETED") == list(range(5))


def test_runs_outlive_a_killed_launching_process_and_none_is_made_twice(slurm):
    process = started(slurm, "x=range(0,6)", "how=wait", "--jobs", "4")
    wait_until(lambda: len(queue(slurm)) == 4)
    process.kill()
    process.communicate()
    (slurm.folder / "here/0/.sweeper/slurm.json").write_text(  # as if it had died in the very act
        json.dumps({**json.loads((slurm.folder / "here/0/.sweeper/slurm.json").read_text()), "job": None})
    )
    resumed = slurm.start("train.py", "--resume", "here")
    wait_until(lambda: '"resume"' in (slurm.folder / "here/sweep.jsonl").read_text(), resumed)
    assert len(queue(slurm)) == 4
    (slurm.folder / "go").touch()
    out, err = resumed.communicate()
    assert resumed.returncode == 0, out + err
    assert starts(slurm) == [(number, 1) for number in range(6)]
    assert all(log.read_text().count("begins") == 1 for log in begun(slurm))


def test_what_ended_while_nobody_looked_is_taken_over_however_it_did(slurm):
    process = started(slurm, "how=wait,raise,kill", running=1)
    process.kill()
    process.communicate()
    (slurm.folder / "go").touch()
    wait_until(lambda: not queue(slurm))
    slurm.run("--resume", "here", code=1)
    ends = {e["number"]: e for e in events(slurm) if e["event"] == "end"}
    assert [ends[number]["status"] for number in range(3)] == ["COMPLETED", "FAILED", "FAILED"]
    assert "SIGKILL" in ends[2]["error"]
    assert starts(slurm) == [(0, 1), (1, 1), (2, 1)]


def test_a_sweep_is_submitted_as_arrays_left_and_collected_later(slurm):
    ended = slurm.run(
        "--search", "random", "--trials", "6", "x=range(0,9)", "how=wait", "--jobs", "2",
        "sweeper.sweep.dir=here", *SLURM, "sweeper.launcher.wait=false",
    )  # fmt: skip
    assert "6 runs submitted, Slurm's job array" in ended.out
    assert "python train.py --resume here" in ended.out
    assert not (slurm.folder / "here/results.csv").exists()
    wait_until(lambda: begun(slurm))
    first = begun(slurm)[0].parent
    job = json.loads((first / ".sweeper/slurm.json").read_text())["job"]
    assert call("scontrol", "requeue", job).returncode == 0
    wait_until(lambda: "PENDING" in call("squeue", "--jobs", job, "--format=%T").stdout)
    time.sleep(1.2)  # a node knows by the second which of a job's lives it has ended
    call("scontrol", "update", f"jobid={job}", "starttime=now")  # by itself Slurm waits for two minutes
    (slurm.folder / "go").touch()
    slurm.run("-m", "sweeper", "resume", "here")
    rows = (slurm.folder / "here/results.csv").read_text().splitlines()[1:]
    assert [row.split(",")[1] for row in rows] == ["COMPLETED"] * 6
    assert yaml.safe_load((first / ".sweeper/run.yaml").read_text())["restarts"] == 1
    assert starts(slurm) == [(number, 1) for number in range(6)]
    assert slurm.query("select count(*) from runs where status = 'COMPLETED'") == [(6,)]


def test_ctrl_c_while_a_sweep_is_collected_leaves_it_again(slurm):
    slurm.run("-m", "x=1,2", "how=wait", "sweeper.sweep.dir=here", *SLURM, "sweeper.launcher.wait=false")
    wait_until(lambda: begun(slurm))
    collecting = slurm.start("train.py", "--resume", "here")
    wait_until(lambda: '"resume"' in (slurm.folder / "here/sweep.jsonl").read_text(), collecting)
    time.sleep(1)
    collecting.send_signal(signal.SIGINT)
    out, err = collecting.communicate()
    assert collecting.returncode == 130, out + err
    assert "the runs go on without this process" in out
    assert len(queue(slurm)) == 2
    (slurm.folder / "go").touch()
    slurm.run("--resume", "here")
    assert starts(slurm) == [(0, 1), (1, 1)]


def test_a_run_that_is_lost_with_its_node_is_made_again(slurm, cluster):
    if cluster != "ours":
        pytest.skip("a node is taken down, which only our own may be")
    process = started(slurm, "x=1", "how=wait", running=1)
    call("scontrol", "update", "nodename=localhost", "state=down", "reason=test")
    call("scontrol", "update", "nodename=localhost", "state=resume")
    wait_until(lambda: starts(slurm) == [(0, 1), (0, 2)], process)
    (slurm.folder / "go").touch()
    out, err = process.communicate()
    assert process.returncode == 0, out + err
    assert "ended as NODE_FAIL on localhost" in out
    assert starts(slurm) == [(0, 1), (0, 2)]


def test_what_slurm_refuses_is_said_in_its_own_words(slurm):
    ended = slurm.run("-m", "x=1,2", *SLURM, "sweeper.launcher.partition=nowhere", code=2)
    assert "invalid partition specified: nowhere" in ended.err
    assert "--partition=nowhere" in ended.err
    assert "Traceback" not in ended.err


def test_a_function_without_a_name_cannot_travel(slurm):
    slurm.write(
        notebook_py="""
        import sweeper
        overrides = ["x=1,2", "sweeper/launcher=slurm"]
        sweeper.sweep(lambda cfg: cfg.x, config={"x": 0}, overrides=overrides)
    """
    )
    ended = slurm.run("notebook.py", code=1)
    assert "The launcher 'slurm' needs a function that its workers can import" in ended.err


def test_options_go_to_sbatch_under_its_own_names(slurm):
    slurm.run(
        "-m", "x=1", "how=wait", "sweeper.sweep.dir=here", *SLURM, "sweeper.launcher.wait=false",
        "sweeper.launcher.cpus=2", "sweeper.launcher.time='0:30'", "sweeper.launcher.memory=100MiB",
        "sweeper.launcher.setup=export FROM_SETUP=1", "sweeper.launcher.extra.comment=hello",
    )  # fmt: skip
    job = json.loads((slurm.folder / "here/0/.sweeper/slurm.json").read_text())["job"]
    said = call("scontrol", "show", "job", "--oneliner", job).stdout
    for words in ("NumCPUs=2", "TimeLimit=00:01:00", "MinMemoryNode=100M", "Comment=hello"):
        assert words in said
    assert (
        "export FROM_SETUP=1" in call("scontrol", "write", "batch_script", job.partition("_")[0], "-").stdout
    )
    call("scancel", job)
    ended = slurm.run("--resume", "here", code=1)
    assert "was cancelled, by somebody else" in ended.out


@pytest.mark.parametrize(
    ("state", "words", "kind"),
    [
        ("JobState=PREEMPTED ExitCode=0:15 NodeList=n3", "ended as PREEMPTED on n3", "RunLostError"),
        ("JobState=BOOT_FAIL ExitCode=0:0 NodeList=(null)", "ended as BOOT_FAIL", "RunLostError"),
        ("JobState=TIMEOUT ExitCode=0:15 TimeLimit=00:01:00", "longer than 00:01:00", "RunTimeoutError"),
        ("JobState=FAILED ExitCode=124:0 RunTime=00:00:09", "longer than 9 s", "RunTimeoutError"),
        ("JobState=FAILED ExitCode=137:0 RunTime=00:00:11", "longer than 9 s", "RunTimeoutError"),
        ("JobState=FAILED ExitCode=137:0 RunTime=00:00:04", "killed by SIGKILL", "RunDiedError"),
        ("JobState=OUT_OF_MEMORY ExitCode=0:125", "out of memory", "RunDiedError"),
        ("JobState=CANCELLED Reason=JobHeldAdmin", "cancelled, JobHeldAdmin", "RunDiedError"),
    ],
)
def test_what_slurm_says_of_an_end_is_told_apart(state, words, kind):
    error = end_of("7", dict(word.split("=") for word in state.split()), 9.0)
    assert words in str(error)
    assert type(error).__name__ == kind


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sweeper.launcher.time=90"], "Quote it: '1:30:00'"),
        (["sweeper.launcher.cpus=two"], "cpus must be a whole number"),
        (["sweeper.launcher.extra=exclusive"], "extra maps options of sbatch"),
        (["sweeper.launcher.setup={a: 1}"], "setup is lines of shell"),
        (["+sweeper.launcher.partitoin=a"], "There is no setting sweeper.launcher.partitoin"),
    ],
)
def test_settings_that_slurm_could_not_mean_are_mistakes(parabola, arguments, said):
    ended = parabola.run("-m", "x=1", "sweeper/launcher=slurm", *arguments, code=2)
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_where_there_is_no_slurm_the_launcher_says_so(parabola, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    ended = parabola.run("-m", "x=1", "sweeper/launcher=slurm", code=2)
    assert "The launcher slurm needs sbatch, squeue, scontrol, scancel" in ended.err
    assert not (tmp_path / "multirun").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--search", "tpe"], "The search 'tpe' needs scores"),
        (["--search", "random", "--pruner", "median"], "The pruner 'median' needs a process that looks on"),
    ],
)
def test_only_what_needs_nobody_can_be_left(slurm, arguments, said):
    ended = slurm.run(*arguments, "x=range(0,9)", *SLURM, "sweeper.launcher.wait=false", code=2)
    assert said in ended.err
    assert not (slurm.folder / "multirun").exists()
