"""What the model is shown."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from noisygrpo.errors import UserError
from noisygrpo.evaluation.view import KINDS, EvaluationView
from tiny import tiny_image


def difference(first, second):
    return np.abs(np.asarray(first, dtype=float) - np.asarray(second, dtype=float)).mean()


@pytest.mark.parametrize("kind", KINDS)
def test_level_zero_is_the_image_and_every_level_is_reproducible(kind):
    image = tiny_image(0, 80, 60)
    assert EvaluationView(kind, 0.0).apply(image, "a") is image
    first, again = (EvaluationView(kind, 0.7).apply(image, "a") for _ in range(2))
    assert first.mode == "RGB"
    assert first.size == again.size
    assert difference(first, again) == 0
    assert first.size != image.size or difference(first, image) > 1  # a rotation grows the image


@pytest.mark.parametrize("kind", ["gaussian", "blur", "jpeg", "contrast", "brightness", "pixelate"])
def test_more_is_more(kind):
    smooth = tiny_image(0, 6, 4).resize((120, 80))
    weak, strong = (EvaluationView(kind, level).apply(smooth, "a") for level in (0.2, 0.9))
    assert difference(weak, smooth) < difference(strong, smooth)


SEEN = {
    "gaussian": "bf0886ab7d0c916c",
    "random_mask": "83a24a3814ed3cd0",
    "patch_mask": "197668576c849b47",
    "rotation": "8f786105f542b66f",
    "crop_fill": "64db9477f1dc6b95",
    "blur": "6f6881bbca806e87",
    "jpeg": "9f3e5703551bd9d8",
    "contrast": "20bfdc92e7048410",
    "brightness": "5a0101163cdf2abd",
    "pixelate": "108ab2d89061b714",
    "occlusion": "073a80f4351a1220",
}
"""Hash of what each kind made of two pictures at four levels before training had these kinds too;
with the versions of Pillow and NumPy in constraints.txt."""


@pytest.mark.parametrize("kind", SEEN)
def test_pictures_are_those_of_earlier_releases(kind):
    rough = tiny_image(5, 80, 60)
    smooth = rough.crop((0, 0, 8, 6)).resize((80, 60))
    digest = hashlib.sha256()
    for picture in (rough, smooth):
        for level in (0.05, 0.2, 0.5, 1.0):
            view = EvaluationView(kind, level, seed=3).apply(picture, "row-1", 1)
            digest.update(repr((view.mode, view.size)).encode() + view.tobytes())
    assert digest.hexdigest()[:16] == SEEN[kind]


def test_ones_own_noise_and_knobs(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "def dark(image, level, *, to=0):\n"
        "    return image.point(lambda value: round(value * (1 - level) + to * level))\n"
        "def wrong(image, level):\n    return image.convert('L')\n"
    )
    image = tiny_image(0)
    view = EvaluationView(f"{file}:dark", 0.5)
    expected = np.rint(np.asarray(image) * 0.5)
    assert difference(view.apply(image, "a"), expected) < 1
    assert EvaluationView(f"{file}:dark", 0.0).apply(image, "a") is image
    assert view.label == "mine-dark" and view.record()["code"].startswith("mine-")
    lighter = EvaluationView(f"{{name: {file}:dark, to: 255}}", 1.0)
    assert np.asarray(lighter.apply(image, "a")).min() == 255
    assert lighter.label == "mine-dark-to-255"
    assert EvaluationView("blur").record() == {
        "kind": "blur", "level": 0.0, "text_only": False, "seed": 0,
    }  # fmt: skip
    for kind, message in [
        (f"{file}:wrong", "mode L; RGB is needed"),
        (f"{file}:gone", "no function 'gone'"),
        ("{name: blur, radius: 3}", "blur has no knob 'radius'; it takes none"),
        ("{name: distractor, folder: nowhere}", "holds no picture"),
    ]:
        with pytest.raises(UserError, match=message):
            EvaluationView(kind, 0.5)


def test_randomness_is_addressed_by_row_and_image():
    image = tiny_image(0)
    views = [
        EvaluationView("gaussian", 0.5).apply(image, row, n)
        for row, n in [("a", 0), ("a", 1), ("b", 0)]
    ]
    views.append(EvaluationView("gaussian", 0.5, seed=1).apply(image, "a", 0))
    assert len({view.tobytes() for view in views}) == 4


@pytest.mark.parametrize(("field", "value"), [("kind", "fog"), ("level", 1.5), ("level", -0.1)])
def test_wrong_views(field, value):
    with pytest.raises(UserError, match=f"noise.{field}"):
        EvaluationView(**{field: value})


def test_a_picture_is_disturbed_within_the_limits():
    image = Image.new("RGB", (20, 30), (10, 20, 30))
    for kind in ("gaussian", "blur"):
        view = EvaluationView(kind, 0.5, limits=(2400, 9600))
        assert view.apply(image, "a").size == (40, 60)
        wanted = EvaluationView(kind, 0.5).apply(image.resize((40, 60)), "a")
        assert view.apply(image, "a").tobytes() == wanted.tobytes()
    assert EvaluationView("gaussian", 0.0, limits=(2400, 9600)).apply(image, "a") is image
