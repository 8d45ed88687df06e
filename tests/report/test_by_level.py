"""Reward against level."""

import math

import pytest

from noisygrpo.report.by_level import level_curves
from noisygrpo.report.rollouts import Rollouts


def made(rows):
    """Rollouts of (step, example, level, reward)."""
    found = Rollouts()
    for step, example, level, reward in rows:
        found.step.append(step)
        found.example.append(example)
        found.level.append(level)
        found.reward.append(reward)
    return found


def test_means_with_intervals_that_hold_a_prompt_together():
    rows = [(1, n // 2, 0.5, float(n // 2 == 0)) for n in range(8)] + [(1, 0, 0.0, 1.0)] * 2
    (clean, noisy) = level_curves(made(rows))["reward"]["all"]
    assert clean == [0.0, 1.0, None, None, 2]  # one prompt says nothing of others
    level, mean, low, high, count = noisy
    assert (level, mean, count) == (0.5, 0.25, 8)
    error = math.sqrt(4 / 3 * (1.5**2 + 3 * 0.5**2)) / 8  # four prompts of two equal rewards
    assert low == pytest.approx(max(0.0, 0.25 - 1.96 * error), abs=1e-4)
    assert high == pytest.approx(0.25 + 1.96 * error, abs=1e-4)


def test_thirds_of_a_run_are_apart():
    rows = [(step, example, level, float(step > 6) if level else 0.0)
            for step in range(1, 10) for example in (0, 1) for level in (0.0, 0.4)]  # fmt: skip
    spans = level_curves(made(rows))["reward"]
    assert spans["first"][1][1] == 0.0 and spans["last"][1][1] == 1.0
    assert spans["all"][1][1] == pytest.approx(1 / 3, abs=1e-4)
    assert [spans[name][1][4] for name in ("first", "all", "last")] == [6, 18, 6]


def test_levels_that_fade_are_put_together_by_tenths():
    rows = [(n, n, 0.3 - 0.001 * n, 1.0) for n in range(11)]
    rows += [(11, 0, 0.0, 1.0), (11, 1, 0.004, 1.0)]
    points = level_curves(made(rows))["reward"]["all"]
    assert [(point[0], point[4]) for point in points] == [(0.0, 1), (0.004, 1), (0.295, 11)]


def test_a_run_without_noise_has_no_curve():
    assert level_curves(made([(1, 0, 0.0, 1.0)] * 4)) == {}
    assert level_curves(Rollouts()) == {}
