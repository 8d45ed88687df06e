"""What a sentence adds to the question that it says again.

To "Which floor is the office on?" the sentence "The office is on the third floor." adds "the
third": the words before and behind it are those of the question, all of them and in their order,
but for its "which floor" and where its verb stands. A sentence that says more, less or another
thing ("The shop is on the third floor.", "The floor is on the office.") adds nothing that could be
told apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import accumulate, chain
from typing import NamedTuple

from noisygrpo.rewards.restated import LONGEST, PICTURE, VERBS, asked_clause, one_verb, same_words
from noisygrpo.rewards.spelling import plain, words

MOST = 40
"""Words of a sentence that is compared with its question."""

_ASKS = ("what", "which", "who", "where", "when", "how")
_PLACES = ("in", "on", "at", "to", "from")
_ASKED_OF = frozenset((*_PLACES, "of", "for", "by", "with", "under", "until"))
_OF_PICTURE = re.compile(rf",?\s+{PICTURE}(?=\s*$)", re.IGNORECASE)
_STOPS = re.compile(r"[;?!\n]|\.\s")
_ARTICLES = ("a", "an", "the")


class Asked(NamedTuple):
    """A question with an interrogative."""

    word: str
    noun: list[str]
    """What stands between it and the verb: "floor", "fraction of circle"."""
    verb: str
    rest: list[str]
    """The words behind the verb."""
    place: str
    """The preposition in front: "on" which side."""


def added(text: str, question: str) -> str | None:
    """The part of ``text`` that the question has not; None if it does not say the question again.

    Of words that may be restated in two ways, the longest run in front counts.
    """
    text = _OF_PICTURE.sub("", plain(text).strip(" .\"'"))
    chunks = text.split()
    asked = read(question)
    if asked is None or len(text) > LONGEST or len(chunks) > MOST or _STOPS.search(text):
        return None
    tokens = [_token(chunk) for chunk in chunks]
    if tokens and tokens[0] == ["there"]:
        tokens[0] = []
    if asked.word == "how" and "%" in text:
        return None  # a share is no number of things
    sizes = list(accumulate(map(len, tokens), initial=0))  # words up to a chunk
    for start in range(len(chunks), -1, -1):
        for end in range(start + 1, len(chunks) + 1):
            size = sizes[-1] - sizes[end] + sizes[start]
            if not -2 < size - len(asked.rest) <= 1:  # its verb more, "it" for two words
                continue
            around = _flat(tokens[:start]), _flat(tokens[end:])
            if _restates(*around, asked):
                return _bare(chunks[start:end], tokens[start:end], asked)
    bare = _bare(chunks, tokens, asked) if asked.noun else ""  # "5th term"
    return bare if bare and len(bare) < len(" ".join(chunks)) else None


def read(question: str) -> Asked | None:
    """Read the one question of a text; None if it has none with an interrogative."""
    clause = _OF_PICTURE.sub("", plain(asked_clause(question)))
    found = _flat(_token(chunk) for chunk in clause.split())
    place = found[0] if found and found[0] in _ASKED_OF else ""
    found = found[bool(place) :]
    if len(found) < 2 or found[0] not in _ASKS or ("or" in found and found[0] != "how"):
        return None
    at = next((at for at, word in enumerate(found) if at and word in VERBS), None)
    if at is None:
        size = {"how": 3, "what": 2, "which": 2}.get(found[0], 1)
        return Asked(found[0], _noun(found[1:size]), "", found[size:], place)
    return Asked(found[0], _noun(found[1:at]), found[at], found[at + 1 :], place)


def _noun(found: list[str]) -> list[str]:
    return found[1:] if found[:1] == ["many"] else found


def _token(chunk: str) -> list[str]:
    if chunk.lower() in _ARTICLES:
        return []
    found = (one_verb(word) for word in words(chunk.lower()))
    return ["is" if word == "was" else word for word in found]


def _flat(tokens: Iterable[list[str]]) -> list[str]:
    return list(chain.from_iterable(tokens))


def _restates(before: list[str], behind: list[str], asked: Asked) -> bool:
    """Whether the words around an answer are those of the question."""
    if not asked.rest or not (before or behind):
        return False
    for cut in (before, behind):
        if asked.verb in cut and asked.verb not in asked.rest:
            at = cut.index(asked.verb)
            without = cut[:at] + cut[at + 1 :]
            both = [*without, *behind] if cut is before else [*before, *without]
            return _equal(both, asked)
    bare = asked.verb in ("", "do", "did") or not before
    return bare and _equal([*before, *behind], asked)


def _equal(said: list[str], asked: Asked) -> bool:
    past = asked.verb == "did"
    if not past:
        return same_words(said[:1], said[1:], asked.rest)
    return len(said) == len(asked.rest) and all(
        mine in (own, f"{own}ed", f"{own}d") for mine, own in zip(said, asked.rest, strict=True)
    )


def _bare(chunks: list[str], tokens: list[list[str]], asked: Asked) -> str:
    """An answer without the preposition and the noun that the question has."""
    if len(chunks) > 1 and tokens[0] and _in_front(tokens[0][0], asked):
        chunks, tokens = chunks[1:], tokens[1:]
    noun = asked.noun
    for start in range(1, len(chunks)):
        tail = _flat(tokens[start:])
        if (
            tail
            and not chunks[start][0].isupper()
            and (
                tail in (noun, noun[:1], ["of", *noun], ["in", *noun])
                or (tail[0] in _ASKED_OF and tail == noun[-len(tail) :])
            )
        ):
            return " ".join(chunks[:start])
    return " ".join(chunks)


def _in_front(word: str, asked: Asked) -> bool:
    """Whether a preposition in front of an answer is the question's own, or asked for."""
    places = asked.word in ("where", "when") or asked.noun
    return word == asked.place or bool(places and word in _PLACES[:3])


def alternative(text: str, question: str) -> str | None:
    """Which of the two things that a question offers a sentence says: "above", of "The lamp is
    above the shelf." to "Is the lamp above or below the shelf?"; None if none.

    All words of the question but the other alternative must be there; its subject may be left out
    together with the verb.
    """
    verb, rest = _offered(question)
    said = _flat(_token(chunk) for chunk in plain(text).strip(" .\"'").split())
    if not verb or len(said) > MOST or _STOPS.search(text):
        return None
    whole = verb in said
    if whole:
        said.remove(verb)
    for start in reversed(range(len(said) if whole else 1)):
        for end in range(start + 1, len(said) + 1):
            behind = len(said) - end
            if said[:start] != rest[:start] or said[end:] != rest[len(rest) - behind :]:
                continue
            sides = " ".join(rest[start : len(rest) - behind]).partition(" or ")
            skip = start + (said[start] in _PLACES and end - start > 1)
            for at in {start, skip}:
                chosen = " ".join(said[at:end])
                first = sides[0] == chosen or (not whole and sides[0].endswith(f" {chosen}"))
                if sides[1] and (start or behind) and (first or sides[2] == chosen):
                    return chosen
    return None


def _offered(question: str) -> tuple[str, list[str]]:
    """The verb and the words behind it of a question with one "or"."""
    found = _flat(_token(chunk) for chunk in plain(asked_clause(question)).split())
    if len(found) < 4 or found[0] not in VERBS or found.count("or") != 1:
        return "", []
    return found[0], found[1:]
