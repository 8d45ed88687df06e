"""Batched generation with any Hugging Face vision-language model.

Rows are in the project's example format (``prompt``: conversational; ``images``: RGB PIL images).
The image slots of a plain-text prompt go in front of the text of the first user turn, which is
where the trainer puts them (TRL's ``prepare_multimodal_messages``), so that a model is measured on
the prompts on which it was trained.

Prompts are padded on the left: the last prompt token of every row is then the last column, and all
rows decode in step. Rows of similar length share a batch (fewer padding tokens); results come back
in the order of the rows.

The model's own ``generation_config`` is not used: those files carry sampling settings (Qwen2.5-VL
ships ``repetition_penalty = 1.05``) that silently change greedy scores. Special tokens of the
vision input are banned: once sampled, they promise image features that do not exist, and a text
with them cannot be scored again.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from noisygrpo.data.rendering import rendered
from noisygrpo.data.turns import plain_text
from noisygrpo.errors import UserError, require
from noisygrpo.methods.calibration import calibrated_generate
from noisygrpo.models.decoding import end_tokens, leaner, own_sampling
from noisygrpo.models.vision import vision_token_ids

Row = Mapping[str, Any]

MOST_SEED = 2**32 - 1
"""What every generator of random numbers takes; as for ``training.seed``."""

_PIXELS_PER_TOKEN = 28 * 28  # Qwen2-VL and Qwen2.5-VL; only the order of lengths matters here
_CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True)
class Generation:
    """How answers are made. The default is greedy, as every benchmark of the papers asks."""

    batch_size: int = 32
    """Rows that decode together. 32 to 64 suits a CPU and the built-in model."""
    max_new_tokens: int = 256
    """Longest answer in tokens; a longer one is cut and its sample marked as truncated."""
    temperature: float = 0.0
    """0 is greedy; above 0 samples from the model's distribution at this temperature."""
    top_p: float = 1.0
    """Nucleus mass when sampling; 1 keeps the whole distribution."""
    seed: int = 0
    """Seed of sampling: a batch's draw depends on it and on the ids of its rows only."""
    text_bias_scale: float = 0.0
    """Strength of text-bias calibration (Hint-GRPO publishes 0.8); 0 is plain decoding."""
    repetition_penalty: float = 1.0
    """Divides the logits of tokens that prompt and answer hold already; 1 is none."""

    def record(self) -> dict[str, Any]:
        """The settings for the record; the penalty only where there is one, as in older records."""
        values = asdict(self)
        if self.repetition_penalty == 1:
            del values["repetition_penalty"]
        return values

    def __post_init__(self) -> None:
        require(self.batch_size >= 1, f"batch_size: {self.batch_size}, allowed is 1 or more")
        require(
            self.max_new_tokens >= 1, f"max_new_tokens: {self.max_new_tokens}, allowed is 1 or more"
        )
        require(
            self.temperature >= 0, f"temperature: {self.temperature}, allowed is 0 (greedy) or more"
        )
        require(
            self.text_bias_scale >= 0,
            f"text_bias_scale: {self.text_bias_scale}, allowed is 0 (off) or more",
        )
        require(
            0 < self.repetition_penalty <= 2,
            f"repetition_penalty: {self.repetition_penalty}, allowed is above 0 and at most 2 "
            "(1 is none)",
        )
        require(0 <= self.seed <= MOST_SEED, f"seed: {self.seed}, allowed is 0 to {MOST_SEED:,}")
        require(0 < self.top_p <= 1, f"top_p: {self.top_p}, allowed is above 0 and at most 1")


@dataclass(frozen=True)
class Completion:
    """One answer: text without special tokens, length in tokens, whether the limit cut it."""

    text: str
    tokens: int
    truncated: bool


class RefusedInput(UserError):
    """The processor cannot make inputs of a batch, e.g. because an image is one pixel wide."""


# Not inference_mode: models keep tensors of a forward, and may go on training.
@torch.no_grad()
def generate_batch(
    model: Any, processor: Any, rows: Sequence[Row], settings: Generation, **generate_options: Any
) -> list[Completion]:
    """The completions of one batch whose rows all have images, or all have none.

    ``generate_options`` go to ``model.generate``, e.g. a ``logits_processor``.
    """
    moved = _to_model(build_inputs(processor, rows), model)
    scale = settings.text_bias_scale if any(row["images"] for row in rows) else 0.0
    text_only = [{**row, "images": []} for row in rows] if scale else []
    text = _to_model(build_inputs(processor, text_only), model) if scale else {}
    tokenizer = processor.tokenizer
    ends = _end_tokens(model, tokenizer)
    options = {**_decoding_options(settings), **generate_options}
    # Calibration has a second branch, which goes on with all rows.
    lean = nullcontext() if scale else leaner(model, ends)
    with _evaluating(model), _addressed_randomness(model, settings, rows), lean:
        output = calibrated_generate(
            model,
            moved,
            text,
            scale,
            max_new_tokens=settings.max_new_tokens,
            suppress_tokens=vision_token_ids(model.config.to_dict(), tokenizer) or None,
            eos_token_id=ends,
            pad_token_id=ends[0] if tokenizer.pad_token_id is None else tokenizer.pad_token_id,
            **options,
        )
    new = output[:, moved["input_ids"].shape[1] :].cpu()
    texts = tokenizer.batch_decode(
        new, skip_special_tokens=True, clean_up_tokenization_spaces=False
    )
    return [_completion(text, ids, ends) for text, ids in zip(texts, new, strict=True)]


def build_inputs(processor: Any, rows: Sequence[Row]) -> dict[str, Tensor]:
    """Model inputs of a batch, padded on the left. Raises `RefusedInput`."""
    texts = [rendered(processor, row["prompt"], len(row["images"])) for row in rows]
    images = [list(row["images"]) for row in rows]
    require(
        all(images) or not any(images),
        "batch: rows with images and rows without cannot share a batch",
    )
    chosen = {"images": images} if any(images) else {}
    try:
        return dict(
            processor(text=texts, padding=True, padding_side="left", return_tensors="pt", **chosen)
        )
    except ValueError as error:
        raise RefusedInput(f"the processor refuses this input: {error}") from error


def batches_by_length(lengths: Sequence[tuple[bool, int]], batch_size: int) -> list[list[int]]:
    """Row indices in batches of similar length, longest first; rows with and without images kept
    apart.

    ``lengths``: (has images, length) of each row, from `row_length`. Longest first: if memory runs
    out, it does so in the first batch. The plan is a pure function of its arguments, so an
    interrupted evaluation finds its batches again.
    """
    batches: list[list[int]] = []
    for with_images in (True, False):
        order = [index for index, (images, _) in enumerate(lengths) if images == with_images]
        order.sort(key=lambda index: (-lengths[index][1], index))
        batches += [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    return batches


def row_length(
    prompt: Sequence[Mapping[str, Any]], sizes: Sequence[tuple[int, int]]
) -> tuple[bool, int]:
    """(has images, rough number of tokens) of a row whose images have these (width, height)."""
    characters = sum(len(plain_text(turn["content"])) for turn in prompt)
    pixels = sum(width * height for width, height in sizes)
    return bool(sizes), characters // _CHARACTERS_PER_TOKEN + pixels // _PIXELS_PER_TOKEN


def _decoding_options(settings: Generation) -> dict[str, Any]:
    # Every neutral value is spelled out: what is left None would be filled from the model's
    # generation_config.
    neutral = {
        "num_beams": 1,
        "repetition_penalty": settings.repetition_penalty,
        "no_repeat_ngram_size": 0,
        "min_new_tokens": 0,
    }
    if settings.temperature == 0:
        return {**neutral, "do_sample": False, "temperature": 1.0, "top_p": 1.0, "top_k": 50}
    sampling = {
        "do_sample": True,
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "top_k": 0,
    }
    return {**neutral, **sampling}


def _end_tokens(model: Any, tokenizer: Any) -> list[int]:
    both = (model.generation_config.eos_token_id, tokenizer.eos_token_id)
    return list(dict.fromkeys(token for given in both for token in end_tokens(given)))


def _completion(text: str, ids: Tensor, ends: list[int]) -> Completion:
    stops = torch.isin(ids, torch.tensor(ends)).nonzero()
    tokens = int(stops[0]) + 1 if len(stops) else len(ids)
    return Completion(text, tokens, truncated=not len(stops))


def _to_model(inputs: Mapping[str, Tensor], model: Any) -> dict[str, Tensor]:
    return {
        name: value.to(model.device, model.dtype if value.is_floating_point() else None)
        for name, value in inputs.items()
    }


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """Within it the model is in evaluation mode and fills in none of its own sampling settings."""
    training = model.training
    model.eval()
    try:
        with own_sampling(model):
            yield
    finally:
        model.train(training)


@contextmanager
def _addressed_randomness(model: Any, settings: Generation, rows: Sequence[Row]) -> Iterator[None]:
    """Seed the generators from (seed, ids of the batch) and put the caller's states back
    afterwards.
    """
    if settings.temperature == 0:
        yield
        return
    name = "\n".join([str(settings.seed), *(str(row.get("example_id", "")) for row in rows)])
    digest = hashlib.blake2b(name.encode(), digest_size=7).digest()
    devices = [model.device] if model.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(int.from_bytes(digest))
        yield
