"""What a command line asks for: the composed config and the settings.

Composes, but runs nothing. The files that a plan has read stay as they were when it read them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from . import resolve, trees
from .composition import Composed, compose_tree
from .errors import KeyAbsentError, SettingsError, SpaceError
from .grammar import Override
from .groups import SearchPath, Table
from .hydra import translate, value_at
from .settings import NAMED, Settings, configs, defaults, settings_from

ROOTS = ("hydra/config", "sweeper/config")
OWN = ("sweeper.", "sweeper/", "hydra.", "hydra/")  # how the keys of settings begin
_LATE = ("run", "sweep", "logging")  # settings that each run resolves for itself


def shipped() -> Table:
    """Return the source of the configs that come with sweeper."""
    return Table(configs(), "sweeper")


class Plan(NamedTuple):
    """A composed command line."""

    search: SearchPath
    primary: str | None
    overrides: Sequence[Override]  # as typed, sweeps included, but for those that were replaced
    base: Composed  # without the sweeps
    settings: Settings
    schema: Any = None  # the class that gives the config its types

    def compose(self, overrides: Sequence[Override]) -> Composed:
        """Return the config that other overrides give."""
        return compose_tree(self.search, self.primary, overrides, roots=ROOTS, schema=self.schema)


def make_plan(
    search: SearchPath,
    primary: str | None,
    overrides: Sequence[Override],
    *,
    sweeping: bool,
    schema: Any = None,
) -> Plan:
    """Return the plan of a program's command line.

    Raises:
        SweeperError: for whatever in it, or in the config, has no meaning.
    """
    overrides = last_words(overrides)
    base_overrides = [o for o in overrides if not o.sweeps]
    for override in overrides:
        if override.sweeps and override.name.startswith(OWN):
            raise SpaceError(f"'{override.text}' sweeps over a setting", hint="Settings take one value.")
    conditional: list[object] = []
    while True:
        kept = [o for o in base_overrides if o not in conditional]
        try:
            base = compose_tree(search, primary, kept, roots=ROOTS, skip_missing=sweeping, schema=schema)
            break
        except KeyAbsentError as error:
            # In a search over groups the key may come with an option; the points will tell.
            swept = any(o.sweeps and search.has_group(o.key) for o in overrides)
            if error.override is None or not (sweeping and swept):
                raise
            conditional.append(error.override)
    return Plan(search, primary, overrides, base, read_settings(base), schema)


def last_words(overrides: Sequence[Override]) -> list[Override]:
    """Return overrides without the sweeps whose key a later one sets: the last word counts.

    Hydra runs such a point once for each of the values that were taken back. What a sweep would have
    added, the next override of the key adds.
    """
    last = {override.name: at for at, override in enumerate(overrides)}
    signs: dict[str, str] = {}  # of the sweeps that were left out, by name
    found: list[Override] = []
    for at, override in enumerate(overrides):
        sign = signs.pop(override.name, "")
        if sign and not override.sign:
            override = override._replace(sign=sign, text=f"{sign}{override.text}")  # noqa: PLW2901
        if override.sweeps and at < last[override.name]:
            signs[override.name] = override.sign
            words = f"'{override.text}' is not swept: '{overrides[last[override.name]].text}' comes after it"
            print(f"note: {words}", file=sys.stderr)  # noqa: T201
        elif sign != "+" or override.sign != "~":  # what would have been added needs no deleting
            found.append(override)
    return found


def read_settings(composed: Composed) -> Settings:
    """Return the settings of a composed config, all but the directories resolved.

    What a `hydra` node says counts where the `sweeper` node leaves the default.
    """
    _check_trackers(composed)
    node = dict(composed.settings)
    if composed.hydra or composed.choices.get("hydra/sweeper") == "optuna":
        node = _with_hydra(node, composed)
    for part in NAMED:  # an option of the user's own need not repeat its name
        if isinstance(node.get(part), Mapping) and "name" not in node[part]:
            node[part] = {"name": composed.choices.get(f"sweeper/{part}"), **node[part]}
    late = {key: node.pop(key) for key in _LATE if key in node}
    job = dict(node.get("job") or {})
    late_logging = job.pop("logging", None)
    node["job"] = job
    if resolve.has_interpolation(node):
        whole = {**composed.tree, "sweeper": composed.settings, "hydra": composed.hydra}
        space = node.pop("space", None)
        node = resolve.resolve(node, whole, "the node 'sweeper'")
        if space is not None:
            node["space"] = space
    if late_logging is not None:
        node["job"] = {**node["job"], "logging": late_logging}
    return settings_from({**node, **late})


def _check_trackers(composed: Composed) -> None:
    """Refuse `none` beside other trackers: it would silence them."""
    group = "sweeper/tracker/"
    chosen = [entry.path.removeprefix(group) for entry in composed.entries if entry.path.startswith(group)]
    others = [name for name in chosen if name != "none"]
    if others and others != chosen:
        raise SettingsError(
            f"The tracker 'none' turns all others off, and {', '.join(others)} stands beside it",
            hint=f"Write --tracker none, or --tracker {','.join(others)}.",
        )


def _with_hydra(node: dict[str, Any], composed: Composed) -> dict[str, Any]:
    translated = translate(composed.hydra, composed.choices)
    node = trees.copy(node)
    shipped_node = defaults()
    for key, value in translated.settings.items():
        if value_at(node, key) in (None, value_at(shipped_node, key)) or key == "search.name":
            if key == "search.name" and value_at(node, key) != "grid":
                continue  # --search was given
            trees.put(node, key, value, add=True)
    space = dict(node.get("space") or {})
    node["space"] = {**translated.space, **space}
    if translated.meaningless:
        listed = ", ".join(translated.meaningless)
        print(f"note: no meaning here, and left out: {listed}", file=sys.stderr)  # noqa: T201
    return node


def directory_of(template: str, composed: Composed, facts: Mapping[str, Any]) -> str:
    """Return the directory that a template such as `outputs/${now:%Y-%m-%d}` names."""
    if "${" not in template:
        return template
    simple = _simple_time(template, facts.get("now"))
    if simple is not None:
        return simple
    with resolve.facts(facts):
        hydra = trees.copy(dict(composed.hydra))
        trees.merge(hydra, dict(facts.get("hydra", {})))
        whole = {**composed.tree, "sweeper": composed.settings, "hydra": hydra}
        return str(resolve.resolve(template, whole, "the directory of sweeper.run.dir or sweeper.sweep.dir"))


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
