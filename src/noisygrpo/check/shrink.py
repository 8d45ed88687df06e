"""A model of the same architecture that is small enough to train a step on any machine.

Its configuration has the same class, tokens and kinds of layers; two layers of each part, few and
narrow. Heads keep their size, since rotary embeddings are tied to it.

    layers      2, of different kinds where there are some (linear and full attention)
    heads       2 (1 key-value head where the model shares them)
    hidden      heads x size of a head
    experts     at most 4
"""

from __future__ import annotations

import copy
from typing import Any

LAYERS = ("num_hidden_layers", "depth", "num_layers", "n_layers", "encoder_layers")
"""Where configurations keep how many layers a part has."""

INDEXES = ("fullatt_block_indexes", "deepstack_visual_indexes", "global_attn_indexes")
"""Where they keep which layers are of a kind."""

HEADS = ("num_attention_heads", "num_heads", "attention_heads", "encoder_attention_heads")
KEPT = 2
"""Layers that are left."""


def shrink(config: Any, *, narrow: bool = True) -> Any:
    """Return a small copy of a model's configuration.

    Args:
        config: a ``transformers.PreTrainedConfig``.
        narrow: make the layers narrow as well, not only few.
    """
    small = copy.deepcopy(config)
    parts = _parts(small)
    for part in parts:
        _cut_layers(part)
        if narrow:
            _cut_width(part)
    if narrow:
        _hand_over(parts, small.get_text_config())
    return small


def _hand_over(parts: list[Any], text: Any) -> None:
    """Let a tower give as wide features as the language model takes."""
    for part in parts:
        if part is text:
            continue
        if isinstance(vars(part).get("out_hidden_size"), int):
            part.out_hidden_size = text.hidden_size
        elif isinstance(vars(part).get("embed_dim"), int) and "depth" in vars(part):
            part.hidden_size = text.hidden_size  # Qwen2-VL's name for it


def _parts(config: Any) -> list[Any]:
    """The configuration and those within it."""
    found = [config]
    for name in getattr(config, "sub_configs", {}):
        part = getattr(config, name, None)
        if part is not None and hasattr(part, "to_dict"):
            found += _parts(part)
    return found


def _cut_layers(part: Any) -> None:
    for name in LAYERS:
        count = vars(part).get(name)
        if isinstance(count, int) and count > KEPT:
            for key, value in list(vars(part).items()):
                if isinstance(value, list) and len(value) == count:
                    setattr(part, key, _two_kinds(value))
            setattr(part, name, KEPT)
    for name in INDEXES:
        places = vars(part).get(name)
        if isinstance(places, list) and places:
            setattr(part, name, list(range(KEPT))[-min(len(places), KEPT) :])
    for name in ("max_window_layers", "first_k_dense_replace"):
        if isinstance(vars(part).get(name), int):
            setattr(part, name, min(vars(part)[name], KEPT))
    for name, most in (("num_experts", 4), ("num_local_experts", 4), ("num_experts_per_tok", 2)):
        if isinstance(vars(part).get(name), int):
            setattr(part, name, min(vars(part)[name], most))


def _two_kinds(values: list[Any]) -> list[Any]:
    """Two values of a list, different ones if there are some."""
    other = next((value for value in values if value != values[0]), values[1])
    return [values[0], other]


def _cut_width(part: Any) -> None:
    width = vars(part).get("hidden_size", vars(part).get("embed_dim"))
    heads_name = next((name for name in HEADS if isinstance(vars(part).get(name), int)), None)
    if not isinstance(width, int) or heads_name is None or vars(part)[heads_name] <= 2:
        return
    heads = vars(part)[heads_name]
    size = vars(part).get("head_dim") or width // heads
    shared = vars(part).get("num_key_value_heads")
    setattr(part, heads_name, 2)
    if isinstance(shared, int):
        part.num_key_value_heads = 2 if shared == heads else 1
    for name in ("hidden_size", "embed_dim"):
        if isinstance(vars(part).get(name), int):
            setattr(part, name, 2 * size)
    for name in ("intermediate_size", "moe_intermediate_size", "shared_expert_intermediate_size"):
        if isinstance(vars(part).get(name), int):
            setattr(part, name, min(vars(part)[name], 4 * size))
