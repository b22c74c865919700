"""The points of a sweep: its space, found in the config, and the config of each point.

A space's branches are found by composing a combination of options when a point first needs it, never
the whole product up front.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from . import resolve, trees
from .composition import Composed, flatten
from .constraint import Constraint
from .errors import ConfigError, KeyAbsentError, SpaceError, nearest
from .grammar import NOTHING, Glob, Override, show
from .plan import OWN, Plan
from .records import Point
from .settings import DEFAULT_TRIALS, LISTED
from .space import Parameter, Space, declared, parameter, without_signs


class Points:
    """The space of a plan, and what its points compose to."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.listed = plan.settings.search.name in LISTED  # so that no score decides what comes next
        self.constraints = _constraints(plan.settings.search.constraint)
        self._branches: dict[tuple[Any, ...], tuple[Composed, list[Override]]] = {}
        self._declared: set[str] | None = None
        self.space = self._find_space()

    @property
    def limit(self) -> int | None:
        """How many points are run at the most; None for all of a list."""
        trials = self.plan.settings.search.trials
        return DEFAULT_TRIALS if trials is None and not self.listed else trials

    def compose(self, point: Point) -> Composed:
        """Return the config of a point."""
        return self.plan.compose(self.overrides(point))

    def overrides(self, point: Point) -> list[Override]:
        """Return the overrides that make a point: as typed, the values in the sweeps' places."""
        active = self.space.active(point)
        chosen = {p.key: p.at_value(point[p.name]) for p in active}
        found = []
        _, kept = self._branch({p.key: chosen[p.key] for p in active if p.is_group})
        for override in kept:
            if not override.sweeps:
                found.append(override)
            elif override.name in chosen:
                found.append(chosen.pop(override.name))
        return [*found, *chosen.values()]

    def check(self) -> None:
        """Compose each option of each group once, so that a mistake in one shows before any run.

        Raises:
            SweeperError: for an option that does not compose, or whose `_space_` has no meaning.
        """
        known: set[str] = set()
        for point in self._samples():
            composed = self.compose(point)
            known |= {
                c for c in _constrained(self.constraints) if self._look(point, composed)(c) is not NOTHING
            }
        for constraint in self.constraints:
            for key in constraint.keys - known:
                if not {*key.split("/")} <= known:
                    raise SpaceError(
                        f"The constraint names '{key}', but the config has no such key",
                        f"    {constraint.text}",
                        nearest(key, [p.key for p in self.space.active(self.space.first())]),
                    )

    def _samples(self) -> Iterator[Point]:
        """Yield the first point, and one for each other option of each group."""
        yield self.space.first()
        for root in self.space.roots:
            if root.is_group:
                for value in getattr(root.domain, "values", ()):
                    yield self.space.complete(firsts(root, value))

    def point_of(self, values: Mapping[str, Any], where: str, *, strict: bool = True) -> Point | None:
        """Return the point with these values by key, its other parameters as in the config.

        Raises:
            SpaceError: if the space has no such key or value; or None is returned, unless `strict`.
        """
        left = without_signs(values)

        def pick(parameter: Parameter) -> Any:
            if parameter.key not in left:
                return parameter.first()
            value = left.pop(parameter.key)
            if not parameter.domain.contains(value):
                raise SpaceError(
                    f"{parameter.key} is never {show(value)}, but one of {parameter.domain.describe()}", where
                )
            return value

        try:
            point = self.space.complete(pick)
        except SpaceError:
            if strict:
                raise
            return None
        if left and strict:
            known = [parameter.key for parameter in self.space.active(point)]
            raise SpaceError(
                f"'{next(iter(left))}' is not searched there", where, nearest(next(iter(left)), known)
            )
        return None if left else point

    def _allows(self, point: Point) -> bool:
        """Whether the constraints hold at a point."""
        composed, _ = self._branch(
            {p.key: p.at_value(point[p.name]) for p in self.space.active(point) if p.is_group}
        )
        look = self._look(point, composed)

        def value(key: str) -> Any:
            found = look(key)
            if found is NOTHING:
                raise KeyError(key)
            return found

        return all(constraint.holds(value) for constraint in self.constraints)

    def _look(self, point: Point, composed: Composed) -> Callable[[str], Any]:
        """Return what gives the value of a key at a point, or NOTHING."""
        searched = {p.key: point[p.name] for p in self.space.active(point)}

        def look(key: str) -> Any:
            if key in searched:
                return searched[key]
            return _value_at(composed, key)

        return look

    def _find_space(self) -> Space:
        """Return the space: the sweeps of the command line, `sweeper.space`, and `_space_` nodes.

        Raises:
            SpaceError: if a range is empty or an option does not exist.
        """
        plan = self.plan
        typed = {o.name: o for o in plan.overrides if o.sweeps}
        fixed = {o.name for o in plan.overrides if not o.sweeps}
        for key, value in dict(flatten(plan.settings.space)).items():
            override = declared(key, value, "sweeper.space")
            if override.name not in fixed:
                typed.setdefault(override.name, override)
        roots = [self._parameter(override) for override in typed.values()]
        for root in roots:
            self._check_options(root)
        if plan.settings.search.name == "points":
            roots = self._listed_roots(roots)
        constraint = self._allows if self.constraints else None
        if self.listed:
            return Space(tuple(roots), constraint=constraint)
        # A group below another swept one comes with the option that brings it.
        above = [f"{root.override.key}/" for root in roots if root.is_group]
        top = [r for r in roots if r.is_group and not r.override.key.startswith(tuple(above))]
        values = [root for root in roots if root not in top]
        groups = [_with_default(root, *_default(plan.base, root.override)) for root in top]

        def branch(chosen: Mapping[str, Override]) -> list[Parameter]:
            return self._parameters(chosen, values, fixed)

        return Space(tuple(groups), branch, constraint)

    def _listed_roots(self, roots: Sequence[Parameter]) -> list[Parameter]:
        """Return the parameters of a list of points: each with the values that it takes in it."""
        points, where = self.plan.settings.search.options.get("points"), "in sweeper.search.points"
        if roots:
            raise SpaceError(
                f"The search 'points' runs a list of points, so '{roots[0].override.text}' has no place",
                hint="Put the values into sweeper.search.points, or use the search 'grid' or 'zip'.",
            )
        if not isinstance(points, list) or not points or not all(isinstance(p, dict) and p for p in points):
            raise SpaceError("There are no points to run", where, "Write points: [{lr: 0.1}, {lr: 0.2}]")
        keys = list(points[0])
        for number, point in enumerate(points):
            if set(point) != set(keys):
                raise SpaceError(
                    f"Point {number + 1} has {', '.join(point)}, but the first has {', '.join(keys)}",
                    where,
                    "Give every point the same keys.",
                )
        found = [
            self._parameter(declared(str(key), [point[key] for point in points], "sweeper.search.points"))
            for key in keys
        ]
        for root in found:
            self._check_options(root)
        return found

    def _parameter(self, override: Override, *, owner: str = "", inside: str = "") -> Parameter:
        if override.sign == "~":
            raise SpaceError(f"'{override.text}' deletes several values", hint="Delete with ~KEY alone.")
        if override.name.startswith(OWN) or override.key in ("sweeper", "hydra"):
            raise SpaceError(f"'{override.text}' sweeps over a setting", hint="Settings take one value.")
        group = self.plan.search.has_group(override.key)
        if isinstance(override.value, Glob) and not group:
            raise SpaceError(
                f"'{override.text}' picks options, but there is no group '{override.key}'",
                f"in {inside}" if inside else "",
                self._group_hint(override.key),
            )
        return parameter(
            override,
            f"    {override.text}" + (f"\nin {inside}" if inside else ""),
            is_group=group,
            options=lambda: self.plan.search.options(override.key),
            owner=owner,
        )

    def _check_options(self, root: Parameter) -> None:
        if not root.is_group:
            return
        for value in getattr(root.domain, "values", ()):
            for option in value if isinstance(value, list) else [value]:
                if isinstance(option, str) and self.plan.search.read(f"{root.override.key}/{option}") is None:
                    group = root.override.key
                    raise self.plan.search.missing(f"'{group}' has no option '{option}'", group, option)

    def _branch(self, chosen: Mapping[str, Override]) -> tuple[Composed, list[Override]]:
        """Return the config of a combination of options, and the overrides that apply there."""
        key = tuple(sorted((name, override.text) for name, override in chosen.items()))
        if key not in self._branches:
            kept = list(self.plan.overrides)
            while True:
                overrides = [chosen.get(o.name, o) for o in kept]
                overrides += [o for name, o in chosen.items() if all(k.name != name for k in kept)]
                try:
                    self._branches[key] = (self.plan.compose(overrides), kept)
                    break
                except KeyAbsentError as error:
                    if not self._is_conditional(error.override):
                        raise
                    kept = [o for o in kept if o is not error.override]
        return self._branches[key]

    def _is_conditional(self, override: object) -> bool:
        """Whether an override's key is declared by some swept option, and so absent elsewhere."""
        if not isinstance(override, Override) or self.listed:
            return False
        return override.name in self._declared_keys()

    def _declared_keys(self) -> set[str]:
        """Return every key that a `_space_` of a swept option declares, composing each option once."""
        if self._declared is None:
            found: set[str] = set()
            self._declared = found
            swept = [root for root in self.space.roots if root.is_group]
            simple = [o for o in self.plan.overrides if not o.sweeps and self.plan.search.has_group(o.key)]
            first = {root.key: root.at_value(root.first()) for root in swept}
            for root in swept:
                for value in getattr(root.domain, "values", ()):
                    chosen = {**first, root.key: root.at_value(value)}
                    try:
                        composed = self.plan.compose([*simple, *chosen.values()])
                        found.update(composed.space)
                        found.update(composed.choices)
                    except ConfigError:  # it is said when a point needs this combination
                        continue
        return self._declared

    def _undeclared(self, override: Override, owner: str) -> SpaceError:
        """Return the error for a `_space_` that names a key which the config does not have."""
        return SpaceError(
            f"_space_ declares '{override.key}', but the config has no such key",
            f"in {owner or 'the config'}",
            self._group_hint(override.key) or "Give the key a default beside the _space_.",
        )

    def _group_hint(self, key: str) -> str:
        group = key.replace(".", "/")
        return f"For the choice of a group write /{group}" if self.plan.search.has_group(group) else ""

    def _parameters(
        self, chosen: Mapping[str, Override], values: Sequence[Parameter], fixed: set[str]
    ) -> list[Parameter]:
        """Return the parameters that a combination of options brings."""
        composed, _ = self._branch(chosen)
        found: list[Parameter] = []
        for value in values:
            default, known = _default(composed, value.override)
            if not known and not value.override.sign and value.key not in composed.space:
                if not self._is_conditional(value.override):
                    self.plan.compose([*chosen.values(), value.at_value(value.first())])  # says what is wrong
                continue
            found.append(_with_default(value, default, known))
        taken = {value.key for value in values} | fixed
        for key, raw in composed.space.items():
            if key in taken or key in chosen:
                continue
            owner = _owner(composed, key)
            override = declared(key, raw, f"_space_ of {owner or 'the config'}")
            default, known = _default(composed, override)
            if not known and not override.sign:
                raise self._undeclared(override, owner)
            if isinstance(default, dict) and self._group_hint(override.key):
                raise SpaceError(
                    f"_space_ declares '{override.key}', which is the node of a group",
                    f"in {owner or 'the config'}",
                    self._group_hint(override.key),
                )
            found.append(
                _with_default(
                    self._parameter(override, owner=owner if chosen else "", inside=owner), default, known
                )
            )
        return found


def _constraints(texts: str | Sequence[Any] | None) -> tuple[Constraint, ...]:
    listed = [texts] if isinstance(texts, str) else texts or ()
    return tuple(Constraint(str(text)) for text in listed)


def _constrained(constraints: Sequence[Constraint]) -> set[str]:
    """Return every key that constraints name; of a quotient, its parts too."""
    keys = {key for constraint in constraints for key in constraint.keys}
    return keys | {part for key in keys for part in key.split("/")}


def firsts(root: Parameter, value: Any) -> Callable[[Parameter], Any]:
    """Return what picks a value for one parameter, and the first of each other."""
    return lambda p: value if p is root else p.first()


def _with_default(found: Parameter, default: Any, known: bool) -> Parameter:  # noqa: FBT001
    return replace(found, default=default, has_default=known)


def _default(composed: Composed, override: Override) -> tuple[Any, bool]:
    """Return the value that a config has for a key, and whether it has the key."""
    found = _value_at(composed, override.key)
    return (None, False) if found is NOTHING else (found, True)


def _value_at(composed: Composed, key: str) -> Any:
    """Return the value or the choice that a config has at a key, or NOTHING."""
    if key in composed.choices:
        return composed.choices[key]
    tree: Any = composed.tree
    for part in key.split("."):
        tree = trees.child(tree, part, NOTHING)
        if trees.is_interpolation(tree):
            try:
                tree = resolve.resolve(tree, composed.tree, key)
            except ConfigError:
                return None
    return tree


def _owner(composed: Composed, key: str) -> str:
    """Return the config whose `_space_` declares a key: the last whose package holds it."""
    found = ""
    for entry in composed.entries:
        inside = not entry.package or key.startswith(f"{entry.package}.")
        if entry.config.declares_space and inside:
            found = entry.path
    return found
