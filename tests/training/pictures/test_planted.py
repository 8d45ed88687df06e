"""Faults planted between engine and trainer, from the second step on: each stops the run there.

What is planted stands in the place of TRL's or the processor's own code; the checks do not know it.
"""

import pytest
import torch
from trl import GRPOTrainer

from noisygrpo.training.pictures import check
from noisygrpo.training.pictures.links import LostPicture
from noisygrpo.training.prefix.frozen_images import FrozenImages
from tiny import tiny_rows
from tiny_trainer import make

FROM = 2
"""The step from which on the fault is there."""

KEPT = {
    "shared_prefix": True,
    "shared_prefill": True,
    "freeze_vision_tower": True,
    "mismatch_limit": 1e-5,
}
"""Settings under which features are kept, and a limit for a model that hardly looks."""


def images_of(fields):
    grid = torch.as_tensor(fields["image_grid_thw"])
    return list(torch.as_tensor(fields["pixel_values"]).split(grid.prod(-1).tolist())), grid


def with_images(fields, images, grid):
    return {**fields, "pixel_values": torch.cat(images), "image_grid_thw": grid}


def dropped_all(fields):
    return {key: fields[key] for key in fields if key not in ("pixel_values", "image_grid_thw")}


def dropped_one(fields):
    images, grid = images_of(fields)
    return with_images(fields, images[:-1], grid[:-1])


def swapped(fields):
    images, grid = images_of(fields)
    images[0], images[-1] = images[-1], images[0]
    return with_images(fields, images, grid[[len(grid) - 1, *range(1, len(grid) - 1), 0]])


def resized(fields):
    """The first picture with half of its patches, as a smaller one would have."""
    images, grid = images_of(fields)
    grid = grid.clone()
    grid[0, 1] //= 2
    images[0] = images[0][: int(grid[0].prod())]
    return with_images(fields, images, grid)


def brighter(fields):
    images, grid = images_of(fields)
    images[0] = images[0] + 0.01
    return with_images(fields, images, grid)


FAULTS = (dropped_all, dropped_one, swapped, resized, brighter)


def due(trainer):
    return trainer.model.training and trainer.state.global_step + 1 >= FROM


def hand_over(monkeypatch, fault):
    """Between the trainer and the model's generate."""
    turn = GRPOTrainer._generate_single_turn

    def planted(self, ids, images, fields, *more, **kw):
        return turn(self, ids, images, fault(fields) if due(self) else fields, *more, **kw)

    monkeypatch.setattr(GRPOTrainer, "_generate_single_turn", planted)


def draw(monkeypatch, fault):
    """Between the view and the prompt that is sampled from."""
    tokenize = GRPOTrainer._tokenize_prompts

    def planted(self, prompts):
        ids, images, fields = tokenize(self, prompts)
        return ids, images, fault(fields) if due(self) else fields

    monkeypatch.setattr(GRPOTrainer, "_tokenize_prompts", planted)


def score(monkeypatch, fault):
    """Between the clean picture and the batch that is scored."""
    make_batch = GRPOTrainer._generate_and_score_completions

    def planted(self, inputs):
        output = make_batch(self, inputs)
        return fault(output) if due(self) else output

    monkeypatch.setattr(GRPOTrainer, "_generate_and_score_completions", planted)


def train(tmp_path, **changes):
    rows = tiny_rows(4)
    changes = {"noise_levels": [0.0, 0.3], **changes}
    make(tmp_path, rows, max_steps=FROM + 1, method="noisygrpo", **changes).train()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda one: one.__name__)
@pytest.mark.parametrize("plant", [hand_over, score], ids=lambda one: one.__name__)
def test_what_is_not_the_picture_stops_the_step_and_names_the_row(
    tmp_path, monkeypatch, plant, fault
):
    plant(monkeypatch, fault)
    with pytest.raises(LostPicture, match=rf"^step {FROM}: row 'row-\d'"):
        train(tmp_path)


@pytest.mark.parametrize("fault", [swapped, brighter], ids=lambda one: one.__name__)
def test_a_prompt_with_another_picture_is_named(tmp_path, monkeypatch, fault):
    """Where the number of tokens is right, so that nothing else would notice."""
    draw(monkeypatch, fault)
    with pytest.raises(LostPicture, match=rf"^step {FROM}: row 'row-\d'.*in the sampled prompt"):
        train(tmp_path)


@pytest.mark.parametrize("shared_prefix", [False, True])
def test_rows_that_are_shuffled_without_their_pictures(tmp_path, monkeypatch, shared_prefix):
    from noisygrpo.training.prefix import shared

    def planted(parts):
        def split(batch, *sizes):
            made = parts(batch, *sizes)
            if planted.calls == FROM:
                made[0]["pixel_values"] = list(reversed(made[0]["pixel_values"]))
            return made

        return split

    planted.calls = 0
    split = shared.split_tensor_dict

    def counted(batch, steps):
        planted.calls += 1
        return planted(split)(batch, steps)

    monkeypatch.setattr(shared, "split_tensor_dict", counted)
    with pytest.raises(LostPicture, match=rf"^step {FROM}: row 'row-\d' .*the loss was given"):
        train(tmp_path, shared_prefix=shared_prefix)


def test_stale_features_show_in_the_log_probs(tmp_path, monkeypatch):
    """A frozen tower's features are kept for a step; here the first step's serve the next."""

    def find(self, patches, grid):
        return next((outputs for same in self.known.values() for _, outputs in same), None)

    monkeypatch.setattr(check, "EVERY", 1)
    monkeypatch.setattr(FrozenImages, "start", lambda self, room: vars(self).update(room=room))
    monkeypatch.setattr(FrozenImages, "_find", find)
    with pytest.raises(LostPicture, match=rf"^step {FROM}: row 'row-\d': the engine's log-probs"):
        train(tmp_path, **KEPT)


@pytest.mark.parametrize("changes", [{}, KEPT, {"noise_kind": "rotation"}])
def test_without_a_fault_nothing_is_said(tmp_path, monkeypatch, changes):
    monkeypatch.setattr(check, "EVERY", 1)
    train(tmp_path, **changes)


def test_it_can_be_turned_off(tmp_path, monkeypatch):
    hand_over(monkeypatch, swapped)
    train(tmp_path, check_pictures=False)
