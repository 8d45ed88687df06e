"""What a reward function does to a run: its line, its rollouts, and nothing else."""

import asyncio
import json
import logging
import os
import time

import pytest

from noisygrpo.rewards import UNSCORABLE
from noisygrpo.rewards.guard import RewardError
from noisygrpo.training import asking
from tiny_trainer import by_index, length, make


def rollouts(folder):
    return [json.loads(line) for line in (folder / "rollouts.jsonl").read_text().splitlines()]


def from_step(step, function):
    """A function that does something else from a step on."""

    def mine(completions, trainer_state, **columns):
        if trainer_state.global_step + 1 >= step:
            return function(completions)
        return [1.0] * len(completions)

    return mine


def raising(completions):
    raise ValueError("no judge answers")


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (raising, "raises ValueError: no judge answers (test_asking.py:"),
        (lambda completions: time.sleep(60), "is not done after reward_time_limit 0.5 s"),
        (lambda completions: os._exit(0), "asks the process to exit: os._exit(0)"),
        (lambda completions: [1.0], "returned 1 values for 8 completions"),
        (lambda completions: ["x"] * 8, "returned 'x', expected a number"),
    ],
)
def test_a_failure_stops_the_run_and_its_rollouts_are_kept(tmp_path, function, said):
    trainer = make(
        tmp_path, rewards=(length, from_step(2, function)), max_steps=3, reward_time_limit=0.5
    )
    with pytest.raises(RewardError) as found:
        trainer.train()
    line = str(found.value)
    assert line.startswith("reward 'mine', step 2, row 'row-") and said in line
    assert line.endswith(f"the batch's rollouts are in {tmp_path}")
    lines = rollouts(tmp_path)
    assert [line["step"] for line in lines] == [1] * 8 + [2] * 8
    assert all(line["completion_tokens"] and line["unscorable"] for line in lines[8:])
    assert trainer.state.global_step == 1


async def blocks(completions, **columns):
    time.sleep(1.5)  # and no await: its loop cannot be told that time is over
    return [1.0] * len(completions)


async def waits(completions, **columns):
    await asyncio.sleep(60)
    return [1.0] * len(completions)


@pytest.mark.parametrize(
    ("function", "said"),
    [(blocks, "an async function blocks its loop"), (waits, "is not done after reward_time_limit")],
)
def test_an_async_function_has_the_same_limit(tmp_path, monkeypatch, function, said):
    monkeypatch.setattr(asking, "GRACE", 0.2)
    trainer = make(tmp_path, rewards=(by_index, function), max_steps=1, reward_time_limit=0.3)
    started = time.monotonic()
    with pytest.raises(RewardError, match=said):
        trainer.train()
    assert time.monotonic() - started < 30 and len(rollouts(tmp_path)) == 8
    time.sleep(1.5 if function is blocks else 0)  # else the loop ends in the middle of the sleep


def test_the_log_has_what_was_said_and_not_what_a_reward_made_of_it(tmp_path):
    def rude(prompts, completions, answer, **columns):
        for turns in completions:
            turns[0]["content"] = "edited"
        prompts[0][0]["content"] = answer[0] = "edited"
        return [1.0] * len(completions)

    make(tmp_path, rewards=(rude, length), max_steps=1).train()
    assert not any("edited" in json.dumps(line) for line in rollouts(tmp_path))


@pytest.mark.parametrize(
    ("value", "gave"), [(None, "was None"), (UNSCORABLE, "could not be found out")]
)
def test_nothing_for_all_is_named_once_and_stops_a_run_in_time(tmp_path, caplog, value, gave):
    def mine(completions, **columns):
        return [value] * len(completions)

    trainer = make(tmp_path, rewards=(mine,), max_steps=8)
    with caplog.at_level(logging.WARNING), pytest.raises(RewardError) as found:
        trainer.train()
    assert trainer.state.global_step == 4
    assert f"step 5: what 'mine' gave every completion {gave}, in 5 batches" in str(found.value)
    said = [record.getMessage() for record in caplog.records]
    assert sum("the batch teaches nothing" in line for line in said) == 1
    assert not any("kwargs" in line for line in said)


def test_a_batch_with_a_reward_begins_anew(tmp_path):
    def mine(completions, trainer_state, **columns):
        return [None if (trainer_state.global_step + 1) % 4 else 1.0] * len(completions)

    trainer = make(tmp_path, rewards=(mine,), max_steps=7)
    trainer.train()
    assert trainer.state.global_step == 7
