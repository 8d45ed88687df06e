"""Sampling with ``generate``: every distinct prompt of a batch is read once, every image seen once.

A batch of rollouts repeats each prompt G times. ``generate`` encodes the images of all B rows, and
its first forward (prefill) reads all rows before a token is sampled; rows of equal tokens and equal
pixels give equal caches and logits. Within ``shared_prefill`` it reads the U distinct rows, and
cache and logits are then repeated:

    cache, logits = forward(distinct rows);  cache[b], logits[b] = cache[u(b)], logits[u(b)]

Every row is sampled with its own random numbers as before, from the same logits up to the order in
which floats are added in a batch of U instead of B. Clean rollouts of a prompt are one row, and so
are NoisyRollout's noisy ones; rollouts with a noise of their own are each a row of their own.

Of the distinct rows, the text before the pictures may be read once for all views (``heads``).
What follows, the decoding of B rows token by token, is not touched. vLLM shares prefixes itself.

Applies to Qwen's layout, in which patches lie end to end (``pixel_values [patches, channels]``,
``image_grid_thw [images, 3]``), and to text. Shapes: B rows, U distinct rows.
"""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import DynamicCache, GenerationConfig, PreTrainedModel

from noisygrpo.models.decoding import bare, of_rows
from noisygrpo.training.engines.heads import Heads
from noisygrpo.training.prefix.frozen_images import tower_kinds, tower_output
from noisygrpo.training.prefix.layout import group_numbers, group_rows

FAMILIES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen2", "qwen3", "llama")
"""Model types whose sampling was checked against reading every row."""

PLAIN: dict[str, tuple[Any, ...]] = {
    "cache_implementation": (None, "dynamic"),
    "num_beams": (None, 1),
    "num_return_sequences": (None, 1),
    "use_cache": (None, True),
    "prefill_chunk_size": (None,),
    "prompt_lookup_num_tokens": (None,),
}
"""Options of ``generate`` and the values with which its first forward reads each prompt once."""


def obstacle(model: PreTrainedModel, config: GenerationConfig) -> str | None:
    """Return why distinct rows alone cannot be read; ``None`` if they can.

    ``config``: how completions are generated, as TRL's trainer made it.
    """
    if model.config.model_type not in FAMILIES:
        return f"it was not checked for model type {model.config.model_type!r}"
    kinds = model.config.get_text_config().to_dict().get("layer_types") or []
    if any(kind != "full_attention" for kind in kinds):
        return "the model has layers without full attention"
    if hasattr(model.config, "vision_config") and not _takes_encoded(model):
        return "this version of Transformers encodes pictures within the model's forward"
    return unusual(options(model, config))


def options(model: PreTrainedModel, config: GenerationConfig) -> dict[str, Any]:
    """Return what ``generate`` decodes with; the model adds what ``bare`` leaves of its own."""
    given = {name: value for name, value in config.to_dict().items() if value is not None}
    return {**bare(model.generation_config).to_dict(), **given}


def by_token(args: Any, given: Mapping[str, Any]) -> bool:
    """Tell whether ``generate`` samples token by token, given a run and its options."""
    return other_engine(args) is None and unusual(given) is None


def other_engine(args: Any) -> str | None:
    """Say what of a run makes its forwards while sampling others than ``generate``'s, if any."""
    if args.torch_compile:
        return "a compiled forward was not checked"
    if args.use_transformers_continuous_batching:
        return "use_transformers_continuous_batching shares prompts by its own means"
    return None


def unusual(given: Mapping[str, Any]) -> str | None:
    """Name the option with which ``generate`` decodes otherwise than token by token, if any."""
    other = next((name for name, plain in PLAIN.items() if given.get(name) not in plain), None)
    return None if other is None else f"generate is given {other}: {given[other]}"


def _takes_encoded(model: PreTrainedModel) -> bool:
    return "mm_encoder_outputs" in inspect.signature(model.base_model.forward).parameters


@contextmanager
def shared_prefill(
    model: PreTrainedModel, counts: Sequence[int], heads: Heads | None = None
) -> Iterator[None]:
    """Let the prefills of ``model.generate`` within this context read distinct rows only.

    ``model`` is of a family in ``FAMILIES``, without wrappers; ``counts`` are each row's images;
    ``heads`` reads the text before the pictures once.
    """
    prefill = _Prefill(counts, heads)
    hooks = (
        model.register_forward_pre_hook(prefill.before, with_kwargs=True),
        model.register_forward_hook(prefill.after),
    )
    backbone = vars(model.base_model)
    if any(counts):
        backbone["get_image_features"] = _once_per_image(model.base_model.get_image_features)
    try:
        yield
    finally:
        backbone.pop("get_image_features", None)
        for hook in hooks:
            hook.remove()


def _once_per_image(encode: Any) -> Any:
    """Return ``get_image_features`` that encodes equal images once and gives them one object."""

    def features(
        pixel_values: Float[Tensor, "patches channels"],
        image_grid_thw: Int[Tensor, "images 3"],
        **kwargs: Any,
    ) -> Any:
        patches = torch.split(pixel_values, image_grid_thw.prod(-1).tolist())
        equal = group_rows(len(patches), lambda k, other: torch.equal(patches[k], patches[other]))
        first = [images[0] for images in equal]
        pixels = torch.cat([patches[k] for k in first])
        output = encode(pixels, image_grid_thw[first], **kwargs)
        return _images(output, group_numbers(equal))

    return features


def _images(output: Any, chosen: Sequence[int]) -> Any:
    """Return some images of what the vision tower gave."""
    return tower_output(tuple(kind[k] for k in chosen) for kind in tower_kinds(output))


class _Prefill:
    def __init__(self, counts: Sequence[int], heads: Heads | None) -> None:
        ends = accumulate(counts)
        self.images = [range(end - count, end) for end, count in zip(ends, counts, strict=True)]
        self.heads = heads
        self.row_of: Tensor | None = None  # u(b), while a forward reads distinct rows

    def before(self, model: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        ids, cache = kwargs.get("input_ids"), kwargs.get("past_key_values")
        if not isinstance(cache, DynamicCache) or cache.get_seq_length() or ids is None:
            return None
        mask = kwargs.get("attention_mask")  # left out where no row is padded
        mask = torch.ones_like(ids) if mask is None else mask
        encoded = (kwargs.get("mm_encoder_outputs") or {}).get("image")
        unseen = encoded is None and any(self.images)
        if mask.ndim != 2 or unseen or len(ids) != len(self.images):
            return None
        seen = () if encoded is None else encoded.pooler_output
        keys = [
            (tuple(row), tuple(there), tuple(id(seen[k]) for k in images))
            for row, there, images in zip(ids.tolist(), mask.tolist(), self.images, strict=True)
        ]
        same = group_rows(len(keys), lambda row, other: keys[row] == keys[other])
        if len(same) < len(keys):
            self.row_of = torch.tensor(group_numbers(same), device=ids.device)
            kwargs = self._distinct(kwargs, encoded, [members[0] for members in same])
        return args, kwargs if self.heads is None else self.heads.read(model, kwargs)

    def _distinct(self, kwargs: dict[str, Any], encoded: Any, rows: list[int]) -> dict[str, Any]:
        fewer = of_rows(kwargs, rows)
        if encoded is not None:
            chosen = [k for row in rows for k in self.images[row]]
            fewer["mm_encoder_outputs"] = {"image": _images(encoded, chosen)}
        return fewer

    def after(self, model: Any, args: Any, output: Any) -> None:
        if self.row_of is not None:
            output.logits = output.logits[self.row_of]
            output.past_key_values.batch_select_indices(self.row_of)
            self.row_of = None
