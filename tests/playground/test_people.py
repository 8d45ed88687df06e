"""Statements in people's manner: what the words say is what the label says."""

import re
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from tests.playground import people_readings

from noisygrpo.playground import people
from noisygrpo.playground.language import Task
from noisygrpo.playground.people_words import in_corner, nearly_touches, sides, slip
from noisygrpo.playground.scene import Item, Scene, sample_scene

MAKERS = [
    pytest.param(maker, stacked, id=f"{maker.__name__}-{'stacked' if stacked else 'scattered'}")
    for makers, stacked in ((people.SCATTERED_MAKERS, False), (people.STACKED_MAKERS, True))
    for maker, _ in makers
]


def moved_to_corner(scene: Scene) -> Scene:
    """The scene with the first item of its first box alone in a corner of it."""
    item = scene.boxes[0][0]
    corner = Item(item.shape, item.colour, item.size, 0, 100 - item.side)
    return Scene(((corner,), *scene.boxes[1:]), stacked=False)


def draws(maker, stacked: bool, count: int) -> Iterator[tuple[Scene, Task]]:
    rng = np.random.default_rng(sum(map(ord, maker.__name__)))
    for place in range(count):
        scene = sample_scene(rng, stacked=stacked, crowded=not stacked and place % 3 == 0)
        if not stacked and place % 2:
            scene = moved_to_corner(scene)
        task = maker(scene, rng)
        if task is not None:
            yield scene, task


def test_a_statement_says_its_label() -> None:
    times: Counter[str] = Counter()
    for stacked, patterns in ((False, people_readings.SCATTERED), (True, people_readings.STACKED)):
        makers = people.STACKED_MAKERS if stacked else people.SCATTERED_MAKERS
        for maker, _ in makers:
            for scene, task in draws(maker, stacked, 90):
                boxes = [sorted(box, key=lambda item: -item.y) for box in scene.boxes]
                for pattern in patterns:
                    said = people_readings.read(pattern, task.question, boxes)
                    if said is not None:
                        assert task.answer == str(said).lower(), (task.question, scene)
                        times[pattern[0]] += 1
    unread = {p[0] for p in (*people_readings.SCATTERED, *people_readings.STACKED)} - {
        pattern for pattern, count in times.items() if count >= 2
    }
    assert not unread


@pytest.mark.parametrize(("maker", "stacked"), MAKERS)
def test_both_answers_come_and_the_reasoning_looks_at_every_box(maker, stacked: bool) -> None:
    answers: Counter[str] = Counter()
    for scene, task in draws(maker, stacked, 60):
        answers[task.answer] += 1
        looks = re.findall(r"Step [234]: (left|middle|right) ([^.]+) gives ", task.reasoning)
        assert [box for box, _ in looks] == ["left", "middle", "right"]
        for (_, seen), box in zip(looks, scene.boxes, strict=True):
            assert Counter(re.findall("black|blue|yellow", seen)) == Counter(i.colour for i in box)
    assert set(answers) == {"true", "false"}
    assert min(answers.values()) > 2


@pytest.mark.parametrize(("maker", "stacked"), MAKERS)
def test_two_stacks_a_box_are_told_apart_or_left_alone(maker, stacked: bool) -> None:
    rng = np.random.default_rng(8)
    for _ in range(10 * stacked):
        scene = sample_scene(rng, stacked=True, crowded=True)
        task = maker(scene, rng)
        if task is not None:
            middle = re.search(r"Step 3: middle ([^.]+) gives", task.reasoning)
            assert middle is not None
            assert middle[1] == " and ".join(
                " ".join(block.colour for block in stack) for stack in scene.stacks(1)
            )


def test_a_statement_is_a_function_of_scene_and_random_numbers() -> None:
    scene = sample_scene(np.random.default_rng(4), stacked=False)
    for maker, _ in people.SCATTERED_MAKERS:
        first, again = (maker(scene, np.random.default_rng(5)) for _ in range(2))
        assert first == again


def test_shares_sum_to_one() -> None:
    for makers in (people.SCATTERED_MAKERS, people.STACKED_MAKERS):
        assert sum(share for _, share in makers) == pytest.approx(1)


@pytest.mark.parametrize(
    ("x", "y", "touched", "corner", "near"),
    [
        (40, 40, [], False, False),
        (1, 40, ["left"], False, False),
        (2, 40, [], False, True),
        (5, 40, [], False, True),
        (6, 40, [], False, False),
        (80, 79, ["right", "bottom"], True, False),
        (78, 0, ["top"], False, False),
        (0, 80, ["left", "bottom"], True, False),
        (75, 60, [], False, True),
    ],
)
def test_where_an_item_stands(x: int, y: int, touched: list[str], corner: bool, near: bool) -> None:
    item = Item("circle", "blue", "medium", x, y)
    assert sides(item) == touched
    assert in_corner(item) is corner
    assert nearly_touches(item) is near


def test_a_slip_is_rare_and_small() -> None:
    rng = np.random.default_rng(0)
    statement = "there is at least one yellow circle touching the edge"
    slipped = [s for s in (slip(rng, statement) for _ in range(2000)) if s != statement]
    assert 50 < len(slipped) < 150
    assert all(abs(len(s) - len(statement)) <= 1 for s in slipped)
