"""The statements written by hand: every label is what its predicate says of the scene."""

import json
from collections import Counter

import numpy as np
import pytest

from noisygrpo.data import DataSpec, load_examples
from noisygrpo.playground.scene import Item, Scene, render


def test_labels_equal_their_predicates(scenes, statements):
    drawn = scenes.load()
    wrong = [
        s.statement
        for s in statements.load()
        if statements.evaluate(s.predicate, drawn[s.scene]) != s.label
    ]
    assert wrong == []


def test_two_statements_a_scene_one_true_one_false_none_twice(statements):
    rows = statements.load()
    labels: dict[int, list[bool]] = {}
    for row in rows:
        labels.setdefault(row.scene, []).append(row.label)
    assert sorted(labels) == list(range(100))
    assert all(sorted(pair) == [False, True] for pair in labels.values())
    plain = Counter(row.statement.lower().rstrip(".") for row in rows)
    assert max(plain.values()) == 1


def test_a_predicate_tells_scenes_apart(scenes, statements):
    # a predicate that no scene of its kind denies, or grants, would check nothing
    drawn = scenes.load()
    one_sided = [
        s.statement
        for s in statements.load()
        if all(
            statements.evaluate(s.predicate, scene) == s.label
            for scene in drawn
            if scene.stacked == drawn[s.scene].stacked
        )
    ]
    assert len(one_sided) <= 12, one_sided  # a few ask for so much that one scene alone grants it


def test_half_of_the_scenes_are_towers_and_all_fit_their_boxes(scenes):
    drawn = scenes.load()
    assert [scene.stacked for scene in drawn] == [index % 2 == 1 for index in range(100)]
    for scene in drawn:
        for box in scene.boxes:
            assert box
            for i, item in enumerate(box):
                assert 0 <= item.x <= 100 - item.side
                assert 0 <= item.y <= 100 - item.side
                assert all(item.gap_to(other) >= 1 for other in box[:i])


def test_words_of_an_item(statements):
    corner = Item("circle", "blue", "big", 70, 1)
    assert statements.words_of(corner) == {
        "circle", "blue", "big", "right", "top", "edge", "corner",
    }  # fmt: skip
    assert "inside" in statements.words_of(Item("square", "black", "small", 2, 88))


@pytest.mark.parametrize(
    ("tower", "colours", "value"),
    [
        (["black", "blue"], ("black", "blue"), True),
        (["blue", "black"], ("black", "blue"), False),
        (["black"], ("black", "black"), False),
        (["blue", "black", "black"], ("black", "black"), True),
    ],
)
def test_colours_right_on_each_other(statements, tower, colours, value):
    assert statements.has(tower, *colours) is value


def test_a_predicate_that_is_no_statement_is_refused(statements):
    scene = Scene(((Item("circle", "blue", "big", 70, 1),),) * 3, stacked=False)
    with pytest.raises(TypeError, match="gives 3"):
        statements.evaluate("k(B, 'blue')", scene)


def test_the_file_is_read_as_nlvr(scenes, statements, tmp_path):
    path = tmp_path / "people.parquet"
    assert statements.write(path) == 200
    rows = load_examples(DataSpec(source=str(path), adapter="nlvr"), check_images=True)
    assert len(rows) == 200
    drawn, written = scenes.load(), statements.load()
    for place in (0, 57, 199):
        scene = drawn[written[place].scene]
        row = rows[place]
        assert written[place].statement in row["prompt"][-1]["content"]
        assert row["answer"] == str(written[place].label).lower()
        assert np.array_equal(np.asarray(row["images"][0]), np.asarray(render(scene)))
    assert len(set(rows["cluster"])) == 100  # by scene


def test_scenes_survive_their_description(scenes):
    for scene in scenes.load()[:10]:
        again = scenes.from_json(json.loads(json.dumps(scenes.to_json(scene))))
        assert again == scene
    shuffled = scenes.to_json(scenes.load()[1])
    assert scenes.from_json([box[::-1] for box in shuffled]) == scenes.load()[1]
