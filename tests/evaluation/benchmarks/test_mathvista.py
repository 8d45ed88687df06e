"""MathVista's normalization."""

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
