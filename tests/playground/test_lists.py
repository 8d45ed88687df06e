"""Questions whose answer names things."""

import numpy as np

from noisygrpo.playground.lists import left_of, list_box, list_ends, list_tower
from noisygrpo.playground.scene import STACK_PITCH, Item, Scene


def _ask(maker, scene, wanted):
    """The first task of some draws whose question starts so."""
    for seed in range(400):
        task = maker(scene, np.random.default_rng(seed))
        if task is not None and wanted in task.question:
            return task
    return None


def _row(*items):
    box = tuple(Item(shape, colour, "small", x, y) for colour, shape, x, y in items)
    return Scene((box, (), ()), stacked=False)


def _towers(*towers):
    return Scene(
        tuple(
            tuple(Item("square", c, "medium", 40, 80 - STACK_PITCH * n) for n, c in enumerate(t))
            for t in towers
        ),
        stacked=True,
    )


def test_a_box_is_named_from_left_to_right():
    scene = _row(("black", "circle", 60, 5), ("blue", "square", 10, 70), ("black", "circle", 30, 1))
    task = _ask(list_box, scene, "left box")
    assert task.answer == "blue square then black circle then black circle"
    assert "left a4 blue square and b1 black circle and d1 black circle" in task.reasoning


def test_no_question_where_the_order_is_in_doubt():
    above = _row(("black", "circle", 30, 5), ("blue", "square", 33, 70))
    assert _ask(list_box, above, "left box") is None
    assert _ask(left_of, above, "left box") is None


def test_left_and_right_of():
    scene = _row(("blue", "square", 10, 70), ("black", "circle", 60, 5))
    assert _ask(left_of, scene, "left of the black circle").answer == "blue square"
    assert _ask(left_of, scene, "right of the blue square").answer == "black circle"
    assert _ask(left_of, scene, "right of the black circle").answer == "none"


def test_a_name_that_two_items_have_is_not_asked_about():
    scene = _row(("black", "circle", 10, 70), ("black", "circle", 60, 5))
    assert _ask(left_of, scene, "black circle") is None


def test_towers_from_the_base_and_their_ends():
    scene = _towers(("black", "blue"), ("yellow",), ("blue", "blue", "yellow"))
    assert _ask(list_tower, scene, "right box").answer == "blue then blue then yellow"
    assert _ask(list_ends, scene, "top of the towers").answer == "blue then yellow then yellow"
    assert _ask(list_ends, scene, "bottom of the towers").answer == "black then yellow then blue"
