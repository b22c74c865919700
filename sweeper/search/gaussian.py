"""Regression by a Gaussian process, and the logarithm of expected improvement, on numpy and scipy.

Only numbers here: what a parameter or a trial is stands in `gp`, which imports this module when it
first has something to model. R&W: Rasmussen & Williams, Gaussian Processes for Machine Learning, 2006.

    n, m, d, c      observations, points to predict, parameters, columns (a choice has one per option)
    columns (n, c)  the observed points       losses (n,)   standardised
    owner (c,)      each column's parameter   scales (d,)   length-scales, one for each parameter
    signal, noise   variances                 theta (d+2,)  logarithms of scales, signal and noise
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import cho_solve, lapack
from scipy.optimize import minimize
from scipy.special import erfcx, log_ndtr

_JITTER = 1e-9  # of the signal's variance, on the diagonal
_POWERS = [0.01, *(step / 5 for step in range(1, 10)), 1.99]  # of which one makes losses normal
_BEYOND = 40  # measures, from the best loss to the median, above which one loss is as bad as another
_SHORTER = 3  # how much, in the second of the starts of a fit


class Prior(NamedTuple):
    """Normal distributions of the logarithms: mean and standard deviation of each."""

    scale: tuple[float, float] = (math.log(0.35), 0.8)  # in one dimension, see expected_scale()
    signal: tuple[float, float] = (0.0, 1.0)
    noise: tuple[float, float] = (math.log(1e-4), 2.0)

    def moments(self, dimensions: int) -> tuple[Any, Any]:
        """Return means and standard deviations (d+2,) of theta."""
        scale = expected_scale(dimensions)
        mean = np.array([scale] * dimensions + [self.signal[0], self.noise[0]])
        deviation = np.array([self.scale[1]] * dimensions + [self.signal[1], self.noise[1]])
        return mean, deviation


PRIOR = Prior()


def expected_scale(dimensions: int) -> float:
    """Return the logarithm of the length-scale that is expected in a space of d parameters.

    Distances in the unit cube grow with the square root of its dimension, and so should the
    length-scales (Hvarfner et al. 2024).
    """
    return PRIOR.scale[0] + 0.5 * math.log(dimensions)


def standardised(losses: list[float | None]) -> Any:
    """Return losses (n,) of mean 0 and variance 1, about normal, in the same order.

    They are cut above, lest a few bad ones flatten the rest, or many that are beyond all measure; and
    then transformed with the power that makes them the most normal (Yeo & Johnson 2000; for
    optimisation Cowen-Rivers et al. 2022).
    """
    found = np.array(losses, dtype=float)
    low, middle, high = np.quantile(found, [0.1, 0.5, 0.9])
    cut = high + (high - low)
    if middle > found.min():
        cut = min(cut, middle + _BEYOND * (middle - found.min()))
    found = _scaled(np.minimum(found, cut))
    logarithms = np.sign(found) @ np.log1p(np.abs(found))

    def likelihood(power: float) -> float:
        spread = float(_powered(found, power).std()) or 1.0
        return float((power - 1) * logarithms - len(found) * math.log(spread))

    return _scaled(_powered(found, max(_POWERS, key=likelihood)))


def _scaled(found: Any) -> Any:
    return (found - found.mean()) / (found.std() or 1.0)


def _powered(found: Any, power: float) -> Any:
    """Return the transform of Yeo & Johnson 2000, whose slope is 1 at 0 for every power in (0, 2)."""
    above, below = np.maximum(found, 0), np.maximum(-found, 0)
    return ((above + 1) ** power - 1) / power - ((below + 1) ** (2 - power) - 1) / (2 - power)


def squared_distances(a: Any, b: Any) -> Any:
    """Return the squared distances (n, m) of scaled points (n, c) and (m, c)."""
    squares = np.einsum("ij,ij->i", a, a)[:, None] + np.einsum("ij,ij->i", b, b)
    return np.maximum(squares - 2 * a @ b.T, 0)


def matern(squared: Any) -> tuple[Any, Any]:
    """Return Matérn's kernel of smoothness 5/2 at squared distances, R&W eq. 4.17, and -2 of its slope."""
    root = np.sqrt(5 * squared)
    decay = np.exp(-root)
    return (1 + root + 5 / 3 * squared) * decay, 5 / 3 * (1 + root) * decay


def negative_log_posterior(theta: Any, columns: Any, losses: Any, owner: Any) -> tuple[float, Any]:
    """Return -log p(losses | theta) - log p(theta), up to a constant, and its gradient (d+2,).

    R&W eqs. 2.30 and 5.9.
    """
    dimensions = len(theta) - 2
    scaled = columns / np.exp(theta[:dimensions])[owner]
    signal, noise = np.exp(theta[dimensions:])
    correlation, slope = matern(squared_distances(scaled, scaled))
    covariance = signal * correlation
    covariance.flat[:: len(losses) + 1] += noise + _JITTER * signal
    mean, deviation = PRIOR.moments(dimensions)
    surprise = (theta - mean) / deviation
    lower, failed = lapack.dpotrf(covariance, lower=1)
    if failed:
        return 1e25, np.zeros_like(theta)
    weights = cho_solve((lower, True), losses, check_finite=False)
    value = 0.5 * losses @ weights + np.log(np.diag(lower)).sum() + 0.5 * surprise @ surprise

    inverse, _ = lapack.dpotri(lower, lower=1)
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    sensitivity = inverse - np.outer(weights, weights)  # twice d value / d covariance
    gradient = surprise / deviation
    # d covariance / d log scale is signal * slope * (squared distance along the parameter), and the
    # sum over all pairs of w_ij (z_i - z_j)^2 is 2 (sum_i w_i z_i^2 - z^T w z).
    pairs = signal * slope * sensitivity
    moved = pairs.sum(axis=1) @ scaled**2 - np.einsum("ic,ic->c", scaled, pairs @ scaled)
    gradient[:dimensions] += np.bincount(owner, weights=moved, minlength=dimensions)
    trace = np.trace(sensitivity)
    gradient[dimensions] += 0.5 * signal * (np.sum(sensitivity * correlation) + _JITTER * trace)
    gradient[dimensions + 1] += 0.5 * noise * trace
    return float(value), gradient


def fit(columns: Any, losses: Any, owner: Any) -> Any:
    """Return the most probable theta (d+2,), from two starts that depend on nothing but the shapes."""
    mean, _ = PRIOR.moments(int(owner.max()) + 1)
    short = mean.copy()
    short[:-2] -= math.log(_SHORTER)
    bounds = [(-5.0, 7.0)] * (len(mean) - 2) + [(-5.0, 5.0), (-16.0, 2.0)]
    found = [
        minimize(
            negative_log_posterior, start, (columns, losses, owner), "L-BFGS-B", jac=True, bounds=bounds,
            options={"maxiter": 50, "maxfun": 60},
        )
        for start in (mean, short)
    ]  # fmt: skip
    return min(found, key=lambda result: float(result.fun)).x


class Posterior:
    """What is known after the observations, for given theta.

    `doubt` (n,) adds to the noise of each. Points that are believed to give what is predicted for them
    (Kriging believer; Ginsbourger et al. 2010) change no prediction, but make it surer around them.
    """

    def __init__(
        self, theta: Any, columns: Any, losses: Any, doubt: Any, owner: Any, believed: Any
    ) -> None:  # fmt: skip
        self.signal, noise = np.exp(theta[-2:])
        self.scales = np.exp(theta[:-2])[owner]  # (c,)
        self.scaled = columns / self.scales
        size = len(losses)
        points = np.vstack([self.scaled, believed / self.scales])
        covariance = self.signal * matern(squared_distances(points, points))[0]
        covariance.flat[:: len(points) + 1] += noise + _JITTER * self.signal
        covariance.flat[: size * len(points) : len(points) + 1] += doubt
        lower = np.linalg.cholesky(covariance)
        self.weights = cho_solve((lower[:size, :size], True), losses, check_finite=False)  # R&W eq. 2.25
        self.whitener, _ = lapack.dtrtri(lower, lower=1)  # of which the square is the inverse
        self.points = points

    def predict(self, columns: Any) -> tuple[Any, Any]:
        """Return mean and standard deviation (m,) of points (m, c), R&W eqs. 2.25 and 2.26."""
        covariance = self.signal * matern(squared_distances(self.points, columns / self.scales))[0]
        mean = self.weights @ covariance[: len(self.weights)]
        known = self.whitener @ covariance
        return mean, np.sqrt(self._left(np.einsum("nm,nm->m", known, known)))

    def slopes(self, column: Any) -> tuple[float, float, Any, Any]:
        """Return mean and standard deviation of one point (c,), and the gradients (c,) of both."""
        away = column / self.scales - self.points
        correlation, slope = matern(np.einsum("nc,nc->n", away, away))
        away *= (-self.signal / self.scales) * slope[:, None]  # now the covariance's gradient
        size = len(self.weights)
        known = self.whitener @ (self.signal * correlation)
        deviation = math.sqrt(self._left(known @ known))
        mean = float(self.signal * correlation[:size] @ self.weights)
        return mean, deviation, self.weights @ away[:size], -(known @ self.whitener) @ away / deviation

    def _left(self, explained: Any) -> Any:
        return np.maximum(self.signal - explained, 1e-10 * self.signal)


def log_improvement(z: Any) -> tuple[Any, Any]:
    """Return log(phi(z) + z Phi(z)) and its derivative, without underflow (Ament et al. 2023, eq. 9).

    With x = -z and Phi(z) / phi(z) = sqrt(pi/2) erfcx(x / sqrt(2)); far out 1 - x Phi/phi is 1/x^2.
    """
    z = np.asarray(z, dtype=float)
    x = np.maximum(-z, 1e-3)
    near = np.maximum(z, -1.0)
    normal = np.exp(-0.5 * near**2) / math.sqrt(2 * math.pi)
    direct = np.log(normal + near * np.exp(log_ndtr(near)))
    rest = np.where(x < 1e4, 1 - x * math.sqrt(math.pi / 2) * erfcx(x / math.sqrt(2)), x**-2.0)
    far = -0.5 * z**2 - 0.5 * math.log(2 * math.pi) + np.log(np.maximum(rest, 1e-300))
    value = np.where(z > -1, direct, far)
    return value, np.exp(log_ndtr(z) - value)


def log_expected_improvement(mean: Any, deviation: Any, best: float) -> Any:
    """Return log E max(best - f, 0) for f normal, (m,)."""
    return log_improvement((best - mean) / deviation)[0] + np.log(deviation)


def improvement_slope(posterior: Posterior, column: Any, best: float) -> tuple[float, Any]:
    """Return the logarithm of expected improvement at one point (c,), and its gradient (c,)."""
    mean, deviation, d_mean, d_deviation = posterior.slopes(column)
    z = (best - mean) / deviation
    value, slope = log_improvement(z)
    gradient = slope * (-d_mean - z * d_deviation) / deviation + d_deviation / deviation
    return float(value) + math.log(deviation), gradient


# ------------------------------------------------------------------------------- where to look next

_LOCAL = 128  # candidates near the best observations
_PER_BRANCH = 32  # of the even candidates, at the least
_POLISHED = 4  # best candidates that are improved by gradient and by neighbours
_ROUNDS = 3  # of gradient and neighbours in turn
_WHOLE = 1000  # points up to which a finite space is looked at as a whole


class Box:
    """The unit cube as the kernel sees it: rows of units (m, d) on one side, columns (m, c) on the other.

    Args:
        levels: the units that a parameter may take, ascending; None if there is no end of them.
        nominal: whether no level is nearer to another than to a third.

    A unit that is NaN is a parameter which does not exist at that point: it is put in the middle of
    all that it could be.
    """

    def __init__(self, levels: list[list[float] | None], nominal: list[bool]) -> None:
        self.levels: list[Any] = [None if found is None else np.array(found) for found in levels]
        self.nominal = nominal
        counts = [len(found or ()) if named else 1 for found, named in zip(levels, nominal, strict=True)]
        self.owner: Any = np.repeat(np.arange(len(levels)), counts)

    def columns(self, units: Any) -> Any:
        """Return what the kernel measures distances in; two options are a distance of one apart."""
        parts = []
        for at, (levels, named) in enumerate(zip(self.levels, self.nominal, strict=True)):
            unit = units[:, at : at + 1]
            if named:
                parts.append((np.abs(unit - levels) < 0.5 / len(levels)) / math.sqrt(2))
            else:
                parts.append(np.where(np.isnan(unit), 0.5, unit))
        return np.hstack(parts)

    def snapped(self, units: Any) -> Any:
        """Return units moved to the nearest ones that exist."""
        units = np.clip(units, 0, 1)
        for at, levels in enumerate(self.levels):
            if levels is not None:
                nearest = np.searchsorted((levels[1:] + levels[:-1]) / 2, units[:, at])
                units[:, at] = np.where(np.isnan(units[:, at]), np.nan, levels[nearest])
        return units

    def everything(self) -> Any:
        """Return all points, or None if they are too many."""
        size = math.prod(math.inf if levels is None else len(levels) for levels in self.levels)
        if size > _WHOLE:
            return None
        return np.stack(np.meshgrid(*self.levels, indexing="ij"), axis=-1).reshape(-1, len(self.levels))

    def neighbours(self, unit: Any, free: Any) -> Any:
        """Return the points (k, d) that differ in one parameter of those with levels that are free."""
        found = []
        for at in np.flatnonzero(free):
            levels = self.levels[at]
            if levels is None:
                continue
            here = int(np.searchsorted(levels, unit[at] - 1e-12))
            others = list(range(len(levels)))
            if len(levels) > 12 and not self.nominal[at]:
                steps = [sign << power for power in range(len(levels).bit_length() - 1) for sign in (-1, 1)]
                others = [here + step for step in steps if 0 <= here + step < len(levels)]
            for other in others:
                if other != here:
                    found.append(unit.copy())
                    found[-1][at] = levels[other]
        return np.array(found)


class Acquisition:
    """The logarithm of expected improvement over the units of a box, and its maximum."""

    def __init__(self, box: Box, posterior: Posterior, best: float) -> None:
        self.box, self.posterior, self.best = box, posterior, best

    def __call__(self, units: Any) -> Any:
        """Return the values (m,) at units (m, d)."""
        return log_expected_improvement(*self.posterior.predict(self.box.columns(units)), self.best)

    def climbed(self, unit: Any, fixed: Any) -> tuple[Any, float]:
        """Return where a climb from a point ends, by gradient and over neighbours in turn, and the value."""
        value = float(self(unit[None])[0])
        free = ~fixed & ~np.isnan(unit)
        smooth = free & np.array([levels is None for levels in self.box.levels])
        for _ in range(_ROUNDS):
            if smooth.any():
                unit, value = self._along_gradient(unit, value, smooth)
            around = self.box.neighbours(unit, free)
            if not len(around):
                break
            values = self(around)
            top = int(values.argmax())
            if values[top] <= value + 1e-9:
                break
            unit, value = around[top], float(values[top])
        return unit, value

    def _along_gradient(self, unit: Any, value: float, smooth: Any) -> tuple[Any, float]:
        column = self.box.columns(unit[None])[0]
        at = np.flatnonzero(smooth[self.box.owner])

        def negative(x: Any) -> tuple[float, Any]:
            column[at] = x
            height, gradient = improvement_slope(self.posterior, column, self.best)
            return -height, -gradient[at]

        result = minimize(
            negative, unit[smooth], method="L-BFGS-B", jac=True, bounds=[(0, 1)] * len(at),
            options={"maxiter": 30, "maxfun": 40},
        )  # fmt: skip
        if -result.fun <= value:
            return unit, value
        unit = unit.copy()
        unit[smooth] = np.clip(result.x, 0, 1)
        return unit, -float(result.fun)

    def ranked(self, starts: Any, fixed: Any) -> Iterator[Any]:
        """Yield points (d,), the best first: those that climbing leads to, and then the starts (m, d).

        A climb leaves what is `fixed` (d,), and what does not exist at its start.
        """
        values = self(starts)
        order = np.argsort(-values, kind="stable")
        climbed = [self.climbed(starts[at], fixed) for at in order[:_POLISHED]]
        yield from (unit for unit, _ in sorted(climbed, key=lambda found: -found[1]))
        yield from starts[order]


def candidates(box: Box, branches: Any, near: Any, fixed: Any, count: int, generator: Any) -> Any:
    """Return units (m, d): drawn evenly in each branch (b, d), and near some good points (k, d).

    What is fixed (d,) or does not exist stays as it is.
    """
    even: Any = np.resize(branches, (max(count, _PER_BRANCH * len(branches)), len(fixed)))
    even = np.where(fixed | np.isnan(even), even, generator.random(even.shape))

    centres = near[generator.integers(len(near), size=_LOCAL)]
    width = 10 ** generator.uniform(-3, -0.5, (_LOCAL, 1))
    moved = centres + width * generator.standard_normal(centres.shape)
    drawn = np.where(generator.random(centres.shape) < 0.2, generator.random(centres.shape), centres)
    moved = np.where(box.nominal, drawn, moved)  # options have no neighbours
    stay = fixed | np.isnan(centres) | (generator.random(centres.shape) < 0.3)
    return box.snapped(np.vstack([even, np.where(stay, centres, moved)]))
