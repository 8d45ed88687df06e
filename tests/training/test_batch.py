"""The batch in the making: what TRL gives and gets, with and without hints, texts and messages."""

import pytest
import torch

from noisygrpo.methods.views import View
from noisygrpo.training.batch import Batch, Weighed
from noisygrpo.training.rollout import Hint, Rollout
from noisygrpo.training.views.show import Shown


def rollouts(count=2):
    return [Rollout({"example_id": "a"}, n, View(), 0, 1, "gaussian") for n in range(count)]


def shown(scored, sampled=None):
    ids = scored if sampled is None else sampled
    return Shown([], [], ids, None, {}, [[] for _ in ids], scored)


def test_turns_have_the_form_of_the_prompts():
    batch = Batch(rollouts(), True, prompts=[[{"role": "user", "content": "Q"}]] * 2)
    assert batch.turns(["a"]) == [[{"role": "assistant", "content": "a"}]]
    batch.prompts = ["Q", "Q"]
    assert batch.turns(["a", "b"]) == ["a", "b"]


@pytest.mark.parametrize("said", ["text", [{"role": "assistant", "content": "text"}]])
def test_completions_are_entered_with_the_prompt_that_is_scored(said):
    """A view of another size has another prompt; what is scored is that of the clean image."""
    batch = Batch(rollouts(1), True, ["Q"], shown([[1, 2]], sampled=[[1, 9, 9, 2]]))
    ids, completions = batch.take_completions([[1, 9, 9, 2]], [[5]], None, [said])
    (one,) = batch.rollouts
    assert ids == [[1, 2]] and completions == [said]
    assert (one.prompt_ids, one.completion_ids, one.completion) == ([1, 2], [5], "text")
    before = Batch(rollouts(1), False, ["Q"])  # nothing was shown: TRL's own prompt
    assert before.take_completions([[7]], [[5]], None, [said])[0] == [[7]]


def hinted(log_probs):
    first, second = rollouts()
    first.prompt_ids, first.completion_ids, first.completion = [1, 2], (5,), "e"
    second.hint = Hint(1, 0.5, "h", (8,))
    second.prompt_ids, second.completion_ids, second.completion = [3, 8], (6, 7), "hfg"
    first.log_probs, second.log_probs = log_probs
    return Batch(rollouts(), True, ["Q", "Q"], shown([[1, 2], [3]])), [first, second]


@pytest.mark.parametrize("log_probs", [(None, None), ([-1.0], [-2.0, -3.0])])
def test_hints_are_taken_for_what_was_sampled(log_probs):
    batch, chosen = hinted(log_probs)
    assert not batch.hinted and batch.token_types({}, 4, 2) == {}
    ids, kept = batch.take_hints(chosen)
    assert ids == [[5], [6, 7]] and batch.hinted and batch.rollouts == chosen
    assert kept is None if log_probs[0] is None else kept == list(log_probs)
    given = batch.reward_rows(batch.rows)
    assert [(row["hint"], row["hint_ratio"]) for row in given] == [("", 0.0), ("h", 0.5)]
    prompts, completions = batch.take_completions([[1, 2], [3]], ids, None, ["e", "fg"])
    assert prompts == [[1, 2], [3, 8]] and completions == ["e", "hfg"]
    types = {"token_type_ids": torch.tensor([[1, 0, 0, 0], [0, 1, 0, 0]])}
    moved = batch.token_types({**types, "mm_token_type_ids": None}, width=4, completion=2)
    assert {key: value.tolist() for key, value in moved.items()} == {
        "token_type_ids": [[1, 0, 0, 0], [1, 0, 0, 0]]
    }


def test_hints_of_length_zero_move_nothing():
    batch, (first, _) = hinted((None, None))
    other = rollouts()[1]
    other.prompt_ids = [3]
    batch.take_hints([first, other])
    assert batch.token_types({"token_type_ids": torch.zeros(2, 4)}, 4, 2) == {}


def test_own_rows_get_their_share_of_the_advantages():
    """The second of two processes; each prompt's rollouts are split between them."""
    batch = Batch(rollouts(), True)
    batch.rewards = torch.tensor([[1.0, 0.0], [2.0, 0.0], [3.0, 0.5], [4.0, torch.nan]])
    batch.lost = torch.tensor([False, False, False, True])
    table = torch.tensor([[1.0, 2.0], [3.5, torch.nan]])
    weighed = Weighed(table, torch.zeros(2, 2), torch.tensor([[-1.0, 1.0], [0.5, 0.0]]), batch.lost)
    assert batch.take_advantages(["right", "form"], weighed, first=2) == [0.5, 0.0]
    one, two = batch.rollouts
    assert one.rewards == {"right": 3.0, "form": 0.5} and (one.reward, one.unscorable) == (
        3.5,
        False,
    )
    assert two.reward != two.reward and two.unscorable and two.rewards["right"] == 4.0
