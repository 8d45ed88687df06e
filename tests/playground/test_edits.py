"""Small changes to a scene."""

import numpy as np
import pytest

from noisygrpo.playground.edits import edit, edited
from noisygrpo.playground.questions import Wish, sample_question
from noisygrpo.playground.scene import BOX, HELD_OUT, sample_scene


@pytest.mark.parametrize("stacked", [False, True])
def test_an_edit_changes_one_item_and_leaves_a_scene_that_can_be(stacked):
    made = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        scene = sample_scene(rng, stacked=stacked)
        other = edit(rng, scene)
        if other is None:
            continue
        made += 1
        boxes = [(a, b) for a, b in zip(scene.boxes, other.boxes, strict=True) if a != b]
        assert len(boxes) == 1 and other.stacked == stacked
        before, after = map(set, boxes[0])
        assert len(before - after) <= 1 and len(after - before) <= 1 and after
        for item in boxes[0][1]:
            assert 0 <= item.x <= BOX - item.side and 0 <= item.y <= BOX - item.side
            assert (item.shape, item.colour) not in HELD_OUT
            assert all(item.gap_to(o) >= 1 for o in boxes[0][1] if o is not item)
    assert made > 150


def test_the_same_words_get_the_answer_that_is_wanted():
    for seed in range(60):
        rng = np.random.default_rng(seed)
        one = sample_question(rng, Wish())
        found = edited(rng, one, lambda a, b=one.task.answer: a != b)
        if found is not None:
            scene, task = found
            assert task.question == one.task.question and task.answer != one.task.answer
            assert one.ask(scene) == task


def test_what_cannot_be_reached_is_none():
    rng = np.random.default_rng(0)
    one = sample_question(rng, Wish(), "number")
    assert edited(rng, one, lambda a: a == "99") is None
