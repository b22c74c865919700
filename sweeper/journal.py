"""What a sweep writes down of itself, and what a later process reads of it.

sweep.yaml    the config, the command line, the versions: what it takes to go on
sweep.jsonl   a line for each ask, start, end and stop, written before the act: the truth
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from . import yamls
from .composition import parse_all
from .errors import RecordError
from .grammar import Override, parse_value, show
from .groups import config_digest
from .plan import OWN, Plan
from .points import Points
from .provenance import DECISIVE, digest_of, versions
from .records import Outcome, Program, now
from .track import SweepRecord

BUDGETS = tuple(f"sweeper.search.{name}" for name in ("trials", "timeout", "target", "patience"))
_SEARCH = (
    "sweeper/search", "sweeper.search", "sweeper/pruner", "sweeper.pruner", "sweeper.space",
    "sweeper.objective",
)  # fmt: skip


class Journal:
    """The sweep's append-only record, `sweep.jsonl`: the truth."""

    def __init__(self, path: str) -> None:
        self.path = path
        _drop_torn_line(path)
        self.file = open(path, "a", encoding="utf-8")  # noqa: SIM115  kept open; closed by close()
        self.synced = time.monotonic()

    def write(self, event: str, **what: Any) -> None:
        """Append a line; it is in the system's hands when this returns."""
        line = {"event": event, "time": now(), **what}
        self.file.write(json.dumps(line) + "\n")
        self.file.flush()

    def sync(self) -> None:
        """See that what was written reaches the disk."""
        if time.monotonic() - self.synced > 1.0:
            os.fsync(self.file.fileno())
            self.synced = time.monotonic()

    def close(self) -> None:
        """Close the file, all of it on the disk."""
        with suppress(OSError):  # a full disk has been said where a line was lost
            os.fsync(self.file.fileno())
        with suppress(OSError):
            self.file.close()


def _drop_torn_line(path: str) -> None:
    """Cut off what a process that was killed, or had no room, wrote of its last line."""
    with suppress(FileNotFoundError), open(path, "rb+") as file:
        if not file.seek(0, os.SEEK_END):
            return
        file.seek(-1, os.SEEK_END)
        if file.read() != b"\n":
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)


def read_journal(path: str) -> Iterator[dict[str, Any]]:
    """Yield the lines of a journal, but for a last one that was cut off while it was written.

    Raises:
        RecordError: if another one cannot be read.
    """
    torn = 0
    with open(path, encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            if torn:
                raise RecordError(
                    "A line of the record is not whole", f"{path}:{torn}", "Mend it, or take it away."
                )
            event: Any = None
            with suppress(ValueError):
                event = json.loads(line)
            if isinstance(event, dict) and "event" in event:
                yield event
            else:
                torn = number


def has_begun(directory: str) -> bool:
    """Whether there is a sweep in a directory, one that came to write its first line."""
    path = os.path.join(directory, "sweep.jsonl")
    return os.path.exists(path) and any(True for _ in read_journal(path))


def journaled(outcome: Outcome) -> dict[str, Any]:
    """Return what the journal's line of an end says."""
    kept: dict[str, Any] = {
        "status": outcome.status, "score": outcome.score, "seconds": outcome.seconds,
        "metrics": dict(outcome.metrics), "started": outcome.started, "ended": outcome.ended,
    }  # fmt: skip
    if outcome.values:
        kept["values"] = list(outcome.values)
    for name in ("error", "cause", "note", "last"):
        if getattr(outcome, name):
            kept[name] = getattr(outcome, name)
    return kept


def point_texts(point: Mapping[str, Any]) -> dict[str, str]:
    """Return a point as the journal keeps it: each value as it would be typed."""
    return {name: show(value) for name, value in point.items()}


def point_from(texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the point that the journal keeps."""
    return {name: parse_value(text) for name, text in texts.items()}


def outcome_from(event: Mapping[str, Any]) -> Outcome:
    """Return the outcome that a journal's line of an end holds."""
    return Outcome(
        status=event["status"],
        score=event["score"],
        metrics=event["metrics"],
        values=tuple(event.get("values", ())),
        started=event["started"],
        ended=event["ended"],
        seconds=event["seconds"],
        error=event.get("error", ""),
        cause=event.get("cause", ""),
        note=event.get("note", ""),
        last=tuple(event["last"]) if event.get("last") else None,
    )


def write_sweep(directory: str, points: Points, record: SweepRecord) -> None:
    """Write a sweep's `sweep.yaml`."""
    plan = points.plan
    content = {
        "id": record.id,
        "name": record.name,
        "note": record.note or None,
        "started": record.started,
        "seed": record.seed,
        "search": record.search,
        "objective": record.objective,
        "overrides": [o.text for o in plan.overrides],
        "space": points.space.describe(),
        **record.origin,
        "config_name": plan.primary,
        "config_files": plan.search.digests(),
        "config": plan.base.tree,
        "sweeper": plan.base.settings,
        **({"hydra": plan.base.hydra} if plan.base.hydra else {}),
    }
    yamls.write(os.path.join(directory, "sweep.yaml"), content)


@contextmanager
def locked(directory: str) -> Iterator[None]:
    """Hold a sweep's directory, so that no second process drives it."""
    path = os.path.join(directory, ".lock")
    try:
        import fcntl
    except ImportError:  # no such locks on Windows
        yield
        return
    with open(path, "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RecordError(f"Another process drives the sweep in {directory}") from None
        yield  # the file stays: whoever has opened it must find the same one locked


def is_driven(directory: str) -> bool:
    """Whether a process drives the sweep in a directory; where there are no locks, it is believed."""
    try:
        import fcntl

        with open(os.path.join(directory, ".lock"), encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except (ImportError, OSError):
        return True
    return False


def is_abandoned(directory: str) -> bool:
    """Whether no process drives the sweep in a directory; not of one that is not here."""
    return os.path.isdir(directory) and not is_driven(directory)


class Earlier(NamedTuple):
    """What an earlier process left of a sweep."""

    directory: str
    id: str
    seed: int
    epoch: float
    retry_failed: bool = False
    overrides: tuple[str, ...] = ()  # given to this resume and to those before it
    warm: Mapping[str, Any] | None = None  # what was known beforehand


def read_sweep(directory: str) -> dict[str, Any]:
    """Return what a sweep's `sweep.yaml` holds.

    Raises:
        RecordError: if there is no sweep in the directory.
    """
    path = os.path.join(directory, "sweep.yaml")
    try:
        found = yamls.read(path)
    except OSError:
        raise RecordError(
            f"There is no sweep in {directory}", hint="--resume takes a sweep's directory, as it was printed."
        ) from None
    if not isinstance(found, dict) or "program" not in found:
        raise RecordError(f"{path} is no record of a sweep")
    return found


def find_earlier(directory: str, overrides: Sequence[str], *, retry_failed: bool) -> Earlier:
    """Return what an earlier process left in a directory; `overrides` are those of this resume.

    Raises:
        RecordError: if there is no sweep in it, or its journal does not begin.
    """
    directory = os.path.abspath(directory)
    if os.path.islink(directory):  # such as multirun/latest, which will lead to another sweep
        directory = os.path.normpath(os.path.join(os.path.dirname(directory), os.readlink(directory)))
    record = read_sweep(directory)
    path = os.path.join(directory, "sweep.jsonl")
    events = read_journal(path) if os.path.exists(path) else iter(())
    starts = [event for event in events if event["event"] in ("begin", "resume")]
    begun = next((event for event in starts if event["event"] == "begin"), None)
    if begun is None:
        raise RecordError(
            f"The sweep in {directory} has not begun, or its sweep.jsonl is not whole",
            hint="Start it again as it was started the first time.",
        )
    given = starts[-1].get("overrides", ())  # each resume's line has those of the ones before it too
    return Earlier(
        directory, record["id"], record["seed"], begun["epoch"], retry_failed,
        (*given, *overrides), begun.get("warm"),
    )  # fmt: skip


def changes_search(override: Override) -> bool:
    """Whether an override would change the search itself of a sweep that is resumed."""
    return override.name.startswith(_SEARCH) and override.name not in BUDGETS


def find_same(directory: str, plan: Plan, program: Program) -> tuple[Earlier, list[str]]:
    """Return what an earlier process left of a plan's own sweep, and warnings of what else has changed.

    Raises:
        RecordError: if the sweep in the directory was another.
    """
    record = read_sweep(directory)
    function = record["program"]["function"]
    if function != program.ref.name:
        raise RecordError(
            f"The sweep in {directory} is of another function, {function!r}",
            hint=f"Give the directory of a new sweep to {program.ref.name!r}.",
        )
    before, given = (
        [o.text for o in overrides if changes_search(o) or not o.name.startswith(OWN)]
        for overrides in (parse_all(record["overrides"]), plan.overrides)
    )
    if before != given:
        raise RecordError(
            f"The sweep in {directory} was begun with other overrides",
            f"    {' '.join(before)}",
            "Give those, or the directory of a new sweep.",
        )
    later = [o.text for o in plan.overrides if o.text not in record["overrides"]]
    return find_earlier(directory, later, retry_failed=False), check_unchanged(plan, record)


def check_unchanged(plan: Plan, record: Mapping[str, Any]) -> list[str]:
    """Refuse to resume with another config; return warnings of what else has changed.

    Raises:
        RecordError: naming the first key that differs.
    """
    before, now = record["config"] or {}, plan.base.tree
    changed = _changed(record)
    if changed or yamls.dump(before) != yamls.dump(now):
        key = _first_difference(before, now, "") or "an option of a group"
        raise RecordError(
            f"The config has changed since the sweep began, at '{key}'",
            f"in {', '.join(changed) or 'the config'}",
            "Take the change back, or begin a new sweep.",
        )
    warnings = []
    script = record["program"].get("sha256")
    if script and digest_of(record["program"]["main"]) != script:
        warnings.append(f"warning: {record['program']['main']} has changed since the sweep began")
    before, found = record.get("versions") or {}, versions()
    changed_ones = [name for name in DECISIVE if name in before and before[name] != found.get(name)]
    return warnings + [
        f"warning: {name} is {found.get(name)} now, and was {before[name]}" for name in changed_ones
    ]


def _changed(record: Mapping[str, Any]) -> list[str]:
    before = record.get("config_files") or {}
    return [path for path, digest in before.items() if config_digest(path) != digest]


def _first_difference(before: Any, now: Any, path: str) -> str:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in {**before, **now}:
            if key not in before or key not in now:
                return f"{path}{key}"
            if before[key] != now[key]:
                return _first_difference(before[key], now[key], f"{path}{key}.")
    return path.rstrip(".")
