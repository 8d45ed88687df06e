"""Right and wrong answers as `noisygrpo check` makes them."""

import pytest

from noisygrpo.check.rewards import completion_with, other_answer, report_rewards


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
