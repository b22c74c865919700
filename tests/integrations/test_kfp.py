"""A pipeline of Kubeflow's whose first component searches: compiled, and run here by kfp's own runner."""

import csv

import pytest
import yaml

pytestmark = pytest.mark.example("with_kfp")


def outputs(example, task: str):
    (folder,) = example.folder.glob(f"local_outputs/diabetes-*/{task}")
    return folder


def test_the_best_config_goes_on_to_the_next_component_and_the_report_is_an_artifact(example):
    example.run("pipeline.py", "here")
    (best,) = example.query("select score, directory from runs order by score desc limit 1")
    executed = yaml.safe_load((outputs(example, "sweep") / "executor_output.json").read_text())
    assert executed["parameterValues"]["score"] == best[0]
    config = yaml.safe_load(executed["parameterValues"]["config"])
    with open(f"{best[1]}/.sweeper/config.yaml") as file:
        assert config == yaml.safe_load(file)
    assert type(config["folds"]) is int  # a dict would come back with 5.0
    assert executed["artifacts"]["metrics"]["artifacts"][0]["metadata"] == {"score": best[0]}
    assert "<html" in (outputs(example, "sweep") / "report").read_text()
    with (outputs(example, "sweep") / "runs").open() as file:
        assert len(list(csv.DictReader(file))) == 6
    example.write(
        look_py="""
        import joblib, sys
        fitted = joblib.load(sys.argv[1])[-1]
        print(fitted.alpha, fitted.l1_ratio, len(fitted.coef_))
    """
    )
    fitted = example.run("look.py", str(outputs(example, "fit") / "model")).out.split()
    assert fitted == [str(config["model"]["alpha"]), str(config["model"]["l1_ratio"]), "10"]


def test_a_mistake_ends_the_pipeline_before_the_next_component(example):
    here = (example.folder / "pipeline.py").read_text()
    (example.folder / "pipeline.py").write_text(here.replace("trials=6", "overrides=['model.alhpa=1']"))
    ended = example.run("pipeline.py", "here", code=1)
    assert "error: Cannot override 'model.alhpa'" in ended.out
    assert not list(example.folder.glob("local_outputs/*/fit"))


def test_the_compiled_pipeline_has_its_parameters_and_installs_nothing(example):
    example.run("pipeline.py")
    text = (example.folder / "pipeline.yaml").read_text()
    compiled = next(iter(yaml.safe_load_all(text)))
    assert set(compiled["root"]["inputDefinitions"]["parameters"]) == {
        "overrides",
        "search",
        "trials",
        "jobs",
    }
    containers = [each["container"] for each in compiled["deploymentSpec"]["executors"].values()]
    assert {each["image"] for each in containers} == {"registry.example.com/diabetes-python:1"}
    assert "pip install" not in text
    assert compiled["root"]["dag"]["tasks"]["fit"]["dependentTasks"] == ["sweep"]
