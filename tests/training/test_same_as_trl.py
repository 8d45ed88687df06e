"""With clean views the trainer is ``trl.GRPOTrainer``, bit for bit."""

import pytest
import torch
from transformers import Qwen2_5_VLForConditionalGeneration
from trl import GRPOConfig, GRPOTrainer

from noisygrpo.models.vision import vision_token_ids
from noisygrpo.training.config import AS_TRL, NoisyGRPOConfig
from tiny import tiny_qwen25vl, tiny_rows, tiny_saved, tiny_settings
from tiny_trainer import build_trainer


class Rewards:
    """Two rewards that depend on the text only, remembering every completion."""

    def __init__(self):
        self.seen = []

    def parity(self, completions, **columns):
        texts = [completion[0]["content"] for completion in completions]
        self.seen += texts
        return [float(sum(map(ord, text)) % 2) for text in texts]

    def fraction(self, completions, **columns):
        return [sum(map(ord, completion[0]["content"])) % 7 / 7 for completion in completions]


def outcome(trainer, rewards):
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    norms = [entry["grad_norm"] for entry in trainer.state.log_history if "loss" in entry]
    return losses, norms, rewards.seen, dict(trainer.model.named_parameters())


def model_and_processor(folder):
    _, processor = tiny_qwen25vl()
    return Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, dtype="float32"), processor


CASES = {
    "grpo": {},
    "level 0 in a grid": {"view_plan": "grid", "noise_levels": [0.0, 0.0], "max_steps": 2},
    "noisyrollout without noise": {"method": "noisyrollout", "noise_levels": [0.0]},
    "hint_grpo with one level": {"method": "hint_grpo", "hint_levels": 1},
    "vppo without its view": {
        "method": "vppo",
        "second_view": "none",
        "sampled_entropy": 0.0,
        "max_steps": 2,
    },
    "papo without its view": {"method": "papo", "second_view": "none", "max_steps": 2},
    "papo_exact without its view": {"method": "papo_exact", "second_view": "none", "max_steps": 2},
    "vision_matters without noise": {
        "method": "vision_matters",
        "noise_levels": [0.0],
        "max_steps": 2,
    },
    "reuse, KL, accumulation": {
        "num_iterations": 2,
        "beta": 0.04,
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 4,
        "max_steps": 3,
    },
}


@pytest.mark.parametrize("case", CASES)
def test_clean_run_is_trl_bit_for_bit(tmp_path, case):
    ours = {"method", "view_plan", "noise_levels", "hint_levels", "second_view", "sampled_entropy"}
    changes = {"max_steps": 5, **CASES[case]}
    folder, processor = tiny_saved()
    banned = vision_token_ids(
        Qwen2_5_VLForConditionalGeneration.from_pretrained(folder).config.to_dict(),
        processor.tokenizer,
    )
    rows = tiny_rows(12, images=(1, 2))

    model, processor = model_and_processor(folder)
    rewards = Rewards()
    settings = {key: value for key, value in changes.items() if key not in ours}
    plain = GRPOTrainer(
        model=model,
        processing_class=processor,
        reward_funcs=[rewards.parity, rewards.fraction],
        args=GRPOConfig(
            **tiny_settings(tmp_path / "trl", **settings),
            generation_kwargs={"suppress_tokens": banned},
        ),
        train_dataset=rows,
    )
    expected = outcome(plain, rewards)

    model, processor = model_and_processor(folder)
    rewards = Rewards()
    config = NoisyGRPOConfig(**tiny_settings(tmp_path / "ours", **changes), **AS_TRL)
    trainer = build_trainer(model, processor, config, rows, [rewards.parity, rewards.fraction])
    losses, norms, completions, parameters = outcome(trainer, rewards)

    assert losses == expected[0] and any(losses)
    assert norms == expected[1]
    assert completions == expected[2] and len(set(completions)) > 4
    assert parameters.keys() == expected[3].keys()
    for name, value in parameters.items():
        assert torch.equal(value, expected[3][name]), name


def test_constant_group_gets_exactly_zero_where_trl_does_not(tmp_path):
    """The mean of six 0.9s in float32 is not 0.9; TRL's advantages are then not 0."""
    model, processor = tiny_qwen25vl()
    settings = tiny_settings(
        tmp_path, per_device_train_batch_size=12, num_generations=6, max_steps=1, beta=0.0
    )

    def constant(completions, **columns):
        return [0.9] * len(completions)

    trainer = build_trainer(model, processor, NoisyGRPOConfig(**settings), tiny_rows(4), [constant])
    before = {name: value.clone() for name, value in model.named_parameters()}
    trainer.train()
    assert all(torch.equal(value, before[name]) for name, value in model.named_parameters())
    assert list(trainer._logs["advantages"]) == [0.0] * 12
    entry = trainer.state.log_history[0]
    assert entry["advantage/zero_groups"] == 1.0 and entry["loss"] == 0.0
