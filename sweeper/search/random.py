"""Points drawn evenly, or evenly in the logarithm where a parameter says so."""

from __future__ import annotations

from random import Random

from ..records import History, Point
from ..space import Space


class RandomSearch:
    """Random search; see Bergstra and Bengio 2012, which is why it is the baseline."""

    blind = True  # it needs no scores
    several = True  # it follows any number of objectives

    def ask(self, space: Space, history: History, rng: Random) -> Point | None:
        """Return a point that depends on nothing but the random stream."""
        return space.complete(lambda parameter: parameter.domain.sample(rng))
