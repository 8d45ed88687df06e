"""Metrics of a step: sums of rewards, the clock, what the prior decided."""

import math

import pytest
import torch

from noisygrpo.training.records.metrics import (
    Clock,
    is_constant,
    total_rewards,
)
from tiny import tiny_rows
from tiny_trainer import make


def test_total_reward_leaves_out_what_could_not_be_scored():
    nan = math.nan
    parts = torch.tensor([[1.0, 2.0], [nan, 2.0], [nan, nan]])
    total = total_rewards(parts, torch.tensor([1.0, 0.5]))
    assert total[:2].tolist() == [2.0, 1.0] and math.isnan(total[2])
    groups = torch.tensor([[0.9, 0.9, nan], [0.9, 0.8, nan], [nan, nan, nan]])
    assert is_constant(groups).tolist() == [True, False, True]


def test_clock_accounts_for_the_whole_step():
    clock = Clock()
    clock.seconds = {"noise": 1, "generate": 4, "reward": 1, "rollout": 8, "step": 20}
    clock.tokens = 100
    metrics = clock.flush()
    assert metrics["time/score"] == 2 and metrics["time/update"] == 12
    assert metrics["tokens_per_second"] == 5
    assert clock.flush()["time/update"] == 0


@pytest.mark.parametrize("accumulation", [1, 2])
def test_the_first_step_is_measured_whole(tmp_path, accumulation):
    """The model comes in evaluation mode, and is put into the other within the first step."""
    changes = {"gradient_accumulation_steps": accumulation, "per_device_train_batch_size": 4}
    trainer = make(tmp_path, rows=tiny_rows(8), **changes)
    trainer.model.eval()
    trainer.train()
    for entry in trainer.state.log_history[:2]:
        spent = sum(value for name, value in entry.items() if name.startswith("time/"))
        assert entry["time/update"] > 0 and spent == pytest.approx(entry["step_time"], rel=0.5)


def test_prior_driven_counts_groups_without_reward_signal(tmp_path):
    def one_group_only(example_id, rollout_index, **columns):
        first = example_id[0]
        return [
            float(index == 0) if name == first else 1.0
            for name, index in zip(example_id, rollout_index, strict=True)
        ]

    trainer = make(tmp_path, rewards=(one_group_only,), method="noisygrpo", max_steps=1)
    trainer.train()
    entry = trainer.state.log_history[0]
    assert entry["advantage/prior_driven"] == 0.5
    assert entry["advantage/gain"] == pytest.approx((0.90909 + 0.27778) / 2, abs=1e-4)
