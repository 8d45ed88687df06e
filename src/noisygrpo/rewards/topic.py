"""Whether a sentence speaks of what was asked, as far as its words tell.

"The soup costs $5." states the one number that was asked for, but of another thing: "soup" stands
neither in "How much does the sandwich cost?" nor among the words that name no thing of their own.
What cannot be told from words alone (that a brick is a stone) is taken for another thing.
"""

from __future__ import annotations

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


_PRONOUNS = word_set("it its he his she her they their him them")
_RELATIVE = word_set("per each every apiece than")


def strays(text: str, question: str) -> bool:
    """Whether ``text`` has a word for a thing that the question does not speak of.

    Of a question without a thing of its own ("What is the price?"), and of one about "it" or "her",
    nothing can be told: False.
    """
    asked = words(question)
    if not any(map(_names, asked)) or not _PRONOUNS.isdisjoint(asked):
        return False
    return any(
        _names(word) and not any(_kindred(word, other) for other in asked) for word in words(text)
    )


def _names(word: str) -> bool:
    """Whether a word names a thing of its own."""
    return word.isalpha() and len(word) > 1 and word not in _GRAMMAR and word not in _NO_THING


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
