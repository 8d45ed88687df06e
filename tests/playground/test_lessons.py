"""Batches of the warm start."""

import numpy as np
from tests.playground.small_processor import small_processor

from noisygrpo.playground.gallery import hang
from noisygrpo.playground.lessons import converse
from noisygrpo.playground.model import build_model


def _gallery(processor):
    tower = build_model(processor.tokenizer).model.visual
    return hang(tower, processor, np.random.default_rng(0), 2)


def _learned(batch, processor):
    return processor.tokenizer.decode(batch["labels"][0][batch["labels"][0] >= 0])


def test_only_assistant_turns_are_learned():
    processor = small_processor()
    learned = _learned(converse(processor, 0, "slip", 3, 1, _gallery(processor)), processor)
    turns = learned.split("<|im_end|>")
    assert turns[-1] == "" and len(turns) - 1 == 2
    assert "user" not in learned and learned.count("<answer>") == 2


def test_descriptions_are_read_box_by_box():
    processor = small_processor()
    learned = _learned(converse(processor, 0, "read", 0, 1, _gallery(processor)), processor)
    assert learned.count("<|im_end|>") == 3 and "<answer>" not in learned


def test_reasoning_is_learned_without_pictures_and_without_the_descriptions():
    processor = small_processor()
    for step in range(6):
        batch = converse(processor, 0, "reason", step, 2, questions=2)
        assert "pixel_values" not in batch
        learned = _learned(batch, processor)
        assert learned.count("Step 1:") == learned.count("<answer>") == 2
        assert not any(f": {box}" in learned for box in ("left", "middle", "right"))
