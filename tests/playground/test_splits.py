"""Splits: determinism, what luck answers, what leaves the training distribution."""

from collections import Counter

import numpy as np
import pytest

from noisygrpo.errors import UserError
from noisygrpo.playground import PROMPT, SPLITS, make_example, make_split
from noisygrpo.playground.questions import answer_type, favoured, names_unseen
from noisygrpo.playground.splits import OF_TEST, draw_row


@pytest.mark.parametrize("split", SPLITS)
def test_an_example_is_a_pure_function_of_split_seed_and_index(split):
    once, again, other = (
        make_example(split, 5, 3),
        make_example(split, 5, 3),
        make_example(split, 6, 3),
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
    assert row["example_id"] == row["cluster"] == "test-0-0" and row["pair"] == ""


@pytest.mark.parametrize("split", OF_TEST)
def test_what_shows_the_rows_of_test_changes_the_picture_or_the_words_alone(split):
    for index in range(16):
        one, two = make_example("test", index), make_example(split, index)
        assert (one["answer"], one["reasoning"]) == (two["answer"], two["reasoning"])
        assert one["pair"].removeprefix("test") == two["pair"].removeprefix(split)
        words = one["question"] == two["question"]
        pixels = np.array_equal(np.asarray(one["images"][0]), np.asarray(two["images"][0]))
        assert (words, pixels) == ((False, True) if split == "wording" else (True, False))


def test_the_best_constant_answers_are_right_on_less_than_15_percent():
    rows = [draw_row("test", index, 0) for index in range(800)]
    by_type: dict[str, Counter] = {}
    for _, task, _ in rows:
        by_type.setdefault(answer_type(task), Counter())[task.answer] += 1
    truth = by_type.pop("truth")
    assert truth["true"] == truth["false"] and truth.total() == len(rows) / 4
    # one constant answer to all statements is right on one of each pair, so on no pair
    best = sum(counts.most_common(1)[0][1] for counts in by_type.values())
    assert best / len(rows) < 0.15
    numbers = by_type["number"]
    assert {str(n) for n in range(9)} <= set(numbers)


def test_words_suggest_the_answer_in_three_of_ten_rows_and_never_in_prior():
    def share(split):
        tasks = [draw_row(split, index, 0)[1] for index in range(320)]
        told = [(t, favoured(t)) for t in tasks if answer_type(t) not in ("truth", "list")]
        return sum(t.answer == f for t, f in told) / len(told)

    assert 0.22 < share("train") < 0.40
    assert share("prior") == 0


@pytest.mark.parametrize("split", ["train", "more", "prior", "combination"])
def test_pairs_ask_the_same_of_two_pictures_one_item_apart(split):
    rows = [draw_row(split, index, 0) for index in range(6, 160, 8)]
    others = [draw_row(split, index, 0) for index in range(7, 160, 8)]
    for (scene, task, pair), (other, again, same) in zip(rows, others, strict=True):
        assert pair == same != "" and task.question == again.question
        assert {task.answer, again.answer} == {"true", "false"}
        changed = [a != b for a, b in zip(scene.boxes, other.boxes, strict=True)]
        assert sum(changed) == 1
        one, two = (set(s.boxes[changed.index(True)]) for s in (scene, other))
        assert len(one - two) <= 1 and len(two - one) <= 1


def test_every_row_of_pairs_has_its_other():
    rows = [make_example("pairs", index) for index in range(40)]
    assert {row["answer"] for row in rows} > {"true", "false"}
    for one, two in zip(rows[::2], rows[1::2], strict=True):
        assert one["pair"] == two["pair"] == one["cluster"] and one["question"] == two["question"]
        assert one["answer"] != two["answer"]


def test_colours_of_shapes_held_out_are_in_combination_and_nowhere_else():
    for split in ("train", "test", "more", "prior", "absent"):
        for index in range(40):
            scene, task, _ = draw_row(split, index, 0)
            assert not names_unseen(task)
            pairs = {(i.shape, i.colour) for box in scene.boxes for i in box}
            assert not pairs & {("circle", "yellow"), ("triangle", "blue")}
    assert all(names_unseen(draw_row("combination", index, 0)[1]) for index in range(40))


def test_absent_has_only_answers_that_deny():
    assert {make_example("absent", i)["answer"] for i in range(40)} == {"0", "none"}


def test_wrong_requests_say_what_is_allowed():
    with pytest.raises(UserError, match=r"'nope' is not a split.*absent"):
        make_split("nope", 3)
    for rows in (0, 99_999_999_999):
        with pytest.raises(UserError, match="allowed: 1 to 1,000,000"):
            make_split("test", rows)
    with pytest.raises(UserError, match=r"data\.seed: -1, allowed is 0 to"):
        make_split("test", 1, -1)
