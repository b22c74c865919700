"""`sweeper promote`: from a sweep into MLflow's registry, and from there to an answer, on loopback."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from textwrap import dedent

import pytest
from conftest import Project, copy_example, environment, python_for

EXAMPLE = "with_mlflow"
pytestmark = pytest.mark.example(EXAMPLE)


def free_port():
    with closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def ask(address, body=None):
    """Return the JSON that an address answers with."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or b"{}")


@contextmanager
def served(python, folder, *words, path, **more):
    """Start `mlflow words`, wait until it answers at a path, and end it."""
    port = free_port()
    name = words[0]
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            [python, "-m", "mlflow", *words, "--host", "127.0.0.1", "--port", str(port)],
            cwd=folder, env={**environment(), **more}, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        for _ in range(600):
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=1):
                break
            assert process.poll() is None, (folder / f"{name}.log").read_text()
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    """The address of a server of MLflow's."""
    folder = tmp_path_factory.mktemp("mlflow")
    words = (
        "server", "--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination", str(folder / "artifacts"),
    )  # fmt: skip
    quick = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with served(python_for(EXAMPLE), folder, *words, path="health", **quick) as address:
        yield address


SAVE = """
    import mlflow
    from sklearn.dummy import DummyRegressor

    import sweeper

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        model = DummyRegressor(strategy="constant", constant=7).fit([[0.0]], [7.0])
        run = sweeper.current_run()
        for name in ("first", "inner/second"):
            folder = f"{run.directory}/{name}"
            mlflow.sklearn.save_model(model, folder, pip_requirements=["scikit-learn"])
            run.log_artifact(folder)
        return {"r2": 0.0}

    if __name__ == "__main__":
        train()
"""


@pytest.fixture(scope="module")
def swept(uri, tmp_path_factory):
    """A sweep: run 1 is better than run 0, and run 2 fails; and a single run with two models."""
    made = Project(tmp_path_factory.mktemp("promote") / EXAMPLE, python_for(EXAMPLE))
    copy_example(EXAMPLE, made.folder)
    (made.folder / "save.py").write_text(dedent(SAVE))
    to = f"sweeper.tracker.mlflow.uri={uri}"
    made.run("save.py", to)
    made.run("-m", "alpha=1,0.01,-1", "--jobs", "2", to, code=1)
    yield made
    made.end()


def promote(project, *words, code=0):
    return project.run("-m", "sweeper", "promote", *words, code=code)


def told(project, *words, code=0):
    return json.loads(promote(project, *words, "--json", code=code).out)


def champion(uri, model, alias="champion"):
    """Return what the server says of the version that an alias stands for."""
    return ask(f"{uri}/api/2.0/mlflow/registered-models/alias?name={model}&alias={alias}")["model_version"]


def set_tag(uri, model, version, key, value):
    body = {"name": model, "version": version, "key": key, "value": value}
    ask(f"{uri}/api/2.0/mlflow/model-versions/set-tag", body)


def test_the_best_run_of_a_sweep_becomes_the_champion_and_answers(uri, swept, tmp_path):
    ended = promote(swept, "last", "--model", "answers")
    assert "promoted  answers@champion is version 1, made from the logged model 'model'" in ended.out
    ((run, score),) = swept.query("select id, score from runs where number = 1 and sweep_id is not null")
    version = champion(uri, "answers")
    tags = {tag["key"]: tag["value"] for tag in version["tags"]}
    assert tags["sweeper.run_id"] == run
    assert tags["sweeper.sweep_id"] == run.partition("/")[0]
    assert float(tags["sweeper.score"]) == score
    assert tags["sweeper.objective"] == "maximize r2"
    words = ("models", "serve", "-m", "models:/answers@champion", "--env-manager", "local")
    path = f"{Path(swept.python).parent}:{os.environ['PATH']}"
    with served(swept.python, tmp_path, *words, path="ping", MLFLOW_TRACKING_URI=uri, PATH=path) as address:
        asked = json.loads((swept.folder / "patient.json").read_text())
        (prediction,) = ask(f"{address}/invocations", asked)["predictions"]
    assert 150 < prediction < 250, "a patient somewhat heavier than most"


def test_promoting_a_run_again_changes_nothing(uri, swept):
    first = told(swept, "last", "--model", "twice")
    second = told(swept, "last", "--model", "twice")
    assert (first["version"], first["registered"], first["champion"]) == ("1", True, None)
    assert (second["version"], second["registered"], second["promoted"]) == ("1", False, True)
    assert told(swept, "last", "--model", "twice", "--alias", "staging")["version"] == "1"
    assert champion(uri, "twice", "staging")["version"] == "1"


def test_a_worse_run_does_not_replace_the_champion_but_by_force(uri, swept):
    promote(swept, "last/1", "--model", "rivals")
    ended = promote(swept, "last/0", "--model", "rivals", code=1)
    assert "score 0.506898: this run is worse by 0.0498944" in ended.out
    assert "kept      rivals@champion stays version 1; --force replaces it" in ended.out
    assert told(swept, "last/0", "--model", "rivals", code=1)["version"] is None, "nothing is registered"
    assert told(swept, "last/0", "--model", "rivals", "--force")["version"] == "2"
    back = told(swept, "last", "--model", "rivals")
    assert (back["version"], back["registered"]) == ("1", False)
    assert back["better_by"] == pytest.approx(0.0498944)


def test_a_run_that_is_as_good_does_not_replace_the_champion(uri, swept):
    ((score,),) = swept.query("select score from runs where number = 0 and sweep_id is not null")
    promote(swept, "last/1", "--model", "equals")
    set_tag(uri, "equals", "1", "sweeper.score", repr(score))
    assert "this run is no better" in promote(swept, "last/0", "--model", "equals", code=1).out


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("sweeper.objective", "minimize mse", "Its score is of 'minimize mse', that of the run of 'maximize r2'."),
        ("sweeper.score", "good", "Its version has no tag sweeper.score, since it was not promoted from here."),
    ],
)  # fmt: skip
def test_scores_that_do_not_compare_are_not_compared(key, value, words, uri, swept):
    model = f"other-{key}"
    promote(swept, "last/0", "--model", model)
    set_tag(uri, model, "1", key, value)
    ended = promote(swept, "last/1", "--model", model, code=2)
    assert f"Version 1 of {model} is its champion, and cannot be compared" in ended.err
    assert words in ended.err
    assert champion(uri, model)["version"] == "1"
    assert told(swept, "last/1", "--model", model, "--force")["better_by"] is None


def test_a_folder_with_a_model_is_chosen_among_several_and_loads(uri, swept):
    ((run,),) = swept.query("select id from runs where sweep_id is null")
    ended = promote(swept, run, "--model", "folders", code=2)
    assert f"The run {run} has 2 models" in ended.err
    assert "Choose with --artifact: first, inner/second." in ended.err
    ended = promote(swept, run, "--model", "folders", "--artifact", "third", code=2)
    assert f"The run {run} has no model 'third'" in ended.err
    found = told(swept, run, "--model", "folders", "--artifact", "inner/second")
    assert found["source"] == "the artifact 'inner/second'"
    assert told(swept, run, "--model", "folders", "--artifact", "inner/second")["registered"] is False
    (swept.folder / "load.py").write_text(
        "import mlflow\nprint(mlflow.pyfunc.load_model('models:/folders@champion').predict([[0.0]]))\n"
    )
    process = subprocess.run(
        [swept.python, "load.py"], cwd=swept.folder, capture_output=True, text=True, check=True,
        env={**environment(), "MLFLOW_TRACKING_URI": uri},
    )  # fmt: skip
    assert "[7" in process.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["last", "--model", "a/b"], "--model 'a/b' is no name of a model"),
        (["last", "--model", "a", "--alias", "latest"], "--alias 'latest' is no alias"),
        (["last", "--model", "a", "--alias", "the best"], "--alias 'the best' is no alias"),
        (["2020", "--model", "a"], "There is no run '2020'"),
        (["last/9", "--model", "a"], "There is no run 'last/9'"),
        (["last/2", "--model", "a"], "/2 is FAILED"),
        (["last", "--model", "a", "--uri", "http://127.0.0.1:1"], "cannot be reached: connection refused"),
        (
            ["last", "--model", "a", "--uri", "sqlite:///absent.db"],
            "There is no store of MLflow's at sqlite:///",
        ),
    ],
)
def test_a_mistake_is_answered_in_three_lines(words, said, swept):
    ended = promote(swept, *words, code=2)
    assert said in ended.err
    assert len(ended.err.splitlines()) <= 3
