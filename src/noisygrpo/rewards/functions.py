"""Reward functions with TRL's signature: ``fn(prompts, completions, **columns) -> list``.

Completions are strings or conversations. Columns of the example format and of the rollout
(``answer``, ``question``, ``kind``, ``hint_ratio`` …) come as lists of the same length. A reward is
a float, None where it does not apply, or ``UNSCORABLE`` where it applies but could not be found
out (see ``outcome``); neither is zero.

A completion that begins with a hint (column ``hint``) is judged by what the model wrote behind it;
its form is that of the whole.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from noisygrpo.errors import require
from noisygrpo.rewards.extract import (
    answer_texts,
    behind_thinking,
    completion_text,
    extract_answer,
    last_boxed,
    last_tag,
)
from noisygrpo.rewards.judge import (
    KINDS,
    TIME_LIMIT,
    TOLERANCE,
    Case,
    Verdict,
    is_correct,
    judge_all,
)
from noisygrpo.rewards.outcome import UNSCORABLE
from noisygrpo.rewards.references import accepted, by_reference

RewardFunction = Callable[..., list[float | None]]

BUDGET = 60.0
"""Seconds on the clock that the formulas of one batch may take together."""

_FREE = r"(?:(?!</?(?:think|answer)>)[\s\S])*"  # text without any of the tags
_THINK = rf"\s*<think>(?!\s*</think>){_FREE}</think>"
_THINK_ANSWER = re.compile(rf"{_THINK}\s*<answer>(?!\s*</answer>){_FREE}</answer>\s*")
_THINK_BOXED = re.compile(rf"{_THINK}(?!{_FREE}</?think>)[\s\S]*")


def _is_think_answer(text: str) -> bool:
    match = _THINK_ANSWER.fullmatch(text)
    return match is not None and not _empty_box(text.rpartition("<answer>")[2])


def _is_think_boxed(text: str) -> bool:
    if _THINK_BOXED.fullmatch(text) is None:
        return False
    part = behind_thinking(text) or ""
    return "\\boxed" in part and not _empty_box(part)


def _empty_box(text: str) -> bool:
    """Whether the text has boxes, and the last one is empty or not closed."""
    if re.search(r"\\boxed\s*\{", text) is None:
        return False
    return not (last_boxed(text) and extract_answer(text))


STYLES: dict[str, Callable[[str], bool]] = {
    "think_answer": _is_think_answer,
    "think_boxed": _is_think_boxed,
}
"""Whether the whole completion has a form."""


def target_text(answer: Any) -> str | None:
    """A row's answer as text: numbers and truth values as people write them, a list by its parts.

    None, NaN, and an empty list or text, is no answer: a reward that needs one does not apply.
    ``<answer>…</answer>`` around it goes. Raises ``TypeError`` for a mapping and for bytes.
    """
    if hasattr(answer, "tolist"):  # of NumPy, of torch
        answer = answer.tolist()
    if isinstance(answer, (Mapping, bytes)):
        raise TypeError(f"the answer {answer!r:.80} is a {type(answer).__name__}; a text is needed")
    if isinstance(answer, float) and math.isnan(answer):
        return None  # a missing value of pandas
    if isinstance(answer, bool):
        return "true" if answer else "false"
    if isinstance(answer, float) and answer.is_integer() and abs(answer) < 1e15:
        return str(int(answer))
    if isinstance(answer, (list, tuple, set, frozenset)):
        parts = [target_text(part) for part in answer]
        return ", ".join(part for part in parts if part) or None
    text = "" if answer is None else str(answer)
    if "<answer>" in text:
        text = last_tag(text, "answer") or text
    return text if text.strip() else None


def judge_completion(
    completion: Any,
    target: Any,
    kind: str = "auto",
    question: str = "",
    tolerance: float = TOLERANCE,
    time_limit: float = TIME_LIMIT,
) -> Verdict:
    """Extract the answer of a completion and judge it; one of several references suffices."""
    answer = extract_answer(completion_text(completion))
    limits = {"tolerance": tolerance, "time_limit": time_limit}
    verdicts = []
    for one in accepted(target):
        wanted = target_text(one) or ""
        verdicts.append(is_correct(answer, wanted, _rule(kind), question or "", **limits))
        if verdicts[-1].correct:
            return verdicts[-1]
    return next((one for one in verdicts if one.correct is None), verdicts[0])


def _rule(kind: str | None) -> str:
    return kind if kind in KINDS else "auto"


def judge_completions(
    completions: Sequence[Any],
    answer: Sequence[Any],
    question: Sequence[str] | None = None,
    kind: Sequence[str] | None = None,
    hint: Sequence[str] | None = None,
    *,
    tolerance: float = TOLERANCE,
    time_limit: float = TIME_LIMIT,
    budget: float | None = BUDGET,
) -> list[Verdict | None]:
    """The verdict on each completion of a batch; None where its row has no answer."""
    count = len(completions)
    texts = answer_texts(completions, hint)
    rows = zip(texts, answer, kind or ["auto"] * count, question or [""] * count, strict=True)
    cases = [
        Case(extract_answer(text), target_text(target) or "", _rule(rule), asked or "")
        for text, target, rule, asked in rows
    ]
    asked_rows = [row for row, case in enumerate(cases) if case.target]
    judged = judge_all(
        [cases[row] for row in asked_rows],
        tolerance=tolerance,
        time_limit=time_limit,
        budget=budget,
    )
    verdicts: list[Verdict | None] = [None] * count
    for row, verdict in zip(asked_rows, judged, strict=True):
        verdicts[row] = verdict
    return verdicts


def reward_of(verdict: Verdict | None) -> float | None:
    """1 right, 0 wrong, ``UNSCORABLE`` without a verdict, None where nothing was asked."""
    if verdict is None:
        return None
    return UNSCORABLE if verdict.correct is None else float(verdict.correct)


@by_reference
def accuracy(
    prompts: Sequence[Any],
    completions: Sequence[Any],
    answer: Sequence[Any],
    question: Sequence[str] | None = None,
    kind: Sequence[str] | None = None,
    hint: Sequence[str] | None = None,
    *,
    tolerance: float = TOLERANCE,
    time_limit: float = TIME_LIMIT,
    time_budget: float = BUDGET,
    **columns: Any,
) -> list[float | None]:
    """1 if the extracted answer is right, 0 if not or if there is none.

    ``UNSCORABLE`` where a formula could not be compared; None where the row's answer is None or
    empty. Answers may be texts, numbers, truth values, lists of them, or several references of
    which one suffices (``references``).

    ``tolerance``: relative difference of numbers that counts as equal besides what rounding
    explains. ``time_limit``: seconds of processor time for one formula. ``time_budget``: seconds on
    the clock for all formulas of the batch.
    """
    verdicts = judge_completions(
        completions,
        answer,
        question,
        kind,
        hint,
        tolerance=tolerance,
        time_limit=time_limit,
        budget=time_budget,
    )
    return [reward_of(verdict) for verdict in verdicts]


def check_accuracy(
    time_limit: float = TIME_LIMIT, time_budget: float = BUDGET, **other: Any
) -> None:
    """Raise ``UserError`` for limits within which nothing can be compared."""
    for name, value in (("time_limit", time_limit), ("time_budget", time_budget)):
        require(value > 0, f"rewards.accuracy.{name}: {value}, allowed is more than 0 seconds")


def check_format(style: str = "think_answer", **other: Any) -> None:
    """Raise ``UserError`` for a form that there is not."""
    require(style in STYLES, f"rewards.format.style: {style!r} is not one of {sorted(STYLES)}")


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

    ``think_answer``: ``<think>…</think><answer>…</answer>``, each tag once, neither empty; white
    space around and between is allowed. ``think_boxed``: thinking, then a ``\\boxed{}`` that is
    closed and not empty. A completion that begins with its ``hint`` (or, without that column, whose
    ``hint_ratio`` > 0) may lack the opening ``<think>``.

    ``compat`` reproduces the released pattern of NoisyGRPO: nothing may surround it (a trailing
    newline fails), tags may repeat, thinking and answer may be empty.
    """
    check_format(style)
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
        rewards.append(float(STYLES[style](text)))
    return rewards


def released_format(text: str) -> bool:
    """NoisyGRPO's released format check, ``re.fullmatch`` of one pattern."""
    pattern = r"<think>([\s\S]*?)</think>\s*<answer>([\s\S]*?)</answer>"
    return re.fullmatch(pattern, text) is not None
