"""Values of LaTeX and plain expressions."""

import math
import re

import pytest

from noisygrpo.evaluation.benchmarks.latex_value import latex_value


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
        ("10-15", -5),
        ("\\log(e^2)", 2),  # natural, as in sympy
        ("\\log_2 8", 3),
        ("\\binom{9}{4}", 126),
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
\\text{none} | 40° | \\(2\\) | 2 \\$ | #! | - | -- | 1..2
"""


@pytest.mark.parametrize(
    "text",
    ["", "((" * 500, "9" * 400 + "^" + "9" * 400, *re.split(r"\s*[|\n]\s*", NO_VALUE.strip())],
)
def test_no_value(text):
    assert latex_value(text) is None
