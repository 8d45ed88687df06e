"""The clean scoring alone, on a plain trainer of TRL."""

import numpy as np
import pytest
import torch
from PIL import Image
from trl import GRPOConfig, GRPOTrainer

from noisygrpo import SampleOnViews, require_clean_scoring
from noisygrpo.errors import UserError
from noisygrpo.training.trainer import NoisyGRPOTrainer
from tiny import tiny_qwen25vl, tiny_rows, tiny_settings
from tiny_trainer import make


def reward(completions, **columns):
    return [float(place % 2) for place in range(len(completions))]


def negative(images):
    return [Image.eval(image, lambda value: 255 - value) for image in images]


class Mine(SampleOnViews, GRPOTrainer):
    """Every second rollout sees the negative."""

    def see(self, images, row, rollout):
        return negative(images) if rollout % 2 else images


class SwapsRows(GRPOTrainer):
    """What an outsider wrote: sampled and scored on the negative."""

    def _generate_and_score_completions(self, inputs):
        inputs = [{**row, "images": negative(row["images"])} for row in inputs]
        return super()._generate_and_score_completions(inputs)


class SwapsPrompts(GRPOTrainer):
    """The same, one method later."""

    def _tokenize_prompts(self, prompts):
        for prompt in prompts:
            for part in prompt[0]["content"]:
                if part["type"] == "image":
                    part["image"] = negative([part["image"]])[0]
        return super()._tokenize_prompts(prompts)


class Resizes(Mine):
    def see(self, images, row, rollout):
        return [image.resize((28, 28)) for image in images]


class Paints(Mine):
    def see(self, images, row, rollout):
        images[0].paste((0, 0, 0), (0, 0, 9, 9))
        return images


def build(cls, tmp_path, **changes):
    model, processor = tiny_qwen25vl()
    args = GRPOConfig(**tiny_settings(tmp_path, **changes))
    return cls(model, reward, args, tiny_rows(4), processing_class=processor)


def batch():
    return [row for row in tiny_rows(2) for _ in range(4)]


def pixels(trainer, images):
    done = trainer.processing_class.image_processor(images=images, return_tensors="pt")
    return torch.as_tensor(done["pixel_values"])


def test_sampling_sees_the_views_and_scoring_the_pictures(tmp_path):
    trainer, rows, seen = build(Mine, tmp_path), batch(), {}
    generate, score = trainer.model.generate, trainer._get_per_token_logps_and_entropies

    def generating(**inputs):
        seen["sampled"] = inputs["pixel_values"].clone()
        return generate(**inputs)

    def scoring(*args, **kwargs):
        seen["scored"] = kwargs["pixel_values"].clone()
        return score(*args, **kwargs)

    trainer.model.generate = generating
    trainer._get_per_token_logps_and_entropies = scoring
    output = trainer._generate_and_score_completions(rows)
    trainer.current_gradient_accumulation_steps = 1  # as within a run
    trainer.compute_loss(trainer.model, output)
    clean = [row["images"][0] for row in rows]
    views = [negative([image])[0] if place % 2 else image for place, image in enumerate(clean)]
    assert torch.equal(seen["sampled"], pixels(trainer, views))
    assert torch.equal(seen["scored"], pixels(trainer, clean))
    assert torch.equal(output["pixel_values"], pixels(trainer, clean))
    assert not torch.equal(pixels(trainer, views), pixels(trainer, clean))


def test_it_trains_and_evaluation_sees_the_pictures(tmp_path):
    trainer = build(Mine, tmp_path, max_steps=1)
    require_clean_scoring(trainer, batch())
    trainer.train()
    assert trainer.state.global_step == 1
    trainer.see = None  # not asked
    trainer.model.eval()
    trainer._generate_and_score_completions(batch()[:4])


@pytest.mark.parametrize("cls", [SwapsRows, SwapsPrompts])
def test_an_override_that_scores_on_the_views_is_caught(tmp_path, cls):
    with pytest.raises(UserError, match=f"{cls.__name__} scores completions on other pictures"):
        require_clean_scoring(build(cls, tmp_path), batch())


def test_a_trainer_without_views_is_told_so_and_ours_passes(tmp_path):
    with pytest.raises(UserError, match="GRPOTrainer samples every completion on its row's own"):
        require_clean_scoring(build(GRPOTrainer, tmp_path), batch())
    ours = make(tmp_path, method="noisygrpo")
    assert isinstance(ours, NoisyGRPOTrainer)
    require_clean_scoring(ours, batch())


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (
            Resizes,
            r"see: returned pictures of the sizes \[\(28, 28\)\] for those of \[\(56, 56\)\]",
        ),
        (Paints, "see: modifies the pictures that it gets"),
    ],
)
def test_a_wrong_see(tmp_path, cls, message):
    with pytest.raises(UserError, match=message):
        build(cls, tmp_path)._generate_and_score_completions(batch())


def test_rows_without_pictures_and_rollouts_in_order(tmp_path):
    asked = []

    class Counts(Mine):
        def see(self, images, row, rollout):
            asked.append((row["example_id"], rollout, len(images)))
            return images

    trainer = build(Counts, tmp_path)
    rows = [row for row in tiny_rows(2, images=(2, 1)) for _ in range(4)]
    trainer._generate_and_score_completions(rows)
    assert asked == [(f"row-{n}", i, 2 - n) for n in (0, 1) for i in range(4)]
    assert np.asarray(rows[0]["images"][0]).any()
