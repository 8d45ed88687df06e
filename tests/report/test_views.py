"""A view drawn again from its record is what the rollout was sampled on, to the byte."""

import json

import numpy as np
import pytest
from PIL import Image, ImageOps

from noisygrpo.errors import UserError
from noisygrpo.methods.noise import NOISE_KINDS, fit_pixels
from noisygrpo.report.views import redraw, redraw_all
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.records.recorder import noise_of
from noisygrpo.training.records.rollouts import record
from noisygrpo.training.views.plan import plan_batch


def picture(width=60, height=40, mode="RGB", seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def as_written(rollout, config):
    """The rollout's line, through JSON."""
    return json.loads(json.dumps(record(rollout, {1}, noise=noise_of(config))))


@pytest.mark.parametrize("kind", [*NOISE_KINDS, {"name": "gaussian", "wrap": True}])
@pytest.mark.parametrize("plan", ["grid", "uniform", "split"])
def test_a_redrawn_view_is_the_sampled_one(kind, plan, tmp_path):
    levels = {"grid": [0.0, 0.25, 0.5, 1.0], "uniform": [0.1, 0.9], "split": [0.7]}[plan]
    config = NoisyGRPOConfig(
        output_dir=str(tmp_path), view_plan=plan, noise_levels=levels, noise_kind=kind, seed=3,
        num_generations=4, use_cpu=True, bf16=False,
    )  # fmt: skip
    images = [picture(), picture(33, 70, "L", 1), picture(20, 20, "RGBA", 2)]
    row = {"prompt": "?", "images": images, "example_id": "a\u2028b \u0645"}
    for rollout in plan_batch(config, [row] * 4, first=0, group=4, step=17):
        line = as_written(rollout, config)
        seen = rollout.see(images)
        again = redraw_all(line, images)
        assert [view.mode for view in again] == [view.mode for view in seen]
        assert [view.tobytes() for view in again] == [view.tobytes() for view in seen]
        assert rollout.noisy or again[1] is images[1]


def test_records_of_before_kinds_were_named_take_the_kind_that_is_given():
    line = {"noise_level": 0.5, "noise_seed": ["ff"]}
    image = picture()
    assert redraw(line, image).tobytes() == redraw(line, image, kind="gaussian").tobytes()
    assert redraw(line, image, kind="crop_fill").tobytes() != redraw(line, image).tobytes()
    named = line | {"noise_kind": "crop_fill"}
    assert redraw(named, image).tobytes() == redraw(line, image, kind="crop_fill").tobytes()


@pytest.mark.parametrize(
    ("change", "number", "said"),
    [
        ({"noise_seed": []}, 0, "noise_seed"),
        ({"noise_seed": None}, 0, "noise_seed"),
        ({}, 1, "image 1"),
        ({"noise_seed": ["xyz"]}, 0, "hexadecimal"),
        ({"noise_seed": [5]}, 0, "hexadecimal"),
        ({"noise_seed": ["-1"]}, 0, "noise_seed"),
        ({"noise_kind": "../evil.py:run"}, 0, "is code"),
        ({"noise_kind": "sepia"}, 0, "sepia"),
        ({"noise_level": 1.5}, 0, "1.5"),
        ({"noise_level": "high"}, 0, "noise_level"),
        ({"noise_level": -0.1}, 0, "-0.1"),
    ],
)
def test_a_record_that_cannot_be_drawn_says_what_is_wrong(change, number, said):
    line = {"step": 2, "example_id": "row-7", "noise_level": 0.5, "noise_seed": ["ff"]} | change
    with pytest.raises(UserError, match=said) as error:
        redraw(line, picture(), number)
    assert "row-7" in str(error.value)


def test_a_noise_of_ones_own_is_run_only_where_that_is_allowed(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "from PIL import ImageOps\n\ndef upside(image, level, strength=1):\n"
        "    return ImageOps.flip(image) if strength > 1 else image\n"
    )
    monkeypatch.chdir(tmp_path)
    line = {"noise_level": 0.5, "noise_seed": ["ff"], "noise_kind": "mine.py:upside"}
    line |= {"noise_knobs": {"strength": 2}, "example_id": "row-7", "step": 1}
    with pytest.raises(UserError, match=r"row-7.*is code"):
        redraw(line, picture())
    assert redraw(line, picture(), own_code=True).tobytes() == ImageOps.flip(picture()).tobytes()


@pytest.mark.parametrize(
    "released", [["wrap"], ["truncated_index"], ["noisy_zero"], ["wrap", "noisy_zero"]]
)
def test_views_with_defects_of_the_releases(released, tmp_path):
    config = NoisyGRPOConfig(
        output_dir=str(tmp_path), view_plan="grid", noise_levels=[0.0, 0.2505, 0.9, 1.0],
        released=released, num_generations=4, use_cpu=True, bf16=False,
    )  # fmt: skip
    row = {"prompt": "?", "images": [picture()], "example_id": "a"}
    for rollout in plan_batch(config, [row] * 4, first=0, group=4, step=2):
        again = redraw_all(as_written(rollout, config), row["images"])
        assert [view.tobytes() for view in again] == [
            v.tobytes() for v in rollout.see(row["images"])
        ]


def test_noise_in_the_models_pixels(tmp_path):
    large, small = picture(300, 200), picture(9, 7)
    row = {"prompt": "?", "images": [large, small], "example_id": "a"}
    config = NoisyGRPOConfig(
        output_dir=str(tmp_path), method="noisyrollout", num_generations=2, use_cpu=True, bf16=False
    )
    (rollout,) = plan_batch(config, [row] * 2, first=0, group=2, step=2)[1:]
    fitted = [fit_pixels(image, 28 * 28, 100 * 100) for image in row["images"]]
    assert fitted[0].size != large.size and fitted[1].size != small.size
    rollout.sizes = [image.size for image in fitted]
    again = redraw_all(as_written(rollout, config), row["images"])
    assert [view.tobytes() for view in again] == [v.tobytes() for v in rollout.see(fitted)]
