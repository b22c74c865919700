"""Every combination, the last parameter changing fastest."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..errors import SpaceError
from ..grammar import show
from ..records import Point
from ..space import Floats, Space


class Grid:
    """The grid of the declared values; nothing of it is kept, whatever its size."""

    def size(self, space: Space) -> int:
        """Return how many points there are.

        Raises:
            SpaceError: if there is no end of them.
        """
        for root in space.roots:
            if isinstance(root.domain, Floats) and root.domain.size is None:
                points = ",".join(show(end) for end in (root.domain.low, root.domain.high))
                raise SpaceError(
                    f"A grid has no end over {root.key}={root.domain.describe()}",
                    hint=f"Give points, such as {root.key}={points}, or a search: --search tpe",
                )
        return math.prod(root.domain.size or 1 for root in space.roots)

    def points(self, space: Space) -> Iterator[Point]:
        """Yield the points."""
        roots = space.roots
        for index in range(self.size(space)):
            values, left = [], index
            for root in reversed(roots):
                left, at = divmod(left, root.domain.size or 1)
                values.append(root.domain.at(at))
            yield {root.name: value for root, value in zip(roots, reversed(values), strict=True)}
