"""One group of rollouts, each on its view, generated and scored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from noisygrpo.check.page import beside, heading, shorten
from noisygrpo.check.rewards import Row, score
from noisygrpo.evaluation.generate import Generation, generate_batch
from noisygrpo.models.loading import default_device, load_model
from noisygrpo.models.vision import noise_limits
from noisygrpo.recipes.recipe import Recipe
from noisygrpo.rewards import RewardFunction
from noisygrpo.rewards.references import readable
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.views.plan import plan_batch
from noisygrpo.training.views.show import fit_all


def report_rollout(
    recipe: Recipe,
    config: NoisyGRPOConfig,
    processor: Any,
    rewards: Sequence[RewardFunction],
    row: Row,
) -> None:
    """Generate and print one group: noise level, reward parts and completion of each rollout."""
    model = load_model(recipe.model, train=True, cpu=config.use_cpu)
    if recipe.model.quantization is None:  # quantised weights are where they belong
        model.to(default_device(config.use_cpu))
    group = config.num_generations
    rollouts = plan_batch(config, [row] * group, first=0, group=group, step=1)
    limits = noise_limits(config.noise_at, processor) if config.noisy else None
    (images,) = fit_all([row["images"]], limits) if limits else [row["images"]]
    seen = [
        {**row, "images": item.see(images), "example_id": f"{item.example_id}-{item.index}"}
        for item in rollouts
    ]
    settings = Generation(
        batch_size=group,
        max_new_tokens=config.max_completion_length,
        temperature=config.temperature,
        top_p=config.top_p,
        seed=config.seed,
    )
    completions = generate_batch(model, processor, seen, settings)
    parts = [score(rewards, row, completion.text) for completion in completions]
    lines = [
        [f"{item.view.level:.3g}", *map(number, scores), str(completion.tokens)]
        for item, scores, completion in zip(rollouts, parts, completions, strict=True)
    ]
    header = ["level", *(reward.__name__ for reward in rewards), "tokens"]
    texts = [shorten(completion.text, 90) for completion in completions]
    heading(
        f"one group of rollouts on {row['example_id']} (target {readable(row['answer'])!r})",
        f"question: {shorten(row['question'], 90)}",
        beside(header, lines, "completion", texts),
    )


def number(value: float | None) -> str:
    """A reward with two digits; ``-`` for unscorable."""
    return "-" if value is None else f"{value:.2f}"
