"""Points that cover the space evenly: a scrambled Sobol sequence, or Latin hypercubes; by scipy.

Each ask takes the next point of one stream, whose seed is the sweep's. A point's coordinates go to its
parameters in their order, so that a conditional space is covered branch by branch.
"""

from __future__ import annotations

from random import Random
from typing import Any

from ..records import History, Point, derive_seed
from ..settings import DEFAULT_TRIALS
from ..space import Parameter, Space

_DIMENSIONS = 64  # of the streams; parameters beyond are drawn at random


class _Stream:
    """A searcher that takes one vector in [0, 1)^64 after another."""

    blind = several = True
    seed = 0  # of the sweep: one stream for all asks

    def ask(self, space: Space, history: History, rng: Random) -> Point | None:
        """Return the next point of the stream; the config's own came before its first."""
        units = self._vector(max(len(history.ended) + len(history.pending) - 1, 0))
        left = iter(units.tolist())

        def pick(parameter: Parameter) -> Any:
            return parameter.domain.from_unit(next(left, rng.random()))

        return space.complete(pick)

    def _vector(self, index: int) -> Any:
        raise NotImplementedError


class Sobol(_Stream):
    """A scrambled Sobol sequence (Sobol 1967; Owen 1998)."""

    def _vector(self, index: int) -> Any:
        import warnings

        from scipy.stats import qmc

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the number of points is no power of two
            stream = qmc.Sobol(_DIMENSIONS, scramble=True, rng=self.seed)
            if index:
                stream.fast_forward(index)
            return stream.random(1)[0]


class Lhs(_Stream):
    """Latin hypercubes (McKay et al. 1979), one after another.

    Args:
        samples: points of a hypercube; by default as many as there are trials.
    """

    def __init__(self, samples: int | None = None) -> None:
        self.samples = samples or DEFAULT_TRIALS

    def _vector(self, index: int) -> Any:
        from scipy.stats import qmc

        block, at = divmod(index, self.samples)
        cube = qmc.LatinHypercube(_DIMENSIONS, rng=derive_seed(self.seed, block))
        return cube.random(self.samples)[at]
