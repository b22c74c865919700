"""What `sweeper.db` knows of sweeps and runs, as questions are asked of it.

A run is named `SWEEP/number`, by its id, or by its directory; a sweep by the beginning of its id, or by
its directory; `last` is the newest.
"""

from __future__ import annotations

import math
import os
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote
from weakref import finalize

from .errors import OverrideError, RecordError, TrackerError, UsageError, nearest
from .grammar import parse_value
from .records import COMPLETED, ENDED, QUEUED, RUNNING, Objective
from .standings import Standings
from .track.sqlite import connect, from_lines, is_foreign, plain

Row = dict[str, Any]

PATIENCE = 5.0  # seconds that another process may keep the database locked, while somebody waits
ANOTHER = "Name another database with --db PATH."

# What a filter may name of a run itself, and where it stands.
COLUMNS = {
    "id": "r.id", "sweep": "r.sweep_id", "number": "r.number", "attempt": "r.attempt", "name": "r.name",
    "status": "r.status", "score": "r.score", "started": "r.started", "ended": "r.ended",
    "seconds": "r.seconds", "host": "r.host", "seed": "r.seed", "error": "r.error",
    "note": "coalesce(r.note, s.note)", "commit": "r.git_commit", "branch": "r.git_branch",
    "dirty": "r.git_dirty", "directory": "r.directory", "script": "coalesce(r.script, s.script)",
    "search": "s.search",
}  # fmt: skip
_SHOWN = (
    "id", "sweep", "number", "name", "status", "score", "seconds", "started", "ended", "directory", "note",
    "error",
)  # fmt: skip

# The value of a metric: the one that was returned, else the last that was reported. NaN is null there.
_OF_METRIC = "from metrics m where m.run_id = r.id and m.name = ?"
_RETURNED = f"{_OF_METRIC} and m.step is null"
_METRIC = (
    f"coalesce((select m.value {_RETURNED} order by m.rowid desc limit 1), case when not exists "
    f"(select 1 {_RETURNED}) then "
    f"(select m.value {_OF_METRIC} order by m.step desc, m.rowid desc limit 1) end)"
)
_KINDS = {"params": "key", "metrics": "name", "tags": "key"}  # tables, and where the name stands in each
_TIMES = ("started", "ended")  # texts in ISO 8601, each with the zone of its machine
_MOMENT = "julianday(started)"
_DIGITS = 18  # that the number of a run may have: SQLite's have 64 bits
_TIME = re.compile(r"\d{4}(-\d\d(-\d\d([T ]\d\d(:\d\d.*)?)?)?)?")
_STATUSES = (QUEUED, RUNNING, *ENDED)
_FILTER = re.compile(r"^(?P<key>[^<>=!~]+?)\s*(?P<operator><=|>=|!=|=|<|>|~)\s*(?P<value>.*)$", re.DOTALL)


class Term(NamedTuple):
    """A piece of SQL with the values of its question marks."""

    sql: str
    values: tuple[Any, ...] = ()


def is_filter(word: str) -> bool:
    """Whether a word is a filter, such as `params.lr<0.1`, and no name."""
    return bool(_FILTER.match(word)) and not os.path.exists(word)


def check_ours(path: str) -> None:
    """Refuse a file that is not sweeper's database, without writing to it.

    Raises:
        RecordError: if it is another program's, or empty.
        TrackerError: if it cannot be read.
    """
    # A reader leaves a write-ahead log behind where there was none, and a writer, though it only reads, takes
    # it away; a log that was there is a writer's to work off.
    real = os.path.realpath(path)
    mode = "ro" if os.path.exists(f"{real}-wal") else "rw"
    name = f"file:{quote(real)}?mode={mode}"
    try:
        with closing(sqlite3.connect(name, uri=True, timeout=PATIENCE)) as db:
            empty = not db.execute("select 1 from sqlite_master where type = 'table'").fetchone()
            foreign = is_foreign(db)
    except sqlite3.Error as error:
        raise TrackerError(f"{path} cannot be used: {error}", hint=ANOTHER) from None
    if empty:
        raise RecordError(f"{path} is empty: no run was ever written to it", hint=ANOTHER)
    if foreign:
        raise RecordError(f"{path} is the database of another program, not of sweeper", hint=ANOTHER)


class Ledger:
    """A `sweeper.db` that is read."""

    def __init__(self, path: str) -> None:
        """Open the database.

        Raises:
            RecordError: if there is none, or it is not sweeper's, which nothing is written to then.
            TrackerError: if it cannot be read.
        """
        if not os.path.exists(path):
            raise RecordError(
                f"There is no {path}",
                hint="Run this where the runs were started, or name the database with --db PATH.",
            )
        self.path = path
        check_ours(path)
        try:
            self.db = connect(path, PATIENCE)
        except TrackerError as error:
            raise TrackerError(error.what, hint=ANOTHER) from None
        self.db.row_factory = sqlite3.Row
        finalize(self, self.db.close)  # by itself it would stay open until its garbage is collected

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Return the rows that a question gives."""
        return [dict(row) for row in self.db.execute(sql, values)]

    # ---- names

    def find_sweep(self, name: str) -> Row:
        """Return the row of a sweep.

        Raises:
            RecordError: if the name is not one sweep's.
        """
        found = self._sweep(name)
        if found is None:
            raise RecordError(f"There is no sweep {name!r}", hint=self._hint(name, "sweeps"))
        return found

    def _sweep(self, name: str) -> Row | None:
        if name == "last":
            return next(
                iter(self.rows(f"select * from sweeps order by {_MOMENT} desc, id desc limit 1")), None
            )
        found = self.rows("select * from sweeps where directory = ?", [os.path.realpath(name)])
        return next(iter(found), None) or self._by_prefix("sweeps", name)

    def sweep_or_none(self, name: str) -> Row | None:
        """Return the row of a sweep, or None if the name is a run's or nobody's."""
        found = self._sweep(name)
        if found is not None and name == "last":
            later = f"select 1 from runs where sweep_id is null and {_MOMENT} > julianday(?) limit 1"
            if self.rows(later, [found["started"]]):
                return None
        return found

    def find_run(self, name: str) -> Row:
        """Return the row of a run.

        Raises:
            RecordError: if the name is not one run's.
        """
        found = self._run(name)
        if found is not None:
            return found
        sweep = self._sweep(name)
        if sweep is not None:
            raise RecordError(
                f"{name!r} is a sweep", hint=f"Name one of its runs by its number: {name}/0, {name}/1, …"
            )
        raise RecordError(f"There is no run {name!r}", hint=self._hint(name, "runs"))

    def _run(self, name: str) -> Row | None:
        if name == "last":
            newest = f"select rowid from runs order by {_MOMENT} desc, rowid desc limit 1"
            return next(iter(self.rows(f"select * from runs where rowid = ({newest})")), None)
        found = self.rows("select * from runs where directory = ? order by attempt", [os.path.realpath(name)])
        if found:
            return found[-1]
        of, slash, number = name.rpartition("/")
        if slash and number.isdecimal() and len(number) <= _DIGITS:
            sweep = self._sweep(of)
            if sweep is not None:
                wanted = [sweep["id"], int(number)]
                return next(
                    iter(self.rows("select * from runs where sweep_id = ? and number = ?", wanted)), None
                )
        exact = self.rows("select * from runs where id = ?", [name])
        return next(iter(exact), None) or self._by_prefix("runs", name)

    def _by_prefix(self, table: str, prefix: str) -> Row | None:
        """Return the row of a sweep or a single run whose id alone begins so."""
        if not prefix:
            return None
        found = self.rows(
            "select id, 'sweeps' as stands from sweeps where substr(id, 1, length(?1)) = ?1 union all "
            "select id, 'runs' from runs where sweep_id is null and substr(id, 1, length(?1)) = ?1",
            [prefix],
        )
        if len(found) > 1:
            listed = ", ".join(row["id"] for row in found[:3]) + (", …" if len(found) > 3 else "")
            raise RecordError(f"{prefix!r} begins {len(found)} ids: {listed}", hint="Give more of it.")
        if not found or found[0]["stands"] != table:
            return None
        return self.rows(f"select * from {table} where id = ?", [found[0]["id"]])[0]

    def _hint(self, name: str, table: str) -> str:
        if any(os.path.exists(os.path.join(name, record)) for record in ("sweep.jsonl", ".sweeper")):
            return f"{self.path} does not know that directory: sweeper import {name} makes it known."
        ids = [row["id"] for row in self.rows(f"select id from {table} order by started desc limit 1000")]
        return nearest(name, ids) or "sweeper ls lists what there is; last is the newest."

    # ---- lists

    def sweeps(self, last: int | None = None) -> list[Row]:
        """Return the `last` sweeps and single runs by time, with the count of runs and the best score.

        That is the best point's; see `standings`.
        """
        limit = -1 if last is None else last
        found = self.rows(
            "select s.id, s.name, s.search, s.status, count(r.id) as runs, "
            "coalesce(sum(r.status = 'FAILED'), 0) as failed, "
            "null as best, s.started, s.moment, s.overrides, s.note, s.objective, s.repeats, s.directory "
            f"from (select *, {_MOMENT} as moment from sweeps order by moment desc, id desc limit ?) s "
            "left join runs r on r.sweep_id = s.id group by s.id",
            [limit],
        )
        for row in found:
            best = self.standings(row).best
            row["best"] = best.score if best is not None else None
        found += self.rows(
            "select id, name, '' as search, status, 1 as runs, status = 'FAILED' as failed, score as best, "
            f"started, {_MOMENT} as moment, overrides, note, objective, 1 as repeats, directory from runs "
            "where sweep_id is null order by moment desc, id desc limit ?",
            [limit],
        )
        found.sort(key=lambda row: (row.pop("moment") or 0.0, row["id"]))
        return found if last is None else found[-last:]

    def standings(self, sweep: Row) -> Standings[Row]:
        """Return how the points of a sweep stand by their score; a run is its id, number and score."""
        way = Objective.parse(sweep["objective"] or "").maximize
        found = Standings[Row](maximize=way, repeats=sweep["repeats"])
        asked = "select id, number, score from runs where sweep_id = ? and status = ? and score is not null"
        for row in self.rows(asked, [sweep["id"], COMPLETED]):
            found.add(row["number"], row["score"], row)
        return found

    def runs(
        self,
        filters: Iterable[str] = (),
        *,
        sweep: str | None = None,
        sort: str = "",
        reverse: bool = False,
        last: int | None = None,
        known: Mapping[str, str] | None = None,
    ) -> list[Row]:
        """Return runs that pass all filters, in order; the `last` of them.

        Each row has the run's own columns, and `params`, `metrics` and `tags` by name. Filters and the order
        go by the statuses `known` of runs, by id, before what the database has.

        Raises:
            UsageError: if a filter or the key to sort by means nothing.
        """
        known = known or {}
        terms = [self._condition(text, known) for text in filters]
        if sweep is not None:
            terms.append(Term("r.sweep_id = ?", (sweep,)))
        where = " and ".join(term.sql for term in terms) or "1"
        key = self._value_of(sort or "started", known)
        if sort in ("", *_TIMES):
            key = Term(f"julianday({key.sql})")
        # The last of an order are the first of the order turned round; what has no value comes first.
        down = "asc" if reverse else "desc"
        columns = ", ".join(f"{COLUMNS[name]} as {name}" for name in _SHOWN)
        limit = "" if last is None else f"limit {int(last)}"
        found = self.rows(
            f"select {columns} from runs r left join sweeps s on s.id = r.sweep_id where {where} "
            f"order by {key.sql} is null, {key.sql} {down}, r.sweep_id {down}, r.number {down} {limit}",
            [*(value for term in terms for value in term.values), *key.values, *key.values],
        )[::-1]
        self._fill(found)
        return found

    def whole_runs(self, sweep: str) -> list[Row]:
        """Return all runs of a sweep by number: every column, with `params`, `metrics` and `tags` by name."""
        found = self.rows("select * from runs where sweep_id = ? order by number", [sweep])
        self._fill(found)
        return found

    def stepped(self, sweep: str) -> dict[str, list[str]]:
        """Return the runs that have reported a metric by steps, by the name of the metric."""
        found: dict[str, list[str]] = {}
        for run, name in self.db.execute(
            "select distinct m.run_id, m.name from metrics m join runs r on r.id = m.run_id "
            "where r.sweep_id = ? and m.step is not null order by r.number, m.name",
            [sweep],
        ):
            found.setdefault(name, []).append(run)
        return found

    def curve(self, run: str, metric: str) -> list[tuple[int, float]]:
        """Return a metric of a run by steps; of a step that was reported again, the last value."""
        asked = "select step, value from metrics where run_id = ? and name = ? and step is not null order by"
        return list(dict(self.db.execute(f"{asked} step, rowid", [run, metric]).fetchall()).items())

    def versions(self, environment: str | None) -> dict[str, str]:
        """Return what was installed, by name."""
        found = self.rows("select versions from environments where id = ?", [environment])
        pairs = (line.partition("==") for row in found for line in (row["versions"] or "").splitlines())
        return {name: version for name, _, version in pairs}

    def version(self) -> int:
        """Return a number that changes whenever another process writes."""
        return int(self.db.execute("pragma data_version").fetchone()[0])

    def details(self, run: str) -> Row:
        """Return what belongs to a run beside its row: overrides, params, metrics, tags, files."""
        found: Row = {"id": run}
        self._fill([found])
        del found["id"]
        ((text, environment),) = self.db.execute(
            "select overrides, environment from runs where id = ?", [run]
        )
        return {
            "overrides": from_lines(text),
            **found,
            "artifacts": [
                row["path"] for row in self.rows("select path from artifacts where run_id = ?", [run])
            ],
            "inputs": self.rows("select name, path, size, sha256 from inputs where run_id = ?", [run]),
            "versions": self.versions(environment),
        }

    def tagged(self, tag: str) -> Row:
        """Return the row of the newest run that has a tag: `key`, or `key=value`.

        Raises:
            RecordError: if none has.
        """
        key, equals, value = tag.partition("=")
        found = self.rows(
            "select r.* from runs r join tags t on t.run_id = r.id "
            "where t.key = ? and (? = '' or t.value = ?) order by julianday(r.started) desc limit 1",
            [key, equals, value],
        )
        if not found:
            raise RecordError(
                f"No run has the tag {tag!r}", hint=f"Give it to one: sweeper tag RUN {key}={value or 1}"
            )
        return found[0]

    def _fill(self, found: list[Row]) -> None:
        """Add params, metrics and tags to rows of runs."""
        by_id: dict[str, Row] = {}
        for row in found:
            row.update(params={}, metrics={}, tags={})
            by_id[row["id"]] = row
        for ids in _portions([row["id"] for row in found]):
            marks = f"({', '.join('?' * len(ids))})"
            for table, name in (("params", "params"), ("tags", "tags")):
                for run, key, value in self.db.execute(
                    f"select run_id, key, value from {table} where run_id in {marks}",
                    ids,
                ):
                    by_id[run][name][key] = value
            names = "select distinct run_id, name from metrics where run_id in"
            for run, name in self.db.execute(f"{names} {marks}", ids).fetchall():
                by_id[run]["metrics"][name] = None
        values = _METRIC.replace("r.id", "?")
        for row in found:
            for name in row["metrics"]:
                ((value,),) = self.db.execute(f"select {values}", [row["id"], name] * 3)
                row["metrics"][name] = math.nan if value is None else value

    def _value_of(self, key: str, known: Mapping[str, str]) -> Term:
        """Return what stands for a key: a column, a param, a metric or a tag; `known` is as in `runs`."""
        if key == "status" and known:
            cases = " ".join("when ? then ?" for _ in known)
            pairs = tuple(text for pair in known.items() for text in pair)
            return Term(f"case r.id {cases} else {COLUMNS[key]} end", pairs)
        if key in COLUMNS:
            return Term(COLUMNS[key])
        kind, dot, name = key.partition(".")
        if dot and kind in _KINDS:
            self._known(kind, name)
        if dot and kind == "params":
            return Term("(select p.value from params p where p.run_id = r.id and p.key = ?)", (name,))
        if dot and kind == "tags":
            return Term("(select t.value from tags t where t.run_id = r.id and t.key = ?)", (name,))
        if dot and kind == "metrics":
            return Term(_METRIC, (name,) * 3)
        for table in ("params", "metrics"):
            if self.rows(f"select 1 from {table} where {_KINDS[table]} = ? limit 1", [key]):
                return self._value_of(f"{table}.{key}", known)
        names = [*COLUMNS, *(row["key"] for row in self.rows("select distinct key from params limit 1000"))]
        raise UsageError(
            f"No run has a {key!r}",
            hint=nearest(key, names)
            or "A key is a column such as status, params.NAME, metrics.NAME or tags.NAME.",
        )

    def _known(self, kind: str, name: str) -> None:
        """Refuse the name of a param, a metric or a tag that no run has."""
        column = _KINDS[kind]
        if self.rows(f"select 1 from {kind} where {column} = ? limit 1", [name]):
            return
        names = [row["name"] for row in self.rows(f"select distinct {column} as name from {kind} limit 1000")]
        inner = next((f"Did you mean {each!r}?" for each in names if each.endswith(f".{name}")), "")
        raise UsageError(
            f"No run has a {kind[:-1]} {name!r}",
            hint=nearest(name, names) or inner or f"There are {', '.join(names[:10]) or 'none'}.",
        )

    def _condition(self, text: str, known: Mapping[str, str]) -> Term:
        found = _FILTER.match(text)
        if found is None:
            raise UsageError(
                f"{text!r} is no filter", hint="Such as status=FAILED, params.lr<0.1 or name~ridge."
            )
        key, operator, value = found.group("key", "operator", "value")
        key = key.strip()
        if operator == "=" and value[:1] in ("<", ">") and _number(value[1:]) is not None:
            raise UsageError(f"{text!r} is no filter", hint=f"Did you mean {key}{value[0]}={value[1:]}?")
        term = self._value_of(key, known)
        if term.sql == _METRIC:  # NaN is null there, and a text here
            nan = f"coalesce({_METRIC}, (select 'nan' {_OF_METRIC} limit 1))"
            term = Term(nan, (*term.values, term.values[0]))
        if operator == "~":
            return Term(f"instr(cast({term.sql} as text), ?)", (*term.values, value))
        number = _number(value)
        if key == "status" and value not in _STATUSES:
            raise UsageError(
                f"There is no status {value!r}",
                hint=nearest(value.upper(), _STATUSES) or f"There are {', '.join(_STATUSES)}.",
            )
        if key in _TIMES and operator not in ("=", "!="):
            moment = _moment(value)
            if moment is None:
                raise UsageError(
                    f"{text!r} compares with no time", hint=f"Such as {key}{operator}2026-01-31T12:00."
                )
            return Term(f"julianday({term.sql}) {operator} julianday(?)", (moment,))
        if operator not in ("=", "!=") and (number is None or math.isnan(number)):
            raise UsageError(f"{text!r} compares with no number", hint=f"{operator} needs one after it.")
        if number is None:
            kept = _as_kept(value)
            words = "in" if operator == "=" else "not in"
            return Term(f"cast({term.sql} as text) {words} (?, ?)", (*term.values, value, kept))
        # To a real SQLite compares a text that is a number as one; every other is larger than all numbers.
        if operator in ("=", "!="):
            equal = f"({term.sql} = cast(? as real) or cast({term.sql} as text) = ?)"
            return Term(
                equal if operator == "=" else f"not {equal}", (*term.values, number, *term.values, value)
            )
        compared = Term(f"{term.sql} {operator} cast(? as real)", (*term.values, number))
        if operator in ("<", "<="):
            return compared
        largest = f"{term.sql} <= cast(? as real)"
        return Term(f"({compared.sql} and {largest})", (*compared.values, *term.values, math.inf))

    # ---- changes

    def tag(self, run: str, tags: Mapping[str, str | None]) -> None:
        """Set tags of a run; None takes one away."""
        with self.db:
            self.db.execute("begin immediate")
            for key, value in tags.items():
                self.db.execute("delete from tags where run_id = ? and key = ?", (run, key))
                if value is not None:
                    self.db.execute("insert into tags values (?, ?, ?)", (run, key, value))

    def remove(self, runs: Sequence[str], sweeps: Sequence[str]) -> None:
        """Forget runs and sweeps."""
        with self.db:
            self.db.execute("begin immediate")
            for run in runs:
                for table in ("params", "metrics", "tags", "artifacts", "inputs"):
                    self.db.execute(f"delete from {table} where run_id = ?", (run,))
                self.db.execute("delete from runs where id = ?", (run,))
            for sweep in sweeps:
                self.db.execute("delete from sweeps where id = ?", (sweep,))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _as_kept(text: str) -> str:
    """Return the text that the database has for a list, a mapping, a boolean or null, however it is typed."""
    try:
        value = parse_value(text)
    except OverrideError:
        return text
    return str(plain(value)) if value is None or isinstance(value, (bool, list, dict)) else text


def _moment(text: str) -> str | None:
    """Return a time as people write it, with a zone, the local one if it has none; or None."""
    if not _TIME.fullmatch(text):
        return None
    whole = f"{text}-01-01"[:10] if len(text) < 10 else text.replace("Z", "+00:00")
    try:
        return datetime.fromisoformat(whole).astimezone().isoformat(timespec="milliseconds")
    except (ValueError, OverflowError):
        return None


def _portions(ids: list[str], size: int = 500) -> Iterable[list[str]]:
    for at in range(0, len(ids), size):
        yield ids[at : at + size]
