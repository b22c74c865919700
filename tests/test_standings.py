"""Which point of a sweep is best, in whatever order its runs end."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as some

from sweeper.standings import Standings

SCORES = some.lists(some.none() | some.integers(-3, 3).map(float), min_size=1, max_size=12)


@given(scores=SCORES, repeats=some.integers(1, 3), maximize=some.booleans(), data=some.data())
def test_the_best_is_the_first_point_with_the_best_mean_in_whatever_order_runs_end(
    scores, repeats, maximize, data
):
    standings = Standings(maximize=maximize, repeats=repeats)
    for number in data.draw(some.permutations(range(len(scores)))):
        standings.add(number, scores[number], number)
        ranked = standings.ranked()
        assert standings.best == (ranked[0] if ranked else None)

    points = {}
    for number, score in enumerate(scores):
        if score is not None:
            points.setdefault(number // repeats, []).append((number, score))
    means = {point: statistics.fmean(score for _, score in runs) for point, runs in points.items()}
    order = sorted(means, key=lambda point: (-means[point] if maximize else means[point], point))
    assert [standing.runs for standing in standings.ranked()] == [
        tuple(number for number, _ in points[point]) for point in order
    ]
    assert [standing.score for standing in standings.ranked()] == pytest.approx(
        [means[point] for point in order]
    )


def test_a_later_attempt_at_a_run_takes_the_place_of_the_earlier():
    standings = Standings(maximize=True)
    standings.add(0, 9.0, "first attempt")
    standings.add(1, 5.0, "another")
    standings.add(0, 1.0, "second attempt")
    assert [(standing.score, standing.first) for standing in standings.ranked()] == [
        (5.0, "another"),
        (1.0, "second attempt"),
    ]


def test_the_best_changes_when_a_repetition_of_it_goes_badly():
    standings = Standings(maximize=True, repeats=2)
    for number, score in enumerate([0.9, 0.1, 0.6]):
        standings.add(number, score, number)
    assert (standings.best.score, standings.best.spread, standings.best.runs) == (0.6, 0.0, (2,))


@pytest.mark.parametrize("score", [None, float("nan"), float("inf")])
def test_a_run_without_a_finite_score_counts_for_nothing(score):
    standings = Standings(maximize=False)
    standings.add(0, score, 0)
    assert standings.best is None
    assert standings.ranked() == []


def test_scores_that_differ_by_rounding_alone_have_no_spread():
    standings = Standings(maximize=True, repeats=3)
    for number in range(3):
        standings.add(number, 0.1 + number * 1e-17, number)
    assert standings.best.describe() == "0.1 ± 0 (3 runs)"
