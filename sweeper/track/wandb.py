"""Weights & Biases (extra `wandb`): a run of theirs for each run, in a group for the sweep.

Only what is told goes there: no code, console, git or machine is looked at by their client. The config is
the function's, and beside it, under `sweeper`, the params and where the run came from. Metrics have their
steps in a column `step`, so that none is lost where steps do not rise. Artifacts and inputs are named, not
sent. Where their server does not answer, runs are kept for `wandb sync`.

A function that calls `wandb.init` itself makes a run of its own: theirs takes one writer.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from glob import escape, glob
from typing import Any

from ..errors import TrackerError
from ..records import CANCELLED, COMPLETED, PRUNED, Job, Outcome
from . import SweepRecord, library

_MODES = ("online", "offline", "disabled")
_EXIT_CODES = {COMPLETED: 0, PRUNED: 0, CANCELLED: 255}  # 255 is theirs for a killed run


class Wandb:
    """See the module.

    Args:
        sweep: what is known of the sweep.
        project: theirs; by default `WANDB_PROJECT`, else the sweep's name.
        entity: the user or team; by default `WANDB_ENTITY`, else the user's own.
        mode: online, offline or disabled; by default `WANDB_MODE`, else online.
        dir: where the folder `wandb` is made; by default `WANDB_DIR`, else the launching folder.
    """

    late = True

    def __init__(
        self,
        sweep: SweepRecord,
        *,
        project: str | None = None,
        entity: str | None = None,
        mode: str | None = None,
        dir: str | None = None,  # noqa: A002
    ) -> None:
        self.sweep, self.entity = sweep, entity
        self.project = project or os.environ.get("WANDB_PROJECT") or sweep.name
        self.mode = mode or os.environ.get("WANDB_MODE") or "online"
        if self.mode not in _MODES:
            raise TrackerError(f"sweeper.tracker.wandb.mode must be one of {', '.join(_MODES)}")
        self.folder = os.path.join(sweep.folder, dir or os.environ.get("WANDB_DIR") or "")
        self.runs: dict[str, Any] = {}
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # threads that send what nobody told
        self.wandb = library("wandb", "wandb")
        os.makedirs(self.folder, exist_ok=True)
        if self.mode == "online" and not self.wandb.login(prompt=False, verify=False):
            raise TrackerError(
                "Weights & Biases has no key of yours",
                hint="Call `wandb login`, set WANDB_API_KEY, or use sweeper.tracker.wandb.mode=offline.",
            )

    def start(self, run: Job) -> None:
        """Begin a run of theirs, in the place of an earlier attempt's."""
        if run.id in self.runs:
            self.runs.pop(run.id).finish(exit_code=1)
        self._begin(run)

    def _begin(self, run: Job) -> None:
        name = run.id.replace("/", "-")
        for folder in ("wandb", ".wandb"):
            place = escape(os.path.join(self.folder, folder))
            for ending in (escape(name), f"{escape(name)}-kept"):
                for earlier in glob(f"{place}/offline-run-*-{ending}"):
                    shutil.rmtree(earlier, ignore_errors=True)
        before = os.environ.get("WANDB_SERVICE")
        try:
            found = self._init(run, name)
        except self.wandb.errors.CommError as error:
            self.mode = "offline"
            print(  # noqa: T201
                f"warning: Weights & Biases does not answer: {str(error).splitlines()[0]:.200}\n"
                f"  Runs are kept; later: wandb sync {os.path.relpath(self.folder)}/wandb/offline-run-*",
                file=sys.stderr,
            )
            found = self._init(run, f"{name}-kept")  # their service holds on to the name
        if before is None:  # a run that uses wandb by itself is to have a service process of its own
            os.environ.pop("WANDB_SERVICE", None)
        found.define_metric("*", step_metric="step", step_sync=False)
        self.runs[run.id] = found

    def _init(self, run: Job, name: str) -> Any:
        sweep = self.sweep
        return self.wandb.init(
            project=self.project,
            entity=self.entity,
            mode=self.mode,
            dir=self.folder,
            id=name,
            name=f"{sweep.name}-{run.number}" if run.sweep_directory else name,
            group=sweep.id if run.sweep_directory else None,
            job_type=sweep.search or "run",
            notes=sweep.note or None,
            config=self._config(run),
            reinit="create_new",  # several at the same time
            settings=self.wandb.Settings(
                console="off",
                silent=True,
                disable_git=True,
                save_code=False,
                disable_job_creation=True,
                symlink=False,
                init_timeout=float(os.environ.get("WANDB_INIT_TIMEOUT", "20")),
                finish_timeout=60,  # what is not sent by then stays on the disk
                x_disable_meta=True,
                x_disable_machine_info=True,
                x_disable_stats=True,
                x_save_requirements=False,
            ),
        )

    def _config(self, run: Job) -> dict[str, Any]:
        origin = {
            "id": run.id, "sweep": run.sweep_id if run.sweep_directory else None, "number": run.number,
            "attempt": run.attempt, "seed": run.seed, "directory": run.directory,
            "params": dict(run.params), "overrides": list(run.overrides), "command": self.sweep.command,
            "git": dict(run.git) if run.git else None, "versions": self.sweep.origin.get("versions"),
        }  # fmt: skip
        plain: dict[str, Any] = json.loads(json.dumps({**run.config, "sweeper": origin}, default=str))
        return plain

    def log(self, run: Job, metrics: Mapping[str, float], step: int | None, at: float) -> None:
        """Add a row to the history."""
        self.runs[run.id].log({**metrics, **({} if step is None else {"step": step})})

    def finish(self, run: Job, outcome: Outcome) -> None:
        """Write the summary, and end the run of theirs."""
        theirs = self.runs.pop(run.id)
        theirs.config.update(self._config(run), allow_val_change=True)
        said = {
            "score": outcome.score, "status": outcome.status, "seconds": outcome.seconds,
            "note": outcome.note, "error": outcome.error, "artifacts": list(outcome.artifacts),
            "inputs": [dict(entry) for entry in outcome.inputs],
        }  # fmt: skip
        theirs.summary.update({**outcome.metrics, **{key: value for key, value in said.items() if value}})
        if outcome.score is not None:
            theirs.summary["score"] = outcome.score  # zero is one
        if outcome.tags:
            theirs.tags = tuple(f"{key}={value}"[:64] for key, value in outcome.tags.items())
        theirs.finish(exit_code=_EXIT_CODES.get(outcome.status, 1))

    def close(self, status: str) -> None:
        """End what is still open; their service process ends with ours."""
        for theirs in self.runs.values():
            theirs.finish(exit_code=_EXIT_CODES[CANCELLED])
