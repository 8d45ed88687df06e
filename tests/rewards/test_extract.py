import pytest

from noisygrpo.rewards import completion_text, extract_answer
from noisygrpo.rewards.extract import (
    answer_texts,
    behind_thinking,
    last_boxed,
    last_tag,
    own_texts,
)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>x</think><answer> 4 </answer>", "4"),
        ("<answer>1</answer> then <answer>2</answer>", "2"),
        ("<think>write <answer> at the end</think><answer>7</answer>", "7"),
        ("<ANSWER>yes</ANSWER>", "yes"),
        ("<answer></answer>", ""),
        ("<answer><answer>5</answer></answer>", "5"),
        ("The answer is 9.</answer>", "9"),  # the prompt opened the tag
        ("<answer>12", None),  # cut off in the middle of a number
        ("<answer>12</answer", None),
        ("12 <ans \n", None),  # white space behind it closes nothing
        ("< ", None),
        ("<answer>1</answer> wait, <answer>2", None),
        ("<answer>\\boxed{\\frac{1}{2}}</answer>", "\\frac{1}{2}"),
        ("so \\boxed{\\frac{\\sqrt{3}}{2}} cm", "\\frac{\\sqrt{3}}{2}"),
        ("\\boxed{1} then \\boxed {2}", "2"),
        ("\\boxed{\\boxed{5}}", "5"),
        ("\\boxed{\\left\\{1, 2\\right.}", "\\left\\{1, 2\\right."),
        ("\\boxed{3} and \\boxed{unclosed", None),
        ("\\boxed 5", "5"),
        ("The answer is (C).", "(C)"),
        ("</think> Answer: **D**", "D"),
        ("I first chose option A. The answer is B", "B"),
        ("The answer is A circle", "A circle"),
        ("The answer is 3.5. I checked it.", "3.5"),
        ("Answer:\n\n5 cm\nDone.", "5 cm"),
        ("答案：5。", "5"),
        ("I am certain", "I am certain"),  # without an announcement, all of it
        ("I do not know", None),
        ("It cannot be determined.", None),
        ("B", "B"),
        ("", None),
        ("  \n", None),
        ("İ" * 3 + "<answer>x</answer>", "x"),  # its lower case is longer than itself
    ],
)
def test_answer_of_a_completion(text: str, answer: str | None) -> None:
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>so \\boxed{5}, no, wrong</think> The answer is 6.", "6"),
        ("<think>so \\boxed{5}</think>", None),
        ("<think>first guess <answer>5</answer> but let me check", None),
        ("<think>a</think> The answer is 4 <think>or not", None),
        ("<think>a</think><think>b</think>4", "4"),
        ("a</think>4", "4"),
        ("<Thinking>\\boxed{3}</Thinking>4", "4"),
        ("<reasoning>\\boxed{3}</reasoning>4", "4"),
        ("◁think▷\\boxed{3}◁/think▷4", "4"),
    ],
)
def test_only_behind_the_thinking(text: str, answer: str | None) -> None:
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<answer>4</answer> or <answer>5</answer>", "4 or 5"),
        ("<answer>4</answer><answer>5</answer>", "4 , 5"),
        ("<answer>4</answer>\n<answer>4</answer>", "4"),
        ("<answer>4</answer> or 5", "4 or or 5"),
        ("\\boxed{4} or \\boxed{5}", "4 or 5"),
        ("$x = \\boxed{4}$ and $y = \\boxed{5}$", "4 and 5"),
        ("It is not \\boxed{4}", "not 4"),
        ("more than \\boxed{4}", "than 4"),
        ("<answer>4</answer> No, wait, that is wrong.", "4 or No, wait, that is wrong"),
    ],
)
def test_alternatives_and_denials_stay_with_their_answer(text: str, answer: str) -> None:
    assert extract_answer(text) == answer


def test_pieces() -> None:
    assert last_tag("<a>1</a><a>2", "a") == "1"
    assert last_boxed("none") is None
    assert last_boxed("{x} } \\boxed{a\\}b} }") == "a\\}b"
    assert behind_thinking("no tag") == "no tag"
    assert behind_thinking("<think>") is None


def test_text_of_conversations() -> None:
    turn = {"role": "assistant", "content": "a"}
    parts = [{"type": "text", "text": "b"}, {"type": "image"}]
    assert completion_text("plain") == "plain"
    assert completion_text([turn, {"role": "assistant", "content": parts}]) == "ab"
    assert completion_text([{"role": "tool", "content": "x"}, turn]) == "a"
    assert completion_text([{"role": "assistant", "content": None, "tool_calls": []}]) == ""
    assert completion_text([{"role": "assistant"}]) == ""


def test_hints_are_cut_off_and_their_thinking_counts() -> None:
    hint = "<think>It is \\boxed{4}."
    texts = [f"{hint} So \\boxed{{4}}.", f"{hint} Yes.</think>4", "other"]
    assert own_texts(texts, [hint] * 3) == [" So \\boxed{4}.", " Yes.</think>4", "other"]
    assert answer_texts(texts, [hint] * 3) == ["", "4", "other"]
    assert answer_texts(["It is 4. So 5."], ["It is 4."]) == [" So 5."]
