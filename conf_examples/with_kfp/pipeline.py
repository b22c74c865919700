"""A Kubeflow pipeline that searches, and fits a model with the best config that was found.

Usage:
    python pipeline.py            write pipeline.yaml, for a cluster
    python pipeline.py here       run it here, in this environment
"""

import sys
from typing import NamedTuple

from kfp import compiler, dsl, local

IMAGE = "registry.example.com/diabetes-python:1"  # this folder, sweeper and kfp


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def sweep(
    overrides: list,
    search: str,
    trials: int,
    jobs: int,
    metrics: dsl.Output[dsl.Metrics],
    runs: dsl.Output[dsl.Dataset],
    report: dsl.Output[dsl.HTML],
) -> NamedTuple("Best", [("config", str), ("score", float)]):
    import json
    import shutil
    import subprocess
    import sys
    from pathlib import Path

    program = [sys.executable, "train.py", "--search", search, "--trials", str(trials), "--jobs", str(jobs)]
    subprocess.run([*program, *overrides], check=True)

    sweeper = [sys.executable, "-m", "sweeper"]
    subprocess.run([*sweeper, "report", "last", "--out", report.path], check=True)
    found = subprocess.run(
        [*sweeper, "best", "last", "-n", "1", "--json"], check=True, stdout=subprocess.PIPE
    )
    best = json.loads(found.stdout)[0]
    shutil.copy("multirun/latest/results.csv", runs.path)
    metrics.log_metric("score", best["score"])
    config = Path(best["directory"], ".sweeper/config.yaml").read_text()
    return config, best["score"]


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def fit(config: str, model: dsl.Output[dsl.Model]):
    import joblib
    from omegaconf import OmegaConf
    from train import make_model

    estimator, data = make_model(OmegaConf.create(config))
    joblib.dump(estimator.fit(*data), model.path)


@dsl.pipeline(name="diabetes")
def pipeline(overrides: list = [], search: str = "tpe", trials: int = 20, jobs: int = 2):  # noqa: B006  kfp reads it
    best = sweep(overrides=overrides, search=search, trials=trials, jobs=jobs).set_cpu_limit("2")
    fit(config=best.outputs["config"])


if __name__ == "__main__":
    if sys.argv[1:] == ["here"]:
        local.init(local.SubprocessRunner(use_venv=False))
        pipeline(trials=6)
    else:
        compiler.Compiler().compile(pipeline, "pipeline.yaml")
