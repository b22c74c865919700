"""Comet (extra `comet`): an experiment of theirs for each run; offline, a zip file for `comet upload`.

Only what is told goes there: their client's looking at code, git, output and environment is switched off.
Their names for things have no status and no sweep, so these are among the `others`, and the sweep is a tag.
An experiment takes a second to end (their writer's heartbeat), so several end at the same time.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ..errors import TrackerError
from ..records import Job, Outcome
from ..trees import leaves
from . import SweepRecord, library, unreported

_OFF = (
    "log_code", "log_graph", "log_git_metadata", "log_git_patch", "log_env_details", "parse_args",
    "auto_param_logging", "auto_metric_logging", "auto_output_logging", "auto_log_co2",
    "auto_histogram_weight_logging", "auto_histogram_gradient_logging",
    "auto_histogram_activation_logging", "auto_histogram_tensorboard_logging", "display_summary_level",
)  # fmt: skip


class Comet:
    """See the module.

    Args:
        sweep: what is known of the sweep.
        workspace: theirs; by default `COMET_WORKSPACE`, else the user's own.
        project: theirs; by default `COMET_PROJECT_NAME`, else the sweep's name.
        mode: online or offline.
        dir: where zip files are made, offline.
    """

    late = True

    def __init__(
        self,
        sweep: SweepRecord,
        *,
        workspace: str | None = None,
        project: str | None = None,
        mode: str = "online",
        dir: str = "comet",  # noqa: A002
    ) -> None:
        if mode not in ("online", "offline"):
            raise TrackerError("sweeper.tracker.comet.mode must be online or offline")
        os.environ.setdefault("COMET_ERROR_TRACKING_ENABLE", "false")  # a thread that outlives the sweep
        self.comet = library("comet_ml", "comet")
        logging.getLogger("comet_ml").setLevel(logging.ERROR)
        self.sweep, self.workspace, self.offline = sweep, workspace, mode == "offline"
        self.project = project or os.environ.get("COMET_PROJECT_NAME") or sweep.name
        self.folder = os.path.join(sweep.folder, dir)
        if self.offline:
            os.makedirs(self.folder, exist_ok=True)
        elif not self.comet.get_config("comet.api_key"):
            raise TrackerError(
                "Comet has no key of yours",
                hint="Call `comet login`, set COMET_API_KEY, or use sweeper.tracker.comet.mode=offline.",
            )
        self.runs: dict[str, Any] = {}
        self.last: dict[str, dict[str, float]] = {}
        self.ending: list[threading.Thread] = []

    def start(self, run: Job) -> None:
        """Begin an experiment, in the place of an earlier attempt's."""
        if run.id in self.runs:
            earlier = self.runs.pop(run.id)
            earlier.log_other("status", "FAILED")
            earlier.end()
        for attempt in range(1, run.attempt + 1) if self.offline else ():
            with suppress(FileNotFoundError):
                os.unlink(os.path.join(self.folder, f"{_key(run, attempt)}.zip"))
        theirs = self.runs[run.id] = self._experiment(_key(run, run.attempt))
        self.last[run.id] = {}
        theirs.set_name(f"{self.sweep.name}-{run.number}" if run.sweep_directory else run.id)
        if run.sweep_directory:
            theirs.add_tag(run.sweep_id)
        theirs.log_parameters(_flat(run), nested_support=False)
        origin = {
            "id": run.id, "sweep": run.sweep_id if run.sweep_directory else None, "number": run.number,
            "attempt": run.attempt, "seed": run.seed, "directory": run.directory,
            "search": self.sweep.search, "description": self.sweep.note,
            "params": ", ".join(run.params), "overrides": " ".join(run.overrides),
            "command": self.sweep.command, "git": (run.git or {}).get("commit"),
        }  # fmt: skip
        theirs.log_others({f"sweeper.{name}": value for name, value in origin.items() if value is not None})

    def _experiment(self, key: str) -> Any:
        names = {"project_name": self.project, "workspace": self.workspace, "experiment_key": key}
        off: dict[str, Any] = dict.fromkeys(_OFF, False)
        off["display_summary_level"] = 0
        current = self.comet.get_global_experiment()
        self.comet.config.set_global_experiment(None)  # or it would be ended by the next one
        if self.offline:
            theirs = self.comet.OfflineExperiment(offline_directory=self.folder, **names, **off)
        else:
            theirs = self.comet.Experiment(**names, **off)
            if not theirs.alive:
                raise TrackerError(
                    "Comet does not answer, or refuses",
                    hint="Look at the key and the network, or use sweeper.tracker.comet.mode=offline.",
                )
        self.comet.config.set_global_experiment(current)
        return theirs

    def log(self, run: Job, metrics: Mapping[str, float], step: int | None, at: float) -> None:
        """Log metrics."""
        self.runs[run.id].log_metrics(dict(metrics), step=step)
        self.last[run.id].update(metrics)

    def finish(self, run: Job, outcome: Outcome) -> None:
        """Log what came of the run, and let the experiment end."""
        theirs = self.runs.pop(run.id)
        theirs.log_parameters(_flat(run), nested_support=False)  # the config is resolved by now
        theirs.log_metrics(unreported(outcome, self.last.pop(run.id)))
        if outcome.score is not None:
            theirs.log_metric("score", outcome.score)
            theirs.log_other("score", outcome.score)
        theirs.log_others({"status": outcome.status, "seconds": outcome.seconds, **outcome.tags})
        theirs.add_tags([outcome.status, *(f"{key}={value}" for key, value in outcome.tags.items())])
        for name in ("note", "error", "artifacts"):
            if getattr(outcome, name):
                theirs.log_other(name, getattr(outcome, name))
        for entry in outcome.inputs:
            theirs.log_other(f"input.{entry['name']}", f"{entry['path']} sha256={entry['sha256']}")
        self._end(theirs)

    def _end(self, theirs: Any) -> None:
        self.ending.append(threading.Thread(target=theirs.end, name="sweeper-comet-end", daemon=True))
        self.ending[-1].start()

    def flush(self) -> None:
        """Wait until what has ended is written or sent: only then is its end known."""
        for thread in self.ending:
            thread.join()
        self.ending.clear()

    def close(self, status: str) -> None:
        """Wait until the experiments have ended."""
        for theirs in self.runs.values():
            self._end(theirs)
        self.flush()


def _key(run: Job, attempt: int) -> str:
    """Return the key of an experiment: the same whenever the run is told."""
    return hashlib.sha256(f"{run.id}/{attempt}".encode()).hexdigest()[:32]


def _flat(run: Job) -> dict[str, Any]:
    return {**leaves(run.config), **run.params}
