"""The tree-structured Parzen estimator (Bergstra et al. 2011), by optuna.

Multivariate, and in groups where the space is conditional: without, optuna falls back to one
parameter at a time there. Runs that are pending count as bad ones from eight on; with fewer, a search
that ignores them was measured to do better. Nothing of optuna is stored: its study is rebuilt from
the history.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from random import Random
from typing import Any

from ..records import History, Point, Trial
from ..space import Choices, Floats, Integers, Parameter, Space

_LIES_FROM = 7  # pending runs, beside the one that is asked for


class Tpe:
    """See the module.

    Args:
        startup: random points before the first that is modelled.
        candidates: draws from the good points' density, of which the best is taken.
    """

    def __init__(self, startup: int = 10, candidates: int = 24) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.optuna: Any = optuna
        self.startup, self.candidates = startup, candidates
        self._storage: Any = None
        self._told: list[int] = []

    def ask(self, space: Space, history: History, rng: Random) -> Point | None:
        """Return the point of the best candidate."""
        sampler = self._sampler(rng.getrandbits(32), conditional=space.branch is not None)
        study = self._study_of(space, history)
        trial = self.optuna.trial.FrozenTrial(
            number=len(study.trials), state=self.optuna.trial.TrialState.RUNNING, value=None,
            datetime_start=None, datetime_complete=None, params={}, distributions={}, user_attrs={},
            system_attrs={}, intermediate_values={}, trial_id=-1,
        )  # fmt: skip
        together = sampler.infer_relative_search_space(study, trial)
        drawn = sampler.sample_relative(study, trial, together)

        def pick(parameter: Parameter) -> Any:
            distribution = _distribution(self.optuna, parameter)
            if distribution.single():
                return parameter.domain.at(0)
            if together.get(parameter.name) == distribution and parameter.name in drawn:
                return _decode(parameter, drawn[parameter.name])
            value = sampler.sample_independent(study, trial, parameter.name, distribution)
            return _decode(parameter, value)

        return space.complete(pick)

    def _sampler(self, seed: int, *, conditional: bool) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that groups are experimental
            return self.optuna.samplers.TPESampler(
                n_startup_trials=self.startup, n_ei_candidates=self.candidates, seed=seed,
                multivariate=True, group=conditional, constant_liar=False,
            )  # fmt: skip

    def _study_of(self, space: Space, history: History) -> Any:
        """Return a study of what has ended; only what is new is added to the last one's storage."""
        scored = history.scored
        numbers = [trial.number for trial in scored]
        if self._storage is None or numbers[: len(self._told)] != self._told:
            self._storage, self._told = self.optuna.storages.InMemoryStorage(), []
            self.optuna.create_study(storage=self._storage, study_name="sweep")
        # Loaded anew each time, since a study keeps the trials that it has seen in a cache.
        study = self.optuna.load_study(storage=self._storage, study_name="sweep")
        self._add(study, space, scored[len(self._told) :])
        self._told = numbers
        if len(history.pending) < _LIES_FROM or not scored:
            return study
        worst = max(trial.loss for trial in scored if trial.loss is not None)
        lies = [Trial(t.number, t.point, worst) for t in history.pending]
        study = self.optuna.create_study()
        self._add(study, space, [*scored, *lies])
        return study

    def _add(self, study: Any, space: Space, trials: Iterable[Trial]) -> None:
        found = []
        for trial in trials:
            active = [p for p in space.active(trial.point) if p.name in trial.point]
            found.append(
                self.optuna.trial.create_trial(
                    value=trial.loss,
                    params={p.name: _encode(p, trial.point[p.name]) for p in active},
                    distributions={p.name: _distribution(self.optuna, p) for p in active},
                )
            )
        study.add_trials(found)


def _distribution(optuna: Any, parameter: Parameter) -> Any:
    distributions = optuna.distributions
    match parameter.domain:
        case Floats(low=low, high=high, log=log):
            return distributions.FloatDistribution(low, high, log=log)
        case Integers(low=low, high=high, step=step, log=log):
            return distributions.IntDistribution(low, high, log=log, step=1 if log else step)
        case Choices(values=values, ordered=True):
            return distributions.IntDistribution(0, len(values) - 1)
        case Choices(values=values):
            return distributions.CategoricalDistribution(range(len(values)))


def _encode(parameter: Parameter, value: Any) -> Any:
    domain = parameter.domain
    return domain.index(value) if isinstance(domain, Choices) else value


def _decode(parameter: Parameter, value: Any) -> Any:
    domain = parameter.domain
    if isinstance(domain, Choices):
        return domain.at(int(value))
    if isinstance(domain, Integers):
        return domain.at(round((int(value) - domain.low) / domain.step))
    return float(value)
