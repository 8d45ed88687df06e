"""MathVista's normalization."""

import pytest

from noisygrpo.evaluation.benchmarks import get_benchmark


def test_mathvista_normalization_is_the_official_one():
    from noisygrpo.evaluation.benchmarks.mathvista import normalize_answer

    choice = {"question_type": "multi_choice", "choices": ["red", "blue", "dark blue"]}
    assert normalize_answer("(B) blue", choice) == "blue"
    assert normalize_answer("C", choice) == "dark blue"
    assert normalize_answer("blu", choice) == "blue"
    real = {"question_type": "free_form", "answer_type": "float", "precision": 1.0}
    assert normalize_answer("1.26", real) == "1.3"
    assert normalize_answer("many", real) is None
    assert normalize_answer("3.9", {"question_type": "free_form", "answer_type": "integer"}) == "3"


def test_an_option_outside_the_list_is_wrong_and_a_text_can_win(tmp_path):
    benchmark = get_benchmark("mathvista")
    row = {"answer": "blue", "meta": {"question_type": "multi_choice", "choices": ["red", "blue"]}}
    assert benchmark.judge("The answer is blue.", row).correct
    assert not benchmark.judge("", row).correct
    long = "I think about things and cars and many other things that are there, on and on"
    assert benchmark.judge(long, row).extracted is None


def free(completion, answer, answer_type, precision=1.0):
    meta = {"question_type": "free_form", "answer_type": answer_type, "precision": precision}
    row = {"answer": answer, "meta": {**meta, "choices": []}}
    return get_benchmark("mathvista").judge(completion, row).correct


@pytest.mark.parametrize(
    ("completion", "answer", "answer_type"),
    [
        ("8 (5 + 3)", "8", "integer"),
        ("8 m^2", "8", "integer"),
        (".5", "0.5", "float"),
        ("1/2", "0.5", "float"),
        ("2e3", "2000", "integer"),
        ("eight", "8", "integer"),
        ("−3", "-3", "integer"),
        ("1,200", "1200", "integer"),
        ("The answer is 8.", "8", "integer"),
        ("First 3+5=8. So the total is 8 cm^2.", "8", "integer"),
        ("There are 3 red and 5 blue ones, so 8.", "8", "integer"),
        ("60%", "0.6", "float"),
        ("60%", "60", "integer"),
        ("1.26", "1.3", "float"),
        ("3.9", "3", "integer"),  # the official rule cuts
        ("[2007,2008]", "[2007, 2008]", "list"),
        ("2007 and 2008", "[2007, 2008]", "list"),
    ],
)
def test_free_form_answers_that_are_right(completion, answer, answer_type):
    assert free(completion, answer, answer_type)


@pytest.mark.parametrize(
    ("completion", "answer", "answer_type"),
    [
        ("5 or 8", "8", "integer"),
        ("5-8", "8", "integer"),
        ("7, 8, 9", "9", "integer"),
        ("not 8", "8", "integer"),
        ("more than 8", "8", "integer"),
        ("8:30", "8", "integer"),
        ("5\n6\n7\n8", "8", "integer"),
        ("It is 8. Or maybe 9.", "9", "integer"),
        ("50%", "0", "integer"),
        ("<think>8</think>9", "8", "integer"),
        ("<think>8", "8", "integer"),
        ("2008 and 2007", "[2007, 2008]", "list"),
        ("2007 or 2008", "[2007, 2008]", "list"),
        ("2007", "[2007, 2008]", "list"),
    ],
)
def test_free_form_answers_that_are_wrong(completion, answer, answer_type):
    assert not free(completion, answer, answer_type)


@pytest.mark.parametrize(
    ("completion", "choice"),
    [
        ("B", "blue"),
        ("(B) blue", "blue"),
        ("It must be the blue one", "blue"),
        ("blu", "blue"),
        ("dark blue", "dark blue"),
        ("red or blue", None),
        ("not red", None),
        ("red, blue", None),
        ("A, B, C", None),
        ("(B) or (C)", None),
        ("maybe blue", None),
        ("green", None),  # officially the nearest choice: red
        ("Sorry, I cannot help with that.", None),
    ],
)
def test_the_choice_that_is_made(completion, choice):
    choices = ["red", "blue", "dark blue"]
    meta = {"question_type": "multi_choice", "answer_type": "text", "choices": choices}
    judge = get_benchmark("mathvista").judge
    right = [c for c in choices if judge(completion, {"answer": c, "meta": meta}).correct]
    assert right == ([] if choice is None else [choice])
