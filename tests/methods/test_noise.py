import math

import numpy as np
import pytest
from PIL import Image

from noisygrpo.methods.noise import (
    NOISE_KINDS,
    SHARED,
    address,
    alpha_bar,
    diffuse,
    fit_pixels,
    noise_index,
    noise_seed,
    perturb,
    to_bytes,
)

GOLDEN_ENTROPY = 169659406440506580191423673961815109757

# Step, alpha_bar, signal, noise: the published schedule, computed from the released formula.
SCHEDULE = [
    (0, 0.999978, 0.99999, 0.00473),
    (100, 0.996589, 0.99829, 0.05841),
    (200, 0.987795, 0.99388, 0.11048),
    (300, 0.962329, 0.98098, 0.19409),
    (400, 0.892760, 0.94486, 0.32748),
    (450, 0.829441, 0.91074, 0.41299),
    (500, 0.744799, 0.86302, 0.50517),
    (550, 0.644497, 0.80281, 0.59624),
    (600, 0.539118, 0.73425, 0.67888),
    (700, 0.351266, 0.59268, 0.80544),
    (900, 0.133143, 0.36489, 0.93105),
    (999, 0.081249, 0.28504, 0.95851),
]


def picture(height: int = 40, width: int = 60) -> Image.Image:
    values = np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def plain(colour: int, size: int = 64) -> Image.Image:
    return Image.new("RGB", (size, size), (colour, colour, colour))


@pytest.mark.parametrize(("step", "power", "signal", "noise"), SCHEDULE)
def test_schedule_is_the_published_one(step, power, signal, noise):
    value = alpha_bar()[step]
    assert value == pytest.approx(power, abs=5e-7)
    assert np.sqrt(value) == pytest.approx(signal, abs=5e-6)
    assert np.sqrt(1 - value) == pytest.approx(noise, abs=5e-6)


def test_schedule_cannot_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        alpha_bar()[0] = 0.0


@pytest.mark.parametrize(
    ("level", "index"), [(0, 0), (0.3, 300), (0.29, 290), (0.9, 900), (0.4499, 450), (1.0, 999)]
)
def test_level_to_step(level, index):
    assert noise_index(level) == index


@pytest.mark.parametrize("kind", NOISE_KINDS)
def test_level_zero_is_the_same_object(kind):
    image = picture()
    assert perturb(image, 0.0, 1, kind) is image
    assert perturb(image, 0.0004, 1, kind) is image  # step 0 of the schedule counts as clean
    grey = Image.new("L", (5, 5))
    assert perturb(grey, 0, 1, kind) is grey


def test_gaussian_has_the_schedules_mean_and_spread():
    pixels = np.full((400, 400, 3), 0.5, dtype=np.float32)
    noisy = diffuse(pixels, 300, np.random.default_rng(0))
    assert noisy.dtype == np.float32
    assert noisy.mean() == pytest.approx(0.5 * 0.98098, abs=2e-3)
    assert noisy.std() == pytest.approx(0.19409, abs=2e-3)
    seen = np.asarray(perturb(Image.new("RGB", (400, 400), (128, 128, 128)), 0.3, 0)) / 255
    assert seen.mean() == pytest.approx(128 / 255 * 0.98098, abs=3e-3)
    assert seen.std() == pytest.approx(0.19409, abs=5e-3)


def test_gaussian_noise_is_independent_between_pixels_and_channels():
    noise = np.asarray(perturb(plain(128, 300), 0.3, 11), dtype=np.float64)
    noise -= noise.mean()
    for axis, count in ((0, 1), (1, 1), (2, 1), (2, 2)):
        correlation = (noise * np.roll(noise, count, axis)).mean() / noise.var()
        assert abs(correlation) < 0.02, (axis, count)  # 1 / 520 is its standard error


@pytest.mark.parametrize("wrap", [False, True])
def test_a_noisy_picture_is_diffused_in_its_range_and_made_bytes(wrap):
    image = picture()
    pixels = np.asarray(image, dtype=np.float32) / 255
    noisy = to_bytes(diffuse(pixels, 300, np.random.default_rng(5)), wrap=wrap)
    assert np.array_equal(np.asarray(perturb(image, 0.3, 5, wrap=wrap)), noisy)


def test_bytes_are_clamped_and_rounded():
    pixels = np.array([[[-0.5, 0.0, 0.4999], [0.5, 1.0, 3.0]]], dtype=np.float32)
    assert to_bytes(pixels).tolist() == [[[0, 0, 127], [128, 255, 255]]]
    assert to_bytes(pixels).dtype == to_bytes(pixels, wrap=True).dtype == np.uint8


@pytest.mark.parametrize("level", [0.05, 0.3])
def test_white_stays_bright_and_black_dark(level):
    assert np.asarray(perturb(plain(255), level, 3)).min() > 10
    assert np.asarray(perturb(plain(0), level, 3)).max() < 245


@pytest.mark.parametrize(
    ("colour", "index", "share"),
    [(1.0, 0, 0.20), (0.0, 0, 0.20), (1.0, 300, 0.45), (0.0, 300, 0.49)],
)
def test_wrap_reproduces_the_released_defect(colour, index, share):
    pixels = np.full((256, 256, 3), colour, dtype=np.float32)
    noisy = diffuse(pixels, index, np.random.default_rng(1))
    wrapped = to_bytes(noisy, wrap=True).astype(int)
    changed = np.abs(wrapped - noisy * 255) > 128
    assert changed.mean() == pytest.approx(share, abs=0.02)


def test_wrap_leaves_values_inside_the_range_alone():
    values = np.arange(256, dtype=np.float32)[None, :, None].repeat(3, 2) / np.float32(255)
    inside = to_bytes(values + np.float32(1e-4), wrap=True)
    assert inside[0, :-1, 0].tolist() == list(range(255))


def test_random_mask_gives_a_share_of_pixels_the_mean_colour():
    image = picture(50, 40)
    before, after = np.asarray(image), np.asarray(perturb(image, 0.3, 5, "random_mask"))
    mean = np.rint(before.mean((0, 1))).astype(np.uint8)
    changed = (before != after).any(-1)
    assert changed.sum() == 600
    assert (after[changed] == mean).all()


@pytest.mark.parametrize(("height", "width"), [(64, 64), (67, 61), (9, 5)])
def test_patch_mask_covers_whole_cells_up_to_the_edges(height, width):
    image = picture(height, width)
    before, after = np.asarray(image), np.asarray(perturb(image, 1.0, 5, "patch_mask"))
    assert (after == np.rint(before.mean((0, 1))).astype(np.uint8)).all()
    half = np.asarray(perturb(picture(64, 64), 0.5, 5, "patch_mask"))
    cells = (half != np.asarray(picture(64, 64))).any(-1).reshape(8, 8, 8, 8).any((1, 3))
    assert cells.sum() == 32


@pytest.mark.parametrize("kind", ["random_mask", "patch_mask"])
def test_masks_take_the_colour_of_the_whole_picture(kind):
    """Whatever is masked of a picture of two halves, it gets the mean of both."""
    image = Image.new("RGB", (64, 64), (250, 100, 0))
    image.paste((10, 0, 50), (0, 0, 64, 32))
    for seed in range(5):
        before, after = np.asarray(image), np.asarray(perturb(image, 0.2, seed, kind))
        changed = after[(before != after).any(-1)]
        assert len(changed) and (changed == (130, 50, 25)).all()


def test_rotation_turns_both_ways_and_evenly():
    """A bright spot right of the middle shows by how much the picture was turned."""
    image = Image.new("RGB", (81, 81))
    image.paste((255, 255, 255), (68, 38, 73, 43))
    angles = []
    for seed in range(1000, 1300):
        spot = np.asarray(perturb(image, 0.25, seed, "rotation"), dtype=np.float64)[..., 0]
        height, width = spot.shape
        up = ((height - 1) / 2 - np.arange(height)) @ spot.sum(1)
        right = (np.arange(width) - (width - 1) / 2) @ spot.sum(0)
        angles.append(math.degrees(math.atan2(up, right)))
    assert -45.5 < min(angles) < -43 and 43 < max(angles) < 45.5
    assert np.mean(angles) == pytest.approx(0, abs=4.5)  # three standard errors
    assert np.std(angles) == pytest.approx(45 / math.sqrt(3), abs=3)


def test_rotation_grows_the_canvas_and_keeps_every_pixel():
    turned = np.asarray(perturb(Image.new("RGB", (60, 30), (255, 255, 255)), 0.25, 4, "rotation"))
    assert turned.shape[0] > 30
    assert (turned.astype(float).sum() / 255 / 3) == pytest.approx(1800, rel=0.02)
    angles = [perturb(plain(9, 40), 0.01, seed, "rotation").size for seed in range(20)]
    assert max(max(size) for size in angles) <= 43  # 1.8 degrees at most


def test_rotation_blends_neighbouring_pixels():
    stripes = Image.fromarray(
        np.repeat(np.arange(40, dtype=np.uint8) % 2 * 255, 40).reshape(40, 40)
    )
    values = np.unique(np.asarray(perturb(stripes, 0.25, 4, "rotation")))
    assert len(values) > 20  # not black and white alone


def test_crop_fill_reaches_every_place_and_stays_inside():
    places = set()
    for seed in range(200):
        black = np.asarray(perturb(plain(255, 4), 0.5, seed, "crop_fill")).sum(-1) == 0
        assert black.sum() == 4
        places.add(tuple(np.argwhere(black)[0].tolist()))
    assert places == {(top, left) for top in range(3) for left in range(3)}


def test_crop_fill_blackens_one_rectangle():
    white = Image.new("RGB", (60, 40), (255, 255, 255))
    black = np.asarray(perturb(white, 0.5, 6, "crop_fill")).sum(-1) == 0
    rows, columns = np.flatnonzero(black.any(1)), np.flatnonzero(black.any(0))
    assert (len(rows), len(columns), black.sum()) == (20, 30, 600)
    assert rows[-1] - rows[0] == 19 and columns[-1] - columns[0] == 29
    whole = np.asarray(perturb(white, 1.0, 6, "crop_fill"))
    assert whole.max() == 0


DRAW_NOTHING = {"blur", "jpeg", "contrast", "brightness", "pixelate"}


@pytest.mark.parametrize("kind", NOISE_KINDS)
def test_noise_is_a_function_of_its_address(kind):
    image = picture()
    before = image.tobytes()
    state = np.random.get_state()[1].copy()

    def seen(*where):
        noisy = perturb(image, 0.5, noise_seed(*where), kind)
        return noisy.size, noisy.tobytes()

    addresses = [
        (1, 2, "row-3", 4),
        (2, 2, "row-3", 4),
        (1, 3, "row-3", 4),
        (1, 2, "row-4", 4),
        (1, 2, "row-3", 5),
        (1, 2, "row-3", SHARED),
        (1, 2, "row-3", 4, 1),
    ]
    first = [seen(*where) for where in addresses]
    assert [seen(*where) for where in reversed(addresses)] == first[::-1]
    assert len(set(first)) == (1 if kind in DRAW_NOTHING else len(addresses))
    assert image.tobytes() == before
    assert (np.random.get_state()[1] == state).all()


def test_addresses_do_not_run_together():
    seeds = {
        tuple(noise_seed(*where).generate_state(4))
        for where in [(1, 12, "a", 0), (11, 2, "a", 0), (1, 1, "2a", 0), (1, 12, "a", 0, 1)]
    }
    assert len(seeds) == 4
    # The value itself is fixed: a run resumed by a later release must draw the same noise.
    assert noise_seed(42, 7, "nlvr-dev-3", 5).entropy == GOLDEN_ENTROPY


def test_any_text_is_an_address():
    texts = ("", "row", "Größe 漢字", "half a pair: \ud800", "long" * 1000)
    assert len({noise_seed(1, 2, text, 3).entropy for text in texts}) == len(texts)
    purposes = ("noise", "level", "a purpose of more than sixteen letters")
    assert len({address(purpose, 1, 2, "row", 3).entropy for purpose in purposes}) == 3


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "P", "1"])
def test_other_modes_become_rgb(mode):
    noisy = perturb(picture().convert(mode), 0.5, 0)
    assert noisy.mode == "RGB" and noisy.size == (60, 40)


@pytest.mark.parametrize("kind", NOISE_KINDS)
def test_one_pixel(kind):
    assert perturb(Image.new("RGB", (1, 1)), 1.0, 0, kind).mode == "RGB"


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match=r"noise level 1.5 is outside \[0, 1\]"):
        perturb(picture(), 1.5, 0)
    with pytest.raises(ValueError, match="outside"):
        perturb(picture(), float("nan"), 0)
    with pytest.raises(ValueError, match="'fog' is not one of gaussian, random_mask"):
        perturb(picture(), 0.5, 0, "fog")
    with pytest.raises(ValueError, match="wrap=True"):
        perturb(picture(), 0.5, 0, "rotation", wrap=True)


@pytest.mark.parametrize(
    ("size", "fitted"),
    [  # NoisyRollout's release, executed with its limits
        ((150, 110), (597, 438)),
        ((300, 250), (560, 467)),
        ((450, 350), (580, 451)),
        ((1600, 1200), (1154, 866)),
        ((3000, 2000), (1224, 816)),
        ((4000, 10), (10240, 25)),
        ((9, 7), (580, 451)),
    ],
)
def test_a_picture_out_of_the_limits_is_sized_as_released(size, fitted):
    image = picture(size[1], size[0])
    seen = fit_pixels(image, 262_144, 1_000_000)
    assert seen.size == fitted
    assert seen.tobytes() == image.resize(fitted, Image.Resampling.BICUBIC).tobytes()


@pytest.mark.parametrize(("low", "high"), [(1, 10_000), (2400, 2400), (2400, 9999), (1, 2400)])
def test_a_picture_within_the_limits_is_the_same_object(low, high):
    image = picture(40, 60)
    assert fit_pixels(image, low, high) is image


def test_no_side_is_lost_to_a_limit():
    assert fit_pixels(Image.new("RGB", (1000, 1)), 1, 100).size == (316, 1)
    # Rounding down falls below an exact limit, so the release enlarges once more.
    assert fit_pixels(Image.new("RGB", (30, 20)), 100, 100).size == (12, 8)


@pytest.mark.parametrize(("level", "index"), [(0.5779, 577), (0.0009, 0), (0.3, 300), (1.0, 999)])
def test_released_index_is_cut(level, index):
    assert noise_index(level, truncate=True) == index
    image = picture()
    wanted = image if index == 0 else perturb(image, index / 1000, 4)
    assert perturb(image, level, 4, truncate=True).tobytes() == wanted.tobytes()


def test_released_noise_at_index_zero():
    image = plain(128, 200)
    apart = np.asarray(perturb(image, 0.0, 4, zero=True), dtype=float) - 128
    assert apart.std() == pytest.approx(0.00473 * 255, rel=0.05)
    white = np.asarray(perturb(plain(255, 200), 0.0, 4, wrap=True, zero=True))
    assert (white < 10).mean() == pytest.approx(0.20, abs=0.01)  # B2 of the release


@pytest.mark.parametrize("defect", ["wrap", "truncate", "zero"])
def test_defects_belong_to_gaussian_noise(defect):
    with pytest.raises(ValueError, match=f"{defect}=True reproduces a defect of 'gaussian'"):
        perturb(picture(), 0.5, 0, "rotation", **{defect: True})


def test_black_patches_are_whole_squares_of_14_pixels():
    image = Image.new("RGB", (100, 60), (200, 100, 50))
    pixels = np.asarray(perturb(image, 0.6, 5, "black_patches"))
    black = (pixels == 0).all(-1)
    assert ((pixels == (200, 100, 50)).all(-1) | black).all()
    squares = [
        black[top : top + 14, left : left + 14]
        for top in range(0, 60, 14)
        for left in range(0, 100, 14)
    ]
    assert len(squares) == 40 and all(one.all() or not one.any() for one in squares)
    assert 14 <= sum(bool(one.all()) for one in squares) <= 34  # 24 of 40 on average
    assert (np.asarray(perturb(image, 1.0, 5, "black_patches")) == 0).all()
    again = np.asarray(perturb(image, 0.6, 5, "black_patches"))
    other = np.asarray(perturb(image, 0.6, 6, "black_patches"))
    assert (pixels == again).all() and not (pixels == other).all()
