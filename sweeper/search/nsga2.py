"""NSGA-II (Deb et al. 2002): several objectives at once, towards their Pareto front.

Steady-state, so that nothing waits for a generation: the parents of each point come from the best of
all runs that have ended, by the rank of their front and then by the room around them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from ..records import History, Point, Trial, undominated
from ..space import Choices, Parameter, Space


class Nsga2:
    """See the module.

    Args:
        population: runs from which parents are taken, and random ones to begin with.
        crossover: chance that a point has two parents.
    """

    several = True

    def __init__(self, population: int = 20, crossover: float = 0.9) -> None:
        self.population, self.crossover = population, crossover

    def ask(self, space: Space, history: History, rng: Random) -> Point | None:
        """Return a child of good runs."""
        scored = [trial for trial in history.scored if trial.losses or trial.loss is not None]
        if len(scored) < self.population:
            return space.complete(lambda p: p.domain.sample(rng))
        parents = survivors(scored, self.population)
        one = _tournament(parents, rng)
        two = _tournament(parents, rng) if rng.random() < self.crossover else one
        count = max(len(space.active(one)), 1)

        def pick(parameter: Parameter) -> Any:
            having = [parent for parent in (one, two) if parameter.name in parent]
            if not having:
                return parameter.domain.sample(rng)
            value = rng.choice(having)[parameter.name]
            return mutated(parameter, value, rng) if rng.random() < 1 / count else value

        return space.complete(pick)


def survivors(trials: Sequence[Trial], count: int) -> list[Point]:
    """Return the points of the best trials, the best first: by front, then by crowding distance."""
    kept: list[Trial] = []
    for front in fronts(trials):
        distance = _crowding(front)
        kept += sorted(front, key=lambda trial: -distance[trial.number])
        if len(kept) >= count:
            break
    return [trial.point for trial in kept[:count]]


def fronts(trials: Sequence[Trial]) -> Iterator[list[Trial]]:
    """Yield the trials front by front: those that none dominates, then those of the rest."""
    left = list(trials)
    while left:
        front = {*undominated(list(map(_losses, left)))}
        yield [trial for at, trial in enumerate(left) if at in front]
        left = [trial for at, trial in enumerate(left) if at not in front]


def _losses(trial: Trial) -> tuple[float, ...]:
    return trial.losses or (trial.loss if trial.loss is not None else math.inf,)


def _crowding(front: Sequence[Trial]) -> dict[int, float]:
    """Return the room around each trial in a front, the sides' lengths summed (section III-B)."""
    distance = dict.fromkeys((trial.number for trial in front), 0.0)
    for objective in range(len(_losses(front[0]))):
        ordered = sorted(front, key=lambda trial: _losses(trial)[objective])
        values = [_losses(trial)[objective] for trial in ordered]
        spread = values[-1] - values[0] or 1.0
        distance[ordered[0].number] = distance[ordered[-1].number] = math.inf
        for at in range(1, len(ordered) - 1):
            distance[ordered[at].number] += (values[at + 1] - values[at - 1]) / spread
    return distance


def _tournament(parents: Sequence[Point], rng: Random) -> Point:
    return parents[min(rng.randrange(len(parents)), rng.randrange(len(parents)))]


def mutated(parameter: Parameter, value: Any, rng: Random) -> Any:
    """Return a value near by, or another choice."""
    domain = parameter.domain
    if isinstance(domain, Choices) and not domain.ordered:
        return domain.sample(rng)
    unit = domain.to_unit(value) + rng.gauss(0, 0.1 if rng.random() < 0.8 else 0.4)
    return domain.from_unit(min(max(unit, 0.0), 1.0))
