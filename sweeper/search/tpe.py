"""The tree-structured Parzen estimator (Bergstra et al. 2011), by optuna.

Multivariate, and in groups where the space is conditional: without, optuna falls back to one
parameter at a time there. Runs that are pending count as bad ones from eight on; with fewer, a search
that ignores them was measured to do better.
"""

from __future__ import annotations

from typing import Any

from ..records import History, Trial
from ..space import Space
from .optuna import Optuna

_LIES_FROM = 7  # pending runs, beside the one that is asked for


class Tpe(Optuna):
    """See the module.

    Args:
        startup: random points before the first that is modelled.
        candidates: draws from the good points' density, of which the best is taken.
    """

    def __init__(self, startup: int = 10, candidates: int = 24) -> None:
        super().__init__(self._sampler)
        self.startup, self.candidates = startup, candidates
        self._conditional = False

    def _sampler(self, seed: int) -> Any:
        return self.optuna.samplers.TPESampler(
            n_startup_trials=self.startup, n_ei_candidates=self.candidates, seed=seed,
            multivariate=True, group=self._conditional, constant_liar=False,
        )  # fmt: skip

    def _study_of(self, space: Space, history: History) -> Any:
        self._conditional = space.branch is not None
        study = super()._study_of(space, history)
        scored = history.scored
        if len(history.pending) < _LIES_FROM or not scored:
            return study
        lies = [self._lie(trial, scored) for trial in history.pending]
        lying = self.optuna.create_study(directions=study.directions)
        lying.add_trials(study.get_trials(deepcopy=False))
        self.add(lying, space, lies)
        return lying

    @staticmethod
    def _lie(trial: Trial, scored: list[Trial]) -> Trial:
        """Return a pending trial as if it had come out worst."""
        if scored[0].losses:
            worst = tuple(max(column) for column in zip(*(t.losses for t in scored), strict=True))
            return trial._replace(losses=worst)
        return trial._replace(loss=max(t.loss for t in scored if t.loss is not None))
