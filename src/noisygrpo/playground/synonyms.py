"""Other words for the same question: the split ``wording``.

The warm start knows both vocabularies. Training with rewards sees the plain one only, so that what
is learned there has to carry over to words that it was not learned on.
"""

import re

import numpy as np

OTHER: dict[str, tuple[str, ...]] = {
    "circle": ("disc", "dot"),
    "triangle": ("pyramid",),
    "square": ("tile",),
    "block": ("cube", "brick"),
    "tower": ("pile", "column"),
    "stack": ("pile",),
    "box": ("frame", "panel"),
    "black": ("dark",),
    "yellow": ("golden",),
    "blue": ("azure",),
    "small": ("tiny", "little"),
    "big": ("huge",),
    "large": ("huge",),
    "how many": ("what number of", "count how many"),
    "touching": ("leaning on", "next to"),
    "top": ("roof",),
    "base": ("foot",),
    "bottom": ("foot",),
    "at least": ("no fewer than", "minimum"),
    "exactly": ("precisely",),
    "item": ("figure",),
    "object": ("figure",),
    "thing": ("figure",),
}
_WORDS = re.compile(
    r"\b(" + "|".join(sorted(OTHER, key=len, reverse=True)) + r")(s|es)?\b", re.IGNORECASE
)


def reworded(question: str, rng: np.random.Generator) -> str:
    """The question with every word that has another replaced by it."""

    def other(found: re.Match[str]) -> str:
        options = OTHER[found[1].lower()]
        word = options[int(rng.integers(len(options)))] + ("s" if found[2] else "")
        return word.capitalize() if found[1][0].isupper() else word

    return _WORDS.sub(other, question)
