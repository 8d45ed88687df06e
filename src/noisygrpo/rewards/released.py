"""The published rewards, and their released forms behind ``compat``.

- NoisyRollout (arXiv 2504.13055): 0.9 accuracy + 0.1 format in the released code, all or nothing in
  the paper; answers in ``\\boxed{}`` after ``<think>``.
- Hint-GRPO (arXiv 2503.23905): accuracy alone.
- NoisyGRPO (arXiv 2510.21122): ``semantic``; its released rules for letters and yes/no are here.

By default right and wrong are decided by ``judge``, so an answer that cannot be compared is
unscorable. ``compat`` reproduces the released code, its defects included, where that matters for a
comparison; each function says what changes.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from typing import Any

from noisygrpo.errors import UserError, require
from noisygrpo.rewards.extract import completion_text, own_texts
from noisygrpo.rewards.functions import STYLES, accuracy
from noisygrpo.rewards.judge import TIME_LIMIT
from noisygrpo.rewards.math_pool import math_equal
from noisygrpo.rewards.outcome import is_unscorable
from noisygrpo.rewards.references import by_reference

FORMS = ("weighted", "all_or_nothing", "r1v")
FORMAT_WEIGHT = {"weighted": 0.1, "all_or_nothing": 0.1, "r1v": 0.5}

_RELEASED_BOXED = re.compile(r"<think>.*</think>.*\\boxed\{.*\}.*", re.DOTALL)
_RELEASED_R1V = re.compile(r"<think>.*?</think>\s*<answer>.*?</answer>", re.DOTALL)
_RELEASED_ANSWER = re.compile(r"<answer>(.*?)</answer>")  # a dot does not match a newline


@by_reference
def noisyrollout(
    prompts: Sequence[Any],
    completions: Sequence[Any],
    answer: Sequence[Any],
    question: Sequence[str] | None = None,
    kind: Sequence[str] | None = None,
    hint: Sequence[str] | None = None,
    *,
    form: str = "weighted",
    format_weight: float | None = None,
    time_limit: float = TIME_LIMIT,
    compat: bool = False,
    **columns: Any,
) -> list[float | None]:
    """NoisyRollout's reward: ``(1 - w) accuracy + w format``, or 1 only if both hold.

    ``form``: ``weighted`` (released code), ``all_or_nothing`` (paper) or ``r1v`` (the release's
    other reward: half answer, half format, with the answer in ``<answer>``). ``format_weight``: w;
    default .1, for ``r1v`` .5.
    ``compat`` uses the released pattern and the released grader (package ``mathruler``): the last
    ``\\boxed{}`` counts even if it stands inside the thinking (``r1v``: the first tag on one line,
    else the whole text), equal fractions that are not reduced are wrong, percent signs and units
    are ignored, and whatever fails is 0.
    """
    check_noisyrollout(form=form, format_weight=format_weight, compat=compat)
    weight = FORMAT_WEIGHT[form] if format_weight is None else format_weight
    if compat:
        graded = _released_grades(own_texts(completions, hint), answer, time_limit, form)
    else:
        rows = (prompts, completions, answer, question, kind, hint)
        graded = accuracy(*rows, time_limit=time_limit)
    style = STYLES["think_answer" if form == "r1v" else "think_boxed"]
    pattern = _RELEASED_R1V if form == "r1v" else _RELEASED_BOXED
    rewards: list[float | None] = []
    for completion, right in zip(completions, graded, strict=True):
        if right is None or is_unscorable(right):
            rewards.append(right)
            continue
        text = completion_text(completion)
        formed = pattern.fullmatch(text) is not None if compat else style(text)
        mixed = (1 - weight) * right + weight * formed
        rewards.append(float(right * formed) if form == "all_or_nothing" else mixed)
    return rewards


def _released_grades(
    texts: Sequence[str], targets: Sequence[Any], time_limit: float, form: str
) -> list[float | None]:
    """What the package ``mathruler`` gives the answer of each text; failures are 0."""
    read = _released_tagged if form == "r1v" else _released_boxed
    return [
        float(math_equal(read(text), target, time_limit, "mathruler")[0] is True)
        for text, target in zip(texts, targets, strict=True)
    ]


def _released_tagged(text: str) -> str:
    """The contents of the first one-line answer tag, else the whole text."""
    match = _RELEASED_ANSWER.search(text)
    return (match.group(1) if match else text).strip()


def check_noisyrollout(
    form: str = "weighted",
    format_weight: float | None = None,
    compat: bool = False,
    **other: Any,
) -> None:
    """Raise ``UserError`` for arguments that cannot work, before a run starts."""
    require(form in FORMS, f"rewards.noisyrollout.form: {form!r} is not one of {list(FORMS)}")
    require(
        format_weight is None or 0 <= format_weight <= 1,
        f"rewards.noisyrollout.format_weight: {format_weight} is not in [0, 1]",
    )
    if compat:
        for package in ("mathruler", "pylatexenc"):
            if importlib.util.find_spec(package) is None:
                raise UserError(
                    f"rewards.noisyrollout.compat: the released grader needs the package "
                    f"{package}; pip install mathruler pylatexenc"
                )


def _released_boxed(text: str) -> str:
    """The last ``\\boxed{}`` with matched braces, "None" if there is none; escapes count as
    braces."""
    start = text.rfind("\\boxed{")
    if start < 0:
        return "None"
    depth = 0
    content = text[start + len("\\boxed{") :]
    for index, symbol in enumerate(content):
        depth += (symbol == "{") - (symbol == "}")
        if depth < 0:
            return content[:index].strip()
    return "None"


@by_reference
def hint_accuracy(
    prompts: Sequence[Any],
    completions: Sequence[Any],
    answer: Sequence[Any],
    question: Sequence[str] | None = None,
    kind: Sequence[str] | None = None,
    hint: Sequence[str] | None = None,
    *,
    time_limit: float = TIME_LIMIT,
    compat: bool = False,
    **columns: Any,
) -> list[float | None]:
    """Hint-GRPO's reward: 1 if the answer is right, else 0. Without ``compat``: ``accuracy``.

    ``compat``: math-verify reads the whole completion but for its hint (a number in the reasoning
    can match), which stands in the place of the gold answer; if that fails, the contents of
    ``<answer>`` on one line have to equal the target; a time-out or an exception is 0.
    """
    if not compat:
        rows = (prompts, completions, answer, question, kind, hint)
        return accuracy(*rows, time_limit=time_limit)
    own = own_texts(completions, hint)
    pairs = list(zip(own, answer, strict=True))
    right = [math_equal(text, target, time_limit, "hint_grpo")[0] is True for text, target in pairs]
    same = [_same_tag(text, target) for text, target in pairs]
    return [float(a or b) for a, b in zip(right, same, strict=True)]


def _same_tag(text: str, target: str) -> bool:
    """The released fall-back: contents of the first one-line answer tag, else the whole text."""
    return _released_tagged(text) == _released_tagged(target)


YES_NO_SENTENCE = "Answer the question with Yes or No."
"""By it NoisyGRPO's released reward knows a yes/no question."""

_FIRST_TAG = re.compile(r"<answer>([\s\S]*?)</answer>")


def first_tag(text: str) -> str | None:
    """NoisyGRPO's released answer: the first tag, wherever it stands."""
    match = _FIRST_TAG.search(text)
    return match.group(1).strip() if match else None


def released_overrides(given: str, target: str, question: str, reward: float) -> float:
    """NoisyGRPO's released rules for multiple choice and yes/no, defects included."""
    if "choices:" in question.lower():
        letter = re.search(r"\s([ABCDEFGHIJK])\s", re.sub(r"[^\w\s]", "", target.strip()))
        if letter and given.strip().upper() == letter.group(1):
            reward = 1.0
    if YES_NO_SENTENCE in question:
        for word in (r"yes\b", r"no\b"):
            if re.search(word, given.lower()) and re.search(word, target.lower()):
                reward = 1.0
    return reward
