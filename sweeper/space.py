"""Parameters, the values that they may take, and the points that these make.

A space is conditional: what can be searched depends on the group options chosen so far. `complete`
walks it from the roots; the branch of a choice is looked up when a point first needs it, and never
before. The space owns its points: which values exist, whether ends are inclusive, what a step or a
logarithm means. It knows nothing of files, processes or how to search.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from .errors import OverrideError, SpaceError
from .grammar import Choice, Glob, Interval, Override, Range, Swept, parse, parse_value, show
from .records import Point

EXACT = 2**53  # up to which every integer is a float

# ----------------------------------------------------------------------------------------- domains


@dataclass(frozen=True, slots=True)
class Choices:
    """One of these values; `ordered` if near in the list means near in effect."""

    values: tuple[Any, ...]
    ordered: bool = False

    @property
    def size(self) -> int:
        """How many values there are."""
        return len(self.values)

    def at(self, index: int) -> Any:
        """Return the value at an index in [0, size)."""
        return self.values[index]

    def contains(self, value: Any) -> bool:
        """Whether a value is one of them; 1 and True are two values."""
        return self.index(value) is not None

    def index(self, value: Any) -> int | None:
        """Return where a value stands."""
        text = show(value)
        return next((index for index, own in enumerate(self.values) if show(own) == text), None)

    def sample(self, rng: Random) -> Any:
        """Return a value drawn evenly."""
        return rng.choice(self.values)

    def to_unit(self, value: Any) -> float:
        """Return the middle of a value's share of [0, 1]; the shares are equal."""
        return ((self.index(value) or 0) + 0.5) / self.size

    def from_unit(self, unit: float) -> Any:
        """Return the value in whose share of [0, 1] a number lies."""
        return self.values[min(max(int(unit * self.size), 0), self.size - 1)]

    def describe(self) -> str:
        """Return the text that declares it."""
        return show(Choice(values=self.values))


@dataclass(frozen=True, slots=True)
class Integers:
    """The integers from `low` to `high`, both included, in steps."""

    low: int
    high: int
    step: int = 1
    log: bool = False

    @property
    def size(self) -> int:
        """How many values there are."""
        return (self.high - self.low) // self.step + 1

    def at(self, index: int) -> int:
        """Return the value at an index in [0, size)."""
        return self.low + index * self.step

    def contains(self, value: Any) -> bool:
        """Whether a value is one of them."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        if isinstance(value, float) and not value.is_integer():  # nor is inf, nor nan
            return False
        return self.low <= value <= self.high and (int(value) - self.low) % self.step == 0

    def sample(self, rng: Random) -> int:
        """Return a value drawn evenly, or evenly in its logarithm."""
        return self.from_unit(rng.random()) if self.log else self.at(rng.randrange(self.size))

    def to_unit(self, value: Any) -> float:
        """Return where a value lies in [0, 1]: in the middle of its share, or where its logarithm is."""
        if not self.log:
            return float(((value - self.low) // self.step + 0.5) / self.size)
        low, high = self._log_ends
        return (math.log(value) - low) / (high - low)

    def from_unit(self, unit: float) -> int:
        """Return the value in whose share of [0, 1] a number lies."""
        if not self.log:
            return self.at(min(max(int(unit * self.size), 0), self.size - 1))
        low, high = self._log_ends
        return self.nearest(round(math.exp(low + unit * (high - low))))

    def nearest(self, number: float) -> int:
        """Return the value that comes nearest to a number."""
        return self._nearest(*min(max(number, self.low), self.high).as_integer_ratio())

    @property
    def middle(self) -> int:
        """The value half-way between the ends, or half-way in the logarithm."""
        if self.log:
            return self._nearest(math.isqrt(self.low * self.high << 104), 1 << 52)
        return self._nearest(self.low + self.high, 2)

    def _nearest(self, number: int, over: int) -> int:
        """Return the value nearest to `number / over`, in integers: beyond EXACT floats are coarser."""
        index, rest = divmod(number - self.low * over, self.step * over)
        beyond = 2 * rest - self.step * over
        return self.at(index + (beyond > 0 or (beyond == 0 and index % 2 == 1)))  # as round() has it

    @property
    def _log_ends(self) -> tuple[float, float]:
        """The ends' logarithms, half a one further out, so that the ends get a whole share."""
        return math.log(self.low - 0.5), math.log(self.high + 0.5)

    def describe(self) -> str:
        """Return the text that declares it."""
        if self.step != 1:
            return show(Range(start=self.low, stop=self.high + 1, step=self.step))
        tags = frozenset({"log"} if self.log else ())
        return show(Interval(start=self.low, end=self.high, tags=tags))


@dataclass(frozen=True, slots=True)
class Floats:
    """The numbers from `low` to `high`."""

    low: float
    high: float
    log: bool = False

    @property
    def size(self) -> int | None:
        """None: there is no end of them, unless both ends are one."""
        return 1 if self.low == self.high else None

    def at(self, index: int) -> float:
        """Return the only value there is."""
        return self.low

    def contains(self, value: Any) -> bool:
        """Whether a value is within the ends."""
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and self.low <= value <= self.high

    def sample(self, rng: Random) -> float:
        """Return a value drawn evenly, or evenly in its logarithm."""
        return self.from_unit(rng.random())

    def to_unit(self, value: Any) -> float:
        """Return where a value lies between the ends, or its logarithm between theirs, in [0, 1]."""
        if self.low == self.high:
            return 0.5
        if not self.log:
            return float((value - self.low) / (self.high - self.low))
        low, high = math.log(self.low), math.log(self.high)
        return (math.log(value) - low) / (high - low)

    def from_unit(self, unit: float) -> float:
        """Return the value that lies at a number of [0, 1]."""
        if not self.log:
            value = self.low + (self.high - self.low) * unit
        else:
            low, high = math.log(self.low), math.log(self.high)
            value = math.exp(low + (high - low) * unit)
        return self.nearest(value)

    def nearest(self, number: float) -> float:
        """Return the value that comes nearest to a number."""
        return float(min(max(number, self.low), self.high))

    @property
    def middle(self) -> float:
        """The value half-way between the ends, or half-way in the logarithm."""
        product = self.low * self.high
        if not self.log:
            middle = self.low / 2 + self.high / 2
        elif 0 < product < math.inf:
            middle = math.sqrt(product)
        else:
            middle = math.sqrt(self.low) * math.sqrt(self.high)
        return self.nearest(middle)

    def describe(self) -> str:
        """Return the text that declares it."""
        tags = frozenset({"log"} if self.log else ())
        return show(Interval(start=self.low, end=self.high, tags=tags))


Domain = Choices | Integers | Floats


def domain_of(value: Any, where: str, *, options: Callable[[], list[str]] | None = None) -> Domain:
    """Return the values that a sweep stands for.

    `options` lists the options of the group, for a glob.

    Raises:
        SpaceError: if there are none, or if the ends have no logarithm.
    """
    match value:
        case Choice(values=values, shuffle=shuffle):
            return Choices(_mixed(_distinct(values), where) if shuffle else _distinct(values))
        case Range(shuffle=shuffle, tags=tags):
            return _range(value, where, shuffle=shuffle, log="log" in tags)
        case Interval(start=start, end=end, tags=tags):
            return _interval(start, end, where, log="log" in tags)
        case Glob():
            names = value.pick(options()) if options is not None else []
            if not names:
                raise SpaceError(f"{show(value)} matches no option", where)
            return Choices(tuple(names))
    return Choices((value,))


def _distinct(values: Sequence[Any]) -> tuple[Any, ...]:
    found: list[Any] = []
    for value in values:
        if not Choices(tuple(found)).contains(value):
            found.append(value)
    return tuple(found)


def _mixed(values: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    mixed = list(values)
    Random(where).shuffle(mixed)  # noqa: S311  the order of a grid is no secret, and resumes the same
    return tuple(mixed)


def _range(value: Range, where: str, *, shuffle: bool, log: bool) -> Domain:
    start, stop, step = value.start, value.stop, value.step
    whole = all(isinstance(x, int) for x in (start, stop, step))
    _check_ends(start, stop, show(value), where)
    if (stop - start) * step <= 0:
        raise SpaceError(f"{show(value)} is empty", where, "Its end is excluded: range(1, 4) is 1, 2, 3.")
    if log and min(start, stop) <= 0:
        raise SpaceError(f"{show(value)} has no logarithm", where, "Begin it above zero.")
    if whole and step > 0 and not shuffle:
        high = int(start) + (-(-int(stop - start) // int(step)) - 1) * int(step)
        return Integers(int(start), high, int(step), log)
    return Choices(_mixed(value.values(), where) if shuffle else value.values(), ordered=not shuffle)


def _interval(start: float, end: float, where: str, *, log: bool) -> Domain:
    whole = isinstance(start, int) and isinstance(end, int)
    shown = show(Interval(start=start, end=end, tags=frozenset({"log"} if log else ())))
    _check_ends(start, end, shown, where)
    if start > end:
        raise SpaceError(f"{shown} is empty", where, f"Write interval({show(end)}, {show(start)}).")
    if log and start <= 0:
        raise SpaceError(f"{shown} has no logarithm", where, "Begin it above zero.")
    if whole:
        return Integers(int(start), int(end), 1, log)
    return Floats(float(start), float(end), log)


def _check_ends(start: float, end: float, shown: str, where: str) -> None:
    """Refuse what floats, in which all searches reckon, cannot tell apart."""
    most = sys.float_info.max
    if not (abs(start) <= most and abs(end) <= most):
        raise SpaceError(f"{shown} has no finite ends", where)
    if not abs(end - start) <= most:
        hint = "A search reckons in floats, of which the largest is 1.8e308."
        raise SpaceError(f"The ends of {shown} lie too far apart", where, hint)


# -------------------------------------------------------------------------------------- parameters


@dataclass(frozen=True, slots=True)
class Parameter:
    """What is searched: a key of the config, and the values that it may take.

    `name` tells it from every other: the key, or the key and the option that declares it, since one
    key may have two ranges in two branches.
    """

    key: str
    domain: Domain
    override: Override  # as written, to be given one value in the place of many
    owner: str = ""  # the option whose `_space_` declares it
    is_group: bool = False
    default: Any = None  # the config's own value
    has_default: bool = False

    @property
    def name(self) -> str:
        """What a searcher knows it by."""
        return f"{self.key} [{self.owner}]" if self.owner else self.key

    def at_value(self, value: Any) -> Override:
        """Return the override that sets it."""
        return self.override.with_value(value)

    def first(self) -> Any:
        """Return the config's own value, or what comes nearest to it."""
        value, domain = self.default, self.domain
        if isinstance(domain, Choices):
            index = domain.index(value) if self.has_default else None
            return domain.at(index or 0)
        number = self.has_default and isinstance(value, (int, float)) and value == value  # noqa: PLR0124  NaN
        return domain.nearest(value) if number else domain.middle


def parameter(override: Override, where: str, *, owner: str = "", **more: Any) -> Parameter:
    """Return the parameter that an override with a sweep declares."""
    options = more.pop("options", None)
    domain = domain_of(override.value, where, options=options)
    return Parameter(override.name, domain, override, owner, **more)


def declared(key: str, value: Any, where: str) -> Override:
    """Return the override that an entry of a `_space_` or of `sweeper.space` writes.

    A text is what would follow the `=` on the command line, a list the choices, a scalar fixes.
    """
    try:
        head = parse(f"{key}=")
    except OverrideError:
        above, slash, below = key.partition("/")
        group = f"/{above.rpartition('.')[2]}/{below}"
        hint = f"A key is relative to its node; that of a group is absolute: {group}" if slash else ""
        raise SpaceError(f"'{key}' is no key", f"in {where}", hint) from None
    if isinstance(value, str):
        parsed = parse_value(value, f"in {where}: {key}: {value}")
    elif isinstance(value, list):
        if not value:
            raise SpaceError(f"The choices of '{key}' are empty", f"in {where}")
        parsed = Choice(values=tuple(value))
    else:
        parsed = value
    if not isinstance(parsed, Swept):
        parsed = Choice(values=(parsed,))
    return Override(f"{key}={value}", head.sign, head.key, head.package, parsed)


def without_signs(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by key as parameters have it: `+new.key` adds the key `new.key`."""
    return {key.lstrip("+"): value for key, value in values.items()}


# ------------------------------------------------------------------------------------------ spaces

Branch = Callable[[Mapping[str, Override]], Sequence[Parameter]]  # by the groups' choices


@dataclass(slots=True)
class Space:
    """The parameters that are always there, and those that come with a choice.

    `branch` gives the parameters that a point's group choices bring; it is asked once a combination.
    """

    roots: tuple[Parameter, ...]
    branch: Branch | None = None
    constraint: Callable[[Point], bool] | None = None  # whether a point may be tried
    _branches: dict[tuple[str, ...], tuple[Parameter, ...]] = field(default_factory=dict)

    def active(self, point: Mapping[str, Any]) -> tuple[Parameter, ...]:
        """Return the parameters that exist at a point, as far as it is made."""
        if self.branch is None or any(p.is_group and p.name not in point for p in self.roots):
            return self.roots
        return self.roots + self._below(point, self.roots)

    def _below(self, point: Mapping[str, Any], above: Sequence[Parameter]) -> tuple[Parameter, ...]:
        chosen = {p.key: p.at_value(point[p.name]) for p in above if p.is_group}
        key = tuple(override.text for override in chosen.values())
        if key not in self._branches:
            assert self.branch is not None  # noqa: S101  active() asks no fixed space
            self._branches[key] = tuple(self.branch(chosen))
        known = {p.name for p in above}
        below = tuple(p for p in self._branches[key] if p.name not in known)
        groups = tuple(p for p in below if p.is_group)
        if not groups:
            return below
        if any(group.name not in point for group in groups):
            return groups  # what else there is depends on these
        return groups + self._below(point, (*above, *groups))

    def complete(self, pick: Callable[[Parameter], Any]) -> Point:
        """Return the point that picking a value for each parameter makes, roots before branches."""
        point: Point = {}
        while True:
            missing = [p for p in self.active(point) if p.name not in point]
            if not missing:
                return point
            for found in missing:
                point[found.name] = pick(found)

    def choose(self, pick: Callable[[Parameter], Any]) -> Point:
        """Return a point with its group choices made, in as many steps as they depend on each other."""
        point: Point = {}
        while True:
            missing = [p for p in self.active(point) if p.is_group and p.name not in point]
            if not missing:
                return point
            for found in missing:
                point[found.name] = pick(found)

    def first(self) -> Point:
        """Return the point that the config itself stands for."""
        return self.complete(Parameter.first)

    def allows(self, point: Point) -> bool:
        """Return whether the constraints hold at a point."""
        return self.constraint is None or self.constraint(point)

    def key(self, point: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return what two points have in common if and only if they are the same."""
        return tuple(sorted((name, show(value)) for name, value in point.items()))

    def params(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """Return a point's values by config key, as people know them."""
        return {p.key: point[p.name] for p in self.active(point)}

    def points(self) -> Iterator[Point]:
        """Yield every point of a finite space, the last parameter changing fastest.

        Branches with no end of points are passed over.
        """
        for point in _product(self.roots):
            yield from self._extend(point)

    def _extend(self, point: Point) -> Iterator[Point]:
        below = [p for p in self.active(point) if p.name not in point]
        if not below:
            yield point
            return
        for more in _product(below):
            yield from self._extend({**point, **more})

    def size(self) -> int | None:
        """Return how many points there are; None if there is no end, or if it depends on a choice."""
        sizes = [root.domain.size for root in self.roots]
        if self.branch is not None or None in sizes:
            return None
        return math.prod(size for size in sizes if size is not None)

    def describe(self) -> dict[str, str]:
        """Return the roots' declarations, by key."""
        return {root.key: root.domain.describe() for root in self.roots}

    def describe_found(self) -> dict[str, str]:
        """Return the declarations of all parameters that were met so far, by name."""
        found = (*self.roots, *(p for branch in self._branches.values() for p in branch))
        return {p.name: p.domain.describe() for p in found}


def _product(parameters: Sequence[Parameter]) -> Iterator[Point]:
    if not parameters:
        yield {}
        return
    first, *rest = parameters
    if first.domain.size is None:
        return
    for index in range(first.domain.size):
        for point in _product(rest):
            yield {first.name: first.domain.at(index), **point}
