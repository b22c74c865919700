"""Any sampler of optuna's: `sweeper.search: {_target_: optuna.samplers.GPSampler, …}`.

A sampler is made anew for each ask, seeded from the ask's own random stream, and sees a study that is
rebuilt from the history; so it is a pure function, which optuna's samplers by themselves are not, and
nothing of optuna's is stored. Samplers that keep what they know in a study (CMA-ES, NSGA-II) do not
work that way; they are here as searches of their own.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from ..records import History, Point, Trial
from ..space import EXACT, Choices, Floats, Integers, Parameter, Space


class Optuna:
    """A searcher that asks a sampler.

    Args:
        make: returns a sampler of optuna's, given a seed.
    """

    several = True

    def __init__(self, make: Callable[[int], Any]) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.optuna: Any = optuna
        self.make = make
        self._storage: Any = None
        self._told: list[int] = []

    def ask(self, space: Space, history: History, rng: Random) -> Point | None:
        """Return the point that the sampler draws."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is experimental, or going away
            study = self._study_of(space, history)  # which may tell how the sampler is to be made
            return self._draw(self.make(rng.getrandbits(32)), space, study)

    def _draw(self, sampler: Any, space: Space, study: Any) -> Point:
        number = len(study.get_trials(deepcopy=False))
        trial = self.optuna.trial.FrozenTrial(
            number=number, state=self.optuna.trial.TrialState.RUNNING, value=None,
            datetime_start=None, datetime_complete=None, params={}, distributions={}, user_attrs={},
            system_attrs={}, intermediate_values={}, trial_id=-1,
        )  # fmt: skip
        together = sampler.infer_relative_search_space(study, trial)
        drawn = sampler.sample_relative(study, trial, together)

        def pick(parameter: Parameter) -> Any:
            distribution = distribution_of(self.optuna, parameter)
            if distribution.single():
                return parameter.domain.at(0)
            if together.get(parameter.name) == distribution and parameter.name in drawn:
                return _decode(parameter, drawn[parameter.name])
            value = sampler.sample_independent(study, trial, parameter.name, distribution)
            return _decode(parameter, value)

        return space.complete(pick)

    def _study_of(self, space: Space, history: History) -> Any:
        """Return a study of what has ended; only what is new is added to the last one's storage."""
        told = [trial for trial in history.ended if trial.loss is not None or trial.losses or trial.reached]
        numbers = [trial.number for trial in told]
        if self._storage is None or numbers[: len(self._told)] != self._told:
            self._storage, self._told = self.optuna.storages.InMemoryStorage(), []
            count = max((len(trial.losses) for trial in told), default=0) or 1
            self.optuna.create_study(
                storage=self._storage, study_name="sweep", directions=["minimize"] * count
            )
        # Loaded anew each time, since a study keeps the trials that it has seen in a cache.
        study = self.optuna.load_study(storage=self._storage, study_name="sweep")
        self.add(study, space, told[len(self._told) :])
        self._told = numbers
        return study

    def add(self, study: Any, space: Space, trials: Iterable[Trial]) -> None:
        """Add trials to a study."""
        study.add_trials([_frozen(self.optuna, space, trial) for trial in trials])


def _frozen(optuna: Any, space: Space, trial: Trial) -> Any:
    """Return a trial as optuna keeps one."""
    active = [p for p in space.active(trial.point) if p.name in trial.point]
    values = trial.losses or (() if trial.loss is None else (trial.loss,))
    states = optuna.trial.TrialState
    more: dict[str, Any] = {"values": values} if values else {"state": states.FAIL}
    if not values and trial.reached is not None:
        step, value = trial.reached
        more = {"state": states.PRUNED, "intermediate_values": {step: value}}
        if not math.isfinite(value):
            more = {"state": states.FAIL}
    return optuna.trial.create_trial(
        params={p.name: encode(p, trial.point[p.name]) for p in active},
        distributions={p.name: distribution_of(optuna, p) for p in active},
        **more,
    )


def distribution_of(optuna: Any, parameter: Parameter) -> Any:
    """Return a parameter's values as optuna has them; those of an unordered choice by index."""
    distributions = optuna.distributions
    match parameter.domain:
        case Floats(low=low, high=high, log=log):
            return distributions.FloatDistribution(low, high, log=log)
        case Integers(low=low, high=high, step=step, log=log):
            step = 1 if log or high - low >= EXACT else step  # by which optuna divides in floats
            return distributions.IntDistribution(low, high, log=log, step=step)
        case Choices(values=values, ordered=True):
            return distributions.IntDistribution(0, len(values) - 1)
        case Choices(values=values):
            return distributions.CategoricalDistribution(range(len(values)))


def encode(parameter: Parameter, value: Any) -> Any:
    """Return a value as optuna has it: of a choice, its place in the list of them."""
    domain = parameter.domain
    return domain.index(value) if isinstance(domain, Choices) else value


def _decode(parameter: Parameter, value: Any) -> Any:
    domain = parameter.domain
    if isinstance(domain, Choices):
        return domain.at(int(value))
    if isinstance(domain, Integers):
        return domain.nearest(int(value))
    return float(value)
