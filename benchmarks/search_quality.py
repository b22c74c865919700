"""How far from the optimum is each search after so many runs, and what does it cost to ask it?

Runs take no time here: their ends are simulated, with one worker or with four whose runs take unequal
time (lognormal, sigma 0.5), so that a search is asked while others are pending. Searches of sweeper
are driven by the `Asker` that a sweep uses; `optuna` and `skopt-default` are those libraries as they come.

    regret      the best loss found minus the optimum
    ms          CPU time of one ask, of one thread

    python benchmarks/search_quality.py --methods random tpe gp \
        --out benchmarks/results/search_quality.json
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import statistics
import time
import warnings
from bisect import bisect
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from common import about, keep

from sweeper.grammar import parse
from sweeper.records import History, Point, Trial, derive_seed
from sweeper.search import SEARCHERS, Asker, make_searcher
from sweeper.settings import SearchSettings
from sweeper.space import Choices, Floats, Integers, Parameter, Space, parameter

# ---------------------------------------------------------------------------------------- problems


class Problem(NamedTuple):
    """What is minimised, where, and the least that it can be."""

    space: Callable[[], Space]
    loss: Callable[[Point], float]
    optimum: float = 0.0


def space_of(texts: str) -> Callable[[], Space]:
    return lambda: Space(tuple(parameter(parse(text), text) for text in texts.split()))


def branin(point: Point) -> float:
    x, y = point["x"], point["y"]
    bowl = (y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6) ** 2
    return bowl + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


HEIGHTS = np.array([1.0, 1.2, 3.0, 3.2])
# fmt: off
WIDTHS = np.array([
    [10, 3, 17, 3.5, 1.7, 8], [.05, 10, 17, .1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, .05, 10, .1, 14],
])
PEAKS = 1e-4 * np.array([
    [1312, 1696, 5569, 124, 8283, 5886], [2329, 4135, 8307, 3736, 1004, 9991],
    [2348, 1451, 3522, 2883, 3047, 6650], [4047, 8828, 8732, 5743, 1091, 381],
])
# fmt: on


def hartmann6(point: Point) -> float:
    x = np.array([point[f"x{i}"] for i in range(6)])
    return -float(HEIGHTS @ np.exp(-(WIDTHS * (x - PEAKS) ** 2).sum(axis=1)))


def mixed(point: Point) -> float:
    """Return a loss whose best learning rate and activation depend on the optimiser; the least is 0."""
    best_rate = {"sgd": -1.0, "adam": -3.0, "lion": -4.0}[point["optimizer"]]
    choices = {"sgd": 0.15, "adam": 0.0, "lion": 0.24}[point["optimizer"]]
    choices += {"relu": 0.12, "gelu": 0.0, "tanh": 0.3, "silu": 0.06}[point["activation"]]
    if (point["optimizer"], point["activation"]) == ("sgd", "relu"):
        choices -= 0.09
    rate, decay = math.log10(point["rate"]) - best_rate, math.log10(point["decay"]) + 4
    layers, width = point["layers"] - 4, math.log2(point["width"]) - 7
    return (
        choices
        + 0.11 * rate**2
        + 0.04 * decay**2
        + 0.06 * layers**2
        + 0.12 * width**2
        + 0.06 * layers * width
    )


OWN = {
    "sgd": ("o.rate=interval(1e-4,1.0,log=true)", "o.momentum=interval(0.0,0.99)", "o.nesterov=true,false"),
    "adam": ("o.rate=interval(1e-5,1e-1,log=true)", "o.beta=interval(0.8,0.999)"),
    "rmsprop": ("o.rate=interval(1e-5,1e-1,log=true)", "o.alpha=interval(0.5,0.999)"),
    "lion": ("o.rate=interval(1e-6,1e-2,log=true)",),
}


def conditional_space(*shared: str) -> Callable[[], Space]:
    own = {
        name: tuple(parameter(parse(text), text, owner=f"o/{name}") for text in texts)
        for name, texts in OWN.items()
    }
    group = parameter(parse(f"o={','.join(OWN)}"), "o", is_group=True)
    roots = (group, *(parameter(parse(text), text) for text in shared))
    return lambda: Space(roots, branch=lambda chosen: own[chosen["o"].text.partition("=")[2]])


def conditional(point: Point) -> float:
    """Return a loss that is 0 in the branch `sgd` alone, which must be tuned to beat the others."""
    name = point["o"]
    own = {key[2:].partition(" ")[0]: value for key, value in point.items() if key.startswith("o.")}
    rate = math.log10(own["rate"])
    match name:
        case "sgd":
            apart = (own["momentum"] - 0.9) ** 2
            ridge = (rate + 1 - 0.8 * (0.9 - own["momentum"])) ** 2
            return 0.6 * ridge + 4 * apart + (0 if own["nesterov"] else 0.15)
        case "adam":
            return 0.06 + 0.08 * (rate + 3) ** 2 + 2 * (own["beta"] - 0.9) ** 2
        case "rmsprop":
            return 0.1 + 0.1 * (rate + 3.5) ** 2 + 0.2 * (own["alpha"] - 0.95) ** 2
    return 0.13 + 0.06 * (rate + 4) ** 2


def conditional_shared(point: Point) -> float:
    size, drop = math.log2(point["size"]) - 6, point["drop"] - 0.2
    return conditional(point) + 0.02 * size**2 + 1.2 * drop**2


@cache
def diabetes() -> list[tuple[Any, ...]]:
    from sklearn.datasets import load_diabetes
    from sklearn.model_selection import KFold

    x, y = load_diabetes(return_X_y=True)
    x, y = x / x.std(axis=0), (y - y.mean()) / y.std()
    return [(x[a], y[a], x[b], y[b]) for a, b in KFold(3, shuffle=True, random_state=0).split(x)]


def regression(point: Point) -> float:
    """Return the squared error of a support vector machine on scikit-learn's diabetes data, 3-fold."""
    from sklearn.svm import SVR

    model = SVR(C=point["C"], gamma=point["gamma"], epsilon=point["epsilon"], kernel=point["kernel"])
    return float(
        np.mean([np.mean((model.fit(x, y).predict(to) - true) ** 2) for x, y, to, true in diabetes()])
    )


PROBLEMS = {
    "branin": Problem(space_of("x=interval(-5.0,10.0) y=interval(0.0,15.0)"), branin, 0.39788735772973816),
    "hartmann6": Problem(
        space_of(" ".join(f"x{i}=interval(0.0,1.0)" for i in range(6))), hartmann6, -3.322368011415515
    ),
    "mixed": Problem(
        space_of(
            "rate=interval(1e-5,1.0,log=true) decay=interval(1e-6,1e-2,log=true) layers=interval(1,8) "
            "width=interval(8,512,log=true) optimizer=sgd,adam,lion activation=relu,gelu,tanh,silu"
        ),
        mixed,
    ),
    "conditional": Problem(conditional_space(), conditional),
    "conditional_shared": Problem(
        conditional_space("size=interval(8,256,log=true)", "drop=interval(0.0,0.6)"), conditional_shared
    ),
    "regression": Problem(
        space_of(
            "C=interval(1e-2,1e2,log=true) gamma=interval(1e-4,1.0,log=true) "
            "epsilon=interval(1e-2,1.0,log=true) kernel=rbf,sigmoid,linear"
        ),
        regression,  # whose least is not known: its column is the error itself
    ),
}

# ------------------------------------------------ methods, which are asked for points and told of ends


class Ours:
    """A search of sweeper's, as a sweep drives it; without a config, the first point is any."""

    def __init__(self, name: str, space: Space, seed: int) -> None:
        rng = Random(derive_seed(seed, "first"))
        first = space.complete(lambda found: found.domain.sample(rng))
        self.asker = Asker(make_searcher(SearchSettings(name=name)), space, seed, [first])

    def ask(self, history: History, number: int) -> Point:
        return self.asker.ask(history) or {}  # no problem here is ever exhausted

    def tell(self, trial: Trial) -> None:
        pass


class Optuna:
    """Optuna with its default sampler, or one of another name, as it comes."""

    def __init__(self, space: Space, seed: int, sampler: str = "TPESampler") -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.space = space
        self.study = optuna.create_study(sampler=getattr(optuna.samplers, sampler)(seed=seed))
        self.asked: dict[int, Any] = {}

    def ask(self, history: History, number: int) -> Point:
        trial = self.asked[number] = self.study.ask()

        def pick(found: Parameter) -> Any:
            match found.domain:
                case Floats(low=low, high=high, log=log):
                    return trial.suggest_float(found.name, low, high, log=log)
                case Integers(low=low, high=high, log=log):
                    return trial.suggest_int(found.name, low, high, log=log)
                case Choices(values=values):
                    return trial.suggest_categorical(found.name, values)

        return self.space.complete(pick)

    def tell(self, trial: Trial) -> None:
        self.study.tell(self.asked[trial.number], trial.loss)


class SkoptDefault:
    """scikit-optimize as `gp_minimize` drives it; it knows neither branches nor pending runs."""

    def __init__(self, space: Space, seed: int) -> None:
        from skopt import Optimizer
        from skopt.space import Categorical, Integer, Real

        def dimension(found: Parameter) -> Any:
            match found.domain:
                case Floats(low=low, high=high, log=log):
                    return Real(low, high, prior="log-uniform" if log else "uniform")
                case Integers(low=low, high=high, log=log):
                    return Integer(low, high, prior="log-uniform" if log else "uniform")
                case Choices(values=values):
                    return Categorical(values)

        self.space = space
        self.optimizer = Optimizer([dimension(p) for p in space.roots], random_state=seed)

    def ask(self, history: History, number: int) -> Point:
        return dict(zip((p.name for p in self.space.roots), self.optimizer.ask(), strict=True))

    def tell(self, trial: Trial) -> None:
        self.optimizer.tell(list(trial.point.values()), trial.loss)


def make_method(name: str, space: Space, seed: int) -> Ours | Optuna | SkoptDefault:
    match name:
        case "optuna":
            return Optuna(space, seed)
        case "optuna-gp":
            return Optuna(space, seed, "GPSampler")
        case "skopt-default":
            return SkoptDefault(space, seed)
    return Ours(name, space, seed)


def why_not(method: str, problem: str, workers: int) -> str:
    """Return why a method cannot be measured here, or nothing."""
    if method == "optuna-gp" and importlib.util.find_spec("torch") is None:
        return "needs torch"
    if method == "skopt-default" and (workers > 1 or PROBLEMS[problem].space().branch is not None):
        return "knows neither pending runs nor branches"
    return ""


# -------------------------------------------------------------------------------------- simulation


class Course(NamedTuple):
    """One simulated search."""

    regrets: list[float]  # the least so far, after each trial
    times: list[float]  # when each trial ended, in seconds
    ms: float  # CPU time of an ask and its tell


def simulate(method: str, problem: Problem, seed: int, trials: int, workers: int) -> Course:
    """Search once; a run takes a second in the median, and an ask what it takes."""
    asked = make_method(method, problem.space(), seed)
    durations = Random(derive_seed(seed, "durations"))
    ended: list[Trial] = []
    running: list[tuple[float, Trial]] = []  # with the time of its end
    course = Course([], [], 0.0)
    now = cpu = least = 0.0
    while len(ended) < trials:
        while len(running) < workers and len(ended) + len(running) < trials:
            number = len(ended) + len(running)
            start = time.process_time()
            point = asked.ask(History(tuple(ended), tuple(trial for _, trial in running)), number)
            took = time.process_time() - start
            cpu, now = cpu + took, now + took
            running.append((now + durations.lognormvariate(0, 0.5), Trial(number, point)))
        first = min(running, key=lambda one: one[0])
        running.remove(first)
        now, trial = max(now, first[0]), first[1]
        trial = trial._replace(loss=problem.loss(trial.point))
        start = time.process_time()
        asked.tell(trial)
        took = time.process_time() - start
        cpu, now = cpu + took, now + took
        ended.append(trial)
        assert trial.loss is not None
        least = min(least, trial.loss) if len(ended) > 1 else trial.loss
        course.regrets.append(least - problem.optimum)
        course.times.append(now)
    return course._replace(ms=1e3 * cpu / trials)


def measure(method: str, problem: str, seeds: int, trials: int, workers: int) -> dict[str, Any]:
    """Return the figures of a method on a problem."""
    simulate(method, PROBLEMS[problem], 0, 2, 1)  # imports are not counted
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [simulate(method, PROBLEMS[problem], seed, trials, workers) for seed in range(seeds)]
    regrets = [course.regrets[-1] for course in found]
    seconds = [round(1.2 * trials / workers * (at + 1) / 25, 3) for at in range(25)]
    return {
        "method": method,
        "problem": problem,
        "workers": workers,
        "trials": trials,
        "seeds": seeds,
        "mean": statistics.fmean(regrets),
        "error": error(regrets),
        "median": statistics.median(regrets),
        "ms": statistics.fmean(course.ms for course in found),
        "regrets": regrets,
        "by_trial": curve([[course.regrets[at] for course in found] for at in range(trials)]),
        "seconds": seconds,
        "by_time": curve([[regret_at(course, second) for course in found] for second in seconds]),
    }


def regret_at(course: Course, second: float) -> float:
    """Return the least regret at a time; before the first trial has ended, that of the first."""
    return course.regrets[max(bisect(course.times, second) - 1, 0)]


def error(values: Sequence[float]) -> float:
    """Return the standard error of the mean."""
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan


def curve(columns: Sequence[Sequence[float]]) -> list[list[float]]:
    """Return mean and standard error of each column."""
    return [[float(f"{statistics.fmean(c):.4g}"), float(f"{error(c):.3g}")] for c in columns]


def line(row: dict[str, Any]) -> str:
    name = f"{row['problem']:19}{row['workers']:2} {row['method']:14}{row['seeds']:3} seeds"
    return f"{name}{row['mean']:10.4f} ± {row['error']:.4f} ({row['median']:.5f}){row['ms']:9.1f} ms"


def write(rows: list[dict[str, Any]], path: Path) -> None:
    """Write the rows, beside those of other methods that the file holds."""
    keys = ("method", "problem", "workers", "trials")
    found = {tuple(row[key] for key in keys): row for row in rows}
    if path.exists():
        for row in json.loads(path.read_text())["rows"]:
            found.setdefault(tuple(row[key] for key in keys), row)
    for row in found.values():
        row["regrets"] = [float(f"{regret:.4g}") for regret in row["regrets"]]
    said = about("numpy", "scipy", "optuna", "scikit-optimize", "scikit-learn")
    keep(path, said, [found[key] for key in sorted(found, key=str)], {"kind": "regrets"}, shown=False)


def main(argv: Sequence[str] | None = None) -> None:
    others = ("optuna", "optuna-gp", "skopt-default")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 4])
    parser.add_argument(
        "--methods", nargs="*", default=["random", "tpe", "gp"], choices=[*SEARCHERS, *others]
    )
    parser.add_argument("--problems", nargs="*", default=list(PROBLEMS), choices=list(PROBLEMS))
    parser.add_argument("--out", type=Path, help="a JSON file; rows that it has of other methods are kept")
    args = parser.parse_args(argv)
    rows = []
    for problem in args.problems:
        for workers in args.workers:
            for method in args.methods:
                if reason := why_not(method, problem, workers):
                    print(f"{problem:19}{workers:2} {method:14} {reason}")
                    continue
                rows.append(measure(method, problem, args.seeds, args.trials, workers))
                print(line(rows[-1]), flush=True)
                if args.out is not None:
                    write(rows, args.out)


if __name__ == "__main__":
    main()
