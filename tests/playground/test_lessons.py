"""Batches of the warm start."""

import numpy as np
import torch
from tests.playground.small_processor import small_processor

from noisygrpo.playground.lessons import IGNORE, PATCH_CLASSES, converse, patch_labels, see
from noisygrpo.playground.scene import Item, Scene


def test_only_assistant_turns_are_learned():
    processor = small_processor()
    batch = converse(processor, 0, "look", 3, 1, questions=2)
    learned = processor.tokenizer.decode(batch["labels"][0][batch["labels"][0] >= 0])
    turns = learned.split("<|im_end|>")
    assert turns[-1] == "" and len(turns) - 1 == 2
    assert "user" not in learned and learned.count("<answer>") == 2


def test_a_patch_is_named_after_the_item_that_covers_it_and_the_centre_it_holds():
    big = Item("square", "yellow", "big", 0, 0)
    speck = Item("circle", "black", "small", 65, 65)  # a quarter of each of four patches
    labels = patch_labels(Scene(((big,), (speck,), ()), stacked=False))
    yellow_big_square = 1 + (2 * 3 + 2) * 3 + 2
    black_small_circle = 1
    assert labels.cover.shape == (10, 40) and PATCH_CLASSES == 28
    assert (labels.cover[:3, :3] == yellow_big_square).all()
    assert (labels.cover[6:8, 21:23] == black_small_circle).all()
    assert np.count_nonzero(labels.cover) == 9 + 4
    assert np.argwhere(labels.centre).tolist() == [[1, 1], [7, 22]]
    assert labels.edge[1, 1] == 1 and labels.edge[7, 22] == 0  # only the square is at the side
    assert (labels.edge != IGNORE).sum() == 2


def test_patch_labels_follow_the_order_of_the_vision_tower():
    processor = small_processor()
    batch = see(processor, 0, 0, 2)
    pixels = batch["pixel_values"].reshape(-1, 3, 2, 10, 10)[:, :, 0]
    cover = batch["cover"].reshape(-1)
    assert len(pixels) == len(cover) and int((cover > 0).sum()) > 20
    # what is covered by a yellow item has less blue than red; an empty patch is one grey
    yellow = torch.tensor([name > 0 and (name - 1) // 3 % 3 == 2 for name in cover.tolist()])
    red_minus_blue = (pixels[:, 0] - pixels[:, 2]).amax((1, 2))
    assert bool(yellow.any()) and bool((red_minus_blue[yellow] > 1.0).all())
    assert float(red_minus_blue[cover == 0].median()) < 0.3


def test_reasoning_is_learned_without_pictures_and_without_the_descriptions():
    processor = small_processor()
    batch = converse(processor, 0, "reason", 0, 2, questions=2)
    assert "pixel_values" not in batch
    learned = processor.tokenizer.decode(batch["labels"][0][batch["labels"][0] >= 0])
    assert learned.count("Step 1:") == learned.count("<answer>") == 2
    assert learned.count("gives") >= 2
    assert not any(f": {box}" in learned for box in ("left", "middle", "right"))
