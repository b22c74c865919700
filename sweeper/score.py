"""What a training function's value says: a score, metrics, or why there is neither."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .records import Objective


def to_number(value: Any) -> float | None:
    """Return a number as a plain Python one: of numpy and torch too, if it holds just one."""
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):  # numpy's double is one too
        return float(value)
    item = getattr(value, "item", None)
    if item is not None and not isinstance(value, type):
        try:
            value = item()
        except (TypeError, ValueError, RuntimeError):
            return None
        return to_number(value) if isinstance(value, (int, float)) else None  # a bool too is a number
    try:  # Fraction, Decimal
        return float(value) if hasattr(type(value), "__float__") else None
    except (TypeError, ValueError):
        return None


def within_64_bits(value: float) -> float:
    """Return a number that databases can keep: of a larger int a float, or infinity.

    >>> within_64_bits(10), within_64_bits(10**19), within_64_bits(-(10**400))
    (10, 1e+19, -inf)
    """
    if -(1 << 63) <= value < 1 << 63 or isinstance(value, float):
        return value
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


class Score(NamedTuple):
    """What a returned value says."""

    score: float | None
    metrics: dict[str, float]
    values: tuple[float, ...] = ()
    note: str = ""


def score_of(value: Any, objective: Objective, reported: Mapping[str, float]) -> Score:
    """Return the score and the metrics that a function's value, and what it reported, stand for."""
    metrics: dict[str, float] = dict(reported)
    notes: list[str] = []
    if isinstance(value, Mapping):
        for name, item in value.items():
            number = to_number(item)
            if number is None:
                notes.append(f"{name} is {type(item).__name__}, no number")
            else:
                metrics[str(name)] = number
    if objective.several or len(objective.metrics) > 1:
        return _several(value, objective, metrics)
    score, note = _single(value, objective.metrics[0] if objective.metrics else "", metrics)
    if score is not None and not math.isfinite(score):
        score, note = None, f"the score is {score}"
    return Score(score, metrics, (), "; ".join(filter(None, [note, *notes])))


def _single(value: Any, name: str, metrics: dict[str, float]) -> tuple[float | None, str]:
    """Return the score, or None and why there is none; a lone number is the named metric too."""
    if isinstance(value, Mapping) and not name:
        if len(value) == 1:
            return metrics.get(str(next(iter(value)))), ""
        listed = ", ".join(map(str, value))
        return None, f"returned {len(value)} metrics ({listed}) and sweeper.objective.metric names none"
    if value is not None and not isinstance(value, Mapping):
        score = to_number(value)
        if score is None:
            return None, f"returned {type(value).__name__} {value!r:.60}, which is no number"
        if name:
            metrics.setdefault(name, score)
        return score, ""
    if not name:
        return None, "returned None"
    if name not in metrics:
        return None, f"has no metric '{name}'; it has {', '.join(metrics) or 'none'}"
    return metrics[name], ""


def _several(value: Any, objective: Objective, metrics: dict[str, float]) -> Score:
    names = objective.metrics
    if isinstance(value, Sequence) and not isinstance(value, str):
        numbers = [to_number(item) for item in value]
        if None in numbers or len(numbers) != len(objective.directions):
            return Score(
                None, metrics, (), f"returned {value!r:.60}, not {len(objective.directions)} numbers"
            )
        values = tuple(float(number) for number in numbers if number is not None)
        metrics.update(zip(objective.names, values, strict=False))
    else:
        missing = [name for name in names if name not in metrics]
        if missing or not names:
            return Score(None, metrics, (), f"has no metric {', '.join(missing) or 'at all'}")
        values = tuple(float(metrics[name]) for name in names)
    if not all(map(math.isfinite, values)):
        return Score(None, metrics, (), f"an objective is not finite: {values}")
    return Score(None, metrics, values)
