"""Reward functions with TRL's signature: ``fn(prompts, completions, **columns) -> list``.

Completions are strings or conversations. Columns of the example format and of the rollout
(``answer``, ``question``, ``kind``, ``hint_ratio`` …) come as lists of the same length. A reward is
a float, or None where the completion cannot be scored; None is not zero.

A completion that begins with a hint (column ``hint``) is judged by what the model wrote behind it;
its form is that of the whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from noisygrpo.errors import require
from noisygrpo.rewards.extract import completion_text, extract_answer, own_texts
from noisygrpo.rewards.judge import KINDS, TIME_LIMIT, TOLERANCE, Verdict, is_correct

RewardFunction = Callable[..., list[float | None]]

_FREE = r"(?:(?!</?(?:think|answer)>)[\s\S])*"  # text without any of the tags
STYLES: dict[str, re.Pattern[str]] = {
    "think_answer": re.compile(
        rf"\s*<think>{_FREE}</think>\s*<answer>(?=\s*[^\s<]){_FREE}</answer>\s*"
    ),
    "think_boxed": re.compile(rf"\s*<think>{_FREE}</think>(?=[\s\S]*\\boxed\s*\{{)[\s\S]*"),
}
"""What the whole completion has to match."""


def judge_completion(
    completion: Any,
    target: str,
    kind: str = "auto",
    question: str = "",
    tolerance: float = TOLERANCE,
    time_limit: float = TIME_LIMIT,
) -> Verdict:
    """Extract the answer of a completion and judge it."""
    answer = extract_answer(completion_text(completion))
    rule = kind if kind in KINDS else "auto"
    return is_correct(answer, target, rule, question, tolerance=tolerance, time_limit=time_limit)


def accuracy(
    prompts: Sequence[Any],
    completions: Sequence[Any],
    answer: Sequence[str],
    question: Sequence[str] | None = None,
    kind: Sequence[str] | None = None,
    hint: Sequence[str] | None = None,
    *,
    tolerance: float = TOLERANCE,
    time_limit: float = TIME_LIMIT,
    **columns: Any,
) -> list[float | None]:
    """1 if the extracted answer is right, 0 if not or if there is none, None if unscorable.

    ``tolerance``: relative difference of numbers that counts as equal. ``time_limit``: seconds for
    one formula.
    """
    count = len(completions)
    texts = own_texts(completions, hint)
    rows = zip(texts, answer, kind or ["auto"] * count, question or [""] * count, strict=True)
    verdicts = [judge_completion(*row, tolerance, time_limit) for row in rows]
    return [None if verdict.correct is None else float(verdict.correct) for verdict in verdicts]


def format_reward(
    prompts: Sequence[Any],
    completions: Sequence[Any],
    hint_ratio: Sequence[float] | None = None,
    hint: Sequence[str] | None = None,
    *,
    style: str = "think_answer",
    compat: bool = False,
    **columns: Any,
) -> list[float | None]:
    """1 if the whole completion has the form of ``style``, else 0.

    ``think_answer``: ``<think>…</think><answer>…</answer>``, each tag once, the answer not empty;
    white space around and between is allowed. ``think_boxed``: thinking, then ``\\boxed{}``. A
    completion that begins with its ``hint`` (or, without that column, whose ``hint_ratio`` > 0) may
    lack the opening ``<think>``.

    ``compat`` reproduces the released pattern of NoisyGRPO: nothing may surround it (a trailing
    newline fails), tags may repeat, the answer may be empty.
    """
    require(style in STYLES, f"rewards.format.style: {style!r} is not one of {sorted(STYLES)}")
    texts = [completion_text(completion) for completion in completions]
    hinted = [ratio > 0 for ratio in hint_ratio] if hint_ratio else [False] * len(texts)
    if hint is not None:  # a hint in the question opens nothing
        begun = zip(texts, hint, strict=True)
        hinted = [bool(given) and text.startswith(given) for text, given in begun]
    rewards: list[float | None] = []
    for text, in_think in zip(texts, hinted, strict=True):
        if compat:
            rewards.append(float(released_format(text)))
            continue
        if in_think and not text.lstrip().startswith("<think>"):
            text = "<think>" + text
        rewards.append(float(STYLES[style].fullmatch(text) is not None))
    return rewards


def released_format(text: str) -> bool:
    """NoisyGRPO's released format check, ``re.fullmatch`` of one pattern."""
    pattern = r"<think>([\s\S]*?)</think>\s*<answer>([\s\S]*?)</answer>"
    return re.fullmatch(pattern, text) is not None
