"""Other words."""

import numpy as np
import pytest

from noisygrpo.playground import make_example
from noisygrpo.playground.synonyms import OTHER, reworded


@pytest.mark.parametrize(
    ("question", "allowed"),
    [
        (
            "How many circles are there?",
            {
                f"{lead} {word} are there?"
                for lead in ("What number of", "Count how many")
                for word in ("discs", "dots")
            },
        ),
        (
            "Which box has the tallest tower?",
            {
                f"Which {box} has the tallest {tower}?"
                for box in ("frame", "panel")
                for tower in ("pile", "column")
            },
        ),
        (
            "all boxes have a large blue thing",
            {f"all {box}s have a huge azure figure" for box in ("frame", "panel")},
        ),
        ("there are two yellow ones", {"there are two golden ones"}),
        ("Is it left?", {"Is it left?"}),
    ],
)
def test_words_are_replaced_whole(question, allowed):
    assert {reworded(question, np.random.default_rng(n)) for n in range(40)} == allowed


def test_the_words_of_training_never_hold_the_other_ones():
    others = {word for words in OTHER.values() for word in words}
    for index in range(160):
        asked = make_example("train", index)["question"].lower()
        assert not [word for word in others if f" {word}" in f" {asked}"], asked
