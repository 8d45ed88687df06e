"""What a sentence claims: where it announces an answer, and whether it takes it back.

A claim counts only if it is one. "5 or 6", "not 5", "more than 5" and "anything but 5" name 5
without claiming it; `refuses` finds such sentences by the words that do it.
"""

from __future__ import annotations

import re

from noisygrpo.rewards.spelling import plain

_BE = r"(?:(?:is|are|was|be|(?:would|should|must|has\s+to)\s+be|becomes|equals)(?![\w'])|:|=)"
_ANNOUNCED = re.compile(
    rf"\b(?:answer|result|solution|option|choice)s?\b(?:\s+(?:to|of|for)\s+(?:the"
    rf"|this|your|that)\s+\w+(?:\s+\w+)?)?"
    rf"\s*{_BE}(?:\s*(?:therefore|thus|then|indeed|clearly|simply|just|certainly|definitely"
    rf"|surely|obviously)\b)?\s*:?\s*",
    re.IGNORECASE,
)
_ANNOUNCED_ABROAD = re.compile(
    r"\b(?:antwort|lösung|ergebnis|réponse|résultat|respuesta|resultado|ответ)\b"
    r"(?:\s+(?:correcte?|correcta|finale?))?\s*(?:(?:ist|lautet|est|es)(?!\w)\s*:?|:)\s*",
    re.IGNORECASE,
)
_ANNOUNCED_CHINESE = re.compile(
    r"(?:答案|结果|選項|选项)\s*(?:是|为|為|应为|应该是)?\s*[:：]?\s*|(?:故|应该?|所以|因此"
    r"|我)?(?<![不别未])选(?![项手中举])择?\s*[:：]?\s*"
)
_HEADING = re.compile(
    r"(?:^|\n)[#\s]{0,9}(?:(?:the|my|final|correct)\s){0,3}(?:answer|result|solution)\n",
    re.IGNORECASE,
)
_CONCLUSION = re.compile(
    r"(?:[,;]\s*(?:and\s+)?(?:so|therefore|thus|hence)\s"
    r"|\b(?:gives|yields|leads\s+to|results\s+in|we\s+(?:get|have|obtain|find))\s"
    r"|(?:\\(?:Rightarrow|implies|rightarrow|to(?![a-zA-Z])|therefore)|⇒|→)\s?)\s*(?:that\s)?(?=(?:[^.,;\n]|[.,]\d)*\.?$)",
    re.IGNORECASE,
)
"""What the last clause follows from stands before it: "2x = 10, so x = 5"."""
_LEAD = re.compile(
    r"(?:(?:so|thus|therefore|hence|then|well|ok|okay|and)\b[\s,:]*)?"
    r"(?:i\s+(?:would\s+)?(?:choose|pick|select|think|believe|say|guess|go\s+with)(?:\s+(?:that"
    r"|it\s+is|it's))?\b"
    r"|(?:it|this|that|these|those|they|he|she)(?:\s+(?:is|are|was|were|must\s+be|equals)\b|'s\b)"
    r"|there\s+(?:is|are|was|were)\b"
    r"|the\s+value\s+is\b|(?:这|那)?是(?!的)|我?选)?[\s:]*(?:the\s+(?=\d))?"
    r"(?:(?:a\s+)?total\s+of\s+(?=\w))?",
    re.IGNORECASE,
)
_EQUALS = re.compile(
    r"^(?:[Tt]he\s+(?:value|length|measure|size)\s+of\s+)?"
    r"(?:(\\?[a-zA-Z](?:_\w)?|[A-Z]{2})\s+(?:is(?:\s+equal\s+to)?|equals)\s+|([l-z])\s*:\s*)"
    r"(?=[-\d\\.(])"
)
_REASON = re.compile(
    r"[\s,;(]{1,3}(?:because|since|due\s+to|given\s+that|as\s+(?:it|the|they|shown|we)|so\s+that"
    r"|which\s+(?:is|means)|因为)\b.*$",
    re.IGNORECASE | re.DOTALL,
)
_CONTRAST = re.compile(
    r"(?<=[\w)}])(?:\s*,\s*(?:and\s+|but\s+)?not|\s+(?:and|but)\s+not|\s*\(not|,?\s+rather\s+than"
    r"|,?\s+instead\s+of|\s*,\s*而?不是)\s+(?:the\s+)?[^\s,;]+(?:\s[^\s,;]+)?\)?\s*\.?$",
    re.IGNORECASE,
)
_REFUSED = re.compile(
    r"\b(?:not|no|never|cannot|neither|nor|none|nobody|nothing|without|wrong|incorrect|false"
    r"|untrue|except|but"
    r"|unless|doubt\w*|unlikely|unsure|uncertain|unclear|unknown|impossible|instead|rather"
    r"|opposite|unable|said|says|claim(?:s|ed)?|suppos\w*"
    r"|other\s+than|far\s+from|anything|everything|if|or|either|maybe|perhaps|possibly|might|may"
    r"|could|can't"
    r"|\w+n't|almost|nearly|hardly|barely|somewhere|between|and/or|versus|vs)\b|\\(?:ne|pm"
    r"|mp)(?![a-zA-Z])"
    r"|[不没非或]|\?",
    re.IGNORECASE,
)
_MORE = (
    r"(?:more|less|fewer|greater|larger|smaller|bigger|higher|lower|longer|shorter|older|younger"
    r"|taller"
    r"|heavier|lighter|better|worse|other|rather|different)\s+than"
)
_BOUND_BEFORE = re.compile(
    rf"(?:\b(?:{_MORE}|at\s+(?:least|most)|over|under|above|below|beyond|within|up\s+to"
    rf"|exceed(?:s|ing)?|until|till"
    r"|before|after|than|close\s+to|near|inside|outside|minus|plus|times|of)|[<>]|\\(?:le|ge"
    r"|ne)(?![a-zA-Z])"
    r"|超过|大于|小于|多于|少于|至少|至多|低于|高于)"
    r"(?:\s+or\s+equal\s+to)?(?:\s+(?:the|a|an))?[\s\"'(]*$",
    re.IGNORECASE,
)
_BOUND_AFTER = re.compile(
    r"\s*(?:\+|(?:of|off|more|another)\b|or\s+(?:more|less|fewer|so|above|below|over|under|higher"
    r"|lower)|and\s+(?:more|above|up|over|below)"
    r"|at\s+(?:least|most)|(?:or\s+)?(?:max|min)(?:imum)?\b|以上|以下|[<>]|\\(?:le|ge|ne)(?![a-zA-Z]))",
    re.IGNORECASE,
)
_ALTERNATIVE = re.compile(
    r"[\s.,;!?$)]*(?:or|and\s+maybe|或者?|maybe|perhaps|no(?=\s*[,.;!]|\s+wait|\s*$)|wait|hmm"
    r"|hold\s+on|actually|sorry|oops|correction"
    r"|not\s+(?:sure|really|correct|right)|but\s+(?:it|maybe|perhaps|also|the\s+answer|i)|wrong"
    r"|incorrect"
    r"|(?:that|this|it)(?:'s|\s+is|\s+was)\s+(?:not|wrong|incorrect|false)|i\s+(?:was|made"
    r"|am\s+not|doubt)|on\s+second)\b",
    re.IGNORECASE,
)
"""What takes back, or offers another answer than, the one in front of it."""
_ANOTHER_LINE = re.compile(r"[.\s]*\n\W{0,3}(?:\d\S{0,10}|[A-K][).\]]{0,2})\s*(?:\n|$)")
"""A line with nothing but a number or a letter behind an answer is another answer."""
_LONGEST = 200


def announced(text: str) -> str | None:
    """What stands behind the last "the answer is", "Answer:" or 答案, to the end of its sentence.

    An alternative before or behind it ("… or the answer is 6", "… Or 6.") is kept, so that it can
    be seen. ``text`` in `spelling.plain`.
    """
    announcements = (_ANNOUNCED, _ANNOUNCED_ABROAD, _ANNOUNCED_CHINESE, _HEADING)
    matches = [match for each in announcements for match in each.finditer(text)]
    if not matches:
        return None
    last = max(matches, key=lambda match: match.end())
    rest = text[last.end() :]
    clause = first_sentence(rest)
    if not clause.strip():
        return None
    behind = rest[len(clause) :]
    if takes_back(behind) or _ANOTHER_LINE.match(behind):
        other = first_sentence(behind.strip(" .!?\n"))
        clause += f" or {other}"
    before = re.split(r"[.!?,;:\n]", text[max(0, last.start() - 120) : last.start()])[-1]
    if refuses(before):
        clause = f"{before.strip()} answer: {clause}"
    return clause.strip().rstrip(" .")


def takes_back(behind: str) -> bool:
    """Whether what follows an answer takes it back or offers another."""
    return _ALTERNATIVE.match(behind) is not None


def first_sentence(text: str) -> str:
    """``text`` up to the first line break or full stop behind at least a word."""
    stop = re.search(r"(?<=\S)\n|(?<=[^\s.])[.!?](?=\s+(?:[A-Z]|\\?[(]|$))(?<![A-K]\.)|。", text)
    return text if stop is None else text[: stop.start() + (stop.group() in "!?")]


def claim(text: str) -> str:
    """The claimed part of an answer: behind its announcement, without "it is" and its reason.

    ``text`` in `spelling.plain`.
    """
    said = announced(text[-4000:])
    text = _conclusion(said if said is not None else text)
    text = _LEAD.sub("", text.strip(), count=1) if len(text) < 2000 else text
    text = _EQUALS.sub(r"\1\2 = ", re.sub(r"^(?:an?|one)\s+single\s+(?=[a-z])", "one ", text))
    return _CONTRAST.sub("", _REASON.sub("", text)).strip()


def _conclusion(text: str) -> str:
    """The last clause of a short derivation, if what stands before it hedges nothing."""
    matches = list(_CONCLUSION.finditer(text)) if len(text) <= _LONGEST else []
    matches = [m for m in matches if m.group()[0] not in "→\\" or "=" in text[: m.start()]]
    if not matches or refuses(text[: matches[-1].start()]):
        return text
    return text[matches[-1].end() :]


_IS = re.compile(r"\b(?:is|are|was|were|be|equals|shows)\b|是", re.IGNORECASE)


def subject(text: str) -> str:
    """What stands in front of a sentence's "is"."""
    return _IS.split(plain(text))[0]


def complement(text: str) -> str | None:
    """What a sentence with one "is" says of its subject; None if it takes it back or is none."""
    said = _IS.split(plain(text))
    if len(said) != 2 or refuses(text) or not re.fullmatch(r"[^.!?:\n]+", said[0]):
        return None
    return said[1].strip(" .:,\"'")


def refuses(text: str) -> bool:
    """Whether a sentence has a word by which it may claim something else than what it names."""
    return _REFUSED.search(text) is not None


def is_bound(text: str, start: int, end: int) -> bool:
    """Whether the number at ``start`` to ``end`` is only a bound: "more than 5", "5 or more"."""
    return (
        _BOUND_BEFORE.search(text[max(0, start - 40) : start]) is not None
        or _BOUND_AFTER.match(text, end) is not None
    )
