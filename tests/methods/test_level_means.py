"""Running means by level: numbers computed by hand, and what must not change them."""

import json
import math

import pytest
import torch

from noisygrpo.methods.level_forms import level_baseline
from noisygrpo.methods.level_means import LevelMeans, bins, expected_share

NAN = float("nan")


def tensor(*rows):
    return torch.tensor(rows, dtype=torch.float64)


def test_only_a_clean_rollout_is_in_the_first_bin():
    levels = tensor((0.0, 1e-6, 0.004, 0.016, 0.415, 0.439, 1.0))
    assert bins(levels).tolist() == [[0, 1, 1, 2, 42, 44, 100]]


def test_expected_shares_by_hand():
    """4x/(1 + 4x) + x/(4 + x) = 3/2 has x = 4.866465; offsets are the logs of 4 and 1/4."""
    offsets = tensor((math.log(4), math.log(4), -math.log(4), -math.log(4)))
    mask = torch.ones(1, 4, dtype=torch.bool)
    even = expected_share(tensor((1, 0, 1, 0)), offsets, mask)
    torch.testing.assert_close(even, tensor((0.8, 0.8, 0.2, 0.2)), atol=1e-12, rtol=0)
    easy = expected_share(tensor((1, 1, 0, 1)), offsets, mask)
    expected = tensor((0.951138, 0.951138, 0.548862, 0.548862))
    torch.testing.assert_close(easy, expected, atol=5e-7, rtol=0)
    moved = expected_share(tensor((1, 1, 0, 1)), offsets + 17.0, mask)  # up to a constant
    torch.testing.assert_close(moved, easy, atol=1e-12, rtol=0)


def test_one_batch_by_hand():
    """Two groups, of which the first differs: h = sqrt 2, b = 1/2, step = .70711 / 4.35355."""
    means = LevelMeans().after(tensor((1, 0), (1, 1)), tensor((0, 0.5), (0, 0.5)))
    expected = tensor(
        (2, 2, 2, 2**-1.5, 2**-0.5 / (2**-1.5 + 4)), (2, 1, 1, 2**-1.5, -(2**-0.5) / (2**-1.5 + 4))
    )
    torch.testing.assert_close(means.table[[0, 50]], expected, atol=1e-12, rtol=0)
    assert means.table[0, 4].item() == pytest.approx(0.162421, abs=1e-6)
    assert means.curve(tensor((0.0, 0.25, 0.5, 0.9))).tolist() == [[1.0, 0.75, 0.5, 0.5]]
    assert means.slope() == pytest.approx((-1.0, 1.0))
    assert means.certainty() == 0.0  # below two standard errors
    assert means.ends() == (1.0, 0.5)


def test_older_batches_weigh_less():
    rewards, levels = tensor((1, 0), (1, 1)), tensor((0, 0.5), (0, 0.5))
    means = LevelMeans().after(rewards, levels, memory=2).after(rewards[:, [1, 1]], levels, 2)
    torch.testing.assert_close(means.table[0, :3], torch.tensor([3.0, 2.0, 2.0]).double())
    alone = LevelMeans().after(rewards, levels, memory=1).after(rewards[:1], levels[:1], memory=1)
    assert alone.table[[0, 50], 0].tolist() == [1.0, 1.0]


def test_certainty_by_hand():
    """.8 of 100 right on the clean picture, .3 of 100 at .5: slope -1, error^2 37/198/12.5."""
    means = LevelMeans.of_rows({"0": [100, 80, 80, 0, 0], "50": [100, 30, 30, 0, 0]})
    slope, error = means.slope()
    assert (slope, error**2) == pytest.approx((-1.0, 37 / 198 / 12.5))
    assert means.certainty() == pytest.approx(0.940202, abs=1e-6)
    upwards = LevelMeans.of_rows({"0": [100, 30, 30, 0, 0], "50": [100, 80, 80, 0, 0]})
    assert upwards.certainty() == 0.0
    assert upwards.curve(tensor((0.0, 0.5))).tolist() == [[0.55, 0.55]]  # noise never helps


def test_nothing_is_known_at_the_beginning():
    means = LevelMeans()
    assert means.curve(tensor((0.0, 0.5))).isnan().all()
    assert means.offset(tensor((0.0, 0.5))).tolist() == [[0.0, 0.0]]
    assert means.certainty() == 0.0 and math.isnan(means.slope()[0]) and math.isnan(means.ends()[0])
    with pytest.raises(ValueError, match=r"memory 0.5 must be at least 1 batch"):
        means.after(tensor((1, 0)), tensor((0, 0.5)), memory=0.5)


def test_groups_that_say_nothing_of_levels_move_no_offset():
    equal, one_level = tensor((1, 1, 1)), tensor((1, 0, 1))
    means = LevelMeans().after(equal, tensor((0, 0.3, 0.6)))
    means = means.after(one_level, tensor((0.3, 0.3, 0.3)))
    means = means.after(tensor((NAN, NAN, 1)), tensor((0, 0.3, 0.6)))
    assert means.table[:, 3:].abs().max() == 0
    assert means.table[[0, 30, 60], 0].tolist() == pytest.approx([0.9025, 3.7525, 1.9025])


def test_order_within_groups_and_a_stop_in_between_change_nothing():
    generator = torch.Generator().manual_seed(1)
    levels = tensor((0, 0, 0.3, 0.3, 0.6, 0.6)).expand(5, 6)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    one, other = LevelMeans(), LevelMeans()
    for _ in range(4):
        rewards = torch.rand(5, 6, generator=generator, dtype=torch.float64).round()
        one = one.after(rewards, levels)
        other = LevelMeans.of_rows(json.loads(json.dumps(other.rows())))
        other = other.after(rewards[:, order], levels[:, order])
    torch.testing.assert_close(one.table, other.table, atol=1e-14, rtol=0)
    assert torch.equal(LevelMeans.of_rows(json.loads(json.dumps(one.rows()))).table, one.table)


def drawn(generator, groups, levels, odds):
    """Rewards of questions of many eases under the Rasch model itself."""
    ease = 1.5 * torch.randn(groups, 1, generator=generator, dtype=torch.float64)
    chance = torch.sigmoid(ease + odds)
    return (torch.rand(chance.shape, generator=generator, dtype=torch.float64) < chance).double()


def test_offsets_are_found_and_no_level_is_blamed():
    """GRPO's mean advantage is +.72 on the clean picture and -.82 at the noisiest level."""
    generator = torch.Generator().manual_seed(0)
    odds = tensor((2, 2, 1, 1, -1, -1, -3, -3))
    levels = tensor((0, 0, 0.35, 0.35, 0.45, 0.45, 0.55, 0.55)).expand(64, 8)
    means = LevelMeans()
    for _ in range(60):
        means = means.after(drawn(generator, 64, levels, odds), levels)
    offsets = means.offset(tensor((0, 0.35, 0.45, 0.55)))[0]
    torch.testing.assert_close(
        offsets - offsets[0], tensor((0, -1, -3, -5))[0], atol=0.35, rtol=0.2
    )
    rewards = drawn(generator, 4000, levels, odds)
    by_level = level_baseline(rewards, levels[:1].expand(4000, 8), means).mean(0).view(4, 2).mean(1)
    assert by_level.abs().max() < 0.05
