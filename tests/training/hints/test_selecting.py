"""The reward that selects a hint level is asked alone, and once for what is trained."""

import pytest
import torch

from noisygrpo.errors import UserError
from noisygrpo.rewards import UNSCORABLE
from noisygrpo.rewards.outcome import UNSCORABLE_BITS
from noisygrpo.training.hints.selecting import SelectingReward
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
    assert [function.__wrapped__ for function in trainer.reward_funcs] == [first, second]


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


class Lists:
    """Reward functions as TRL calls them, on own rows and those of a second process alike."""

    def __init__(self, *functions):
        self.functions, self.names = list(functions), [one.__name__ for one in functions]
        self.processors = [f"processor of {name}" for name in self.names]
        self.extra, self.metrics = {}, {}

    def selecting(self, name):
        lists = self.functions, self.processors, self.names
        return SelectingReward(name, *lists, (self.extra, self.metrics))

    def calculate(self, inputs, prompts, completions, ids):
        assert len(self.functions) == len(self.processors) == len(self.names)
        given = [one(texts=completions) for one in self.functions]
        return torch.tensor(given, dtype=torch.float32).T.repeat(2, 1)


def test_it_is_asked_alone_and_the_lists_are_as_before():
    asked = []
    lists = Lists(lambda texts: 1 / 0, lambda texts: asked.append(texts) or [0.5] * len(texts))
    lists.names[:] = ["broken", "right"]
    before = list(lists.functions), list(lists.processors), list(lists.names)
    selecting = lists.selecting("right")
    assert selecting.ask(lists.calculate, [], [], ["a", "b"], []).tolist() == [0.5] * 4
    assert asked == [["a", "b"]]
    assert (lists.functions, lists.processors, lists.names) == before
    with pytest.raises(ZeroDivisionError):
        lists.selecting(None).ask(lists.calculate, [], [], ["a"], [])  # the first
    assert (lists.functions, lists.processors, lists.names) == before


def test_what_was_said_is_not_asked_again_unless_it_logs():
    asked = []

    def right(texts):
        asked.append(texts)
        return [float(text == "a") for text in texts]

    def form(texts):
        return [2.0] * len(texts)

    lists = Lists(form, right)
    selecting = lists.selecting("right")
    found = selecting.repeat([0.25, 0.75], lists.calculate, [], [], ["a", "b"], [])
    assert found.tolist() == [[2.0, 0.25], [2.0, 0.75]] * 2 and asked == []
    assert lists.functions == [form, right]
    lists.extra["column"] = ["it logs"]
    selecting.ask(lists.calculate, [], [], ["a"], [])
    assert lists.extra == {}  # of completions that are not trained
    found = selecting.repeat([0.25, 0.75], lists.calculate, [], [], ["a", "b"], [])
    assert found[:2, 1].tolist() == [1.0, 0.0] and asked == [["a"], ["a", "b"]]


def test_what_it_could_not_say_is_not_none_when_it_is_repeated():
    """``UNSCORABLE`` is told from None by its bits, which stay on the way through floats."""
    lists = Lists(lambda texts: [UNSCORABLE, float("nan")])
    selecting = lists.selecting(None)
    said = selecting.ask(lists.calculate, [], [], ["a", "b"], [])[:2].tolist()
    again = selecting.repeat(said, lists.calculate, [], [], ["a", "b"], [])[:2, 0]
    assert (again.view(torch.int32) == UNSCORABLE_BITS).tolist() == [True, False]
    assert again.isnan().all()
