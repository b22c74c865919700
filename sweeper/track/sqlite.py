"""The embedded tracker: `sweeper.db`, one SQLite file that any tool reads.

    sweeps     one row a sweep                        runs    one row a run; sweep_id is null for
    params     run_id, key, value                             a single run
    metrics    run_id, name, step, time, value        tags    run_id, key, value
    artifacts  run_id, path                           inputs  run_id, name, path, size, sha256
    environments  id, python, versions (name==version, a line each): what was installed

Overrides stand a line each; a further line of one begins with a tab.
Times are ISO 8601 with a zone, but `metrics.time`, which is in seconds since 1970. A metric that was
returned, not reported, has no step; nor has the last value of one whose steps went backwards.
`sweeps.planned` is how many runs there are to be, where that is known, `slots` how many at a time, and
`repeats` how many, one number after the other, are of one point. Written by the launching process alone, in
batches.
"""

from __future__ import annotations

import math
import os
import re
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import TrackerError
from ..grammar import show
from ..provenance import sha256
from ..records import ENDED, RUNNING, Job, Outcome, now
from ..yamls import encodable
from . import SweepRecord, unreported

VERSION = 4
PATIENCE = 30.0  # seconds that another process may keep the database locked

# The statements that bring a database from each version to the next; none is at version 0.
_STEPS = (
    """
create table sweeps (
    id text primary key, name text, directory text, status text, started text, ended text,
    search text, objective text, seed integer, overrides text, command text, note text,
    folder text, git_commit text, git_branch text, git_dirty integer);
create table runs (
    id text primary key, sweep_id text references sweeps (id), number integer, attempt integer,
    name text, directory text, status text, score real, started text, ended text, seconds real,
    host text, pid integer, seed integer, error text, note text, overrides text,
    git_commit text, git_branch text, git_dirty integer);
create table params (
    run_id text references runs (id), key text, value, primary key (run_id, key)) without rowid;
create table metrics (
    run_id text references runs (id), name text, step integer, time real, value real);
create table tags (
    run_id text references runs (id), key text, value text, primary key (run_id, key)) without rowid;
create table artifacts (run_id text references runs (id), path text);
create table inputs (run_id text references runs (id), name text, path text, size integer, sha256 text);
create index runs_of_sweep on runs (sweep_id, number);
create index metrics_of_run on metrics (run_id, name, step);
create index artifacts_of_run on artifacts (run_id);
create index inputs_of_run on inputs (run_id)
""",
    """
create table environments (id text primary key, python text, versions text);
alter table sweeps add column script text;
alter table sweeps add column environment text references environments (id);
alter table runs add column script text;
alter table runs add column command text;
alter table runs add column objective text;
alter table runs add column environment text references environments (id);
create index runs_by_time on runs (started)
""",
    """
alter table sweeps add column planned integer;
alter table sweeps add column slots integer
""",
    """
alter table sweeps add column repeats integer not null default 1
""",
)


class _Database(sqlite3.Connection):
    """A connection that writes, and asks for, texts which UTF-8 cannot encode as escaped ones."""

    def execute(self, statement: str, values: Any = ()) -> sqlite3.Cursor:
        return super().execute(statement, _encodable(values))

    def executemany(self, statement: str, rows: Any) -> sqlite3.Cursor:
        return super().executemany(statement, map(_encodable, rows))


def _encodable(values: Any) -> Any:
    return [encodable(value) if isinstance(value, str) else value for value in values]


def connect(path: str, patience: float | None = None) -> sqlite3.Connection:
    """Return a connection to a database, of this version's schema: made, or brought up to it.

    It waits for `patience` seconds, `PATIENCE` by default, while others keep it locked.

    Raises:
        TrackerError: if the file is no database, or a later version's, or cannot be written.
    """
    try:
        return _connect(path, PATIENCE if patience is None else patience)
    except sqlite3.Error as error:
        raise TrackerError(
            f"{path} cannot be used: {error}",
            hint="Name another file with sweeper.tracker.sqlite.path; what is missed stands in the runs' "
            "directories, and `sweeper import DIR` reads it from there.",
        ) from None


def _connect(path: str, patience: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=patience, isolation_level=None, check_same_thread=False, factory=_Database
    )
    if is_foreign(connection):
        connection.close()
        raise sqlite3.DatabaseError("it is the database of another program, not of sweeper")
    version = connection.execute("pragma user_version").fetchone()[0]
    if version < VERSION:
        connection.execute("pragma journal_mode = wal")  # where it cannot be, a rollback journal stays
        connection.execute("begin immediate")
        version = connection.execute("pragma user_version").fetchone()[0]
        for step in _STEPS[version:]:
            for statement in step.split(";"):
                connection.execute(statement)
            version += 1
        connection.execute(f"pragma user_version = {version}")
        connection.execute("commit")
    connection.execute("pragma synchronous = normal")
    if version > VERSION:
        raise sqlite3.DatabaseError(
            f"it was written by a newer sweeper (schema {version}; this one knows {VERSION})"
        )
    return connection


def is_foreign(connection: sqlite3.Connection) -> bool:
    """Whether a database has tables, and they are not ours."""
    # One question, since another process may be making our tables now, all at once.
    tables = dict(connection.execute("select name, sql from sqlite_master where type = 'table'"))
    ours = {"id", "directory", "search", "objective", "overrides"}
    return bool(tables) and not ours <= set(re.findall(r"\w+", tables.get("sweeps", "")))


class Sqlite:
    """See the module.

    Args:
        sweep: what is known of the sweep.
        path: the file, from the launching folder.
    """

    config = False  # the runs' directories have it

    def __init__(self, sweep: SweepRecord, *, path: str = "sweeper.db") -> None:
        self.sweep = sweep
        self.db = connect(os.path.join(sweep.folder or os.getcwd(), path))
        self.last: dict[str, dict[str, tuple[float, float]]] = {}  # highest step, and its value
        self.open = False
        self._begin()
        self.environment_id = self._environment()
        if sweep.search:
            self.db.execute(
                "insert into sweeps values "
                "(?, ?, ?, ?, ?, null, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
                "on conflict (id) do update set status = excluded.status, ended = null, "
                "planned = excluded.planned, slots = excluded.slots",
                (
                    sweep.id, sweep.name, sweep.directory, RUNNING, sweep.started, sweep.search,
                    sweep.objective, sweep.seed, in_lines(sweep.overrides), sweep.command,
                    sweep.note, sweep.folder, *_git(sweep.git), self._script(), self.environment_id,
                    sweep.planned, sweep.slots, sweep.repeats,
                ),
            )  # fmt: skip
        self.flush()

    def _script(self) -> str | None:
        program = self.sweep.origin.get("program", {})
        return program.get("main") or program.get("module") or None

    def _environment(self) -> str | None:
        """Return the id of the row that has the versions, which many runs share."""
        versions = self.sweep.origin.get("versions")
        if not versions:
            return None
        text = "\n".join(f"{name}=={version}" for name, version in versions.items())
        name = sha256(text.encode())[:16]
        self.db.execute(
            "insert or ignore into environments values (?, ?, ?)", (name, versions.get("python"), text)
        )
        return name

    def _begin(self) -> None:
        if not self.open:
            self.db.execute("begin immediate")
            self.open = True

    def start(self, run: Job) -> None:
        """Write a row for the run and its params, in the place of what was known of it."""
        self._begin()
        for table in ("params", "metrics", "artifacts", "inputs"):  # tags may be people's own
            self.db.execute(f"delete from {table} where run_id = ?", (run.id,))  # noqa: S608
        self.last.pop(run.id, None)
        single = not run.sweep_directory
        self.db.execute(
            "insert or replace into runs (id, sweep_id, number, attempt, name, directory, status, "
            "started, seed, overrides, note, git_commit, git_branch, git_dirty, script, command, "
            "objective, environment) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                run.id, None if single else run.sweep_id, run.number, run.attempt, self.sweep.name,
                run.directory, RUNNING, now(), run.seed, in_lines(run.overrides),
                self.sweep.note if single else None, *_git(run.git), self._script() if single else None,
                self.sweep.command if single else None,
                self.sweep.objective if single else None, self.environment_id,
            ),
        )  # fmt: skip
        self.db.executemany(
            "insert or replace into params values (?, ?, ?)",
            [(run.id, key, plain(value)) for key, value in run.params.items()],
        )

    def log(self, run: Job, metrics: Mapping[str, float], step: int | None, at: float) -> None:
        """Write a row for each metric."""
        self._begin()
        self.db.executemany(
            "insert into metrics values (?, ?, ?, ?, ?)",
            [(run.id, name, step, at, value) for name, value in metrics.items()],
        )
        last = self.last.setdefault(run.id, {})
        at_step = math.inf if step is None else step  # one without a step is what readers take
        last.update({n: (at_step, v) for n, v in metrics.items() if n not in last or at_step >= last[n][0]})

    def finish(self, run: Job, outcome: Outcome) -> None:
        """Write what came of the run."""
        self._begin()
        self.db.execute(
            "update runs set status = ?, score = ?, started = coalesce(nullif(?, ''), started), "
            "ended = ?, seconds = ?, host = ?, pid = ?, error = ?, note = coalesce(?, note), "
            "git_dirty = ? where id = ?",
            (
                outcome.status, outcome.score, outcome.started, outcome.ended, outcome.seconds,
                outcome.host, outcome.pid, outcome.error or None, outcome.note or None,
                _git(run.git)[2], run.id,
            ),
        )  # fmt: skip
        reported = {name: value for name, (_, value) in self.last.pop(run.id, {}).items()}
        self.db.executemany(
            "insert into metrics values (?, ?, null, null, ?)",
            [(run.id, name, value) for name, value in unreported(outcome, reported).items()],
        )
        self.db.executemany(
            "insert or replace into tags values (?, ?, ?)", [(run.id, *tag) for tag in outcome.tags.items()]
        )
        self.db.executemany(
            "insert into artifacts values (?, ?)", [(run.id, path) for path in outcome.artifacts]
        )
        self.db.executemany(
            "insert into inputs values (?, ?, ?, ?, ?)",
            [(run.id, i["name"], i["path"], i["size"], i["sha256"]) for i in outcome.inputs],
        )

    def has(self, run: Job) -> bool:
        """Whether the end of a run's last attempt is known."""
        found = self.db.execute(
            "select status from runs where id = ? and attempt = ?", (run.id, run.attempt)
        ).fetchone()
        return found is not None and found[0] in ENDED

    def flush(self) -> None:
        """Commit."""
        if self.open:
            self.db.execute("commit")
            self.open = False

    def close(self, status: str) -> None:
        """Write how the sweep ended, and close the file."""
        if self.sweep.search:
            self._begin()
            self.db.execute(
                "update sweeps set status = ?, ended = ? where id = ?", (status, now(), self.sweep.id)
            )
        self.flush()
        self.db.close()


def plain(value: Any) -> Any:
    """Return a value as SQLite keeps it: numbers and texts as they are, the rest as it is typed.

    >>> plain(1), plain(True), plain([1, 2]), plain(float("nan"))
    (1, 'true', '[1, 2]', 'nan')
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)) or value != value:  # noqa: PLR0124  NaN
        return show(value)
    return value if not isinstance(value, int) or abs(value) < 1 << 63 else str(value)


def in_lines(overrides: Iterable[str]) -> str:
    """Return overrides as the column of that name has them; what stands before an override means nothing."""
    return "\n".join(text.lstrip().replace("\n", "\n\t") for text in overrides)


def from_lines(column: str | None) -> list[str]:
    """Return the overrides that a column has."""
    return [text.replace("\n\t", "\n") for text in re.split(r"\n(?!\t)", column)] if column else []


def _git(git: Mapping[str, Any] | None) -> tuple[Any, Any, Any]:
    git = git or {}
    return git.get("commit"), git.get("branch"), git.get("dirty")
