"""Runs read into `sweeper.db`: from directories, which have all of it, or from a csv kept by hand."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from typing import Any, NamedTuple

from .archive import archive_of, directories_in
from .errors import RecordError, SweeperError, TrackerError
from .ledger import ANOTHER, check_ours
from .records import COMPLETED, ENDED, FunctionRef, Job, Outcome, now
from .runs import new_id
from .score import within_64_bits
from .track import SweepRecord, tell_again
from .track.sqlite import connect

# What the second row of a csv may say of a column.
KINDS = ("parameter", "metric", "tag", "score", "status", "note", "seconds", "ignore")
_ONCE = ("score", "status", "note", "seconds")  # what a run has one of
_SHORT = {"param": "parameter", "params": "parameter", "metrics": "metric", "tags": "tag", "": "ignore"}


class Imported(NamedTuple):
    """What came of reading directories: how many runs were read, and how many were known already."""

    read: int
    known: int
    damaged: Mapping[str, SweeperError] = {}  # why a sweep or a single run was not read, by its directory
    moved: tuple[str, ...] = ()  # directories whose sweep or single run was known to lie elsewhere


def import_directories(folder: str, db: str) -> Imported:
    """Read the sweeps and single runs in a folder into a database, those that are whole.

    What the database knows already is left as it is, tags that people gave included; but of a directory that
    was moved it learns where that is now.

    Raises:
        RecordError: if there is none, or none is whole, or the database is another program's.
        TrackerError: if the database cannot be written.
    """
    _check(db)
    read = known = 0
    damaged: dict[str, SweeperError] = {}
    moved = []
    found = list(directories_in(folder))
    for directory in found:
        try:
            archive = archive_of(directory, every=False)
        except SweeperError as error:
            damaged[directory] = error
            continue
        fresh = _unknown(db, archive.runs)
        _write(db, archive.record, fresh, archive.status)
        read += len(fresh)
        known += len(archive.runs) - len(fresh)
        if _follow(db, archive.record):
            moved.append(archive.record.directory)
    if len(damaged) == len(found):
        if len(found) == 1:
            raise damaged[found[0]]
        raise RecordError(f"None of the {len(found)} records in {folder} is whole", said_of(damaged))
    return Imported(read, known, damaged, tuple(moved))


def said_of(damaged: Mapping[str, SweeperError]) -> str:
    """Return the lines that say what was not read, and why."""
    return "\n".join(f"{os.path.relpath(place)}: {error}" for place, error in damaged.items())


def _check(db: str) -> None:
    """Refuse to write into another program's database."""
    if os.path.exists(db) and os.path.getsize(db):
        check_ours(db)


def _unknown(db: str, runs: list[tuple[Job, Outcome]]) -> list[tuple[Job, Outcome]]:
    """Return the runs whose end, at their last attempt, a database does not know."""
    if not os.path.exists(db):
        return runs
    with closing(_named(connect, db)) as connection:
        rows = connection.execute("select id, attempt, status from runs")
        known = {(run, attempt) for run, attempt, status in rows if status in ENDED}
    return [(job, outcome) for job, outcome in runs if (job.id, job.attempt) not in known]


def _follow(db: str, record: SweepRecord) -> bool:
    """Write where a sweep or a single run lies, if it is gone from where a database has it."""
    with closing(_named(connect, db)) as connection:
        table = "sweeps" if record.search else "runs"
        asked = f"select directory from {table} where id = ?"  # noqa: S608
        ((before,),) = connection.execute(asked, [record.id]).fetchall()
        if before == record.directory or os.path.exists(before):  # the latter of a copy
            return False
        connection.execute("begin immediate")
        for table, key, column in (
            ("sweeps", "id", "directory"), ("runs", "id", "directory"), ("artifacts", "run_id", "path")
        ):  # fmt: skip
            connection.execute(
                f"update {table} set {column} = ?1 || substr({column}, length(?2) + 1) "  # noqa: S608
                f"where ({key} = ?3 or substr({key}, 1, length(?3) + 1) = ?3 || '/') "
                f"and ({column} = ?2 or substr({column}, 1, length(?2) + 1) = ?2 || '/')",
                [record.directory, before, record.id],
            )
        connection.execute("commit")
    return True


def _write(db: str, record: SweepRecord, runs: list[tuple[Job, Outcome]], status: str) -> None:
    _named(tell_again, "sqlite", {"path": os.path.abspath(db)}, record, runs, status)


def _named(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function that may find the database unusable; the command has its own flag for another."""
    try:
        return function(*arguments)
    except TrackerError as error:
        raise TrackerError(error.what, hint=ANOTHER) from None


def import_csv(path: str, db: str, *, name: str | None = None, maximize: bool = False) -> int:
    """Read a csv of experiments into a database, as one sweep; return how many runs there are.

    The first row names the columns, the second says what each is, one of `KINDS`; empty cells are left
    out.

    Raises:
        RecordError: naming the line, if it cannot be read so; or if the database is another program's.
        TrackerError: if the database cannot be written.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            found = [(reader.line_num, line) for line in reader if any(cell.strip() for cell in line)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RecordError(f"Cannot read {path}: {error}") from None
    lines = [line for _, line in found]
    if len(lines) < 2:
        raise RecordError(
            f"{path} has no rows", hint="The first names the columns, the second says what each is."
        )
    names = [cell.strip() for cell in lines[0]]
    kinds = _kinds(path, names, lines[1])
    way = "maximize" if maximize else "minimize"
    stem = os.path.splitext(os.path.basename(path))[0]
    absolute = os.path.abspath(path)
    record = SweepRecord(new_id(), name or stem, absolute, now(), search="import", objective=f"{way} score")
    rows = enumerate(found[2:])
    made = [_run(record, f"{path}:{number}", names, kinds, line, at) for at, (number, line) in rows]
    _check(db)
    _write(db, record, made, COMPLETED)
    return len(made)


def _kinds(path: str, names: list[str], line: list[str]) -> list[str]:
    found = [_SHORT.get(cell.strip().lower(), cell.strip().lower()) for cell in line]
    wrong = next((cell for cell, kind in zip(line, found, strict=True) if kind not in KINDS), None)
    if wrong is not None:
        raise RecordError(
            f"The second row must say what each column is, and says {wrong!r}",
            f"{path}:2",
            f"There are {', '.join(KINDS)}.",
        )
    if len(found) != len(names):
        raise RecordError(
            f"The second row has {len(found)} cells, and there are {len(names)} columns",
            f"{path}:2",
            "It says of every column what it is; ignore leaves one out.",
        )
    for kind in _ONCE:
        several = [name for name, each in zip(names, found, strict=True) if each == kind]
        if len(several) > 1:
            raise RecordError(
                f"A run has one {kind}, and {len(several)} columns are one: {', '.join(several)}",
                f"{path}:2",
                "Call the others a metric, a tag, or ignore.",
            )
    named = [pair for pair in zip(found, names, strict=True) if pair[0] != "ignore"]
    twice = next((pair for pair in named if named.count(pair) > 1), None)
    if twice is not None:
        raise RecordError(f"There are several columns for the {twice[0]} {twice[1]!r}", f"{path}:1")
    return found


def _run(
    record: SweepRecord, where: str, names: list[str], kinds: list[str], line: list[str], number: int
) -> tuple[Job, Outcome]:
    found: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
    if len(line) > len(names):
        raise RecordError(f"The row has {len(line)} cells, and there are {len(names)} columns", where)
    for name, kind, cell in zip(names, kinds, line, strict=False):
        text = cell.strip()
        if not text:
            continue
        value: Any = _number(text)
        if kind in ("metric", "score", "seconds") and value is None:
            raise RecordError(f"The {kind} {name!r} must be a number, not {text!r}", where)
        if kind in ("metric", "score", "seconds"):
            value = within_64_bits(value)
        found[kind][name] = text if value is None or kind in ("tag", "note", "status") else value
    status = next(iter(found["status"].values()), COMPLETED).upper()
    if status not in ENDED:
        raise RecordError(f"A status is one of {', '.join(ENDED)}, not {status}", where)
    job = Job(
        number=number, attempt=1, directory="", config={}, function=FunctionRef("", ""),
        params=found["parameter"], sweep_id=record.id, sweep_directory=record.directory,
    )  # fmt: skip
    outcome = Outcome(
        status, next(iter(found["score"].values()), None), found["metric"],
        seconds=next(iter(found["seconds"].values()), 0.0), note=next(iter(found["note"].values()), ""),
        tags=found["tag"],
    )  # fmt: skip
    return job, outcome


def _number(text: str) -> int | float | None:
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return None
