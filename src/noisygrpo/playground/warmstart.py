"""The supervised warm start: the playground's model from random weights, on two CPU cores.

Five stages, told in ``noisygrpo.playground.lessons``: see, reason, look, join, habit. The last one
leaves the model able to look and in the habit of guessing, which is what the reward can change.
Deterministic for a given machine and number of threads.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn
from transformers import Qwen2_5_VLForConditionalGeneration

from noisygrpo.playground.fast_vision import batch_vision_windows
from noisygrpo.playground.lessons import PATCH_CLASSES, Batch, converse, see
from noisygrpo.playground.model import (
    PlaygroundProcessor,
    build_model,
    build_processor,
    build_tokenizer,
)
from noisygrpo.playground.splits import make_example
from noisygrpo.playground.teacher import HASTY_THOUGHT, completion
from noisygrpo.terminal import say

NOTHING = {"cover": 0.05, "centre": 0.01, "edge": 1.0}
"""Heads of the stage ``see`` and the weight of their class 0; most patches show nothing."""


@dataclass(frozen=True)
class WarmStart:
    """Settings of the run that made the shipped weights."""

    seed: int = 0
    tokenizer_rows: int = 4000
    """Rows of the training split whose text the tokenizer is trained on."""
    see_steps: int = 330
    reason_steps: int = 400
    look_steps: int = 600
    join_steps: int = 180
    habit_steps: int = 80
    hasty_share: float = 0.6
    """Share of hasty turns in the stage ``habit``."""
    batch: int = 32
    """Pictures per step."""
    questions: int = 2
    """Questions per picture, in one conversation."""
    learning_rate: float = 1.5e-3
    """Peak of the first three stages; ``join`` peaks at half of it, ``habit`` at a third."""
    warmup: int = 40
    log_every: int = 25


def tokenizer_texts(rows: int) -> Iterator[str]:
    """The text that the tokenizer is trained on: examples of the training split."""
    for index in range(rows):
        example = make_example("train", index)
        yield f"user\n{example['prompt'][0]['content']}\nassistant\n"  # type: ignore[index]
        yield completion(str(example["reasoning"]), str(example["answer"]))
        yield completion(HASTY_THOUGHT, str(example["answer"]))


def learning_rate(peak: float, step: int, steps: int, warmup: int) -> float:
    """Linear warm-up, then a cosine to a twentieth of the peak."""
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return peak * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * progress)))


class Eyes(nn.Module):
    """Linear heads on the tower's merged tokens; they are thrown away after the stage ``see``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.cover = nn.Linear(width, 4 * PATCH_CLASSES)
        self.centre = nn.Linear(width, 4 * PATCH_CLASSES)
        self.edge = nn.Linear(width, 4 * 2)

    def loss(self, features: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Sum of the three cross-entropies, from the merged tokens ``[tokens, width]``."""
        total = features.new_zeros((), dtype=torch.float32)
        for name, nothing in NOTHING.items():
            logits = self.get_submodule(name)(features)
            logits = logits.view(4 * len(features), -1).float()
            weight = torch.ones(logits.shape[-1])
            weight[0] = nothing
            total = total + F.cross_entropy(logits, batch[name].view(-1), weight=weight)
        return total


def seeing_loss(
    model: Qwen2_5_VLForConditionalGeneration, eyes: Eyes, batch: Batch
) -> torch.Tensor:
    """The loss of the stage ``see``."""
    features = model.model.visual(
        batch["pixel_values"], grid_thw=batch["image_grid_thw"]
    ).pooler_output
    return eyes.loss(features, batch)


@dataclass(frozen=True)
class Stage:
    """One stage: its batches, its loss, and how long it lasts."""

    name: str
    steps: int
    peak: float
    batch_at: Callable[[int], Batch]
    loss_of: Callable[[Batch], torch.Tensor]
    parameters: list[nn.Parameter]


def stages(
    settings: WarmStart, model: Qwen2_5_VLForConditionalGeneration, processor: PlaygroundProcessor
) -> Iterator[Stage]:
    """The five stages in order."""
    seed, size, peak = settings.seed, settings.batch, settings.learning_rate
    eyes = Eyes(model.config.vision_config.out_hidden_size)

    def language_loss(batch: Batch) -> torch.Tensor:
        return model(**batch).loss

    def conversations(stage: str, step: int) -> Batch:
        share = settings.hasty_share if stage == "habit" else 0.0
        return converse(
            processor, seed, stage, step, size, questions=settings.questions, hasty_share=share
        )

    yield Stage(
        "see",
        settings.see_steps,
        peak,
        lambda step: see(processor, seed, step, size),
        lambda batch: seeing_loss(model, eyes, batch),
        [*model.model.visual.parameters(), *eyes.parameters()],
    )
    language, whole = [*model.model.language_model.parameters()], [*model.parameters()]
    for name, steps, factor, parameters in (
        ("reason", settings.reason_steps, 1.0, language),
        ("look", settings.look_steps, 1.0, language),
        ("join", settings.join_steps, 0.5, whole),
        ("habit", settings.habit_steps, 0.33, language),
    ):
        yield Stage(
            name,
            steps,
            peak * factor,
            lambda step, name=name: conversations(name, step),  # type: ignore[misc]
            language_loss,
            parameters,
        )


def run_stage(model: nn.Module, stage: Stage, settings: WarmStart) -> None:
    """Train through one stage with its own optimizer and learning-rate curve."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for parameter in stage.parameters:
        parameter.requires_grad_(True)
    optimizer = torch.optim.AdamW(
        stage.parameters, lr=stage.peak, betas=(0.9, 0.98), weight_decay=0.02
    )
    began, running = time.monotonic(), math.nan
    for step in range(stage.steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(stage.peak, step, stage.steps, settings.warmup)
        batch = stage.batch_at(step)
        with torch.autocast("cpu", torch.bfloat16):
            loss = stage.loss_of(batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(stage.parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        running = loss.item() if math.isnan(running) else 0.95 * running + 0.05 * loss.item()
        if (step + 1) % settings.log_every == 0 or step + 1 == stage.steps:
            spent = time.monotonic() - began
            left = spent / (step + 1) * (stage.steps - step - 1)
            say(
                f"{stage.name} {step + 1}/{stage.steps}  loss {running:.4f}  "
                f"{spent:.0f} s, {left:.0f} s left in this stage"
            )


def train(settings: WarmStart, out: Path) -> Qwen2_5_VLForConditionalGeneration:
    """Run the warm start and save the checkpoint (weights in bfloat16) to ``out``."""
    processor = build_processor(build_tokenizer(tokenizer_texts(settings.tokenizer_rows)))
    model = build_model(processor.tokenizer, settings.seed)
    batch_vision_windows(model)
    for stage in stages(settings, model, processor):
        run_stage(model, stage, settings)
    save(model, processor, out)
    return model


def save(
    model: Qwen2_5_VLForConditionalGeneration, processor: PlaygroundProcessor, out: Path
) -> None:
    """Write a checkpoint that Transformers loads: bfloat16 weights, config and processor."""
    out.mkdir(parents=True, exist_ok=True)
    model.config.architectures = [type(model).__name__]  # TRL loads the reference model by it
    model.config.save_pretrained(out)
    model.generation_config.save_pretrained(out)
    processor.save_pretrained(out)
    state = {
        name: tensor.detach().to(torch.bfloat16).contiguous()
        for name, tensor in model.state_dict().items()
        if name != "lm_head.weight"  # tied to the input embedding
    }
    save_file(state, out / "model.safetensors", metadata={"format": "pt"})
