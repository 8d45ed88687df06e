"""What a run leaves behind: every rollout, and every metric of a step."""

import json
import math

import pytest
import torch

from noisygrpo.methods.advantages import bayesian_posterior
from tiny_trainer import by_index, length, make

METRICS = [
    "loss",
    "reward",
    "entropy",
    "num_tokens",
    "tokens_per_second",
    "advantage/gain",
    "advantage/unscorable",
    "advantage/prior_driven",
    "advantage/zero_groups",
    "rewards/by_index/mean",
    "rewards/length/mean",
    "completions/mean_length",
    "completions/clipped_ratio",
    "time/noise",
    "time/generate",
    "time/score",
    "time/reward",
    "time/update",
    "time/view_ratio",
    "step_time",
]


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def noisy_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("noisy")
    rewards, weights = (by_index, length), [1.0, 0.5]
    changes = {"method": "noisygrpo", "log_view_ratio": True, "max_steps": 3}
    make(folder, None, rewards, weights, None, **changes).train()
    return folder


def test_noisygrpo_run_leaves_rollouts(noisy_run):
    records = lines(noisy_run / "rollouts.jsonl")
    assert len(records) == 3 * 8
    assert [record["step"] for record in records] == [1] * 8 + [2] * 8 + [3] * 8
    for start in range(0, 24, 4):
        group = records[start : start + 4]
        assert len({record["example_id"] for record in group}) == 1
        assert [record["rollout_index"] for record in group] == [0, 1, 2, 3]
        assert [record["noise_level"] for record in group] == [0.0, 0.3, 0.6, 0.9]
        seeds = [seed for record in group for seed in record["noise_seed"]]
        assert len(seeds) == len(set(seeds)) == 3
        assert group[0]["prompt"][0]["content"].startswith("Question")
        reward = torch.tensor([[record["reward"] for record in group]])
        levels = torch.tensor([[record["noise_level"] for record in group]])
        expected = bayesian_posterior(reward, levels).advantages[0].tolist()
        assert [record["advantage"] for record in group] == pytest.approx(expected, abs=1e-6)
        for record in group:
            parts = record["rewards"]
            assert parts["by_index"] == record["rollout_index"] % 2
            assert record["reward"] == pytest.approx(parts["by_index"] + 0.5 * parts["length"])
            assert parts["length"] == pytest.approx(len(record["completion"]) / 10)


def test_noisygrpo_run_leaves_metrics(noisy_run):
    metrics = lines(noisy_run / "metrics.jsonl")
    assert [entry["step"] for entry in metrics] == [1, 2, 3, 3]
    for entry in metrics[:3]:
        for name in METRICS:
            assert math.isfinite(entry[name]), name
        at_level = {f"reward/level_{level}" for level in ("0.0", "0.3", "0.6", "0.9")}
        assert {name for name in entry if name.startswith("reward/level")} == at_level
        ratios = {f"view_ratio/token/level_{level}" for level in ("0.3", "0.6", "0.9")}
        assert {name for name in entry if name.startswith("view_ratio/token")} == ratios
        assert all(entry[name] != 0 for name in ratios)
        parts = (value for name, value in entry.items() if name.startswith("time/"))
        assert sum(parts) >= entry["step_time"]  # TRL's clock runs inside ours


def test_a_rollout_without_any_reward_is_counted_and_gets_no_advantage(tmp_path):
    def sometimes(rollout_index, **columns):
        return [None if index == 1 else float(index) for index in rollout_index]

    trainer = make(tmp_path, rewards=(sometimes,), method="noisygrpo", max_steps=1)
    trainer.train()
    assert trainer.state.log_history[0]["advantage/no_reward"] == 0.25
    assert trainer.state.log_history[0]["advantage/unscorable"] == 0
    for record in lines(tmp_path / "rollouts.jsonl"):
        if record["rollout_index"] == 1:
            assert record["reward"] is None and record["advantage"] == 0.0
