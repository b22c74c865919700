"""Searchers: one suite that each of them passes, and what is each one's own."""

import subprocess
import sys
import time
from random import Random

import pytest

from sweeper.errors import SettingsError
from sweeper.grammar import parse
from sweeper.points import Points
from sweeper.records import COMPLETED, History, Objective, Outcome, Trial
from sweeper.search import SEARCHERS, Asker, make_searcher
from sweeper.settings import OPTIONS, SearchSettings, settings_from
from sweeper.space import Space, parameter
from sweeper.trials import Trials

LISTS = ("grid", "zip", "points")
SEARCHES = sorted(set(SEARCHERS) - {*LISTS})
ALL = ["grid", *SEARCHES]
MODELS = [name for name in SEARCHES if name not in ("random", "sobol", "lhs", "nsga2")]


def space_of(*texts):
    return Space(tuple(parameter(parse(text), text) for text in texts))


def asker(name, space, seed=0):
    return Asker(make_searcher(SearchSettings(name=name)), space, seed)


def search(name, space, score, trials, *, seed=0, pending=0):
    """Ask and tell as a sweep does, with so many runs always pending; return the trials."""
    asking, ended, running = asker(name, space, seed), [], []
    while len(ended) < trials:
        while len(running) <= pending:
            point = asking.ask(History(tuple(ended), tuple(running)))
            if point is None:
                break
            running.append(Trial(len(ended) + len(running), point))
        if not running:
            break
        trial = running.pop(0)
        ended.append(trial._replace(loss=score(trial.point)))
    return ended


def bowl(point):
    return sum((value - 2) ** 2 for value in point.values())


MIXED = ("x=interval(-10,10)", "n=range(0,6)", "lr=interval(1e-4,10,log=true)", "c=1,4,9")


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("pending", [0, 3])
def test_the_same_seed_gives_the_same_points_and_another_gives_others(name, pending):
    first, second, other = (
        [t.point for t in search(name, space_of(*MIXED), bowl, 25, seed=seed, pending=pending)]
        for seed in (1, 1, 2)
    )
    assert first == second
    assert first != other


@pytest.mark.parametrize("name", SEARCHES)
def test_an_ask_depends_on_the_history_and_not_on_how_it_came_about(name):
    space = space_of(*MIXED)
    trials = search(name, space, bowl, 24, seed=3)
    straight, resumed = asker(name, space, 3), asker(name, space, 3)
    for count, trial in enumerate(trials):
        straight.ask(History(tuple(trials[:count])))
        resumed.replay(trial.point)
    assert straight.ask(History(tuple(trials))) == resumed.ask(History(tuple(trials)))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("pending", [0, 3])
def test_a_finite_space_is_never_repeated_and_ends(name, pending):
    space = space_of("a=1,2,3", "b=range(0,5)")
    trials = search(name, space, bowl, 100, pending=pending)
    assert len(trials) == 15
    assert len({space.key(t.point) for t in trials}) == 15


@pytest.mark.parametrize("name", ALL)
def test_values_are_plain_and_within(name):
    texts = [text for text in MIXED if name != "grid" or "interval" not in text]
    space = space_of(*texts)
    for trial in search(name, space, bowl, 18):
        for found in space.active(trial.point):
            value = trial.point[found.name]
            assert found.domain.contains(value)
            assert type(value) in (int, float)


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("text", [f"x=range(0,{10**20})", f"x=range(0,{2**63},3)"])
def test_integers_that_are_no_floats_are_searched_like_others(name, text):
    space = space_of(text)
    trials = search(name, space, lambda p: float(p["x"]), 14)
    assert len(trials) == 14
    assert all(space.roots[0].domain.contains(trial.point["x"]) for trial in trials)


@pytest.mark.parametrize("name", ALL)
def test_runs_without_a_score_poison_nothing(name):
    space = space_of("x=range(0,40)") if name == "grid" else space_of("x=interval(0,4)")
    trials = search(name, space, lambda p: None if p["x"] < 1 else bowl(p), 30)
    assert len(trials) == 30
    assert search(name, space, lambda _: None, 25)


@pytest.mark.parametrize("name", SEARCHES)
def test_the_configs_own_values_are_the_first_point(name):
    found = parameter(parse("x=interval(0,1)"), "x", default=0.25, has_default=True)
    assert asker(name, Space((found,))).ask(History()) == {"x": 0.25}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_finds_what_chance_does_not(name):
    space = space_of("x=interval(-10,10)", "y=interval(-10,10)")
    losses = {
        kind: sorted(min(t.loss for t in search(kind, space, bowl, 40, seed=s)) for s in range(5))[2]
        for kind in (name, "random")
    }
    assert losses[name] < losses["random"] / 2


@pytest.mark.parametrize("name", MODELS)
def test_pending_runs_are_reckoned_with(name):
    trials = search(name, space_of("x=interval(-10,10)"), bowl, 40, pending=3)
    for at in range(20, 37):
        together = [t.point["x"] for t in trials[at : at + 4]]
        assert len(set(together)) == 4


def test_nsga2_takes_no_time_to_speak_of_after_thousands_of_runs():
    rng, searcher = Random(1), make_searcher(SearchSettings(name="nsga2"))
    front = [Trial(number, {"x": x}, losses=(x, 1 - x)) for number in range(4000) for x in [rng.random()]]
    behind = [t._replace(losses=tuple(loss + rng.random() for loss in t.losses)) for t in front]
    for trials in (front, behind):
        began = time.process_time()
        searcher.ask(space_of("x=interval(0,1)"), History(trials), rng)
        assert time.process_time() - began < 1.5, "each pair compared, it is many seconds"


@pytest.mark.parametrize("pending", [6, 7])
def test_tpe_knows_of_pruned_runs_however_many_are_pending(pending):
    space, searcher = space_of("x=interval(0,1)"), make_searcher(SearchSettings(name="tpe"))
    scored = [Trial(number, {"x": number / 12}, loss=1.0) for number in range(12)]
    pruned = [Trial(number, {"x": number / 22}, reached=(3, 9.0)) for number in range(12, 22)]
    waiting = [Trial(number, {"x": 0.5}) for number in range(22, 22 + pending)]
    study = searcher._study_of(space, History([*scored, *pruned], waiting))
    assert [trial.state.name for trial in study.trials].count("PRUNED") == 10


@pytest.mark.parametrize("name", SEARCHES)
def test_in_a_conditional_space_a_point_has_what_its_branch_has(name, project):
    project.write(
        config="defaults: [m: a]\n",
        m__a="x: 1.0\n_space_: {x: 'interval(0, 4)'}\n",
        m__b="y: 1\nz: u\n_space_: {y: 'range(0, 9)', z: [u, v]}\n",
    )
    points = Points(project.plan(f"sweeper/search={name}", "m=a,b"))
    score = lambda p: (p["m.x [m/a]"] - 2) ** 2 if p["m"] == "a" else 3 + p["m.y [m/b]"]  # noqa: E731
    trials = search(name, points.space, score, 30)
    for trial in trials:
        params = points.space.params(trial.point)
        assert set(params) == ({"m", "m.x"} if params["m"] == "a" else {"m", "m.y", "m.z"})
        assert set(points.compose(trial.point).tree["m"]) == ({"x"} if params["m"] == "a" else {"y", "z"})
    assert {t.point["m"] for t in trials} == {"a", "b"}


def test_a_grid_changes_the_last_parameter_fastest():
    points = [t.point for t in search("grid", space_of("a=1,2", "b=x,y"), lambda _: 0, 9)]
    assert points == [{"a": a, "b": b} for a in (1, 2) for b in ("x", "y")]


def test_the_seeds_table_ends_with_two_when_the_space_is_exhausted():
    trials = search("gp", space_of("x=int(interval(-10,10))"), bowl, 100)
    assert len(trials) == 21
    assert min(trials, key=lambda t: t.loss).point == {"x": 2}


def test_the_shipped_options_are_those_that_the_searchers_take():
    for name, options in OPTIONS["search"].items():
        make_searcher(SearchSettings(name=name, options=options))
    assert set(OPTIONS["search"]) == set(SEARCHERS)


def test_a_search_that_does_not_exist_is_refused():
    with pytest.raises(SettingsError, match="Did you mean 'random'"):
        make_searcher(SearchSettings(name="randon"))
    with pytest.raises(SettingsError, match="cannot be made"):
        make_searcher(SearchSettings(name="tpe", options={"starup": 3}))


@pytest.mark.parametrize(
    ("part", "name", "key", "value", "said"),
    [
        ("search", "cmaes", "sigma", 0, "a number above zero"),
        ("search", "cmaes", "population", 3, "a whole number from 4 on"),
        ("search", "nsga2", "population", 1, "a whole number from 2 on"),
        ("search", "nsga2", "crossover", 5, "a number from zero to one"),
        ("launcher", "ray", "gpus", "abc", "a number from zero on"),
        ("launcher", "ray", "gpus", -1, "a number from zero on"),
    ],
)
def test_numbers_that_an_option_could_not_mean_are_mistakes(part, name, key, value, said):
    with pytest.raises(SettingsError, match=f"^sweeper.{part}.{key} must be {said}, not {value}$"):
        settings_from({part: {"name": name, key: value}})


def test_random_numbers_are_the_askers_alone():
    import random

    random.seed(1)
    before = random.getstate()
    search("tpe", space_of(*MIXED), bowl, 15)
    assert random.getstate() == before
    assert Random(1).random() == random.random()


@pytest.mark.parametrize(
    ("name", "foreign"),
    [("grid", "optuna|skopt|numpy"), ("random", "optuna|skopt|numpy"), ("tpe", "skopt|sklearn")],
)
def test_a_searcher_imports_only_its_own_library(name, foreign):
    code = (
        "import sys; from sweeper.search import *; from sweeper.settings import SearchSettings;"
        f"make_searcher(SearchSettings(name={name!r}));"
        f"print([m for m in {foreign.split('|')!r} if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_a_history_of_any_length_is_handed_to_a_search_without_copying_it():
    trials = Trials(Objective())
    for number in range(3):
        trials.open(number, {"x": number})
        trials.close(number, Outcome(COMPLETED, score=float(number)))
    assert trials.history().ended is trials.history().ended
    assert (trials.least, trials.since) == (0.0, 2)
    trials.reopen(0)
    assert [trial.number for trial in trials.history().ended] == [1, 2]
    assert (trials.least, trials.since) == (1.0, 1)
