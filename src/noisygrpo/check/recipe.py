"""``noisygrpo check``: what a recipe will do, looked at on a few rows before it costs anything.

In order, each part needing more than the one before: the recipe and config; the rows, their
targets as the judge parses them, and what each reward gives a right and a wrong answer
(``rewards``); batch arithmetic; image and prompt tokens; hints (``hints``); a memory estimate
(``memory``); one step of training on a small model of the same architecture (``rehearsal``); one
group of rollouts of the real one, each on its view (``rollout``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from noisygrpo.check.activations import patches
from noisygrpo.check.hints import hint_lines
from noisygrpo.check.memory import device_load, memory_lines, memory_share
from noisygrpo.check.model_size import meta_model, model_size
from noisygrpo.check.page import heading
from noisygrpo.check.rehearsal import as_user_error, rehearse
from noisygrpo.check.rewards import Row, report_rewards
from noisygrpo.check.rollout import report_rollout
from noisygrpo.check.views import sizes_of, view_lines
from noisygrpo.errors import require
from noisygrpo.evaluation.generate import build_inputs
from noisygrpo.models.loading import load_config, weights_dtype
from noisygrpo.models.vision import vision_token_ids
from noisygrpo.recipes.recipe import Recipe
from noisygrpo.runs.console import describe
from noisygrpo.runs.levels import with_some_levels
from noisygrpo.runs.prepare import Prepared, prepare
from noisygrpo.runs.train import check_parts
from noisygrpo.runs.trained import require_trained


def check(
    recipe: Recipe,
    *,
    rows: int = 20,
    step: bool = True,
    rollout: bool = True,
    show: Path | None = None,
) -> int:
    """Print the report; returns 0, or 1 where a right answer does not earn more than a wrong one.

    ``show``: a folder for a page of what the rows' rollouts see (``check.show``).

    Raises:
        UserError: anything that would stop the run.
    """
    require(rows > 0, f"--rows: {rows} is not positive")
    prepared = prepare(with_some_levels(recipe), f"runs/{recipe.name}")
    check_parts(prepared)
    config, rewards = prepared.config, prepared.rewards
    examples = [prepared.train[index] for index in range(min(rows, len(prepared.train)))]
    heading("recipe", *describe(prepared))
    trouble = report_rewards(rewards, prepared.weights, examples)
    processor = prepared.processor
    model = load_config(recipe.model)
    prompts = report_tokens(processor, model, examples)
    lengths = prompts.longest, prompts.blind
    sizes = sizes_of(config, model.model_type, prepared.batch.rollouts, *lengths)
    if lines := view_lines(config, sizes):
        heading("views, and what they cost at most", *lines)
    if config.hinted:
        heading("hints", *hint_lines(config, processor.tokenizer, examples))
    report_memory(prepared, prompts)
    if show is not None:
        from noisygrpo.check.show import show_batch

        heading("one batch", f"what each rollout sees: {show_batch(prepared, examples, show)}")
    if step:
        rehearse(prepared, processor)
    if rollout:
        with as_user_error("a group of rollouts"):
            report_rollout(recipe, config, processor, rewards, examples[0])
    heading("result", *(trouble or ["nothing wrong was found"]))
    return 1 if trouble else 0


@dataclass(frozen=True)
class Prompts:
    """The most that a prompt has."""

    longest: int
    """Tokens, with its images."""
    blind: int
    """Tokens without any."""
    patches: int
    """Of its images, in the vision tower."""


def report_tokens(processor: Any, config: Any, examples: Sequence[Row]) -> Prompts:
    """Print image and prompt lengths in tokens; returns the most."""
    images, tokens, seen = [], [], []
    vision = torch.tensor(vision_token_ids(config.to_dict(), processor.tokenizer))
    for row in examples:
        inputs = build_inputs(processor, [row])
        ids = inputs["input_ids"][0]
        seen.append(patches(inputs, config))
        images.append(int(torch.isin(ids, vision).sum()))
        tokens.append(len(ids))
    heading(
        "tokens",
        f"images, with their markers: {spread(images)}",
        f"prompts, with their images: {spread(tokens)}",
    )
    blind = max(a - b for a, b in zip(tokens, images, strict=True))
    return Prompts(max(tokens), blind, max(seen))


def spread(counts: Sequence[int]) -> str:
    """Smallest, largest and mean."""
    return f"{min(counts)} to {max(counts)}, {mean(counts):.0f} on average"


def report_memory(prepared: Prepared, prompts: Prompts) -> None:
    """Print the estimate for one device, from the model's shapes alone."""
    spec, config = prepared.recipe.model, prepared.config
    model = meta_model(prepared, weights_dtype(spec, train=True, cpu=config.use_cpu))
    require_trained(model, spec.lora)
    size = model_size(model, model.config.get_text_config(), quantization=spec.quantization)
    load = device_load(
        config,
        gpus=1,
        prompt_tokens=prompts.longest,
        patches=prompts.patches,
        width=size.width,
        half=bool(config.bf16 or config.fp16),
        lora=prepared.lora is not None,
    )
    # How much memory the device has is not known here, so vLLM's share of it is left out.
    lines = memory_lines(size, memory_share("ddp", size, load, gpu=0.0))
    if load.vllm_share:
        lines.append(f"and vLLM's share of the device, {load.vllm_share:.0%}, on top")
    heading("memory (estimate)", *lines)
