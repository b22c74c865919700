"""A sweep for other people's tools: its trials as a study of optuna's, which optuna-dashboard opens."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Any

from .archive import archive_of
from .current import read_reports
from .errors import RecordError
from .grammar import Choice, Swept, parse, parse_value
from .journal import locked, point_from, read_journal, read_sweep
from .records import COMPLETED, FAILED, PRUNED, Objective, Outcome
from .redact import hidden, listed, masked
from .results import RunResult, csv_text
from .search.optuna import distribution_of, encode
from .space import Choices, Parameter, parameter
from .tables import json_text
from .track import tell_again


def export_optuna(directory: str, path: str) -> str:
    """Write a sweep's runs as a study into an SQLite file, and return its storage's URL.

    Choices stand there by their place in the list of them, since optuna knows plain values alone; a
    trial's attributes have the params as the program knows them, the run's number and its directory.
    Secrets are masked there, and a parameter that is one is left out unless it is a choice.

    Raises:
        RecordError: if there is no sweep in the directory, or the file has such a study already, or cannot
            be written.
    """
    import optuna
    import sqlalchemy

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    record, events = read_sweep(directory), list(read_journal(os.path.join(directory, "sweep.jsonl")))
    url = f"sqlite:///{path}"
    objective = Objective.parse(record["objective"])
    names = objective.metrics or ("score",) * len(objective.directions)
    try:
        study = optuna.create_study(storage=url, study_name=record["id"], directions=objective.directions)
    except optuna.exceptions.DuplicatedStudyError:
        raise RecordError(f"{path} has a study of this sweep already", hint="Name another file.") from None
    except (optuna.exceptions.StorageInternalError, sqlalchemy.exc.SQLAlchemyError, RuntimeError) as error:
        raise _unwritable(path, error) from None  # the last if the tables are MLflow's
    patterns = listed(record)
    parameters = {name: p for name, p in _parameters(events).items() if not _tells(name, p, patterns)}
    asks = {event["number"]: event for event in events if event["event"] == "ask"}
    places = {event["number"]: event["directory"] for event in events if event["event"] == "start"}
    ends = {event["number"]: event for event in events if event["event"] == "end"}
    trials = []
    for number, ask in asks.items():
        place = os.path.join(directory, places.get(number, str(number)))
        shown = {**ask, "params": masked(ask["params"], patterns)}
        trials.append(_trial(optuna, shown, ends.get(number), place, parameters, names))
    try:
        study.add_trials(trials)
    except (optuna.exceptions.StorageInternalError, sqlalchemy.exc.SQLAlchemyError) as error:
        raise _unwritable(path, error) from None
    return url


def _unwritable(path: str, error: BaseException) -> RecordError:
    """Return what to say of a file that the study cannot be written to: the innermost of the errors."""
    while (inner := getattr(error, "orig", None) or error.__cause__) is not None:
        error = inner
    return RecordError(f"{path} cannot be written: {error}", hint="Name another file with --out FILE.")


def export_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the runs of a sweep, as a ledger gives them, as its results.csv has them."""
    return csv_text(
        [
            RunResult(
                row["number"], 1, row["directory"], row["params"],
                Outcome(row["status"], row["score"], row["metrics"], seconds=row["seconds"]),
            )
            for row in rows
        ]
    )  # fmt: skip


def export_json(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return runs, as a ledger gives them, as JSON: a list with an object a run."""
    return json_text(list(rows)) + "\n"


def _parameters(events: list[dict[str, Any]]) -> dict[str, Parameter]:
    """Return the parameters of a sweep by name: as it declared them, or else with the values they took."""
    declared: dict[str, str] = {}
    for event in events:
        declared.update(event.get("space", {}))
    values: dict[str, list[Any]] = {}
    for event in events:
        for name, value in point_from(event["point"]).items() if event["event"] == "ask" else ():
            values.setdefault(name, []).append(value)
    found = {}
    for name, taken in values.items():
        written = parse_value(declared[name]) if name in declared else None
        domain = written if isinstance(written, Swept) else Choice(values=tuple(taken))
        found[name] = parameter(parse("x=1").with_value(domain), name)
    return found


def _tells(name: str, parameter: Parameter, patterns: Sequence[str]) -> bool:
    """Whether a study would have the values of a secret: those of choices stand there by their place."""
    return hidden(name.partition(" [")[0], patterns) and not isinstance(parameter.domain, Choices)


def _trial(
    optuna: Any,
    ask: Mapping[str, Any],
    end: Mapping[str, Any] | None,
    place: str,
    parameters: Mapping[str, Parameter],
    objectives: Sequence[str],
) -> Any:
    states = optuna.trial.TrialState
    known = {COMPLETED: states.COMPLETE, FAILED: states.FAIL, PRUNED: states.PRUNED}
    end = end or {}
    state = known.get(end.get("status", ""), states.FAIL)
    values = end.get("values") or ([end["score"]] if end.get("score") is not None else [])
    if state == states.COMPLETE and len(values) != len(objectives):
        state = states.FAIL
    point = {name: value for name, value in point_from(ask["point"]).items() if name in parameters}
    steps: dict[int, float] = {}
    for line in read_reports(place)[0] if len(objectives) == 1 else ():
        metrics = line["metrics"]
        value = metrics.get(objectives[0], next(iter(metrics.values())) if len(metrics) == 1 else None)
        if value is not None:
            steps[int(line["step"] if line["step"] is not None else len(steps))] = value
    trial = optuna.trial.create_trial(
        state=state,
        values=values if state == states.COMPLETE else None,
        params={name: encode(parameters[name], value) for name, value in point.items()},
        distributions={name: distribution_of(optuna, parameters[name]) for name in point},
        intermediate_values=steps,
        user_attrs={"params": ask["params"], "number": ask["number"], "directory": place},
    )
    if end.get("started") and end.get("ended"):
        trial.datetime_start, trial.datetime_complete = (
            datetime.fromisoformat(end[name]).replace(tzinfo=None) for name in ("started", "ended")
        )
    return trial


def export_mlflow(directory: str, uri: str | None = None) -> str:
    """Send what MLflow lacks of a sweep, or of a single run, and return words for what was sent.

    A run whose launching process was killed is KILLED there from then on.

    Raises:
        RecordError: if there is no record in the directory, or a process still writes it.
        TrackerError: if MLflow cannot be reached, or refuses.
    """
    archive = archive_of(directory)
    record = archive.record._replace(resumed=True)
    with locked(record.directory) if record.search else nullcontext():
        asked = {**archive.options("mlflow"), "join": False, **({"uri": uri} if uri else {})}
        tracker = tell_again("mlflow", asked, record, archive.runs, archive.status)
    return f"{tracker.total} runs sent, {tracker.there} were there; look at them: {tracker.page}"
