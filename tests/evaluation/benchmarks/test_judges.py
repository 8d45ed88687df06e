"""The judges that several benchmarks share, and that each benchmark uses them alike."""

import pytest

from noisygrpo.evaluation.benchmarks import get_benchmark
from noisygrpo.evaluation.benchmarks.judges import judge_letter, judge_math

LETTER = {
    "mmstar": {},
    "mathverse": {"question_type": "multi-choice", "options": []},
    "mme-cot": {"options": []},
}


@pytest.mark.parametrize("name", LETTER)
@pytest.mark.parametrize(
    ("completion", "letter"),
    [
        ("B", "B"),
        ("**B**", "B"),
        ("B) two", "B"),
        ("\\boxed{\\text{B}}", "B"),
        ("\\boxed{B}", "B"),
        ("Option B.", "B"),
        ("The correct option is (B).", "B"),
        ("<think>The answer is A.</think>\nThe answer is B.", "B"),
        ("<answer>A</answer> no: <answer>B</answer>", "B"),
        ("The result is (B)", "B"),
        ("So (B).", "B"),
        ("B because it fits", "B"),
        ("B\nThe sky is blue.", "B"),
        ("B, as the figure shows", "B"),
        ("B (the sky)", "B"),
        ("\u7b54\u6848\uff1aB", "B"),
        ("(A) or (B)", None),
        ("A, B, C, D", None),
        ("not B", None),
        ("It cannot be B", None),
        ("<think>first guess <answer>B</answer> but let me check", None),
        ("Because of it", None),
        ("A big one", None),
        ("Z", None),
        ("<answer></answer>B", None),
        ("", None),
    ],
)
def test_all_benchmarks_of_letters_read_alike(name, completion, letter):
    row = {"answer": "B", "question": "Which?", "meta": LETTER[name]}
    found = get_benchmark(name).judge(completion, row)
    assert (found.extracted, found.correct) == (letter, letter == "B")
    assert found.why == ("no option letter found" if letter is None else f"chooses {letter}")


def test_an_options_text_is_its_letter_where_the_texts_are_known():
    row = {"answer": "b ", "meta": {}}
    assert judge_letter("The answer is two.", row, ["one", "two"]).correct
    assert not judge_letter("The answer is C", row, ["one", "two"]).correct
    assert judge_letter("The answer is two.", row, ["two", "two"]).extracted is None


@pytest.mark.parametrize(
    ("completion", "answer", "right"),
    [
        ("\\boxed{\\frac{1}{2}}", "0.5", True),
        ("<answer>12</answer>", "12", True),
        ("<think>12</think> The answer is 13.", "12", False),
        ("The value is 12", "12", True),
        ("", "12", False),
        ("<think>so \\boxed{12}, no, wrong</think> The answer is 13.", "12", False),
        ("<think>first guess <answer>12</answer> but let me check", "12", False),
        ("<answer>12 or 13</answer>", "12", False),
        ("<answer>more than 12</answer>", "12", False),
        ("<answer>12 cm</answer>", "12", True),
        ("<answer></answer>", "12", False),
    ],
)
def test_equality_of_numbers_and_formulas(completion, answer, right):
    row = {"answer": answer, "question": "How long?"}
    assert judge_math(completion, row).correct is right
