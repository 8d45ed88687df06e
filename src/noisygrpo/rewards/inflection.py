"""One form for the singular and the plural of an English word, and for its spellings.

Plurals are told by their ending. Names are none: "Adams" is not more than one Adam, so a name keeps
its last letter (`names`).
"""

from __future__ import annotations

import re

_KEPT_S = ("ss", "us", "is")
_NO_PLURALS = frozenset((
    "news", "lens", "series", "species", "always", "perhaps", "sometimes", "yes", "mars", "paris",
    "atlas", "canvas", "christmas", "texas", "kansas", "arkansas", "dallas", "vegas", "bias",
    "alias", "pancreas", "whereas", "has", "was",
))  # fmt: skip
_ONE_FORM = {
    "grey": "gray", "centre": "center", "metre": "meter", "litre": "liter", "theatre": "theater",
    "colour": "color", "favourite": "favorite", "neighbour": "neighbor", "tyre": "tire",
    "jewellery": "jewelry", "aeroplane": "airplane", "moustache": "mustache", "racquet": "racket",
    "&": "and",
    "jan": "january", "feb": "february", "apr": "april", "jun": "june", "jul": "july",
    "aug": "august", "sep": "september", "sept": "september", "oct": "october", "nov": "november",
    "dec": "december", "mon": "monday", "tue": "tuesday", "tues": "tuesday", "wed": "wednesday",
    "thu": "thursday", "thur": "thursday", "thurs": "thursday", "fri": "friday",
    "feet": "foot", "teeth": "tooth", "geese": "goose", "leaves": "leaf", "knives": "knife",
    "wolves": "wolf", "shelves": "shelf", "loaves": "loaf", "scarves": "scarf", "halves": "half",
    "calves": "calf",
}  # fmt: skip
"""Forms that their ending does not tell."""
_ASKS_FOR_NAME = re.compile(
    r"\b(?:who|whose|whom|named?|author|company|planet|country|city|brands?)\b", re.IGNORECASE
)
_NAME = re.compile(r"(?<![\w'])[A-Z][\w']*[^\W\d_](?![\w'])")


def stem(word: str) -> str:
    """A word without what tells singular from plural: ``bus`` for buses, ``hous`` for house(s)."""
    word = _ONE_FORM.get(word) or singular(word)
    word = _ONE_FORM.get(word, word)
    return word[:-1] if word.endswith(("se", "oe")) and len(word) > 3 else word


def singular(word: str) -> str:
    """The singular of an English noun by its ending; other words come back as they are."""
    if len(word) < 4 or not word.endswith("s") or word.endswith(_KEPT_S) or word in _NO_PLURALS:
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("xes", "ches", "shes", "sses", "zes")):
        return word[:-2]
    return word[:-1]


def name_differs(answer: str, target: str, question: str = "") -> bool:
    """Whether a name of the target stands in the answer with an "s" more or less at its end.

    Names are words with a capital behind the first word, and the first one too where a question
    asks for a name; a text all in capitals has them only then.
    """
    said = set(re.findall(r"[\w']+", answer.casefold()))
    found = set(_names(target, _ASKS_FOR_NAME.search(question) is not None)) - said
    more_or_less = {f"{name}{end}" for name in found for end in ("s", "es")}
    more_or_less |= {name.removesuffix(end) for name in found for end in ("s", "es")} - found
    return not more_or_less.isdisjoint(said)


def _names(text: str, asked: bool) -> list[str]:
    if text.upper() == text and not asked:
        return []
    articles = ("", "the", "a", "an")
    return [
        match.group().casefold()
        for match in _NAME.finditer(text)
        if asked or text[: match.start()].strip(" \"'").casefold() not in articles
    ]
