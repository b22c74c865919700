"""What a search has found out: which parameters mattered, and the best point as a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from . import trees, yamls
from .grammar import Override
from .groups import SearchPath
from .records import History
from .space import Space

_FEWEST = 8  # scored points below which importances mean nothing


def importances(space: Space, history: History) -> dict[str, float]:
    """Return how much each parameter mattered, by key, the most first; they sum to one.

    PED-ANOVA (Watanabe et al. 2023), by optuna: where good points differ from all points. Parameters
    that only some branches have are reckoned within these. Nothing for few points or one parameter.
    """
    scored = [trial for trial in history.scored if trial.loss is not None]
    keys = {p.name: p.key for trial in scored for p in space.active(trial.point)}
    if len(scored) < _FEWEST or len(set(keys.values())) < 2:
        return {}
    import optuna

    from .search.optuna import frozen

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study()
    study.add_trials([frozen(optuna, space, trial) for trial in scored])
    try:
        found = optuna.importance.get_param_importances(study)
    except (ValueError, RuntimeError):  # all scores alike
        return {}
    summed: dict[str, float] = {}
    for name, value in found.items():
        summed[keys[name]] = summed.get(keys[name], 0.0) + float(value)
    return dict(sorted(summed.items(), key=lambda item: -item[1]))


# -------------------------------------------------------------------------------- the best as a file


def write_best(directory: str, overrides: Sequence[Override], search: SearchPath, said: str) -> str:
    """Write `best.yaml`, an experiment file with the overrides of the best run, and return its path.

    It also lies at `experiment/best.yaml`, so that `--config-dir DIR +experiment=best` composes it in.
    """
    added: list[Any] = []
    changed: list[Any] = []
    tree: dict[str, Any] = {}
    for override in overrides:
        if override.sign == "~":
            continue
        if search.has_group(override.key) and isinstance(override.value, (str, list)):
            name = override.name
            if override.sign == "+":
                added.append({f"/{name}": override.value})
            else:
                changed.append({f"override /{name}": override.value})
        else:
            trees.put(tree, override.key, override.value, add=True)
    content = {**({"defaults": [*added, *changed, "_self_"]} if added or changed else {}), **tree}
    path = os.path.join(directory, "best.yaml")
    yamls.write_text(path, f"# @package _global_\n# {said}\n{yamls.dump(content)}")
    link = os.path.join(directory, "experiment", "best.yaml")
    with suppress(OSError):
        os.makedirs(os.path.dirname(link), exist_ok=True)
        os.symlink("../best.yaml", link)
    return path
