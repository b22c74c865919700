"""A Gaussian process by scikit-optimize, driven so that it is some 20 times faster than by default.

Its `gp_minimize` spends its time on fitting hyper-parameters from several starts after every run and
on polishing the acquisition. Here they are fitted once, and again when the runs have grown by 15 %;
expected improvement is looked up at random candidates. Runs that are pending are believed to give
what the model predicts for them (Kriging believer; Ginsbourger et al. 2010), so that a search on many
workers spreads out.

In a conditional space each set of active parameters has a model of its own; which options to look
into is a bandit's choice (upper confidence bound, with a floor of random choices).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from random import Random
from typing import Any

from ..records import History, Point, Trial
from ..space import EXACT, Choices, Floats, Integers, Parameter, Space

_GROWTH = 1.15  # of the observations, after which the hyper-parameters are fitted again
_PER_OPTION = 4  # runs that every option gets before any is preferred
_FLOOR = 0.1  # chance of a random option, lest a good one be given up for a bad start


class Skopt:
    """See the module.

    Args:
        startup: random points before a model is made; by default twice the parameters and two,
            but 5 to 20.
        candidates: random points at which the acquisition is looked up.
    """

    def __init__(self, startup: int | None = None, candidates: int = 2000) -> None:
        self.startup, self.candidates = startup, candidates
        self._kernels: dict[tuple[Any, ...], Any] = {}

    def ask(self, space: Space, history: History, rng: Random) -> Point | None:
        """Return the candidate of the highest expected improvement."""
        point = space.choose(lambda group: _bandit(group, history, rng))
        active = [p for p in space.active(point) if p.domain.size != 1]
        searched = [p for p in active if not p.is_group]
        if not searched:
            return space.complete(lambda p: point[p.name] if p.name in point else p.domain.at(0))
        names = {p.name for p in active}
        alike = [t for t in history.scored if names <= t.point.keys()]
        waiting = [t for t in history.pending if names <= t.point.keys()]
        startup = self.startup or min(max(2 * len(searched) + 2, 5), 20)
        if len(alike) < startup:
            return space.complete(lambda p: point[p.name] if p.name in point else p.domain.sample(rng))
        values = self._model_and_pick(active, point, alike, waiting, rng)
        return space.complete(
            lambda p: values.get(p.name, point.get(p.name, p.domain.at(0) if p.domain.size == 1 else None))
        )

    def _model_and_pick(
        self, active: Sequence[Parameter], chosen: Point, alike: Sequence[Trial],
        waiting: Sequence[Trial], rng: Random,
    ) -> Point:  # fmt: skip
        import numpy as np
        from skopt.acquisition import gaussian_ei
        from skopt.utils import normalize_dimensions

        box = normalize_dimensions([_dimension(p) for p in active])
        x = box.transform([[_encode(p, t.point[p.name]) for p in active] for t in alike])
        y = _clipped(np.array([t.loss for t in alike], dtype=float))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kernel = self._kernel(active, x, y, alike)
            model = _regressor(box, kernel, fit=False).fit(x, y)
            if waiting:
                more = box.transform([[_encode(p, t.point[p.name]) for p in active] for t in waiting])
                x, y = np.vstack([x, more]), np.concatenate([y, model.predict(more)])
                model = _regressor(box, kernel, fit=False).fit(x, y)
            candidates = _candidates(active, chosen, self.candidates, alike, rng)
            gain = gaussian_ei(
                box.transform([[_encode(p, c[p.name]) for p in active] for c in candidates]),
                model, y_opt=y.min(),
            )  # fmt: skip
        tried = {tuple(_encode(p, t.point[p.name]) for p in active) for t in (*alike, *waiting)}
        for index in np.argsort(-gain, kind="stable"):
            candidate = candidates[int(index)]
            if tuple(_encode(p, candidate[p.name]) for p in active) not in tried:
                return candidate
        return candidates[0]

    def _kernel(self, active: Sequence[Parameter], x: Any, y: Any, alike: Sequence[Trial]) -> Any:
        """Return the kernel fitted to as many of the first observations as the schedule says."""
        from skopt.utils import normalize_dimensions

        count = _scheduled(len(y))
        key = (tuple(p.name for p in active), tuple(t.number for t in alike[:count]))
        if key not in self._kernels:
            box = normalize_dimensions([_dimension(p) for p in active])
            self._kernels[key] = _regressor(box, None, fit=True).fit(x[:count], y[:count]).kernel_
        return self._kernels[key]


def _scheduled(count: int) -> int:
    """Return the largest size of the schedule up to `count`: every one to 10, then 15 % apart."""
    size = 10
    if count <= size:
        return count
    while (larger := max(size + 1, math.ceil(size * _GROWTH))) <= count:
        size = larger
    return size


def _clipped(losses: Any) -> Any:
    """Return losses whose upper tail is cut, so that a few bad runs do not flatten the rest."""
    import numpy as np

    low, high = float(np.quantile(losses, 0.1)), float(np.quantile(losses, 0.9))
    return np.minimum(losses, high + (high - low))


def _regressor(box: Any, kernel: Any, *, fit: bool) -> Any:
    from skopt.utils import cook_estimator

    model = cook_estimator("GP", space=box, random_state=0, noise="gaussian")
    if fit:
        return model.set_params(n_restarts_optimizer=0)
    return model.set_params(kernel=kernel, optimizer=None, noise=None)


def _candidates(
    active: Sequence[Parameter], chosen: Point, count: int, alike: Sequence[Trial], rng: Random
) -> list[Point]:
    """Return random points, and points near the best one, all with the choices made."""
    best = min(alike, key=lambda t: t.loss if t.loss is not None else math.inf).point
    found = []
    for index in range(count):
        near = index % 4 == 0
        found.append({p.name: _draw(p, chosen, best if near else {}, rng) for p in active})
    return found


def _draw(parameter: Parameter, chosen: Point, near: Point, rng: Random) -> Any:
    name, domain = parameter.name, parameter.domain
    if name in chosen:
        return chosen[name]
    if name not in near or rng.random() < 0.3:
        return domain.sample(rng)
    value, width = near[name], 10 ** rng.uniform(-3, -0.7)
    match domain:
        case Floats(low=low, high=high, log=True):
            at = math.log(value) + rng.gauss(0, width) * (math.log(high) - math.log(low))
            return min(max(math.exp(at), low), high)
        case Floats(low=low, high=high):
            return min(max(value + rng.gauss(0, width) * (high - low), low), high)
        case Integers(low=low):
            at = (value - low) / domain.step + rng.gauss(0, max(width * domain.size, 1))
            return domain.at(min(max(round(at), 0), domain.size - 1))
    return value


def _dimension(parameter: Parameter) -> Any:
    from skopt.space import Categorical, Integer, Real

    match parameter.domain:
        case Floats(low=low, high=high, log=log):
            return Real(low, high, prior="log-uniform" if log else "uniform", name=parameter.name)
        case Integers(low=low, high=high, log=log) if high - low >= EXACT:  # as dense as floats
            ends = (low, high) if log else (0, parameter.domain.size)
            return Real(*map(float, ends), prior="log-uniform" if log else "uniform", name=parameter.name)
        case Integers(low=low, high=high, log=True):
            return Integer(low, high, prior="log-uniform", name=parameter.name)
        case Choices(ordered=False) as domain:
            return Categorical(list(range(domain.size)), name=parameter.name)
        case domain:
            return Integer(0, (domain.size or 1) - 1, name=parameter.name)


def _encode(parameter: Parameter, value: Any) -> Any:
    match parameter.domain:
        case Choices() as domain:
            return domain.index(value)
        case Integers(low=low, step=step, log=False):
            return (int(value) - low) // step
    return value


def _bandit(group: Parameter, history: History, rng: Random) -> Any:
    """Return an option: each its share first, then by the mean of its best runs and a bonus."""
    domain = group.domain
    size = domain.size or 1
    counts, losses = [0] * size, [[] for _ in range(size)]  # type: list[int], list[list[float]]
    for trial in (*history.ended, *history.pending):
        if group.name in trial.point:
            index = _encode(group, trial.point[group.name])
            counts[index] += 1
            if trial.loss is not None:
                losses[index].append(trial.loss)
    least = min(counts)
    if least < _PER_OPTION:
        return domain.at(rng.choice([i for i in range(size) if counts[i] == least]))
    if rng.random() < _FLOOR:
        return domain.at(rng.randrange(size))
    everything = sorted(loss for found in losses for loss in found)
    if not everything:
        return domain.at(rng.randrange(size))
    spread = everything[len(everything) // 2] - everything[0] or 1.0
    total = sum(counts)

    def bound(index: int) -> float:
        best = sorted(losses[index])[:3]
        if not best:
            return math.inf
        bonus = spread * math.sqrt(math.log(total) / counts[index])
        return sum(best) / len(best) - bonus

    return domain.at(min(range(size), key=bound))
