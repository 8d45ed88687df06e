"""Log-probs of completions with one forward per group instead of one row per completion.

For a prompt x with completions c^1 .. c^G the model reads x once (``layout``), with
an attention in which every completion sees x and itself (``attention``):

    log pi(c^i_t | x, c^i_<t) / temperature      for all i, t, from one forward and backward

equal to G separate rows up to the order in which floats are added; so are the gradients, as both
compute the same function of the same parameters. The vision tower runs once per group. Only hidden
states that predict a completion token reach the LM head, which TRL's ``fused_lm_head`` projects in
chunks, scaled by the temperature.

Cost against rows, with P prompt and S completion tokens: P + G S tokens instead of G (P + S).

What it takes of a model (``obstacle``): a family whose forward was checked, SDPA, full attention in
every layer. Dropout, where an adapter has some, hits the prompt once for the whole group.

Shapes: B rows, T completion tokens, g groups, L tokens of a group's sequence, K scored tokens.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel

from noisygrpo.training.prefix import attention
from noisygrpo.training.prefix.flex import block_mask
from noisygrpo.training.prefix.frozen_images import FrozenImages, ImageOutput
from noisygrpo.training.prefix.layout import (
    Layout,
    Prompts,
    Rows,
    build_layout,
    group_rows,
    plain_positions,
)
from noisygrpo.training.prefix.rows import IMAGE_KEYS, select_rows, split_images
from noisygrpo.training.prefix.states import StateTap

MROPE = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl")
"""Model types whose positions are M-RoPE's."""

FAMILIES = (*MROPE, "llava_onevision", "idefics3", "smolvlm", "qwen2", "qwen3", "llama")
"""Model types whose forward was checked against rows."""

MODEL_KEYS = ("pixel_values", "image_grid_thw", "pixel_attention_mask", "image_sizes")
"""What a batch holds of images that is passed on to the model."""

KNOWN_KEYS = {*MODEL_KEYS, "num_images", "mm_token_type_ids"}
"""What a batch may hold besides tokens."""


def obstacle(model: PreTrainedModel, kernel: str = "sdpa") -> str | None:
    """Return why groups cannot share their prompt in this model; ``None`` if they can."""
    if model.config.model_type not in FAMILIES:
        return f"it was not checked for model type {model.config.model_type!r}"
    text = model.config.get_text_config()
    if text._attn_implementation not in ("sdpa", attention.NAME):
        return f"it needs attn_implementation 'sdpa', not {text._attn_implementation!r}"
    if any(kind != "full_attention" for kind in text.to_dict().get("layer_types") or []):
        return "the model has layers without full attention"
    if kernel == "flex" and text.to_dict().get("attention_dropout"):
        return "FlexAttention has no dropout"
    return None


class CompletionStates:
    """Lets a model's backbone return only the hidden states that predict a completion token."""

    def __init__(self, model: PreTrainedModel, kernel: str = "sdpa") -> None:
        """Prepare the model: hooks on its backbone and the attention of its language model.

        ``kernel`` computes the attention of groups: ``sdpa`` or ``flex``.
        """
        attention.register()
        text_only = model.config.get_text_config() is model.config
        name = attention.NAME
        model.set_attn_implementation(name if text_only else {"text_config": name})
        self.model, self._kernel = model, kernel
        self._index: Tensor | None = None
        self._image: ImageOutput | None = None
        self.kept: Tensor | None = None  # what the last forward returned, ``[1, K, d]``
        model.base_model.register_forward_pre_hook(self._before, with_kwargs=True)
        model.base_model.register_forward_hook(self._after)

    def mask(self, layout: Layout) -> Any:
        """Return the mask by which the kernel knows the segments."""
        if self._kernel == "flex":
            return block_mask(layout.visible)
        kind = self.model.device.type
        cast = torch.is_autocast_enabled(kind)
        return layout.additive_mask(torch.get_autocast_dtype(kind) if cast else self.model.dtype)

    @contextmanager
    def only(self, index: Int[Tensor, " K"], image: ImageOutput | None) -> Iterator[None]:
        """Within this context a forward returns ``[1, K, d]`` and takes images from ``image``."""
        self._index, self._image = index, image
        try:
            yield
        finally:
            self._index = self._image = None

    def take(self) -> Tensor | None:
        """Return the states of the last forward, and keep them no longer."""
        kept, self.kept = self.kept, None
        return kept

    def _before(self, backbone: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        if self._image is None:
            return None
        return args, {**kwargs, "mm_encoder_outputs": {"image": self._image(backbone)}}

    def _after(self, backbone: Any, args: Any, output: Any) -> None:
        if self._index is not None:
            output.last_hidden_state = output.last_hidden_state.flatten(0, 1)[self._index][None]
            self.kept = output.last_hidden_state


def find_groups(batch: Prompts, images: dict[str, Any]) -> list[Rows]:
    """Return the rows of each distinct prompt: the same tokens and, bit for bit, the same images.

    Different pictures of one size can come with one text, so images are compared, not their tokens.
    """
    ids = batch.ids.masked_fill(batch.mask == 0, -1)
    same_text = (ids[:, None] == ids[None]).all(-1).tolist()
    split = split_images(images)
    parts = [value for key, value in split.items() if key in IMAGE_KEYS]

    def equal(one: Any, other: Any) -> bool:
        return torch.equal(one, other) if isinstance(one, Tensor) else one == other

    def same(row: int, other: int) -> bool:
        return same_text[row][other] and all(equal(part[row], part[other]) for part in parts)

    return group_rows(len(ids), same)


def image_token_ends(batch: Prompts, model: PreTrainedModel) -> bool:
    """Tell whether a prompt's last token, which every segment repeats, stands for an image."""
    token = model.config.to_dict().get("image_token_id")
    return token is not None and bool((batch.ids[:, -1] == token).any())


def prompt_positions(
    model: PreTrainedModel, batch: Prompts, first: Sequence[int], images: dict[str, Any]
) -> Int[Tensor, "... g N"]:
    """Return the positions that the model (without wrappers) gives the prompts of some rows.

    ``first``: one row of each group; ``images``: of these only, with ``mm_token_type_ids``.
    """
    ids, mask = batch.ids[first], batch.mask[first]
    grid, kinds = images.get("image_grid_thw"), images.get("mm_token_type_ids")
    if model.config.model_type not in MROPE or grid is None or kinds is None:
        return plain_positions(mask)
    types = kinds[:, : ids.size(1)]
    return model.base_model.get_rope_index(ids, types, image_grid_thw=grid, attention_mask=mask)[0]


def score_groups(
    model: Any,
    states: CompletionStates,
    batch: Prompts,
    images: dict[str, Any],
    frozen: FrozenImages | None,
    tap: StateTap | None = None,
) -> tuple[Float[Tensor, "B T"], Float[Tensor, "B T"] | None]:
    """Return log-probs and, if the model's head gives it, entropy of every completion token.

    Both are 0 where there is no token, as in TRL.

    Args:
        model: TRL's model, in its wrappers, with its head fused by TRL.
        states: of the model inside.
        batch, images: the rows, ``regular``, and what TRL's batch holds of theirs, without None.
        frozen: the store of image features, if the vision tower is frozen.
        tap: takes the hidden states of completion tokens, where it is open.
    """
    groups = find_groups(batch, images)
    first = [rows[0] for rows in groups]
    chosen = select_rows(images, first)
    layout = build_layout(batch, groups, prompt_positions(states.model, batch, first, chosen))
    inputs, image = {key: chosen[key] for key in MODEL_KEYS if key in chosen}, None
    if frozen is not None and "image_grid_thw" in inputs:
        inputs, image = {}, frozen.output(chosen)
    index, labels, target = _at_least_one(layout)
    with states.only(index, image):
        output = model(
            input_ids=layout.input_ids,
            attention_mask=states.mask(layout),
            position_ids=layout.position_ids,
            shift_labels=labels[None],
            fused_lm_head=True,
            **inputs,
        )

    kept = states.take()
    if tap is not None and tap.on and kept is not None:
        places = kept.new_zeros(batch.completion_ids.numel(), kept.size(2))
        flat = places.index_copy(0, target, kept[0])
        tap.parts.append(flat.unflatten(0, batch.completion_ids.shape))

    def by_row(values: Float[Tensor, "1 K"]) -> Float[Tensor, "B T"]:
        flat = values.new_zeros(batch.completion_ids.numel()).scatter(0, target, values[0])
        return flat.view_as(batch.completion_ids)

    return by_row(output.log_probs), None if output.entropy is None else by_row(output.entropy)


def _at_least_one(layout: Layout) -> tuple[Tensor, Tensor, Tensor]:
    """Return index, labels and target; one ignored token if no completion has any."""
    if len(layout.labels):
        return layout.index, layout.labels, layout.target
    zero = layout.index.new_zeros(1)
    return zero, zero - 100, zero
