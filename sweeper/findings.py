"""What a search has found out: which parameters mattered, and the best point as a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from . import trees, yamls
from .grammar import Override, show
from .plan import Plan
from .records import History, Point
from .space import Choices, Domain, Parameter

EXPERIMENT = "experiment"  # the group of experiment files, by Hydra's custom
_FEWEST = 8  # scored points below which importances mean nothing
_BINS = 5  # of a parameter with many values


def importances(active: Callable[[Point], Iterable[Parameter]], history: History) -> dict[str, float]:
    """Return the share of the scores' variance that each parameter explains alone, by key, the most first.

    The variance is that of the ranks, so that a few bad scores do not decide; the share is epsilon
    squared (Kelley 1935): the sum of squares between a parameter's values, or five bins of them, less
    what chance would give, by the sum of all. `active` gives the parameters of a point; one that only
    some branches have is reckoned within these. Interactions are not seen. Nothing for few points or
    one parameter.
    """
    scored = [trial for trial in history.scored if trial.loss is not None]
    if len(scored) < _FEWEST:
        return {}
    ranks = _ranks([trial.loss for trial in scored if trial.loss is not None])
    total = _squares(ranks)
    taken: dict[str, list[tuple[Any, float]]] = {}  # value and rank, by parameter
    found: dict[str, float] = {}
    parameters = {}
    for trial, rank in zip(scored, ranks, strict=True):
        for parameter in active(trial.point):
            parameters[parameter.name] = parameter
            taken.setdefault(parameter.name, []).append((trial.point[parameter.name], rank))
    for name, pairs in taken.items():
        groups = _groups(pairs, parameters[name].domain)
        within, freedom = sum(map(_squares, groups)), len(pairs) - len(groups)
        if total == 0 or len(groups) < 2 or freedom < 1:
            continue
        between = _squares([rank for _, rank in pairs]) - within
        explained = max(between - (len(groups) - 1) * within / freedom, 0.0)
        key = parameters[name].key
        found[key] = found.get(key, 0.0) + explained / total
    if len(found) < 2:
        return {}
    whole = max(sum(found.values()), 1.0)  # parameters that were moved together explain the same
    return {key: share / whole for key, share in sorted(found.items(), key=lambda item: -item[1])}


def _groups(pairs: Sequence[tuple[Any, float]], domain: Domain) -> list[list[float]]:
    """Return the ranks by the values that they belong to; those of many numbers in bins of equal counts."""
    values = {show(value): value for value, _ in pairs}
    if isinstance(domain, Choices) or len(values) <= _BINS:
        return [[rank for value, rank in pairs if show(value) == text] for text in values]
    ordered = sorted(pairs, key=lambda pair: pair[0])
    count = max(min(_BINS, len(ordered) // 4), 2)
    edges = [round(at * len(ordered) / count) for at in range(count + 1)]
    return [[rank for _, rank in ordered[a:b]] for a, b in pairwise(edges)]


def _ranks(losses: Sequence[float]) -> list[float]:
    """Return the ranks of losses, from 0; equal ones share the mean of theirs."""
    places: dict[float, list[int]] = {}
    for at, loss in enumerate(sorted(losses)):
        places.setdefault(loss, []).append(at)
    return [sum(places[loss]) / len(places[loss]) for loss in losses]


def _squares(values: Sequence[float]) -> float:
    """Return the sum of squared distances from the mean."""
    mean = sum(values) / len(values) if values else 0.0
    return sum((value - mean) ** 2 for value in values)


# -------------------------------------------------------------------------------- the best as a file


class Best(NamedTuple):
    """The best point as an experiment file, and what must be typed to compose it in."""

    path: str
    overrides: list[str]


def write_best(directory: str, overrides: Sequence[Override], plan: Plan, said: str) -> Best:
    """Write `best.yaml`, an experiment file with the overrides of the best run.

    An experiment can override the groups that stand before it in the defaults list; a choice of any
    other has to be typed beside it.
    """
    config = plan.search.read(plan.primary) if plan.primary else None
    order = [default.group.removeprefix("/") for default in config.defaults] if config is not None else []
    after = order[order.index(EXPERIMENT) + 1 :] if EXPERIMENT in order else []
    added: list[Any] = []
    changed: list[Any] = []
    typed: list[str] = []
    tree: dict[str, Any] = {}
    for override in overrides:
        value = override.value
        if not (plan.search.has_group(override.key) and isinstance(value, (str, list))):
            if override.sign == "~":
                typed.append(override.text)
            else:
                trees.put(tree, override.key, value, add=True)
        elif override.key == EXPERIMENT:
            added += [f"/{EXPERIMENT}/{option}" for option in ([value] if isinstance(value, str) else value)]
        elif override.sign == "~" or override.key in after:
            typed.append(override.text)
        elif override.sign == "+":
            added.append({f"/{override.name}": value})
        else:
            changed.append({f"override /{override.name}": value})
    content = {**({"defaults": [*added, *changed, "_self_"]} if added or changed else {}), **tree}
    path = os.path.join(directory, "best.yaml")
    beside = f"# beside it  {' '.join(typed)}\n" if typed else ""
    yamls.write_text(path, f"# @package _global_\n# {said}\n{beside}{yamls.dump(content)}")
    if not plan.search.has_group(EXPERIMENT):
        return Best(path, [])
    sign = "" if EXPERIMENT in plan.base.choices else "+"
    relative = os.path.relpath(path).removesuffix(".yaml")
    return Best(path, [*typed, f"{sign}{EXPERIMENT}=./{relative}"])
