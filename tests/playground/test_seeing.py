"""What every patch shows."""

import numpy as np
import torch
from PIL import ImageColor
from tests.playground.small_processor import small_processor
from torch import nn

from noisygrpo.playground.scene import COLOURS, HELD_OUT, Item, Scene, render, sample_scene
from noisygrpo.playground.seeing import (
    IGNORE,
    NOTHING,
    ODD,
    Eyes,
    Whereabouts,
    labelled,
    oddly,
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


def test_tokens_and_items_are_placed_row_by_row_in_every_picture():
    where = Whereabouts(52)
    edge = torch.full((200, 4), IGNORE)  # two pictures of 5 x 20 merged tokens
    edge[3, 0], edge[145, 2] = 1, 0  # an item in each: row 0, column 3; row 2, column 5
    batch = {"edge": edge}
    targets = where.targets(batch)
    row, column = targets["row"], targets["column"]
    assert row[:100].tolist() == row[100:].tolist() == [n // 20 for n in range(100)]
    assert column[[0, 19, 20, 119]].tolist() == [0, 19, 0, 19]
    assert targets["item_row"].nonzero().flatten().tolist() == [3, 145]
    assert targets["item_row"][[3, 145]].tolist() == [1, 3]
    assert targets["item_column"][[3, 145]].tolist() == [4, 6]
    told = [nn.functional.one_hot(targets[name], head.out_features) for name, head in heads(where)]
    told = torch.cat(told, 1).float()
    with torch.no_grad():
        start = 0
        for _, head in heads(where):
            head.weight.zero_(), head.bias.zero_()
            size = head.out_features
            head.weight[:, start : start + size] = 30 * torch.eye(size)
            start += size
    assert where.right(told, batch) == {"row": 1.0, "column": 1.0, "placed": 1.0}
    assert where.loss(told, batch) < 1e-6
    shifted = where.right(told.roll(1, 0), batch)  # says each item one token late
    assert shifted["column"] == shifted["placed"] == 0


def heads(where):
    return list(where.named_children())


def test_odd_items_teach_the_half_of_them_that_has_a_name():
    red = Item("circle", "#ff0000", "big", 0, 0)
    cross = Item("cross", "blue", "medium", 60, 60)
    labels = patch_labels(Scene(((red, cross), (), ()), stacked=False))
    assert labels["shape"][1, 1] == 1 and labels["colour"][1, 1] == IGNORE
    assert labels["shape"][7, 7] == IGNORE and labels["colour"][7, 7] == 2
    assert labels["size"][1, 1] == 3 and labels["size"][7, 7] == 2
    assert render(Scene(((red,), (), ()), stacked=False)).getpixel((15, 15)) == (255, 0, 0)


def test_odd_scenes_never_show_a_pair_that_is_kept_for_later():
    rng, odd, items = np.random.default_rng(0), 0, 0
    for _ in range(200):
        scene = sample_scene(rng, stacked=False)
        other = oddly(rng, scene)
        for one, two in zip(
            (i for box in scene.boxes for i in box),
            (i for box in other.boxes for i in box),
            strict=True,
        ):
            items, odd = items + 1, odd + (one != two)
            assert (one.x, one.y, one.size) == (two.x, two.y, two.size)
            assert one.shape == two.shape or one.colour == two.colour
            for shape, colour in HELD_OUT:
                if two.shape == shape:
                    shown = np.array(ImageColor.getrgb(two.colour))
                    named = two.colour in COLOURS
                    assert two.colour != colour
                    assert named or np.linalg.norm(shown - COLOURS[colour]) > 130
    assert abs(odd / items - ODD) < 0.04
