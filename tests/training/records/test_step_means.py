"""What is logged of a step is the mean over its tokens, however the step was split."""

import math

import pytest
import torch

from noisygrpo.training.records.step_means import StepMeans, weighted_mean


def taken(means, batches):
    """Let TRL add each micro-batch's metrics, and take them out again."""
    metrics = {"reward": [1.0]} | {name: [9.0] for name in batches[0][0]}  # of an earlier step
    for values, mask in batches:
        for name, value in values.items():
            metrics.setdefault(name, []).append(value)
        means.take(metrics, {"completion_mask": torch.tensor(mask)})
    assert metrics == {"reward": [1.0]} | {name: [9.0] for name in batches[0][0]}
    return means.flush(lambda tokens: tokens)


SHORT, LONG = [[1, 0, 0], [1, 0, 0]], [[1, 1, 1], [1, 1, 1]]


def test_tokens_weigh_alike_wherever_they_are():
    means = StepMeans(sequences=False)
    values = {"kl": 1.0, "entropy": 4.0, "clip_ratio/low_mean": 0.5}
    other = {"kl": 5.0, "entropy": 0.0, "clip_ratio/low_mean": 0.1}
    found = taken(means, [(values, SHORT), (other, LONG)])
    # two tokens of one micro-batch, six of the other
    assert found == pytest.approx({"kl": 4.0, "entropy": 1.0, "clip_ratio/low_mean": 0.2})
    assert means.flush(lambda tokens: tokens) == {}


def test_least_and_greatest_are_those_of_the_step():
    low, high = "clip_ratio/low_min", "clip_ratio/high_max"
    batches = [({low: 0.2, high: math.nan}, SHORT), ({low: math.nan, high: 0.3}, LONG),
               ({low: 0.1, high: 0.6}, LONG)]  # fmt: skip
    assert taken(StepMeans(sequences=False), batches) == {low: 0.1, high: 0.6}
    nothing = taken(StepMeans(sequences=False), [({low: math.nan}, SHORT)])
    assert math.isnan(nothing[low])


def test_clipping_by_completion_counts_completions():
    values = [({"clip_ratio/low_mean": 1.0, "kl": 1.0}, SHORT),
              ({"clip_ratio/low_mean": 0.0, "kl": 0.0}, LONG)]  # fmt: skip
    found = taken(StepMeans(sequences=True), values)
    assert found == pytest.approx({"clip_ratio/low_mean": 0.5, "kl": 0.25})


def test_what_a_tool_said_is_no_token_of_the_model():
    means = StepMeans(sequences=False)
    mask = torch.ones(1, 4, dtype=torch.int)
    means.take({"kl": [1.0]}, {"completion_mask": mask, "tool_mask": torch.tensor([[1, 0, 0, 0]])})
    means.take({"kl": [4.0]}, {"completion_mask": mask, "tool_mask": torch.tensor([[1, 0, 1, 0]])})
    assert means.flush(lambda tokens: tokens) == pytest.approx({"kl": 3.0})


def test_tokens_are_those_of_all_processes():
    means = StepMeans(sequences=False)
    for value in (1.0, 4.0):
        means.take({"kl": [value]}, {"completion_mask": torch.tensor([[1, 1]])})
    added = means.flush(lambda tokens: tokens + torch.tensor([2.0, 0.0]))
    assert added == pytest.approx({"kl": 2.0})


def test_one_mean_is_itself_to_the_bit():
    assert weighted_mean([0.1], [3.0]) == 0.1
    assert weighted_mean([0.1, 0.3], [0.0, 0.0]) == 0.1  # no token anywhere
