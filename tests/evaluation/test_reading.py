"""Reading an answer out of a completion."""

from fractions import Fraction

import pytest

from noisygrpo.evaluation.reading import (
    conclusion,
    edit_distance,
    final_part,
    nearest,
    read_letter,
    read_number,
    yes_or_no,
)


def test_only_the_final_part_counts():
    assert final_part("<think>A? B?</think><answer> C </answer>") == "C"
    assert final_part("<think>A? B?</think> so C") == "so C"
    assert final_part("just C") == "just C"
    assert final_part("<answer>C") == "<answer>C"  # cut before its end
    assert final_part("<think>first <answer>A</answer> but") == ""  # the thinking was cut off
    assert final_part("<think>maybe <answer>A</answer></think> no: B") == "no: B"


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        ("b", "B"),
        ("(B)", "B"),
        ("(b)", "B"),
        ("B. blue", "B"),
        ("B because it looks so", "B"),
        ("**B**", "B"),
        ("\\boxed{B}", "B"),
        ("The answer is B.", "B"),
        ("The answer is B because the sky is.", "B"),
        ("Option B", "B"),
        ("答案：B", "B"),
        ("<Thought process>: <<A circle>> <Answer>: <<B>>", "B"),
        ("<Thought process>: <<A circle>> <Answer>: <<B) blue>>", "B"),
        ("<Answer>: <<I would choose (B).>>", "B"),
        ("<Thought process>: <<A or B>> <Answer>: <<The right choice: B>>", "B"),
        ("it is blue, so (B) it is", "B"),
        ("it is blue, so (B)", "B"),
        ("blue", "B"),
        ("The answer is blue.", "B"),
        ("<think>A or C</think><answer>B</answer>", "B"),
        ("<think>The answer is A.</think> The answer is (B).", "B"),
        ("The value is (B), not (C)", "B"),
        ("B. The answer is what the sky has", "B"),
        ("16/4 is 4.\n\nTherefore, the value of BF is **(B).**\n\nI hope this helps!", "B"),
        ("A\nB\nC\nD", None),
        ("It is A. Or B.", None),
        ("So it is (A). Or (B).", None),
        ("Because of the colour", None),
        ("A circle", None),
        ("E", None),
        ("", None),
        ("The answer is red or blue.", None),
        ("<answer></answer> B", None),
        ("(A) or (B)", None),
        ("A. red B. blue C. green D. grey", None),
        ("not B", None),
        ("\\boxed{A} or \\boxed{B}", None),
        ("<think>so it is \\boxed{B}", None),
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
        ("There is no cat.", "no"),
        ("I see no cat in the image.", "no"),
        ("The answer is yes", "yes"),
        ("Yes. The answer to this is on the left.", "yes"),
        ("\\boxed{No}", "no"),
        ("<think>yes</think> no", "no"),
        ("There is no dog.", None),
        ("casino", None),
        ("yes or no", None),
        ("yes no yes no", None),
        ("I cannot say yes or no", None),
        ("<think>yes, it is", None),
        ("", None),
    ],
)
def test_yes_or_no(text, answer):
    assert yes_or_no(text, "Is there a cat?") == answer


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("8 (5 + 3)", 8),
        ("8 m^2", 8),
        (".5", Fraction(1, 2)),
        ("1/2", Fraction(1, 2)),
        ("2e3", 2000),
        ("minus five", -5),
        ("1,200.5", Fraction(2401, 2)),
        ("There are 3 red and 5 blue ones, so 8.", 8),
        ("3 + 5 = 8", 8),
        ("First 3 + 5 = 8.\nSo the area is 8 m^2.", 8),
        ("The answer is 12 cm. Done", 12),
        ("Therefore, it is 2 m + 2 m = **4 m**.\n\nIs there anything else I can help you with?", 4),
        ("Therefore, the field at r = 2 is 0.5 N/C.", Fraction(1, 2)),
        ("So it is 5. Or maybe 8.", None),
        ("So 2 + 2 = 5.", None),
        ("5\n6\n7\n8", None),
        ("<think>3</think>\\boxed{4}", 4),
        ("<think>3", None),
        ("3 + 5 = 9", None),
        ("5 or 8", None),
        ("5-8", None),
        ("more than 8", None),
        ("not 8", None),
        ("It is 5. Or maybe 8.", None),
        ("8:30", None),
        ("none of your business", None),
    ],
)
def test_read_number(text, value):
    number = read_number(text)
    assert (None if number is None else number.value) == value


def test_the_conclusion_of_a_derivation():
    assert conclusion("It is 5.5 m. So we go. The end is 3.5") == "So we go."
    assert conclusion("3.5 m and 2 m are given. Then we go. The end is 3.5") == "The end is 3.5"
    assert conclusion("It is 5.\nIt is 6.\nIt is 7.") == ""
    assert conclusion("red\nblue\n") == "blue"
    assert conclusion("Therefore, 8.\n\nI hope this helps!") == "Therefore, 8."
    assert conclusion("So it is 5. Or maybe 8.") == "So it is 5. Or maybe 8."
    assert conclusion("") == ""


def test_nearest_choice_by_edit_distance():
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance("", "abc") == 3
    assert nearest("thirty", ["forty", "thirteen", "thirty-one"]) == "forty"
