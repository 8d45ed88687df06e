"""Reading an answer out of a completion."""

import pytest

from noisygrpo.evaluation.reading import (
    edit_distance,
    final_part,
    last_number,
    nearest,
    only_mentioned,
    read_letter,
    short_answer,
    yes_or_no,
)


def test_only_the_final_part_counts():
    assert final_part("<think>A? B?</think><answer> C </answer>") == "C"
    assert final_part("<think>A? B?</think> so C") == "so C"
    assert final_part("just C") == "just C"
    assert final_part("<answer>C") == "<answer>C"  # cut before its end


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        ("b", "B"),
        ("(B)", "B"),
        ("B. blue", "B"),
        ("**B**", "B"),
        ("\\boxed{B}", "B"),
        ("The answer is B.", "B"),
        ("Option B", "B"),
        ("<Thought process>: <<A circle>> <Answer>: <<B>>", "B"),
        ("it is blue, so (B) it is", "B"),
        ("blue", "B"),
        ("The answer is blue.", "B"),
        ("<think>A or C</think><answer>B</answer>", "B"),
        ("<think>The answer is A.</think> The answer is (B).", "B"),
        ("The value is (B), not (C)", "B"),
        ("Because of the colour", None),
        ("A circle", None),
        ("E", None),
        ("", None),
        ("The answer is red or blue.", None),
        ("<answer></answer> B", None),
    ],
)
def test_read_letter(text, letter):
    assert read_letter(text, ["red", "blue", "green", "grey"]) == letter


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Yes", "yes"),
        ("no.", "no"),
        ("No, there is no cat.", "no"),
        ("The answer is yes", "yes"),
        ("\\boxed{No}", "no"),
        ("casino", None),
        ("yes or no", None),
        ("", None),
    ],
)
def test_yes_or_no(text, answer):
    assert yes_or_no(text) == answer


def test_short_answers_and_numbers():
    assert short_answer("So the answer is 12 cm. Done") == "12 cm"
    assert short_answer("\\boxed{3}") == "3"
    assert last_number("from 3 to 1,200.5") == "1200.5"
    assert last_number("none") is None


def test_nearest_choice_by_edit_distance():
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance("", "abc") == 3
    assert nearest("thirty", ["forty", "thirteen", "thirty-one"]) == "forty"


def test_the_only_option_that_is_mentioned():
    options = ["May", "June", "dark blue", "blue", "5"]
    assert only_mentioned("The wettest month is May.", options) == "May"
    assert only_mentioned("It is dark blue", options) == "dark blue"
    assert only_mentioned("May or June", options) is None
    assert only_mentioned("Maybe 5.5", options) is None
    assert only_mentioned("It is 5.", options) == "5"
