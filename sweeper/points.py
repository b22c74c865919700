"""The points of a sweep: its space, found in the config, and the config of each point.

A space's branches are found by composing a combination of options when a point first needs it, never
the whole product up front.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from . import resolve, trees
from .composition import Composed, flatten
from .errors import ConfigError, KeyAbsentError, SpaceError
from .grammar import Glob, Override
from .plan import OWN, Plan
from .records import Point
from .space import Parameter, Space, declared, parameter


class Points:
    """The space of a plan, and what its points compose to."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.is_grid = plan.settings.search.name == "grid"
        self._branches: dict[tuple[Any, ...], tuple[Composed, list[Override]]] = {}
        self._declared: set[str] | None = None
        self.space = self._find_space()

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
        for root in self.space.roots:
            if root.is_group:
                for value in getattr(root.domain, "values", ()):
                    self.compose(self.space.complete(_firsts(root, value)))

    def _find_space(self) -> Space:
        """Return the space: the sweeps of the command line, `sweeper.space`, and `_space_` nodes.

        Raises:
            SpaceError: if a range is empty or an option does not exist.
        """
        plan = self.plan
        typed = {o.name: o for o in plan.overrides if o.sweeps}
        fixed = {o.name for o in plan.overrides if not o.sweeps}
        listed = dict(flatten(dict(plan.settings.space), ""))
        for key, value in listed.items():
            override = declared(key, value, "sweeper.space")
            if override.name not in fixed:
                typed.setdefault(override.name, override)
        roots = [self._parameter(override) for override in typed.values()]
        for root in roots:
            self._check_options(root)
        if self.is_grid:
            return Space(tuple(roots))
        # A group below another swept one comes with the option that brings it.
        above = [f"{root.override.key}/" for root in roots if root.is_group]
        groups = [r for r in roots if r.is_group and not r.override.key.startswith(tuple(above))]
        values = [root for root in roots if root not in groups]

        def branch(chosen: Mapping[str, Override]) -> list[Parameter]:
            return self._parameters(chosen, values, fixed)

        return Space(tuple(groups), branch)

    def _parameter(self, override: Override, *, owner: str = "", inside: str = "") -> Parameter:
        if override.sign == "~":
            raise SpaceError(f"'{override.text}' deletes several values", hint="Delete with ~KEY alone.")
        if override.name.startswith(OWN) or override.key in ("sweeper", "hydra"):
            raise SpaceError(f"'{override.text}' sweeps over a setting", hint="Settings take one value.")
        group = self.plan.search.has_group(override.key)
        if isinstance(override.value, Glob) and not group:
            raise SpaceError(f"'{override.text}' picks options, but there is no group '{override.key}'")
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
        if not isinstance(override, Override) or self.is_grid:
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
        group = override.key.replace(".", "/")
        hint = f"For the choice of a group write /{group}" if self.plan.search.has_group(group) else ""
        return SpaceError(
            f"_space_ declares '{override.key}', but the config has no such key",
            f"in {owner or 'the config'}",
            hint or "Give the key a default beside the _space_.",
        )

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
            found.append(
                _with_default(
                    self._parameter(override, owner=owner if chosen else "", inside=owner), default, known
                )
            )
        return found


def _firsts(root: Parameter, value: Any) -> Callable[[Parameter], Any]:
    """Return what picks a value for one parameter, and the first of each other."""
    return lambda p: value if p is root else p.first()


def _with_default(found: Parameter, default: Any, known: bool) -> Parameter:  # noqa: FBT001
    return replace(found, default=default, has_default=known)


def _default(composed: Composed, override: Override) -> tuple[Any, bool]:
    """Return the value that a config has for a key, and whether it has the key."""
    if override.key in composed.choices:
        return composed.choices[override.key], True
    tree: Any = composed.tree
    for part in override.key.split("."):
        if isinstance(tree, dict) and part in tree:
            tree = tree[part]
        elif isinstance(tree, list) and part.isdigit() and int(part) < len(tree):
            tree = tree[int(part)]
        else:
            return None, False
        if trees.is_interpolation(tree):
            try:
                tree = resolve.resolve(tree, composed.tree, override.key)
            except ConfigError:
                return None, True
    return tree, True


def _owner(composed: Composed, key: str) -> str:
    """Return the config whose `_space_` declares a key: the last whose package holds it."""
    found = ""
    for entry in composed.entries:
        inside = not entry.package or key.startswith(f"{entry.package}.")
        if entry.config.declares_space and inside:
            found = entry.path
    return found
