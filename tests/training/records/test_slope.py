"""Slopes by hand, and when the levels are said to be wrong."""

import json
import math

import pytest
import torch

from noisygrpo.training.batch import Weighed
from noisygrpo.training.records.metrics import advantage_metrics
from noisygrpo.training.records.slope import (
    WINDOW,
    SlopeWatch,
    group_slopes,
    mean_and_error,
    slope_metrics,
)

GRID = [0.0, 0.2, 0.4, 0.6]


def weighed(rewards, levels=None, advantages=None, gain=None):
    rewards = torch.tensor(rewards)
    levels = torch.tensor(levels or [GRID] * len(rewards), dtype=torch.float64)
    advantages = torch.zeros_like(rewards) if advantages is None else torch.tensor(advantages)
    return Weighed(rewards, levels, advantages, rewards.isnan().flatten(), gain)


def slopes(*args):
    made = weighed(*args)
    return group_slopes(made.rewards, made.levels).tolist()


@pytest.mark.parametrize(
    ("rewards", "levels", "slope"),
    [
        ([1.0, 0.8, 0.6, 0.4], GRID, [-1.0]),
        ([1.0, 1.0, 1.0, 1.0], GRID, [0.0]),
        ([0.0, 0.0, 1.0, 1.0], GRID, [2.0]),
        ([1.0, math.nan, math.nan, 0.4], GRID, [-1.0]),  # unscorable ones are left out
        ([math.nan, 0.9, 0.7, math.nan], GRID, [-1.0]),
        ([1.0, math.nan, math.nan, math.nan], GRID, []),  # of one rollout there is none
        ([math.nan] * 4, GRID, []),
        ([1.0, 0.0, 1.0, 0.0], [0.3] * 4, []),  # nor of one level
        ([1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.5, 0.5], [0.0]),
        ([1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5], [-2.0]),
    ],
)
def test_slope_of_a_group(rewards, levels, slope):
    assert slopes([rewards], [levels]) == pytest.approx(slope, abs=1e-6)


def test_groups_are_the_unit():
    rewards = [[1.0, 0.8, 0.6, 0.4], [1.0, 1.0, 1.0, 1.0], [0.0, 0.6, 1.2, 1.8]]
    found = slope_metrics(torch.tensor(slopes(rewards)))
    assert found["noise/reward_slope"] == pytest.approx((-1 + 0 + 3) / 3, abs=1e-6)
    assert found["noise/reward_slope_stderr"] == pytest.approx(math.sqrt(13 / 3 / 3), abs=1e-6)
    assert slope_metrics(torch.tensor([])) == {}
    assert slope_metrics(torch.tensor([2.0])) == {"noise/reward_slope": 2.0}
    assert mean_and_error([1.0, 3.0]) == (2.0, 1.0)


def watch(tmp_path, batches):
    one = SlopeWatch(tmp_path)
    return [one.add(made, slopes(made.rewards.tolist())) for made in batches]


FALLS = [[1.0, 0.9, 0.5, 0.3], [1.0, 0.7, 0.5, 0.2]]
FLAT = [[1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 1.0, 0.0]]


def test_a_flat_slope_is_said_once(tmp_path):
    said = watch(tmp_path, [weighed(FLAT)] * (2 * WINDOW))
    assert [bool(lines) for lines in said].count(True) == 1
    (line,) = said[WINDOW - 1]
    assert "its slope over the level is +0.000 ± 0.000" in line
    assert not any(watch(tmp_path, [weighed(FALLS)] * (2 * WINDOW)))
    assert not any(watch(tmp_path, [weighed(FLAT)] * (WINDOW - 1)))


def test_a_blind_level_is_said_where_it_was_measured(tmp_path):
    blind = {"grey": {"reward": {"mean": 0.35}}, "no-picture": {"reward": {"mean": 0.3}}}
    (tmp_path / "levels.json").write_text(json.dumps({"blind": blind}))
    said = [line for lines in watch(tmp_path, [weighed(FALLS)] * WINDOW) for line in lines]
    assert len(said) == 1 and said[0].startswith("level 0.6 is blind: over the last 20 batches")
    assert "below the 0.350 without a picture" in said[0]


def test_runs_without_noise_say_nothing(tmp_path):
    clean = weighed(FLAT, [[0.0] * 4] * 2)
    one = SlopeWatch(tmp_path)
    assert not any(one.add(clean, []) for _ in range(2 * WINDOW))


def test_the_priors_share_of_the_mass():
    """One group of equal rewards with |A| 3 in all, one of unequal ones with 6."""
    rewards = [[1.0, 1.0, 1.0, 1.0], [1.0, 0.0, 1.0, 0.0]]
    advantages = [[1.0, 0.5, -0.5, -1.0], [2.0, -1.0, 1.0, -2.0]]
    made = weighed(rewards, None, advantages, torch.tensor([0.9, 0.1]))
    assert advantage_metrics(made)["advantage/prior_mass"] == pytest.approx(1 / 3)
    assert "advantage/prior_mass" not in advantage_metrics(weighed(rewards, None, advantages))
    none = weighed(rewards, None, [[0.0] * 4] * 2, torch.tensor([0.9, 0.1]))
    assert advantage_metrics(none)["advantage/prior_mass"] == 0
