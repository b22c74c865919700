"""Runs that start processes of their own: what re-executes the command line joins, what forks works."""

import json
import subprocess
import sys

import pytest
import yaml
from conftest import environment

# As PyTorch Lightning's DDP does: the first process starts the others by its own command line.
DDP = """
    import dataclasses, json, os, subprocess, sys
    from pathlib import Path
    import sweeper

    @dataclasses.dataclass
    class Config:
        x: int = 0
        where: str = "${sweeper:run.dir}"
        path: Path = Path("data")

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg: Config):
        rank = int(os.environ.get("LOCAL_RANK", "0"))
        if rank == 0:
            words = ["-m", __spec__.name, *sys.argv[1:]] if __spec__ else sys.argv
            other = subprocess.Popen([sys.executable, *words], env={**os.environ, "LOCAL_RANK": "1"})
            assert other.wait() == 0
        run = sweeper.current_run()
        sweeper.report({"rank": rank}, step=rank)
        run.set_tag("rank", rank)
        said = {"rank": rank, "x": cfg.x, "where": cfg.where, "path": repr(cfg.path), "dir": run.directory,
                "number": run.number, "seed": run.seed, "line": sys.argv[1:]}
        Path(run.directory, f"rank-{rank}.json").write_text(json.dumps(said))
        return cfg.x + 100.0 * rank

    if __name__ == "__main__":
        train()
"""


@pytest.fixture
def ddp(project):
    return project.write(config="x: 0\n", train_py=DDP)


def ranks(directory):
    return [json.loads((directory / f"rank-{rank}.json").read_text()) for rank in (0, 1)]


def check_joined(directory, x):
    first, second = ranks(directory)
    assert (first.pop("rank"), second.pop("rank")) == (0, 1)
    assert first == second, "config, types, facts, seed and command line are the run's"
    assert first["x"] == x
    assert first["where"] == first["dir"] == str(directory)
    assert "Path(" in first["path"], "the schema's types hold"
    record = yaml.safe_load((directory / ".sweeper/run.yaml").read_text())
    assert record["score"] == x
    assert record["tags"] == {"rank": "0"}
    assert len((directory / ".sweeper/metrics.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize("launcher", ["local", "joblib", "inline"])
def test_a_run_of_a_sweep_that_starts_its_command_line_again_is_joined(ddp, launcher):
    (ddp.folder / "conf/config.yaml").write_text("x: 0\n")
    ended = ddp.run("-m", "x=1,2", "--jobs", "2", f"sweeper/launcher={launcher}")
    check_joined(ended.sweep / "0", 1)
    check_joined(ended.sweep / "1", 2)
    assert ddp.query("select number, score from runs order by number") == [(0, 1.0), (1, 2.0)]
    assert ddp.query("select count(*) from metrics where name = 'rank'") == [(2,)]
    assert len(list((ddp.folder / "multirun").glob("2*/*"))) == 1
    assert not (ddp.folder / "outputs").exists()


@pytest.mark.parametrize("words", [["train.py"], ["-m", "train"]])
def test_a_single_run_that_starts_its_command_line_again_is_joined(ddp, words):
    ended = ddp.run(*words, "x=3")
    check_joined(ended.run, 3)
    assert len(list((ddp.folder / "outputs").glob("2*/*"))) == 1
    assert ddp.query("select count(*) from runs") == [(1,)]


def test_a_module_that_was_started_by_name_is_joined_by_path_too(ddp):
    ddp.write(
        train_py=DDP.replace('["-m", __spec__.name, *sys.argv[1:]] if __spec__ else sys.argv', "sys.argv")
    )
    check_joined(ddp.run("-m", "train", "-m", "x=4").sweep / "0", 4)


def test_what_joins_gets_the_frozen_config_and_not_the_files(ddp):
    text = DDP.replace("other = sub", 'Path("conf/config.yaml").write_text("x: 77\\n"); other = sub')
    ddp.write(train_py=text.replace("sys.argv)", "sys.argv[:1])"))
    first, second = ranks(ddp.run("x=5").run)
    assert (first["x"], second["x"]) == (5, 5)


def test_a_run_that_is_not_there_cannot_be_joined(ddp, monkeypatch):
    monkeypatch.setenv("SWEEPER_RUN_DIR", str(ddp.folder / "gone"))
    process = subprocess.run(
        [sys.executable, "train.py"], cwd=ddp.folder, capture_output=True, text=True,
        env={**environment(), "SWEEPER_RUN_DIR": "gone", "SWEEPER_RUN_MAIN": str(ddp.folder / "train.py")},
    )  # fmt: skip
    assert process.returncode == 2
    assert "There is no run in gone to join" in process.stderr


TORCHRUN = """
    import os
    import sweeper

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        run = sweeper.current_run()
        sweeper.report({"loss": 1.0}, step=0)
        print(f"rank {os.environ['RANK']} x={cfg.x} own={bool(run.directory)} {bool(cfg.where)}")
        return float(cfg.x)

    if __name__ == "__main__":
        train()
"""


def start_ranks(project, *arguments):
    """Start two ranks of one command line, as torchrun does, and return what each of them did."""
    started = [
        subprocess.Popen(
            [sys.executable, "train.py", *arguments], cwd=project.folder, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**environment(), "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"},
        )
        for rank in (0, 1)
    ]  # fmt: skip
    return [(*process.communicate(timeout=60), process.returncode) for process in started]


@pytest.fixture
def torchrun(project):
    return project.write(config="x: 0\nwhere: ${sweeper:run.dir}\n", train_py=TORCHRUN)


def test_under_torchrun_only_rank_0_owns_a_directory(torchrun):
    (first, error, code), (second, other, also) = start_ranks(torchrun, "x=4")
    assert (code, also) == (0, 0), error + other
    assert "rank 0 x=4 own=True True" in first
    assert "rank 1 x=4 own=False True" in second
    assert len(list((torchrun.folder / "outputs").glob("2*/*"))) == 1
    assert torchrun.query("select score from runs") == [(4.0,)]


def test_ranks_do_not_each_make_a_sweep(torchrun):
    for _, error, code in start_ranks(torchrun, "-m", "x=1,2"):
        assert code == 2
        assert "This is one of 2 processes of one run" in error
        assert "Traceback" not in error
    assert not (torchrun.folder / "multirun").exists()


POOLS = """
    import multiprocessing, os
    import sweeper

    def square(x):
        return x * x, os.getpid()

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        with multiprocessing.get_context(cfg.how).Pool(2) as pool:  # as a DataLoader with two workers
            found = pool.map(square, range(cfg.x), chunksize=1)
        assert os.getpid() not in {pid for _, pid in found}
        return sum(value for value, _ in found)

    GUARD
        train()
"""


@pytest.mark.parametrize("launcher", ["local", "joblib"])
@pytest.mark.parametrize("guard", ['if __name__ == "__main__":', "if True:"], ids=["guard", "no guard"])
def test_a_run_may_have_a_pool_of_its_own(project, launcher, guard):
    project.write(config="x: 4\nhow: fork\n", train_py=POOLS.replace("GUARD", guard))
    ended = project.run("-m", "how=fork,spawn,forkserver", "--jobs", "3", f"sweeper/launcher={launcher}")
    assert [row["score"] for row in ended.results] == ["14"] * 3
    assert len(list((project.folder / "multirun").glob("2*/*"))) == 1


def test_a_script_without_a_guard_may_have_a_pool_in_a_single_run(project):
    project.write(config="x: 4\nhow: spawn\n", train_py=POOLS.replace("GUARD", "if True:"))
    assert project.run().record()["score"] == 14


# As torch.multiprocessing does it: the function's work is done in processes that it starts by pickle.
WORKERS = """
    import multiprocessing, time
    import sweeper

    def work(x):
        for step in range(50):
            sweeper.report({"loss": x}, step=step)
            if x:
                time.sleep(0.05)

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        process = multiprocessing.get_context(cfg.method).Process(target=work, args=(cfg.x,))
        process.start()
        process.join()
        if process.exitcode:
            raise RuntimeError("a worker has failed")
        return {"workers": 1}

    if __name__ == "__main__":
        train()
"""


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_what_a_process_of_a_run_reports_is_the_runs_and_it_is_pruned_there(project, method):
    config = f"x: 0.0\nmethod: {method}\nsweeper:\n  objective:\n    metric: loss\n"
    project.write(config=config, train_py=WORKERS)
    ended = project.run("-m", "x=0,1", "sweeper/pruner=threshold", "sweeper.pruner.upper=0.5")
    first, second = ended.record(0), ended.record(1)
    assert (first["status"], first["score"]) == ("COMPLETED", 0.0)
    assert first["metrics"] == {"loss": 0.0, "workers": 1}
    assert (second["status"], second["metrics"], second["error"]) == ("PRUNED", {"loss": 1.0}, None)
    assert project.query("select count(*) from metrics where step is not null and value = 0") == [(50,)]


def test_a_process_of_a_run_that_fails_on_its_own_fails_the_run(project):
    project.write(
        config="x: one\nmethod: spawn\nsweeper:\n  objective:\n    metric: loss\n", train_py=WORKERS
    )
    ended = project.run("-m", "x=one", "sweeper/pruner=threshold", "sweeper.pruner.upper=0.5", code=1)
    assert ended.record(0)["status"] == "FAILED"
    assert "a worker has failed" in ended.record(0)["error"]


def test_pruned_may_come_back_as_another_error(project):
    project.write(
        config="x: 0\n",
        train_py="""
            import time
            import sweeper

            @sweeper.main(config_path="conf", config_name="config")
            def train(cfg):
                try:
                    for step in range(100):
                        sweeper.report({"loss": 1}, step=step)
                        time.sleep(0.05)
                except Exception:
                    raise RuntimeError("a callback has failed") from None

            train()
        """,
    )
    ended = project.run("-m", "x=1", "sweeper/pruner=threshold", "sweeper.pruner.upper=0.5")
    assert ended.record(0)["status"] == "PRUNED"
