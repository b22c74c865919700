"""The points of a list: `sweeper.search.points: [{lr: 0.1, depth: 3}, {lr: 0.2, depth: 4}]`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..records import Point
from ..space import Space, without_signs


class Points:
    """See the module.

    Args:
        points: mappings from key to value, all with the same keys.
    """

    def __init__(self, points: Sequence[Mapping[str, Any]] = ()) -> None:
        self.listed = points

    def size(self, space: Space) -> int:
        """Return how many points there are."""
        return len(self.listed)

    def points(self, space: Space) -> Iterator[Point]:
        """Yield the points."""
        for values in map(without_signs, self.listed):
            yield {root.name: values[root.key] for root in space.roots}
