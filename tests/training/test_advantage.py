"""From rewards to advantages in the trainer: TRL's numbers, knobs, what is correct, metrics."""

import pytest
import torch
from trl import GRPOConfig, GRPOTrainer

from noisygrpo.errors import UserError
from noisygrpo.methods.advantages import ADVANTAGES
from noisygrpo.training.advantage import knobs
from noisygrpo.training.batch import Weighed
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.records.metrics import advantage_metrics
from tiny import tiny_qwen25vl, tiny_rows, tiny_settings
from tiny_trainer import by_index, make


def wrong(completions, **columns):
    return [0.0] * len(completions)


def right(completions, **columns):
    return [1.0] * len(completions)


def format_reward(completions, **columns):
    return [1.0] * len(completions)


def opposite(rollout_index, **columns):
    return [float(index % 2 == 0) for index in rollout_index]


BAYESIAN = {"method": "noisygrpo", "constant_groups": "prior_if_correct"}


def weights_of(trainer, rows=2):
    inputs = [row for row in tiny_rows(rows) for _ in range(4)]
    return trainer._generate_and_score_completions(inputs)["advantages"]


@pytest.mark.parametrize(
    ("rewards", "changes", "dead"),
    [
        ((wrong, format_reward), {}, True),  # format alone is no answer
        ((format_reward, wrong), {}, True),
        ((right, format_reward), {}, False),
        ((right, wrong), {"correct_reward": "wrong"}, True),
        ((right, format_reward), {"correct_at": 1.5}, True),
        ((wrong, right), {"correct_reward": "right"}, False),
    ],
)
def test_the_prior_of_a_constant_group_is_for_correct_ones(tmp_path, rewards, changes, dead):
    advantages = weights_of(make(tmp_path, rewards=rewards, **BAYESIAN, **changes))
    assert bool((advantages == 0).all()) == dead
    if not dead:
        assert advantages[0] > advantages[3]  # the cleanest rollout first


def test_what_is_correct_is_said_where_it_is_a_choice_and_refused_where_it_is_not_there(
    tmp_path, caplog
):
    make(tmp_path / "a", rewards=(wrong, format_reward), **BAYESIAN)
    assert "correct_reward" not in caplog.text
    make(tmp_path / "b", rewards=(wrong, right), **BAYESIAN)
    assert "correct is what reward 'wrong' says (correct_reward)" in caplog.text
    with pytest.raises(UserError, match="correct_reward: 'accuracy' is not one of the rewards wro"):
        make(tmp_path / "c", rewards=(wrong, right), correct_reward="accuracy", **BAYESIAN)


def test_equal_sums_of_unequal_parts_keep_trls_numbers(tmp_path):
    """Each function normalised alone, weights 1 and .5: TRL's advantages, not 0."""
    changes = {"multi_objective_aggregation": "normalize_then_sum"}
    model, processor = tiny_qwen25vl()
    settings = tiny_settings(tmp_path, **changes)
    ours = make(tmp_path, rewards=(by_index, opposite), weights=[1.0, 0.5], **changes)
    known = {name: value for name, value in settings.items() if hasattr(GRPOConfig, name)}
    theirs = GRPOTrainer(
        model,
        [by_index, opposite],
        GRPOConfig(**known, reward_weights=[1.0, 0.5]),
        tiny_rows(6),
        processing_class=processor,
    )
    rows = [{**row, "rollout_index": n % 4} for n, row in enumerate(tiny_rows(8).select([0] * 8))]
    expected = theirs._generate_and_score_completions(rows)["advantages"]
    found = weights_of(ours)
    assert found.abs().min() > 0.5
    assert torch.allclose(found, expected, atol=1e-6)


def weighed(rewards, levels, result):
    lost = torch.zeros(rewards.numel(), dtype=torch.bool)
    return Weighed(rewards, levels, result.advantages, lost, result.gain)


def test_gain_counts_groups_with_a_prior():
    """Of a group with images (levels differ) and one without, only the first has a prior."""
    levels = torch.tensor([[0.0, 0.3, 0.6, 0.9], [0.0] * 4], dtype=torch.float64)
    rewards = torch.tensor([[0.0, 1.0, 0.0, 1.0], [1.0] * 4], dtype=torch.float64)
    result = ADVANTAGES["bayesian"](rewards, levels=levels)
    assert result.gain[1] == 0.0
    metrics = advantage_metrics(weighed(rewards, levels, result))
    variance = 1 / 3
    prior = 0.01 / (variance + 0.01)
    assert metrics["advantage/gain"] == pytest.approx(prior / (0.1 + prior))
    assert metrics["advantage/prior_driven"] == 0.0
    alone = ADVANTAGES["bayesian"](rewards[1:], levels=levels[1:])
    assert "advantage/gain" not in advantage_metrics(weighed(rewards[1:], levels[1:], alone))


def test_knobs_are_the_keywords_of_an_estimator(tmp_path):
    config = NoisyGRPOConfig(
        **tiny_settings(tmp_path, method="noisygrpo", bayes_alpha=0.2, bayes_r=0.7)
    )
    found = knobs(ADVANTAGES["bayesian"], config)
    assert found == {"alpha": 0.2, "r": 0.7, "constant_groups": "prior"}
    assert knobs(ADVANTAGES["dr_grpo"], config) == {}
