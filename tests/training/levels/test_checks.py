"""Settings of rewards by level: what is taken, and what is refused by name."""

from types import SimpleNamespace

import pytest
import torch

from noisygrpo.errors import UserError
from noisygrpo.methods.advantages import ADVANTAGES
from noisygrpo.methods.level_means import LevelMeans
from noisygrpo.own.choice import FROM_LEVELS, OF_THE_MEANS
from noisygrpo.own.resolve import resolved, takes
from noisygrpo.runs.console import views_line
from noisygrpo.training.config import NoisyGRPOConfig

NOISY = {"view_plan": "grid", "noise_levels": [0.0, 0.5]}
ONE = {"view_plan": "split", "clean_rollouts": 0, "noise_levels": [0.5]}


def config(tmp_path, **settings):
    batch = {"num_generations": 4, "per_device_train_batch_size": 8, "use_cpu": True}
    return NoisyGRPOConfig(str(tmp_path), **{"report_to": [], "bf16": False, **batch, **settings})


@pytest.mark.parametrize(
    "settings",
    [
        {**NOISY, "advantage": "level_baseline", "level_memory": 5},
        {**NOISY, "advantage": {"name": "slope_prior", "strength": 0.5, "sides": "both"}},
        {**NOISY, "level_weight": "shown", "blind_reward": -0.5},
        {**NOISY, "luck_weight": 0.0, "level_memory": 1},
        {**NOISY, "off_view_negatives": "clip", "off_view_limit": 1},
        {**NOISY, "off_view_negatives": "zero", "score_view": "all"},
        {**ONE, "off_view_negatives": "zero"},
        {"method": "noisygrpo", "off_view_negatives": "zero", "level_weight": "shown"},
        {"method": "noisyrollout", "advantage": "level_baseline", "luck_weight": 0.5},
        {"view_plan": "uniform", "advantage": "level_baseline", "groups": "refill"},
    ],
)
def test_settings_that_work(tmp_path, settings):
    config(tmp_path, **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"advantage": "level_baseline"}, "advantage: level_baseline compares different noise lev"),
        ({"advantage": "slope_prior"}, "advantage: slope_prior compares different noise levels"),
        ({**ONE, "advantage": "level_baseline"}, "gives all 4 rollouts of a group one"),
        ({**ONE, "level_weight": "shown"}, "level_weight: shown compares different noise levels"),
        ({**ONE, "luck_weight": 0.5}, "luck_weight: 0.5 compares different noise levels"),
        ({"level_weight": "shown"}, "level_weight: 'shown' has no effect with view_plan 'clean'"),
        ({"luck_weight": 0.5}, "luck_weight: 0.5 has no effect with view_plan 'clean'"),
        ({"off_view_negatives": "zero"}, "off_view_negatives: 'zero' has no effect with view_plan"),
        ({**NOISY, "level_memory": 5}, "level_memory: 5 has no effect with advantage 'grpo'"),
        ({**NOISY, "blind_reward": 0.3}, "blind_reward: 0.3 has no effect with level_weight 'none"),
        (
            {**NOISY, "off_view_negatives": "zero", "off_view_limit": 0.1},
            "off_view_limit: 0.1 has no effect with off_view_negatives 'zero'",
        ),
        (
            {**NOISY, "off_view_negatives": "zero", "score_view": "own"},
            "off_view_negatives: 'zero' has no effect with score_view 'own'",
        ),
        ({**NOISY, "off_view_negatives": "drop"}, "'drop' is not one of keep, zero, clip"),
        ({**NOISY, "level_weight": "blind"}, "level_weight: 'blind' is not one of none, shown"),
        ({**NOISY, "luck_weight": 1.5}, "luck_weight: 1.5, allowed is at least 0 and at most 1"),
        ({**NOISY, "luck_weight": float("nan")}, "luck_weight: nan, allowed is"),
        ({**NOISY, "advantage": "level_baseline", "level_memory": 0}, "level_memory: 0, allowed"),
        ({**NOISY, "off_view_negatives": "clip", "off_view_limit": 0.0}, "off_view_limit: 0.0, al"),
        ({**NOISY, "advantage": {"name": "slope_prior", "strength": -1}}, "strength -1 must be at"),
        ({**NOISY, "advantage": {"name": "slope_prior", "sides": "up"}}, "sides 'up' is not one"),
        (
            {**NOISY, "advantage": {"name": "slope_prior", "means": 1}},
            "advantage: slope_prior has no knob 'means'",
        ),
        (
            {**NOISY, "advantage": {"name": "level_baseline", "strength": 1}},
            "advantage: level_baseline has no knob 'strength'",
        ),
    ],
)
def test_settings_that_are_refused(tmp_path, settings, message):
    with pytest.raises(UserError) as caught:
        config(tmp_path, **settings)
    assert message in str(caught.value)


def test_an_advantage_of_ones_own_is_told_what_levels_earned(tmp_path):
    def above(rewards, levels, means, *, power=1.0):
        return rewards - means.curve(levels).nan_to_num(0.5) ** power

    made = config(tmp_path, **NOISY, advantage={"name": above, "power": 2.0})
    rewards = torch.tensor([[1.0, 0.0, 1.0, 0.0], [0.0, float("nan"), 0.0, 0.0]]).double()
    levels = torch.tensor([[0.0, 0.0, 0.5, 0.5]] * 2).double()
    means = LevelMeans.of_rows({"0": [10, 8, 8, 0, 0], "50": [10, 3, 3, 0, 0]})
    found = resolved(made, "advantage")(rewards, levels=levels, means=means).advantages
    expected = [[0.36, -0.64, 0.91, -0.09], [-0.64, 0.0, -0.09, -0.09]]
    torch.testing.assert_close(found, torch.tensor(expected).double())


def test_what_is_on_is_said_when_a_run_begins(tmp_path):
    limits = SimpleNamespace(image_processor=SimpleNamespace(size={}))
    settings = {"advantage": "level_baseline", "level_weight": "shown", "luck_weight": 0.25}
    said = views_line(config(tmp_path, **NOISY, **settings, noise_at="file"), limits)
    assert said.endswith("; advantage level_baseline; level_weight shown; luck_weight 0.25")
    assert views_line(config(tmp_path, **NOISY, noise_at="file"), limits).endswith("advantage grpo")


def test_the_names_that_need_levels_are_those_that_take_means_and_the_published_one():
    assert set(OF_THE_MEANS) == {name for name, one in ADVANTAGES.items() if takes(one, "means")}
    assert ("bayesian", *OF_THE_MEANS) == FROM_LEVELS
