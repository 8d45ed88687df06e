"""No input that a model can write makes judging take more than linear time."""

import gc
import time
from collections.abc import Callable

import pytest

from noisygrpo.rewards.extract import extract_answer
from noisygrpo.rewards.functions import format_reward
from noisygrpo.rewards.judge import MAX_TEXT, Case, decide

TARGETS = [
    Case(None, "5 cm"),
    Case(None, "B", "multiple_choice", "Which?\nA. 3\nB. 5 cm\nC. red"),
    Case(None, "yes"),
    Case(None, "\\sqrt{2}x"),
    Case(None, "red ball"),
    Case(None, "3:30"),
    Case(None, "1, 2"),
    Case(None, "no", "auto", "Is the ball red?"),
    Case(None, "0", "auto", "How many red balls are there in the image?"),
    Case(None, "left", "auto", "Is the ball left or right of the red box?"),
    Case(None, "(1,2)"),
    Case(None, "3rd", "auto", "Which floor is the office of the shop on?"),
    Case(None, "23%", "auto", "What share of the people who use it are women?"),
    Case(None, "4.5 out of 5", "auto", "What is the rating?"),
    Case(None, "120/80", "auto", "What does the sign say?"),
    Case(None, "\\mathbb{R}", "auto", "Solve it."),
    Case(None, "a pair of shoes", "auto", "What color are the two?"),
    Case(None, "a<b<c"),
    Case(None, "\\triangle ABC"),
    Case(None, "90^\\circ-\\alpha"),
]
# fmt: off
PIECES = [
    "<think>", "</think>", "<think></think>", "<answer>", "<answer>5</answer>",
    "<answer>5</answer> or ", "\\boxed{", "\\boxed{5}", "\\boxed{5} or ", "$", "$a ", "*",
    "(", "{", "\\", "9", "1,", ",000", " ", "a\n", "\n", "the answer is ", "answer: ",
    "answer*", "5 or ", "A. ", "(A)", "A B ", "yes ", "no ", "not ", "\\sqrt{", "√",
    "\\frac", "²", "-", "\\text{", "\\text{a}", "one ", "hundred ", "一", "答案", "选", "x=",
    "<", "\\pm", "1:", "1/", "1-", ".", "A. b ", "'", "'a", "`", "°", "$5 ", "it is ",
    " because", ", not a", "option ", "a.", "_", "\t \n", "and ", "\\cup ",
    "\\begin{pmatrix}", "m/", "5 (", "α", "I ", "!", "^9", " or", "the value is ", "maybe ",
    "n't ", "5 cm ", "3:30 ", "**", "&", "|", "~", "，",
    "it is not ", "there are no balls ", " of the box", "[1,", "<1,", "\\langle ", "first ",
    "1 in ", "--", "(--", "5 5 ", "5/", "120/80 ", "4.5 out of 5 ", "1939-", "1939-45 ", "23% of ",
    "of the people ", "half of the ", "the color ", "red/", "a pair of ", "an hour and a half ",
    "and a half ", "x \\in ", "\\emptyset", "\\mathbb{R}", "all real numbers ", "(-\\infty,",
    "no solution ", "does not exist", "a<", "\\le a ", "\\angle ABC", "triangle ABC ", "AB∥",
    "90°-", "A - ", "0:50 ", "\\frac{1}{2}",
    "1.234.", "]1,", "oui, ", "vier ", "x > 1 and ", " or B, C", "(B)", "at least ", "2H", "H2",
    "_5C_", "C_5^", "\\choose ", "a@", "is greater than ", "side AB ", "x is 5 ", "0,5", "2 to ",
    "1h",
]
# fmt: on


def reading(text: str) -> None:
    """The answer and the format of a completion, tagged and bare."""
    for completion in (text, f"<think>a</think><answer>{text}</answer>"):
        extract_answer(completion)
        for style in ("think_answer", "think_boxed"):
            format_reward([], [completion], style=style)


def judging(text: str) -> None:
    """An answer against each target; no more than ``MAX_TEXT`` signs of it are looked at."""
    for case in TARGETS:
        decide(case._replace(prediction=text))


def seconds(work: Callable[[str], None], text: str) -> float:
    """Seconds of this thread."""
    gc.disable()  # it would walk all that earlier tests have left
    start = time.thread_time()
    work(text)
    spent = time.thread_time() - start
    gc.enable()
    return spent


@pytest.mark.parametrize("piece", PIECES)
def test_cost_is_linear(piece: str) -> None:
    """Four times as many signs take less than eight times as long, for what takes long at all."""
    for prefix in ("", "answer", "5"):
        for work, size, least in ((reading, 32_000, 0.2), (judging, MAX_TEXT // 2, 0.2)):
            long, short = (prefix + piece * (n // len(piece)) for n in (size, size // 4))
            work(prefix + piece)
            slow = seconds(work, long)
            assert slow < least or slow < 8 * max(seconds(work, short), 0.02)


def test_towers_of_powers_are_decided_at_once() -> None:
    start = time.process_time()
    for tower in ("9^{9^{9^{9}}}", "9**9**9**9", "x^{9^{9^{9}}}", "170!!", "(((((9!)!)!)!)!)"):
        for target in ("5", "x^2", "\\sqrt{2}"):
            verdict = decide(Case(tower, target))
            assert verdict.correct is False
    assert time.process_time() - start < 2
