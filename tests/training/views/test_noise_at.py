"""The picture that noise is drawn on: the file's, or the one within the model's pixel limits."""

import numpy as np
import pytest
import torch
from PIL import Image

from noisygrpo.errors import UserError
from noisygrpo.methods.noise import fit_pixels, perturb
from noisygrpo.models.vision import noise_limits
from tiny import tiny_qwen25vl, tiny_rows
from tiny_trainer import make, train_and_see

LIMITS = {"min_pixels": 56 * 56, "max_pixels": 84 * 84}
SIZES = [(30, 40), (200, 150), (70, 80)]  # below, above and within
FITTED = [(48, 64), (96, 72), (70, 80)]


def rows():
    data, draw = tiny_rows(3), np.random.default_rng(3)
    pictures = [draw.integers(0, 256, (height, width, 3), np.uint8) for width, height in SIZES]
    return data.map(
        lambda row, index: {"images": [Image.fromarray(pictures[index])]},
        with_indices=True,
        features=data.features,
    )


@pytest.fixture(scope="module", params=["model", "file", None])
def run(request, tmp_path_factory):
    """One step of NoisyRollout on pictures of three sizes: records, and what each side saw."""
    folder = tmp_path_factory.mktemp("run")
    changes = {"method": "noisyrollout", "noise_decay": "none", "per_device_train_batch_size": 12}
    changes |= {"noise_at": request.param, "log_view_ratio": True, "max_steps": 1, **LIMITS}
    trainer = make(folder, rows(), **changes)
    return trainer, *train_and_see(trainer), request.param or "model"


def pixels(trainer, pictures):
    return trainer.processing_class.image_processor(pictures, return_tensors="pt")["pixel_values"]


def clean_pictures(trainer, records, where):
    found = {row["example_id"]: row["images"][0] for row in trainer.train_dataset}
    low, high = LIMITS.values()
    clean = [found[record["example_id"]] for record in records]
    return clean if where == "file" else [fit_pixels(image, low, high) for image in clean]


def test_log_tells_the_size_that_noise_was_drawn_at(run):
    _, records, _, _, where = run
    sizes = dict(
        zip(["row-0", "row-1", "row-2"], SIZES if where == "file" else FITTED, strict=True)
    )
    assert len(records) == 12
    for record in records:
        noisy = record["noise_level"] > 0
        assert record["noise_size"] == ([list(sizes[record["example_id"]])] if noisy else [])


def test_views_are_drawn_again_from_the_log(run):
    trainer, records, sampled, _, _ = run
    found = {row["example_id"]: row["images"][0] for row in trainer.train_dataset}
    views = []
    for record, clean in zip(records, clean_pictures(trainer, records, run[-1]), strict=True):
        for seed, size in zip(record["noise_seed"], record["noise_size"], strict=True):
            image = found[record["example_id"]]
            image = image if image.size == tuple(size) else image.resize(size)
            clean = perturb(image, record["noise_level"], np.random.SeedSequence(int(seed, 16)))
        views.append(clean)
    assert torch.equal(sampled, pixels(trainer, views))


def test_scores_are_of_the_picture_that_noise_was_drawn_on(run):
    trainer, records, sampled, scored, where = run
    clean = pixels(trainer, clean_pictures(trainer, records, where))
    assert scored.shape == clean.shape == sampled.shape
    assert sorted(scored.sum(1).tolist()) == sorted(clean.sum(1).tolist())  # TRL shuffles rows
    assert not torch.equal(sampled, clean)


def test_a_run_without_noise_leaves_pictures_alone(tmp_path):
    trainer = make(tmp_path, rows(), max_steps=1, **LIMITS)
    trainer.train()
    seen = {image.size for row in trainer.made.shown.images for image in row}
    assert seen <= set(SIZES) and trainer._noise_limits is None


def test_the_processor_says_the_limits():
    _, processor = tiny_qwen25vl()
    assert noise_limits("model", processor) == noise_limits(None, processor) == (784, 12544)
    assert noise_limits("file", processor) is None
    assert noise_limits(None, processor.tokenizer) is None
    with pytest.raises(UserError, match=r"noise_at: 'model' needs a processor with limits"):
        noise_limits("model", processor.tokenizer)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"noise_at": "file"}, "noise_at: 'file' has no effect"),
        ({"noise_at": "processor", "method": "noisygrpo"}, "is not one of model, file"),
    ],
)
def test_settings_that_mean_nothing_are_refused(tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        make(tmp_path, **changes)
