"""Decoding with ``generate``: rows that have ended leave the batch, and the cache has room ahead.

``generate`` decodes all B rows until the longest completion ends; completions of half the greatest
length cost as much as the longest. And its cache is copied whole for every token. Within ``leaner``

- a row whose last token was an end leaves keys, values and the forward; its logits are zeros, and
  ``generate`` puts a pad token whatever is sampled from them, as it does anyway after an end;
- keys and values stand in tensors with room for further tokens, which are written in place.

Every row that goes on gets the logits that it gets otherwise, up to the order in which floats are
added in a smaller batch, and is sampled with the same random numbers, for these are drawn for all B
rows as before.

Shapes: B rows of ``generate``, b of them left; N columns of the cache.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from transformers import DynamicCache, DynamicLayer, GenerationConfig, PreTrainedModel

ROOM = 64
"""Columns that are made at once."""
WORTH = 0.125
"""Least share of the rows left that have ended before they leave: leaving copies the cache."""
EVERY = 8
"""Steps between two looks at who has ended, each of which waits for the device."""

OF_THE_MODEL = (
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
    "decoder_start_token_id",
    "cache_implementation",
)
"""What generation takes from a model's own settings."""

ROW_KEYS = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids")
"""Arguments of a forward whose first axis is the row; ``position_ids`` may have one before it. With
others that tell rows apart (masks of cross-attention) rows do not leave."""


class RoomyLayer(DynamicLayer):
    """A layer of a cache whose keys and values are written in place as far as there is room."""

    _room: tuple[Tensor, Tensor] | None = None

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append keys and values ``[b, heads, new, width]``; return all of them."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        begin = self.get_seq_length()
        if not begin:  # most of a prompt comes at once; there may be nothing after it
            self.keys, self.values = key_states, value_states
            return self.keys, self.values
        end = begin + key_states.shape[-2]
        keys, values = self._with_room(end)
        keys[..., begin:end, :] = key_states
        values[..., begin:end, :] = value_states
        self.keys, self.values = keys[..., :end, :], values[..., :end, :]
        return self.keys, self.values

    def _with_room(self, columns: int) -> tuple[Tensor, Tensor]:
        """The tensors that ``keys`` and ``values`` are the beginning of, long enough."""
        room = self._room
        if room is not None and room[0].shape[-2] >= columns and self._begins(room):
            return room
        self._room = (_longer(self.keys, columns + ROOM), _longer(self.values, columns + ROOM))
        return self._room

    def _begins(self, room: tuple[Tensor, Tensor]) -> bool:
        """Whether keys and values still stand in there; selecting rows has made others."""
        pairs = zip((self.keys, self.values), room, strict=True)
        return all(
            one.data_ptr() == other.data_ptr() and one.shape[:-2] == other.shape[:-2]
            for one, other in pairs
        )


def _longer(one: Tensor, columns: int) -> Tensor:
    made = one.new_empty((*one.shape[:-2], columns, one.shape[-1]))
    made[..., : one.shape[-2], :] = one
    return made


def end_tokens(given: int | Sequence[int] | None) -> list[int]:
    """``eos_token_id`` of a generation config as a list."""
    if given is None:
        return []
    return [given] if isinstance(given, int) else list(given)


def bare(config: GenerationConfig) -> GenerationConfig:
    """Return a model's generation config without its ways of sampling (min_p, penalties, beams).

    ``generate`` fills in from the model's whatever a caller leaves open, so completions would be
    sampled from another distribution than the one that they are scored with.
    """
    kept = {
        name: value for name in OF_THE_MODEL if (value := getattr(config, name, None)) is not None
    }
    return GenerationConfig(**kept)


@contextmanager
def own_sampling(model: PreTrainedModel) -> Iterator[None]:
    """Within it ``model.generate`` fills in none of the model's own ways of sampling (``bare``)."""
    own = model.generation_config
    model.generation_config = bare(own)
    try:
        yield
    finally:
        model.generation_config = own


@contextmanager
def leaner(model: PreTrainedModel, ends: Sequence[int]) -> Iterator[None]:
    """Let ``model.generate`` within this context decode fewer rows as completions end.

    ``model`` is without wrappers; ``ends`` are the tokens that end a completion, the pad token may
    be among them. For sampling and greedy decoding of one sequence a row, whose logits are not
    returned. Caches of other kinds, sliding windows among them, and models that do not take
    position ids are left as they are.
    """
    rows = _Rows(ends)
    hooks = (
        model.register_forward_pre_hook(rows.before, with_kwargs=True),
        model.register_forward_hook(rows.after),
    )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


class _Rows:
    def __init__(self, ends: Sequence[int]) -> None:
        self.ends = list(ends)
        self.cache: DynamicCache | None = None  # the one that is decoded with
        self.ended: Bool[Tensor, " B"] | None = None
        self.left: Int[Tensor, " b"] | None = None  # None while all are
        self.step = 0

    def before(self, model: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        cache = kwargs.get("past_key_values")
        ids = kwargs.get("input_ids")
        if not isinstance(cache, DynamicCache) or not isinstance(ids, Tensor) or args:
            return None
        if not cache.get_seq_length():
            self._begin(cache)
            return None
        if cache is not self.cache or not _one_token(kwargs):
            return None
        self._look(ids[:, 0], cache)
        return None if self.left is None else (args, of_rows(kwargs, self.left))

    def _begin(self, cache: DynamicCache) -> None:
        self.cache, self.ended, self.left, self.step = None, None, None, 0
        if any(type(layer) is not DynamicLayer for layer in cache.layers):
            return
        self.cache = cache
        cache.layers = [RoomyLayer() for _ in cache.layers]
        if cache.layer_class_to_replicate is DynamicLayer:
            cache.layer_class_to_replicate = RoomyLayer

    def _look(self, tokens: Int[Tensor, " B"], cache: DynamicCache) -> None:
        now = torch.isin(tokens, torch.tensor(self.ends, device=tokens.device))
        self.ended = now if self.ended is None else self.ended | now
        self.step += 1
        if self.step % EVERY:
            return
        left = torch.arange(len(tokens), device=tokens.device) if self.left is None else self.left
        on = (~self.ended[left]).nonzero()[:, 0]
        if 0 < len(on) <= (1 - WORTH) * len(left):
            cache.batch_select_indices(on)
            self.left = left[on]

    def after(self, model: Any, args: Any, output: Any) -> None:
        if self.left is None or self.ended is None or len(output.logits) != len(self.left):
            return
        logits = output.logits.new_zeros((len(self.ended), *output.logits.shape[1:]))
        logits[self.left] = output.logits
        output.logits = logits


def of_rows(kwargs: dict[str, Any], rows: Sequence[int] | Int[Tensor, " b"]) -> dict[str, Any]:
    """Return the arguments of a forward for some of its rows."""
    given = (*ROW_KEYS, "position_ids")
    tensors = {key: kwargs[key] for key in given if isinstance(kwargs.get(key), Tensor)}
    fewer = {
        key: value[..., rows, :] if key == "position_ids" else value[rows]
        for key, value in tensors.items()
    }
    return {**kwargs, **fewer}


def _one_token(kwargs: dict[str, Any]) -> bool:
    """Whether a forward decodes a token a row, with all that tells rows apart in known places."""
    ids: Tensor = kwargs["input_ids"]
    mask = kwargs.get("attention_mask")
    if ids.shape[1] != 1 or not isinstance(kwargs.get("position_ids"), Tensor):
        return False
    others = [
        value
        for key, value in kwargs.items()
        if key not in (*ROW_KEYS, "position_ids") and isinstance(value, Tensor) and value.ndim
    ]
    plain = mask is None or (isinstance(mask, Tensor) and mask.ndim == 2)
    return plain and all(len(value) != len(ids) for value in others)
