"""Isotonic regression against scipy's, and levels of shares by hand."""

import numpy as np
import pytest

from noisygrpo.methods.levels import SHARES, decreasing, grid, level_of, share_left

LEVELS = np.array([0.0, 0.3, 0.45, 0.6, 0.75, 0.9])


@pytest.mark.parametrize(
    ("values", "weights", "fitted"),
    [
        ([3, 2, 1], [1, 1, 1], [3, 2, 1]),
        ([1, 2, 3], [1, 1, 1], [2, 2, 2]),
        ([1, 3], [3, 1], [1.5, 1.5]),
        ([5, 1, 2, 4, 0], [1, 1, 1, 1, 1], [5, 7 / 3, 7 / 3, 7 / 3, 0]),
        ([2, 2, 2], [1, 2, 3], [2, 2, 2]),
        ([7], [1], [7]),
        ([0, 0, 1], [1, 1, 2], [0.5, 0.5, 0.5]),
    ],
)
def test_decreasing_by_hand(values, weights, fitted):
    assert decreasing(values, weights) == pytest.approx(fitted)


def test_decreasing_is_scipys():
    optimize = pytest.importorskip("scipy.optimize")
    generator = np.random.default_rng(0)
    for size in range(1, 21):
        values, weights = generator.normal(size=size), generator.integers(1, 50, size).astype(float)
        theirs = optimize.isotonic_regression(values, weights=weights, increasing=False).x
        np.testing.assert_allclose(decreasing(values, weights), theirs, atol=1e-12)


def test_the_level_of_a_share():
    curve = np.array([0.65, 0.65, 0.55, 0.35, 0.3, 0.3])
    # 75, 50, 25 % of the way from .45 to .65 are .60, .55, .50.
    assert level_of(0.75, LEVELS, curve, 0.45) == pytest.approx(0.375)
    assert level_of(0.5, LEVELS, curve, 0.45) == pytest.approx(0.45)
    assert level_of(0.25, LEVELS, curve, 0.45) == pytest.approx(0.4875)
    assert grid(LEVELS, curve, 0.45) == pytest.approx([0, 0.375, 0.45, 0.4875])
    # On a plateau it is the plateau's end, at its height and just below.
    assert level_of(0.99999, LEVELS, curve, 0.45) == pytest.approx(0.3, abs=1e-4)


def test_a_level_that_no_noise_reaches():
    gentle = np.array([0.65, 0.64, 0.63, 0.62, 0.61, 0.6])
    assert level_of(0.75, LEVELS, gentle, 0.45) == pytest.approx(0.9)  # exactly the last
    assert level_of(0.5, LEVELS, gentle, 0.45) is None
    assert grid(LEVELS, np.full(6, 0.65), 0.45) == [0.0, None, None, None]


def test_what_is_left_at_a_level():
    curve = np.array([0.65, 0.65, 0.55, 0.35, 0.3, 0.3])
    left = [share_left(level, LEVELS, curve, 0.45) for level in (0, 0.2, 0.45, 0.525, 0.9)]
    assert left == pytest.approx([1, 1, 0.5, 0, -0.75])
    for share in SHARES[1:]:
        level = level_of(share, LEVELS, curve, 0.45)
        assert share_left(level, LEVELS, curve, 0.45) == pytest.approx(share)
