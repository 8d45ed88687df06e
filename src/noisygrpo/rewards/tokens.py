"""The tokens of an expression, and what is none: ranges, dates, times and ratios."""

from __future__ import annotations

import re

from noisygrpo.rewards.spelling import plain, word_set

MAX_LENGTH = 400
"""Longer texts are no expression."""

NAMES = word_set(
    "sin cos tan cot sec csc arcsin arccos arctan ln log lg exp abs pi e inf sqrt frac binom"
)
"""Functions, constants and commands; any other run of letters is a product of variables."""

_TOKEN = re.compile(
    r"\d+(?:\.\d*)?(?:e[+-]?\d{1,4})?|\.\d+|\\[a-zA-Z]+|[a-zA-Z]+|\^\{\\circ\}|[-+*/:^_!()\[\]{}|]"
)
_PHRASE = re.compile(r"(?<![\\a-zA-Z])(?!sin|cos|tan|log|exp|sqrt)[a-z]{2,} [a-z]{2,}")
_SKIPPED = re.compile(r"\s+|(?<=\d)(?<!\d{4}),(?=\d{3}(?!\d))")
_SPELLED = {
    "\\times": "*",
    "\\cdot": "*",
    ":": "/",
    "\\lbrace": "{",
    "\\rbrace": "}",
    "\\pi": "pi",
    "\\infty": "inf",
    "infinity": "inf",
}
DOUBLED = re.compile(r"(?:^|[(\[{,=]) ?(?:- ?-|\+ ?\+)")
"""A sign twice in front of a number, which nobody writes for none."""
NO_VALUE = re.compile(
    r"\d(?:\.\d+)?\s*-\s*\d[\d.,]*(?:\s*-\s*\d+)*\s*(?![\d*/^!+(\\])"
    r"|\d+\s*/\s*\d+\s*/\s*\d+|(?<!\d)\d{1,2}:\d\d(?!\d)|\d+\s*:\s*\d+"
)
"""Ranges (5-10), dates (2020-03-05, 3/5/2020), times, ratios: no arithmetic is done with them."""


def tokenize(text: str, arithmetic: bool = False) -> tuple[str, ...] | None:
    """The tokens of an expression, ``None`` where a sign is none of them.

    ``arithmetic``: take what reads as a range, a date, a time or a ratio for an expression too.
    """
    text = plain(text)
    if len(text) > MAX_LENGTH or _PHRASE.search(text) or (is_no_value(text) and not arithmetic):
        return None
    text = _SKIPPED.sub(lambda m: " " if m.group().isspace() else "", text)
    tokens, at = [], 0
    while at < len(text):
        if text[at] == " ":
            at += 1
            continue
        match = _TOKEN.match(text, at)
        if match is None:
            return None
        names = _names(_SPELLED.get(match.group(), match.group()))
        if names is None:
            return None
        tokens += names
        at = match.end()
    return tuple(tokens) or None


def _names(token: str) -> list[str] | None:
    """The names that a token stands for: a run of small letters is a product of at most three
    variables, one of capitals a name such as AB; None for a word.
    """
    if not token.isalpha() or len(token) == 1 or token in NAMES:
        return [token]
    if len(token) > 3:
        return None
    return [token] if token.isupper() else list(token)


def is_no_value(text: str) -> bool:
    """Whether digits and hyphens, slashes or colons are all that a text has."""
    return NO_VALUE.search(text) is not None and re.search(r"[*^!\\=a-zA-Z]", text) is None
