"""What the model is shown."""

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
    with pytest.raises(UserError, match=f"noise {field}"):
        EvaluationView(**{field: value})


def test_a_picture_is_disturbed_within_the_limits():
    image = Image.new("RGB", (20, 30), (10, 20, 30))
    for kind in ("gaussian", "blur"):
        view = EvaluationView(kind, 0.5, limits=(2400, 9600))
        assert view.apply(image, "a").size == (40, 60)
        wanted = EvaluationView(kind, 0.5).apply(image.resize((40, 60)), "a")
        assert view.apply(image, "a").tobytes() == wanted.tobytes()
    assert EvaluationView("gaussian", 0.0, limits=(2400, 9600)).apply(image, "a") is image
