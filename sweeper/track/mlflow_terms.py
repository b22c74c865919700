"""What a sweep and its runs are in MLflow's terms: params, tags, files and times, within its limits."""

from __future__ import annotations

import math
import os
import posixpath
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

from ..grammar import show
from ..records import CANCELLED, COMPLETED, FAILED, PRUNED, Job, Outcome
from ..standings import Standing
from ..trees import leaves
from . import SweepRecord

STATUSES = {COMPLETED: "FINISHED", FAILED: "FAILED", PRUNED: "KILLED", CANCELLED: "KILLED"}
_LONGEST_PARAM, _LONGEST_TAG, _LONGEST_KEY = 6000, 5000, 250


class Scored(NamedTuple):
    """What is told of the best run."""

    number: int
    overrides: str


def name_of(run: Job, sweep: SweepRecord) -> str:
    """Return what a run is called."""
    if not run.sweep_directory:
        return f"{sweep.name} {sweep.id}"
    return f"run {run.number}" if run.attempt == 1 else f"run {run.number}.{run.attempt - 1}"


def params_of(run: Job, *, config: bool) -> dict[str, str]:
    """Return what is swept and, if it is wanted, the config by dotted key."""
    found: dict[str, Any] = {**(leaves(run.config) if config else {}), **run.params}
    return {key_of(key): _cut(_text(value), _LONGEST_PARAM) for key, value in found.items()}


def tags_of_sweep(sweep: SweepRecord) -> dict[str, str]:
    """Return the tags of the parent when it starts."""
    return _tags({
        **_tags_of_origin(sweep, sweep.git),
        "mlflow.note.content": sweep.note,
        "sweeper.sweep_id": sweep.id,
        "sweeper.run_id": sweep.id,
        "sweeper.attempt": "0",
        "sweeper.search": sweep.search,
        "sweeper.objective": sweep.objective,
        "sweeper.seed": sweep.seed,
        "sweeper.overrides": " ".join(sweep.overrides),
        "sweeper.command": sweep.command,
        "sweeper.directory": sweep.directory,
    })  # fmt: skip


def tags_of_run(run: Job, sweep: SweepRecord) -> dict[str, str]:
    """Return the tags of a run when it starts."""
    single = not run.sweep_directory
    return _tags({
        **_tags_of_origin(sweep, run.git or sweep.git),
        "mlflow.note.content": sweep.note if single else None,
        "sweeper.sweep_id": sweep.id,
        "sweeper.run_id": run.id,
        "sweeper.number": run.number,
        "sweeper.attempt": run.attempt,
        "sweeper.seed": run.seed,
        "sweeper.overrides": " ".join(run.overrides),
        "sweeper.command": sweep.command if single else None,
        "sweeper.objective": sweep.objective if single else None,
        "sweeper.directory": run.directory,
    })  # fmt: skip


def _tags_of_origin(sweep: SweepRecord, git: Mapping[str, Any]) -> dict[str, Any]:
    program = sweep.origin.get("program", {})
    return {
        "mlflow.user": _user(),
        "mlflow.source.name": program.get("main") or program.get("module"),
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": git.get("commit"),
        "mlflow.source.git.branch": git.get("branch"),
        "sweeper.git_dirty": git.get("dirty"),
    }


def tags_of_end(counts: Mapping[str, int], best: Standing[Scored] | None, status: str) -> dict[str, str]:
    """Return what is known of a sweep at its end: its runs by status, and the best of them."""
    return _tags({
        "sweeper.runs": ", ".join(f"{count} {word}" for word, count in sorted(counts.items())),
        "sweeper.best_score": best.score if best else None,
        "sweeper.best_run": best.first.number if best else None,
        "sweeper.best_overrides": best.first.overrides if best else None,
        "sweeper.status": status,
    })  # fmt: skip


def tags_of_outcome(outcome: Outcome) -> dict[str, str]:
    """Return a run's own tags, and what metrics cannot say exactly; the status is the last of them."""
    exact = {
        f"sweeper.metrics.{name}": value
        for name, value in outcome.metrics.items()
        if not math.isfinite(value)
    }
    return _tags({
        **outcome.tags,
        **exact,
        "sweeper.score": outcome.score,
        "sweeper.seconds": outcome.seconds,
        "sweeper.note": outcome.note,
        "sweeper.error": outcome.error.strip().rpartition("\n")[2],
        "sweeper.host": outcome.host,
        "sweeper.status": outcome.status,
    })  # fmt: skip


def files_of(run: Job, outcome: Outcome) -> dict[str, str]:
    """Return the files to upload by the name that each gets: its path in the run's directory."""
    found: dict[str, str] = {}
    for path in (run.log, *outcome.artifacts):
        if path == run.log and not (os.path.exists(path) and os.path.getsize(path)):
            continue
        inside = path.startswith(f"{run.directory}/")
        name = os.path.relpath(path, run.directory) if inside else os.path.basename(path)
        if found.get(name, path) != path:
            name = f"{os.path.basename(os.path.dirname(path))}/{name}"
        if os.path.isdir(path):
            for folder, _, files in os.walk(path):
                below = os.path.relpath(folder, path)
                for file in files:
                    found[posixpath.normpath(f"{name}/{below}/{file}")] = f"{folder}/{file}"
        else:
            found[name] = path
    return {name.replace(os.sep, "/"): path for name, path in found.items()}


def key_of(name: str) -> str:
    """Return a name in the letters that MLflow takes.

    >>> key_of("db@src"), key_of("opt/sched"), key_of("../x//y")
    ('db_src', 'opt/sched', 'x/y')
    """
    parts = re.sub(r"[^\w.\- :/]", "_", name).split("/")
    return "/".join(part for part in parts if part not in ("", ".", ".."))[:_LONGEST_KEY] or "_"


def milliseconds(moment: str = "") -> int:
    """Return a moment of a record, or now, as MLflow counts: in milliseconds since 1970."""
    at = datetime.fromisoformat(moment) if moment else datetime.now().astimezone()
    return int(at.timestamp() * 1000)


def _tags(values: Mapping[str, Any]) -> dict[str, str]:
    return {
        key_of(key): _cut(_text(value), _LONGEST_TAG)
        for key, value in values.items()
        if value not in (None, "")
    }


def _text(value: Any) -> str:
    """Return a value as people who log it by themselves would: `True`, `None`, 1e-05."""
    return str(value) if value is None or isinstance(value, (str, bool, int, float)) else show(value)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _user() -> str:
    import getpass

    with suppress(Exception):  # no name, no environment: it raises what it likes
        return getpass.getuser()
    return ""
