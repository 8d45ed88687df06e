"""What each rollout is shown, and what the log says of it, against ``methods`` and the data.

The pictures are taken where ``generate`` gets them, so nothing here knows how they came there.
"""

import json

import numpy as np
import pytest
import torch

from noisygrpo.methods.noise import SHARED, noise_seed, perturb
from noisygrpo.methods.views import plan_views
from tiny import tiny_rows
from tiny_trainer import make

SEED = 5
IMAGES = (1, 2, 0)
PLANS = {
    "uniform": {"method": "noisygrpo", "view_plan": "uniform", "noise_levels": [0.2, 0.9]},
    "grid": {"method": "noisygrpo"},
    "equal levels": {"view_plan": "grid", "noise_levels": [0.4]},
    "split": {"method": "noisyrollout", "noise_decay": "none"},
    "another kind": {"method": "noisygrpo", "noise_kind": "patch_mask"},
}


@pytest.fixture(scope="module", params=PLANS)
def run(request, tmp_path_factory):
    """Two steps on all of three rows; the trainer, each step's records, and its pixels."""
    folder = tmp_path_factory.mktemp("run")
    changes = {**PLANS[request.param], "per_device_train_batch_size": 12, "seed": SEED}
    trainer = make(folder, tiny_rows(3, IMAGES), max_steps=2, **changes)
    pixels, generate = [], trainer.model.generate

    def record(**inputs):
        pixels.append(inputs["pixel_values"])
        return generate(**inputs)

    trainer.model.generate = record
    trainer.train()
    records = [json.loads(line) for line in (folder / "rollouts.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in records] == [1] * 12 + [2] * 12
    return trainer, (records[:12], records[12:]), pixels


def row_number(record):
    return int(record["example_id"].split("-")[1])


def test_levels_are_the_plans_at_this_seed_step_and_row(run):
    trainer, steps, _ = run
    config = trainer.args
    for record in (record for records in steps for record in records):
        settings = {"levels": config.noise_levels, "clean": config.clean_rollouts, "seed": SEED}
        where = {"step": record["step"], "example_id": record["example_id"]}
        views = plan_views(config.view_plan, 4, **settings, **where)
        blind = IMAGES[row_number(record)] == 0
        expected = 0.0 if blind else views[record["rollout_index"]].level
        assert record["noise_level"] == expected


def test_seeds_are_those_of_the_address(run):
    trainer, steps, _ = run
    shared = trainer.args.view_plan == "split"
    found = set()
    for record in (record for records in steps for record in records):
        where = SEED, record["step"], record["example_id"]
        rollout = SHARED if shared else record["rollout_index"]
        count = IMAGES[row_number(record)] if record["noise_level"] else 0
        seeds = [noise_seed(*where, rollout, number).entropy for number in range(count)]
        assert [int(seed, 16) for seed in record["noise_seed"]] == seeds
        found |= {(*where, rollout, seed) for seed in seeds}
    # One draw a step and image, in each of the rollouts that do not share theirs.
    noisy = {record["rollout_index"] for record in steps[0] if record["noise_level"]}
    assert len({entry[-1] for entry in found}) == 2 * sum(IMAGES) * (1 if shared else len(noisy))


def test_the_sampler_sees_the_pictures_that_the_log_tells_of(run):
    trainer, steps, pixels = run
    data = {row["example_id"]: row for row in tiny_rows(3, IMAGES)}
    assert len(pixels) == len(steps)
    for records, shown in zip(steps, pixels, strict=True):
        pictures = []
        for record in records:
            images = data[record["example_id"]]["images"]
            seeds = record["noise_seed"] or [None] * len(images)  # at level 0 none is used
            for image, seed in zip(images, seeds, strict=True):
                address = np.random.SeedSequence(int(seed, 16)) if seed else 0
                kind = trainer.args.noise_kind
                pictures.append(perturb(image, record["noise_level"], address, kind))
        wanted = trainer.processing_class.image_processor(pictures, return_tensors="pt")
        assert torch.equal(shown, wanted["pixel_values"])
