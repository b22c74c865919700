"""Callbacks: objects that are told when runs and sweeps begin and end."""

import pytest

SCRIPT = """
    import sweeper

    class Tell:
        def __init__(self, name):
            self.name = name

        def say(self, *words):
            with open("told.txt", "a") as file:
                print(self.name, *words, file=file)

        def on_run_start(self, config, **kwargs):
            self.say("run start", config.x)

        def on_run_end(self, config, **kwargs):
            self.say("run end")

        def on_multirun_start(self, config, **kwargs):
            self.say("multirun start")

        def on_multirun_end(self, config, **kwargs):
            self.say("multirun end")

        def on_job_start(self, config, task_function, **kwargs):
            self.say("job start", task_function.__name__, config.x)

        def on_job_end(self, config, job_return, **kwargs):
            self.say("job end", job_return.status.name, job_return.return_value)

    class Broken:
        def on_job_start(self, **kwargs):
            raise RuntimeError("broken")

    @sweeper.main(config_path="conf", config_name="config", version_base="1.3")
    def train(cfg):
        return cfg.x * 2

    if __name__ == "__main__":
        train()
"""


@pytest.fixture
def told(project):
    project.write(train_py=SCRIPT)

    def run(node, *arguments):
        project.write(config=f"x: 1\n{node}: {{callbacks: {{a: {{_target_: __main__.Tell, name: a}}, b: {{_target_: __main__.Broken}}, c: {{_target_: __main__.Tell, name: c}}}}}}\n")  # fmt: skip
        project.run("train.py", *arguments)
        return (project.folder / "told.txt").read_text().splitlines()

    return run


@pytest.mark.parametrize("node", ["sweeper", "hydra"])
def test_a_run_is_told_from_both_sides_and_ends_in_reverse(told, node):
    assert told(node) == [
        "a run start 1", "c run start 1", "a job start train 1", "c job start train 1",
        "c job end COMPLETED 2", "a job end COMPLETED 2", "c run end", "a run end",
    ]  # fmt: skip


def test_a_callback_that_cannot_be_made_leaves_no_sweep_behind(project):
    project.write(train_py=SCRIPT, config="x: 1\nsweeper: {callbacks: {a: {_target_: __main__.Tel}}}\n")
    ended = project.run("-m", "x=1,2", code=2)
    assert "Tel" in ended.err
    assert "Traceback" not in ended.err
    assert not (project.folder / "multirun").exists()


def test_a_sweep_is_told_in_the_launching_process_and_its_runs_in_theirs(told):
    lines = told("sweeper", "-m", "x=1,2")
    assert lines[:2] == ["a multirun start", "c multirun start"]
    assert lines[-2:] == ["c multirun end", "a multirun end"]
    assert lines.count("a job end COMPLETED 4") == 1
