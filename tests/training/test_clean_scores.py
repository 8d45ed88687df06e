"""Sampling sees the views; everything that scores sees the clean image, whatever the noise is."""

import numpy as np
import pytest
import torch
from peft import LoraConfig
from PIL import Image
from transformers import Qwen2_5_VLForConditionalGeneration
from trl import GRPOTrainer

from noisygrpo.methods.noise import perturb
from noisygrpo.training import rollout
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.pictures.links import LostPicture
from noisygrpo.training.prefix.rows import score_batch
from noisygrpo.training.trainer import NoisyGRPOTrainer
from noisygrpo.training.views.plan import plan_batch
from tiny import tiny_qwen25vl, tiny_rows, tiny_saved, tiny_settings
from tiny_trainer import build_trainer


def reward(completions, rollout_index, **columns):
    return [float(index % 3) for index in rollout_index]


def garbage(image, level, seed, kind="gaussian", wrap=False):
    pixels = np.random.default_rng(seed).integers(0, 256, (*image.size[::-1], 3), dtype=np.uint8)
    return Image.fromarray(pixels) if level else image


class Recorder:
    """Records what sampling and scoring get, and makes sampling the same whatever it is shown."""

    def __init__(self, monkeypatch, fixed_completions=True):
        self.sampled, self.scored = [], []
        original_turn = GRPOTrainer._generate_single_turn
        original_score = NoisyGRPOTrainer._get_per_token_logps_and_entropies

        def turn(trainer, prompt_ids, images, fields, *args, **kwargs):
            self.sampled.append(torch.as_tensor(fields["pixel_values"]))
            if not fixed_completions:
                return original_turn(trainer, prompt_ids, images, fields, *args, **kwargs)
            return [[65 + row, 66, 67 + row % 4, 68] for row in range(len(prompt_ids))], None

        def score(trainer, model, *args, **kwargs):
            result = original_score(trainer, model, *args, **kwargs)
            self.scored.append((kwargs.get("pixel_values"), result[0].detach().clone()))
            return result

        monkeypatch.setattr(GRPOTrainer, "_generate_single_turn", turn)
        monkeypatch.setattr(NoisyGRPOTrainer, "_get_per_token_logps_and_entropies", score)


LORA = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
CASES = {
    "one pass": ({}, None),
    "old, reference, two passes, accumulation": (
        {
            "num_iterations": 2,
            "beta": 0.04,
            "per_device_train_batch_size": 4,
            "gradient_accumulation_steps": 2,
            "max_steps": 4,
        },
        None,
    ),
    "reference by adapter": ({"num_iterations": 2, "beta": 0.04}, LORA),
}


def run(tmp_path, monkeypatch, noise, changes, lora, folder):
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, dtype="float32")
    _, processor = tiny_qwen25vl()
    config = NoisyGRPOConfig(**tiny_settings(tmp_path, method="noisygrpo", **changes))
    with monkeypatch.context() as patch:
        patch.setattr(rollout, "perturb", noise)
        recorder = Recorder(patch)
        rows = tiny_rows(6, images=(1, 2, 0))
        trainer = build_trainer(model, processor, config, rows, [reward], peft_config=lora)
        trainer.train()
    return recorder, trainer


@pytest.mark.parametrize("case", CASES)
def test_swapping_the_noise_for_garbage_changes_no_score(tmp_path, monkeypatch, case):
    changes, lora = CASES[case]
    folder, _ = tiny_saved()
    real, trainer = run(tmp_path / "a", monkeypatch, perturb, changes, lora, folder)
    fake, other = run(tmp_path / "b", monkeypatch, garbage, changes, lora, folder)
    assert any(not torch.equal(a, b) for a, b in zip(real.sampled, fake.sampled, strict=True))
    assert len(real.scored) == len(fake.scored) > 1
    for (pixels, log_probs), (other_pixels, other_log_probs) in zip(
        real.scored, fake.scored, strict=True
    ):
        assert (pixels is None) == (other_pixels is None)
        assert pixels is None or torch.equal(pixels, other_pixels)
        assert torch.equal(log_probs, other_log_probs)
    for (name, value), (_, other_value) in zip(
        trainer.model.named_parameters(), other.model.named_parameters(), strict=True
    ):
        assert torch.equal(value, other_value), name


def test_scores_would_change_with_the_image(tmp_path, monkeypatch):
    """The control: were the view scored instead of the clean image, the test above would fail."""
    folder, _ = tiny_saved()
    real, _ = run(tmp_path / "a", monkeypatch, perturb, {"max_steps": 1}, None, folder)
    leak = NoisyGRPOTrainer._tokenize_prompts

    def leaky(trainer, prompts):
        ids, _, fields = leak(trainer, prompts)
        return ids, [row or [] for row in trainer._batch.shown.images], fields

    monkeypatch.setattr(NoisyGRPOTrainer, "_tokenize_prompts", leaky)
    with pytest.raises(LostPicture, match=r"step 1: row 'row-\d' .*\(in scoring\)"):
        run(tmp_path / "c", monkeypatch, perturb, {"max_steps": 1}, None, folder)
    unseen = {"max_steps": 1, "check_pictures": False}
    fake, _ = run(tmp_path / "b", monkeypatch, perturb, unseen, None, folder)
    assert not torch.equal(real.scored[0][1], fake.scored[0][1])


def test_sampler_gets_each_rollouts_view_and_scorer_the_image(tmp_path, monkeypatch):
    model, processor = tiny_qwen25vl()
    rows = tiny_rows(2)
    settings = tiny_settings(tmp_path, method="noisygrpo", max_steps=1, shuffle_dataset=False)
    config = NoisyGRPOConfig(**settings)
    recorder = Recorder(monkeypatch, fixed_completions=False)
    build_trainer(model, processor, config, rows, [reward]).train()

    def patches(image):
        return processor.image_processor(image, return_tensors="pt")["pixel_values"]

    clean = [patches(row["images"][0]) for row in rows for _ in range(4)]
    views = [
        patches(one.see(row["images"])[0])
        for row in rows
        for one in plan_batch(config, [row] * 4, first=0, group=4, step=1)
    ]
    assert torch.equal(recorder.sampled[0], torch.cat(views))
    scored = recorder.scored[0][0].sort(0).values
    assert torch.equal(scored, torch.cat(clean).sort(0).values)
    assert torch.equal(views[0], clean[0]) and not torch.equal(views[1], clean[1])


def test_evaluation_is_clean(tmp_path, monkeypatch):
    model, processor = tiny_qwen25vl()
    rows = tiny_rows(2)
    config = NoisyGRPOConfig(**tiny_settings(tmp_path, method="noisygrpo"))
    recorder = Recorder(monkeypatch, fixed_completions=False)
    trainer = build_trainer(model, processor, config, rows, [reward], eval_dataset=rows)
    metrics = trainer.evaluate()
    clean = {row["images"][0].tobytes() for row in rows}
    assert len(clean) == 2
    one = processor.image_processor(rows[0]["images"], return_tensors="pt")["pixel_values"]
    other = processor.image_processor(rows[1]["images"], return_tensors="pt")["pixel_values"]
    for pixels in recorder.sampled:
        assert torch.equal(pixels, torch.cat([one] * 4)) or torch.equal(
            pixels, torch.cat([other] * 4)
        )
    assert metrics["eval_reward"] == pytest.approx(0.75)  # rollouts 0..3 give 0, 1, 2, 0


def test_view_of_another_size_is_scored_with_the_prompt_of_the_image(tmp_path, monkeypatch):
    """Rotation grows the canvas, so the sampler has more image tokens than the scorer."""
    model, processor = tiny_qwen25vl()
    settings = tiny_settings(tmp_path, method="noisygrpo", noise_kind="rotation", max_steps=1)
    recorder = Recorder(monkeypatch, fixed_completions=False)
    trainer = build_trainer(model, processor, NoisyGRPOConfig(**settings), tiny_rows(4), [reward])
    trainer.train()
    assert len(recorder.sampled[0]) > len(recorder.scored[0][0]) == 8 * 16
    assert len(trainer.state.log_history) == 2


def test_padded_batch_scores_as_single_rows_do(tmp_path):
    """Rows with 0, 1 and 2 images, left-padded together, get the log-probs they get alone."""
    model, processor = tiny_qwen25vl()
    rows = tiny_rows(3, images=(1, 0, 2))
    settings = tiny_settings(tmp_path, num_generations=2, per_device_train_batch_size=6)
    settings["generation_kwargs"] = {"do_sample": False, "temperature": None}
    config = NoisyGRPOConfig(**settings)
    trainer = build_trainer(model, processor, config, rows, [reward])
    inputs = [row for row in rows for _ in range(2)]
    batch = trainer._generate_and_score_completions(inputs)
    together = score_batch(trainer, batch)
    for number, row in enumerate(inputs):
        alone = trainer._generate_and_score_completions([row, row])
        width = alone["completion_ids"].size(1)
        mask = batch["completion_mask"][number, :width].bool()
        assert torch.equal(
            alone["completion_ids"][0][mask], batch["completion_ids"][number, :width][mask]
        )
        difference = (score_batch(trainer, alone)[0] - together[number, :width])[mask]
        assert difference.abs().max() < 2e-5
