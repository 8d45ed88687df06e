import pytest

from noisygrpo.errors import UserError
from noisygrpo.rewards import Verdict, is_correct
from noisygrpo.rewards.choices import options_of
from noisygrpo.rewards.numeric import parse_number

CHOICES = "What is it?\nA. red\nB. blue\nC. 5 cm\nD. 7"

NUMBERS = [
    ("3", "3", True),
    ("three", "3", True),
    ("3.0", "3", True),
    ("4", "3", False),
    ("12", "1 2", False),
    ("1,234", "1234", True),
    ("1{,}234", "1,234", True),
    ("1,23", "123", False),
    ("1/2", "0.5", True),
    ("\\frac{1}{2}", "0.5", True),
    ("\\dfrac12", "1/2", True),
    ("1 3/4", "1.75", True),
    ("1\\frac{3}{4}", "1.75", True),
    ("½", "0.5", True),
    ("1½", "1.5", True),
    ("3/0", "1", False),
    ("50%", "0.5", True),
    ("50\\%", "50%", True),
    ("50", "50%", True),
    ("50%", "50", True),
    ("5%", "0.5", False),
    ("3.1416", "3.14", True),
    ("3.1", "3.14", False),
    ("3.14", "3.1416", False),
    ("0.333", "1/3", False),
    ("5.4", "5", False),
    ("5 cm", "5", True),
    ("5", "5 cm", True),
    ("5 cm", "5 m", False),
    ("5 centimeters", "5 cm", True),
    ("5 \\text{ cm}^2", "5", True),
    ("5 cm²", "5 cm^2", True),
    ("5 cm", "5 cm^2", False),
    ("60°", "60^{\\circ}", True),
    ("60 degrees", "60", True),
    ("5 million", "5,000,000", True),
    ("$1,200", "1200", True),
    ("1.2e3", "1200", True),
    ("1.2 \\times 10^{3}", "1200", True),
    ("1e999999999", "5", False),
    ("-3", "−3", True),
    ("x = 5", "5", True),
    ("5.", "5", True),
    ("5 or 6", "5", False),
    ("5x", "5", False),
    ("5 pi", "5", False),
    ("There are 3 circles.", "3", True),
    ("There are 3 circles and 2 squares.", "3", False),
]

POLARITIES = [
    ("Yes", "yes", True),
    ("Yes, there is no circle", "yes", True),
    ("no.", "No", True),
    ("the answer is no", "no", True),
    ("casino", "no", False),
    ("piano", "No", False),
    ("There is no circle", "no", True),
    ("eyes", "yes", False),
    ("yes or no", "yes", False),
    ("True", "true", True),
    ("The statement is true.", "true", True),
    ("not true", "false", True),
    ("That is not false", "true", True),
    ("untrue", "true", False),
    ("True or false", "true", False),
    ("yes", "true", True),
]

CHOSEN = [
    ("B", "B", True),
    ("b", "B", True),
    ("(B)", "B", True),
    ("B.", "(B)", True),
    ("B. blue", "B", True),
    ("B", "B. blue", True),
    ("blue", "B", True),
    ("B", "blue", True),
    ("A", "blue", False),
    ("The answer is B", "B", True),
    ("A circle", "A", False),
    ("I think it is red or blue", "B", False),
    ("5", "C", True),
    ("7", "C", False),
    ("D", "7", True),
    ("D. 7", "7", True),
    ("A", "5", False),
    ("6", "6", True),  # the target is none of the options
]

FORMULAS = [
    ("\\sqrt{12}", "2\\sqrt{3}", True),
    ("2\\sqrt{3}", "\\sqrt{12}", True),
    ("\\frac{\\sqrt{2}}{2}", "\\frac{1}{\\sqrt{2}}", True),
    ("(x+1)^2", "x^2+2x+1", True),
    ("3.46", "2\\sqrt{3}", False),
    ("(1, 2)", "(1,2)", True),
    ("2 r \\pi", "2\\pi r", True),
    ("the area is unknown", "2\\pi r", False),
    ("9" * 500, "9", False),
]

TEXTS = [
    ("red circle", "the red circle", True),
    ("\\text{red}", "Red.", True),
    ("blue circle", "red circle", False),
    ("", "x", False),
    (None, "x", False),
]


@pytest.mark.parametrize(("prediction", "target", "right"), NUMBERS + POLARITIES + FORMULAS + TEXTS)
def test_verdict(prediction: str | None, target: str, right: bool) -> None:
    verdict = is_correct(prediction, target, time_limit=600)  # the machine may be busy
    assert verdict.correct is right, verdict.why
    assert verdict.why


@pytest.mark.parametrize(("prediction", "target", "right"), CHOSEN)
def test_multiple_choice(prediction: str, target: str, right: bool) -> None:
    verdict = is_correct(prediction, target, question=CHOICES)
    assert verdict.correct is right, verdict.why


def test_a_verdict_is_true_in_a_condition_only_if_the_answer_is_right() -> None:
    assert is_correct("(C)", "C")
    assert not is_correct("(B)", "C")
    assert not Verdict(None, "not found out")


def test_letter_without_listed_options() -> None:
    assert is_correct("(C)", "C").correct
    assert not is_correct("A circle", "A").correct


@pytest.mark.parametrize(
    "question",
    [
        "Which? (A) red (B) blue",
        "Which?\nChoices:\nA. red\nB. blue",
        "Which? A) red B) blue",
        "Which?\nA: red\nB: blue",
        "Point A. is in the image. Which?\n(A) red\n(B) blue",
    ],
)
def test_listed_options(question: str) -> None:
    assert options_of(question) == {"A": "red", "B": "blue"}


def test_no_options() -> None:
    assert options_of("Is triangle ABC. equal to A. and C.?") == {}


def test_tolerance_is_relative() -> None:
    assert not is_correct("1001", "1000").correct
    assert is_correct("1001", "1000", tolerance=1e-2).correct


def test_kinds_fix_the_rule() -> None:
    assert is_correct("2", "two", kind="numeric").correct
    assert not is_correct("2", "two", kind="text").correct
    assert is_correct("yes", "Yes, it is red.", kind="yes_no").correct
    assert not is_correct("no", "Yes, it is red.", kind="yes_no").correct
    assert is_correct("3", "three", kind="yes_no").correct  # a kind that does not fit
    assert is_correct("B", "The correct answer is B.", kind="multiple_choice").correct
    assert is_correct("decrease", "Decrease", kind="math").correct
    assert not is_correct("seacreed", "decrease", kind="math").correct  # no product of letters
    with pytest.raises(UserError, match="kind 'bool'"):
        is_correct("a", "b", kind="bool")
    with pytest.raises(UserError, match="empty"):
        is_correct("a", " ")


def test_number_keeps_exact_value_and_unit() -> None:
    number = parse_number("\\frac{1}{3} cm")
    assert number is not None
    assert (number.value * 3, number.unit.name, number.percent) == (1, "cm", False)
    assert parse_number("3, 4") is None
