"""The numbers of running text, and the one number that a sentence states."""

from __future__ import annotations

import re
from dataclasses import replace

from noisygrpo.rewards import units
from noisygrpo.rewards.leads import before_number
from noisygrpo.rewards.number_words import CHINESE
from noisygrpo.rewards.numeric import (
    LABEL,
    Number,
    parse_number,
    signed,
    with_unit,
)
from noisygrpo.rewards.restated import PICTURE
from noisygrpo.rewards.spelling import plain, words
from noisygrpo.rewards.statement import is_bound, refuses
from noisygrpo.rewards.units import MEASURE_WORD, Unit

LONGEST = 400
"""A longer text is no sentence with a number for an answer."""


_START = re.compile(
    r"(?<![\w.^\\])(?:[-−]\s?)?(?:[$€£¥]\s?)?(?=\d|\.\d)|\\(?:sqrt|frac|pi)(?![a-zA-Z])"
    r"|(?<=[\u3400-\u9fff])(?=\d)"
    rf"|(?<![第几零〇一二两三四五六七八九十百千万])(?={CHINESE.pattern}{MEASURE_WORD.pattern})"
    r"|(?<![\w-])(?:minus\s+|negative\s+)?(?=(?:zero|one|two|three|four|five|six|seven|eight|nine"
    r"|ten"
    r"|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|twenty|thirty|forty|fifty|sixty"
    r"|seventy|eighty|ninety|half|an?\s(?:half|third|quarter|dozen|hundred|thousand|million))\b)",
    re.IGNORECASE,
)


def numbers_in(text: str) -> list[tuple[Number, int, int]]:
    """All numbers in running text (in `spelling.plain`), each with the unit directly behind it and
    with where it starts and ends.
    """
    found: list[tuple[Number, int, int]] = []
    text, at = text[:LONGEST], 0
    while match := _START.search(text, at):
        read = _at(text, match.start())
        if read is None:
            at = max(match.end(), at + 1)
            skipped = re.compile(r"[\d.,:/-]+").match(text, at)
            at = skipped.end() if skipped else at
            continue
        found.append((read[0], match.start(), read[1]))
        at = max(read[1], match.end(), at + 1)
    return found


def _at(text: str, start: int) -> tuple[Number, int] | None:
    """The number at ``start``, with the longest unit of up to three words behind it; its end."""
    rest, sign = before_number(text[start:])
    money = units.CURRENCY_SIGNS.match(rest)
    rest = rest[money.end() :] if money else rest
    read = None if LABEL.match(rest) else signed(rest, sign)
    if read is None:
        return None
    number, tail = read
    end = len(text) - len(tail)
    if money:
        return replace(number, unit=Unit("money", money.group().strip().lower())), end
    ends = [m.end() for m in re.finditer(r"\s*(?:[^\s,.;:!?]|\.(?=\w))+", tail[:60])][:3]
    for stop in reversed(ends):
        scaled = with_unit(number, tail[:stop], None)
        if scaled is not None:
            return scaled, end + stop
    return number, end


_NO_WORDS = re.compile(
    r"[^\w\s.,;:!\"()'-]|[\d_]|(?<![a-zA-Z'])[b-hj-zB-HJ-Z](?![a-zA-Z'])|(?<![a-zA-Z])'"
    r"|'(?![a-zA-Z])|(?<=\w)-\s*$"
)
"""What may not stand in a sentence beside its number: other mathematics."""

_SUMS = re.compile(
    r"\b(?:plus|minus|times|multiplied|divided|squared|cubed|root|factorial|percent\w*)\b",
    re.IGNORECASE,
)
_INTRODUCES = re.compile(
    r"(?:^|[.,;:!(\"]|\b(?:is|are|was|were|be|equals?|to|of|the|an?|total(?:s|ing)?|have|has|had"
    r"|count(?:s|ed)?"
    r"|see|contains?|shows?|with|only|exactly|about|approximately|roughly|around|there|gets?|got"
    r"|gives?|find"
    r"|found|makes?|needs?|answer|result|sum|costs?|weighs?|measures?|takes?|reads?|just|all"
    r"|these|those|its|his|her"
    r"|their|year|are|by)|[\u3400-\u9fff])\s*$",
    re.IGNORECASE,
)
"""What stands in front of a quantity. Behind another word a number is a name: room 7, July 7."""


def only_number(text: str) -> Number | None:
    """The only number of a sentence (in `spelling.plain`), None if it has none, several, or takes
    it back: "not 5", "more than 5", "5 or so".
    """
    if len(text) > LONGEST or refuses(text) or _SUMS.search(text) or is_bounded(text):
        return None
    found = numbers_in(text)
    numbers = [number for number, _, _ in found]
    if not numbers or any(each.value != numbers[0].value for each in numbers):
        return None
    rest, at = [], 0
    for _, start, end in found:
        before = text[at:start]
        if text[end : end + 1].isalnum():
            return None
        year = re.match(r"[12]\d{3}\b", text[start:]) and re.search(r"\bin\s$", text[:start])
        if not year and not _INTRODUCES.search(text[:start]):
            return None
        rest.append(before)
        at = end
    if _NO_WORDS.search(" ".join([*rest, text[at:]])):
        return None
    return max(numbers, key=lambda number: number.unit.kind != "none")


_LABELLED = re.compile(
    r"\b(angle|arc|side|line|box|figure|question|part|circle|point|group|class|player|team|room"
    r"|bar|row|column|step|set|sample|page)s?\s+(\d+)\b",
    re.IGNORECASE,
)


def without_labels(text: str, question: str) -> str:
    """A sentence without the numbers that are names in its question too: "angle 1", "room 7"."""
    asked = plain(question).replace("\\angle", "angle")
    named = {match.group().lower() for match in _LABELLED.finditer(asked)}
    return _LABELLED.sub(
        lambda match: match.group(1) if match.group().lower() in named else match.group(),
        text.replace("\\angle", "angle"),
    )


_TITLE = re.compile(
    r"(?:the\s+)?(?P<word>[a-z]+\s+)??(?P<number>number\s+|no\.\s*|#\s*)?(?=\d+(?:\s*-\s*\d+)?\.?$)",
    re.IGNORECASE,
)


def untitled(text: str, question: str) -> str:
    """``Page 7``, ``number 22`` and ``#22`` without the name, where the question asks for it."""
    title = _TITLE.match(text) if len(text) <= LONGEST else None
    if title is None or not title.group():
        return text
    word = words(title.group("word") or "")
    asked = words(question)
    of_it = [at for at, other in enumerate(asked) if (other,) == word]
    chosen = any(at and asked[at - 1] in ("which", "what") for at in of_it)
    numbered = "number" in asked and (bool(of_it) or (not word and title.group("number")))
    return text[title.end() :] if chosen or numbered else text


def counted_first(text: str) -> Number | None:
    """What a sentence counts before it tells of the parts: "3 candles: one red and two white"."""
    head = re.match(r"(?P<count>[^.:,;(]+)(?:[:,]\s|\s\()", text)
    if head is None or len(text) > LONGEST or refuses(text):
        return None
    number = parse_number(re.sub(rf"\s+{PICTURE}$", "", head.group("count"), flags=re.IGNORECASE))
    return number if number is not None and number.unit.kind == "things" else None


def without_numbers(text: str) -> str:
    """A sentence without its numbers and what is counted or measured by them."""
    rest, at = [], 0
    for _, start, end in numbers_in(text):
        rest.append(text[at:start])
        at = end
    return " ".join([*rest, text[at:]])


def is_bounded(text: str) -> bool:
    """Whether a number of a sentence is only a bound: "more than 5", "5 or more"."""
    return any(is_bound(text, start, end) for _, start, end in numbers_in(text))
