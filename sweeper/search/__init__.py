"""Searchers: where to look next. One algorithm a file, each a pure function.

`ask(space, history, rng)` returns a point, or None where there is none left. It depends on nothing
else: the random stream is made from the sweep's seed and the ask's number, so that resuming a sweep
is replaying it. What stays the same for all searchers is done here, once: the config's own values are
the first point, no point comes twice, a finite space ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from itertools import islice
from random import Random
from typing import Any, Protocol

from ..errors import SettingsError, nearest
from ..records import History, Point, derive_seed
from ..settings import SearchSettings
from ..space import Space


class Searcher(Protocol):
    """Where to look next."""

    def ask(self, space: Space, history: History, rng: Random) -> Point | None:
        """Return a point to try, or None if there is none left."""
        ...


# Every searcher that ships, by the name of its option: module and class.
SEARCHERS: dict[str, tuple[str, str]] = {
    "grid": ("grid", "Grid"),
    "random": ("random", "RandomSearch"),
    "tpe": ("tpe", "Tpe"),
    "gp": ("gp", "Gp"),
    "skopt": ("skopt", "Skopt"),
}


def make_searcher(settings: SearchSettings) -> Searcher:
    """Return the searcher that the settings name.

    Raises:
        SettingsError: if there is none of that name, or if it has no such option.
    """
    name = settings.name
    if name not in SEARCHERS:
        raise SettingsError(
            f"There is no search {name!r}",
            hint=nearest(name, SEARCHERS) or f"There are {', '.join(SEARCHERS)}.",
        )
    module, kind = SEARCHERS[name]
    options: Mapping[str, Any] = settings.options
    try:
        return getattr(import_module(f".{module}", __name__), kind)(**options)  # type: ignore[no-any-return]
    except TypeError as error:
        raise SettingsError(f"The search {name!r} cannot be made: {error}") from None


_TRIES = 20  # asks of a searcher that repeats itself
_DRAWS = 100  # random points thereafter
_LOOKED_AT = 100_000  # points of a finite space, at the last


class Asker:
    """Asks a searcher for one new point after another."""

    def __init__(self, searcher: Searcher, space: Space, seed: int) -> None:
        self.searcher, self.space, self.seed = searcher, space, seed
        self.seen: set[tuple[Any, ...]] = set()
        self.asked = 0

    def replay(self, point: Point) -> None:
        """Take note of a point that an earlier process asked for."""
        self.seen.add(self.space.key(point))
        self.asked += 1

    def ask(self, history: History) -> Point | None:
        """Return a point that has not been asked for, or None if the space is exhausted."""
        point = self._new_point(history)
        if point is not None:
            self.replay(point)
        return point

    def _new_point(self, history: History) -> Point | None:
        if getattr(self.searcher, "enumerates", False):
            return self.searcher.ask(self.space, history, Random(0))  # noqa: S311  it draws nothing
        if not self.asked:
            return self.space.first()
        for attempt in range(_TRIES):
            rng = Random(derive_seed(self.seed, "ask", self.asked, attempt))  # noqa: S311
            point = self.searcher.ask(self.space, history, rng)
            if point is None or self.space.key(point) not in self.seen:
                return point
        rng = Random(derive_seed(self.seed, "draw", self.asked))  # noqa: S311
        for _ in range(_DRAWS):
            point = self.space.complete(lambda parameter: parameter.domain.sample(rng))
            if self.space.key(point) not in self.seen:
                return point
        left = (p for p in islice(self.space.points(), _LOOKED_AT) if self.space.key(p) not in self.seen)
        few = list(islice(left, 100))
        return rng.choice(few) if few else None
