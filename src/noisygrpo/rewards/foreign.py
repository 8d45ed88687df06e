"""Short answers in German, French, Spanish, Russian and Japanese: yes and no, small numbers.

Only whole answers, and only words that mean nothing else in English ("once" is eleven in Spanish).
Chinese has its rules in ``polarity`` and ``number_words``.
"""

from __future__ import annotations

import re

from noisygrpo.rewards.spelling import word_set

_YES = word_set("ja oui sí да はい")
_NO = word_set("nein non нет いいえ")
_OPENING = re.compile(
    rf"(?P<sign>{'|'.join(sorted(_YES | _NO))})(?:\s*(?:[.,!;。，、].*)?)",
    re.DOTALL | re.IGNORECASE,
)
_DOUBT = re.compile(
    r"\b(?:vielleicht|oder|möglicherweise|peut-être|ou|quizás?|tal\s+vez|o|aber|mais|pero)\b|\?",
    re.IGNORECASE,
)
_SIGN = re.compile(rf"\b(?:{'|'.join(sorted(_YES | _NO))})\b", re.IGNORECASE)

# fmt: off
_NUMBERS = {
    word: value
    for names in (
        "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn "
        "fünfzehn sechzehn siebzehn achtzehn neunzehn zwanzig",
        "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze "
        "seize dix-sept dix-huit dix-neuf vingt",
        "cero uno dos tres cuatro cinco seis siete ocho nueve diez - doce trece catorce quince "
        "dieciséis diecisiete dieciocho diecinueve veinte",
    )
    for value, word in enumerate(names.split())
    if word not in ("-", "null", "un", "six")
}
# fmt: on
_COUNT = re.compile(
    r"(?:(?:es\s+(?:sind|gibt)|da\s+sind|il\s+y\s+(?:en\s+)?a|hay|son)\s+)?"
    rf"(?P<number>{'|'.join(sorted(_NUMBERS, key=len, reverse=True))})"
    r"(?P<things>\s+[^\W\d_]+)?\s*[.!]?",
    re.IGNORECASE,
)
LONGEST = 200
"""A longer text is no short answer."""


def foreign_sign(text: str) -> bool | None:
    """True for yes, False for no; None if the text does not open with one, or says more of it."""
    opening = _OPENING.fullmatch(text.strip()) if len(text) <= LONGEST else None
    if opening is None or _DOUBT.search(text) or len(_SIGN.findall(text)) > 1:
        return None
    return opening.group("sign").lower() in _YES


def in_digits(text: str) -> str:
    """``vier Äpfel`` as ``4 Äpfel``; any other text as it is."""
    count = _COUNT.fullmatch(text.strip()) if len(text) <= LONGEST else None
    if count is None or count.group("number").isupper():
        return text
    return f"{_NUMBERS[count.group('number').lower()]}{count.group('things') or ''}"
