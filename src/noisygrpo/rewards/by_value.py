"""Is an answer right by its value: numbers, formulas, dates, lists, the one number of a sentence?

The rules 4 to 7 of ``judge``, with what makes an equal number the answer to another question.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from noisygrpo.rewards.agreement import FORMULA, PROSE, same
from noisygrpo.rewards.equality import equal
from noisygrpo.rewards.equations import names_another
from noisygrpo.rewards.figures import same_figure
from noisygrpo.rewards.measures import in_asked_scale, measures_another
from noisygrpo.rewards.numeric import parse_number
from noisygrpo.rewards.prose import counted_first, only_number, without_labels, without_numbers
from noisygrpo.rewards.reading import is_other_code
from noisygrpo.rewards.restated import counts_none, counts_one
from noisygrpo.rewards.spelling import squeezed
from noisygrpo.rewards.statement import complement, subject
from noisygrpo.rewards.topic import (
    compares,
    counts_another,
    is_no_percentage,
    of_another,
    says_of_another,
    strays,
)
from noisygrpo.rewards.values import same_value

MAX_FORMULA = 400
"""A longer answer is not compared as a formula."""

CALL = re.compile(r"(?<![\\a-zA-Z])(sqrt|sin|cos|tan|log|ln|pi|and|or|cup|frac)(?![a-zA-Z])")
"""Words of a formula."""
_HAS = re.compile(r"\b(?:is|are|was|were|has|have|had|costs?|weighs?|measures?|reads?|shows?)\b")
_MARKS = re.compile(r"^(\\times)?.*?(\\times|[-*+#%]?)$", re.DOTALL)
_SIDE_BY_SIDE = re.compile(r"\d (?!\d{3}(?!\d))(?!\d+(?:\.\d+)?\s?/)\d")
"""Numbers that neither group digits nor make a mixed number: their product or sum is not meant."""
_LABEL = re.compile(r"[A-Za-z]{1,3}\s?\d+[a-z]?|\d+\s?[A-Za-z]{1,3}")
_ELEMENTS = re.compile(r"\d{0,2}(?=.*[A-Z)]\d|.*[A-Z][a-z]\d)(?:(?:[A-Z][a-z]?|[()])\d*)+")
"""H2O, 2CO2, Ca(OH)2: no product has a digit behind a letter."""


_BY_HOW_MUCH = re.compile(r"\bby\s+how\s+(?:much|many)\b", re.IGNORECASE)
_NONE = re.compile(r"(?:none|nothing)\.?", re.IGNORECASE)
_COMPUTES = re.compile(r"^\s*(?:compute|calculate|evaluate|solve|simplify)\b", re.IGNORECASE)
"""Where none is no number but the lack of one."""


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


def judge_values(
    answer: str, target: str, question: str, tolerance: float
) -> Verdict | Formulas | None:
    """Values, lists, numbers and formulas; None if the target is a text."""
    if is_other_code(answer, target, question):
        return Verdict(False, "another code")
    if _BY_HOW_MUCH.search(question) and re.match(r"to\b", answer):
        return Verdict(False, "the end of a change, not its size")
    if _NONE.fullmatch(answer) and _COMPUTES.search(question):
        return Verdict(False, "no value")
    agree = same_value(answer, target, question)
    said = None if agree else complement(answer)
    if said and not says_of_another(subject(answer), question):
        agree = same_value(said, target, question)
    if agree is not None:
        return Verdict(agree, "compared as range, date, time or ratio")
    if same_figure(answer, target, question):
        return Verdict(True, "the same figure or order")
    agree = same(answer, target, tolerance)
    agree = True if _with_point(answer, target, tolerance) else agree
    scaled = None if agree else in_asked_scale(target, question)
    if scaled and same(answer, scaled, tolerance):
        return Verdict(True, "compared by value, in the scale of the question")
    if not agree and _states(answer, target, question, tolerance):
        return Verdict(True, "a sentence says so")
    if agree and "=" not in target and names_another(answer, question):
        return Verdict(False, "the value of another quantity than was asked for")
    if agree and is_no_percentage(answer, target, question):
        return Verdict(False, "a percentage, which was not asked for")
    if agree and (counts_another(answer, question) or measures_another(answer, target, question)):
        return Verdict(False, "a number of other things than were asked for")
    wanted = parse_number(target)
    if wanted is not None and wanted.value == 1 and counts_one(answer, question):
        return Verdict(True, "one of what is asked for")
    if agree is not None:
        return Verdict(agree, "compared by value")
    if wanted is not None and wanted.value == 0 and counts_none(answer, question):
        return Verdict(True, "none of what is asked for")
    if wanted is not None:
        return _judge_sentence(answer, target, tolerance, question)
    if not FORMULA.search(target) or re.search(r"(?<![\\a-zA-Z])[a-zA-Z]{3}", CALL.sub("", target)):
        return None
    return _judge_formula(answer, target)


_COMMA = re.compile(r"(?P<sign>[-+]?)(?P<whole>\d+),(?P<part>\d+)(?P<rest>\D*)")


def _with_point(answer: str, target: str, tolerance: float) -> bool:
    """Whether ``0,5`` and ``1234,56`` are the target, which has a fraction.

    A comma that may group digits does, and two whole numbers are no fraction.
    """
    comma, wanted = _COMMA.fullmatch(answer.strip(" .")), parse_number(target)
    if comma is None or wanted is None or not isinstance(wanted.value, Fraction):
        return False
    grouped = re.fullmatch(r"[1-9]\d{0,2},\d{3}", f"{comma.group('whole')},{comma.group('part')}")
    listed = len(comma.group("part")) == 1 and comma.group("whole") != "0"  # 3,5 may be two
    if grouped or listed or wanted.value.denominator == 1:
        return False
    sign, whole, part, rest = comma.groups()
    return same(f"{sign}{whole}.{part}{rest}", target, tolerance) is True


def _states(answer: str, target: str, question: str, tolerance: float) -> bool:
    """Whether a sentence says "… is" the target, a formula, a label, a list or a pair: the numbers
    of sentences have a rule of their own.
    """
    wanted = parse_number(target)
    said = complement(answer) if wanted is None or wanted.closed else None
    if not said or not PROSE.search(subject(answer)) or parse_number(answer) is not None:
        return False
    if says_of_another(subject(answer), question) or names_another(said, question):
        return False
    return same(re.sub(r"^(?:the|an?)\s+", "", said), target, tolerance) is True


def _judge_sentence(answer: str, target: str, tolerance: float, question: str) -> Verdict:
    """The target is a number, the answer none: a sentence, or a formula."""
    answer = without_labels(answer, question)
    wanted, first = parse_number(target), counted_first(answer)
    assert wanted is not None
    if first is not None:
        return Verdict(equal(first, wanted, tolerance), "what a sentence counts first")
    only = only_number(answer)
    stated = complement(answer) if only is None and "=" in answer else None
    if stated and not strays(subject(answer), question):
        return Verdict(same(stated, target, tolerance) is True, "an equation in a sentence")
    if only is not None:
        other = _HAS.split(answer)[0] if _HAS.search(answer) else ""
        if (
            strays(without_numbers(answer), question)
            or compares(answer, question)
            or of_another(other, question)
        ):
            return Verdict(False, "a number of another thing than was asked for")
        return Verdict(equal(only, wanted, tolerance), "the only number in a sentence")
    return Verdict(False, "not one number")


def _judge_formula(answer: str, target: str) -> Verdict | Formulas:
    if len(answer) > MAX_FORMULA:
        return Verdict(False, f"longer than {MAX_FORMULA} signs, not a formula")
    if PROSE.search(CALL.sub("", answer)):
        return Verdict(False, "a sentence, not a formula")
    marks = [_MARKS.match(re.sub(r"[{}\s]", "", text)) for text in (answer, target)]
    if marks[0] and marks[1] and marks[0].groups() != marks[1].groups():
        return Verdict(False, "one begins or ends with a sign, the other does not")
    if _SIDE_BY_SIDE.search(answer) or _SIDE_BY_SIDE.search(target):
        return Verdict(False, "numbers side by side, no formula")
    if answer.count("'") != target.count("'"):
        return Verdict(False, "one has a prime, the other none")
    if squeezed(answer).lower() == squeezed(target).lower():
        return Verdict(False, "letters differ in case")
    if _LABEL.fullmatch(answer) and _LABEL.fullmatch(target):
        return Verdict(False, "the labels differ")
    if _ELEMENTS.fullmatch(squeezed(target)):
        signs = {re.sub(r"[\s_{}]", "", squeezed(text)) for text in (answer, target)}
        return Verdict(len(signs) == 1, "compared as formulas of elements")
    return Formulas(answer, target)
