"""Right and wrong answers as `noisygrpo check` makes them."""

from noisygrpo.check.rewards import completion_with, other_answer


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
