"""Text-bias calibration: decoding that amplifies what the image adds over the text.

Formula (Text-Debiased Hint-GRPO, arXiv 2503.23905; published gamma = .8, at test time):

    logits = logits_image + gamma * (logits_image - logits_text)

``logits_image`` are the model's for image and text, ``logits_text`` its own for the same text
without the image, both continued by the same answer. It is classifier-free guidance of weight 1 +
gamma with the image as condition; there is no plausibility cut-off.

Shapes: B prompts, K continuations of each (beams or return sequences), V vocabulary;
``input_ids [B * K, tokens]``, ``scores float32 [B * K, V]``.

``TextBiasCalibration`` is a logits processor for ``model.generate``: it runs the text-only branch
itself, one token a step on its own cache, about twice the cost of decoding. It needs nothing of the
model but a forward that takes ``input_ids``, ``attention_mask``, 2-D ``position_ids`` and
``past_key_values``. As positions are given, models that keep image position offsets between calls
(Qwen2-VL and later) are left undisturbed.

Deliberate deviations from the released code:
- A processor instead of a changed copy of each model; batches of any padding, sampling and beams,
  not greedy alone.
- Under beams it mixes log-probabilities and normalises, as beam scores add up; the mixed
  distribution is the same.
- Transformers applies the processors that generation settings ask for (banned tokens, penalties)
  before this one, the released code after; banned tokens stay banned either way.
- H11: without a scale, or with scale 0, decoding is plain ``generate``.

Not covered: ``generate`` with ``synced_gpus`` (sharded models): a process that has finished skips
the processors, and with them the text-only forward that others wait for.
"""

import inspect
import math
from collections.abc import Collection, Mapping
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


def calibrate_logits(
    image_logits: Float[Tensor, "*rows vocab"],
    text_logits: Float[Tensor, "*rows vocab"],
    scale: float,
) -> Float[Tensor, "*rows vocab"]:
    """Return image_logits + scale * (image_logits - text_logits); tokens at -inf stay there.

    At scale 0 it is the very tensor ``image_logits``. A token that the text forbids (-inf) and the
    picture does not keeps its logit.

    Raises:
        ValueError: shapes that differ, a scale that is negative or not finite.
    """
    _check_scale(scale)
    if image_logits.shape != text_logits.shape:
        shapes = tuple(image_logits.shape), tuple(text_logits.shape)
        raise ValueError(f"image logits have shape {shapes[0]}, text logits {shapes[1]}")
    if scale == 0:
        return image_logits
    mixed = image_logits + scale * (image_logits - text_logits)
    return torch.where(torch.isneginf(image_logits + text_logits), image_logits, mixed)


def _check_scale(scale: float) -> None:
    if not 0 <= scale < math.inf:
        raise ValueError(f"text-bias scale {scale!r} must be at least 0 and finite")


def without_tokens(
    input_ids: Int[Tensor, "prompts tokens"],
    attention_mask: Int[Tensor, "prompts tokens"],
    drop: Collection[int],
    pad_token_id: int,
) -> tuple[Int[Tensor, "prompts kept"], Int[Tensor, "prompts kept"]]:
    """Return ids and mask, padded on the left, of the prompts without the tokens in ``drop``.

    With a model's image token and the tokens around it (Qwen's config: ``image_token_id``,
    ``vision_start_token_id``, ``vision_end_token_id``) that is the prompt without its images. A
    prompt of which nothing would remain raises ``ValueError``.
    """
    dropped = torch.tensor(sorted(drop), dtype=input_ids.dtype, device=input_ids.device)
    keep = attention_mask.bool() & ~torch.isin(input_ids, dropped)
    rows = [ids[kept] for ids, kept in zip(input_ids, keep, strict=True)]
    if any(len(row) == 0 for row in rows):
        raise ValueError("a prompt holds nothing but images; its text-only logits do not exist")
    width = max(len(row) for row in rows)
    ids = [nn.functional.pad(row, (width - len(row), 0), value=pad_token_id) for row in rows]
    mask = [nn.functional.pad(torch.ones_like(row), (width - len(row), 0)) for row in rows]
    return torch.stack(ids), torch.stack(mask)


class TextBiasCalibration:
    """Logits processor that mixes the model's scores with those of its text-only branch.

    Make one for each call of ``generate``::

        processor = TextBiasCalibration(model, text_ids, text_mask, scale=0.8)
        model.generate(**inputs, logits_processor=[processor])

    Args:
        model: the model that generates.
        text_ids: the prompts without images, padded on the left; row i belongs to prompt i.
        text_mask: their attention mask.
        scale: gamma of the formula, at least 0.
        beams: whether ``generate`` searches beams, so that its scores are log-probabilities.

    Raises:
        ValueError: for a negative scale, and for text prompts padded on the right.
    """

    def __init__(
        self,
        model: nn.Module,
        text_ids: Int[Tensor, "prompts tokens"],
        text_mask: Int[Tensor, "prompts tokens"],
        scale: float,
        beams: bool = False,
    ):
        _check_scale(scale)
        if text_ids.shape != text_mask.shape or not bool(text_mask[:, -1].all()):
            raise ValueError("text prompts must have a mask of their own shape and left padding")
        self.model = model
        self.scale = scale
        self.beams = beams
        self._text_ids, self._text_mask = text_ids, text_mask
        self._prompt: Tensor | None = None  # what `generate` began with, [B * K, tokens]
        self._answer: Tensor | None = None  # the continuation that the cache has seen
        self._cache: Any = None
        # The logits of a whole prompt would be a large tensor of which one row is used.
        takes = inspect.signature(model.forward).parameters
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in takes else {}

    def __call__(
        self, input_ids: Int[Tensor, "rows tokens"], scores: Float[Tensor, "rows vocab"]
    ) -> Float[Tensor, "rows vocab"]:
        """Return the calibrated scores of the next token."""
        if self.scale == 0:
            return scores
        mixed = calibrate_logits(scores, self._text_logits(input_ids).to(scores), self.scale)
        return mixed.log_softmax(-1) if self.beams else mixed

    @torch.no_grad()
    def _text_logits(self, input_ids: Tensor) -> Float[Tensor, "rows vocab"]:
        prompt = self._begin(input_ids)
        answer = input_ids[:, prompt.shape[1] :]
        mask = torch.cat([self._text_mask, torch.ones_like(answer)], dim=1)
        if self._continues(answer):
            tokens = answer[:, -1:]
        else:
            self._cache = None
            tokens = torch.cat([self._text_ids, answer], dim=1)
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -tokens.shape[1] :]
        output = self.model(
            input_ids=tokens,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
            return_dict=True,
            **self._last_only,
        )
        self._cache, self._answer = output.past_key_values, answer
        return output.logits[:, -1]

    def _begin(self, input_ids: Tensor) -> Tensor:
        """Return the prompt; the first call takes it and makes a text-only row per continuation."""
        if self._prompt is None:
            copies, rest = divmod(len(input_ids), len(self._text_ids))
            if rest or not copies:
                found = f"{len(input_ids)} sequences, {len(self._text_ids)} text prompts"
                raise ValueError(f"{found}: each prompt must have equally many sequences")
            self._copies = copies
            self._text_ids = self._text_ids.to(input_ids).repeat_interleave(copies, dim=0)
            self._text_mask = self._text_mask.to(input_ids).repeat_interleave(copies, dim=0)
            self._prompt = input_ids
        if not torch.equal(input_ids[:, : self._prompt.shape[1]], self._prompt):
            raise ValueError("the prompt has changed; make a new processor for each call")
        return self._prompt

    def _continues(self, answer: Tensor) -> bool:
        """Tell whether the cache, brought into the order of the beams, lacks the last token alone.

        ``generate`` does not tell processors how it moved the beams of a prompt, but their tokens
        do. Where no earlier beam fits (assisted decoding drops tokens, a second call starts over)
        the cache is of no use.
        """
        if self._answer is None or answer.shape[1] != self._answer.shape[1] + 1:
            return False
        stem = answer[:, :-1]
        if torch.equal(stem, self._answer):
            return True
        by_prompt = (len(answer) // self._copies, self._copies)
        same = stem.view(*by_prompt, 1, -1) == self._answer.view(by_prompt[0], 1, self._copies, -1)
        fits = same.all(-1)  # [prompts, now, before]
        if not bool(fits.any(-1).all()):
            return False
        first = torch.arange(0, len(answer), self._copies, device=answer.device)
        self._cache.reorder_cache((first[:, None] + fits.int().argmax(-1)).flatten())
        return True


def calibrated_generate(
    model: Any,
    inputs: Mapping[str, Any],
    text_inputs: Mapping[str, Any],
    scale: float,
    **settings: Any,
) -> Any:
    """Return ``model.generate(**inputs, **settings)`` with calibration; at scale 0, without.

    Args:
        model: a Transformers model with ``generate``.
        inputs: what the processor gave for prompts with images, padded on the left.
        text_inputs: ``input_ids`` and ``attention_mask`` of the same prompts without images, padded
            on the left (from the chat template without images, or from ``without_tokens``).
        scale: gamma of the formula.
        settings: passed to ``generate``.
    """
    if scale == 0:
        return model.generate(**inputs, **settings)
    config = settings.get("generation_config") or model.generation_config
    beams = (settings.get("num_beams") or config.num_beams or 1) > 1
    processor = TextBiasCalibration(
        model, text_inputs["input_ids"], text_inputs["attention_mask"], scale, beams
    )
    others = list(settings.pop("logits_processor", None) or [])
    return model.generate(**inputs, **settings, logits_processor=[*others, processor])
