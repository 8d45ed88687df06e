"""What every patch shows."""

import numpy as np
import torch
from tests.playground.small_processor import small_processor
from torch import nn

from noisygrpo.playground.scene import Item, Scene, sample_scene
from noisygrpo.playground.seeing import (
    IGNORE,
    NOTHING,
    Eyes,
    Whereabouts,
    labelled,
    patch_labels,
    probe,
    see,
)


def test_a_patch_is_named_after_the_item_that_covers_it_and_the_centre_it_holds():
    big = Item("square", "yellow", "big", 0, 0)
    speck = Item("circle", "black", "small", 65, 65)  # a quarter of each of four patches
    labels = patch_labels(Scene(((big,), (speck,), ()), stacked=False))
    assert labels["cover_shape"].shape == (10, 40) and set(labels) == set(NOTHING)
    assert (labels["cover_shape"][:3, :3] == 3).all() and (
        labels["cover_colour"][:3, :3] == 3
    ).all()
    assert (labels["cover_shape"][6:8, 21:23] == 1).all()
    assert np.count_nonzero(labels["cover_shape"]) == 9 + 4
    assert np.argwhere(labels["shape"]).tolist() == [[1, 1], [7, 22]]
    assert labels["size"][1, 1] == 3 and labels["size"][7, 22] == 1
    assert labels["edge"][1, 1] == 1 and labels["edge"][7, 22] == 0  # only the square is at a side
    assert (labels["edge"] != IGNORE).sum() == 2 and not (labels["touch"] == 1).any()


def test_patch_labels_follow_the_order_of_the_vision_tower():
    processor = small_processor()
    batch = see(processor, np.random.default_rng(0), 2)
    pixels = batch["pixel_values"].reshape(-1, 3, 2, 10, 10)[:, :, 0]
    colour = batch["cover_colour"].reshape(-1)
    assert len(pixels) == len(colour) and int((colour > 0).sum()) > 20
    # what is covered by a yellow item has less blue than red; an empty patch is one grey
    red_minus_blue = (pixels[:, 0] - pixels[:, 2]).amax((1, 2))
    yellow = colour == 3
    assert bool(yellow.any()) and bool((red_minus_blue[yellow] > 1.0).all())
    assert float(red_minus_blue[colour == 0].median()) < 0.3


def test_the_probe_counts_what_the_heads_name():
    """A tower that hands the labels on, and heads that read them, see everything."""
    processor = small_processor()
    scenes = [sample_scene(np.random.default_rng(n), stacked=False) for n in range(3)]
    names = ("shape", "colour", "size", "edge", "touch")
    width = 4 * 4 * len(names)

    class Handed:
        def __init__(self, wrong):
            batch = labelled(processor, scenes)
            hot = [nn.functional.one_hot(batch[n].clamp(min=0), 4).flatten(1) for n in names]
            self.pooler_output = torch.cat(hot, 1).float()
            if wrong:  # every shape is called a circle
                self.pooler_output[:, :16] = torch.tensor([0, 1, 0, 0] * 4).float()

    eyes = Eyes(width)
    with torch.no_grad():
        for n, name in enumerate(names):
            head = eyes.heads[name]
            head.weight.zero_(), head.bias.zero_()
            classes = head.out_features // 4
            for patch in range(4):
                for value in range(classes):
                    head.weight[patch * classes + value, 16 * n + 4 * patch + value] = 1
    seen = probe(lambda pixels, grid_thw: Handed(wrong=False), eyes, processor, scenes)
    assert set(seen.values()) == {1.0} and set(seen) == {*names, "item"}
    half = probe(lambda pixels, grid_thw: Handed(wrong=True), eyes, processor, scenes)
    items = [item for scene in scenes for box in scene.boxes for item in box]
    circles = sum(item.shape == "circle" for item in items) / len(items)
    assert half["shape"] == half["item"] == circles and half["colour"] == 1.0


def test_tokens_are_placed_row_by_row_in_every_picture():
    where = Whereabouts(25)
    row, column = where.targets(200)  # two pictures of 5 x 20 merged tokens
    assert row[:100].tolist() == row[100:].tolist() == [n // 20 for n in range(100)]
    assert column[[0, 19, 20, 119]].tolist() == [0, 19, 0, 19]
    told = torch.cat([nn.functional.one_hot(row, 5), nn.functional.one_hot(column, 20)], 1).float()
    with torch.no_grad():
        for head, part in ((where.row, slice(0, 5)), (where.column, slice(5, 25))):
            head.weight.zero_(), head.bias.zero_()
            head.weight[:, part] = 30 * torch.eye(head.out_features)
    assert where.right(told) == {"row": 1.0, "column": 1.0} and where.loss(told) < 1e-6
    assert where.right(told.roll(1, 0))["column"] == 0
