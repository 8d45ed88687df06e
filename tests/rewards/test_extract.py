import pytest

from noisygrpo.rewards import completion_text, extract_answer
from noisygrpo.rewards.extract import extract_letter, last_boxed, last_tag


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>x</think><answer> 4 </answer>", "4"),
        ("<answer>1</answer> wait <answer>2</answer>", "2"),
        ("<think>write <answer> at the end</think><answer>7</answer>", "7"),
        ("<ANSWER>yes</ANSWER>", "yes"),
        ("<answer></answer>", ""),
        ("<answer>12", None),  # cut off in the middle of a number
        ("<answer>12</answer", None),
        ("<answer>\\boxed{\\frac{1}{2}}</answer>", "\\frac{1}{2}"),
        ("so \\boxed{\\frac{\\sqrt{3}}{2}} cm", "\\frac{\\sqrt{3}}{2}"),
        ("\\boxed{1} then \\boxed {2}", "2"),
        ("\\boxed{\\left\\{1, 2\\right.}", "\\left\\{1, 2\\right."),
        ("\\boxed{3} and \\boxed{unclosed", "3"),
        ("\\boxed 5", "5"),
        ("\\boxedtext{4}", None),
        ("The answer is (C).", "C"),
        ("</think> Answer: **D**", "D"),
        ("I first chose option A. The answer is B", "B"),
        ("<think>The answer is (A)</think> no idea", None),
        ("The answer is A circle", None),
        ("I am certain", None),
        ("B", "B"),
        ("(b)", None),
        ("", None),
        ("İ" * 3 + "<answer>x</answer>", "x"),  # its lower case is longer than itself
    ],
)
def test_answer_of_a_completion(text: str, answer: str | None) -> None:
    assert extract_answer(text) == answer


def test_pieces() -> None:
    assert last_tag("<a>1</a><a>2", "a") == "1"
    assert last_boxed("none") is None
    assert last_boxed("{x} } \\boxed{a\\}b} }") == "a\\}b"
    assert extract_letter("Choice: E, since") == "E"


def test_hostile_text_takes_linear_time() -> None:
    text = "<answer>" * 20_000 + "\\boxed{" * 20_000
    assert extract_answer(text) is None


def test_text_of_conversations() -> None:
    turn = {"role": "assistant", "content": "a"}
    parts = [{"type": "text", "text": "b"}, {"type": "image"}]
    assert completion_text("plain") == "plain"
    assert completion_text([turn, {"role": "assistant", "content": parts}]) == "ab"
    assert completion_text([{"role": "tool", "content": "x"}, turn]) == "a"
