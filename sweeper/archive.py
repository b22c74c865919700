"""A sweep or a single run as its directory tells it, for a tracker that was not there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from . import yamls
from .current import read_reports
from .errors import RecordError
from .job import host_name, read_record
from .journal import is_abandoned, outcome_from, read_journal, read_sweep
from .ledger import Row
from .records import CANCELLED, ENDED, FAILED, RUNNING, FunctionRef, Job, Outcome, now
from .redact import listed
from .track import SweepRecord


def sweep_now(row: Row) -> Row:
    """Return a sweep's row as it is by now: CANCELLED, if its process was killed before it could say so."""
    if row["status"] != RUNNING or not is_abandoned(row["directory"] or ""):
        return row
    said = f"not running any more: sweeper resume {row['id']}"
    return {**row, "status": CANCELLED, "note": f"{row['note']}; {said}" if row["note"] else said}


def run_now(row: Row, sweep: str | None) -> Row:
    """Return the row of a run of a sweep, or of a single run, as it is by now.

    If its process was killed before it could say so, on this machine, it is what `import` makes of it.
    """
    outcome = read_record(row["directory"] or "") if row["status"] == RUNNING else None
    if outcome is None or (sweep is not None and not is_abandoned(sweep)):
        return row
    if outcome.status in ENDED:
        return {**row, "status": outcome.status, "score": outcome.score, "seconds": outcome.seconds}
    if outcome.host != host_name() or is_alive(outcome.pid):
        return row
    return {**row, "status": CANCELLED if sweep is not None else FAILED, "note": "the process was killed"}


def is_alive(pid: int) -> bool:
    """Whether there is such a process on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class Archive(NamedTuple):
    """What a directory tells: the sweep, or a single run's circumstances, and the runs that have ended."""

    record: SweepRecord
    runs: list[tuple[Job, Outcome]]
    status: str
    trackers: Mapping[str, Any] = {}  # their settings, by name

    def options(self, tracker: str) -> dict[str, Any]:
        """Return the settings that a tracker had, if it was one of those that were told."""
        return dict(self.trackers.get(tracker) or {})


def directories_in(folder: str) -> Iterator[str]:
    """Yield the directories of the sweeps and single runs in a folder, at any depth; or it itself.

    Raises:
        RecordError: if there is none.
    """
    found = False
    for path, folders, files in os.walk(os.path.abspath(folder)):
        if "sweep.jsonl" in files or ".sweeper" in folders:
            found = True
            yield path
            folders.clear()
        folders.sort()
    if not found:
        raise RecordError(f"There is no record of a sweep or a run in {folder}")


def archive_of(directory: str, *, every: bool = True) -> Archive:
    """Return what the directory of a sweep or a single run tells: of `every` attempt, cut off or not.

    Raises:
        RecordError: if there is none, or it is not whole.
    """
    directory = os.path.realpath(directory)
    try:
        if os.path.exists(os.path.join(directory, "sweep.jsonl")):
            return _sweep(directory, every=every)
        if os.path.exists(os.path.join(directory, ".sweeper", "origin.yaml")):
            return _single(directory)
    except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
        words = f"{type(error).__name__}: {error}"
        raise RecordError(f"The record in {directory} is not whole", words) from None
    raise RecordError(f"There is no sweep and no single run in {directory}")


def _trackers(origin: Mapping[str, Any]) -> Mapping[str, Any]:
    return (origin.get("sweeper") or {}).get("tracker") or {}


def _record(origin: Mapping[str, Any], directory: str, **known: Any) -> SweepRecord:
    program = origin["program"]
    search = (origin.get("sweeper") or {}).get("search") or {}
    kept = {key: origin.get(key) for key in ("program", "versions", "git")}
    return SweepRecord(
        name=origin["name"], directory=directory, objective=origin.get("objective") or "",
        note=origin.get("note") or "", folder=program["folder"], redact=listed(origin), origin=kept,
        repeats=search.get("repeats") or 1, **known,
    )  # fmt: skip


def _job(record: SweepRecord, directory: str, number: int, attempt: int, params: Mapping[str, Any]) -> Job:
    """Return the job of a run, as far as its directory tells."""
    program = record.origin["program"]
    found: dict[str, Any] = {"config": {}, "overrides": [], "run": {}}
    for name, empty in found.items():
        path = f"{directory}/.sweeper/{name}.yaml"
        if os.path.exists(path):
            found[name] = yamls.read(path) or empty
    name = os.path.splitext(os.path.basename(program["main"] or ""))[0]
    if not os.path.exists(f"{directory}/{name}.log") and os.path.isdir(directory):
        logs = (file for file in sorted(os.listdir(directory)) if file.endswith(".log"))
        name = next(logs, name).removesuffix(".log")
    return Job(
        name=name, number=number, attempt=attempt, directory=directory, config=found["config"],
        function=FunctionRef(program["module"], program["function"], program["main"] or ""), params=params,
        overrides=tuple(found["overrides"]), sweep_id=record.id,
        sweep_directory=record.directory if record.search else "", seed=found["run"].get("seed"),
        folder=record.folder, git=found["run"].get("git"), redact=record.redact,
    )  # fmt: skip


def _single(directory: str) -> Archive:
    outcome = read_record(directory)
    origin, run = (yamls.read(f"{directory}/.sweeper/{name}.yaml") for name in ("origin", "run"))
    if outcome is None:
        raise RecordError(f"The record of the run in {directory} is not whole")
    record = _record(origin, directory, id=run["id"], started=outcome.started)
    job = _job(record, directory, 0, 1, run["params"] or {})
    return Archive(record, [(job, _ended(outcome))], outcome.status, _trackers(origin))


def _ended(outcome: Outcome) -> Outcome:
    """Return the outcome of a run that nobody makes any more."""
    if outcome.status in ENDED:
        return outcome
    return outcome._replace(status=FAILED, ended=now(), error="the process was killed", cause="died")


def _sweep(directory: str, *, every: bool) -> Archive:
    """Return what a sweep's directory tells; of `every` attempt, or of those that came to the runs' ends."""
    found, events = read_sweep(directory), list(read_journal(os.path.join(directory, "sweep.jsonl")))
    record = _record(
        found, directory, id=found["id"], started=found["started"], search=found["search"],
        seed=found["seed"], overrides=tuple(found["overrides"]),
    )  # fmt: skip
    params = {event["number"]: event["params"] for event in events if event["event"] == "ask"}
    starts = [event for event in events if event["event"] == "start"]
    if not every:
        starts = list({event["number"]: event for event in starts}.values())
    ends = {(e["number"], e["attempt"]): e for e in events if e["event"] == "end"}
    removed = {event["number"] for event in events if event["event"] == "removed"}
    runs = []
    for start in starts:
        place = os.path.join(directory, start["directory"])
        number, attempt = start["number"], start["attempt"]
        if number in removed and not os.path.isdir(place):
            continue
        outcome = read_record(place)
        if outcome is None or outcome.status not in ENDED:
            if (number, attempt) in ends:
                outcome = outcome_from(ends[number, attempt])
            elif every and os.path.isdir(place):
                outcome = _cut_off(place, outcome, start["time"])
            else:
                continue
        runs.append((_job(record, place, number, attempt, params[number]), outcome))
    stops = [event["status"] for event in events if event["event"] == "stop"]
    status = stops[-1] if stops else CANCELLED
    return Archive(record, runs, status, _trackers(found))


def _cut_off(directory: str, outcome: Outcome | None, started: str) -> Outcome:
    """Return the outcome of a run whose launching process was killed: it ended when it last was heard of."""
    lines = read_reports(directory)[0]
    heard = datetime.fromtimestamp(lines[-1]["time"]).astimezone().isoformat() if lines else started
    return (outcome or Outcome(CANCELLED, started=started))._replace(
        status=CANCELLED, ended=heard, error="the sweep was killed", cause="died"
    )
