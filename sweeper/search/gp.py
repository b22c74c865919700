"""A Gaussian process: the next point is where a model of all runs expects the most improvement.

Matérn-5/2 with a length-scale for each parameter, fitted to the most probable hyper-parameters, and
LogEI (Ament et al. 2023) climbed by gradient and over neighbouring values. Runs that are pending are
believed to give what the model predicts for them (Kriging believer; Ginsbourger et al. 2010), so that
a search on many workers spreads out. Failed ones are believed to be as bad as the worst, with doubt:
without, one that failed by accident would hide what is good around it.

A conditional space has one model too: a parameter that is not there at a point is put in the middle
of its range, the options tell the branches apart, and improvement alone decides which to look into.
A bandit that chooses the branch was measured to be stuck in a wrong one more often.
The numbers are made in `gaussian`; here it is said which.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any, NamedTuple

from ..records import History, Point, Trial
from ..space import Choices, Domain, Parameter, Space

_PER_OPTION = 4  # runs that every option of a branch gets before the model chooses
_EVERY = 20  # runs up to which the hyper-parameters are fitted at each ask
_GROWTH = 1.15  # of the runs, after which they are fitted again
_MOST = 400  # runs that are modelled: half of them the best, half the latest of the others
_FAILED = 100  # failed runs that are modelled beside them, the latest
_DOUBT = 1.0  # variance of what a failed run is believed to be, where that of all losses is 1
_LEVELS = 1000  # values above which a parameter counts as smooth
_INCUMBENTS = 5  # best runs, near which candidates are drawn too
_BRANCHES = 16  # that are looked at in one ask, beside those that have been tried


class _Known(NamedTuple):
    """What is looked up of a trial's point more than once."""

    point: Point
    key: tuple[Any, ...]
    choices: Point  # of options, which make the branch
    branch: tuple[Any, ...]
    active: tuple[Parameter, ...]
    units: dict[str, float]  # by parameter name, in [0, 1]


class _Fit(NamedTuple):
    """What was fitted, as logarithms, and the trials that it was fitted to."""

    trials: list[tuple[Any, float | None]]
    scales: dict[str, float]  # by parameter name
    variances: list[float]  # of signal and noise
    expected: float  # the length-scale of a parameter of which nothing is known


class Gp:
    """See the module.

    What is kept from ask to ask follows from the history, and would be made from it again.

    Args:
        startup: random points before a model is made, among them each option as often as the others;
            by default twice the parameters and two, or four for each option that makes a branch, but
            5 to 20.
        candidates: random points among which the climbs to the highest acquisition begin.
    """

    def __init__(self, startup: int | None = None, candidates: int = 512) -> None:
        from . import gaussian  # noqa: F401  numpy and scipy, so that their threads are known

        self.startup, self.candidates = startup, candidates
        self._known: dict[int, _Known] = {}  # by trial number
        self._fit: _Fit | None = None

    def ask(self, space: Space, history: History, rng: Random) -> Point | None:
        """Return the point of the highest expected improvement, or None if none is left."""
        trials = (*history.ended, *history.pending)
        tried = {self._look(space, trial).key for trial in trials}
        if space.branch is None and len(tried) >= (space.size() or math.inf):
            return None
        choices = {} if space.branch is None else space.choose(lambda p: _least_tried(p, trials, rng))
        active = _searched(space.active(choices))
        options = sum(p.domain.size or 0 for p in active if p.name in choices)
        startup = self.startup or min(max(2 * len(active) + 2, _PER_OPTION * options, 5), 20)
        scored = history.scored
        if len(scored) < 2 or len(scored) + len(history.pending) < startup:
            return space.complete(lambda p: choices[p.name] if p.name in choices else _even(p, trials, rng))
        return self._promising(space, history, tried, rng)

    def _look(self, space: Space, trial: Trial) -> _Known:
        known = self._known.get(trial.number)
        if known is None or known.point != trial.point:
            point, active = trial.point, space.active(trial.point)
            choices = {p.name: point[p.name] for p in active if p.is_group}
            searched = _searched(active)
            known = self._known[trial.number] = _Known(
                point, space.key(point), choices, space.key(choices), searched, _units(searched, point)
            )
        return known

    def _promising(self, space: Space, history: History, tried: set[Any], rng: Random) -> Point:
        import numpy as np

        from . import gaussian

        scored = _kept(history.scored)
        failed = [trial for trial in history.ended if trial.loss is None][-_FAILED:]
        ended = [self._look(space, trial) for trial in (*scored, *failed)]
        pending = [self._look(space, trial) for trial in history.pending]
        branches = _branches(space, [*ended, *pending], rng)
        parameters = _together([*(k.active for k in (*ended, *pending)), *(active for active, _ in branches)])
        box = _box(parameters)
        units = _rows(parameters, [known.units for known in ended])
        losses = gaussian.standardised([trial.loss for trial in scored])
        posterior = gaussian.Posterior(
            self._theta(space, history.scored, parameters),
            box.columns(units),
            np.append(losses, [losses.max()] * len(failed)),
            np.append(np.zeros(len(losses)), [_DOUBT] * len(failed)),
            box.owner,
            box.columns(_rows(parameters, [known.units for known in pending])),
        )
        best = posterior.predict(box.columns(units[: len(losses)]))[0].min()

        fixed = np.array([p.is_group and space.branch is not None for p in parameters])
        starts = box.everything() if space.branch is None else None
        if starts is None:
            generator = np.random.default_rng(rng.getrandbits(64))
            incumbents = units[np.argsort(losses, kind="stable")[:_INCUMBENTS]]
            rows = _rows(parameters, [middle for _, middle in branches])
            starts = gaussian.candidates(box, rows, incumbents, fixed, self.candidates, generator)
        else:
            fixed[:] = True
        point: Point = {}
        for unit in gaussian.Acquisition(box, posterior, best).ranked(starts, fixed):
            at = dict(zip((p.name for p in parameters), unit.tolist(), strict=True))
            point = space.complete(_pick(at))
            if space.key(point) not in tried and space.allows(point):
                break
        return point

    def _theta(self, space: Space, scored: Sequence[Trial], parameters: Sequence[Parameter]) -> Any:
        """Return theta, fitted to as many of the first trials as the schedule says, and to nothing else.

        A parameter that none of them has gets the length-scale that was expected.
        """
        import numpy as np

        from . import gaussian

        first = _kept(scored[: _scheduled(len(scored))])
        known = [self._look(space, trial) for trial in first]
        trials = [(k.key, trial.loss) for k, trial in zip(known, first, strict=True)]
        if self._fit is None or self._fit.trials != trials:
            own = _together(k.active for k in known)
            box = _box(own)
            columns = box.columns(_rows(own, [k.units for k in known]))
            theta = gaussian.fit(columns, gaussian.standardised([t.loss for t in first]), box.owner)
            scales = dict(zip((p.name for p in own), theta.tolist(), strict=False))
            self._fit = _Fit(trials, scales, theta[-2:].tolist(), gaussian.expected_scale(len(own)))
        fit = self._fit
        return np.array([*(fit.scales.get(p.name, fit.expected) for p in parameters), *fit.variances])


def _pick(units: dict[str, float]) -> Callable[[Parameter], Any]:
    return lambda parameter: parameter.domain.from_unit(units.get(parameter.name, 0.5))


def _even(parameter: Parameter, trials: Sequence[Trial], rng: Random) -> Any:
    if isinstance(parameter.domain, Choices):
        return _least_tried(parameter, trials, rng)
    return parameter.domain.sample(rng)


def _least_tried(parameter: Parameter, trials: Sequence[Trial], rng: Random) -> Any:
    domain = parameter.domain
    assert isinstance(domain, Choices)  # noqa: S101  of options
    counts = [0] * domain.size
    for trial in trials:
        if parameter.name in trial.point:
            counts[domain.index(trial.point[parameter.name]) or 0] += 1
    return domain.at(rng.choice([at for at, count in enumerate(counts) if count == min(counts)]))


def _branches(
    space: Space, known: Iterable[_Known], rng: Random
) -> list[tuple[tuple[Parameter, ...], dict[str, float]]]:
    """Return what is active in each branch to look at, and its middle: all that is free at 0.5."""
    if space.branch is None:
        choices: dict[Any, Point] = {(): {}}
    else:
        drawn = [space.choose(lambda group: group.domain.sample(rng)) for _ in range(_BRANCHES)]
        choices = {k.branch: k.choices for k in known} | {space.key(chosen): chosen for chosen in drawn}
    found = []
    for chosen in choices.values():
        active = _searched(space.active(chosen))
        found.append((active, dict.fromkeys((p.name for p in active), 0.5) | _units(active, chosen)))
    return found


def _searched(parameters: Iterable[Parameter]) -> tuple[Parameter, ...]:
    return tuple(p for p in parameters if p.domain.size != 1)


def _units(active: Iterable[Parameter], point: Point) -> dict[str, float]:
    return {p.name: p.domain.to_unit(point[p.name]) for p in active if p.name in point}


def _kept(scored: Sequence[Trial]) -> Sequence[Trial]:
    """Return the trials to model: all of them, or the best and the latest, in their order."""
    if len(scored) <= _MOST:
        return scored
    by_loss = sorted(range(len(scored)), key=lambda at: scored[at].loss or 0.0)
    best, others = by_loss[: _MOST // 2], by_loss[_MOST // 2 :]
    return [scored[at] for at in sorted(best + sorted(others)[-_MOST // 2 :])]


def _scheduled(count: int) -> int:
    """Return the largest size of the schedule up to `count`: every one at first, then 15 % apart."""
    size = min(count, _EVERY)
    while (larger := math.ceil(size * _GROWTH)) <= count and size >= _EVERY:
        size = larger
    return size


def _together(groups: Iterable[Iterable[Parameter]]) -> list[Parameter]:
    return list({p.name: p for active in groups for p in active}.values())


def _rows(parameters: Sequence[Parameter], units: Sequence[dict[str, float]]) -> Any:
    """Return an array (n, d) of units, NaN where a parameter is not active."""
    import numpy as np

    rows = [[known.get(p.name, math.nan) for p in parameters] for known in units]
    return np.array(rows).reshape(-1, len(parameters))


def _box(parameters: Sequence[Parameter]) -> Any:
    from . import gaussian

    nominal = [isinstance(p.domain, Choices) and not p.domain.ordered for p in parameters]
    return gaussian.Box([_levels(p.domain) for p in parameters], nominal)


def _levels(domain: Domain) -> list[float] | None:
    """Return the units that exist; None if they are so many that it makes no difference."""
    if isinstance(domain, Choices):
        return [(at + 0.5) / domain.size for at in range(domain.size)]
    if domain.size is None or domain.size > _LEVELS:
        return None
    return [domain.to_unit(domain.at(at)) for at in range(domain.size)]
