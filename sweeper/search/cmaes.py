"""CMA-ES (Hansen and Ostermeier 2001; Hansen 2016), by the library cmaes: for numbers, and many runs.

Numbers move in the unit cube; choices are drawn at random, and each set of active parameters evolves
by itself. Generations are filled in the order in which runs end, so that nothing waits for one.
"""

from __future__ import annotations

from random import Random
from typing import Any

from ..errors import SettingsError
from ..records import History, Point
from ..space import Choices, Parameter, Space


class CmaEs:
    """See the module.

    Args:
        population: runs of a generation; by default 4 + 3 ln(parameters).
        sigma: spread of the first generation, where the range of a parameter is 1.
    """

    def __init__(self, population: int | None = None, sigma: float = 0.25) -> None:
        try:
            import cmaes
        except ImportError:
            raise SettingsError(
                "The search 'cmaes' needs the package cmaes", hint="pip install 'sweeper[cmaes]'"
            ) from None
        self.library: Any = cmaes
        self.population, self.sigma = population, sigma

    def ask(self, space: Space, history: History, rng: Random) -> Point | None:
        """Return a point of the generation that is being filled."""
        chosen = space.complete(lambda p: p.domain.sample(rng))
        numbers = [p for p in space.active(chosen) if _evolves(p)]
        if not numbers:
            return chosen
        units = self._draw(numbers, history, rng)
        picked = {p.name: p.domain.from_unit(unit) for p, unit in zip(numbers, units, strict=True)}
        return space.complete(lambda p: picked.get(p.name, chosen[p.name]))

    def _draw(self, numbers: list[Parameter], history: History, rng: Random) -> list[float]:
        import numpy as np

        names = {p.name for p in numbers}
        alike = [t for t in history.scored if names <= t.point.keys() and t.loss is not None]
        told = [([p.domain.to_unit(t.point[p.name]) for p in numbers], t.loss) for t in alike]
        start = np.array(told[0][0] if told else [0.5] * len(numbers))
        optimizer = self.library.CMA(
            mean=start, sigma=self.sigma, bounds=np.array([[0.0, 1.0]] * len(numbers)), seed=0,
            population_size=self.population,
        )  # fmt: skip
        size = optimizer.population_size
        for at in range(0, len(told) - size + 1, size):
            generation = [(np.clip(unit, 1e-9, 1 - 1e-9), loss) for unit, loss in told[at : at + size]]
            optimizer.tell(generation)
        optimizer.reseed_rng(rng.getrandbits(32))
        return [float(unit) for unit in optimizer.ask()]


def _evolves(parameter: Parameter) -> bool:
    domain = parameter.domain
    return domain.size != 1 and not (isinstance(domain, Choices) and not domain.ordered)
