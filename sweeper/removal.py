"""Runs and sweeps taken away: what the database knows of them, and their directories.

A directory is removed only if it was made for its run or sweep alone: one that the user named may hold
anything else.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from typing import Any

from . import yamls
from .archive import is_alive
from .errors import RecordError, UsageError
from .job import host_name, read_record
from .journal import Journal, is_driven
from .ledger import Ledger, Row
from .records import RUNNING


def remove(
    ledger: Ledger, runs: Sequence[Row], sweeps: Sequence[Row], *, keep_files: bool, sure: bool
) -> None:
    """Remove runs and sweeps; without `sure`, ask first.

    Raises:
        RecordError: if one goes on, or a directory is not theirs alone or cannot be removed.
        UsageError: if nobody is there to answer.
    """
    for sweep in sweeps:
        _refuse_going_on(sweep["id"], busy=_is_driven(sweep["directory"]))
    for run in runs:
        _refuse_going_on(run["id"], busy=_goes_on(ledger, run))
    places = [] if keep_files else _places(ledger, runs, sweeps)
    if not sure:
        files = "" if keep_files else " and their directories"
        if not sys.stdin.isatty():
            raise UsageError(
                "rm asks before it removes, and nobody is there to answer", hint="--yes says so."
            )
        words = f"remove {len(sweeps)} sweeps, {len(runs)} runs{files}? [y/N] "
        if input(words).strip().lower() not in ("y", "yes"):
            return
    for place in places:
        try:
            shutil.rmtree(place)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise RecordError(
                f"{place} cannot be removed: {error.strerror}", error.filename or "",
                "What was not removed is still listed; --keep-files leaves the directories alone.",
            ) from None  # fmt: skip
    taken = {row["id"] for row in sweeps}
    for run in runs:
        if run["sweep_id"] and run["sweep_id"] not in taken:
            _note(ledger, run)
    ledger.remove([row["id"] for row in runs], [row["id"] for row in sweeps])


def _refuse_going_on(name: str, *, busy: bool) -> None:
    if busy:
        raise RecordError(f"{name} goes on: a process makes it", hint="End that first, with Ctrl-C or kill.")


def _goes_on(ledger: Ledger, run: Row) -> bool:
    if run["sweep_id"]:
        return _is_driven(_sweep_directory(ledger, run))
    found = read_record(run["directory"]) if run["directory"] else None
    if found is None or found.status != RUNNING:
        return False
    return found.host == host_name() and is_alive(found.pid)


def _is_driven(directory: str | None) -> bool:
    return os.path.exists(f"{directory}/sweep.jsonl") and is_driven(str(directory))


def _sweep_directory(ledger: Ledger, run: Row) -> str:
    """Return the directory of a run's sweep; nothing where there is none."""
    found = ledger.rows("select directory from sweeps where id = ?", [run["sweep_id"]])
    return found[0]["directory"] or "" if found else ""


def _places(ledger: Ledger, runs: Sequence[Row], sweeps: Sequence[Row]) -> list[str]:
    """Return the directories to remove, those of sweeps first.

    Raises:
        RecordError: if one was not made for its run or sweep alone.
    """
    found = [row["directory"] for row in sweeps if _is_own(row["directory"], "sweep")]
    for row in runs:
        place = row["directory"] or ""
        if not any(_is_in(place, other) for other in found) and (
            _is_below(place, _sweep_directory(ledger, row)) or _is_own(place, "run")
        ):
            found.append(place)
    ours = {row["id"] for row in (*runs, *sweeps)}
    others = ledger.rows("select id, directory from runs union all select id, directory from sweeps")
    precious = [os.getcwd(), os.path.expanduser("~"), os.path.realpath(ledger.path)]
    precious += [row["directory"] for row in others if row["id"] not in ours and row["directory"]]
    for place in found:
        inside = next((other for other in precious if _is_in(other, place)), None)
        if inside is not None:
            raise RecordError(
                f"{place} holds more than the runs to remove: {inside}",
                hint="--keep-files leaves the directories alone.",
            )
    return found


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}{os.sep}")


def _is_below(path: str, folder: str) -> bool:
    return bool(folder) and path != folder and _is_in(path, folder)


def _is_own(place: str, kind: str) -> bool:
    """Whether a directory was made for a run or a sweep; False if there is none.

    Raises:
        RecordError: if the user named it, or nothing tells.
    """
    if not place or not os.path.isdir(place):
        return False
    path = os.path.join(place, "sweep.yaml" if kind == "sweep" else ".sweeper/origin.yaml")
    try:
        record: Any = yamls.read(path)
        template = str(record["sweeper"][kind]["dir"])
    except (OSError, KeyError, TypeError):
        template = ""
    if "${now" not in template:
        raise RecordError(
            f"{place} was not made for this {kind} alone, so it is not removed",
            hint="--keep-files forgets the runs and leaves the directories.",
        )
    return True


def _note(ledger: Ledger, run: Row) -> None:
    """Write into a sweep's journal that a run was taken away: a resumed sweep minds it."""
    path = os.path.join(_sweep_directory(ledger, run), "sweep.jsonl")
    if not os.path.exists(path):
        return
    try:
        journal = Journal(path)
        journal.write("removed", number=run["number"])
        journal.close()
    except OSError as error:
        raise RecordError(f"{path} cannot be written: {error.strerror}") from None
