"""Right and wrong answers as `noisygrpo check` makes them."""

import pytest
from PIL import Image

from noisygrpo.check.rewards import completion_with, other_answer, report_rewards, score
from noisygrpo.rewards import load_rewards


def test_answers_follow_the_form_of_the_prompt():
    row = {"prompt": [{"role": "user", "content": "Q"}], "reasoning": "", "kind": ""}
    assert completion_with(row, "3").endswith("<answer>3</answer>")
    boxed = {**row, "prompt": [{"role": "user", "content": "Answer in \\boxed{}."}]}
    assert completion_with(boxed, "3").endswith("\\boxed{3}")


def test_a_wrong_answer_is_of_the_same_kind_where_possible():
    rows = [
        {"answer": "true", "kind": "truth"},
        {"answer": "3", "kind": "count"},
        {"answer": "false", "kind": "truth"},
    ]
    assert other_answer(rows[0], rows) == "false"
    assert other_answer(rows[1], rows) == "true"
    assert other_answer(rows[0], rows[:1]) == "none of these"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(float("nan"), "- (2 unscorable)"), (None, "- (2 unscorable)"), (0.5, "0.50")],
)
def test_a_reward_that_tells_nothing_apart_is_a_problem(value, shown, capsys):
    def reward(completions, **columns):
        return [value for _ in completions]

    prompt = [{"role": "user", "content": "Q"}]
    row = {"prompt": prompt, "reasoning": "", "kind": "count", "question": "How many?"}
    rows = [{**row, "example_id": name, "answer": name[-1]} for name in ("a1", "b2")]
    problems = report_rewards([reward], [1.0], rows)
    assert problems == ["in 2 of 2 rows a right answer earns no more than a wrong one: a1, b2"]
    assert shown in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        ({}, "[10, 20, 30, 40]"),
        ({"target": "xywh"}, "[10.0, 20.0, 40.0, 60.0]"),
        ({"frame": "thousandths", "target_frame": "picture"}, "[100.0, 200.0, 300.0, 400.0]"),
    ],
)
def test_a_right_box_is_written_as_the_model_has_to(arguments, written):
    rewards, weights = load_rewards([{"name": "iou", **arguments}])
    prompt = [{"role": "user", "content": "Where?"}]
    row = {"prompt": prompt, "reasoning": "", "kind": "", "question": "Where?"}
    row |= {"images": [Image.new("RGB", (100, 100))]}
    rows = [{**row, "example_id": "a", "answer": "[10, 20, 30, 40]"}]
    rows += [{**row, "example_id": "b", "answer": "[60, 70, 10, 10]"}]
    assert report_rewards(rewards, weights, rows[:1]) == []
    answer = other_answer(rows[1], rows, rewards)
    assert answer.replace(".0", "") == written.replace(".0", "")
    assert score(rewards, rows[0], completion_with(rows[0], answer)) == [1]
