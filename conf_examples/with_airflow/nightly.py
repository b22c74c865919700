"""A search each night, and the best of it put to use: a DAG for Airflow 3.

Airflow and the program may live in two environments and two folders: PROGRAM_PYTHON and PROGRAM_FOLDER name
those of the program.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pendulum
from airflow.providers.standard.hooks.subprocess import SubprocessHook
from airflow.sdk import BaseOperator, Param, dag, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException

FOLDER = Path(os.environ.get("PROGRAM_FOLDER", Path(__file__).parent))
PYTHON = os.environ.get("PROGRAM_PYTHON", sys.executable)


class SweepOperator(BaseOperator):
    """Make a sweep, or go on with what an earlier try has made of it, and return its best run."""

    def execute(self, context):
        params, self.hook = context["params"], SubprocessHook()
        directory = "multirun/" + re.sub(r"\W+", "-", context["run_id"])
        if (FOLDER / directory / "sweep.jsonl").exists():
            words = ["--resume", directory, "--retry-failed"]
        else:
            words = [
                "--trials",
                str(params["trials"]),
                *params["overrides"],
                f"sweeper.sweep.dir={directory}",
            ]
        code = self.hook.run_command([PYTHON, "train.py", *words], cwd=str(FOLDER)).exit_code
        if code == 2:
            raise AirflowFailException("A mistake, which no retry mends: see above")
        if code != 0:
            raise AirflowException(f"Not all runs ended well (exit code {code}): a retry makes the others")
        best = [PYTHON, "-m", "sweeper", "best", directory, "-n", "1", "--json"]
        return json.loads(subprocess.run(best, cwd=FOLDER, check=True, stdout=subprocess.PIPE).stdout)[0]

    def on_kill(self):
        self.hook.send_sigterm()


@dag(
    schedule="0 2 * * *",
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    params={"overrides": Param([], type="array"), "trials": Param(20, type="integer", minimum=1)},
)
def nightly():
    @task
    def deploy(best: dict):
        shutil.copy(f"{best['directory']}/.sweeper/config.yaml", FOLDER / "deployed.yaml")
        print(f"deployed run {best['number']}, score {best['score']:.6f}")

    sweep = SweepOperator(task_id="sweep", retries=2, execution_timeout=pendulum.duration(hours=5))
    deploy(sweep.output)


nightly()
