"""The gates of the warm start's language model."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tests.playground.small_processor import small_processor

from noisygrpo.playground import probes
from noisygrpo.playground.scene import Item, sample_scene


def _teller(wrong=()):
    """A model that reads every next token right, but those of some words."""

    def forward(input_ids, **_):
        following = torch.roll(input_ids, -1, 1)
        for token, instead in wrong:
            following[following == token] = instead
        return SimpleNamespace(logits=torch.nn.functional.one_hot(following, 2000).float())

    return forward


def test_words_are_judged_by_their_kind():
    processor = small_processor()
    scenes = [sample_scene(np.random.default_rng(n)) for n in range(6)]
    right = probes.forced_reading(_teller(), processor, scenes)
    assert set(right) >= {"size", "colour", "shape", "place", "item", "edge", "tower", "end"}
    assert set(right.values()) == {1.0}
    token = {w: processor.tokenizer(f" {w}")["input_ids"][0] for w in ("circle", "square")}
    confused = probes.forced_reading(
        _teller([(token["circle"], token["square"])]), processor, scenes
    )
    items = [i for s in scenes if not s.stacked for box in s.boxes for i in box]
    circles = sum(i.shape == "circle" for i in items) / len(items)
    assert confused["shape"] == confused["item"] == pytest.approx(1 - circles) != 1
    assert {confused[n] for n in ("size", "colour", "place", "tower", "end")} == {1.0}


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("b1", True),
        ("a1", True),
        ("c1", False),
        ("b2", False),
        ("a2", False),
        ("x1", False),
        ("", False),
    ],
)
def test_a_place_near_the_line_may_be_either(said, right):
    item = Item("circle", "black", "small", 16, 5)  # its centre is 1 pixel past a line
    assert probes._place_right(item, 0, said) is right
