"""Scores of visual question answering against the answers of several people.

- ``vqa``: the accuracy of VQA (arXiv 1505.00468, used by VQAv2, OK-VQA and TextVQA): an answer is
  fully right if three of the ten people gave it, averaged over all nine of ten.
- ``anls``: Average Normalized Levenshtein Similarity (arXiv 1905.13648, used by ST-VQA, DocVQA and
  InfographicVQA): how much of the nearest reference was read.

Neither is right or wrong: they give part of a point, to answers that are short as the references.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from noisygrpo.errors import require
from noisygrpo.rewards.extract import answer_texts, extract_answer
from noisygrpo.rewards.functions import target_text
from noisygrpo.rewards.references import references
from noisygrpo.rewards.spelling import edit_distance

NEEDED = 3
"""People who have to have given an answer for it to be fully right."""
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_DIGITS = {"none": "0", **{word: str(number) for number, word in enumerate(NUMBERS)}}
_APOSTROPHES = re.compile(r"['’`]")
_COMMA = re.compile(r"(?<=\d),(?=\d)")
_MARKS = re.compile(r"(?<!\d)\.|\.(?!\d)|[;/\[\]\"{}()=+\\_\-<>@,?!]")
_ARTICLES = ("a", "an", "the")


def same_words(text: str) -> str:
    """An answer as VQA compares it: lower case, no articles and marks, digits for number words.

    Apostrophes go as well, which makes "dont" and "don't" one, as its list of contractions does.
    """
    text = _MARKS.sub(" ", _COMMA.sub("", _APOSTROPHES.sub("", text.lower())))
    return " ".join(_DIGITS.get(word, word) for word in text.split() if word not in _ARTICLES)


def vqa_accuracy(given: str, people: Sequence[str]) -> float:
    """VQA's accuracy of an answer, in [0, 1]: the mean, over the people, of min(1, n / 3), where n
    of the other people gave it. Of three people or fewer one suffices.
    """
    said = [same_words(one) for one in people]
    alike = said.count(same_words(given))
    if len(said) <= NEEDED:
        return float(alike > 0)
    left_out = alike * min(1.0, (alike - 1) / NEEDED) + (len(said) - alike) * min(
        1.0, alike / NEEDED
    )
    return left_out / len(said)


def similarity(given: str, reference: str, threshold: float) -> float:
    """1 - NL, NL the distance by the longer text's length; 0 where that is ``threshold`` or more.

    Case and runs of white space do not count.
    """
    one, other = (" ".join(text.lower().split()) for text in (given, reference))
    longer = max(len(one), len(other))
    if longer == 0:
        return 1.0
    if abs(len(one) - len(other)) >= threshold * longer:  # the distance is no less
        return 0.0
    share = edit_distance(one, other) / longer
    return 1 - share if share < threshold else 0.0


def vqa(
    prompts: Sequence[Any],
    completions: Sequence[Any],
    answer: Sequence[Any],
    hint: Sequence[str] | None = None,
    **columns: Any,
) -> list[float | None]:
    """VQA's accuracy (arXiv 1505.00468) of the extracted answer, in [0, 1].

    0 without an answer; None where the row has none. Of three references or fewer one suffices.
    """
    return [
        None if people is None else 0.0 if given is None else vqa_accuracy(given, people)
        for given, people in _read(completions, answer, hint)
    ]


def anls(
    prompts: Sequence[Any],
    completions: Sequence[Any],
    answer: Sequence[Any],
    hint: Sequence[str] | None = None,
    *,
    threshold: float = 0.5,
    **columns: Any,
) -> list[float | None]:
    """ANLS (arXiv 1905.13648) of the extracted answer: of the nearest reference, in [0, 1].

    ``threshold``: from this normalized distance on an answer is another one, and gets 0.
    0 without an answer; None where the row has none.
    """
    return [
        None if people is None else max(similarity(given or "", one, threshold) for one in people)
        for given, people in _read(completions, answer, hint)
    ]


def check_anls(threshold: float = 0.5, **other: Any) -> None:
    """Raise ``UserError`` for a threshold at which everything or nothing is right."""
    allowed = 0 < threshold <= 1
    require(allowed, f"rewards.anls.threshold: {threshold}, allowed is more than 0 and at most 1")


def _read(
    completions: Sequence[Any], answer: Sequence[Any], hint: Sequence[str] | None
) -> list[tuple[str | None, list[str] | None]]:
    """The extracted answer and the references of each row, both as text; None is none."""
    found = []
    for text, wanted in zip(answer_texts(completions, hint), answer, strict=True):
        people = [one for one in map(target_text, references(wanted)) if one]
        found.append((extract_answer(text), people or None))
    return found
