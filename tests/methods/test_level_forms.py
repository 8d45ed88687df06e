"""Advantages from what levels cost: numbers computed by hand, bounds, invariants."""

import math

import pytest
import torch

from noisygrpo.methods.advantages import ADVANTAGES, group_normalize
from noisygrpo.methods.level_forms import (
    level_baseline,
    luck_weights,
    shown_weights,
    slope_prior,
    spare_off_view,
)
from noisygrpo.methods.level_means import LevelMeans

NAN = float("nan")
LOG4 = math.log(4)
# .8 of 100 right on the clean picture, .3 of 100 at .5; offsets are the logs of 4 and 1/4.
MEANS = LevelMeans.of_rows({"0": [100, 80, 80, 9, LOG4], "50": [100, 30, 30, 9, -LOG4]})
SURE = 1 - 4 * 37 / 198 / 12.5  # phi, .940202
LEVELS = (0.0, 0.0, 0.5, 0.5)


def tensor(*rows):
    return torch.tensor(rows, dtype=torch.float64)


def close(found, *rows):
    torch.testing.assert_close(found, tensor(*rows), atol=5e-6, rtol=0)


@pytest.mark.parametrize(
    ("rewards", "expected"),
    [
        # b = (.8, .8, .2, .2); u - b over .577350 + 1e-4
        ((1, 0, 1, 0), (0.346350, -1.385402, 1.385402, -0.346350)),
        # b = (.951138, .951138, .548862, .548862), std .5
        ((2, 2, 1, 2), (0.097704, 0.097704, -1.097505, 0.902096)),
        # the same with a spread of 10: eps weighs a tenth
        ((20, 20, 10, 20), (0.097722, 0.097722, -1.097702, 0.902258)),
        ((1, 1, 1, 1), (0, 0, 0, 0)),
    ],
)
def test_level_baseline_golden_values(rewards, expected):
    close(level_baseline(tensor(rewards), tensor(LEVELS), MEANS), expected)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        # z = .5 / .577450 = .865876; c = phi .25 / .577450 = .407049
        ({}, (1.272925, -0.865876, 0.458827, -0.865876)),
        ({"sides": "both"}, (1.272925, -0.458827, 0.458827, -1.272925)),
        ({"strength": 5.0}, (0.865876 + 5 * 0.407049, -0.865876, 0, -0.865876)),
        ({"strength": 0.0}, (0.865876, -0.865876, 0.865876, -0.865876)),
    ],
)
def test_slope_prior_golden_values(options, expected):
    close(slope_prior(tensor((1, 0, 1, 0)), tensor(LEVELS), MEANS, **options), expected)


def test_shown_weights_golden_values():
    levels = tensor((0, 0.25, 0.5, 0.9))
    close(shown_weights(levels, MEANS), (1, 1 - SURE / 2, 1 - SURE, 1 - SURE))
    left = (1, 1 - SURE / 3, 1 - SURE * 2 / 3, 1 - SURE * 2 / 3)
    close(shown_weights(levels, MEANS, blind=0.05), left)
    assert (shown_weights(levels, MEANS, blind=0.8) == 1).all()  # the picture is worth nothing


def test_luck_weights_golden_values():
    rewards = tensor((1, 1, 0, 0), (1, 0, 1, 0), (0, 0, 1, 1), (1, 0, 0, 1))
    levels = tensor(LEVELS, LEVELS, LEVELS, (0.5, 0.5, 0.5, 0.5))
    found = luck_weights(rewards, levels, MEANS)
    close(found[None], (1, 1 - SURE * 2 / 3, 1 - SURE, 1))
    half = luck_weights(rewards, levels, MEANS, least=0.5)
    close(half[None], (1, 1 - SURE / 3, 1 - SURE / 2, 1))
    assert (luck_weights(rewards, levels, MEANS, least=1.0) == 1).all()


def test_spared_negatives():
    advantages, levels = tensor((-1, 1, -1, -0.1, 0.7)), tensor((0, 0.5, 0.5, 1e-3, 1.0))
    assert spare_off_view(advantages, levels).tolist() == [[-1, 1, 0, 0, 0.7]]
    assert spare_off_view(advantages, levels, "clip", 0.5).tolist() == [[-1, 1, -0.5, -0.1, 0.7]]
    assert spare_off_view(advantages, levels, "keep") is advantages


ESTIMATORS = {"level_baseline": level_baseline, "slope_prior": slope_prior}


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_without_noise_or_history_it_is_grpo(name, dtype):
    rewards = tensor((1, 0, 0.5, 2), (1, 1, 1, 1), (0.1, 0, NAN, 0)).to(dtype)
    clean, noisy = torch.zeros_like(rewards), tensor(LEVELS).expand(3, 4)
    for levels, means in ((clean, MEANS), (clean + 0.3, MEANS), (noisy, None)):
        found = ADVANTAGES[name](rewards, levels=levels, means=means).advantages
        assert torch.equal(found, group_normalize(rewards)) and found.dtype == dtype
    first = ADVANTAGES[name](rewards, levels=noisy, means=LevelMeans()).advantages
    torch.testing.assert_close(first, group_normalize(rewards), atol=1e-6, rtol=0)
    assert (shown_weights(noisy, LevelMeans()) == 1).all()
    assert (luck_weights(rewards, noisy, LevelMeans()) == 1).all()


def random_batch():
    generator = torch.Generator().manual_seed(3)
    rewards = torch.rand(300, 6, generator=generator, dtype=torch.float64).mul(4).round() / 4
    rewards[::2] = rewards[::2].round()
    rewards[::7, 2] = NAN
    levels = torch.rand(300, 6, generator=generator, dtype=torch.float64)
    return rewards, levels.masked_fill(levels < 0.3, 0.0)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_no_sign_is_turned_and_nothing_is_large(name):
    rewards, levels = random_batch()
    found, plain = ESTIMATORS[name](rewards, levels, MEANS), group_normalize(rewards)
    best = rewards == rewards.nan_to_num(-9).amax(1, keepdim=True)
    worst = rewards == rewards.nan_to_num(9).amin(1, keepdim=True)
    assert (found[best] >= 0).all() and (found[worst] <= 0).all()
    assert (found[rewards.isnan()] == 0).all() and found.isfinite().all()
    constant = (best | worst | rewards.isnan()).all(1) & ((plain == 0).all(1))
    assert constant.any() and (found[constant] == 0).all()
    if name == "slope_prior":
        assert (found * plain >= 0).all() and ((found - plain).abs() <= 1).all()
        assert torch.equal(found[plain < 0], plain[plain < 0])
    assert (found - plain).abs().max() > 0.3  # it does something


@pytest.mark.parametrize("name", ESTIMATORS)
def test_groups_and_places_do_not_matter(name):
    rewards, levels = random_batch()
    order, estimate = torch.tensor([4, 2, 0, 5, 1, 3]), ESTIMATORS[name]
    found = estimate(rewards, levels, MEANS)
    moved = estimate(rewards[:, order], levels[:, order], MEANS)
    torch.testing.assert_close(moved, found[:, order], atol=1e-12, rtol=0)
    alone = estimate(rewards[8:9], levels[8:9], MEANS)
    torch.testing.assert_close(alone, found[8:9], atol=1e-12, rtol=0)
    lucky = luck_weights(rewards, levels, MEANS)
    torch.testing.assert_close(luck_weights(rewards[:, order], levels[:, order], MEANS), lucky)
    assert lucky.min() >= 0 and lucky.max() == 1 and lucky.min() < 0.5


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_unscorable_completion_drops_out(name):
    found = ESTIMATORS[name](tensor((1, NAN, 0, 1, 0)), tensor((0, 0.9, 0, 0.5, 0.5)), MEANS)
    expected = ESTIMATORS[name](tensor((1, 0, 1, 0)), tensor(LEVELS), MEANS)
    assert found[0, 1] == 0
    torch.testing.assert_close(found[:, [0, 2, 3, 4]], expected)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: level_baseline(s, s[:, :1]), r"levels have shape \(1, 1\), rewards \(1, 2\)"),
        (lambda s: slope_prior(s, s[:, :1]), "levels have shape"),
        (lambda s: luck_weights(s, s[:, :1], MEANS), "levels have shape"),
        (lambda s: slope_prior(s, s, sides="left"), "sides 'left' is not one of right, both"),
        (lambda s: slope_prior(s, s, strength=-1), "strength -1 must be at least 0"),
        (lambda s: slope_prior(s, s, strength=NAN), "strength nan must be at least 0"),
        (lambda s: slope_prior(s, s, strength=math.inf), "strength inf must be at least 0 and fin"),
        (lambda s: level_baseline(s, s, eps=-1.0), "eps -1.0 must be at least 0 and finite"),
        (lambda s: ADVANTAGES["reinforce++"](s, eps=NAN), "eps nan must be at least 0 and finite"),
        (lambda s: luck_weights(s, s, MEANS, least=2), r"least 2 must be in \[0, 1\]"),
        (lambda s: spare_off_view(s, s, "drop"), "how 'drop' is not one of keep, zero, clip"),
        (lambda s: spare_off_view(s, s, "clip", -1), "limit -1 must be at least 0"),
        (lambda s: ADVANTAGES["level_baseline"](s), "level_baseline advantage needs levels"),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call(tensor((1, 0)))
