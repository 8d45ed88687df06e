"""What levels make of a batch's advantages: composed, logged, off without a trace."""

from types import SimpleNamespace

import pytest
import torch

from noisygrpo.methods.advantages import ADVANTAGES, group_normalize
from noisygrpo.methods.level_means import LevelMeans
from noisygrpo.training.batch import Weighed
from noisygrpo.training.levels.forms import formed
from noisygrpo.training.levels.history import NAME, LevelHistory

MEANS = LevelMeans.of_rows({"0": [100, 80, 80, 9, 1.4], "50": [100, 30, 30, 9, -1.4]})
SURE = 1 - 4 * 37 / 198 / 12.5
OFF = {
    "noisy": True,
    "advantage": "grpo",
    "level_weight": "none",
    "blind_reward": None,
    "luck_weight": 1.0,
    "off_view_negatives": "keep",
    "off_view_limit": None,
    "view_plan": "grid",
    "noise_decay": "none",
    "noise_levels": [0.0, 0.5],
}


def tensor(*rows):
    return torch.tensor(rows, dtype=torch.float64)


def batch(name="grpo"):
    """Two groups: the picture helps the first; the second is right blind as often."""
    rewards = tensor((1, 1, 0, 0), (1, 0, 0, 1))
    levels = tensor((0, 0, 0.5, 0.5), (0, 0, 0.5, 0.5))
    result = ADVANTAGES[name](rewards, levels=levels)
    return Weighed(rewards, levels, result.advantages.float(), torch.zeros(8).bool(), result.gain)


def shape(weighed, means=MEANS, **changes):
    settings = SimpleNamespace(**{**OFF, **changes})
    return formed(weighed, weighed.rewards == 1, means, settings)


def test_off_it_leaves_the_very_numbers_and_logs_levels():
    weighed = batch()
    found = shape(weighed)
    assert found.advantages is weighed.advantages
    z = 0.5 / (3**-0.5 + 1e-4)
    assert found.metrics == pytest.approx(
        {
            "advantage/mean/level_0.0": z / 2,
            "advantage/mean/level_0.5": -z / 2,
            "advantage/right_mean/level_0.0": z,
            "advantage/right_mean/level_0.5": z,
            "advantage/wrong_mean/level_0.0": -z,
            "advantage/wrong_mean/level_0.5": -z,
            "level/reward/level_0.0": 0.8,
            "level/reward/level_0.5": 0.3,
            "level/offset/level_0.0": 1.4,
            "level/offset/level_0.5": -1.4,
            "level/certainty": SURE,
            "advantage/level_driven": 0.0,
        }
    )
    clean = shape(weighed, noisy=False)
    assert clean is weighed and clean.metrics == {}


def test_weights_multiply_and_negatives_are_spared_last():
    weighed = batch()
    settings = {"level_weight": "shown", "luck_weight": 0.4, "off_view_negatives": "zero"}
    found = shape(weighed, **settings)
    w = tensor((1, 1, 1 - SURE, 1 - SURE))
    v = tensor((1,), (1 - SURE * 0.6 * 2 / 3,))  # d = 0: a third of what is expected
    weights = (group_normalize(weighed.rewards) * w * v).float()
    expected = torch.where(weighed.levels > 0, weights.clamp(min=0), weights)
    torch.testing.assert_close(found.advantages, expected)
    assert found.metrics["level/weight/level_0.5"] == pytest.approx(1 - SURE)
    assert found.metrics["level/luck_weight"] == pytest.approx(float(v.mean()))
    lost = (weights - expected).abs().sum()
    share = float(lost / (lost + expected.abs().sum()))
    assert found.metrics["advantage/spared"] == pytest.approx(share, abs=1e-6)
    moved = (expected - group_normalize(weighed.rewards)).abs().sum()
    driven = float(moved / (moved + group_normalize(weighed.rewards).abs().sum()))
    assert found.metrics["advantage/level_driven"] == pytest.approx(driven, abs=1e-6)


@pytest.mark.parametrize(("limit", "least"), [(None, -0.25), (0.1, -0.1)])
def test_negatives_are_bounded_where_noise_was_seen(limit, least):
    found = shape(batch(), off_view_negatives="clip", off_view_limit=limit).advantages
    torch.testing.assert_close(found.min(1).values, torch.tensor([least, -0.8658759]))
    assert found[0, 2] == found[0, 3] == pytest.approx(least)


def test_what_levels_drive_is_measured_from_grpo_where_the_estimator_looks_at_them():
    weighed = batch("bayesian")
    found = shape(weighed, advantage="bayesian").metrics["advantage/level_driven"]
    plain = group_normalize(weighed.rewards)
    moved = (weighed.advantages - plain).abs().sum()
    assert found == pytest.approx(float(moved / (moved + plain.abs().sum())), abs=1e-6)
    assert found > 0.1


def test_history_is_of_the_batches_before_and_inside_one_of_those_before_it():
    history, state = LevelHistory(memory=2), SimpleNamespace(stateful_callbacks={})
    history.take(batch())
    one = history.means
    history.take(batch())
    history.save(state, inside=True)
    again = LevelHistory(memory=2)
    again.on_train_begin(None, state, None)
    assert torch.equal(again.means.table, one.table)
    history.save(state, inside=False)
    again.on_train_begin(None, state, None)
    assert torch.equal(again.means.table, history.means.table)
    assert history.means.table[0, 0] == 4 + 4 / 2
    again.on_train_begin(None, SimpleNamespace(stateful_callbacks={}), None)  # an earlier release's
    assert again.means.table.abs().max() == 0 and NAME in state.stateful_callbacks
