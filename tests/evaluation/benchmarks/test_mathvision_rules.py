"""MATH-Vision's official rules."""

import pytest

from noisygrpo.evaluation.benchmarks.mathvision_rules import extract_mathvision, mathvision_correct

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
