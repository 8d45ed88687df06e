"""Reading an answer out of a completion: the rules of the rewards, for the benchmarks that judge by
something else than the reward `accuracy`.

Only what stands behind the thinking counts. Letters, signs and numbers are read by the functions
that training uses, so a hedge that earns no reward earns no score either. Where a benchmark's
official script decides otherwise, its rule stands in the benchmark's file.
"""

import re
from collections.abc import Sequence

from noisygrpo.rewards.choices import LETTERS, chosen_letter, read_polarity
from noisygrpo.rewards.expression import agree, evaluate
from noisygrpo.rewards.extract import behind_thinking, extract_answer, last_boxed, last_tag
from noisygrpo.rewards.numeric import Number, parse_number
from noisygrpo.rewards.polarity import POLARITIES
from noisygrpo.rewards.prose import only_number
from noisygrpo.rewards.spelling import edit_distance, plain
from noisygrpo.rewards.statement import claim, complement, refuses, takes_back

_TEMPLATE = re.compile(r"<answer>\s*:", re.IGNORECASE)
"""We-Math's template names the answer so; it is no tag."""

_CONCLUDES = re.compile(r"\W*(?:therefore|thus|hence|so|in\s+conclusion)\b", re.IGNORECASE)
_COURTESY = re.compile(
    r"\b(?:hope\s+(?:this|that|it)|let\s+me\s+know|help\s+you\s+with|questions?|requests?)\b",
    re.IGNORECASE,
)
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
    if letter is not None or last_boxed(final_part(text)) is not None:
        return letter
    letter = chosen_letter(final_part(text), named)  # it announced something else
    end = conclusion(said)
    if letter is None and _CONCLUDES.match(end):
        letter = chosen_letter(complement(end) or end, named)
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
    or what the conclusion of a derivation says.
    """
    said = extract_answer(completion)
    if said is None:
        return None
    number = _number_in(said)
    return number if number is not None else _number_in(conclusion(said))


def _number_in(text: str) -> Number | None:
    text = claim(plain(text))
    return parse_number(text) or only_number(text) or _last_side(text)


def _last_side(text: str) -> Number | None:
    """The number behind the last "is" or "=" of a sentence, if its equation holds: 3 + 5 = 8."""
    clauses = re.split(r"\b(?:is|are|was|were)\b(?:\s+about\b)?", text)
    sides = clauses[-1].split("=")
    last = None if refuses(text) or len(clauses) + len(sides) < 3 else parse_number(sides[-1])
    if last is None:
        return None
    values = [value for side in sides[:-1] if (value := evaluate(side)) is not None]
    return last if all(agree(value, last.value) for value in values) else None


def conclusion(text: str) -> str:
    """The sentence that concludes a derivation: the last one with "therefore", "so" and the like,
    else the last one, if no other gives another number ("5", "6" and "7" in three lines conclude
    nothing); "" without one.

    Courtesies behind it ("I hope this helps!") are no sentence; what takes it back stays with it.
    """
    sentences = [part for part in _SENTENCE.split(plain(text)) if not _COURTESY.search(part)]
    concluding = [index for index, part in enumerate(sentences) if _CONCLUDES.match(part)]
    if concluding:
        at = concluding[-1]
        behind = " ".join(sentences[at + 1 : at + 2])
        return f"{sentences[at]} {behind}" if takes_back(behind) else sentences[at]
    values = {number.value for part in sentences if (number := _number_in(part)) is not None}
    return sentences[-1] if sentences and len(values) < 2 else ""


def nearest(text: str, choices: Sequence[str]) -> str:
    """The choice with the smallest edit distance to ``text``, the first of equals."""
    return min(choices, key=lambda choice: edit_distance(text, choice))
