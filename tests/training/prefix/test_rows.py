"""The reference of a LoRA run is the model without its adapter."""

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
