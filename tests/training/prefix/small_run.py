"""Six steps of the tiny model on rows with none, one and two images."""

from transformers import Qwen2_5_VLForConditionalGeneration

from noisygrpo.training.config import NoisyGRPOConfig
from tiny import tiny_qwen25vl, tiny_rows, tiny_settings
from tiny_trainer import build_trainer


def reward(completions, rollout_index, **columns):
    texts = [completion[0]["content"] for completion in completions]
    return [
        len(set(text)) / 8 + index / 7 for text, index in zip(texts, rollout_index, strict=True)
    ]


def run(tmp_path, folder, changes, lora=None, **more):
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, dtype="float32")
    _, processor = tiny_qwen25vl()
    nothing = {"shared_prefix": False, "shared_prefill": False}
    settings = {"max_steps": 6, **nothing, **changes, **more}
    config = NoisyGRPOConfig(**tiny_settings(tmp_path, **settings))
    rows = tiny_rows(8, images=(1, 2, 0, 1))
    trainer = build_trainer(model, processor, config, rows, [reward], peft_config=lora)
    trainer.train()
    return trainer
