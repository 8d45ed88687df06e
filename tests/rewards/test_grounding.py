"""Boxes: what is read as one, and what it is worth."""

import contextlib
import importlib
import random

import pytest
from PIL import Image

from noisygrpo.errors import UserError
from noisygrpo.rewards import is_correct, load_rewards
from noisygrpo.rewards.frames import MAX_PIXELS, MIN_PIXELS, resized
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
        ({"frame": "pixels", "target_frame": "unit"}, r"iou\.frame: 'pixels' is not one of"),
        ({"frame": "resized"}, "go together"),
        ({"min_pixels": 9, "max_pixels": 4}, "min_pixels 9 is not between 1 and 4"),
    ],
)
def test_arguments_that_cannot_work(arguments, message):
    with pytest.raises(UserError, match=message):
        load_rewards([{"name": "iou", **arguments}])


def picture(width, height):
    return [Image.new("RGB", (width, height))]


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ("picture", "[100, 50, 300, 150]"),
        ("thousandths", "[250, 250, 750, 750]"),
        ("unit", "[0.25, 0.25, 0.75, 0.75]"),
        ("resized", "[98, 49, 294, 147]"),  # 400 x 200 is seen as 392 x 196
    ],
)
def test_the_models_frame(frame, said):
    """A row in pixels of its picture meets the model's box in the frame that it writes."""
    arguments = {"frame": frame, "target_frame": "picture", "images": [picture(400, 200)]}
    assert iou([""], answered(said), [[100, 50, 300, 150]], **arguments) == pytest.approx([1])


def test_frames_from_each_to_each():
    written = {
        "picture": [100, 50, 300, 150],
        "thousandths": [250, 250, 750, 750],
        "unit": [0.25, 0.25, 0.75, 0.75],
        "resized": [98, 49, 294, 147],
    }
    for start, row in written.items():
        for end, said in written.items():
            columns = {"images": [picture(400, 200)], "frame": end, "target_frame": start}
            assert iou([""], answered(str(said)), [row], **columns) == pytest.approx([1])


def test_the_limits_of_the_processor_count():
    columns = {"images": [picture(800, 400)], "frame": "resized", "target_frame": "picture"}
    said, row = answered("[0, 0, 196, 98]"), [[0, 0, 400, 200]]
    seen = iou([""], said, row, **columns, min_pixels=3136, max_pixels=80_000)
    assert seen == pytest.approx([1])  # 392 x 196
    assert iou([""], said, row, **columns)[0] < 0.3


def test_each_row_has_its_own_picture_and_references():
    columns = {"frame": "thousandths", "target_frame": "picture"}
    columns["images"] = [picture(100, 100), picture(200, 400)]
    people = {"any_of": ["[0, 0, 10, 10]", "[0, 0, 50, 50]"]}
    said = answered("[0,0,500,500]", "[0,0,500,500]")
    assert iou([""] * 2, said, [people, [0, 0, 100, 200]], **columns) == pytest.approx([1, 1])


@pytest.mark.parametrize("pictures", [[], picture(9, 9) * 2])
def test_a_frame_that_needs_one_picture(pictures):
    with pytest.raises(UserError, match=f"need one picture, the row has {len(pictures)}"):
        iou(
            [""],
            answered("[0,0,1,1]"),
            [[0, 0, 1, 1]],
            images=[pictures],
            frame="unit",
            target_frame="picture",
        )


def _sizing():
    """The module with Qwen's sizes; of two names, one needs torchvision."""
    for name in ("image_processing_qwen2_vl", "image_processing_pil_qwen2_vl"):
        with contextlib.suppress(ImportError):
            return importlib.import_module(f"transformers.models.qwen2_vl.{name}")
    pytest.skip("Transformers has no module with Qwen's sizes that can be imported")


def test_sizes_are_those_of_the_processor():
    """Those that Transformers' processor of Qwen2.5-VL resizes to."""
    module = _sizing()
    draw = random.Random(0)
    for low, high in ((MIN_PIXELS, MAX_PIXELS), (3136, 100_000), (262_144, 1_000_000)):
        for _ in range(300):
            width, height = draw.randint(10, 3000), draw.randint(28, 1500)
            if max(width, height) / min(width, height) > 100:
                continue
            tall, wide = module.smart_resize(
                height, width, factor=28, min_pixels=low, max_pixels=high
            )
            assert resized(width, height, low, high) == (wide, tall)


@pytest.mark.parametrize(
    ("said", "right", "why"),
    [
        ("[10, 20, 30, 40]", True, "IoU 1.00"),
        ('{"bbox_2d": [10, 20, 30, 50], "label": "dog"}', True, "IoU 0.67"),
        ("(10,20),(30,60)", True, "IoU 0.50"),
        ("[10, 20, 30, 61]", False, "IoU 0.49"),
        ("[10, 20, 30, 40], [1, 2, 3, 4], [5, 6, 7, 8]", False, "IoU 0.33"),
        ("the dog", False, "no box in the answer"),
    ],
)
def test_the_kind_box_is_right_at_half(said, right, why):
    assert is_correct(said, "[10, 20, 30, 40]", "box") == (right, why)


def test_a_kind_that_does_not_fit_its_target():
    assert is_correct("red", "red", "box").correct
    assert is_correct("B", "B", "box", "Which?\nA. 1\nB. 2").correct


@pytest.mark.parametrize(
    ("said", "target", "question", "right"),
    [
        ('{"bbox_2d": [1, 2, 3, 4]}', "[1, 2, 3, 4]", "", True),
        ("(1,2),(3,4)", "[1, 2, 3, 4]", "Locate the dog.", True),
        ("(1,2),(3,4)", "[1, 2, 3, 4]", "Which points are on the line?", False),
        ('{"bbox_2d": [1, 2, 3, 5]}', "[1, 2, 3, 4]", "", False),
        ('{"bbox_2d": [3, 4, 1, 2]}', "[1, 2, 3, 4]", "", False),
    ],
)
def test_without_a_kind_boxes_are_equal_numbers(said, target, question, right):
    assert is_correct(said, target, question=question).correct is right
