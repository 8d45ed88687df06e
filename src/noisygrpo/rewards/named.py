"""Sets and words of mathematics under their several names: the empty set, the reals, "DNE".

A name is only the set's where the target says that it is one: a target "R" may be a resistor, one
in blackboard letters is the set of the reals. "Undefined" and "does not exist" mean the same of a
limit and of a slope only, and an equation without a solution has the empty set of them.
"""

from __future__ import annotations

import re

from noisygrpo.rewards.spelling import plain

LONGEST = 80
"""A longer text is no name."""

INFINITY, MINUS_INFINITY = "infinity", "minus infinity"
EMPTY, NO_SOLUTION, NO_LIMIT, UNDEFINED = "empty", "no solution", "does not exist", "undefined"

_IN = r"(?:[a-z]\s*\\in\s*)?"
_ALL = r"(?:(?:the\s+)?set\s+of\s+)?(?:the\s+|all\s+(?:the\s+)?)?"
_SUBJECT = r"(?:(?:the\s+)?(?:limit|slope|derivative|value|expression|function)\s+|it\s+)?"
_NAMES = tuple(
    (name, re.compile(pattern, re.IGNORECASE))
    for name, pattern in (
        (EMPTY, _IN + r"(?:\\emptyset|\\?\{\s*\\?\}|(?:the\s+)?(?:empty|null)\s+set)"),
        ("Z", _ALL + r"integers"),
        ("N", _ALL + r"natural\s+numbers"),
        ("Q", _ALL + r"rational\s+numbers"),
        ("C", _ALL + r"complex\s+numbers"),
        ("R", _ALL + r"real(?:s|\s+numbers)|(?:every|any)\s+real\s+number"),
        ("R", _IN + r"\(\s*-\s*\\infty\s*,\s*\+?\s*\\infty\s*\)"),
        ("R", r"-\s*\\infty\s*<\s*[a-z]\s*<\s*\+?\s*\\infty"),
        (INFINITY, r"(?:\+\s*|(?:positive|plus)\s+)?(?:\\infty|infinity|inf)"),
        (MINUS_INFINITY, r"(?:-\s*|(?:negative|minus)\s+)(?:\\infty|infinity|inf)"),
        (NO_SOLUTION, r"(?:there\s+(?:is|are)\s+)?no\s+solutions?"),
        (NO_LIMIT, _SUBJECT + r"(?:dne|does\s+not\s+exist|doesn't\s+exist)"),
        (UNDEFINED, _SUBJECT + r"(?:is\s+)?(?:undefined|not\s+defined)"),
    )
)
_IN_WORDS = re.compile(r"[\sa-zA-Z.,'-]{2,}")
"""Two names in words are compared as texts."""
_LETTER = re.compile(_IN + r"([RZNQC])")
_BLACKBOARD = re.compile(r"\\(?:mathbb|mathbf|Bbb)(?![a-zA-Z])\s*\{?\s*[RZNQC]|[ℝℤℕℚℂ]")
_ASKS_LIMIT = re.compile(r"\b(?:limit|slope|derivative)\b|\\lim(?![a-zA-Z])", re.IGNORECASE)
_ASKS_SOLUTION = re.compile(
    r"\bsolv\w*|\bsolutions?\b|\broots?\b|\bequations?\b|\binequalit\w+", re.IGNORECASE
)


def same_name(answer: str, target: str, question: str) -> bool:
    """Whether both are names of one set, or say that there is no such value.

    ``target`` as it is in the data: its blackboard letters are gone in `spelling.plain`.
    """
    if max(len(answer), len(target)) > LONGEST:
        return False
    wanted = _name(target, bare=_BLACKBOARD.search(target) is not None)
    said = _name(answer, bare=True) if wanted else None
    if said is None or wanted is None:
        return False
    if said == wanted:
        in_words = all(_IN_WORDS.fullmatch(text.strip()) for text in (answer, target))
        return wanted in (NO_LIMIT, UNDEFINED) or not in_words
    pair = {said, wanted}
    if pair == {NO_LIMIT, UNDEFINED}:
        return _ASKS_LIMIT.search(question) is not None
    return pair == {EMPTY, NO_SOLUTION} and _ASKS_SOLUTION.search(question) is not None


def _name(text: str, bare: bool) -> str | None:
    """The name's set or word; ``bare``: whether a letter alone may be one."""
    text = plain(text).strip(" .")
    letter = _LETTER.fullmatch(text) if bare else None
    if letter:
        return letter.group(1)
    return next((name for name, pattern in _NAMES if pattern.fullmatch(text)), None)
