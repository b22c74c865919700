"""What a command line asks for: the settings, the space, and the config of each of its points.

Composes, but runs nothing. The files that a plan has read stay as they were when it read them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import resolve, trees
from .composition import Composed, KeyAbsentError, compose_tree, flatten
from .errors import ConfigError, SpaceError, nearest
from .grammar import Override
from .groups import SearchPath, Table
from .records import Point
from .settings import Settings, configs, settings_from
from .space import Parameter, Space, declared, parameter

ROOTS = ("hydra/config", "sweeper/config")
_OWN = ("sweeper.", "sweeper/")
# Settings that a single run or each of the runs resolves for itself.
_LATE = ("run", "sweep")


def shipped() -> Table:
    """Return the source of the configs that come with sweeper."""
    return Table(configs(), "sweeper")


@dataclass(slots=True)
class Plan:
    """A composed command line."""

    search: SearchPath
    primary: str | None
    overrides: list[Override]  # as typed, sweeps included
    base: Composed  # without the sweeps
    settings: Settings
    sweeping: bool
    space: Space = field(default_factory=lambda: Space(()))
    _branches: dict[tuple[Any, ...], tuple[Composed, list[Override]]] = field(default_factory=dict)
    _declared: set[str] | None = None

    def compose(self, point: Point) -> Composed:
        """Return the config of a point."""
        return self._compose(self.point_overrides(point))

    def point_overrides(self, point: Point) -> list[Override]:
        """Return the overrides that make a point: as typed, the values in the sweeps' places."""
        chosen = {p.key: p.at_value(point[p.name]) for p in self.space.active(point)}
        found = []
        _, kept = self._branch(self._groups(point))
        for override in kept:
            if not override.sweeps:
                found.append(override)
            elif override.name in chosen:
                found.append(chosen.pop(override.name))
        return [*found, *chosen.values()]

    def _groups(self, point: Mapping[str, Any]) -> dict[str, Override]:
        return {
            p.key: p.at_value(point[p.name])
            for p in self.space.active(point)
            if p.is_group and p.name in point
        }

    def _compose(self, overrides: Sequence[Override]) -> Composed:
        return compose_tree(self.search, self.primary, overrides, roots=ROOTS)

    # ---- the space

    def find_space(self) -> None:
        """Build the space: the sweeps of the command line, `sweeper.space`, and `_space_` nodes.

        Raises:
            SpaceError: if a range is empty or an option does not exist.
        """
        typed = {o.name: o for o in self.overrides if o.sweeps}
        fixed = {o.name for o in self.overrides if not o.sweeps}
        listed = dict(flatten(self.settings.space, ""))
        for key, value in listed.items():
            override = declared(key, value, "sweeper.space")
            if override.name not in fixed:
                typed.setdefault(override.name, override)
        roots = [self._parameter(override) for override in typed.values()]
        for root in roots:
            self._check_options(root)
        if self.settings.search.name == "grid":
            self.space = Space(tuple(roots))
            return
        groups = [root for root in roots if root.is_group]
        values = [root for root in roots if not root.is_group]

        def branch(chosen: Mapping[str, Any]) -> list[Parameter]:
            by_name = {root.name: root for root in groups}
            overrides = {
                by_name[name].key: by_name[name].at_value(value)
                for name, value in chosen.items()
                if name in by_name
            }
            return self._parameters(overrides, values, fixed)

        self.space = Space(tuple(groups), branch)

    def _parameter(self, override: Override, **more: Any) -> Parameter:
        if override.sign == "~":
            raise SpaceError(f"'{override.text}' deletes several values", hint="Delete with ~KEY alone.")
        if override.name.startswith(_OWN) or override.key in ("sweeper", "hydra"):
            raise SpaceError(f"'{override.text}' sweeps over a setting of sweeper itself")
        if override.name.startswith(("hydra.", "hydra/")):
            raise SpaceError(f"'{override.text}' sweeps over a setting of hydra")
        group = self.search.has_group(override.key)
        return parameter(
            override,
            f"    {override.text}",
            is_group=group,
            options=lambda: self.search.options(override.key),
            **more,
        )

    def _check_options(self, root: Parameter) -> None:
        if not root.is_group:
            return
        for value in getattr(root.domain, "values", ()):
            for option in value if isinstance(value, list) else [value]:
                if isinstance(option, str) and self.search.read(f"{root.override.key}/{option}") is None:
                    group = root.override.key
                    raise self.search.missing(f"'{group}' has no option '{option}'", group, option)

    def _branch(self, chosen: Mapping[str, Override]) -> tuple[Composed, list[Override]]:
        """Return the config of a combination of options, and the overrides that apply there."""
        key = tuple(sorted((name, override.text) for name, override in chosen.items()))
        if key not in self._branches:
            kept = list(self.overrides)
            while True:
                overrides = [chosen.get(o.name, o) for o in kept]
                overrides += [o for name, o in chosen.items() if all(k.name != name for k in kept)]
                try:
                    self._branches[key] = (self._compose(overrides), kept)
                    break
                except KeyAbsentError as error:
                    if not self._is_conditional(error.override):
                        raise
                    kept = [o for o in kept if o is not error.override]
        return self._branches[key]

    def _is_conditional(self, override: Override | None) -> bool:
        """Whether an override's key is declared by some swept option, and so absent elsewhere."""
        if override is None or self.settings.search.name == "grid":
            return False
        return override.key in self._declared_keys()

    def _declared_keys(self) -> set[str]:
        """Return every key that a `_space_` of a swept option declares, composing each option once."""
        if self._declared is None:
            self._declared = found = set()
            swept = [root for root in self.space.roots if root.is_group]
            simple = [o for o in self.overrides if not o.sweeps and self.search.has_group(o.key)]
            first = {root.key: root.at_value(root.first()) for root in swept}
            for root in swept:
                for value in getattr(root.domain, "values", ()):
                    chosen = {**first, root.key: root.at_value(value)}
                    try:
                        found.update(self._compose([*simple, *chosen.values()]).space)
                    except ConfigError:  # it is said when a point needs this combination
                        continue
        return self._declared

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
                    self._compose([*chosen.values(), value.at_value(value.first())])  # says what is wrong
                continue
            found.append(_with_default(value, default, known))
        taken = {value.key for value in values} | fixed
        for key, raw in composed.space.items():
            if key in taken or key in chosen:
                continue
            owner = _owner(composed, key)
            override = declared(key, raw, f"_space_ of {owner or 'the config'}")
            default, known = _default(composed, override)
            found.append(
                _with_default(self._parameter(override, owner=owner if chosen else ""), default, known)
            )
        return found

    # ---- what is wrong before anything runs

    def check(self) -> None:
        """Compose the first point, so that a mistake in any key is said before a run starts."""
        self.compose(self.space.first() if self.sweeping else {})


def _with_default(found: Parameter, default: Any, known: bool) -> Parameter:  # noqa: FBT001
    from dataclasses import replace

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


def make_plan(
    search: SearchPath, primary: str | None, overrides: Sequence[Override], *, sweeping: bool
) -> Plan:
    """Return the plan of a program's command line.

    Raises:
        SweeperError: for whatever in it, or in the config, has no meaning.
    """
    base_overrides = [o for o in overrides if not o.sweeps]
    for override in overrides:
        if override.sweeps and override.name.startswith((*_OWN, "hydra.", "hydra/")):
            raise SpaceError(f"'{override.text}' sweeps over a setting", hint="Settings take one value.")
    conditional: list[Override] = []
    while True:
        kept = [o for o in base_overrides if o not in conditional]
        try:
            base = compose_tree(search, primary, kept, roots=ROOTS, skip_missing=sweeping)
            break
        except KeyAbsentError as error:
            # In a search over groups the key may come with an option; find_space() will tell.
            swept = any(o.sweeps and search.has_group(o.key) for o in overrides)
            if error.override is None or not (sweeping and swept):
                raise
            conditional.append(error.override)
    settings = read_settings(base)
    plan = Plan(search, primary, list(overrides), base, settings, sweeping)
    if sweeping:
        plan.find_space()
    return plan


def read_settings(composed: Composed) -> Settings:
    """Return the settings of a composed config, all but the directories resolved."""
    node = dict(composed.settings)
    late = {key: node.pop(key) for key in _LATE if key in node}
    if trees_have_interpolation(node):
        whole = {**composed.tree, "sweeper": composed.settings, "hydra": composed.hydra}
        space = node.pop("space", None)
        node = resolve.resolve(node, whole, "the node 'sweeper'")
        if space is not None:
            node["space"] = space
    return settings_from({**node, **late})


def trees_have_interpolation(node: Any) -> bool:
    """Whether there is an interpolation anywhere in plain data."""
    if isinstance(node, dict):
        return any(map(trees_have_interpolation, node.values()))
    if isinstance(node, list):
        return any(map(trees_have_interpolation, node))
    return trees.is_interpolation(node)


def directory_of(template: str, composed: Composed, facts: Mapping[str, Any]) -> str:
    """Return the directory that a template such as `outputs/${now:%Y-%m-%d}` names."""
    if "${" not in template:
        return template
    simple = _simple_time(template, facts.get("now"))
    if simple is not None:
        return simple
    with resolve.facts(facts):
        whole = {**composed.tree, "sweeper": composed.settings, "hydra": composed.hydra}
        return str(resolve.resolve(template, whole, "the directory"))


def _simple_time(template: str, now: time.struct_time | None) -> str | None:
    """Return a template whose only interpolations are `${now:…}`, without OmegaConf's parser."""
    pieces = template.split("${now:")
    found = [pieces[0]]
    for piece in pieces[1:]:
        pattern, closed, rest = piece.partition("}")
        if not closed or "${" in rest or "\\" in pattern:
            return None
        found += [time.strftime(pattern, now or time.localtime()), rest]
    return None if "${" in found[0] else "".join(found)


def unknown_option(group: str, name: str, known: Callable[[], list[str]]) -> str:
    """Return a hint for an option of one of sweeper's own groups."""
    return nearest(name, known()) or f"sweeper/{group} has the options: {', '.join(known())}"
