"""The first values of all parameters together, then the second, and so on."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import SpaceError
from ..records import Point
from ..space import Space


class Zip:
    """Values in pairs; a parameter with one value keeps it."""

    def size(self, space: Space) -> int:
        """Return how many points there are.

        Raises:
            SpaceError: if two parameters have different numbers of values.
        """
        sizes = {root.key: root.domain.size for root in space.roots if root.domain.size != 1}
        if None in sizes.values() or len(set(sizes.values())) > 1:
            counted = ", ".join(f"{key} has {size or 'no end of them'}" for key, size in sizes.items())
            raise SpaceError(
                f"zip pairs values, so all parameters need as many: {counted}",
                hint="For every combination of them use the search 'grid'.",
            )
        return next((size for size in sizes.values() if size), 1)

    def points(self, space: Space) -> Iterator[Point]:
        """Yield the points."""
        for index in range(self.size(space)):
            yield {root.name: root.domain.at(index if root.domain.size != 1 else 0) for root in space.roots}
