"""Reading an answer out of a completion, for the benchmarks that have rules of their own.

All of them look at `final_part` first: models that reason in ``<think>`` and answer in ``<answer>``
are scored on their answer, and letters or numbers in the reasoning cannot win. The official scripts
were written for short answers; where they look at the first letter of a completion ("Because" would
be B), a letter has to stand alone or be announced here.
"""

import re
from collections.abc import Sequence

from noisygrpo.rewards.choices import chosen_letter, read_polarity
from noisygrpo.rewards.extract import last_boxed, last_tag
from noisygrpo.rewards.judge import normalize

_LETTER_IN_BRACKETS = re.compile(r"\(([A-Z])\)")
_NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?")
_SAID = re.compile(
    r"(?:answer|result|value) (?:is|would be)[:\s]+(.+?)(?:\.(?:\s|$)|\n|$)", re.IGNORECASE
)


def final_part(completion: str) -> str:
    """The last complete ``<answer>``; else what follows the last ``</think>``; else everything."""
    tagged = last_tag(completion, "answer")
    return completion.rsplit("</think>", 1)[-1].strip() if tagged is None else tagged


def read_letter(completion: str, options: Sequence[str]) -> str | None:
    """The option letter that a completion chooses, or ``None``: the one reader of all benchmarks.

    ``options``: the texts of the options, from A on; where they are unknown (part of the question),
    an empty text for each. Looked at are the final part and then, in it, what follows "the answer
    is". Tried in each: a boxed answer; a letter alone, first ("B. blue") or announced ("the answer
    is B"); the only bracketed letter; the text of exactly one option.
    """
    text = final_part(completion)
    return _letter_in(text, options) or _letter_in(short_answer(text), options)


def _letter_in(text: str, options: Sequence[str]) -> str | None:
    boxed = last_boxed(text)
    text = re.sub(r"[<>]", " ", text if boxed is None else boxed).strip()
    allowed = [chr(ord("A") + index) for index in range(len(options))]
    bracketed = set(_LETTER_IN_BRACKETS.findall(text))
    for candidate in (chosen_letter(text), bracketed.pop() if len(bracketed) == 1 else None):
        if candidate in allowed:
            return candidate
    wanted = normalize(text)
    same = [
        letter
        for letter, option in zip(allowed, options, strict=True)
        if option and normalize(option) == wanted
    ]
    return same[0] if len(same) == 1 else None


def only_mentioned(text: str, options: Sequence[str]) -> str | None:
    """The one option whose text occurs in ``text`` as whole words; ``None`` if none or several do.

    An option that is part of another ("blue" in "dark blue") does not count where the longer one
    occurs.
    """
    within = normalize(text)
    found = {
        plain: option
        for option in options
        if (plain := normalize(option))
        and re.search(rf"(?<![\w.]){re.escape(plain)}(?!\w|\.\d)", within)
    }
    longest = [plain for plain in found if not any(plain != o and plain in o for o in found)]
    return found[longest[0]] if len(longest) == 1 else None


def yes_or_no(text: str) -> str | None:
    """``yes`` or ``no``; ``None`` where the text is neither, or both."""
    boxed = last_boxed(text)
    return read_polarity(text if boxed is None else boxed, ("yes", "no"))


def short_answer(text: str) -> str:
    """A boxed answer, what follows "the answer is", or the whole text."""
    boxed = last_boxed(text)
    if boxed is not None:
        return boxed
    said = _SAID.findall(text)
    return (said[-1] if said else text).strip()


def last_number(text: str) -> str | None:
    """The last number in ``text``, without thousands separators."""
    numbers = _NUMBER.findall(text)
    return numbers[-1].replace(",", "") if numbers else None


def nearest(text: str, choices: Sequence[str]) -> str:
    """The choice with the smallest edit distance to ``text``, the first of equals."""
    return min(choices, key=lambda choice: edit_distance(text, choice))


def edit_distance(first: str, second: str) -> int:
    """Levenshtein distance."""
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, start=1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(second, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]
