"""The Gaussian process: its numbers against direct formulas, and its manners as a search."""

import subprocess
import sys
from random import Random

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from sweeper.grammar import parse
from sweeper.records import History, Trial
from sweeper.search import Asker, gaussian
from sweeper.search.gp import Gp
from sweeper.space import Space, parameter

OWNER = np.array([0, 1, 2, 2])
NONE = np.empty((0, 4))
THETA = np.array([-1.0, -0.5, 0.1, 0.3, -4.0])


@pytest.fixture
def data():
    random = np.random.default_rng(0)
    return random.random((15, 4)), random.standard_normal(15), random.random((2, 4))


def posterior(columns, losses, believed=NONE, doubt=0.0):
    return gaussian.Posterior(THETA, columns, losses, np.full(len(losses), doubt), OWNER, believed)


def space_of(*texts):
    return Space(tuple(parameter(parse(text), text) for text in texts))


PLANE = ("x=interval(-5.0,10.0)", "y=interval(0.0,15.0)")
MIXED = ("x=interval(-5.0,5.0)", "n=interval(1,64,log=true)", "c=u,v,w")


def branin(point):
    x, y = point["x"], point["y"]
    bowl = (y - 5.1 / (4 * np.pi**2) * x**2 + 5 / np.pi * x - 6) ** 2
    return float(bowl + 10 * (1 - 1 / (8 * np.pi)) * np.cos(x) + 10 - 0.39788735772973816)


def rough(point):
    return point["x"] ** 2 + abs(point["n"] - 9) / 9 + "uvw".index(point["c"])


def searched(space, score, trials, seed=0):
    asker, ended = Asker(Gp(), space, seed), []
    while len(ended) < trials and (point := asker.ask(History(tuple(ended)))) is not None:
        ended.append(Trial(len(ended), point, score(point)))
    return ended


def drawn(space, score, count, seed=0):
    rng = Random(seed)
    points = [space.complete(lambda p: p.domain.sample(rng)) for _ in range(count)]
    return tuple(Trial(number, point, score(point)) for number, point in enumerate(points))


def test_the_gradient_of_the_marginal_likelihood_is_that_of_finite_differences(data):
    columns, losses, _ = data
    value = lambda theta: gaussian.negative_log_posterior(theta, columns, losses, OWNER)[0]  # noqa: E731
    gradient = gaussian.negative_log_posterior(THETA, columns, losses, OWNER)[1]
    assert gradient == pytest.approx(approx_fprime(THETA, value, 1e-6), rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("best", [-3.0, 0.0, 3.0])
def test_the_gradient_of_improvement_is_that_of_finite_differences(data, best):
    columns, losses, believed = data
    model = posterior(columns, losses, believed)
    for at in (np.full(4, 0.4), columns[3] + 0.01):
        value, gradient = gaussian.improvement_slope(model, at, best)
        several = gaussian.log_expected_improvement(*model.predict(at[None]), best)
        assert value == pytest.approx(several[0], rel=1e-6)
        numeric = approx_fprime(at, lambda x: gaussian.improvement_slope(model, x, best)[0], 1e-7)
        assert gradient == pytest.approx(numeric, rel=1e-3, abs=1e-3)


def test_improvement_is_right_near_by_and_does_not_vanish_far_out():
    from scipy.stats import norm

    z = np.array([-5.0, -1.0, 0.0, 2.0])
    assert gaussian.log_improvement(z)[0] == pytest.approx(np.log(norm.pdf(z) + z * norm.cdf(z)), rel=1e-6)
    far = np.array([-1e5, -1e4 - 1, -1e4 + 1, -1e3, -10.0])
    assert np.all(np.diff(gaussian.log_improvement(far)[0]) > 0)


def test_predictions_are_those_of_the_direct_formula(data):
    columns, losses, at = data
    scales, (signal, noise) = np.exp(THETA[:3])[OWNER], np.exp(THETA[3:])

    def kernel(a, b):
        r = np.sqrt(5) * np.linalg.norm((a[:, None] - b) / scales, axis=-1)
        return signal * (1 + r + r**2 / 3) * np.exp(-r)

    inverse = np.linalg.inv(kernel(columns, columns) + (noise + 0.2) * np.eye(len(losses)))
    across = kernel(columns, at)
    mean, deviation = posterior(columns, losses, doubt=0.2).predict(at)
    assert mean == pytest.approx(across.T @ inverse @ losses)
    assert deviation**2 == pytest.approx(signal - np.diag(across.T @ inverse @ across))


def test_what_is_believed_changes_no_prediction_and_makes_it_surer(data):
    columns, losses, believed = data
    mean, deviation = posterior(columns, losses).predict(believed + 0.01)
    surer = posterior(columns, losses, believed).predict(believed + 0.01)
    assert surer[0] == pytest.approx(mean)
    assert np.all(surer[1] < deviation / 2)


@pytest.mark.parametrize("count", [5, 25, 60])
def test_a_fresh_instance_asks_for_the_same_point(count):
    space = space_of(*MIXED)
    trials, old = drawn(space, rough, 60), Gp()
    for told in range(count):
        old.ask(space, History(trials[:told]), Random(told))
    history = History(trials[:count])
    assert old.ask(space, history, Random(7)) == Gp().ask(space, history, Random(7))


def test_pending_points_repel():
    space = space_of(*PLANE)
    trials = drawn(space, branin, 20)
    first = Gp().ask(space, History(trials), Random(1))
    second = Gp().ask(space, History(trials, (Trial(20, first),)), Random(1))
    assert max(abs(first[name] - second[name]) for name in first) > 0.05


def test_the_integers_are_exhausted_and_none_comes_twice():
    trials = searched(space_of("x=int(interval(-10,10))"), lambda p: (p["x"] - 2) ** 2, 100)
    assert sorted(trial.point["x"] for trial in trials) == list(range(-10, 11))
    assert [trial.point["x"] for trial in trials].index(2) < 12


def test_failed_runs_are_avoided_and_poison_nothing():
    space = space_of(*PLANE)
    trials = searched(space, lambda p: None if p["x"] > 5 else branin(p), 40)
    assert sum(trial.loss is None for trial in trials[20:]) <= 8
    assert min(trial.loss for trial in trials if trial.loss is not None) < 0.1


def test_one_accident_does_not_hide_what_is_around_it():
    space = space_of("x=interval(0.0,1.0)")
    trials = (*drawn(space, lambda p: (p["x"] - 0.5) ** 2, 12), Trial(12, {"x": 0.5}, None))
    assert abs(Gp().ask(space, History(trials), Random(0))["x"] - 0.5) < 0.15


def test_losses_that_are_all_the_same_are_no_trouble():
    assert len(searched(space_of(*MIXED), lambda _: 1.0, 25)) == 25


def conditional():
    own = {
        "a": (parameter(parse("m.x=interval(0.0,4.0)"), "a", owner="m/a"),),
        "b": tuple(parameter(parse(t), "b", owner="m/b") for t in ("m.y=range(0,9)", "m.z=u,v")),
    }
    roots = (parameter(parse("m=a,b"), "m", is_group=True), parameter(parse("s=interval(0.0,1.0)"), "s"))
    return Space(roots, branch=lambda chosen: own[chosen["m"].text.partition("=")[2]])


def test_a_conditional_space_has_only_active_parameters_and_every_branch_is_tried():
    def score(point):
        return (point["m.x [m/a]"] - 2) ** 2 + point["s"] if point["m"] == "a" else 1 + point["m.y [m/b]"]

    trials = searched(conditional(), score, 40)
    names = {"a": {"m", "s", "m.x [m/a]"}, "b": {"m", "s", "m.y [m/b]", "m.z [m/b]"}}
    for trial in trials:
        assert set(trial.point) == names[trial.point["m"]]
    assert sum(trial.point["m"] == "b" for trial in trials) >= 4
    assert min(trial.loss for trial in trials) < 0.01


@pytest.mark.parametrize("seed", range(5))
def test_before_there_is_a_model_each_option_comes_as_often_as_the_others(seed):
    trials = searched(space_of(*MIXED), rough, 8, seed)
    counts = [sum(trial.point["c"] == option for trial in trials) for option in "uvw"]
    assert max(counts) - min(counts) <= 1


def test_choices_are_made_before_the_parameters_beside_them():
    chosen = conditional().choose(lambda group: "b")
    assert [p.name for p in conditional().active(chosen)] == ["m", "s", "m.y [m/b]", "m.z [m/b]"]


@pytest.mark.parametrize(
    "text",
    [
        "x=interval(2.0,8.0)",
        "x=interval(1e-4,1.0,log=true)",
        "x=range(3,20,4)",
        "x=interval(2,500,log=true)",
        "x=u,v,w",
    ],
)
def test_values_survive_the_unit_interval(text):
    domain = parameter(parse(text), text).domain
    rng = Random(0)
    for value in [domain.sample(rng) for _ in range(50)] + [domain.from_unit(0.0), domain.from_unit(1.0)]:
        assert domain.contains(value)
        assert 0 <= domain.to_unit(value) <= 1
        again = domain.from_unit(domain.to_unit(value))
        assert again == (pytest.approx(value) if isinstance(value, float) else value)


def test_branin_is_solved_in_30_runs():
    best = sorted(min(t.loss for t in searched(space_of(*PLANE), branin, 30, seed)) for seed in range(3))
    assert best[1] < 0.1


def test_importing_sweeper_imports_no_numbers():
    code = "import sys, sweeper, sweeper.search, sweeper.search.gp; print('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
