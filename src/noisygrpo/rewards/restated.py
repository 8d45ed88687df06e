"""A question said again as its answer: "The ball is not red.", "There are no dogs.", "left of it".

To "Is the ball red?" the question's words behind its verb, in their order around the same verb, are
yes, and with "not" behind the verb no. All of them must be there: what says more or less than was
asked ("dark red", "probably red", "The box is red.") answers nothing here.

To "How many dogs are there?" a sentence that denies what was counted is 0; to "What is on the
table?" the answer may be followed by the question's own last words ("a cup on the table").
"""

from __future__ import annotations

import re

from noisygrpo.rewards.spelling import plain, word_set, words

LONGEST = 300
"""A longer answer or question is not compared word by word."""

_SAME_VERB = {
    "are": "is", "was": "was", "were": "was", "has": "have", "doe": "do", "do": "do",
}  # fmt: skip
"""Forms of a verb as one (``words`` makes "does" into "doe")."""
_BE, _DO = ("is", "was"), ("do", "did")
VERBS = (*_BE, *_DO, "have", "had", "can", "will", "would", "should", "must")
_PRONOUNS = frozenset(("it", "he", "she", "they", "this", "that", "these", "those"))
_STRESSES = word_set("indeed definitely clearly certainly actually any some ever")
"""Words that change nothing about what is asked, or about how many there are."""
_MUTUAL = word_set("intersect overlap touch cross meet match")
"""What two things do to each other."""
PREPOSITIONS = (
    "of", "in", "on", "at", "to", "from", "with", "by", "for", "under", "over", "above", "below",
    "behind", "beside", "near", "between", "into", "through", "next",
)  # fmt: skip
_BEHIND = re.compile(rf"(?<=\w) (?:{'|'.join(PREPOSITIONS)}) (?=\w)")
_SUBJECT = 2
"""Words, without its article, of a subject for which "it" may stand."""
PICTURE = (
    r"(?:in|on|of)\s+(?:the|this|that)\s+"
    r"(?:image|picture|photo(?:graph)?|figure|scene|diagram|chart|graph)"
)
_IN_PICTURE = re.compile(rf"\s+{PICTURE}(?=\s*$)")
_CONTRACTIONS = (
    (re.compile(r"\b(?:can't|cannot)\b"), "can not"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"\b(it|he|she|that|there)'s\b"), r"\1 is"),
    (re.compile(r"\b(they|these|those)'re\b"), r"\1 are"),
)
_NEGATIVE = re.compile(r"\b(?:not|no|never|none|nobody|nothing|neither|nor|without)\b")
_SENTENCE = re.compile(r"[^.,:;?!\n]+")

_SEEN = r"(?:(?:is|are)\s+)?(?:visible|present|shown|seen|depicted|there)"
_ABSENT = re.compile(
    r"(?:(?:there\s+(?:is|are|was|were)\s+)?(?:no|not\s+any)"
    r"|(?:i|we|you|one)\s+(?:can\s+)?(?:see|find|notice|count|spot)\s+no"
    r"|(?:i|we|you|one)\s+(?:do|can)\s+not\s+(?:see|find|notice|count|spot)\s+(?:any|an?)"
    r"|(?:it|(?:the|this)\s+(?:image|picture|photo|figure|scene))"
    r"\s+(?:(?:shows|contains|has|includes)\s+no"
    r"|does\s+not\s+(?:show|contain|have|include)\s+any))\s+"
    rf"(?:such\s+)?(?P<things>[a-z]+(?:\s[a-z]+){{0,3}}?)(?:\s+{_SEEN})?(?:\s+{PICTURE})?"
    rf"(?:\s+{_SEEN})?"
)
_THERE_IS = re.compile(
    r"\b(?:is|are|was|were)\s+there\s+(?:an?y?\s+|some\s+|no\s+)?(?P<things>[a-z -]+?)\s*"
    r"(?:\b(?:in|on|at|to|of|with|that|which|who|under|over|above|below|behind|near|next|left"
    r"|right|between|beside|visible|shown|present|here|or)\b|[?.,]|$)"
)
_ONLY_THERE = re.compile(
    r"\s*(?:is|are)\s+there\s+(?:an?y?\s+|some\s+)?(?P<things>[a-z]+(?:\s[a-z]+){0,3}?)"
    rf"(?:\s+{_SEEN})?(?:\s+{PICTURE})?\s*"
)
_NUMBER = r"(?:an?|some|several|many|\d{1,2}|one|two|three|four|five|six|seven|eight|nine|ten)"
_PRESENT = re.compile(
    rf"(?:there\s+(?:is|are)|(?:i|we|you)\s+(?:can\s+)?see)\s+{_NUMBER}\s+"
    rf"(?P<things>[a-z]+(?:\s[a-z]+){{0,3}}?)(?:\s+{_SEEN})?(?:\s+{PICTURE})?(?:\s+{_SEEN})?"
    r"(?:\s+and\s+an?\s+[a-z]+)?"
)
_SINGLE = re.compile(
    rf"(?:there\s+is\s+|i\s+(?:can\s+)?see\s+)?(?:only\s+|just\s+)?an?\s+"
    rf"(?P<things>[a-z]+(?:\s[a-z]+){{0,3}}?)(?:\s+{_SEEN})?(?:\s+{PICTURE})?"
)
_COUNTED = re.compile(
    r"(?:how\s+many|number\s+of)\s+(?:of\s+)?(?:the\s+|these\s+|those\s+)?(?P<things>[a-z -]+?)\s*"
    r"(?:\b(?:is|are|was|were|do|does|did|can|could|will|have|has|had|in|on|at|to|of|with|that"
    r"|which|who|there|you|left|visible|shown|appear|exist)\b|[?.,]|$)"
)
_SIDE = re.compile(
    r"^((?:(?:on|to|at)\s+)?(?:the\s+)?(?:left|right|top|bottom))(?:-hand)?\s+side\b"
)


def answered(text: str, question: str) -> bool | None:
    """True for yes, False for no; None if the text does not say the question again."""
    verb, asked = _asked(question)
    said = _tokens(text) if verb else []
    if not said:
        return None
    if "you" in asked:
        said = ["you" if word in ("i", "we") else word for word in said]
    if verb in _DO and said[:2] == ["they", verb] and said[-1] in _MUTUAL:
        turned = said[2:-1]  # "They do not intersect" to "Does A intersect B?"
        return None if turned not in ([], ["not"]) or said[-1] not in asked[1:] else not turned
    found = {_around(said, at, asked) for at, word in enumerate(said) if word == verb}
    if verb in _DO and said[0] != "not":
        found.add(True if same_words(said[:1], said[1:], asked) else None)
    if said[0] == "not":  # "not red", "not all balls are red"
        whole = any(
            _around(said[1:], at - 1, asked) for at, word in enumerate(said) if word == verb
        )
        found.add(False if whole or same_words([], said[1:], asked) else None)
    found.discard(None)
    return found.pop() if len(found) == 1 else None


def _around(said: list[str], at: int, asked: list[str]) -> bool | None:
    """What the words around the verb at ``at`` answer."""
    before, behind = said[:at], said[at + 1 :]
    turned = behind[:1] == ["not"]
    return not turned if same_words(before, behind[turned:], asked) else None


def same_words(subject: list[str], rest: list[str], asked: list[str]) -> bool:
    """Whether these are the words that were asked for, "it" perhaps in place of the subject."""
    if [*subject, *rest] == asked:
        return True
    named = asked[: len(asked) - len(rest)]
    return (
        bool(rest)
        and asked[len(named) :] == rest
        and 0 < len(named) <= _SUBJECT
        and (subject == [] or (len(subject) == 1 and subject[0] in _PRONOUNS))
        and not any(
            word in (*PREPOSITIONS, "left", "right") or word.endswith("ing") for word in named
        )
    )


def _asked(question: str) -> tuple[str, list[str]]:
    """The verb and the words behind it of the one yes-no question; "" if there is none."""
    tokens = _tokens(asked_clause(question))
    if len(tokens) < 2 or tokens[0] not in VERBS or "or" in tokens:
        return "", []
    return tokens[0], tokens[1:]


def asked_clause(question: str) -> str:
    """The last clause in front of the one question mark; "" if there are none or several."""
    if question.count("?") != 1:
        return ""
    return re.split(r"[.,:;!\n]", question.partition("?")[0])[-1]


def _tokens(text: str) -> list[str]:
    """The words of one sentence; none of a longer text and of what negates otherwise than by one
    "not".
    """
    text = _open(text)
    if len(text) > LONGEST or not _SENTENCE.fullmatch(text):
        return []
    negations = _NEGATIVE.findall(text)
    if negations not in ([], ["not"]):
        return []
    found = [one_verb(word) for word in words(_IN_PICTURE.sub("", text))]
    return [word for word in found if word not in _STRESSES]


def one_verb(word: str) -> str:
    """One form of "is" and "are", "was" and "were", "has" and "have", "does" and "do"."""
    return _SAME_VERB.get(word, word)


def _open(text: str) -> str:
    """Lower case, without contractions and what closes the sentence."""
    text = plain(text).lower().strip(" .!\"'")
    for pattern, whole in _CONTRACTIONS:
        text = pattern.sub(whole, text)
    return text


def absent(text: str) -> set[str] | None:
    """The words for what a sentence denies to be there; None if it says anything else."""
    if len(text) > LONGEST:
        return None
    said = _ABSENT.fullmatch(_open(text))
    return set(words(said.group("things"))) if said else None


def thing_of(question: str) -> tuple[str, ...]:
    """The words for what a question asks to be there: "Is there a red ball on the table?"."""
    asked = _THERE_IS.search(question.lower())
    return words(asked.group("things")) if asked else ()


def denies(text: str, question: str) -> bool:
    """Whether a sentence denies the very thing that the question asks for, and no part of it."""
    thing = thing_of(question)
    denied = absent(text) if thing else None
    return bool(denied and thing[-1] in denied and denied <= set(thing))


def affirms(text: str, question: str) -> bool:
    """Whether a sentence says that the very thing is there of which a question asks no more."""
    asked = _ONLY_THERE.fullmatch(asked_clause(question).lower())
    said = _PRESENT.fullmatch(_open(text)) if asked and len(text) <= LONGEST else None
    return bool(asked and said and words(said.group("things")) == words(asked.group("things")))


def counts_one(text: str, question: str) -> bool:
    """Whether a text is "a …" with the very words for what the question counts."""
    counted = counted_things(question)
    said = _SINGLE.fullmatch(_open(text)) if counted and len(text) <= LONGEST else None
    return bool(said and words(said.group("things")) == counted)


def counted_things(question: str) -> tuple[str, ...]:
    """The words for what a question counts: "red", "ball" of "How many red balls are there?"."""
    asked = _COUNTED.search(question.lower())
    return words(asked.group("things")) if asked else ()


def counts_none(text: str, question: str) -> bool:
    """Whether a sentence denies what the question counts: all that is counted, not a part of it."""
    counted, denied = counted_things(question), absent(text)
    return bool(counted and denied and counted[-1] in denied and denied <= set(counted))


def without_question(text: str, question: str) -> str | None:
    """``text`` without "side", and without the question's last words where it ends with them.

    At least a preposition and a noun are cut, never the whole; None where nothing is to be cut.
    """
    if len(text) > LONGEST:
        return None
    short = _SIDE.sub(r"\1", _open(text))
    asked = words(question.partition("?")[0][-LONGEST:])
    for start in _BEHIND.finditer(short):
        tail = words(short[start.start() :])
        if len(tail) > 1 and asked[-len(tail) :] == tail:
            return short[: start.start()]
    return short if short != _open(text) else None
