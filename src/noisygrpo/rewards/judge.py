"""Is an answer right? One verdict with its reason, by the first rule that applies.

1. the texts are equal,
2. multiple choice: which letter, or which option's text or value, was chosen,
3. the target is yes, no, true or false: what does the answer say,
4. the target is a range, a date, a clock time or a ratio: the same one,
5. lists, tuples, intervals, matrices: the same parts,
6. numbers: the same value and unit; in a sentence its only number,
7. formulas: equal at a few points, else math-verify in a process with a time limit,
8. texts: the same words, or a sentence that says "… is" them.

A verdict of None means unscorable: math-verify ran out of time or failed. That is not a wrong
answer, and callers must not count it as zero reward.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from noisygrpo.errors import require
from noisygrpo.rewards.added import added, alternative
from noisygrpo.rewards.agreement import FORMULA, PROSE, same
from noisygrpo.rewards.choices import chosen_letter, options_of, target_letter
from noisygrpo.rewards.equality import equal
from noisygrpo.rewards.math_pool import math_equal, math_equal_all
from noisygrpo.rewards.numeric import parse_number
from noisygrpo.rewards.polarity import POLARITIES, polarity_pair, read_polarity
from noisygrpo.rewards.prose import only_number, without_numbers
from noisygrpo.rewards.restated import counts_none, without_question
from noisygrpo.rewards.spelling import normalize, plain, squeezed, without_stops, words
from noisygrpo.rewards.statement import claim, complement, refuses, subject
from noisygrpo.rewards.topic import compares, strays
from noisygrpo.rewards.values import read_value, same_value

KINDS = ("auto", "text", "yes_no", "true_false", "multiple_choice", "numeric", "math")
"""Question kinds that narrow the rules; any other kind in data means ``auto``. A kind that does not
fit its target is no error: the remaining rules decide."""

TOLERANCE = 0.0
"""Relative difference of numbers that counts as equal besides what rounding explains."""

TIME_LIMIT = 5.0
"""Seconds of processor time for one formula (see ``math_process``)."""

MAX_FORMULA = 400
"""A longer answer is not compared as a formula."""

MAX_TEXT = 4000
"""Signs of an answer that are looked at."""

_CALL = re.compile(r"(?<![\\a-zA-Z])(sqrt|sin|cos|tan|log|ln|pi|and|or|cup|frac)(?![a-zA-Z])")


_WORDY = re.compile(r"[^\W\d_]{3}|[\u3040-\u9fff]|^[^\W\d_][^\W\d_A-Z]$")
_LABEL = re.compile(r"[A-Za-z]{1,3}\s?\d+[a-z]?|\d+\s?[A-Za-z]{1,3}")


class Verdict(NamedTuple):
    """Whether an answer is right (None: unscorable), and why. Only a right one is true as such."""

    correct: bool | None
    why: str

    def __bool__(self) -> bool:
        return self.correct is True  # that of a tuple would make every wrong answer true


class Formulas(NamedTuple):
    """Two formulas that only math-verify can compare."""

    prediction: str
    target: str


class Case(NamedTuple):
    """What `is_correct` takes, for `judge_all`."""

    prediction: str | None
    target: str
    kind: str = "auto"
    question: str = ""


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
    decided = decide(Case(prediction, target, kind, question), tolerance)
    if isinstance(decided, Formulas):
        return Verdict(*math_equal(decided.prediction, decided.target, time_limit))
    return decided


def judge_all(
    cases: Sequence[Case],
    *,
    tolerance: float = TOLERANCE,
    time_limit: float = TIME_LIMIT,
    budget: float | None = None,
) -> list[Verdict]:
    """`is_correct` of a batch: what math-verify has to compare is compared side by side.

    ``budget``: seconds on the clock for all of it; what is left then is unscorable.
    """
    decided = [decide(case, tolerance) for case in cases]
    pairs = [each for each in decided if isinstance(each, Formulas)]
    compared = math_equal_all(pairs, time_limit, budget) if pairs else {}
    return [Verdict(*compared[each]) if isinstance(each, Formulas) else each for each in decided]


def decide(case: Case, tolerance: float = TOLERANCE) -> Verdict | Formulas:
    """The verdict by every rule but math-verify, or the formulas that are left to it."""
    prediction, target, kind, question = case
    require(kind in KINDS, f"kind {kind!r} is not one of {list(KINDS)}")
    require(bool(target.strip()), "the target answer is empty")
    if prediction is None:
        return Verdict(False, "no answer found")
    if not prediction.strip():
        return Verdict(False, "the answer is empty")
    prediction = prediction[:MAX_TEXT]
    if same_text(prediction, target):
        return Verdict(True, "same text")
    for rule in (_judge_choice, _judge_polarity):
        chosen = rule(prediction, target, kind, question)
        if chosen is not None:
            return chosen
    answer = claim(plain(prediction))
    if same_text(answer, target):
        return Verdict(True, "same text")
    for said in (
        *(added(text, question) for text in dict.fromkeys((prediction, answer))),
        alternative(prediction, question),
    ):
        inner = decide(Case(said, target, kind, question), tolerance) if said else None
        if inner:  # right, or a formula to compare
            return inner
    if kind != "text":
        verdict = _judge_values(answer, plain(target), question, tolerance)
        if verdict is not None:
            return verdict
    return _judge_words(answer, target, question)


def has_one_value(target: str) -> bool:
    """Whether a target is a number, a formula, a date and the like, and no running text."""
    text = plain(target)
    if parse_number(text) is not None or read_value(text) is not None:
        return True
    return FORMULA.search(text) is not None and not re.search(r"[a-zA-Z]{4,}", _CALL.sub("", text))


def same_text(first: str, second: str) -> bool:
    """Whether two answers are the same text: formulas to the letter, running text by its words."""
    if squeezed(first) == squeezed(second):
        return True
    if not (is_text(first) and is_text(second)):
        return False
    return words(first) == words(second) != ()


def is_text(text: str) -> bool:
    """Whether case and hyphens mean nothing: running text, neither formula, number nor symbol."""
    text = without_stops(plain(text))
    if re.search(r"[\\^_=]", text) or (re.match(r"\W*\d", text) and parse_number(text)):
        return False
    return _WORDY.search(text) is not None


def _judge_choice(prediction: str, target: str, kind: str, question: str) -> Verdict | None:
    """Compare letters; a letter or a text stands for the other where the options are known."""
    options = options_of(question) if kind in ("auto", "multiple_choice") else {}
    letter = chosen_letter(target) if kind == "multiple_choice" else target_letter(target)
    if kind not in ("auto", "multiple_choice") or not (options or letter):
        return None
    if options:
        letter = letter if letter in options else chosen_letter(target, options)
        if letter is None:
            return None  # the target is none of the options: judge its value
    if letter is None:
        return None
    chosen = chosen_letter(prediction, options)
    if chosen is None:
        return Verdict(False, "chooses no option, or several")
    return Verdict(chosen == letter, f"chooses {chosen}")


def _judge_polarity(prediction: str, target: str, kind: str, question: str) -> Verdict | None:
    if kind not in ("auto", "yes_no", "true_false"):
        return None
    pair = polarity_pair(target)
    if pair is None and kind != "auto":
        pair = POLARITIES[kind == "true_false"]
        pair = pair if read_polarity(target, pair) else None
    if pair is None:
        return None
    answer = read_polarity(prediction, pair, question)
    if answer is None:
        return Verdict(False, f"neither {pair[0]} nor {pair[1]}, or both")
    return Verdict(answer == read_polarity(target, pair), f"answers {answer}")


def _judge_values(
    answer: str, target: str, question: str, tolerance: float
) -> Verdict | Formulas | None:
    """Values, lists, numbers and formulas; None if the target is a text."""
    agree = same_value(answer, target, question)
    if agree is not None:
        return Verdict(agree, "compared as range, date, time or ratio")
    agree = same(answer, target, tolerance)
    if agree is not None:
        return Verdict(agree, "compared by value")
    wanted = parse_number(target)
    if wanted is not None and wanted.value == 0 and counts_none(answer, question):
        return Verdict(True, "none of what is asked for")
    if wanted is not None:
        return _judge_sentence(answer, target, tolerance, question)
    if not FORMULA.search(target) or re.search(
        r"(?<![\\a-zA-Z])[a-zA-Z]{3}", _CALL.sub("", target)
    ):
        return None
    return _judge_formula(answer, target)


def _judge_sentence(answer: str, target: str, tolerance: float, question: str) -> Verdict:
    """The target is a number, the answer none: a sentence, or a formula."""
    wanted, only = parse_number(target), only_number(answer)
    assert wanted is not None
    if only is not None:
        if strays(without_numbers(answer), question) or compares(answer, question):
            return Verdict(False, "a number of another thing than was asked for")
        return Verdict(equal(only, wanted, tolerance), "the only number in a sentence")
    return Verdict(False, "not one number")


def _judge_formula(answer: str, target: str) -> Verdict | Formulas:
    if len(answer) > MAX_FORMULA:
        return Verdict(False, f"longer than {MAX_FORMULA} signs, not a formula")
    if PROSE.search(_CALL.sub("", answer)):
        return Verdict(False, "a sentence, not a formula")
    if answer.count("'") != target.count("'"):
        return Verdict(False, "one has a prime, the other none")
    if squeezed(answer).lower() == squeezed(target).lower():
        return Verdict(False, "letters differ in case")
    if _LABEL.fullmatch(answer) and _LABEL.fullmatch(target):
        return Verdict(False, "the labels differ")
    return Formulas(answer, target)


def _judge_words(answer: str, target: str, question: str) -> Verdict:
    """Running text: the same words, or a sentence whose subject "is" them; both perhaps with the
    question's last words behind them.
    """
    wanted = _core(target)
    if not (is_text(answer) and is_text(target)):
        return Verdict(False, "the texts differ")
    if _core(answer) == wanted != ():
        return Verdict(True, "same words")
    if wanted and "".join(_core(answer)) == "".join(wanted):
        return Verdict(True, "same letters")
    said = complement(answer)
    if wanted and _core(said or "") == wanted:
        if strays(subject(answer), question):
            return Verdict(False, "said of another thing than was asked for")
        return Verdict(True, "a sentence says so")
    short = without_question(answer if said is None else said, question)
    if wanted and short and not refuses(answer) and _core(short) == wanted:
        return Verdict(True, "with the question's own words")
    return Verdict(False, "the texts differ")


_PLACE = re.compile(
    r"^(?:(?:in|at|on)\s+(?=[A-Z])|(?:(?:on|at|in|to|from)\s+)?(?:the|an?|some|one"
    r"|一\s?[个只條条张本位名辆头匹块件棵朵片]))\s*",
    re.IGNORECASE,
)


def _core(text: str) -> tuple[str, ...]:
    return words(_PLACE.sub("", plain(text).strip(" .\"'"), count=1))


__all__ = [
    "KINDS", "TIME_LIMIT", "TOLERANCE", "Case", "Verdict", "decide", "is_correct", "judge_all",
    "normalize", "same_text",
]  # fmt: skip
