"""The reward that selects a hint level is asked alone, and once for what is trained."""

import pytest

from noisygrpo.errors import UserError
from tiny_hints import (
    Sampler,
    batch_of,
    hinted,
    hit,
)


def test_rewards_see_the_whole_turn_once(tmp_path, monkeypatch):
    Sampler(monkeypatch)
    asked, others = [], []

    def first(completions, example_id, hint, **columns):
        texts = [completion[0]["content"] for completion in completions]
        asked.extend(zip(example_id, hint, texts, strict=True))
        assert all(text.startswith(start) for text, start in zip(texts, hint, strict=True))
        return hit(example_id=example_id, **columns)

    def second(completions, hint_ratio, **columns):
        others.extend(completion[0]["content"] for completion in completions)
        return hint_ratio

    changes = {"hint_template": "<think>{hint}", "hint_markers": True}
    trainer = hinted(tmp_path, rewards=(first, second), **changes)
    batch = batch_of(trainer, "row-1", "row-4")
    assert len(asked) == 8 + 8 + 4 and len(others) == 8
    start = "<think>Step 1: look."
    assert {hint for name, hint, _ in asked if name == "row-1"} == {"", start}
    assert all(text.startswith(start) for text in others[:4])
    assert all(text.startswith(start + " Step 2: count.") for text in others[4:])
    assert list(trainer._logs["rewards"]["first"]) == [0.0, 1.0, 0.0, 1.0] * 2
    assert trainer._logs["rewards"]["second"][-1] == pytest.approx(2 / 3)
    assert batch["advantages"][:2].tolist() == pytest.approx([-0.8659, 0.8659], abs=1e-3)
    assert trainer.reward_funcs == [first, second]


def test_reward_that_logs_is_asked_again_for_what_is_trained(tmp_path, monkeypatch):
    Sampler(monkeypatch)

    def logging(example_id, log_extra, log_metric, **columns):
        log_extra("name", example_id)
        log_metric("count", len(example_id))
        return hit(example_id=example_id, **columns)

    trainer = hinted(tmp_path, rewards=(logging,))
    batch_of(trainer, "row-1", "row-4")
    assert list(trainer._logs["extra"]["name"]) == ["row-1"] * 4 + ["row-4"] * 4
    assert trainer._metrics["train"]["count"] == [8]


def test_hint_reward_selects(tmp_path, monkeypatch):
    Sampler(monkeypatch)

    def always(completions, **columns):
        return [1.0] * len(completions)

    trainer = hinted(tmp_path / "a", rewards=(always, hit))
    batch_of(trainer, "row-1", "row-4")
    assert {rollout.hint.level for rollout in trainer.made.rollouts} == {0}
    trainer = hinted(tmp_path / "b", rewards=(always, hit), hint_reward="hit")
    batch_of(trainer, "row-1", "row-4")
    assert [rollout.hint.level for rollout in trainer.made.rollouts] == [1] * 4 + [2] * 4
    with pytest.raises(UserError, match="hint_reward: 'format' is not one of the rewards hit"):
        hinted(tmp_path / "c", hint_reward="format")
