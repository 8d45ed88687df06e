"""Rewards of NoisyRollout and Hint-GRPO; NoisyGRPO's is in ``semantic``.

- NoisyRollout (arXiv 2504.13055): 0.9 accuracy + 0.1 format in the released code, all or nothing in
  the paper; answers in ``\\boxed{}`` after ``<think>``.
- Hint-GRPO (arXiv 2503.23905): accuracy alone.

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
from noisygrpo.rewards.functions import STYLES, judge_completion
from noisygrpo.rewards.judge import TIME_LIMIT
from noisygrpo.rewards.math_check import math_equal

FORMS = ("weighted", "all_or_nothing")

_RELEASED_BOXED = re.compile(r"<think>.*</think>.*\\boxed\{.*\}.*", re.DOTALL)
_RELEASED_ANSWER = re.compile(r"<answer>(.*?)</answer>")  # a dot does not match a newline


def noisyrollout(
    prompts: Sequence[Any],
    completions: Sequence[Any],
    answer: Sequence[str],
    question: Sequence[str] | None = None,
    kind: Sequence[str] | None = None,
    hint: Sequence[str] | None = None,
    *,
    form: str = "weighted",
    format_weight: float = 0.1,
    time_limit: float = TIME_LIMIT,
    compat: bool = False,
    **columns: Any,
) -> list[float | None]:
    """NoisyRollout's reward: ``(1 - w) accuracy + w format``, or 1 only if both hold.

    ``form``: ``weighted`` (released code) or ``all_or_nothing`` (paper). ``format_weight``: w.
    ``compat`` uses the released pattern and the released grader (package ``mathruler``): the last
    ``\\boxed{}`` counts even if it stands inside the thinking, equal fractions that are not reduced
    are wrong, percent signs and units are ignored, and whatever fails is 0.
    """
    check_noisyrollout(form=form, format_weight=format_weight, compat=compat)
    count = len(completions)
    rewards: list[float | None] = []
    own = own_texts(completions, hint)
    columns_of = zip(
        completions, own, answer, kind or ["auto"] * count, question or [""] * count, strict=True
    )
    for completion, written, target, rule, asked in columns_of:
        text = completion_text(completion)
        right: bool | None
        if compat:
            right = bool(math_equal(_released_boxed(written), target, time_limit, "mathruler")[0])
            formed = _RELEASED_BOXED.fullmatch(text) is not None
        else:
            verdict = judge_completion(written, target, rule, asked, time_limit=time_limit)
            right, formed = verdict.correct, STYLES["think_boxed"].fullmatch(text) is not None
        whole = float(bool(right) and formed)
        mixed = (1 - format_weight) * bool(right) + format_weight * formed
        score = whole if form == "all_or_nothing" else mixed
        rewards.append(None if right is None else score)
    return rewards


def check_noisyrollout(
    form: str = "weighted", format_weight: float = 0.1, compat: bool = False, **other: Any
) -> None:
    """Raise ``UserError`` for arguments that cannot work, before a run starts."""
    require(form in FORMS, f"rewards.noisyrollout.form: {form!r} is not one of {list(FORMS)}")
    require(
        0 <= format_weight <= 1,
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


def hint_accuracy(
    prompts: Sequence[Any],
    completions: Sequence[Any],
    answer: Sequence[str],
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
    count = len(completions)
    kinds, asked = kind or ["auto"] * count, question or [""] * count
    rewards: list[float | None] = []
    for row, text in enumerate(own_texts(completions, hint)):
        target = answer[row]
        if compat:
            right = math_equal(text, target, time_limit, "hint_grpo")[0]
            rewards.append(float(right is True or _same_tag(text, target)))
            continue
        verdict = judge_completion(text, target, kinds[row], asked[row], time_limit=time_limit)
        rewards.append(None if verdict.correct is None else float(verdict.correct))
    return rewards


def _same_tag(text: str, target: str) -> bool:
    """The released fall-back: contents of the first one-line answer tag, else the whole text."""
    found = [_RELEASED_ANSWER.search(each) for each in (text, target)]
    pair = zip(found, (text, target), strict=True)
    mine, wanted = ((match.group(1) if match else each).strip() for match, each in pair)
    return mine == wanted
