"""A random LoRA adapter of a tiny model, as a run saves it."""

from pathlib import Path

import torch
from peft import LoraConfig, PeftModel
from transformers import Qwen2_5_VLForConditionalGeneration

from noisygrpo.models.loading import load_any_processor
from noisygrpo.models.spec import ModelSpec

LORA = {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"]}


def inputs():
    ids = torch.arange(40, 60)[None]
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


@torch.no_grad()
def logits(model):
    return model.eval()(**inputs()).logits


def save_adapter(folder: Path, model_folder: str) -> torch.Tensor:
    """Write the adapter; returns the logits of the model with it."""
    base = Qwen2_5_VLForConditionalGeneration.from_pretrained(model_folder, dtype="float32")
    torch.manual_seed(1)
    model = PeftModel(base, LoraConfig(**LORA, init_lora_weights=False, task_type="CAUSAL_LM"))
    model.save_pretrained(folder)
    load_any_processor(ModelSpec(model_folder)).save_pretrained(folder)
    return logits(model)
