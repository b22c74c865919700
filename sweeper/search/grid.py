"""Every combination, the last parameter changing fastest."""

from __future__ import annotations

from random import Random

from ..records import History, Point
from ..space import Space


class Grid:
    """The grid of the declared values; nothing of it is kept, whatever its size."""

    enumerates = True

    def ask(self, space: Space, history: History, rng: Random) -> Point | None:
        """Return the point after those that were asked for."""
        index = len(history.ended) + len(history.pending)
        size = space.grid_size()
        return space.grid_point(index) if size is not None and index < size else None
