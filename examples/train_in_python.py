# /// script
# requires-python = ">=3.11"
# dependencies = ["noisygrpo"]
# [tool.uv.sources]
# noisygrpo = { path = ".." }  # the checkout that this file is in
# ///
"""The same run without a recipe: a trainer like TRL's, here on the built-in model and world.

python examples/train_in_python.py [steps] [folder]
"""

import sys

from noisygrpo import NoisyGRPOConfig, NoisyGRPOTrainer
from noisygrpo.models.loading import load_any_processor, load_model
from noisygrpo.models.spec import ModelSpec
from noisygrpo.playground import make_split
from noisygrpo.rewards import load_rewards


def main(steps: int = 5, folder: str = "runs/python", model: str = "playground") -> None:
    """Train and save."""
    spec = ModelSpec(path=model)
    rewards, weights = load_rewards(["accuracy", {"name": "format", "weight": 0.5}])
    config = NoisyGRPOConfig(
        method="noisygrpo",
        output_dir=folder,
        num_generations=8,
        per_device_train_batch_size=16,
        max_completion_length=128,
        max_steps=steps,
        learning_rate=1e-4,
        bf16=False,
        gradient_checkpointing=False,
        report_to="none",
        reward_weights=weights,
    )
    trainer = NoisyGRPOTrainer(
        load_model(spec, train=True),
        rewards,
        config,
        make_split("train", 500),
        processing_class=load_any_processor(spec),
    )
    trainer.train()
    trainer.save_model(f"{folder}/checkpoint")


if __name__ == "__main__":
    main(*(int(word) if word.isdigit() else word for word in sys.argv[1:3]))  # type: ignore[arg-type]
