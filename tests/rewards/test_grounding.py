"""Boxes: what is read as one, and what it is worth."""

import pytest

from noisygrpo.errors import UserError
from noisygrpo.rewards import load_rewards
from noisygrpo.rewards.grounding import boxes_in, iou, matched, overlap

BOX = (10.0, 20.0, 30.0, 40.0)
OTHER = (1.0, 2.0, 3.0, 4.0)


@pytest.mark.parametrize(
    ("written", "boxes"),
    [
        ([10, 20, 30, 40], [BOX]),
        ((10.0, 20.0, 30.0, 40.0), [BOX]),
        ([[10, 20, 30, 40], [1, 2, 3, 4]], [BOX, OTHER]),
        ({"bbox_2d": [10, 20, 30, 40], "label": "dog"}, [BOX]),
        ([{"bbox": [10, 20, 30, 40]}, {"bbox": [1, 2, 3, 4]}], [BOX, OTHER]),
        ("[10, 20, 30, 40]", [BOX]),
        ("The dog is at [10,20,30,40].", [BOX]),
        ("(10,20),(30,40)", [BOX]),
        ("<|box_start|>(10,20),(30,40)<|box_end|>", [BOX]),
        ("[[10, 20], [30, 40]]", [BOX]),
        ('{"bbox_2d": [10, 20, 30, 40]}', [BOX]),
        ('```json\n[{"bbox_2d": [10, 20, 30, 40], "label": "dog 1"}]\n```', [BOX]),
        ("[10.0, 20.0, 30.0, 40.0], [1, 2, 3, 4]", [BOX, OTHER]),
        ("[[10, 20, 30, 40], [1, 2, 3, 4]]", [BOX, OTHER]),
        ("[0.1, 0.2, 0.3, 0.4]", [(0.1, 0.2, 0.3, 0.4)]),
        ("[-1, 2, 3, 4]", [(-1.0, 2.0, 3.0, 4.0)]),
        ("[10, 20, 30]", None),
        ("[10, 20, 30, 40, 50]", None),
        ("10 20 30 40", None),
        ("the dog", None),
        ("", None),
        (None, None),
        ([], None),
        ([True, True, True, True], None),
        ([[1, 2, 3, 4], "dog"], None),
        ({"label": "dog"}, None),
    ],
    ids=str,
)
def test_what_is_a_box(written, boxes):
    assert boxes_in(written) == boxes


@pytest.mark.parametrize(
    ("other", "value"),
    [
        (BOX, 1.0),
        ((10, 20, 30, 60), 0.5),
        ((20, 20, 40, 40), 1 / 3),
        ((30, 40, 50, 60), 0.0),
        ((15, 25, 25, 35), 0.25),
        ((30, 40, 10, 20), 0.0),  # corners in the wrong order
        ((10, 20, 10, 20), 0.0),
    ],
)
def test_overlap(other, value):
    assert overlap(BOX, other) == pytest.approx(value)
    assert overlap(other, BOX) == pytest.approx(value)


@pytest.mark.parametrize(
    ("given", "wanted", "value"),
    [
        ([BOX], [BOX], 1.0),
        ([OTHER, BOX], [BOX, OTHER], 1.0),
        ([BOX, OTHER], [BOX], 0.5),  # a guess too many
        ([BOX], [BOX, OTHER], 0.5),  # one was missed
        ([BOX, BOX], [BOX], 0.5),  # said twice
        ([BOX] * 4, [BOX], 0.25),
    ],
)
def test_several_boxes(given, wanted, value):
    assert matched(given, wanted) == pytest.approx(value)


def answered(*texts):
    return [f"<think>[10, 20, 30, 40]</think><answer>{text}</answer>" for text in texts]


def test_the_reward():
    texts = answered("[10,20,30,40]", "[10,20,30,60]", "no idea", "[0,0,1,1]", "x", "[5,5,6,6]")
    answer = [[10, 20, 30, 40]] * 4 + [None, "a dog"]
    assert iou([""] * 6, texts, answer) == pytest.approx([1, 0.5, 0, 0, None, None])
    assert iou([""] * 6, texts, answer, threshold=0.5) == [1, 1, 0, 0, None, None]
    assert iou([""] * 6, texts, answer, threshold=0.6) == [1, 0, 0, 0, None, None]


def test_a_size_instead_of_a_corner():
    assert iou([""], answered("[10,20,30,40]"), [[10, 20, 20, 20]], target="xywh") == [1]


def test_one_of_several_boxes_that_people_drew():
    people = {"any_of": ["[0, 0, 1, 1]", "[10, 20, 30, 40]"]}
    assert iou([""], answered("[10,20,30,40]"), [people]) == [1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": "cxcywh"}, r"iou\.target: 'cxcywh' is not one of \['xyxy', 'xywh'\]"),
        ({"threshold": 1.5}, r"iou\.threshold: 1\.5, allowed is more than 0"),
        ({"limit": 3}, "limit"),
    ],
)
def test_arguments_that_cannot_work(arguments, message):
    with pytest.raises(UserError, match=message):
        load_rewards([{"name": "iou", **arguments}])
