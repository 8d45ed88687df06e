"""Scenes and their pictures."""

import numpy as np
import pytest

from noisygrpo.playground.scene import COLOURS, Item, Scene, render, sample_scene


def test_more_is_crowded():
    scenes = [sample_scene(np.random.default_rng(i), crowded=True) for i in range(20)]
    for scene in scenes:
        for number, box in enumerate(scene.boxes):
            assert len(scene.stacks(number)) == 2 if scene.stacked else len(box) >= 5


def _item(**changes):
    return Item(
        **{"shape": "circle", "colour": "black", "size": "small", "x": 40, "y": 40, **changes}
    )


@pytest.mark.parametrize(
    ("changes", "edge"),
    [({}, False), ({"x": 0}, True), ({"y": 90}, True), ({"x": 89}, True), ({"y": 85}, False)],
)
def test_edges(changes, edge):
    assert _item(**changes).at_edge() is edge


def test_touching_needs_neighbours():
    first, near, far = _item(), _item(x=51), _item(x=54)
    assert first.touches(near) and near.touches(first)
    assert not first.touches(far) and not first.touches(first)


def test_the_picture_shows_the_items_in_their_boxes():
    scene = Scene(((_item(shape="square", size="big", colour="yellow"),), (), ()), stacked=False)
    image = render(scene)
    assert image.getpixel((55, 55)) == COLOURS["yellow"]
    assert image.getpixel((205, 55)) == (211, 211, 211)
    assert image.getpixel((125, 50)) == (128, 128, 128)
