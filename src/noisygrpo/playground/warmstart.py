"""The supervised warm start: the playground's model from random weights, on two CPU cores.

Every batch is a pure function of (seed, step); the loss is the usual one over the assistant turns
alone. The run stops early on its learning-rate curve, on purpose: the model then answers about half
of ``test`` and has room that the reward can fill.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import Qwen2_5_VLForConditionalGeneration

from noisygrpo.playground.fast_vision import batch_vision_windows
from noisygrpo.playground.model import (
    PlaygroundProcessor,
    build_model,
    build_processor,
    build_tokenizer,
)
from noisygrpo.playground.scene import render
from noisygrpo.playground.splits import PROMPT, make_example
from noisygrpo.playground.teacher import completion, demonstration

_STREAM = 0x7761726D  # this stream of random numbers is the warm start's own
_IGNORE = -100


@dataclass(frozen=True)
class WarmStart:
    """Settings of the run that made the shipped weights."""

    seed: int = 0
    steps: int = 750
    """Steps that are taken; about 20 minutes on two cores."""
    horizon: int = 1300
    """Steps over which the learning rate would fall to a twentieth."""
    hasty_share: float = 0.0
    """Share of turns that skip the looking and guess; above 0 for experiments on text bias."""
    batch: int = 32
    """Pictures per step."""
    questions: int = 2
    """Questions per picture, in one conversation."""
    learning_rate: float = 1.5e-3
    warmup: int = 60
    log_every: int = 25


def tokenizer_texts(rows: int = 4000) -> Iterator[str]:
    """The text that the tokenizer is trained on: examples of the training split."""
    for index in range(rows):
        example: dict[str, Any] = make_example("train", index)
        yield f"user\n{example['prompt'][0]['content']}\nassistant\n"
        yield completion(str(example["reasoning"]), str(example["answer"]))


def chat_text(processor: PlaygroundProcessor, turns: list[tuple[str, str]]) -> str:
    """The chat text of a conversation, in the very layout that generation uses."""
    messages: list[dict[str, object]] = []
    for place, (question, text) in enumerate(turns):
        content: list[dict[str, str]] = [{"type": "image"}] if place == 0 else []
        content.append({"type": "text", "text": PROMPT.format(question=question)})
        messages.append({"role": "user", "content": content})
        messages.append({"role": "assistant", "content": [{"type": "text", "text": text}]})
    return processor.apply_chat_template(messages, tokenize=False)


def labels_of(input_ids: torch.Tensor, start: list[int], end: int) -> torch.Tensor:
    """Labels int64 ``[B, T]``: the assistant turns with their ``<|im_end|>``, all else ignored.

    Args:
        input_ids: token ids, int64 ``[B, T]``.
        start: the tokens that open an assistant turn; they are not learned.
        end: the token that closes a turn.
    """
    labels = torch.full_like(input_ids, _IGNORE)
    for row, ids in enumerate(input_ids.tolist()):
        inside, place = False, 0
        while place < len(ids):
            if not inside and ids[place : place + len(start)] == start:
                inside, place = True, place + len(start)
                continue
            if inside:
                labels[row, place] = ids[place]
                inside = ids[place] != end
            place += 1
    return labels


def batch_at(
    processor: PlaygroundProcessor, settings: WarmStart, step: int
) -> dict[str, torch.Tensor]:
    """The batch of a step, a pure function of (seed, step)."""
    rng = np.random.default_rng(np.random.SeedSequence([_STREAM, settings.seed, step]))
    texts, pictures = [], []
    for _ in range(settings.batch):
        scene, turns = demonstration(rng, settings.questions, settings.hasty_share)
        texts.append(chat_text(processor, turns))
        pictures.append([render(scene)])
    batch = dict(
        processor(
            text=texts, images=pictures, return_tensors="pt", padding=True, padding_side="right"
        )
    )
    tokenizer = processor.tokenizer
    start = tokenizer("<|im_start|>assistant\n")["input_ids"]
    batch["labels"] = labels_of(batch["input_ids"], start, tokenizer.eos_token_id)
    return batch


def learning_rate(settings: WarmStart, step: int) -> float:
    """Linear warm-up, then a cosine that would reach a twentieth at ``horizon``."""
    if step < settings.warmup:
        return settings.learning_rate * (step + 1) / settings.warmup
    progress = (step - settings.warmup) / max(1, settings.horizon - settings.warmup)
    return settings.learning_rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * progress)))


def train(settings: WarmStart, out: Path) -> Qwen2_5_VLForConditionalGeneration:
    """Run the warm start and save the checkpoint (weights in bfloat16) to ``out``."""
    processor = build_processor(build_tokenizer(tokenizer_texts()))
    model = build_model(processor.tokenizer, settings.seed)
    batch_vision_windows(model)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=0.02
    )
    began, running = time.monotonic(), math.nan
    for step in range(settings.steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(settings, step)
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(**batch_at(processor, settings, step)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        running = loss.item() if math.isnan(running) else 0.95 * running + 0.05 * loss.item()
        if (step + 1) % settings.log_every == 0 or step + 1 == settings.steps:
            spent = time.monotonic() - began
            left = spent / (step + 1) * (settings.steps - step - 1)
            print(
                f"step {step + 1}/{settings.steps}  loss {running:.4f}  "
                f"{spent:.0f} s, {left:.0f} s left",
                flush=True,
            )
    save(model, processor, out)
    return model


def save(
    model: Qwen2_5_VLForConditionalGeneration, processor: PlaygroundProcessor, out: Path
) -> None:
    """Write a checkpoint that Transformers loads: bfloat16 weights, config and processor."""
    out.mkdir(parents=True, exist_ok=True)
    model.config.save_pretrained(out)
    model.generation_config.save_pretrained(out)
    processor.save_pretrained(out)
    state = {
        name: tensor.detach().to(torch.bfloat16).contiguous()
        for name, tensor in model.state_dict().items()
        if name != "lm_head.weight"  # tied to the input embedding
    }
    save_file(state, out / "model.safetensors", metadata={"format": "pt"})
