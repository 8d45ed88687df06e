"""What the tests with vLLM share: trainers of the playground's model, measures of batches."""

import json
from pathlib import Path

import torch
from trl.generation.vllm_generation import VLLMGeneration

from noisygrpo.models.loading import load_model
from noisygrpo.models.spec import ModelSpec
from noisygrpo.playground import load_processor, make_split, model_path
from noisygrpo.rewards import load_rewards
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.prefix.rows import score_batch
from tiny_trainer import build_trainer, keep_batch

CLOSE = 1e-3
"""Mean difference of log-probs per token that the rounding of float32 explains."""


def trainer_of(folder, tmp_path, rows=4, **changes):
    """Return a trainer; a change to None takes back what is set here."""
    model = load_model(ModelSpec(folder), train=True)
    settings = {
        "output_dir": str(tmp_path),
        "method": "noisygrpo",
        "noise_levels": [0.0, 0.1, 0.2, 0.3],
        "per_device_train_batch_size": 8,
        "num_generations": 4,
        "max_completion_length": 48,
        "max_steps": 2,
        "learning_rate": 1e-3,
        "optim": "sgd",
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "bf16": False,
        "gradient_checkpointing": False,
        "use_cpu": True,
        "use_vllm": True,
        "vllm_mode": "colocate",
        "log_view_ratio": True,
        "generation_kwargs": {"seed": 1},  # else what is sampled, and so rounding, is another thing
    }
    settings = {key: value for key, value in (settings | changes).items() if value is not None}
    if settings.get("vllm_mode") == "colocate":  # a server was told when it was started
        settings["vllm_max_model_length"] = 1024
    config = NoisyGRPOConfig(**settings)
    rewards, weights = load_rewards([{"name": "accuracy"}, {"name": "format"}])
    processor = load_processor(model_path())
    trainer = build_trainer(model, processor, config, make_split("train", rows), rewards, weights)
    return keep_batch(trainer)


def plant(monkeypatch, fault, at):
    """Let TRL's generate for vLLM get other pictures, from its call number ``at`` on.

    ``fault`` takes rows of images and returns others.
    """
    original, calls = VLLMGeneration.generate, []

    def planted(engine, prompts, images, **kwargs):
        calls.append(None)
        return original(engine, prompts, fault(images) if len(calls) >= at else images, **kwargs)

    monkeypatch.setattr(VLLMGeneration, "generate", planted)


def dropped(rows):
    return [None, *rows[1:]]


def swapped(rows):
    """The first group's pictures for the second group, and the other way round."""
    half = len(rows) // 2
    return [*rows[half:], *rows[:half]]


def resized(rows):
    """The first one half as wide."""
    first = [image.resize((image.width // 2, image.height)) for image in rows[0]]
    return [first, *rows[1:]]


FAULTS = (dropped, swapped, resized)


def forget_nothing(trainer):
    """Send weights as TRL does, which lets vLLM keep pictures; before step 2 the tower changes."""

    def sync():
        if trainer.state.global_step == 1:
            with torch.no_grad():
                for name, value in trainer.model.named_parameters():
                    if "visual" in name:
                        value.mul_(0.8)
        trainer.vllm_generation.sync_weights()

    trainer._engine._sync_weights = sync


def groups_of(trainer):
    """Return a batch: two rows, four times each."""
    return [row for row in trainer.train_dataset.select(range(2)) for _ in range(4)]


def sample(trainer, inputs=None):
    """Return a batch of rollouts as it is trained on; evaluation rollouts are clean."""
    trainer.model.train()
    return trainer._generate_and_score_completions(inputs or groups_of(trainer))


def records(folder):
    return [json.loads(line) for line in (Path(folder) / "rollouts.jsonl").read_text().splitlines()]


def differences(trainer, batch, **fields):
    """Return the mean |log pi_vllm - log pi_trainer| per token of each rollout.

    ``fields``: what the trainer scores instead of the clean images that the batch holds.
    """
    mask = batch["completion_mask"].bool()
    with torch.no_grad():
        ours = score_batch(trainer, {**batch, **fields})
    distances = (ours - batch["sampling_per_token_logps"]).abs().masked_fill(~mask, 0)
    return distances.sum(1) / mask.sum(1)


def clean_difference(trainer, batch):
    """Return the mean difference per token of the clean rollouts."""
    clean = torch.tensor([not rollout.noisy for rollout in trainer.made.rollouts])
    tokens = batch["completion_mask"].sum(1)[clean]
    return ((differences(trainer, batch)[clean] * tokens).sum() / tokens.sum()).item()
