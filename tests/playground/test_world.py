"""The playground's world: determinism, geometry, and the meaning of its questions."""

import re
from collections import Counter

import numpy as np
import pytest

from noisygrpo.errors import UserError
from noisygrpo.playground import PROMPT, SPLITS, make_example, make_split
from noisygrpo.playground.language import Comparison, Filter
from noisygrpo.playground.scene import COLOURS, Item, Scene, render, sample_scene
from noisygrpo.playground.splits import PRIORS, answer_type, prior_answer, sample_task


@pytest.mark.parametrize("split", SPLITS)
def test_an_example_is_a_pure_function_of_split_seed_and_index(split):
    once, again, other = (
        make_example(split, 7, 3),
        make_example(split, 7, 3),
        make_example(split, 8, 3),
    )
    pixels = np.asarray(once.pop("images")[0])
    assert np.array_equal(pixels, np.asarray(again.pop("images")[0]))
    other.pop("images")
    assert once == again != other


def test_a_split_is_in_the_example_format_and_does_not_depend_on_its_length():
    long, short = make_split("test", 5), make_split("test", 2)
    assert long[:2]["question"] == short["question"]
    row = long[0]
    assert row["prompt"] == [{"role": "user", "content": PROMPT.format(question=row["question"])}]
    assert row["images"][0].size == (400, 100) and row["images"][0].mode == "RGB"
    assert row["example_id"] == row["cluster"] == "test-0-0"


def test_splits_do_not_share_examples_but_corrupt_asks_the_questions_of_test():
    train = {make_example("train", i)["question"] + str(i) for i in range(30)}
    test = [make_example("test", i) for i in range(30)]
    corrupt = [make_example("corrupt", i) for i in range(30)]
    assert not train >= {e["question"] + str(i) for i, e in enumerate(test)}
    for one, two in zip(test, corrupt, strict=True):
        assert (one["question"], one["answer"]) == (two["question"], two["answer"])
        assert not np.array_equal(np.asarray(one["images"][0]), np.asarray(two["images"][0]))


def test_more_is_crowded():
    scenes = [sample_scene(np.random.default_rng(i), crowded=True) for i in range(20)]
    for scene in scenes:
        for number, box in enumerate(scene.boxes):
            assert len(scene.stacks(number)) == 2 if scene.stacked else len(box) >= 5


def test_the_prior_split_reverses_the_priors():
    def shares(split):
        answers = [sample_task(np.random.default_rng([9, i]), split)[1].answer for i in range(600)]
        truth = Counter(a for a in answers if answer_type(a) == "truth")
        number = Counter(a for a in answers if answer_type(a) == "number")
        return truth["true"] / truth.total(), number["1"] / number.total()

    train, prior = shares("train"), shares("prior")
    assert train[0] > 0.5 > prior[0]
    assert train[1] > 0.25 > prior[1]


def test_absent_has_only_answers_that_deny():
    answers = Counter(make_example("absent", i)["answer"] for i in range(60))
    assert set(answers) == {"false", "0", "none"}


@pytest.mark.parametrize("kind", PRIORS)
def test_prior_quantiles_follow_the_table(kind):
    table = PRIORS[kind]
    assert sum(weight for _, weight in table) == pytest.approx(1)
    assert prior_answer(kind, 0.0) == table[0][0]
    assert prior_answer(kind, 0.9999) == table[-1][0]
    assert prior_answer(kind, table[-1][1] / 2, reverse=True) == table[0][0]


def test_reasoning_ends_in_the_answer_where_it_counts():
    for index in range(80):
        example = make_example("train", index)
        found = re.search(r"(\d+) in all", example["reasoning"])
        if example["question"].startswith("How many") and found:
            assert found.group(1) == example["answer"], example


def test_every_box_that_is_listed_gets_its_verdict():
    for index in range(40):
        reasoning = make_example("train", index)["reasoning"]
        boxes = re.findall(r"Step \d: (left|middle|right) \S.*? gives \S", reasoning)
        assert boxes in (["left"], ["middle"], ["right"], ["left", "middle", "right"]), reasoning


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


def test_filters_count_what_they_name():
    box = (_item(), _item(x=51, shape="square"), _item(x=0, y=0, colour="blue"))
    assert Filter(colour="black").count(box) == 2
    assert Filter(colour="black", beside=Filter(shape="square")).count(box) == 1
    assert Filter(edge=True).count(box) == 1
    assert Filter(edge=False, shape="circle").count(box) == 1
    assert Filter(size="big").count(box) == 0


@pytest.mark.parametrize(
    ("name", "n", "true_for"),
    [("exactly", 2, {2}), ("at least", 2, {2, 3}), ("at most", 1, {0, 1})],
)
def test_comparisons(name, n, true_for):
    assert {v for v in range(4) if Comparison(name, n).holds(v)} == true_for


def test_the_picture_shows_the_items_in_their_boxes():
    scene = Scene(((_item(shape="square", size="big", colour="yellow"),), (), ()), stacked=False)
    image = render(scene)
    assert image.getpixel((55, 55)) == COLOURS["yellow"]
    assert image.getpixel((205, 55)) == (211, 211, 211)
    assert image.getpixel((125, 50)) == (128, 128, 128)


def test_wrong_requests_say_what_is_allowed():
    with pytest.raises(UserError, match=r"'nope' is not a split.*absent"):
        make_split("nope", 3)
    with pytest.raises(UserError, match="1 or more"):
        make_split("test", 0)
