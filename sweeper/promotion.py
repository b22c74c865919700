"""The model of a run, registered at MLflow under an alias, if it is better than the one that has it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from shlex import quote
from typing import Any, NamedTuple

from . import yamls
from .errors import RecordError, TrackerError, UsageError
from .ledger import Ledger, Row
from .records import COMPLETED, Objective
from .rerun import origin_of
from .track.mlflow_registry import MLMODEL, Logged, Registry, Version, open_registry
from .track.mlflow_rest import Found, Unreachable
from .track.mlflow_store import shown_uri, store_uri

_ALIAS = re.compile(r"[\w-]{1,255}")
_RESERVED = re.compile(r"latest|v\d+", re.IGNORECASE)  # which MLflow keeps to itself
_OBJECTIVE, _SCORE, _RUN = "sweeper.objective", "sweeper.score", "sweeper.run_id"


class Promotion(NamedTuple):
    """What came of promoting a run."""

    promoted: bool
    model: str
    alias: str
    run: str
    score: float | None
    objective: str
    version: str | None  # None if there is none of the run
    registered: bool  # whether that version is new
    champion: Row | None  # the version that had the alias: version, run, score
    better_by: float | None
    source: str
    uri: str


class _Source(NamedTuple):
    """Where a run's model is."""

    uri: str
    words: str
    logged: Logged | None = None


def promote(
    ledger: Ledger, run: Row, model: str, alias: str, *, uri: str | None, artifact: str | None, force: bool
) -> Promotion:
    """Register the model of a run and give it the alias, unless another version has it that is not worse.

    Raises:
        SweeperError: for a name that MLflow does not take, a run that has no model there or whose score
            cannot be compared with the other's, or a server that does not answer.
    """
    _check_names(model, alias)
    if run["status"] != COMPLETED:
        raise RecordError(
            f"The run {run['id']} is {run['status']}", hint="Only a run that is COMPLETED is promoted."
        )
    origin = _origin_of(run)
    options = (origin.get("sweeper") or {}).get("tracker", {}).get("mlflow") or {}
    folder = (origin.get("program") or {}).get("folder", "")
    place = store_uri(uri or options.get("uri"), "" if uri else folder)
    if place and place.startswith("sqlite:///") and not os.path.exists(place.removeprefix("sqlite:///")):
        raise RecordError(f"There is no store of MLflow's at {place}", hint="Give another with --uri.")
    registry = open_registry(place)
    try:
        return _promote(registry, _Asked(ledger, run, model, alias, artifact, force))
    except Unreachable as error:
        raise TrackerError(
            f"MLflow at {shown_uri(registry.client.uri)} cannot be reached: {error}",
            hint="Is the server up, and the address right? Give another with --uri.",
        ) from None


class _Asked(NamedTuple):
    ledger: Ledger
    run: Row
    model: str
    alias: str
    artifact: str | None
    force: bool


def _promote(registry: Registry, asked: _Asked) -> Promotion:
    run, model, alias = asked.run, asked.model, asked.alias
    told = _find(registry, run)
    source = _source_of(registry, told, asked.artifact)
    objective = _objective_of(asked.ledger, run)
    champion = registry.aliased(model, alias)
    same = [version for version in registry.versions(model, told.id) if version.source == source.uri]
    keeps_it = champion is not None and champion.number in [version.number for version in same]
    better_by = None
    promoted = True
    if champion is not None and not keeps_it:
        better_by = _better_by(champion, run["score"], objective)
        if not asked.force:
            if better_by is None:
                raise _incomparable(champion, asked, objective)
            promoted = better_by > 0
    version = champion if keeps_it else next(iter(same), None)
    registered = promoted and version is None
    if registered:
        tags = _tags_of(told, run, objective)
        version = registry.register(model, told, source.uri, source.logged, tags)
    if promoted and not keeps_it and version is not None:
        registry.set_alias(model, alias, version.number)
    return Promotion(
        promoted, model, alias, run["id"], run["score"], objective, version.number if version else None,
        registered, _shown(champion), better_by, source.words, shown_uri(registry.client.uri),
    )  # fmt: skip


def _check_names(model: str, alias: str) -> None:
    if not model.strip() or re.search(r"[/:]", model):
        raise UsageError(
            f"--model {model!r} is no name of a model", hint="Any text without / and :, such as iris."
        )
    if not _ALIAS.fullmatch(alias) or _RESERVED.fullmatch(alias):
        raise UsageError(
            f"--alias {alias!r} is no alias",
            hint="Letters, digits, _ and -, such as champion; MLflow keeps latest, v1, v2, … to itself.",
        )


def _origin_of(run: Row) -> Row:
    """Return the record of how a run was made; nothing if its directory is gone."""
    path = origin_of(run["directory"])
    return (yamls.read(path) or {}) if os.path.exists(path) else {}


def _objective_of(ledger: Ledger, run: Row) -> str:
    ((found,),) = ledger.db.execute(
        "select coalesce(r.objective, s.objective, '') from runs r left join sweeps s "
        "on s.id = r.sweep_id where r.id = ?",
        [run["id"]],
    ).fetchall()
    return str(found)


def _find(registry: Registry, run: Row) -> Found:
    """Return the run as MLflow knows it: its last attempt."""
    client = registry.client
    found: list[Found] = list(client.find(_RUN, run["id"]))
    if not found:
        raise RecordError(
            f"MLflow at {shown_uri(client.uri)} has no run {run['id']}",
            hint="Was it told elsewhere? Give --uri. Or send it there: "
            f"sweeper export {run['sweep_id'] or run['directory']} --to mlflow",
        )
    return max(found, key=lambda each: int(each.tags.get("sweeper.attempt", "0")))


def _source_of(registry: Registry, told: Found, artifact: str | None) -> _Source:
    """Return where a run's model is: one that it has logged, or a folder among its artifacts."""
    found: dict[str, _Source] = {}
    for logged in sorted(registry.logged(told), key=lambda each: each.made):  # the last of a name counts
        found[logged.name] = _Source(f"models:/{logged.id}", f"the logged model {logged.name!r}", logged)
    for folder in _folders(registry, told):
        found.setdefault(folder, _Source(f"{told.artifact_uri}/{folder}", f"the artifact {folder!r}"))
    if artifact is not None and artifact in found:
        return found[artifact]
    if artifact is None and len(found) == 1:
        return next(iter(found.values()))
    run = told.tags.get(_RUN, "")
    if found:
        said = f"no model {artifact!r}" if artifact is not None else f"{len(found)} models"
        raise RecordError(f"The run {run} has {said}", hint=f"Choose with --artifact: {', '.join(found)}.")
    raise RecordError(
        f"The run {run} has no model at MLflow",
        "Log it within `with mlflow.start_run():`, or name the folder that save_model made with "
        "sweeper.current_run().log_artifact(folder).",
    )


def _folders(registry: Registry, told: Found, folder: str = "", depth: int = 3) -> Iterator[str]:
    """Yield the folders among a run's artifacts that hold a model."""
    there = list(registry.files(told.id, folder))
    if folder and f"{folder}/{MLMODEL}" in (path for path, _ in there):
        yield folder
    elif depth:
        for path, inner in there:
            if inner:
                yield from _folders(registry, told, path, depth - 1)


def _better_by(champion: Version, score: float | None, objective: str) -> float | None:
    """Return by how much a score is better than a version's; None if they do not compare."""
    before = _score_of(champion)
    if before is None or score is None or champion.tags.get(_OBJECTIVE) != objective:
        return None
    return score - before if Objective.parse(objective).maximize else before - score


def _score_of(version: Version) -> float | None:
    try:
        return float(version.tags[_SCORE])
    except (KeyError, ValueError):
        return None


def _incomparable(champion: Version, asked: _Asked, objective: str) -> RecordError:
    before = _score_of(champion)
    its = champion.tags.get(_OBJECTIVE)
    if asked.run["score"] is None:
        why = f"the run {asked.run['id']} has no score"
    elif before is None:
        why = "its version has no tag sweeper.score, since it was not promoted from here"
    else:
        why = f"its score is of {its!r}, that of the run of {objective!r}"
    return RecordError(
        f"Version {champion.number} of {asked.model} is its {asked.alias}, and cannot be compared",
        f"{why[0].upper()}{why[1:]}.",
        "--force promotes the run all the same; --alias gives it another name.",
    )


def _tags_of(told: Found, run: Row, objective: str) -> dict[str, str]:
    kept = ("sweeper.sweep_id", _RUN, "sweeper.overrides")
    score = {} if run["score"] is None else {_SCORE: repr(run["score"])}
    return {**{key: told.tags[key] for key in kept if key in told.tags}, **score, _OBJECTIVE: objective}


def _shown(version: Version | None) -> Row | None:
    if version is None:
        return None
    return {"version": version.number, "run": version.tags.get(_RUN), "score": _score_of(version)}


def words(found: Promotion) -> list[str]:
    """Return the lines that tell of a promotion."""
    of = f"{found.model}@{found.alias}"
    score = "without a score" if found.score is None else f"score {_number(found.score)}"
    lines = [f"run       {found.run}, {score} ({found.objective})"]
    before = found.champion
    if before is not None and before["version"] == found.version:
        lines.append(f"before    {of} was version {found.version} already, which is this run's")
    elif before is not None:
        lines.append(f"before    {of} was {_words_on(before)}: {_verdict(found.better_by)}")
    if before is not None and not found.promoted:
        lines.append(f"kept      {of} stays version {before['version']}; --force replaces it")
        return lines
    made = "made from" if found.registered else "which was made from"
    serve = f"mlflow models serve -m {quote(f'models:/{of}')} --env-manager local"
    return [
        *lines,
        f"promoted  {of} is version {found.version}, {made} {found.source}",
        f"serve it  MLFLOW_TRACKING_URI={quote(found.uri)} {serve}",
    ]


def _words_on(champion: Any) -> str:
    of = f", run {champion['run']}" if champion["run"] else ""
    score = "" if champion["score"] is None else f", score {_number(champion['score'])}"
    return f"version {champion['version']}{of}{score}"


def _verdict(better_by: float | None) -> str:
    if better_by is None:
        return "not compared"
    if better_by == 0:
        return "this run is no better"
    return f"this run is {'better' if better_by > 0 else 'worse'} by {_number(abs(better_by))}"


def _number(value: float) -> str:
    return f"{value:.6g}"
