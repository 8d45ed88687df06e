"""Multiple choice with several right options: "A, C", "ACD", "A and C".

Right are all of them and no other, in any order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from noisygrpo.rewards.options import LETTERS, by_text
from noisygrpo.rewards.spelling import normalize, plain
from noisygrpo.rewards.statement import claim

_LETTER = rf"[(\[]?\s*[{LETTERS}]\s*[)\]]?"
_LISTED = re.compile(rf"{_LETTER}(?:\s*(?:[,;&]\s*(?:and\s+)?|\s+and\s+){_LETTER})+")
_BRACKETED = re.compile(rf"(?:[(\[]\s*[{LETTERS}]\s*[)\]]\s*){{2,}}")
_JOINED = re.compile(rf"[{LETTERS}]{{2,}}")
_PARTED = re.compile(r"\s*(?:[,;\n]\s*(?:and\s+)?|\s+and\s+)(?=\S)")
_WITH_TEXT = re.compile(rf"[(\[]?([{LETTERS}])[.):\]]+\s*(\S.*)")
_LEAD = re.compile(r"^(?:both\s+)?(?:options?|choices?|letters?)\s*:?\s+|^both\s+", re.IGNORECASE)
_LONGEST = 400


def target_letters(target: str, options: Mapping[str, str]) -> tuple[str, ...]:
    """The letters of a target that names several; () if it is none.

    Letters without anything between are options only of a question that lists them all ("AB" may be
    a side).
    """
    found = _letters(plain(target), joined=bool(options))
    return found if not options or set(found) <= set(options) else ()


def chosen_letters(prediction: str, options: Mapping[str, str]) -> tuple[str, ...]:
    """The letters that an answer chooses: "A, C", "AC", "A. red, C. green", "red and green"; () if
    it is anything else.
    """
    text = claim(plain(prediction)[:_LONGEST])
    found = _letters(text, joined=True)
    if found:
        return found
    chosen = [_one(part.strip(" ."), options) for part in _PARTED.split(text)]
    if len(chosen) < 2 or None in chosen or len(set(chosen)) < len(chosen):
        return ()
    return tuple(sorted(letter for letter in chosen if letter))


def _letters(text: str, joined: bool) -> tuple[str, ...]:
    text = _LEAD.sub("", text.strip(" .$"))
    patterns = (_LISTED, _BRACKETED, _JOINED) if joined else (_LISTED, _BRACKETED)
    if not any(pattern.fullmatch(text) for pattern in patterns):
        return ()
    found = re.findall(rf"[{LETTERS}]", text)
    return tuple(sorted(found)) if len(set(found)) == len(found) else ()


def _one(part: str, options: Mapping[str, str]) -> str | None:
    """The option that one part names by its letter, its text, or both alike."""
    if re.fullmatch(_LETTER, part):
        return re.sub(rf"[^{LETTERS}]", "", part)
    both = _WITH_TEXT.fullmatch(part)
    if both is None:
        return by_text(part, options)
    own = normalize(options.get(both.group(1), ""))
    return both.group(1) if own and normalize(both.group(2)) == own else None
