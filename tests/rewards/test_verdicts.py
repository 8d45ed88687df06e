import pytest

from noisygrpo.rewards.verdicts import read_verdict


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("right", True),
        ("Wrong", False),
        ("Right.", True),
        ("**wrong**", False),
        ("Wrong. The right answer is 5.", False),
        ("Right, although the wording is wrong.", True),
        ("right\nThe two are equal.", True),
        ("Correct!", True),
        ("Incorrect: it is 5", False),
        ("Verdict: right", True),
        ("The values agree. Verdict: **right**.", True),
        ("The values differ.\nJudgment: wrong", False),
        ("<think>the right answer is 5, so wrong? no</think>right", True),
        ("The right answer is 5.", None),
        ("The answer is not right", None),
        ("right or wrong", None),
        ("rightly so", None),
        ("Verdict: right. Verdict: wrong.", None),
        ("I cannot say", None),
        ("", None),
    ],
)
def test_the_first_word_or_what_is_announced(reply: str, verdict: bool | None) -> None:
    assert read_verdict(reply) is verdict
