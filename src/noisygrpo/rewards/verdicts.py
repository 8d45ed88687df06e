"""Reading a judge model's verdict on an answer.

A verdict is the judge's first word, a reply of one word, or what it announces ("Verdict: right").
"Wrong. The right answer is 5." is wrong; a reply without a verdict is none, and its answer is
unscorable.
"""

from __future__ import annotations

import re

from noisygrpo.rewards.spelling import plain

_WORDS = {
    **dict.fromkeys(("right", "correct", "yes", "true"), True),
    **dict.fromkeys(("wrong", "incorrect", "no", "false"), False),
}
_NAMES = "|".join(_WORDS)
_FIRST = re.compile(
    rf"[^\w]*(?P<not>not\s+)?({_NAMES})(?=\s*(?:[.,:;!)\n]|-(?!\w)|$))", re.IGNORECASE
)
_ANNOUNCED = re.compile(
    rf"\b(?:verdict|judg(?:e?ment)|final\s+(?:verdict|decision)"
    rf"|grade)\b\W*(?:is\b\W*)?(?P<not>not\s+)?({_NAMES})(?=\W*(?:\n|$|[.,;]))",
    re.IGNORECASE,
)


def read_verdict(reply: str) -> bool | None:
    """Whether a judge calls an answer right; None if it does not say.

    Looked at, behind the judge's own thinking: the first word if a stop follows it or nothing does,
    else the announced verdict, if there is one and no other.
    """
    text = plain(re.split(r"</think(?:ing)?>", reply, flags=re.IGNORECASE)[-1])
    first = _FIRST.match(text)
    if first is not None:
        return _says(first)
    said = {_says(match) for match in _ANNOUNCED.finditer(text)}
    return said.pop() if len(said) == 1 else None


def _says(match: re.Match[str]) -> bool:
    return _WORDS[match.group(2).lower()] != (match.group("not") is not None)
