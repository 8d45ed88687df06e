"""Reading an answer out of a completion: the rules of the rewards, for the benchmarks that judge by
something else than the reward `accuracy`.

Only what stands behind the thinking counts. Letters, signs and numbers are read by the functions
that training uses, so a hedge that earns no reward earns no score either. Where a benchmark's
official script decides otherwise, its rule stands in the benchmark's file.
"""

import re
from collections.abc import Sequence

from noisygrpo.rewards.agreement import same
from noisygrpo.rewards.choices import LETTERS, chosen_letter, read_polarity
from noisygrpo.rewards.extract import behind_thinking, extract_answer, last_boxed, last_tag
from noisygrpo.rewards.numeric import Number, parse_number
from noisygrpo.rewards.polarity import POLARITIES
from noisygrpo.rewards.prose import only_number
from noisygrpo.rewards.spelling import plain
from noisygrpo.rewards.statement import claim

_TEMPLATE = re.compile(r"<answer>\s*:", re.IGNORECASE)
"""We-Math's template names the answer so; it is no tag."""

_SENTENCE = re.compile(r"(?<=[^\s.][.!?])\s+(?=[A-Z(\\$])|\n+")


def final_part(completion: str) -> str:
    """What an official script may look at: the last complete ``<answer>`` behind the thinking, else
    all that stands there; "" where the thinking was cut off.
    """
    part = behind_thinking(completion)
    if part is None:
        return ""
    tagged = last_tag(part, "answer")
    return part.strip() if tagged is None else tagged


def options_by_letter(options: Sequence[str]) -> dict[str, str]:
    """{letter: text} of options in their order; a text may be empty."""
    return dict(zip(LETTERS, options, strict=False))


def read_letter(completion: str, options: Sequence[str]) -> str | None:
    """The option letter that a completion chooses, ``None`` if none or several.

    ``options``: the texts of the options, from A on (K is the last); where they are unknown (part
    of the question), an empty text for each. A text, or a value, of one option stands for it.
    """
    text = completion if "</answer>" in completion.lower() else _TEMPLATE.sub("Answer:", completion)
    said, named = extract_answer(text), options_by_letter(options)
    if said is None:
        return None
    letter = chosen_letter(said, named)
    if letter is None and last_boxed(final_part(text)) is None:  # it announced something else
        letter = chosen_letter(final_part(text), named)
    return letter


def yes_or_no(completion: str, question: str = "") -> str | None:
    """``yes`` or ``no``; ``None`` where a completion answers neither, or both.

    "There is no cat" is no where the ``question`` asks for a cat.
    """
    said = extract_answer(completion)
    if said is None:
        return None
    answer = read_polarity(said, POLARITIES[0], question)
    if answer is None and last_boxed(final_part(completion)) is None:
        answer = read_polarity(final_part(completion), POLARITIES[0], question)
    return answer


def read_number(completion: str) -> Number | None:
    """The number that a completion answers with: all of its answer, the only number of a sentence,
    or of the last sentence of a derivation.
    """
    said = extract_answer(completion)
    if said is None:
        return None
    for text in (said, last_sentence(said)):
        text = claim(plain(text))
        number = parse_number(text) or only_number(text) or _last_side(text)
        if number is not None:
            return number
    return None


def _last_side(text: str) -> Number | None:
    """The number at the end of an equation that holds: ``3 + 5 = 8``."""
    _, equals, last = text.rpartition("=")
    return parse_number(last) if equals and same(text, last) is True else None


def last_sentence(text: str) -> str:
    """The last sentence, or line, of a text."""
    return _SENTENCE.split(text.strip())[-1]


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
