"""Rows of TRL's batch, with and without images, scored by TRL's own function."""

import json

import pytest
import torch
from peft import LoraConfig

from noisygrpo.training.prefix.rows import score_batch
from tiny import tiny_rows
from tiny_adapter import LORA
from tiny_trainer import make


def test_the_reference_is_the_model_with_its_adapter_disabled(tmp_path):
    lora = LoraConfig(**LORA, init_lora_weights=False, task_type="CAUSAL_LM")
    trainer = make(tmp_path, lora=lora, beta=0.04, max_steps=1)
    assert trainer.ref_model is None
    batch = trainer._generate_and_score_completions([tiny_rows(1)[0]] * 8)
    with trainer.model.disable_adapter(), torch.no_grad():
        expected = score_batch(trainer, batch)
    mask = batch["completion_mask"].bool()
    assert torch.equal(batch["ref_per_token_logps"][mask], expected[mask])
    with torch.no_grad():
        adapted = score_batch(trainer, batch)
    assert (adapted - expected)[mask].abs().max() > 1e-4


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("batch", [1, 8])
def test_text_only_rows_and_several_images_together(tmp_path, batch):
    changes = {"per_device_train_batch_size": batch, "gradient_accumulation_steps": 8 // batch}
    rows = tiny_rows(6, images=(0, 1, 2))
    trainer = make(tmp_path, rows, method="noisygrpo", max_steps=3, beta=0.0, **changes)
    trainer.train()
    levels = {}
    for record in lines(tmp_path / "rollouts.jsonl"):
        images = int(record["example_id"].split("-")[1]) % 3
        levels.setdefault(images, set()).add(record["noise_level"])
        assert len(record["noise_seed"]) == (images if record["noise_level"] else 0)
    assert levels == {0: {0.0}, 1: {0.0, 0.3, 0.6, 0.9}, 2: {0.0, 0.3, 0.6, 0.9}}


def test_micro_batches_give_the_parameters_of_one_batch(tmp_path):
    results = []
    for batch in (8, 2):
        trainer = make(
            tmp_path / str(batch),
            method="noisygrpo",
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=8 // batch,
        )
        trainer.train()
        results.append(dict(trainer.model.named_parameters()))
    for name, value in results[0].items():
        assert torch.allclose(value, results[1][name], atol=1e-5), name
