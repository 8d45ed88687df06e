"""One rollout: what it sees is a function of its address, and what it tells of itself."""

from dataclasses import replace

import numpy as np
import pytest

from noisygrpo.methods.noise import noise_seed, perturb
from noisygrpo.methods.views import View
from noisygrpo.training.rollout import Hint, Rollout, row_images
from tiny import tiny_image

HERE = Rollout({"example_id": 7}, 3, View(0.6), 5, 2, "gaussian")


def pixels(rollout, *images):
    return [np.asarray(image).tobytes() for image in rollout.see(images or [tiny_image(0)])]


def test_it_sees_the_noise_of_its_address():
    image = tiny_image(0)
    wanted = [perturb(image, 0.6, noise_seed(5, 2, "7", 3, number)) for number in (0, 1)]
    assert pixels(HERE, image, image) == [np.asarray(one).tobytes() for one in wanted]
    assert HERE.seeds(2) == [f"{noise_seed(5, 2, '7', 3, number).entropy:x}" for number in (0, 1)]


@pytest.mark.parametrize(
    "change",
    [
        {"row": {"example_id": 8}},
        {"index": 2},
        {"view": View(0.5)},
        {"view": View(0.6, shared_noise=True)},
        {"seed": 6},
        {"step": 3},
        {"kind": "patch_mask"},
    ],
)
def test_every_part_of_the_address_counts(change):
    assert pixels(replace(HERE, **change)) != pixels(HERE)


@pytest.mark.parametrize("change", [{"hint": Hint(1, 0.5, "h")}, {"advantage": 1.0}])
def test_what_becomes_of_it_does_not(change):
    assert pixels(replace(HERE, **change)) == pixels(HERE)


def test_shared_noise_is_one_draw_for_the_group():
    shared = [replace(HERE, index=n, view=View(0.6, shared_noise=True)) for n in range(2)]
    assert pixels(shared[0]) == pixels(shared[1]) and shared[0].seeds(1) == shared[1].seeds(1)


def test_at_level_zero_it_sees_the_very_objects():
    clean, image = replace(HERE, view=View()), tiny_image(0)
    assert clean.see([image])[0] is image and clean.seeds(1) == [] and not clean.noisy


def test_columns_tell_reward_functions_what_it_saw_and_began_from():
    columns = replace(HERE, hint=Hint(1, 0.5, "h", (8,))).columns()
    assert columns == {
        "noise_level": 0.6,
        "hint_ratio": 0.5,
        "hint_level": 1,
        "hint": "h",
        "rollout_index": 3,
    }
    assert HERE.reward_row({"example_id": 7, "more": 1}) == {
        **HERE.columns(),
        "example_id": 7,
        "more": 1,
    }
    assert replace(HERE, derived_id="x").reward_row({})["example_id"] == "x"


@pytest.mark.parametrize("row", [{}, {"images": None}, {"images": []}, {"image": None}])
def test_a_row_may_have_no_image(row):
    assert row_images(row) == []


@pytest.mark.parametrize(
    "row", [{"image": 1}, {"images": [1]}, {"images": None, "image": 1}, {"images": [], "image": 1}]
)
def test_images_of_a_row(row):
    assert row_images(row) == [1] and row_images({**row, "images": [1, 2]}) == [1, 2]
