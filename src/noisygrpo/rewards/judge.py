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
from noisygrpo.rewards.agreement import FORMULA
from noisygrpo.rewards.by_value import CALL, Formulas, Verdict, judge_values
from noisygrpo.rewards.choices import chosen_letter, options_of, split_options, target_letter
from noisygrpo.rewards.choices_of_several import chosen_letters, target_letters
from noisygrpo.rewards.equations import names_another
from noisygrpo.rewards.foreign import in_digits
from noisygrpo.rewards.grounding import boxes_in, judged_by_overlap, same_boxes
from noisygrpo.rewards.inflection import name_differs
from noisygrpo.rewards.math_pool import math_equal, math_equal_all
from noisygrpo.rewards.named import same_name
from noisygrpo.rewards.numeric import parse_number
from noisygrpo.rewards.places import same_place
from noisygrpo.rewards.polarity import POLARITIES, polarity_pair, read_polarity
from noisygrpo.rewards.prose import untitled
from noisygrpo.rewards.reading import same_reading
from noisygrpo.rewards.restated import without_question
from noisygrpo.rewards.reworded import rewordings, without_form
from noisygrpo.rewards.spelling import normalize, plain, signs, squeezed, without_stops, words
from noisygrpo.rewards.statement import claim, complement, refuses, subject
from noisygrpo.rewards.topic import says_of_another
from noisygrpo.rewards.values import read_value

KINDS = ("auto", "text", "yes_no", "true_false", "multiple_choice", "numeric", "math", "box")
"""Question kinds that narrow the rules; any other kind in data means ``auto``. A kind that does not
fit its target is no error: the remaining rules decide."""

TOLERANCE = 0.0
"""Relative difference of numbers that counts as equal besides what rounding explains."""

TIME_LIMIT = 5.0
"""Seconds of processor time for one formula (see ``math_process``)."""

NO_CHOICE, NO_CHOICES = "chooses no option, or several", "chooses no such letters"

MAX_TEXT = 4000
"""Signs of an answer that are looked at."""


_ASKS_WHO = re.compile(r"\b(?:who|whose|whom|author|(?:person|name)\s*\?)", re.IGNORECASE)
_LETTERED = re.compile(r"[A-K][.):]\s*(?P<text>\w.*)")
_WORDY = re.compile(r"[^\W\d_]{3}|[\u3040-\u9fff]|^[^\W\d_][^\W\d_A-Z]$")


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
    prediction, target = prediction[:MAX_TEXT], target[:MAX_TEXT]
    if kind == "box" and boxes_in(target):
        return Verdict(*judged_by_overlap(prediction, target))
    kind = "auto" if kind == "box" else kind
    if same_text(prediction, target, question):
        return Verdict(True, "same text")
    answer = in_digits(untitled(claim(plain(prediction)), question))
    for rule in (_judge_choice, _judge_polarity):
        chosen = rule(prediction, target, kind, question)
        if chosen is not None:
            unread = chosen.why in (NO_CHOICE, NO_CHOICES)
            return (unread and _decide_added(prediction, answer, case, tolerance)) or chosen
    if same_text(answer, target, question) or same_reading(answer, target, question):
        return Verdict(True, "same text")
    if same_name(answer, target, question):
        return Verdict(True, "names of the same")
    if same_place(answer, target, question):
        return Verdict(True, "the same place")
    if same_boxes(prediction, target, question):
        return Verdict(True, "the same boxes")
    inner = _decide_added(prediction, answer, case, tolerance)
    if inner:  # right, or a formula to compare
        return inner
    if kind != "text":
        verdict = judge_values(answer, plain(target), question, tolerance)
        if verdict is not None:
            return verdict
    return _judge_words(answer, target, question)


def _decide_added(
    prediction: str, answer: str, case: Case, tolerance: float
) -> Verdict | Formulas | None:
    """The verdict on what a sentence adds to the question that it says again; None if wrong."""
    for said in (
        *(added(text, case.question) for text in dict.fromkeys((prediction, answer))),
        alternative(prediction, case.question),
        *rewordings(answer, case.question),
    ):
        inner = decide(case._replace(prediction=said), tolerance) if said else None
        if inner:
            return inner
    wanted = without_form(case.target) if case.question.strip() else None
    inner = decide(case._replace(target=wanted), tolerance) if wanted else None
    return inner or None


def has_one_value(target: str) -> bool:
    """Whether a target is a number, a formula, a date and the like, and no running text."""
    text = plain(target)
    if parse_number(text) is not None or read_value(text) is not None:
        return True
    return FORMULA.search(text) is not None and not re.search(r"[a-zA-Z]{4,}", CALL.sub("", text))


def same_text(answer: str, target: str, question: str = "") -> bool:
    """Whether two answers are the same text: formulas to the letter, running text by its words."""
    if squeezed(answer) == squeezed(target):
        return True
    if not (is_text(answer) and is_text(target)) or signs(answer) != signs(target):
        return False
    same = words(answer) == words(target) != ()
    return same and not name_differs(answer, target, question)


def is_text(text: str) -> bool:
    """Whether case and hyphens mean nothing: running text, neither formula, number nor symbol."""
    text = without_stops(plain(text))
    if re.search(r"[\\^_=]|[a-zA-Z]\(\S", text) or (
        re.match(r"\W*\d", text) and parse_number(text)
    ):
        return False
    return _WORDY.search(text) is not None


def _judge_choice(prediction: str, target: str, kind: str, question: str) -> Verdict | None:
    """Compare letters; a letter or a text stands for the other where the options are known."""
    options = options_of(question) if kind in ("auto", "multiple_choice") else {}
    if kind in ("auto", "multiple_choice") and (several := target_letters(target, options)):
        chosen_ones = chosen_letters(prediction, options)
        why = f"chooses {', '.join(chosen_ones)}" if chosen_ones else NO_CHOICES
        return Verdict(chosen_ones == several, why)
    letter = chosen_letter(target) if kind == "multiple_choice" else target_letter(target)
    if kind not in ("auto", "multiple_choice") or not (options or letter):
        return None
    if options:
        letter = letter if letter in options else chosen_letter(target, options)
        if letter is None:
            return None  # the target is none of the options: judge its value
    if letter is None:
        return None
    behind = _LETTERED.fullmatch(plain(target)) if not options else None
    if behind and (letter not in "ABCDE" or _ASKS_WHO.search(question)):
        return None  # initials: "J. Smith"
    if behind:  # the one option that is known: "B. Obama" is no "B. Clinton"
        other = _LETTERED.fullmatch(claim(plain(prediction)))
        if other and words(other.group("text")) != words(behind.group("text")):
            return Verdict(False, "the texts behind the letters differ")
        options = {letter: behind.group("text")}
    chosen = chosen_letter(prediction, options)
    asked, claimed = split_options(question)[0], claim(plain(prediction))
    if chosen is None or (claimed.count("=") == 1 and names_another(claimed, asked)):
        return Verdict(False, NO_CHOICE)
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


def _judge_words(answer: str, target: str, question: str) -> Verdict:
    """Running text: the same words, or a sentence whose subject "is" them; both perhaps with the
    question's last words behind them.
    """
    wanted = _core(target)
    if not (is_text(answer) and is_text(target)) or name_differs(answer, target, question):
        return Verdict(False, "the texts differ")
    if _core(answer) == wanted != () and signs(answer) == signs(target):
        return Verdict(True, "same words")
    kept = [(re.findall(r"\d+", text), signs(text)) for text in (answer, target)]
    if wanted and "".join(_core(answer)) == "".join(wanted) and kept[0] == kept[1]:
        return Verdict(True, "same letters")
    said = complement(answer)
    if wanted and said and (_core(said) == wanted or same_place(said, target, question)):
        if says_of_another(subject(answer), question):
            return Verdict(False, "said of another thing than was asked for")
        return Verdict(True, "a sentence says so")
    short = without_question(answer if said is None else said, question)
    if wanted and short and not refuses(answer) and _core(short) == wanted:
        return Verdict(True, "with the question's own words")
    return Verdict(False, "the texts differ")


_PLACE = re.compile(
    r"^(?:(?:in|at|on)\s+(?=[A-Z])|(?:(?:on|at|in|to|from)\s+)?(?:(?:the|an?|some|one)\b(?!\.)"
    r"|一\s?[个只條条张本位名辆头匹块件棵朵片])|made\s+(?:out\s+)?of\b)\s*",
    re.IGNORECASE,
)


def _core(text: str) -> tuple[str, ...]:
    text = _PLACE.sub("", plain(text).strip(" .\"'"), count=1)
    if not text.isascii():
        text = re.sub(r"(?<=[\u3400-\u9fff])色?的?$", "", text)  # 红, 红色, 红色的
    return words(text)


__all__ = [
    "KINDS", "TIME_LIMIT", "TOLERANCE", "Case", "Verdict", "decide", "is_correct", "judge_all",
    "normalize", "same_text",
]  # fmt: skip
