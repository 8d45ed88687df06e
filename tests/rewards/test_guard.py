"""Whatever a reward function does ends in a reward, a counted loss, or one line with its row."""

import asyncio
import collections
import dataclasses
import logging
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from noisygrpo.rewards.guard import Guard, RewardError, guarded
from noisygrpo.rewards.outcome import UNSCORABLE

ROWS = ["row-0", "row-1", "row-2", "row-3"]


def given():
    return {
        "prompts": [[{"role": "user", "content": "?"}]] * 4,
        "completions": [[{"role": "assistant", "content": text}] for text in "abcd"],
        "completion_ids": [[1, 2], [3], [4], [5]],
        "example_id": list(ROWS),
        "rollout_index": [0, 1, 0, 1],
        "trainer_state": SimpleNamespace(global_step=6),
        "log_extra": lambda *values: pytest.fail("while a row is looked for nothing is logged"),
    }


def ask(function, limit=5.0, **more):
    return Guard(function, "mine", **more).ask(given(), limit)


def fails(function, **more):
    with pytest.raises(RewardError) as found:
        ask(function, **more)
    assert "\n" not in str(found.value)
    return str(found.value)


@pytest.mark.parametrize(
    "values",
    [
        [0, 1.0, True, None],
        (0.0, 1, 1, None),
        np.array([0.0, 1.0, 1.0, 1.0]),
        torch.tensor([0, 1, 1, 1]),
        [torch.tensor(0.0), np.float32(1), np.int64(1), np.True_],
        iter([0, 1, 1, 1]),
    ],
)
def test_numbers_in_any_list(values):
    found = ask(lambda **columns: values)
    assert found[:3] == [0.0, 1.0, 1.0] and found[3] in (1.0, None)
    assert all(type(value) is float for value in found[:3])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (None, "rows? 'row-0' .*: returned a NoneType for 4 completions"),
        (1.0, "returned a float for 4"),
        ("1111", "returned a str for 4"),
        ({"a": 1}, "returned a dict for 4"),
        ({1, 2, 3, 4}, "returned a set for 4"),
        ([1, 2, 3], r"'row-0' \(rollout 0\) to 'row-3' \(rollout 1\): returned 3 values for 4"),
        ([1] * 5, "returned 5 values for 4"),
        (np.zeros((4, 2)), r"row 'row-0' \(rollout 0\): returned \[0.0, 0.0\], expected a number"),
        (torch.tensor(1.0), "returned a Tensor for 4"),
        ([1, 2, "3", 4], r"step 7, row 'row-2' \(rollout 0\): returned '3', expected a number"),
        ([1, 2, 3, 1j], r"row 'row-3' \(rollout 1\): returned 1j, expected"),
        ([1, [2], 3, 4], r"row 'row-1' \(rollout 1\): returned \[2\], expected"),
        ([1, 2, np.str_("3"), 4], "'row-2'.*expected a number"),
    ],
)
def test_what_is_no_list_of_numbers_is_named_with_its_row(values, said):
    import re

    line = fails(lambda **columns: values)
    assert line.startswith("reward 'mine', step 7, row ")
    assert re.search(said, line), line


@pytest.mark.parametrize(
    "odd", [float("nan"), float("inf"), -float("inf"), 10**400, np.nan, 1e39, -1e300]
)
def test_what_is_no_finite_number_is_counted_with_one_line(caplog, odd):
    with caplog.at_level(logging.WARNING):
        found = ask(lambda **columns: [1, odd, 0, odd])
    assert [repr(value) for value in found] == ["1.0", "UNSCORABLE", "0.0", "UNSCORABLE"]
    (record,) = caplog.records
    assert "'mine', step 7, row 'row-1' (rollout 1): returned " in record.getMessage()
    assert "for 2 of 4 completions, counted as unscorable" in record.getMessage()


def test_unscorable_and_none_are_no_accidents(caplog):
    found = ask(lambda **columns: [UNSCORABLE, None, np.float64(UNSCORABLE), 1])
    assert [repr(value) for value in found] == ["UNSCORABLE", "None", "UNSCORABLE", "1.0"]
    assert not caplog.records


def raises_at_c(completions, **columns):
    return [{"a": 1, "b": 2, "d": 3}[turns[0]["content"]] for turns in completions]


def test_the_row_at_which_it_raises_is_found():
    line = fails(raises_at_c)
    assert line.startswith("reward 'mine', step 7, row 'row-2' (rollout 0): raises KeyError: 'c' (")
    assert "test_guard.py:" in line


def test_what_raises_for_every_row_blames_none():
    def broken(**columns):
        raise ValueError("two\nlines")

    line = fails(broken)
    assert "row 'row-0' (rollout 0) to 'row-3' (rollout 1): raises ValueError: two lines" in line


def test_what_hangs_and_what_exits():
    assert "is not done after reward_time_limit 0.2 s" in fails(
        lambda **columns: time.sleep(60), limit=0.2
    )
    assert "asks the process to exit: exit(0)" in fails(lambda **columns: sys.exit(0))
    assert "asks the process to exit: exit(0)" in fails(
        lambda **columns: (sys.exit(0) for _ in range(4))
    )


def test_on_error_skip_counts_the_batch_as_lost(caplog):
    for function in (raises_at_c, lambda **columns: sys.exit(0), lambda **columns: [1]):
        found = ask(function, skip=True)
        assert [repr(value) for value in found] == ["UNSCORABLE"] * 4
    assert [record.getMessage().count("on_error: skip") for record in caplog.records] == [1] * 3


def test_what_it_changes_in_its_lists_is_its_own():
    def rude(prompts, completions, completion_ids, example_id, **columns):
        completions[0][0]["content"] = "edited"
        completions.pop()
        prompts[0][0]["content"] = "edited"
        completion_ids[0].clear()
        example_id[0] = "edited"
        return [1.0] * 4

    columns = given()
    assert Guard(rude, "rude").ask(columns) == [1.0] * 4
    fresh = given()
    for name in ("prompts", "completions", "completion_ids", "example_id"):
        assert columns[name] == fresh[name], name


async def endless(**columns):
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0.3)  # it takes its time to be cancelled, and nobody waits


async def exits(**columns):
    sys.exit(0)


async def fine(completions, **columns):
    await asyncio.sleep(0)
    return [1.0] * len(completions)


@pytest.mark.parametrize(
    ("function", "said"),
    [(endless, "is not done after reward_time_limit 0.2 s"), (exits, "asks the process to exit")],
)
def test_async_functions_too(function, said):
    async def both():
        other = asyncio.ensure_future(Guard(fine, "fine").ask_async(given(), 5.0))
        with pytest.raises(RewardError, match=said):
            await Guard(function, "mine").ask_async(given(), 0.2)
        return await other

    assert asyncio.run(both()) == [1.0] * 4


def test_objects_are_functions():
    class Judge:
        async def __call__(self, completions, **columns):
            return [0.5] * len(completions)

    function = guarded(Guard(Judge(), "judge"))
    assert function.__name__ == "judge" and asyncio.iscoroutinefunction(function)
    assert asyncio.run(function(**given())) == [0.5] * 4


def test_what_it_changes_in_place_is_its_own():
    """Pictures, arrays, tensors, sets and objects too, at any depth, and for the next function."""

    @dataclasses.dataclass
    class Note:
        words: list

    def rude(images, sizes, scores, kinds, notes, counts, **columns):
        for row in images:
            row[0].paste("black", (0, 0, 4, 4))
            row[0].thumbnail((2, 2))
        for row in range(4):
            sizes[row]["array"][:] = 0
            scores[row].zero_()
            kinds[row].clear()
            notes[row].words.append("edited")
            counts[row]["x"] += 1
        return [1.0] * 4

    picture = Image.new("RGB", (4, 4), "white")
    columns = {
        **given(),
        "images": [[picture], [picture], [Image.new("L", (4, 4), 9)], [picture]],
        "sizes": [{"array": np.arange(3)} for _ in range(4)],
        "scores": [torch.ones(2, requires_grad=True) for _ in range(4)],
        "kinds": [{"a"} for _ in range(4)],
        "notes": [Note([]) for _ in range(4)],
        "counts": [collections.Counter(x=1) for _ in range(4)],
    }
    assert Guard(rude, "rude").ask(columns) == [1.0] * 4
    assert columns["images"][0][0] is columns["images"][1][0] is picture
    assert picture.size == (4, 4) and picture.getpixel((0, 0)) == (255, 255, 255)
    assert columns["images"][2][0].getpixel((3, 3)) == 9
    assert [row["array"].tolist() for row in columns["sizes"]] == [[0, 1, 2]] * 4
    assert [row.tolist() for row in columns["scores"]] == [[1.0, 1.0]] * 4
    assert columns["kinds"] == [{"a"}] * 4
    assert columns["notes"] == [Note([])] * 4
    assert columns["counts"] == [{"x": 1}] * 4


def test_a_picture_is_copied_once_and_says_where_it_is_from(tmp_path):
    Image.new("RGB", (4, 4), "white").save(tmp_path / "row.png")
    picture, seen = Image.open(tmp_path / "row.png"), []

    def looks(images, **columns):
        seen.extend(images)
        return [1.0] * 4

    Guard(looks, "looks").ask({**given(), "images": [picture] * 4})
    assert len({id(one) for one in seen}) == 1 and seen[0] is not picture
    assert seen[0].filename == str(tmp_path / "row.png") and seen[0].format == "PNG"


def test_what_cannot_be_copied_and_what_is_the_trainers_is_given_as_it_is():
    lock, state, model = threading.Lock(), SimpleNamespace(global_step=6), SimpleNamespace()
    columns = {**given(), "trainer_state": state, "locks": [lock] * 4}

    def takes(trainer_state, locks, judge, **columns):
        return [float(trainer_state is state and locks[0] is lock and judge is model)] * 4

    assert Guard(takes, "takes", {"judge": model}).ask(columns) == [1.0] * 4
