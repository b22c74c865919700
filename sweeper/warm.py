"""A warm start: what an earlier sweep, or a study of optuna's, says of the same problem.

Its best points are tried first. Its runs count as observations only where that is asked for: a
problem that has shifted since would mislead the search.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .errors import RecordError, SettingsError
from .journal import point_from, point_texts, read_journal
from .points import Points
from .records import COMPLETED, Objective, Point, Trial
from .settings import SearchSettings


class Warm(NamedTuple):
    """What is known beforehand: points to try first, and observations."""

    first: Sequence[Point] = ()
    observed: Sequence[Trial] = ()

    def journaled(self) -> dict[str, Any]:
        """Return it as the journal keeps it."""
        observed = [{"point": point_texts(trial.point), "loss": trial.loss} for trial in self.observed]
        return {"first": [point_texts(point) for point in self.first], "observed": observed}


def warm_from(kept: Mapping[str, Any] | None) -> Warm:
    """Return what the journal keeps."""
    if not kept:
        return Warm()
    observed = [
        Trial(-1 - index, point_from(each["point"]), each["loss"])
        for index, each in enumerate(kept["observed"])
    ]
    return Warm([point_from(texts) for texts in kept["first"]], observed)


def warm_start(settings: SearchSettings, points: Points, objective: Objective) -> Warm:
    """Return what the settings name: a sweep's directory, or the URL of a storage of optuna's.

    Raises:
        RecordError: if there is nothing to read, or no point of it belongs to the space.
        SettingsError: if there are several objectives.
    """
    where = settings.warm_start
    if where is None:
        return Warm()
    if objective.several:
        raise SettingsError("sweeper.search.warm_start goes with one objective", objective.describe())
    pairs = _of_study(where) if "://" in where else _of_sweep(where)
    known: dict[Any, tuple[Point, list[float]]] = {}  # each point once, with the losses of all its runs
    for values, score in pairs:
        point = points.point_of(values, f"in {where}", strict=False)
        if point is not None and points.space.allows(point):
            known.setdefault(points.space.key(point), (point, []))[1].extend(objective.losses([score]))
    if not known:
        raise RecordError(
            f"No run of {where} is a point of this space with a score", hint="See its results.csv."
        )
    means = [(math.fsum(losses) / len(losses), point) for point, losses in known.values()]
    ranked = sorted(means, key=lambda each: each[0])
    observed = [Trial(-1 - index, point, loss) for index, (loss, point) in enumerate(ranked)]
    return Warm(
        [point for _, point in ranked[: settings.warm_top]], observed if settings.warm_observe else ()
    )


def _of_sweep(directory: str) -> Iterable[tuple[dict[str, Any], float]]:
    path = os.path.join(directory, "sweep.jsonl")
    if not os.path.isfile(path):
        raise RecordError(f"There is no sweep in {directory}", hint="warm_start takes a sweep's directory.")
    params: dict[int, dict[str, Any]] = {}
    for event in read_journal(path):
        if event["event"] == "ask":
            params[event["number"]] = event["params"]
        elif event["event"] == "end" and event["status"] == COMPLETED and event["score"] is not None:
            yield params[event["number"]], event["score"]


def _of_study(url: str) -> Iterable[tuple[dict[str, Any], float]]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    url, _, name = url.partition("#")
    try:
        names = [name] if name else optuna.get_all_study_names(url)
        trials = optuna.load_study(study_name=names[0], storage=url).trials if len(names) == 1 else []
    except (KeyError, ImportError, ValueError) as error:
        raise RecordError(f"Cannot read the study {url}: {error}") from None
    except Exception as error:
        if type(error).__module__.startswith("sqlalchemy"):
            raise RecordError(f"Cannot read the study {url}: {str(error).splitlines()[0]}") from None
        raise
    if len(names) != 1:
        listed = ", ".join(names) or "none"
        raise RecordError(f"{url} has {len(names)} studies: {listed}", hint=f"Name one: {url}#NAME")
    for trial in trials:
        if trial.state == optuna.trial.TrialState.COMPLETE and len(trial.values) == 1:
            yield dict(trial.params), trial.values[0]
