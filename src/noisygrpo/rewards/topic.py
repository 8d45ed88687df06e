"""Whether a sentence speaks of what was asked, as far as its words tell.

"The soup costs $5." states the one number that was asked for, but of another thing: "soup" stands
neither in "How much does the sandwich cost?" nor among the words that name no thing of their own.
What cannot be told from words alone (that a brick is a stone) is taken for another thing.
"""

from __future__ import annotations

import re

from noisygrpo.rewards.added import read
from noisygrpo.rewards.numeric import parse_number
from noisygrpo.rewards.restated import PREPOSITIONS, counted_things
from noisygrpo.rewards.spelling import word_set, words

_GRAMMAR = word_set(
    "is are was were be been being am have has had having do doe did can could will would shall "
    "must a an the of in on at to for from by with within into and as that this these those it "
    "its they them their he she his her him i we us you my our your there here which what "
    "who where when so then thus therefore hence because since finally also now just only "
    "exactly about around approximately roughly nearly if not no yes more"
)
_NO_THING = word_set(
    "answer result solution value number count counted counting amount total totaling sum "
    "altogether overall all final finally equal give given get got find found calculate "
    "calculated make need see seen show shown visible appear contain include represent indicate "
    "read say image picture photo photograph figure diagram scene chart graph table plot map "
    "length width height depth area volume perimeter circumference angle measure measured "
    "distance side radius diameter hypotenuse leg base edge slope intercept arc chord size "
    "weight mass price cost age time year date day month hour minute speed rate ratio fraction "
    "percent percentage probability chance score temperature mean average median mode range "
    "difference product quotient remainder degree unit coordinate point line segment function "
    "expression equation variable color shape name title author animal person people object "
    "item thing type kind word text letter place position location direction material brand "
    "city country state capital sport food fruit old long tall high wide deep far heavy much "
    "many"
)
"""Words that name a measure or a class, or say that something is seen or worked out."""


_CHINESE = re.compile(r"[\u3400-\u9fff]+")
_CHINESE_GRAMMAR = frozenset(
    "的是有为了共在中里图这那个只条张本位名辆支块颗件答案所以因此得即等于约一"
)
_PRONOUNS = word_set("it its he his she her they their him them")
_RELATIVE = word_set("per each every apiece than")


def strays(text: str, question: str) -> bool:
    """Whether ``text`` has a word for a thing that the question does not speak of.

    Of a question without a thing of its own ("What is the price?"), and of one about "it" or "her",
    nothing can be told: False.
    """
    asked = words(question)
    measures = _MEASURES.intersection(asked)
    if measures and not measures.issuperset(_MEASURES.intersection(words(text))):
        return True
    if not (any(map(_names, asked)) or _FURNITURE.search(question)) or not _PRONOUNS.isdisjoint(
        asked
    ):
        return False
    return any(
        _says_more(word, question)
        if not word.isascii() and _CHINESE.fullmatch(word)
        else _names(word) and not any(_kindred(word, other) for other in asked)
        for word in words(text)
    )


def _says_more(run: str, question: str) -> bool:
    """Whether Chinese text, which has no blanks, has signs that its question has not."""
    return not set(run) <= set(question) | _CHINESE_GRAMMAR


def _names(word: str) -> bool:
    """Whether a word names a thing of its own."""
    return word.isalpha() and len(word) > 1 and word not in _GRAMMAR and word not in _NO_THING


_FURNITURE = re.compile(
    r"(?<!in )(?<!of )(?<!from )(?<!to )\bthe table\b(?! shows?)(?! below)", re.IGNORECASE
)
"""A table that is no table of numbers."""
_OWNER = re.compile(r"(\w+)['’]s\s+\w")
_MEASURES = word_set(
    "area perimeter circumference volume radius diameter mean median mode minimum maximum"
)
_ENDS_PHRASE = frozenset((*PREPOSITIONS, "that", "which", "who", "left", "right", "is", "have"))
_CHINESE_COUNTED = re.compile(r"多少|几[个只条张本位名辆支块颗件]")
_KINDS = word_set(
    "cat dog horse sheep cow elephant bear zebra giraffe bird duck chicken pig goat rabbit lion "
    "tiger monkey fish butterfly bee car truck bus train boat bicycle motorcycle airplane bench "
    "chair couch table bed lamp cup fork knife spoon bowl bottle glass plate banana apple orange "
    "pear grape lemon strawberry peach cherry carrot pizza cake donut sandwich egg candle flower "
    "tree book clock vase scissor kite umbrella hat shoe tie backpack suitcase pen pencil door "
    "window cube sphere cylinder cone circle square triangle star heart pentagon hexagon people "
    "man woman boy girl"
)
_KINDS_STEMMED = frozenset(word for kind in _KINDS for word in words(kind))
"""Things of which none is a kind or another name of another."""
_PERSONS = frozenset(words("people man woman boy girl"))


_FOREIGN_COUNTED = re.compile(
    r"\b(?:wie\s?viele|combien\s+(?:de|d'|y\s+a-t-il\s+d[e'])|cu[aá]nt[oa]s)\s*(?P<things>[^\W\d]+)",
    re.IGNORECASE,
)
"""What a German, French or Spanish question counts."""


def _alike(things: str, asked: str) -> bool:
    """Whether two nouns are one but for their endings."""
    said, wanted = (words(text)[-1:] for text in (things, asked))
    return bool(said and wanted) and (said == wanted or _kindred(said[0], wanted[0]))


def counts_another(answer: str, question: str) -> bool:
    """Whether a bare count names other things than the question counts: "10 flowers" of candles.

    Only of things that are known to have nothing to do with each other.
    """
    number = parse_number(answer)
    chinese = _CHINESE_COUNTED.search(question)
    if chinese and number is not None and number.unit.kind == "things":
        things = number.unit.name
        return not things.isascii() and not set(things) <= set(question) | {"人"}
    if number is None or number.unit.kind != "things":
        return False
    foreign = _FOREIGN_COUNTED.search(question)
    if foreign:
        return not _alike(number.unit.name, foreign.group("things"))
    asked = counted_things(question)
    if not asked:
        return False
    said, wanted = words(number.unit.name)[-1:], asked[-1:]
    pair = {*said, *wanted}
    return len(pair) == 2 and pair <= _KINDS_STEMMED and not pair <= _PERSONS


_ASKS_NO_PERCENT = re.compile(
    r"\b(?:probability|likelihood|chance|fraction|angle|how\s+many|(?:what|which)\s+year"
    r"|(?:find|solve\s+for|value\s+of)\s+\$?[a-z](?![\w']))\b|\\angle|∠",
    re.IGNORECASE,
)
_PERCENT = re.compile(r"percent|%", re.IGNORECASE)


def is_no_percentage(answer: str, target: str, question: str) -> bool:
    """Whether an answer in percent meets a plain number only as the number before its sign, where a
    probability, an angle or a count is asked for: 0.5% is not 0.5, but 50% is.
    """
    said, wanted = parse_number(answer), parse_number(target)
    if said is None or wanted is None or not said.percent or wanted.percent:
        return False
    asks = _ASKS_NO_PERCENT.search(question)
    if asks is None or _PERCENT.search(question) or said.value / 100 == wanted.value:
        return False
    shares = asks.group().lower() in ("probability", "likelihood", "chance", "fraction")
    return wanted.value <= 1 or not shares


_LABEL = re.compile(r"(?<=[\s{(])[A-Z]{1,3}(?![\w'])")
"""Names of points, lines and angles; a text's first word may be the article."""


def says_of_another(subject: str, question: str) -> bool:
    """Whether a sentence with this subject tells nothing of what was asked."""
    labels, asked = (set(_LABEL.findall(text)) for text in (subject, question))
    if asked and not labels <= asked | {label[::-1] for label in asked}:
        return True  # "The coordinates of A" to "Find the coordinates of B"
    return strays(subject, question) or of_another(subject, question)


def of_another(subject: str, question: str) -> bool:
    """Whether a sentence speaks of another thing that the question mentions: "The truck is red." to
    "What color is the car behind the truck?"
    """
    asked = read(question)
    wanted = _phrase(asked.rest) if asked else []
    if asked is None or not wanted:
        return False
    mentioned = set(words(question)) - {*wanted, *asked.noun}
    owners = {words(owner)[-1] for owner in _OWNER.findall(question)}
    said = _phrase(list(words(subject)))
    return not owners.isdisjoint(said[-1:]) or any(
        _names(word) and word in mentioned for word in said
    )


def _phrase(found: list[str]) -> list[str]:
    """The words of the first noun phrase; behind "the color of" those of the next."""
    end = next((at for at, word in enumerate(found) if word in _ENDS_PHRASE), len(found))
    of = end < len(found) and found[end] == "of"
    if of and not any(map(_names, found[:end])):
        return _phrase(found[end + 1 :])
    return found[:end]


def compares(text: str, question: str) -> bool:
    """Whether a sentence's number is one for each of something, or a difference, and the question
    asks for none: "$5 per slice", "8 years older than her brother".
    """
    asked = words(question)
    return bool(asked) and any(word in _RELATIVE and word not in asked for word in words(text))


def _kindred(word: str, other: str) -> bool:
    """Whether two words are forms of one: cost and costs, build and building."""
    if word == other:
        return True
    short, long = sorted((word, other), key=len)
    return len(short) > 3 and long.startswith(short[: max(4, len(short) - 1)])
