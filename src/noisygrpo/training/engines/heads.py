"""The text before the pictures, read once for all views of a prompt.

Noisy rollouts of a prompt differ in their pictures, but not in what stands before these: the
system's message, perhaps the question. In a left-padded batch that is the columns ``[0, c)`` up to
the first place of a picture, the head, of which a group has few different ones:

    cache      = forward(different heads)            V rows of c columns, then repeated for U rows
    its logits = forward(columns [c, N) | cache)     U rows, as before

    V c + U (N - c)  columns instead of  U N

No token of a head sees a picture, so its keys and values are what they are in the whole row, up to
the order in which floats are added. It is done where it spares a tenth of the columns or more: less
is not worth a forward.

Shapes: U rows of N columns, V different heads.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from transformers import PreTrainedModel

from noisygrpo.training.prefix.layout import group_numbers, group_rows

WORTH = 0.1
"""Least share of the columns of a prefill that makes up for another forward."""

COLUMN_KEYS = ("input_ids", "token_type_ids", "mm_token_type_ids", "position_ids")
"""Arguments of a forward whose last axis is the column; the mask keeps all, for it masks the
cache as well."""


@dataclass(frozen=True)
class Heads:
    """Reads the heads of a prefill into its cache."""

    autocast: Callable[[], AbstractContextManager[Any]]  # that of the model's own forward

    def read(self, model: PreTrainedModel, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return what is left to do of a prefill with these arguments: all of it, or less.

        ``kwargs``: of the model's forward, with an empty dynamic cache, which is filled in place.
        """
        ids, mask = kwargs["input_ids"], kwargs.get("attention_mask")
        positions, cache = kwargs.get("position_ids"), kwargs["past_key_values"]
        if not isinstance(positions, Tensor) or any(cache.is_sliding):
            return kwargs
        mask = torch.ones_like(ids) if mask is None else mask
        columns = head_columns(ids, placeholders(model))
        both = torch.stack((ids, mask), 1)[..., :columns]
        same = group_rows(len(ids), lambda row, other: torch.equal(both[row], both[other]))
        if (len(ids) - len(same)) * columns < WORTH * ids.numel():
            return kwargs
        first = [rows[0] for rows in same]
        with self.autocast():  # a module inside of the model does not enter it by itself
            model.base_model(
                input_ids=ids[first, :columns],
                attention_mask=mask[first, :columns],
                position_ids=positions[..., first, :columns],
                past_key_values=cache,
                use_cache=True,
            )
        cache.batch_select_indices(torch.tensor(group_numbers(same), device=ids.device))
        rest = {key: kwargs[key] for key in COLUMN_KEYS if isinstance(kwargs.get(key), Tensor)}
        return {**kwargs, **{key: value[..., columns:] for key, value in rest.items()}}


def placeholders(model: PreTrainedModel) -> list[int]:
    """Return the tokens that stand for what a model sees."""
    config = model.config.to_dict()
    named = (config.get(f"{kind}_token_id") for kind in ("image", "video"))
    return [token for token in named if token is not None]


def head_columns(ids: Int[Tensor, "U N"], vision: list[int]) -> int:
    """Return how many columns stand before every picture; 0 where there is none."""
    seen = torch.isin(ids, torch.tensor(vision, dtype=ids.dtype, device=ids.device)).any(0)
    places = seen.nonzero()
    return int(places[0]) if len(places) else 0
