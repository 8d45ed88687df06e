"""Is a prediction right? One verdict with its reason, by the first rule that applies.

1. the texts are equal after normalisation,
2. the target is yes, no, true or false: what does the prediction answer,
3. multiple choice: which letter, or which option's text, was chosen,
4. both are numbers: do they agree (``numeric.equal``),
5. the target is a formula: math-verify in a subprocess with a time limit,
6. otherwise the texts differ, and the prediction is wrong.

A verdict of None means unscorable: math-verify ran out of time or failed. That is not a wrong
answer, and callers must not count it as zero reward.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from noisygrpo.errors import require
from noisygrpo.rewards.choices import (
    POLARITIES,
    chosen_letter,
    options_of,
    polarity_pair,
    read_polarity,
    target_letter,
)
from noisygrpo.rewards.math_check import math_equal
from noisygrpo.rewards.numeric import Number, equal, numbers_in, parse_number

KINDS = ("auto", "text", "yes_no", "true_false", "multiple_choice", "numeric", "math")
"""Question kinds that narrow the rules; any other kind in data means ``auto``. A kind that does not
fit its target is no error: the remaining rules decide."""

TOLERANCE = 1e-6
"""Relative difference of numbers that still counts as equal; covers rounding of binary floats."""

TIME_LIMIT = 5.0
"""Seconds of processor time for one formula (see ``math_check``)."""

MAX_FORMULA = 400
"""A longer prediction is not compared as a formula."""

_WRAPPERS = re.compile(r"\\(?:text|mathrm|textbf|mathbf|textit|mbox)\s*\{([^{}]*)\}")
_FORMULA = re.compile(r"[\d\\^_=<>+*/|∞π√]|^\W*[a-zA-Z]\W*$")
_PROSE = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z]{3,}[\s,]+[a-zA-Z]{2,}")


class Verdict(NamedTuple):
    """Whether a prediction is right (None: unscorable), and why."""

    correct: bool | None
    why: str


def is_correct(
    prediction: str | None,
    target: str,
    kind: str = "auto",
    question: str = "",
    *,
    tolerance: float = TOLERANCE,
    time_limit: float = TIME_LIMIT,
) -> Verdict:
    """Judge the answer ``prediction`` (as ``extract_answer`` gives it) against ``target``.

    ``kind``: one of ``KINDS``; ``auto`` looks at the target. ``question``: used for the options of
    multiple choice. ``tolerance``: relative, for numbers. ``time_limit``: seconds for one formula.
    Raises ``UserError`` for an unknown kind or an empty target.
    """
    require(kind in KINDS, f"kind {kind!r} is not one of {list(KINDS)}")
    require(bool(target.strip()), "the target answer is empty")
    if prediction is None:
        return Verdict(False, "no answer found")
    if not prediction.strip():
        return Verdict(False, "the answer is empty")
    if normalize(prediction) == normalize(target):
        return Verdict(True, "same text")
    pair = _polarity_of_target(target, kind)
    if pair and kind in ("auto", "yes_no", "true_false"):
        return _judge_polarity(prediction, target, pair)
    options = options_of(question) if kind in ("auto", "multiple_choice") else {}
    letter = chosen_letter(target) if kind == "multiple_choice" else target_letter(target)
    if kind == "multiple_choice" or options or (kind == "auto" and letter):
        verdict = _judge_choice(prediction, target, letter, options)
        if verdict is not None:
            return verdict
    if kind not in ("text", "multiple_choice"):
        verdict = _judge_number(prediction, target, tolerance)
        if verdict is not None:
            return verdict
    if kind in ("auto", "numeric", "math", "yes_no", "true_false") and _FORMULA.search(target):
        return _judge_formula(prediction, target, time_limit)
    return Verdict(False, "the texts differ")


def normalize(text: str) -> str:
    """Lower case, plain spaces, no math delimiters, ``\\text{}``, articles or outer punctuation."""
    text = unicodedata.normalize("NFKC", text).replace("−", "-")
    text = _WRAPPERS.sub(r"\1", text)
    text = re.sub(r"\\[()\[\],!;: ]|[$*`]", " ", text).lower()
    text = re.sub(r"\s+", " ", text).strip().strip(".,;:!?\"'“”‘’").strip()
    return re.sub(r"^(?:the|a|an)\s+(?=\w{2})", "", text)


def _judge_polarity(prediction: str, target: str, pair: tuple[str, str]) -> Verdict:
    answer = read_polarity(prediction, pair)
    if answer is None:
        return Verdict(False, f"neither {pair[0]} nor {pair[1]}, or both")
    return Verdict(answer == read_polarity(target, pair), f"answers {answer}")


def _polarity_of_target(target: str, kind: str) -> tuple[str, str] | None:
    """The pair of a bare yes, no, true or false; of a sentence only where ``kind`` says so."""
    pair = polarity_pair(target)
    if pair is not None or kind not in ("yes_no", "true_false"):
        return pair
    pair = POLARITIES[kind == "true_false"]
    return pair if read_polarity(target, pair) else None


def _judge_choice(
    prediction: str, target: str, letter: str | None, options: dict[str, str]
) -> Verdict | None:
    """Compare letters; a letter or a text stands for the other where the options are known."""
    by_text = {normalize(text): key for key, text in options.items()}
    wanted = by_text.get(normalize(target)) or letter
    chosen = by_text.get(normalize(prediction)) or chosen_letter(prediction)
    if options and wanted not in options:
        return None  # the target is none of the options: judge its value
    if wanted is None:
        return None
    if chosen is None:
        return _judge_option_value(prediction, wanted, options)
    return Verdict(chosen == wanted, f"chooses {chosen}")


def _judge_option_value(prediction: str, wanted: str, options: dict[str, str]) -> Verdict:
    """A prediction without a letter is right if it is the number of the right option only."""
    number = parse_number(prediction)
    values = {key: parse_number(text) for key, text in options.items()}
    if number is not None:
        agree = [key for key, value in values.items() if value and equal(number, value, TOLERANCE)]
        if agree:
            return Verdict(agree == [wanted], f"gives the value of {', '.join(agree)}")
    return Verdict(False, "names no choice")


def _judge_number(prediction: str, target: str, tolerance: float) -> Verdict | None:
    """Compare numbers; None if the target or the prediction is not simply a number."""
    wanted = parse_number(target)
    if wanted is None:
        return None
    number = parse_number(prediction)
    if number is not None:
        return Verdict(equal(number, wanted, tolerance), "compared as numbers")
    if not _PROSE.search(prediction):
        return None
    values = {found.value: found for found in numbers_in(prediction)}
    if len(values) != 1:
        return Verdict(False, f"a sentence with {len(values)} different numbers")
    only: Number = next(iter(values.values()))
    return Verdict(equal(only, wanted, tolerance), "the only number in a sentence")


def _judge_formula(prediction: str, target: str, time_limit: float) -> Verdict:
    if len(prediction) > MAX_FORMULA:
        return Verdict(False, f"longer than {MAX_FORMULA} characters, not a formula")
    if _PROSE.search(prediction) and "\\" not in prediction:
        return Verdict(False, "a sentence, not a formula")
    return Verdict(*math_equal(prediction, target, time_limit))
