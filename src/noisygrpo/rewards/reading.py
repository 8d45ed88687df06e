"""What is read off a picture: a sign, a name, a code. Letter case, blanks and hyphens mean nothing.

"h&m" is H&M and "7-Up" 7up where a question asks what is written; in a formula, and of an element,
case has a meaning. A hyphen or a blank between two digits keeps them apart.
"""

from __future__ import annotations

import re

from noisygrpo.rewards.numeric import parse_number
from noisygrpo.rewards.spelling import plain

_READS = re.compile(
    r"\b(?:say|says|said|written|read|reads|printed|labell?ed|spelled|called|titled?|text|words?"
    r"|brands?|logo|label|sign|plate|code|serial|model|store|shop|restaurant|website|hotel|street"
    r"|road|bus|train|flight|jersey|(?:invoice|account|order|registration|phone|fax|telephone)"
    r"\s+(?:number|no)|name\s+of\s+the\s+(?:company|brand|store|shop|street|product|book|team))\b",
    re.IGNORECASE,
)
_PHONE = re.compile(r"\b(?:tele)?phone\b|\bfax\b|\btel\b", re.IGNORECASE)
_BETWEEN = re.compile(r"(?<!\d)[\s-]+(?=\S)|(?<=\d)[\s-]+(?=[^\s\d-])")
_FORMULA = re.compile(r"[\\_={}]")
_LONGEST = 100


def asks_to_read(question: str) -> bool:
    """Whether a question asks what is written in the picture: the letters count."""
    return _READS.search(question) is not None


def same_reading(answer: str, target: str, question: str) -> bool:
    """Whether two answers are the same signs, to a question that asks what is written."""
    if not asks_to_read(question) or max(len(answer), len(target)) > _LONGEST:
        return False
    answer, target = (plain(text).rstrip(" .\"'").lstrip(" \"'") for text in (answer, target))
    if _PHONE.search(question) and not re.search(r"[^\W\d]", answer + target):
        digits = [re.sub(r"\D", "", text) for text in (answer, target)]
        return digits[0] == digits[1] and len(digits[0]) > 6
    if _FORMULA.search(answer + target) or not re.search(r"[^\W\d]", target):
        return False
    numbers = parse_number(answer), parse_number(target)
    if any(number is not None and number.unit.kind != "things" for number in numbers):
        return False  # 10K is no 10-K
    return _key(answer) == _key(target)


_CODE = re.compile(r"0\d+(?P<more>(?:-?[A-Za-z\d]+)*)")


def is_other_code(answer: str, target: str, question: str) -> bool:
    """Whether the target is a code with leading zeros and the answer none of the same digits.

    Digits alone are a code where the question asks what is written.
    """
    code = _CODE.fullmatch(plain(target).strip())
    if code is None or not (re.search(r"[A-Za-z-]", code.group("more")) or _READS.search(question)):
        return False
    return re.findall(r"\d+", answer) != re.findall(r"\d+", target)


def _key(text: str) -> str:
    """``text`` in one case, without the blanks, hyphens and apostrophes that part nothing."""
    first = "-" if re.match(r"-\d", text) else ""
    last = "-" if text.endswith("-") else ""
    return first + _BETWEEN.sub("", text.replace("'", "").casefold().strip("-")) + last
