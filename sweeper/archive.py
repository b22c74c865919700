"""A sweep or a single run as its directory tells it, for a tracker that was not there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from . import yamls
from .errors import RecordError
from .job import read_record
from .journal import outcome_from, read_journal, read_sweep
from .records import ENDED, FAILED, FunctionRef, Job, Outcome, now
from .track import SweepRecord


class Archive(NamedTuple):
    """What a directory tells: the sweep, or a single run's circumstances, and the runs that have ended."""

    record: SweepRecord
    runs: list[tuple[Job, Outcome]]
    status: str


def archives(folder: str) -> Iterator[Archive]:
    """Yield what the sweeps and single runs in a folder, at any depth, tell; or it itself, if it is one.

    Raises:
        RecordError: if there is none.
    """
    found = False
    for path, folders, files in os.walk(os.path.abspath(folder)):
        if "sweep.jsonl" in files or ".sweeper" in folders:
            found = True
            yield _sweep(path) if "sweep.jsonl" in files else _single(path)
            folders.clear()
        folders.sort()
    if not found:
        raise RecordError(f"There is no record of a sweep or a run in {folder}")


def _record(origin: Mapping[str, Any], directory: str, **known: Any) -> SweepRecord:
    program = origin["program"]
    redact = tuple(((origin.get("sweeper") or {}).get("tracker") or {}).get("redact") or ())
    kept = {key: origin.get(key) for key in ("program", "versions", "git")}
    return SweepRecord(
        name=origin["name"], directory=directory, objective=origin.get("objective") or "",
        note=origin.get("note") or "", folder=program["folder"], redact=redact, origin=kept, **known,
    )  # fmt: skip


def _job(record: SweepRecord, directory: str, number: int, attempt: int, params: Mapping[str, Any]) -> Job:
    """Return the job of a run, as far as its directory tells."""
    program = record.origin["program"]
    found: dict[str, Any] = {"config": {}, "overrides": [], "run": {}}
    for name, empty in found.items():
        path = f"{directory}/.sweeper/{name}.yaml"
        if os.path.exists(path):
            found[name] = yamls.read(path) or empty
    return Job(
        number=number, attempt=attempt, directory=directory, config=found["config"],
        function=FunctionRef(program["module"], program["function"], program["main"] or ""), params=params,
        overrides=tuple(found["overrides"]), sweep_id=record.id,
        sweep_directory=record.directory if record.search else "", seed=found["run"].get("seed"),
        folder=record.folder, git=found["run"].get("git"), redact=record.redact,
    )  # fmt: skip


def _single(directory: str) -> Archive:
    outcome = read_record(directory)
    try:
        origin, run = (yamls.read(f"{directory}/.sweeper/{name}.yaml") for name in ("origin", "run"))
    except OSError as error:
        raise RecordError(f"The record of the run in {directory} is not whole", str(error)) from None
    if outcome is None:
        raise RecordError(f"The record of the run in {directory} is not whole")
    record = _record(origin, directory, id=run["id"], started=outcome.started)
    job = _job(record, directory, 0, 1, run["params"] or {})
    return Archive(record, [(job, _ended(outcome))], outcome.status)


def _ended(outcome: Outcome) -> Outcome:
    """Return the outcome of a run that nobody makes any more."""
    if outcome.status in ENDED:
        return outcome
    return outcome._replace(status=FAILED, ended=now(), error="the process was killed", cause="died")


def _sweep(directory: str) -> Archive:
    found, events = read_sweep(directory), read_journal(os.path.join(directory, "sweep.jsonl"))
    record = _record(
        found, directory, id=found["id"], started=found["started"], search=found["search"],
        seed=found["seed"], overrides=tuple(found["overrides"]),
    )  # fmt: skip
    params = {event["number"]: event["params"] for event in events if event["event"] == "ask"}
    starts = {event["number"]: event for event in events if event["event"] == "start"}
    ends = {event["number"]: event for event in events if event["event"] == "end"}
    runs = []
    for number, start in starts.items():
        place = os.path.join(directory, start["directory"])
        outcome = read_record(place)
        if outcome is None or outcome.status not in ENDED:
            if number not in ends:
                continue
            outcome = outcome_from(ends[number])
        runs.append((_job(record, place, number, start["attempt"], params[number]), outcome))
    status = next((e["status"] for e in reversed(events) if e["event"] == "stop"), "CANCELLED")
    return Archive(record, runs, status)
