"""A sweep that runs elsewhere, followed in its database: the same view, from another process.

What has changed is asked for once a second, and only of runs that were not known to have ended; whether
anybody still drives the sweep is told by the lock in its directory.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .errors import RecordError
from .journal import is_abandoned
from .ledger import Ledger, Row
from .live import view_for
from .records import CANCELLED, COMPLETED, ENDED, RUNNING, Objective, Outcome
from .results import RunResult
from .view import GO_ON, STATUS_ORDER, Progress, View, command_line, duration, headline, params_line

_EVERY = 1.0  # seconds between looks


def watch(ledger: Ledger, sweep: Row, *, quiet: bool = False) -> int:
    """Show a sweep until it ends, and return the exit code: 0 if all is well with it, else 1."""
    objective = Objective.parse(sweep["objective"] or "")
    progress = Progress(objective, sweep["planned"], sweep["slots"] or 1, repeats=sweep["repeats"])
    view = view_for(progress, quiet=quiet)
    watched = _Watched(ledger, sweep["id"], view)
    watched.look()
    if watched.status != RUNNING:
        view.line(f"the sweep {sweep['id']} has ended already")
    else:
        done = f", {progress.ended} of them have ended" if progress.ended else ""
        first = headline(sweep["search"], progress.total, progress.slots, objective.describe())
        view.begin(f"{first}{done}\nin {sweep['directory']}")
    try:
        gone = not watched.follow(sweep["directory"])
    finally:
        view.close()
    view.last(_last_lines(ledger, sweep["id"], progress, gone=gone))
    return 0 if watched.status == COMPLETED else 1


class _Watched:
    """A sweep in a database, and how much of it is known."""

    def __init__(self, ledger: Ledger, sweep: str, view: View) -> None:
        self.ledger, self.sweep, self.view = ledger, sweep, view
        self.status = ""
        self.version = -1
        self.first = 0  # all runs of smaller numbers have ended, if not for ever
        self.ended: dict[int, Row] = {}  # runs that are known to have ended, by number
        self.names: dict[str, str] = {}  # of the metric that is shown, by run

    def follow(self, directory: str) -> bool:
        """Look again and again until the sweep ends; return False if its process ended before it did."""
        while self.status == RUNNING:
            if is_abandoned(directory):
                self.look()  # it may have ended in between
                return self.status != RUNNING
            time.sleep(_EVERY)
            self.look()
        return True

    def look(self) -> None:
        """Bring the view up to date."""
        ((version,),) = self.ledger.db.execute("pragma data_version")
        if version == self.version:
            return
        begin = self.version == -1
        self.version = version
        # In this order: what a sweep that has ended wrote of its runs stands there already.
        self.status = _row_of(self.ledger, self.sweep)["status"]
        rows = self.ledger.rows(
            "select id, number, attempt, status, score, seconds, started from runs "
            "where sweep_id = ? and (number >= ? or attempt > 1) order by number",
            [self.sweep, self.first],
        )
        if begin:
            self._catch_up(rows)
        for row in rows:
            known = self.ended.get(row["number"])
            if known is not None and known["attempt"] == row["attempt"]:
                continue
            if known is not None:  # a resumed sweep has begun it again
                self.view.progress.reopen(_outcome(self.ended.pop(row["number"])))
            if row["status"] in ENDED:
                self._end(row)
            else:
                self._go_on(row)
        while self.first in self.ended:
            self.first += 1

    def _catch_up(self, rows: list[Row]) -> None:
        """Count what ended before anybody looked."""
        params: dict[str, dict[str, Any]] = {}
        asked = "select p.* from params p join runs r on r.id = p.run_id where r.sweep_id = ?"
        for run, key, value in self.ledger.db.execute(asked, [self.sweep]):
            params.setdefault(run, {})[key] = value
        for row in rows:
            if row["status"] in ENDED:
                self.ended[row["number"]] = row
                self.view.progress.count(row["number"], params.get(row["id"], {}), _outcome(row))

    def _end(self, row: Row) -> None:
        (more,) = self.ledger.rows("select directory, name, error, note from runs where id = ?", [row["id"]])
        params, progress = self._params(row["id"]), self.view.progress
        names = progress.objective.metrics if progress.objective.several else ()
        values = [self._value(row["id"], name) for name in names]
        outcome = _outcome(row)._replace(
            error=more["error"] or "", note=more["note"] or "",
            values=tuple(value for value in values if value is not None),
        )  # fmt: skip
        self.ended[row["number"]] = row
        progress.end(row["number"], params, outcome)
        result = RunResult(row["number"], row["attempt"], more["directory"], params, outcome)
        self.view.ended(result, f"{more['directory']}/{more['name']}.log")

    def _go_on(self, row: Row) -> None:
        progress, number = self.view.progress, row["number"]
        since = datetime.fromisoformat(row["started"]).timestamp()
        if number not in progress.running or progress.running[number].since != since:
            progress.start(number, self._params(row["id"]), since)
        name = self._name(row["id"])
        if name:
            (last,) = self.ledger.rows(
                "select value, step from metrics where run_id = ? and name = ? "
                "order by step desc, rowid desc limit 1",
                [row["id"], name],
            )
            progress.report(number, {name: last["value"]}, last["step"])

    def _name(self, run: str) -> str:
        """Return the metric to show of a run: the objective's, else the first that it reported."""
        if run not in self.names:
            found = [row["name"] for row in self.ledger.rows(
                "select name, min(rowid) as at from metrics where run_id = ? group by name order by at", [run]
            )]  # fmt: skip
            own = [name for name in self.view.progress.objective.metrics if name in found]
            if not found:
                return ""
            self.names[run] = (own or found)[0]
        return self.names[run]

    def _value(self, run: str, name: str) -> float | None:
        """Return a metric as it was returned, else as it was last reported."""
        found = self.ledger.rows(
            "select value from metrics where run_id = ? and name = ? "
            "order by step is null desc, step desc limit 1", [run, name],
        )  # fmt: skip
        return found[0]["value"] if found else None

    def _params(self, run: str) -> Mapping[str, Any]:
        found = self.ledger.rows("select key, value from params where run_id = ?", [run])
        return {row["key"]: row["value"] for row in found}


def _outcome(row: Row) -> Outcome:
    return Outcome(row["status"], row["score"], seconds=row["seconds"] or 0.0)


def _last_lines(ledger: Ledger, sweep: str, progress: Progress, *, gone: bool) -> list[str]:
    row = _row_of(ledger, sweep)
    found = ledger.rows("select status, count(*) as n from runs where sweep_id = ? group by status", [sweep])
    counts = {each["status"]: each["n"] for each in found}
    said = ", ".join(f"{counts[status]} {status}" for status in STATUS_ORDER if status in counts)
    said = said or "no runs"
    if gone:
        lines = [
            "",
            f"{said}, and no process drives the sweep any more",
            f"{GO_ON}  {command_line(['sweeper', 'resume', row['directory']])}",
        ]
    else:
        interrupted = " (interrupted)" if row["status"] == CANCELLED else ""
        lines = ["", f"{said}{_lasted(row)}{interrupted}"]
    lines.append(f"directory  {row['directory']}")
    if progress.best is not None:
        best = progress.best
        words = f"run {best.first.number}, score {best.describe()}, {params_line(best.first.params, ' ')}"
        lines.append(f"best ({progress.objective.describe()}): {words.rstrip(', ')}")
    return lines


def _row_of(ledger: Ledger, sweep: str) -> Row:
    """Return the row of a sweep that was known a moment ago.

    Raises:
        RecordError: if it was removed meanwhile.
    """
    for row in ledger.rows("select * from sweeps where id = ?", [sweep]):
        return row
    raise RecordError(f"The sweep {sweep} is gone: it was removed meanwhile")


def _lasted(row: Row) -> str:
    if not (row["started"] and row["ended"]):
        return ""
    lasted = datetime.fromisoformat(row["ended"]) - datetime.fromisoformat(row["started"])
    return f" in {duration(lasted.total_seconds())}"
