"""Pictures, levels, seeds and plans that came as a surprise."""

import numpy as np
import pytest
import torch
from PIL import Image

from noisygrpo.methods.noise import NOISE_KINDS, noise_seed, perturb
from noisygrpo.methods.schedules import noise_scale
from noisygrpo.methods.views import plan_views

GREY = Image.new("RGB", (64, 64), (120, 130, 140))


def mean(image):
    return float(np.asarray(image, dtype=np.float64).mean())


def test_pictures_of_every_mode_are_seen_as_people_see_them():
    deep = np.random.default_rng(0).integers(0, 65536, (64, 64))
    for image, expected in (
        (Image.fromarray(deep.astype(np.uint16)), 127.5),
        (Image.fromarray(deep.astype(np.int32), "I"), 127.5),
        (Image.fromarray(np.full((64, 64), 0.5, np.float32)), 127.5),
        (Image.new("RGBA", (64, 64), (0, 0, 0, 0)), 255),
        (Image.new("LA", (64, 64), (0, 0)), 255),
    ):
        seen = perturb(image, 0.002, 1)
        assert seen.mode == "RGB" and abs(mean(seen) - expected) < 5, image.mode


@pytest.mark.parametrize("kind", sorted(NOISE_KINDS))
def test_levels_of_numpy_and_torch_are_levels(kind):
    expected = perturb(GREY, 0.3, 7, kind).tobytes()
    for level in (np.float64(0.3), np.array(0.3), torch.tensor(0.3, dtype=torch.float64)):
        assert perturb(GREY, level, 7, kind).tobytes() == expected


def test_plans_give_plain_numbers():
    for levels in (np.linspace(0, 0.9, 4), torch.tensor([0.0, 0.25]), list(np.linspace(0, 0.5, 2))):
        views = plan_views("grid", 4, levels=levels)
        assert all(type(view.level) is float for view in views)
    assert type(noise_scale("linear", np.int64(1), 10)) is float
    for levels in (0.3, ["a"], [None]):
        with pytest.raises(ValueError, match="are no list of numbers"):
            plan_views("grid", 4, levels=levels)


@pytest.mark.parametrize("seed", [None, -1, 1.5, "abc", True, np.random.default_rng(0)])
def test_a_seed_says_where_the_numbers_begin(seed):
    with pytest.raises(ValueError, match="expected integers of at least 0"):
        perturb(GREY, 0.5, seed)
    for good in (0, 2**200, (1, 2), noise_seed(0, 1, "a", 2)):
        assert perturb(GREY, 0.5, good).tobytes() == perturb(GREY, 0.5, good).tobytes()


@pytest.mark.parametrize("image", [None, np.zeros((4, 4, 3), np.uint8), "a.png"])
def test_what_is_no_picture_is_refused_at_every_level(image):
    for level in (0, 0.5):
        with pytest.raises(ValueError, match="expected a PIL image"):
            perturb(image, level, 1)


@pytest.mark.parametrize("level", ["0.3", None, float("nan"), 1.1, [0.3]])
def test_what_is_no_level_is_refused(level):
    with pytest.raises(ValueError, match="noise level"):
        perturb(GREY, level, 1)


def test_a_function_of_ones_own():
    def paints(image, level, rng):
        image = image.copy()
        image.paste((255, 0, 0), (0, 0, 8, 8))
        return image

    clean = GREY.copy()
    assert perturb(clean, 0.5, 1, paints).getpixel((0, 0)) == (255, 0, 0)
    assert clean.tobytes() == GREY.tobytes()
    assert perturb(clean, 0.5, 1, lambda image, level, rng: image.convert("L")).mode == "RGB"
    for bad in (lambda *of: None, lambda *of: np.zeros((64, 64, 3))):
        with pytest.raises(ValueError, match="expected a picture"):
            perturb(clean, 0.5, 1, bad)
    for kind in (None, 3, ["gaussian"]):
        with pytest.raises(ValueError, match=r"noise kind .* is not one of"):
            perturb(clean, 0, 1, kind)


def test_a_picture_beyond_jpeg():
    with pytest.raises(ValueError, match="JPEG has sides of at most 65500 pixels"):
        perturb(Image.new("RGB", (70_000, 1)), 0.5, 1, "jpeg")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"total": 2.5}, "total is 2.5"),
        ({"total": float("nan")}, "total is nan"),
        ({"total": float("inf")}, "total is inf"),
        ({"step": float("nan")}, "step is nan"),
        ({"step": "1"}, "step is 1"),
        ({"mid_step": float("nan")}, "mid_step nan must be finite"),
        ({"mid_step": -1e9}, "mid_step -1000000000.0 must be"),
    ],
)
def test_a_schedule_is_never_nan(given, said):
    with pytest.raises(ValueError, match=said):
        noise_scale("sigmoid", **{"step": 1, "total": 10, **given})
