"""Pruners: which runs are not worth their time. By optuna, driven with what runs report.

    sweeper/pruner: none, median, percentile, asha, hyperband, patience, threshold

A pruner sees the objective's metric, step by step, as the launching process reads it; what it decides
reaches the run at its next report.

    startup      completed runs before any is ended
    warmup       steps of a run before it may be ended
    interval     steps between two looks at a run
    percentile   share of the runs, in percent, that is good enough to go on
    min_step     steps of a run before it is first compared
    max_step     steps of a whole run; found out from the runs if null
    factor       of so many runs that are compared one goes on, for so many times the steps
    patience     steps without a better value after which a run is ended
    min_delta    by how much a value must be better to count
    lower        a value below ends the run
    upper        a value above ends the run
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import SettingsError, nearest
from ..instantiation import instantiate
from ..records import Objective
from ..settings import PrunerSettings

# Every pruner that ships, by the name of its option: optuna's class, and its words for our options.
PRUNERS: dict[str, tuple[str, dict[str, str]]] = {
    "median": (
        "MedianPruner",
        {"startup": "n_startup_trials", "warmup": "n_warmup_steps", "interval": "interval_steps"},
    ),
    "percentile": (
        "PercentilePruner",
        {
            "percentile": "percentile",
            "startup": "n_startup_trials",
            "warmup": "n_warmup_steps",
            "interval": "interval_steps",
        },
    ),
    "asha": ("SuccessiveHalvingPruner", {"min_step": "min_resource", "factor": "reduction_factor"}),
    "hyperband": (
        "HyperbandPruner",
        {"min_step": "min_resource", "max_step": "max_resource", "factor": "reduction_factor"},
    ),
    "patience": ("PatientPruner", {"patience": "patience", "min_delta": "min_delta"}),
    "threshold": ("ThresholdPruner", {"lower": "lower", "upper": "upper", "warmup": "n_warmup_steps"}),
}


def make_pruner(settings: PrunerSettings, objective: Objective) -> Pruner | None:
    """Return the pruner that the settings name, or any of optuna's by `_target_`.

    Raises:
        SettingsError: if there is none of that name, or if it cannot follow the objective.
    """
    name, options = settings.name, dict(settings.options)
    if name == "none":
        return None
    if objective.several:
        raise SettingsError("A pruner follows one metric, and the objectives are several")
    if "_target_" not in options and name not in PRUNERS:
        raise SettingsError(
            f"There is no pruner {name!r}", hint=nearest(name, PRUNERS) or f"There are {', '.join(PRUNERS)}."
        )
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        if "_target_" in options:
            return Pruner(instantiate(options), objective)
        kind, words = PRUNERS[name]
        given = {words[key]: value for key, value in options.items() if value is not None}
        if name == "patience":
            given = {"wrapped_pruner": None, **given}
        if name == "hyperband":
            given.setdefault("max_resource", "auto")
        return Pruner(getattr(optuna.pruners, kind)(**given), objective)
    except (TypeError, ValueError) as error:
        said = str(error)
        for ours, theirs in PRUNERS[name][1].items() if name in PRUNERS else ():
            said = said.replace(theirs, ours)
        hint = f"Its settings: {', '.join(f'sweeper.pruner.{key}' for key in options)}" if options else ""
        raise SettingsError(f"The pruner {name!r} cannot be made: {said}", hint=hint) from None


class Pruner:
    """Tells, report by report, whether a run should end."""

    def __init__(self, pruner: Any, objective: Objective) -> None:
        import optuna

        self.metric = objective.metrics[0] if objective.metrics else ""
        self.note, self.seen = "", False  # what people should know; whether the metric was ever reported
        self._states = optuna.trial.TrialState
        self._study = optuna.create_study(  # of a fixed name, since Hyperband's brackets hang on it
            study_name="sweep",
            direction=objective.directions[0],
            pruner=pruner,
            sampler=optuna.samplers.RandomSampler(seed=0),
        )
        self._trials: dict[int, Any] = {}  # by the run's number
        self._steps: dict[int, int] = {}

    def report(self, number: int, metrics: Mapping[str, float], step: int | None) -> bool:
        """Take note of what a run reports, and return whether it should end.

        Reports without a step are counted.
        """
        if not self.metric and len(metrics) == 1:
            self.metric = next(iter(metrics))
        if self.metric not in metrics:
            if not self.seen:
                follows = self.metric or "one of them"
                words = f"runs report {', '.join(metrics)}, and the pruner follows {follows}"
                self.note = f"{words}: see sweeper.objective.metric"
            return False
        self.seen, self.note = True, ""
        at = self._steps.get(number, -1) + 1 if step is None else int(step)
        if at <= self._steps.get(number, -1):
            return False
        self._steps[number] = at
        if number not in self._trials:
            self._trials[number] = self._study.ask()
        trial = self._trials[number]
        trial.report(metrics[self.metric], at)
        return bool(trial.should_prune())

    def end(self, number: int, score: float | None, *, pruned: bool) -> None:
        """Take note of a run's end, so that others are compared to it."""
        trial = self._trials.pop(number, None)
        self._steps.pop(number, None)
        if trial is None:
            return
        states = self._states
        if score is not None:
            self._study.tell(trial, score)
        else:
            self._study.tell(trial, state=states.PRUNED if pruned else states.FAIL)

    def reached(self, number: int, metrics: Mapping[str, float]) -> tuple[int, float] | None:
        """Return the step and the value that a run came to."""
        if number in self._steps and self.metric in metrics:
            return self._steps[number], metrics[self.metric]
        return None
