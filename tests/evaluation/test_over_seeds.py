import math
from functools import cache

import numpy as np
import pytest

from noisygrpo.errors import UserError
from noisygrpo.evaluation.over_seeds import difference_over_seeds, mean_over_seeds

SPLITS = [name for name in "abcde" for _ in range(60)]


def experiment(generator, seeds, between, shift):
    """Verdicts of two methods: rows differ in difficulty, runs in luck, arms in both."""
    hard = generator.normal(0, 1.3, len(SPLITS))
    own = generator.normal(0, 0.15, len(SPLITS))
    noise = generator.normal(0, 0.8, (2, seeds, len(SPLITS)))
    luck = generator.normal(0, between, (2, seeds, 1))
    first = hard + luck[0] + noise[0] > 0
    second = hard + own + luck[1] + noise[1] + shift > 0
    return second.astype(float), first.astype(float)


def truth(shift):
    """The difference of the two probabilities, of the normals that ``experiment`` adds."""
    return lambda between: _phi(shift / math.sqrt(1.3**2 + 0.15**2 + 0.8**2 + between**2)) - 0.5


def _phi(z):
    return (1 + math.erf(z / math.sqrt(2))) / 2


@cache
def simulated(seeds, between, shift):
    generator = np.random.default_rng([seeds, 7])
    return [
        difference_over_seeds(*experiment(generator, seeds, between, shift), SPLITS, resamples=300)
        for _ in range(200)
    ]


@pytest.mark.parametrize(("seeds", "between"), [(3, 0.02), (3, 0.15), (8, 0.02), (8, 0.15)])
def test_the_interval_holds_the_truth_as_often_as_it_says(seeds, between):
    true = truth(0.12)(between)
    held = sum(one.low <= true <= one.high for one in simulated(seeds, between, 0.12))
    assert 0.92 <= held / 200 <= 0.995 if seeds == 3 else 0.92 <= held / 200 <= 0.98


def test_p_values_are_uniform_where_nothing_differs():
    p = np.array([one.p_value for one in simulated(8, 0.1, 0.0)])
    assert 0.4 < p.mean() < 0.6
    for level in (0.1, 0.25, 0.5, 0.75):
        assert abs((p <= level).mean() - level) < 0.1
    assert (p <= 0.05).mean() <= 0.08


def test_a_large_difference_is_found():
    found = simulated(8, 0.02, 0.12)
    assert np.mean([one.p_value < 0.05 for one in found]) > 0.5
    assert np.mean([one.difference for one in found]) == pytest.approx(truth(0.12)(0.02), abs=0.003)


def test_numbers_by_hand():
    a = np.array([[1.0, 0, 0, 1], [0, 0, 0, 1]])
    b = np.array([[1.0, 1, 1, 1], [1, 0, 0, 1]])
    found = difference_over_seeds(b, a, ["x", "x", "y", "y"])
    # seed 0: x +1/2, y +1/2; seed 1: x +1/2, y 0
    assert found.by_seed == (0.5, 0.25)
    assert (found.difference, found.seeds, found.rows, found.clusters) == (0.375, 2, 4, 4)


def test_every_split_counts_the_same_whatever_its_rows():
    a = np.zeros((2, 11))
    b = np.concatenate([np.ones((2, 1)), np.zeros((2, 10))], axis=1)
    assert difference_over_seeds(b, a, ["one"] + ["ten"] * 10).difference == 0.5


def test_equal_methods_do_not_differ():
    same = np.random.default_rng(0).integers(2, size=(3, 50)).astype(float)
    found = difference_over_seeds(same, same, ["x"] * 50)
    assert (found.difference, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_the_same_arguments_give_the_same_numbers_and_no_order_of_calls_matters():
    one, other = experiment(np.random.default_rng(1), 4, 0.1, 0.2)
    first = difference_over_seeds(one, other, SPLITS, resamples=200)
    difference_over_seeds(other, one, SPLITS, resamples=200)
    np.random.default_rng(5).normal(size=9)
    assert difference_over_seeds(one, other, SPLITS, resamples=200) == first
    assert difference_over_seeds(one, other, SPLITS, resamples=200, seed=1) != first


def test_the_other_way_round_is_the_negative():
    one, other = experiment(np.random.default_rng(2), 4, 0.1, 0.2)
    ahead, behind = (difference_over_seeds(*pair, SPLITS) for pair in ((one, other), (other, one)))
    assert ahead.difference == pytest.approx(-behind.difference)
    assert ahead.low == pytest.approx(-behind.high, abs=0.004)
    assert ahead.p_value == pytest.approx(behind.p_value, abs=0.02)


def test_rows_of_one_cluster_are_one_draw():
    """Copies of rows add nothing: ten times every row, in clusters, is the same interval."""
    one, other = experiment(np.random.default_rng(3), 3, 0.1, 0.2)
    once = difference_over_seeds(one, other, SPLITS, resamples=500)
    many = [np.repeat(values, 10, axis=1) for values in (one, other)]
    names = [str(row) for row in range(len(SPLITS)) for _ in range(10)]
    splits = [split for split in SPLITS for _ in range(10)]
    copied = difference_over_seeds(*many, splits, names, resamples=500)
    assert copied.clusters == once.clusters == 300
    assert (copied.low, copied.high) == pytest.approx((once.low, once.high))
    alike = [np.tile(values[:1], (3, 1)) for values in many]  # so that rows alone matter
    together, apart = (
        difference_over_seeds(*alike, splits, clusters, resamples=500) for clusters in (names, None)
    )
    ratio = (together.high - together.low) / (apart.high - apart.low)
    assert ratio == pytest.approx(math.sqrt(10), rel=0.1)


def test_equal_names_of_clusters_in_two_splits_are_two():
    a, b = np.zeros((2, 4)), np.ones((2, 4))
    found = difference_over_seeds(b, a, ["x", "x", "y", "y"], ["c", "c", "c", "c"])
    assert found.clusters == 2


def test_one_seed_has_a_difference_and_no_interval():
    found = difference_over_seeds(np.ones((1, 4)), np.zeros((1, 4)), ["x"] * 4)
    assert found.difference == 1
    assert all(math.isnan(value) for value in (found.low, found.high, found.p_value))


@pytest.mark.parametrize(
    ("a", "b", "more", "message"),
    [
        (np.zeros((2, 3)), np.zeros((3, 3)), {}, "the same seeds and rows"),
        (np.zeros((2, 0)), np.zeros((2, 0)), {}, "the same seeds and rows"),
        (np.zeros(3), np.zeros(3), {}, "the same seeds and rows"),
        (np.zeros((2, 4)), np.zeros((2, 4)), {}, "splits: 3 names for 4 rows"),
        (np.zeros((2, 3)), np.zeros((2, 3)), {"resamples": 10}, "resamples: 10"),
        (np.zeros((2, 3)), np.zeros((2, 3)), {"confidence": 1.0}, "confidence: 1.0"),
        (np.zeros((2, 3)), np.zeros((2, 3)), {"clusters": ["a"]}, "clusters: 1 labels for 3"),
    ],
)
def test_what_cannot_be_compared_is_one_message(a, b, more, message):
    with pytest.raises(UserError, match=message):
        difference_over_seeds(a, b, ["x"] * 3, **more)


def test_mean_over_seeds():
    assert mean_over_seeds([0.5, 0.7]) == pytest.approx((0.6, 0.1))
    assert math.isnan(mean_over_seeds([0.5])[1])
