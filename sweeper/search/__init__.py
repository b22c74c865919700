"""Searchers: where to look next. One algorithm a file, each a pure function.

`ask(space, history, rng)` returns a point, or None where there is none left. It depends on nothing
else: the random stream is made from the sweep's seed and the ask's number, so that resuming a sweep
is replaying it. What stays the same for all searchers is done here, once: the config's own values are
the first point, no point comes twice, a finite space ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from importlib import import_module
from itertools import islice
from random import Random
from typing import Any, Protocol, cast

from ..errors import SettingsError, SpaceError, nearest
from ..instantiation import get_object, instantiate
from ..records import History, Point, derive_seed
from ..settings import SearchSettings
from ..space import Space


class Searcher(Protocol):
    """Where to look next."""

    def ask(self, space: Space, history: History, rng: Random) -> Point | None:
        """Return a point to try, or None if there is none left."""
        ...


class Lister(Protocol):
    """A searcher that knows its points beforehand."""

    def size(self, space: Space) -> int:
        """Return how many points there are."""
        ...

    def points(self, space: Space) -> Iterator[Point]:
        """Yield the points, one by one."""
        ...


# Every searcher that ships, by the name of its option: module and class.
SEARCHERS: dict[str, tuple[str, str]] = {
    "grid": ("grid", "Grid"),
    "zip": ("zip", "Zip"),
    "points": ("points", "Points"),
    "random": ("random", "RandomSearch"),
    "sobol": ("sobol", "Sobol"),
    "lhs": ("sobol", "Lhs"),
    "tpe": ("tpe", "Tpe"),
    "gp": ("gp", "Gp"),
    "skopt": ("skopt", "Skopt"),
    "cmaes": ("cmaes", "CmaEs"),
    "nsga2": ("nsga2", "Nsga2"),
}


def make_searcher(settings: SearchSettings) -> Searcher | Lister:
    """Return the searcher that the settings name: one that ships, or any class by `_target_`.

    Raises:
        SettingsError: if there is none of that name, or if it has no such option.
    """
    name, options = settings.name, dict(settings.options)
    try:
        if "_target_" in options:
            return _own(options)
        if name == "lhs":
            options["samples"] = options.get("samples") or settings.trials
        if name not in SEARCHERS:
            raise SettingsError(
                f"There is no search {name!r}",
                hint=nearest(name, SEARCHERS) or f"There are {', '.join(SEARCHERS)}.",
            )
        module, kind = SEARCHERS[name]
        return getattr(import_module(f".{module}", __name__), kind)(**options)  # type: ignore[no-any-return]
    except TypeError as error:
        raise SettingsError(f"The search {name!r} cannot be made: {error}") from None


def _own(options: dict[str, Any]) -> Searcher | Lister:
    """Return the searcher that a class outside of the package makes, or a sampler of optuna's."""
    target = get_object(str(options["_target_"]))
    modules = [kind.__module__ for kind in getattr(target, "__mro__", ())]
    if any(module.startswith("optuna.samplers") for module in modules):
        from .optuna import Optuna

        given = {key: value for key, value in options.items() if key != "seed"}
        found = Optuna(lambda seed: instantiate(given, seed=seed))
        found.make(0)  # so that a mistake shows now
        return found
    return instantiate(options)  # type: ignore[no-any-return]


def one_thread() -> Any:
    """Return a context in which linear algebra keeps to one thread.

    On matrices as small as a search's more of them are slower, and far slower on a machine that is
    busy with runs: an ask was measured to take 30 times as long.
    """
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().limit(limits=1)


_TRIES = 20  # asks of a searcher that repeats itself, or asks for what the constraints forbid
_DRAWS = 100  # random points thereafter
_FORBIDDEN_DRAWS = 10_000  # of which so many may be forbidden
_LOOKED_AT = 100_000  # points of a finite space, at the last


class Asker:
    """Asks a searcher for one new point after another; `first`, or the config's own, come before."""

    def __init__(
        self, searcher: Searcher | Lister, space: Space, seed: int, first: Sequence[Point] = ()
    ) -> None:
        self.searcher = cast("Searcher", searcher)
        self.space, self.seed, self.first = space, seed, list(first) or [space.first()]
        self.seen: set[tuple[Any, ...]] = set()
        self.asked = 0
        if hasattr(searcher, "seed"):  # one stream for the whole sweep
            searcher.seed = derive_seed(seed, "stream")
        self._list = None if hasattr(searcher, "ask") else searcher
        self._left = self._list.points(space) if self._list is not None else None

    @property
    def thinks(self) -> bool:
        """Whether an ask may take long, since it looks at scores."""
        return self._list is None and not getattr(self.searcher, "blind", False)

    def size(self) -> int | None:
        """Return how many points there are in a list, constraints apart; None for a search."""
        return self._list.size(self.space) if self._list is not None else None

    def replay(self, point: Point) -> None:
        """Take note of a point that an earlier process asked for."""
        self._note(point)
        if self._left is not None:
            key = self.space.key(point)
            next((listed for listed in self._left if self.space.key(listed) == key), None)

    def _note(self, point: Point) -> None:
        self.seen.add(self.space.key(point))
        self.asked += 1

    def ask(self, history: History) -> Point | None:
        """Return a point that has not been asked for, or None if there is none left.

        Raises:
            SpaceError: if no point was found that the constraints allow.
        """
        point = self._new_point(history)
        if point is not None:
            self._note(point)
        return point

    def _is_new(self, point: Point) -> bool:
        return self.space.key(point) not in self.seen and self.space.allows(point)

    def _new_point(self, history: History) -> Point | None:
        if self._left is not None:
            return next(filter(self.space.allows, self._left), None)
        while self.first:
            point = self.first.pop(0)
            if self._is_new(point):
                return point
        with one_thread() if self.thinks else nullcontext():
            for attempt in range(_TRIES):
                rng = Random(derive_seed(self.seed, "ask", self.asked, attempt))  # noqa: S311
                found = self.searcher.ask(self.space, history, rng)
                if found is None or self._is_new(found):
                    return found
        return self._drawn()

    def _drawn(self) -> Point | None:
        """Return a random point that is new, or in the end whatever is left."""
        rng = Random(derive_seed(self.seed, "draw", self.asked))  # noqa: S311
        forbidden = tries = 0
        while tries < _DRAWS and forbidden < _FORBIDDEN_DRAWS:
            point = self.space.complete(lambda parameter: parameter.domain.sample(rng))
            if self._is_new(point):
                return point
            allowed = self.space.allows(point)
            tries += allowed
            forbidden += not allowed
        left = filter(self._is_new, islice(self.space.points(), _LOOKED_AT))
        few = list(islice(left, 100))
        if few:
            return rng.choice(few)
        if forbidden and not self.asked:
            raise SpaceError(
                "No point was found that the constraints allow",
                hint=f"{forbidden} were drawn. See sweeper.search.constraint.",
            )
        return None
