"""What may stand in front of a number and belongs to it: its name, "about", a sign."""

from __future__ import annotations

import re

_NAME = re.compile(
    r"(?:(?:the\s+)?[a-zA-Z]+(?:\s+(?:of|the|[a-zA-Z]+)){0,5}|[mM]?\s*\\(?:angle"
    r"|triangle)\s*[A-Za-z\d]{1,4}"
    r"|m?\s*\\(?:overline|vec|hat|widehat|bar|overarc|wideparen)\s*\{[A-Za-z]{1,3}\}|\\[a-zA-Z]+"
    r"|m?\s*\\(?:overset|stackrel)\s*\{\s*\\frown\s*\}\s*\{[A-Z]{2,3}\}"
    r"|[a-zA-Z]{1,3}_(?:\w{1,4}|\{[^{}=]{1,24}\})|\\Delta\s*[a-zA-Z]"
    r"|\\?(?:sin|cos|tan|cot|sec|csc|ln|lg|log)\s*(?:\(\s*)?(?:\\angle\s*)?"
    r"(?:\\[a-z]{2,7}|[A-Za-z]{1,3})(?:\s*\))?"
    r"|\\vec\s*\{\w{1,2}\}\s*\\cdot\s*\\vec\s*\{\w{1,2}\}"
    r"|\\det\s*\(?\s*[A-Z]\s*\)?|\\lim_\{[^{}=]{1,24}\}\s*[a-z]\([a-z]\)"
    r"|(?:the\s+)?[a-zA-Z]+\s+(?:of\s+)?(?:the\s+)?\\(?:triangle|angle)\s*[A-Z\d]{1,4}"
    r"|[a-zA-Z]{1,2}'{0,2}\([^()=]{1,6}\)|\|[^|=]{1,20}\||[A-Za-z]+'?)\s*$"
)
_ABOUT = re.compile(
    r"(?:\\approx|~|≈|about|approximately|approx\.?|roughly|around|circa|ca\.|exactly|precisely|just|only|="
    r"|大约|约|大概|一共|共|in\s+(?=[12]\d{3}\.?$)|by\s+(?=[$€£]?\d))\s*",
    re.IGNORECASE,
)
_SIGN = re.compile(r"(?:(?P<minus>-|minus\b|negative\b|负)|\+|plus\b)\s*", re.IGNORECASE)


def without_name(text: str) -> str:
    """What stands behind ``x =``, ``∠ABC =`` or "the area ="."""
    name, equals, rest = text.partition("=")
    return rest.strip() if equals and "=" not in rest and is_name(name) else text


def is_name(text: str) -> bool:
    """Whether the left side of an equation names a quantity: ``x``, ``x_1``, ``AB``, ``f(x)``."""
    return len(text) <= 60 and _NAME.match(text.strip()) is not None


def before_number(text: str) -> tuple[str, int]:
    """Cut "about" and a sign from the front; the sign."""
    for _ in range(2):
        about = _ABOUT.match(text)
        text = text[about.end() :] if about else text
    sign = _SIGN.match(text)
    if sign is None:
        return text, 1
    return text[sign.end() :], -1 if sign.group("minus") else 1
