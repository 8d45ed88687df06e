"""The types in which a data set holds its answers."""

import math

import numpy as np
import pytest
import torch

from noisygrpo.rewards import load_rewards
from noisygrpo.rewards.functions import accuracy, format_reward, target_text
from noisygrpo.rewards.verdicts import read_verdict


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (np.array([1, 2]), "1, 2"),
        (torch.tensor(5), "5"),
        (np.float32(0.5), "0.5"),
        (np.bool_(True), "true"),
        (float("nan"), None),
        (np.float64("nan"), None),
        ("<answer> B </answer>", "B"),
        ("<think>so</think><answer>5</answer>", "5"),
        ([], None),
    ],
)
def test_answers_of_every_type(answer, text) -> None:
    assert target_text(answer) == text


@pytest.mark.parametrize("answer", [{"value": 5}, b"5"])
def test_what_is_no_answer_is_an_error(answer) -> None:
    with pytest.raises(TypeError, match=f"is a {type(answer).__name__}; a text is needed"):
        target_text(answer)


def test_a_row_without_an_answer_is_left_out() -> None:
    said = ["<answer>5</answer>"] * 3
    found = accuracy([""] * 3, said, answer=[math.nan, "<answer>5</answer>", np.int64(5)])
    assert found == [None, 1.0, 1.0]


@pytest.mark.parametrize(
    ("text", "formed"),
    [
        ("<think>a</think><answer><5</answer>", 1.0),
        ("<think><image> shows it</think><answer>5</answer>", 1.0),
        ("<think>a</think><answer><|box_start|>(1,2)<|box_end|></answer>", 1.0),
        ("<think> </think><answer>5</answer>", 0.0),
        ("<think>a</think><answer> \n</answer>", 0.0),
    ],
)
def test_an_answer_may_begin_with_a_sign(text: str, formed: float) -> None:
    assert format_reward([""], [text]) == [formed]


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        ("not correct", False),
        ("Not right.", False),
        ("Verdict: not right", False),
        ("Right-angled triangle is shown", None),
        ("Correct - the answer matches", True),
    ],
)
def test_a_judge_that_says_not(reply: str, right: bool | None) -> None:
    assert read_verdict(reply) is right


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"name": "format", "style": "x"}, "rewards.format.style: 'x' is not one of"),
        ({"name": "accuracy", "time_limit": 0}, "rewards.accuracy.time_limit: 0"),
        ({"name": "accuracy", "label": ""}, r"rewards\[0\].label: ''"),
        (None, r"rewards\[0\]: None is neither a name nor a mapping"),
    ],
)
def test_what_cannot_work_is_refused_when_rewards_are_loaded(entry, said) -> None:
    with pytest.raises(ValueError, match=said):
        load_rewards([entry])
