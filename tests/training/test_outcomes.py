"""None and UNSCORABLE in training: skipped, or out of the group and counted."""

import json
import logging

import pytest
import torch

from noisygrpo.rewards import UNSCORABLE
from noisygrpo.training.outcomes import settle
from tiny import tiny_rows
from tiny_trainer import make

NAN = float("nan")


def rewards_of(*rows):
    return torch.tensor(rows, dtype=torch.float32)


def test_none_is_skipped_and_unscorable_takes_the_rollout_out():
    given = rewards_of([UNSCORABLE, 1.0], [0.0, 1.0], [NAN, 1.0], [NAN, NAN])
    found, lost = settle(given, ["accuracy", "format"], 2, "skip", set())
    assert lost.tolist() == [True, False, False, False]
    assert found[0].isnan().all() and found[1].tolist() == [0.0, 1.0]
    assert found[2].isnan().tolist() == [True, False]


@pytest.mark.parametrize(
    ("missing", "values", "lost"),
    [
        ("skip", [1.0, NAN, 3.0, NAN], [False] * 4),
        ("zero", [1.0, 0.0, 3.0, NAN], [False] * 4),
        ("unscorable", [1.0, NAN, 3.0, NAN], [False, True, False, False]),
    ],
)
def test_a_function_that_applies_in_part_is_named_once(caplog, missing, values, lost):
    """In the first group it gives one of two; in the second, of another function, all or none."""
    given = rewards_of([1.0, 1.0], [NAN, 1.0], [3.0, NAN], [3.0, NAN])
    given = torch.stack((torch.tensor([1.0, NAN, 3.0, 3.0]), given[:, 1]), 1)
    named: set[str] = set()
    with caplog.at_level(logging.WARNING):
        found, out = settle(given, ["partly", "by_prompt"], 2, missing, named)
        settle(given, ["partly", "by_prompt"], 2, missing, named)
    assert out.tolist() == [*lost[:2], False, False]
    expected = values[1]
    assert found[1, 0].item() == expected or (found[1, 0].isnan() and expected != expected)
    assert named == {"partly"} and caplog.text.count("reward 'partly' gives None") == 1


def partly_lost(rollout_index, **columns):
    return [UNSCORABLE if index == 0 else float(index % 2) for index in rollout_index]


def whole(completions, **columns):
    return [1.0] * len(completions)


@pytest.mark.parametrize("method", ["grpo", "noisygrpo"])
def test_an_unscorable_rollout_is_worth_nothing_and_not_a_wrong_answer(tmp_path, method):
    trainer = make(tmp_path, rewards=(partly_lost, whole), method=method, max_steps=1)
    trainer.train()
    records = [json.loads(line) for line in (tmp_path / "rollouts.jsonl").read_text().splitlines()]
    lost = [record for record in records if record["rollout_index"] == 0]
    assert all(record["unscorable"] and record["reward"] is None for record in lost)
    assert all(record["advantage"] == 0 for record in lost)
    others = [record for record in records if record["rollout_index"] != 0]
    assert {record["reward"] for record in others} == {1.0, 2.0}  # the mean is of these three
    assert not any(record["unscorable"] for record in others)
    assert trainer.state.log_history[0]["advantage/unscorable"] == pytest.approx(0.25)


def test_a_reward_that_does_not_apply_is_no_loss(tmp_path):
    def never(completions, **columns):
        return [None] * len(completions)

    trainer = make(tmp_path, tiny_rows(2), rewards=(never, whole), max_steps=1)
    trainer.train()
    assert trainer.state.log_history[0]["advantage/unscorable"] == 0
    assert trainer.state.log_history[0]["advantage/no_reward"] == 0
    assert trainer.state.log_history[0]["reward"] == 1.0
