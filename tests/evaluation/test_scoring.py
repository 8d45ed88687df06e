import math
import re

import pytest

from noisygrpo.evaluation.benchmarks.latex_value import latex_value
from noisygrpo.evaluation.benchmarks.mathvision_rules import extract_mathvision, mathvision_correct
from noisygrpo.evaluation.reading import (
    choice_letter,
    edit_distance,
    final_part,
    last_number,
    nearest,
    only_mentioned,
    short_answer,
    yes_or_no,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-3.5", -3.5),
        (".5", 0.5),
        ("1,234", 1234),
        ("55/2", 27.5),
        ("\\frac{3}{4}", 0.75),
        ("\\dfrac12", 0.5),
        ("3\\frac{1}{2}", 1.5),  # a product, as in latex2sympy
        ("2\\sqrt{3}", 2 * math.sqrt(3)),
        ("\\sqrt[3]{8}", 2),
        ("24+4\\pi", 24 + 4 * math.pi),
        ("1/2\\pi", math.pi / 2),
        ("3√2", 3 * math.sqrt(2)),
        ("2π", 2 * math.pi),
        ("45^2", 2025),
        ("2^{-1}", 0.5),
        ("-2^2", -4),
        ("(1+2)(3+4)", 21),
        ("|2-5|", 3),
        ("5!", 120),
        ("3:2", 1.5),
        ("\\left(\\frac{1}{2}\\right)^2", 0.25),
        ("$\\frac{2}{21}$", 2 / 21),
        ("\\frac{3^{1008}-1}{3^{1009}}", 1 / 3),
        ("\\sin(\\pi/6)", 0.5),
        ("\\infty", math.inf),
        ("2 \\times 10^3", 2000),
    ],
)
def test_values(text, value):
    assert latex_value(text) == pytest.approx(value)


NO_VALUE = """
x | 2x | 5 cm | \\frac{1}{ | 1/0 | (2 | 2) | \\sqrt{-1} | a^2+b^2 | 1 2 + | 9^{9^{9^{9}}} | 200!
\\text{none} | #! | - | -- | 1..2
"""


@pytest.mark.parametrize(
    "text",
    ["", "((" * 500, "9" * 400 + "^" + "9" * 400, *re.split(r"\s*[|\n]\s*", NO_VALUE.strip())],
)
def test_no_value(text):
    assert latex_value(text) is None


FIVE = ["$1$", "$\\frac{1}{2}$", "$2\\sqrt{3}$", "7 : 30", "none of these"]


@pytest.mark.parametrize(
    ("response", "answer", "options", "right"),
    [
        # options: a letter in its usual dresses, or the option's value
        ("The answer is \\boxed{B}.", "B", FIVE, True),
        ("so it must be (B).", "B", FIVE, True),
        ("B\nbecause it is half", "B", FIVE, True),
        ("\\boxed{(C)}", "B", FIVE, False),
        ("\\boxed{0.5}", "B", FIVE, True),
        ("\\boxed{\\dfrac{1}{2}}", "B", FIVE, True),
        ("\\boxed{2 \\sqrt{3}}", "C", FIVE, True),
        ("\\boxed{3.464}", "C", FIVE, True),  # two decimals decide
        ("\\boxed{3.47}", "C", FIVE, False),
        ("the correct answer is none of these", "E", FIVE, False),  # words lose their blanks
        # fractions and values
        ("Therefore the answer is 55/2", "55/2", [], True),
        ("\\boxed{27.5}", "55/2", [], True),
        ("\\boxed{\\frac{55}{2}}", "27.5", [], True),
        ("Half of it is 12.", "12", [], True),
        ("\\boxed{\\frac{\\sqrt{6}}{6}}", "$\\frac{\\sqrt{6}}{6}$", [], True),
        ("\\boxed{24 + 4\\pi}", "24+4\\pi", [], True),
        ("\\boxed{x = 4}", "4", [], True),
        ("first \\boxed{3}, no: \\boxed{4}", "4", [], True),
        ("first \\boxed{4}, no: \\boxed{3}", "4", [], False),
        # units: the official rules know degrees, km, m^3, units and percent, and no others
        ("\\boxed{45^{\\circ}}", "45", [], True),
        ("\\boxed{45^\\circ}", "45", [], True),
        ("\\boxed{5 km}", "5", [], True),
        ("\\boxed{5 units}", "5", [], True),
        ("\\boxed{30\\%}", "30", [], True),
        ("\\boxed{5 \\text{ cm}}", "5", [], False),
        # tuples
        ("\\boxed{(1/2, 3)}", "(0.5,3)", [], True),
        ("\\boxed{(1, 2)}", "(2,1)", [], False),
        ("", "5", [], False),
        ("I cannot say.", "5", [], False),
    ],
)
def test_official_mathvision_rules(response, answer, options, right):
    assert mathvision_correct(response, answer, options)[1] is right


def test_the_official_box_runs_past_its_end_but_not_in_values():
    extracted = extract_mathvision("it is $\\boxed{\\frac{7}{32}}$. The answer is: \\frac{7}{32}")
    assert extracted.startswith("\\frac{7}{32}}")
    assert mathvision_correct(
        "it is $\\boxed{\\frac{7}{32}}$. The answer is: \\frac{7}{32}", "7/32", []
    )[1]


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
        ("Because of the colour", None),
        ("A circle", None),
        ("E", None),
        ("", None),
    ],
)
def test_choice_letter(text, letter):
    assert choice_letter(text, ["red", "blue", "green", "grey"]) == letter


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
