"""A parameter of a sweep of Weights & Biases: its distribution, as a range of ours.

What is even between its ends, or in the logarithm, is the same here. Of a normal, a beta and of probabilities
only the values that they come to are kept, and a note says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from . import yamls
from .errors import SpaceError, nearest
from .grammar import Choice, Interval, Range, show

_ENDS, _NORMAL, _BETA = ("min", "max"), ("mu", "sigma"), ("a", "b")

# Every distribution, and what it takes.
_TAKES: dict[str, tuple[str, ...]] = {
    "constant": ("value",),
    "categorical": ("values",),
    "categorical_w_probabilities": ("values", "probabilities"),
    "int_uniform": _ENDS,
    "uniform": _ENDS,
    "q_uniform": (*_ENDS, "q"),
    "log_uniform": _ENDS,
    "log_uniform_values": _ENDS,
    "q_log_uniform": (*_ENDS, "q"),
    "q_log_uniform_values": (*_ENDS, "q"),
    "inv_log_uniform": _ENDS,
    "inv_log_uniform_values": _ENDS,
    "normal": _NORMAL,
    "q_normal": (*_NORMAL, "q"),
    "log_normal": _NORMAL,
    "q_log_normal": (*_NORMAL, "q"),
    "beta": _BETA,
    "q_beta": (*_BETA, "q"),
}
_USUAL = {"mu": 0.0, "sigma": 1.0, "q": 1.0, "a": 1.0, "b": 1.0}
_OF_A_GRID = ("constant", "categorical", "categorical_w_probabilities", "int_uniform", "q_uniform")

_MOST_CHOICES = 1000  # that fractions are listed as


class Source:
    """The file: where a key stands in it, and what there is to say of it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.notes: list[str] = []

    def wrong(self, what: str, key: str = "", hint: str = "") -> SpaceError:
        """Return the error that names a key and its line."""
        return SpaceError(what, f"{yamls.place_of(self.path, key)}: {key}" if key else self.path, hint)

    def number(self, value: Any, key: str) -> float:
        """Return the number at a key.

        Raises:
            SpaceError: if it is none.
        """
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise self.wrong(f"'{key.rpartition('.')[2]}' must be a number, not {show(value)}", key)
        return value


class Distribution:
    """What a parameter says: `here` is its place in the file, `key` that in the config."""

    def __init__(self, source: Source, here: str, key: str, node: Mapping[str, Any]) -> None:
        self.source, self.here, self.key, self.node = source, here, key, node
        self.kind = self._kind()

    def _kind(self) -> str:
        """Return the distribution that is named, or that the other words mean."""
        node, named = self.node, self.node.get("distribution")
        if named is not None and str(named) not in _TAKES:
            hint = nearest(str(named), _TAKES) or f"There are {', '.join(_TAKES)}."
            raise self._wrong(f"There is no distribution {show(named)}", "distribution", hint)
        if named in (None, "categorical") and "probabilities" in node:
            return "categorical_w_probabilities"
        if named is not None:
            return str(named)
        if "value" in node or "values" in node:
            return "constant" if "value" in node else "categorical"
        if "min" in node or "max" in node:
            whole = all(type(node.get(end)) is int for end in _ENDS)
            return "int_uniform" if whole else "uniform"
        known = ("value", "values", "min", "max", "distribution", "parameters")
        said = next((question for word in node if (question := nearest(str(word), known))), "")
        raise self._wrong("A parameter has a value, values, min and max, or a distribution", "", said)

    def _wrong(self, what: str, word: str = "", hint: str = "") -> SpaceError:
        return self.source.wrong(what, f"{self.here}.{word}" if word in self.node else self.here, hint)

    def _note(self, text: str) -> None:
        self.source.notes.append(f"{self.key}: {text}")

    def read(self, *, grid: bool) -> Any:
        """Return the value, or the range.

        Raises:
            SpaceError: if it is not what the distribution takes; or if it has no end of points, for a grid.
        """
        takes = _TAKES[self.kind]
        for word in self.node:
            if word not in (*takes, "distribution"):
                hint = nearest(str(word), takes) or f"It takes {', '.join(takes)}."
                raise self._wrong(f"The distribution {self.kind} takes no '{word}'", str(word), hint)
        for word in takes:
            if word not in self.node and word not in _USUAL:
                raise self._wrong(f"The distribution {self.kind} needs '{word}'")
        if grid and self.kind not in _OF_A_GRID:
            hint = "Give values or a q_uniform, or the method random or bayes."
            raise self._wrong(f"A grid has no points in a range of {self.kind}", "distribution", hint)
        if self.kind == "constant":
            return self.node["value"]
        if "values" in takes:
            return self._choice()
        numbers = {word: self._number(word) for word in takes}
        if grid and self.kind == "q_uniform":  # theirs leaves out the end
            return Range(numbers["min"], numbers["max"], numbers["q"])
        low, high, log = self._ends(numbers)
        if self.kind == "int_uniform":
            return Range(int(low), int(high) + 1)
        if low == high:
            return low
        if "q" in numbers:
            return self._multiples(low, high, numbers["q"], log=log)
        return Interval(float(low), float(high), frozenset({"log"} if log else ()))

    def _choice(self) -> Any:
        values = self.node["values"]
        if not isinstance(values, list) or not values:
            raise self._wrong(f"'values' must be a list, not {show(values)}", "values")
        weights = self.node.get("probabilities")
        if weights is None:
            return Choice(tuple(values))
        numbers = isinstance(weights, list) and all(isinstance(w, (int, float)) and w >= 0 for w in weights)
        if not numbers or len(weights) != len(values):
            raise self._wrong("'probabilities' must have a number for each value", "probabilities")
        if not math.isclose(sum(weights), 1, rel_tol=1e-5):
            raise self._wrong(f"'probabilities' sum to {show(sum(weights))}, not to 1", "probabilities")
        never = [value for value, weight in zip(values, weights, strict=True) if not weight]
        left = f", and {', '.join(map(show, never))} left out" if never else ""
        self._note(f"values with probabilities are drawn alike{left}")
        return Choice(tuple(value for value, weight in zip(values, weights, strict=True) if weight))

    def _number(self, word: str) -> float:
        value = self.source.number(self.node.get(word, _USUAL.get(word)), f"{self.here}.{word}")
        if word == "q" and value <= 0:
            raise self._wrong(f"'q' must be above zero, not {show(value)}", word)
        if word in ("sigma", "a", "b") and value < 0:
            raise self._wrong(f"'{word}' must not be below zero, but is {show(value)}", word)
        if self.kind == "int_uniform" and value != int(value):
            raise self._wrong(f"'{word}' of int_uniform must be a whole number, not {show(value)}", word)
        return value

    def _ends(self, number: Mapping[str, float]) -> tuple[float, float, bool]:
        """Return where a range begins and ends, and whether it is even in the logarithm."""
        kind = self.kind.removeprefix("q_")
        if "min" in number:
            low, high = number["min"], number["max"]
            if low >= high:
                raise self._wrong(f"'min' {show(low)} is not below 'max' {show(high)}", "min")
            if kind.endswith("_values") and low <= 0:
                raise self._wrong(f"'min' of {self.kind} must be above zero, not {show(low)}", "min")
            if kind in ("log_uniform", "inv_log_uniform"):
                return self._exponents(low, high)
            return low, high, kind.endswith("_values")
        if kind == "beta":
            if (number["a"], number["b"]) != (1, 1):
                self._note(f"{self.kind} is searched evenly from 0 to 1")
            return 0.0, 1.0, False
        low, high = (number["mu"] + times * number["sigma"] for times in (-3, 3))
        if low < high:
            self._note(f"{self.kind} has no ends, and is searched evenly in mu ± 3 sigma")
        if kind == "log_normal":
            return self._exp(low), self._exp(high), True
        return low, high, False

    def _exponents(self, low: float, high: float) -> tuple[float, float, bool]:
        if self.kind == "inv_log_uniform":
            low, high = -high, -low
        ends = self._exp(low), self._exp(high)
        if self.node["min"] > 0 and self.node["max"] <= 1:
            said = f"takes exponents of e, so this is {ends[0]:.4g} to {ends[1]:.4g}"
            self._note(f"{self.kind} {said}; for the values themselves write {self.kind}_values")
        return *ends, True

    def _exp(self, exponent: float) -> float:
        try:
            return math.exp(exponent)
        except OverflowError:
            raise self._wrong(f"e to the power of {show(exponent)} is no number", "max") from None

    def _multiples(self, low: float, high: float, q: float, *, log: bool) -> Any:
        """Return the multiples of q that numbers from low to high are rounded to."""
        whole = q == int(q)
        if not whole and (log or (high - low) / q > _MOST_CHOICES):
            self._note(f"is not rounded to multiples of {show(q)}")
            return Interval(float(low), float(high), frozenset({"log"} if log else ()))
        first, last = round(low / q), round(high / q)
        if log and first < 1:
            first = 1
            self._note(f"begins at {show(q)}, since nothing is rounded to 0 here")
        if first >= last:
            return first * int(q) if whole else first * q
        tags = frozenset({"log"} if log else ())
        if whole:
            return Range(first * int(q), last * int(q) + 1, int(q), tags=tags)
        return Range(round(first * q, 12), round((last + 0.5) * q, 12), q)
