"""Yes or no, true or false: what a text answers.

Words are bounded ("casino" is no "no"), a negation turns what it governs ("wasn't true", "not
no"), and an answer with both signs, or with doubt, is none.
"""

from __future__ import annotations

import re

from noisygrpo.rewards.foreign import foreign_sign
from noisygrpo.rewards.restated import affirms, answered, denies, thing_of
from noisygrpo.rewards.spelling import plain, word_set, words

POLARITIES: tuple[tuple[str, str], ...] = (("yes", "no"), ("true", "false"))
"""Pairs of opposite answers."""

_CHINESE = {
    **dict.fromkeys(("是", "是的", "对", "对的", "正确", "有", "真"), True),
    **dict.fromkeys(
        ("否", "不", "不是", "不是的", "不对", "错", "错误", "错的", "没有", "不正确", "假"), False
    ),
}
_TARGETS = {
    "yes": ("yes", "no"),
    "no": ("yes", "no"),
    "true": ("true", "false"),
    "false": ("true", "false"),
}
_CHINESE_TARGETS = word_set("是 否 对 错 不是 正确 错误 是的 不对 不正确")
_POSITIVE = word_set("yes yep yeah yup true correct right affirmative")
_NEGATIVE = word_set("no nope nah false incorrect wrong untrue negative")
_SIGN = re.compile(rf"\b(?:{'|'.join(sorted(_POSITIVE | _NEGATIVE))})\b")
_FREE = frozenset(("no", "right", "correct", "wrong", "negative"))
"""Signs that are also parts of other phrases: "no dog", "the right side"."""
_NOT = re.compile(r"\b(?:not|never|cannot|\w+n't)\b")
_REACH = 120
"""Signs of text before and behind a word that may turn it."""
_CLOSES = re.compile(
    r"\s*(?:[.,;:!)\"']|$|(?:yes|no|it|there|they|he|she|this|that|the|i|we|because|not|and|or)\b)"
)
"""What follows a sign that stands for itself."""
_FOR_SOME = re.compile(r"\s+(?:for|of|about|only|when|under)\b")
_BOUNDARY = re.compile(
    r"\b(?:is|are|was|were|be|been|that's|it's|to)\b|\b\w+n't\b(?:\s+be\b)?|\b(?:cannot"
    r"|can\s+not)\s+be\b|[:;,.!?()\"]|(?<!\w)'|'(?!\w)"
)
_BETWEEN = word_set(
    "a an the not never really necessarily always entirely completely quite at all definitely "
    "clearly certainly absolutely indeed actually exactly also still therefore thus so simply "
    "just obviously surely i we think believe say would must be been is was answer statement "
    "claim my final and it this that then hence yes no"
)
"""Words that may stand between a verb and its sign without changing more than "not" does."""
_DOUBT = re.compile(
    r"\b(?:maybe|perhaps|unsure|uncertain|unclear|unknown|undetermined|depends?|impossible|doubt\w*)\b"
    r"|\bnot\s+(?:sure|certain|clear|known|enough|possible)\b|\b(?:cannot|can't|can\s+not"
    r"|couldn't|unable\s+to)\s+(?:\w+\s+)?"
    r"(?:say|tell|determine|know|answer|decide|judge|be\s+(?:determined|known|said|sure))"
    r"|\b(?:don't|do\s+not|doesn't)\s+know\b|\bno\s+(?:idea|clue|way|answer|information|opinion"
    r"|comment)\b"
    r"|\b(yes|true|no|false|right|correct|wrong)\s*(?:or|/|and|\|)\s*(?!\1\b)(?:yes|true|no|false"
    r"|right|wrong|correct|not)\b"
)
"""Doubt about the answer, wherever it stands."""
_WEAK_DOUBT = re.compile(
    r"\b(?:possibl[ye]|might|may|could|either|neither|partly|partially|half|almost|sometimes|nearly"
    r"|unless|whether|if|hardly|scarcely|barely|opposite|contrary|anything|far|not\s+only"
    r"|only\s+(?:if|partly|half)|too\s+\w+\s+to|converse|inverse|contrapositive|negation|reverse"
    r"|(?:claim|idea|assertion|belief|notion|assumption|statement)\s+that)\b|\b(?:cannot|can't|can\s+not|couldn't)\s+see\b"
)
"""Doubt, unless it stands in the explanation behind an opening "yes" or "no"."""
_OPENING = re.compile(
    r"(?:yes|yep|yeah|yup|no|nope|nah|true|false)\b(?P<mark>\s*[,.;:!\n-])?\s*(?P<first>[^,.;:!\n]*)"
)
_SHORT_CLAUSE = 5
"""Words of a clause that qualifies an opening sign: "yes, it may be". A longer one explains it."""
_SIDES = re.compile(r"\b(?:left\s+(?:and|or)\s+right|right\s+(?:and|or)\s+left)\b")
_NO_NOUN = re.compile(
    r"(?:there\s+(?:is|are|was|were)|has|have|with|contains?|shows?|see|had|say)\s+$", re.IGNORECASE
)
_SHORT_NO = re.compile(
    r"(?:(?:definitely|absolutely|certainly|clearly|of\s+course|probably|surely)\s+not"
    r"|not\s+(?:at\s+all|really)"
    r"|(?:i\s+don't\s+think\s+so)|(?:it|this|that)(?:\s+is|'s)?\s*(?:not|n't)\s+(?:the\s+case|so)"
    r"|(?:it|they|he|she|this|that|there|we|i)\s*(?:(?:is|are|was|were"
    r"|does|do|did|has|have|can|will)\s*"
    r"(?:not|n't)|(?:it|they|he|she)\s+never\s+(?:is|are|was|were|does|do|did|has|have)|can't|cannot|won't)|never|not)\W*",
    re.IGNORECASE,
)
_SHORT_YES = re.compile(
    r"(?:definitely|absolutely|certainly|of\s+course|indeed|sure|surely|exactly|clearly"
    r"|(?:it|they|he|she|this|that|there|we)\s+(?:is|are|was|were|does|do|did|has|have|can"
    r"|will))\W*",
    re.IGNORECASE,
)
_OF_A_CLAIM = re.compile(
    rf"\b(?:{'|'.join(sorted(_POSITIVE | _NEGATIVE))})\s+(?:that|to)\b(?P<claim>.*)", re.DOTALL
)
"""A sign about a claim: "it is false that there is no cat"."""
_TURNING = re.compile(
    rf"\b(?:not|never|none|without|neither|\w+n't|{'|'.join(sorted(_POSITIVE | _NEGATIVE))})\b"
)
_SEES_NONE = re.compile(
    r"(?:i|we|you|one)\s+(?:can\s+)?(?:see|find|notice|count|spot)\s+(?P<no>no)\b(?P<rest>.*)"
    r"|(?:it|(?:the|this)\s+(?:image|picture|photo|figure|scene))\s+(?:shows|contains|has|includes)"
    r"\s+no\b(?P<rest2>.*)",
    re.DOTALL,
)
_SAYS_NO_MORE = word_set(
    "any some single one all that here anywhere visible present shown seen see we can be is are "
    "was were"
)
"""Words that do not narrow what is said not to be there."""
_THERE = re.compile(
    r"(?:there\s+(?:is|are|was|were)|it\s+has|the\s+\w+\s+has)\s*(?P<no>no|not|n't)\b(?P<rest>.*)",
    re.I | re.S,
)


def polarity_pair(target: str) -> tuple[str, str] | None:
    """Return the pair that ``target`` belongs to if it is one of yes, no, true, false, 是, 否 …"""
    word = plain(target).strip(" .!").lower()
    if word in _CHINESE_TARGETS:
        return POLARITIES[0]
    return _TARGETS.get(word)


def read_polarity(text: str, pair: tuple[str, str], question: str = "") -> str | None:
    """Return which word of ``pair`` the text answers, None if neither or unclear.

    Yes and true are the same answer, so are no and false; a lone T, F, Y or N stands for its word.
    "There is no cat" is no; with a ``question``, only if it asks for what the text speaks of.
    """
    sign = read_sign(text, question)
    return None if sign is None else pair[0] if sign else pair[1]


def read_sign(text: str, question: str = "") -> bool | None:
    """True for yes, False for no, None if neither or unclear."""
    text = plain(text).strip(" .\"'")
    low = text.lower()
    if low.rstrip("!。,") in _CHINESE:
        return _CHINESE[low.rstrip("!。,")]
    if re.match(r"是的?[,，.。!]|对的?[,，.。]|有的?[,，.。]", text) or re.match(
        r"(?:不是?|否|没有)[,，.。!]", text
    ):
        return text[0] in "是对有"
    if low in ("t", "y", "f", "n"):
        return low in "ty"
    if (foreign := foreign_sign(text)) is not None:
        return foreign
    if _SHORT_NO.fullmatch(low):
        return False
    if _SHORT_YES.fullmatch(low):
        return True
    if denies(low, question):
        return False
    if affirms(low, question):
        return True
    low = _SIDES.sub("", low)
    opening = _OPENING.match(low)
    reason = re.search(r"\b(?:because|since)\b", low) if opening else None
    low = low[: reason.start()] if reason else low
    low = re.sub(r"\b(?:no|without(?:\s+an?y?)?)\s+doubt\b[\s,]*", "", low)
    weighed = _qualifier(opening) if opening else low
    if _DOUBT.search(low) or _WEAK_DOUBT.search(weighed) or "?" in low:
        return None
    restated = None if opening else answered(text, question)
    if restated is not None:
        return restated
    about = None if opening else _OF_A_CLAIM.search(low)
    if about and _TURNING.search(about.group("claim")):
        return None
    signs = _signs(low, opening is not None)
    if signs is None:
        return None
    if not signs:
        return _existence(low, question)
    if re.search(r"\bnot\W*$", low):
        signs.append(False)  # "definitely not"
    return signs[0] if len(set(signs)) == 1 else None


def _qualifier(opening: re.Match[str]) -> str:
    """What may qualify an opening sign: all of a clause without a mark between, or a short one, or
    a condition. A longer clause explains the answer.
    """
    first = opening.group("first")
    short = len(first.split()) <= _SHORT_CLAUSE
    condition = re.match(r"(?:but\s+|only\s+)?(?:if|unless)\b", first)
    return first if short or condition or not opening.group("mark") else ""


def _signs(low: str, opened: bool) -> list[bool] | None:
    """What each sign says; None where one stands in words that may turn it ("far from true").

    Behind an opening "yes" or "no" such words are an explanation.
    """
    signs: list[bool] = []
    for match in _SIGN.finditer(low):
        before = low[max(0, match.start() - _REACH) : match.start()]
        after = low[match.end() : match.end() + _REACH]
        word = match.group()
        closes = _CLOSES.match(after) is not None
        if word in _FREE and not closes:
            continue  # "there is no dog", "the right side"
        if word not in ("yes", "no") and _FOR_SOME.match(after):
            return None  # "true for the blue bar"
        if word == "no" and _NO_NOUN.search(before):
            continue
        ends = [m.end() for m in _BOUNDARY.finditer(before)]
        start = ends[-1] if ends else 0
        between = before[start:]
        explains = opened and bool(signs) and word not in ("yes", "no") and bool(between.strip())
        if (explains and before[:start].endswith((",", ".", ";"))) or not all(
            each in _BETWEEN for each in re.findall(r"[\w']+", between)
        ):
            if opened and signs and word not in ("yes", "no"):
                continue
            return None
        verb = _clause(before, start)
        turns = len(_NOT.findall(verb + between))
        signs.append((word in _POSITIVE) == (turns % 2 == 0))
    return signs


def _clause(before: str, end: int) -> str:
    """The part of the clause in front of ``end``: from its last comma or stop."""
    cut = max((before.rfind(sign, 0, end) for sign in ",;:.!("), default=-1)
    return before[cut + 1 : end]


def _existence(low: str, question: str) -> bool | None:
    """ "There is no cat" answers no to the question whether there is one."""
    asked = set(words(question))
    match = _THERE.match(low) or re.match(r"(?P<no>no)\s+(?P<rest>\w.*)", low, re.DOTALL)
    match = match or (_SEES_NONE.match(low) if asked else None)
    if match is None:
        return None
    named = match.groupdict()
    rest = named["rest"] or named.get("rest2") or ""
    rest = re.split(
        r"[,.;:]|\b(?:at\s+all|(?:in|on|of)\s+(?:the|this)\s+(?:image|picture|photo|figure|scene))\b|\b(?:but|and|only|or)\b",
        rest,
    )[0]
    said = {word for word in words(rest) if len(word) > 1} - _SAYS_NO_MORE
    thing = thing_of(question)
    if not asked or (said and said <= asked and (not thing or thing[-1] in said)):
        return False
    return None
