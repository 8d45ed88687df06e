"""We-Math's metrics by hand."""

import pytest
from tests.evaluation.judged import sample

from noisygrpo.evaluation.benchmarks import get_benchmark
from noisygrpo.evaluation.benchmarks.wemath import official_letter, wemath_metrics


def composite(name, steps, multi):
    keys = [f"{len(steps)}steps_{i + 1}" for i in range(len(steps))]
    rows = [sample(right, cluster=name, key=key) for right, key in zip(steps, keys, strict=True)]
    return [*rows, sample(multi, cluster=name, key=f"{len(steps)}steps_multi")]


def test_wemath_by_hand():
    samples = [
        *composite("mastered", [True, True], True),
        *composite("lucky", [True, False], True),  # strict: rote; loose: mastery
        *composite("rote", [False, False, False], True),
        *composite("general", [True, True, True], False),  # IG
        *composite("ignorant", [True, False], False),  # IK
    ]
    found = wemath_metrics(samples)
    assert found["composites"] == 5
    assert found["score_strict"] == (5 - 0.5 - 1 - 2) / 5
    assert found["score_loose"] == (5 - 0.5 - 1 - 1) / 5
    assert (found["IK"], found["IG"]) == (1 / 5, 1 / 5)
    assert (found["CM_strict"], found["CM_loose"]) == (1 / 5, 2 / 5)
    assert (found["RM_strict"], found["RM_loose"]) == (2 / 3, 1 / 3)
    assert found["by_steps"]["2 steps"]["accuracy"] == 2 / 3
    assert found["by_steps"]["3 steps"]["accuracy"] == 1 / 2
    assert found["by_steps"]["1 step"]["n"] == 12


@pytest.mark.parametrize(
    ("response", "letter"),
    [
        ("<Thought process>: <<so>> <Answer>: <<B>>", "B"),
        ("<Answer>: <<B) 5 cm>>", "B"),
        ("Answer: B. 5 cm", "B"),
        ("B", "B"),
        ("<Thought process>: <<The Answer is A>> <Answer>: <<B>>", "B"),
        ("<Answer>: <<B or C>>", "B"),  # a defect of the official rule, and part of the number
        ("<Answer>: <<The correct option is B>>", None),
        ("The answer is B.", None),
        ("\\boxed{B}", None),
        ("<Answer>: <<I>>", None),
        ("", None),
    ],
)
def test_the_official_rule(response, letter):
    assert official_letter(response) == letter
    row = {"answer": "B", "question": "Which?", "meta": {"key": "2steps_1"}}
    found = get_benchmark("wemath").judge(response, row)
    assert (found.extracted, found.correct) == (letter, letter == "B")


def test_letters_in_other_forms_are_read_beside_the_official_rule():
    outputs = ["The answer is B because it fits.", "\\boxed{B}", "<Answer>: <<B) 5 cm>>", "B or C"]
    keys = ["2steps_1", "2steps_2", "2steps_multi", "2steps_multi"]
    judge = get_benchmark("wemath").judge
    samples = [
        sample(
            judge(output, {"answer": "B", "meta": {}}).correct,
            answer="B", cluster=cluster, key=key, output=output,
        )
        for output, key, cluster in zip(outputs, keys, ("a", "a", "a", "b"), strict=True)
    ]  # fmt: skip
    found = wemath_metrics(samples)
    assert [s["correct"] for s in samples] == [False, False, True, True]
    assert found["score_strict"] == 1 / 2  # a is rote, b has no steps
    assert found["read"] == {"accuracy": 3 / 4, "score_strict": 3 / 4, "score_loose": 3 / 4}


def test_wemath_of_a_perfect_model():
    found = wemath_metrics(composite("a", [True, True], True))
    assert (found["score_strict"], found["score_loose"], found["RM_strict"]) == (1.0, 1.0, 0.0)
