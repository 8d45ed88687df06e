"""A trainer of the tiny model with its two usual rewards, for the tests of training."""

import json
from contextlib import contextmanager
from pathlib import Path

from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.trainer import NoisyGRPOTrainer
from tiny import tiny_qwen25vl, tiny_rows, tiny_settings


def by_index(rollout_index, **columns):
    return [float(index % 2) for index in rollout_index]


def length(completions, **columns):
    return [len(completion[0]["content"]) / 10 for completion in completions]


def make(tmp_path, rows=None, rewards=(by_index,), weights=None, lora=None, **changes):
    model, processor = tiny_qwen25vl()
    config = NoisyGRPOConfig(**tiny_settings(tmp_path, **changes))
    rows = tiny_rows(6) if rows is None else rows
    return keep_batch(build_trainer(model, processor, config, rows, list(rewards), weights, lora))


def build_trainer(model, processor, config, rows, rewards, weights=None, peft_config=None, **more):
    """The trainer of these parts, in the order in which a run makes them."""
    config.reward_weights = config.reward_weights if weights is None else list(weights)
    more |= {"processing_class": processor, "peft_config": peft_config}
    return NoisyGRPOTrainer(model, list(rewards), config, rows, **more)


def keep_batch(trainer):
    """Let the trainer keep its last batch of rollouts, for tests to look at: ``trainer.made``."""
    making = trainer._making

    @contextmanager
    def kept(inputs):
        with making(inputs) as batch:
            trainer.made = batch
            yield batch

    trainer._making = kept
    return trainer


def train_and_see(trainer):
    """Train; return the records of the rollouts, and the pixels sampled first and scored last."""
    sampled, scored = [], []
    generate, score = trainer.model.generate, trainer._scorer.score

    def recorded(**inputs):
        sampled.append(inputs["pixel_values"])
        return generate(**inputs)

    def scoring(*args, **kwargs):
        scored.append(kwargs["pixel_values"])
        return score(*args, **kwargs)

    trainer.model.generate, trainer._scorer.score = recorded, scoring
    trainer.train()
    log = Path(str(trainer.args.output_dir)) / "rollouts.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()], sampled[0], scored[-1]
