"""In what runs differ: params, config, versions, metrics; and how much better they are than another."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

from . import trees, yamls
from .ledger import Ledger, Row
from .records import Objective
from .redact import listed, masked
from .rerun import origin_of
from .track.sqlite import plain

_FACTS = ("name", "status", "seed", "git_commit", "git_dirty", "script", "host", "note")


def compare(ledger: Ledger, runs: Sequence[Row], baseline: Row | None = None) -> list[Row]:
    """Return a row for each thing in which runs differ, and one for each metric, whether it does or not.

    A row has a `what` and a column for each run, by its id. With a baseline, metrics and the score have a
    column more for each run: its change relative to the baseline's value; of the score it is said
    whether that is better.
    """
    shown = [baseline, *runs] if baseline is not None else list(runs)
    names = [run["id"] for run in shown]
    details = [ledger.details(run["id"]) for run in shown]
    rows: list[Row] = []

    def add(what: str, values: Sequence[Any], *, always: bool = False, way: str = "") -> None:
        if not always and all(value == values[0] for value in values):
            return
        row: Row = {"what": what, **dict(zip(names, values, strict=True))}
        if baseline is not None and always:
            for name, value in zip(names[1:], values[1:], strict=True):
                row[f"{name} against it"] = _change(value, values[0], way)
        rows.append(row)

    add("score", [run["score"] for run in shown], always=True, way=_way(ledger, shown[0]))
    for name in _names(details, "metrics"):
        add(f"metrics.{name}", [found["metrics"].get(name) for found in details], always=True)
    add("seconds", [run["seconds"] for run in shown])
    params = _names(details, "params")
    configs = [_config_of(run["directory"]) for run in shown]
    for name in params:  # where one run's sweep varied it, another's config may have it
        values = [plain(config[name]) if name in config else None for config in configs]
        add(
            f"params.{name}",
            [found["params"].get(name, value) for found, value in zip(details, values, strict=True)],
        )
    for key in dict.fromkeys(key for config in configs for key in config):
        if key not in params:
            add(key, [config.get(key) for config in configs])
    for fact in _FACTS:
        add(fact, [run[fact] for run in shown])
    for package in _names(details, "versions"):
        add(package, [found["versions"].get(package) for found in details])
    return rows


def _names(details: Sequence[Row], kind: str) -> list[str]:
    return list(dict.fromkeys(name for found in details for name in found[kind]))


def _config_of(directory: str) -> Mapping[str, Any]:
    """Return the leaves of the config that a run had, secrets masked; nothing if its directory is gone."""
    for name in ("resolved.yaml", "config.yaml"):
        path = os.path.join(directory or "", ".sweeper", name)
        if os.path.exists(path):
            origin = origin_of(os.path.abspath(directory))
            patterns = listed(yamls.read(origin) or {}) if os.path.exists(origin) else ()
            return trees.leaves(masked(yamls.read(path) or {}, patterns))
    return {}


def _way(ledger: Ledger, run: Row) -> str:
    """Return minimize or maximize, for the score."""
    found = ledger.rows(
        "select coalesce(r.objective, s.objective) as objective from runs r left join sweeps s "
        "on s.id = r.sweep_id where r.id = ?",
        [run["id"]],
    )
    return Objective.parse(found[0]["objective"] or "").directions[0]


def _change(value: Any, base: Any, way: str) -> str | None:
    """Return words for how much a number differs from another, where that can be said."""
    numbers = all(isinstance(number, (int, float)) and math.isfinite(number) for number in (value, base))
    if not numbers or base == 0:
        return None
    change = (value - base) / abs(base)
    better = "better" if (change > 0) == (way == "maximize") else "worse"
    return f"{change:+.2%}" + (f", {better}" if way and change else "")
