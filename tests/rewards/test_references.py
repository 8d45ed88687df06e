"""Several reference answers, of which one suffices."""

import math

import pytest

from noisygrpo.rewards import UNSCORABLE, is_unscorable, judge_completion
from noisygrpo.rewards.functions import accuracy
from noisygrpo.rewards.references import accepted, any_of, best, by_reference, references
from noisygrpo.rewards.released import hint_accuracy, noisyrollout

TEN = ["yes"] * 7 + ["no"] * 3


def answered(*texts):
    return [f"<think>x</think><answer>{text}</answer>" for text in texts]


@pytest.mark.parametrize(
    ("given", "counts"),
    [
        (["a", "b", "c"], ["a", "b", "c"]),
        (TEN, ["yes"]),
        (["coke"] * 5 + ["coca cola"] * 3 + ["soda"] * 2, ["coke", "coca cola"]),
        (["no"] * 5 + ["yes"] * 5, ["no", "yes"]),
        (["b"] + ["a"] * 2, ["a", "b"]),
        (["Nokia", "nokia ", "nokia", "toshiba"], ["Nokia"]),
        ([3, 3, 3, 4], [3]),
    ],
)
def test_what_counts_among_references(given, counts):
    assert accepted({"any_of": given}) == counts


def test_one_answer_is_its_own_reference():
    assert any_of(["yes"] * 10) == "yes"
    assert any_of(["a", "b"]) == {"any_of": ["a", "b"]}
    assert references("a") == ["a"]
    assert references([1, 2]) == [[1, 2]]  # a list is one answer of two parts
    assert references({"any_of": TEN}) == TEN


def test_one_reference_suffices():
    answers = [{"any_of": ["Paris", "paris, france"]}, {"any_of": TEN}, "12", None]
    rows = {"answer": [*answers] * 2, "question": [""] * 8, "kind": ["auto"] * 8}
    texts = answered("Paris, France", "no", "12", "x", "London", "Yes.", "13", "x")
    assert accuracy([""] * 8, texts, **rows) == [1, 0, 1, None, 0, 1, 0, None]
    assert hint_accuracy([""] * 8, texts, **rows) == [1, 0, 1, None, 0, 1, 0, None]


def test_the_form_counts_once():
    boxed = ["<think>x</think> \\boxed{b}", "<think>x</think> \\boxed{c}", "\\boxed{b}"]
    rewards = noisyrollout([""] * 3, boxed, [{"any_of": ["a", "b"]}] * 3)
    assert rewards == pytest.approx([1, 0.1, 0.9])


def test_a_verdict_on_several_references():
    target = {"any_of": ["4 cm", "B"]}
    assert judge_completion("<answer>40 mm</answer>", target).correct is True
    assert judge_completion("<answer>5 cm</answer>", target).correct is False
    assert judge_completion("no answer <answer>", target).correct is False


def test_other_columns_follow_their_rows():
    seen = []

    @by_reference
    def reward(prompts, completions, answer, step=0, **columns):
        seen.append((prompts, completions, answer, columns, step))
        return [0.0] * len(answer)

    values = reward(["p", "q"], ["c", "d"], [{"any_of": [1, 2]}, 3], image=["i", "j"], step=7)
    assert values == [0, 0]
    assert seen == [(["p", "p", "q"], ["c", "c", "d"], [1, 2, 3], {"image": ["i", "i", "j"]}, 7)]


@pytest.mark.parametrize(
    ("values", "one"),
    [
        ([0.0, 1.0], 1.0),
        ([None, 0.0], 0.0),
        ([None, None], None),
        ([UNSCORABLE, 1.0], 1.0),
        ([UNSCORABLE, 0.0], UNSCORABLE),
        ([UNSCORABLE, None], UNSCORABLE),
    ],
)
def test_the_best_verdict_counts(values, one):
    found = best(values)
    assert is_unscorable(found) if is_unscorable(one) else found == one
    assert found is None or not math.isnan(found) or is_unscorable(found)
