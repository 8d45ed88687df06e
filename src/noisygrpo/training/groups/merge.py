"""One batch of groups from several that TRL scored.

Batches differ in width: prompts are padded on the left, completions on the right, as TRL pads them.

Shapes: B rows of a batch, N prompt tokens, T completion tokens.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from trl.trainer.utils import unsplit_pixel_values_by_grid

from noisygrpo.training.batch import Batch
from noisygrpo.training.prefix.rows import present, split_images, take
from noisygrpo.training.views.score import LOG_PROBS, with_as_many

PROMPT = ("prompt_ids", "prompt_mask")
"""What is padded on the left, to the longest prompt."""

KINDS = ("token_type_ids", "mm_token_type_ids")
"""What is as wide as prompt and completion together."""

Made = tuple[Batch, dict[str, Any]]
Chosen = Sequence[tuple[int, int]]
"""For each group of the result: number of the batch, and its place in it."""


def merge_batches(made: Sequence[Made], own: Chosen, every: Chosen, group: int) -> Batch:
    """Return the batch whose groups are chosen from several.

    Args:
        made: the batches, each with the rewards of all processes.
        own: this process's groups, with places in its own part of a batch.
        every: all groups, with places in the whole batch.
        group: G.
    """

    def rows(chosen: Chosen) -> list[tuple[int, int]]:
        return [(n, place * group + index) for n, place in chosen for index in range(group)]

    batches = [batch for batch, _ in made]
    rollouts = [batches[n].rollouts[row] for n, row in rows(own)]
    merged = Batch(rollouts, training=True)
    merged.prompts = [batches[n].prompts[row] for n, row in rows(own)]
    merged.hinted = batches[0].hinted
    merged.rewards = torch.stack([batches[n].rewards[row] for n, row in rows(every)])
    merged.lost = torch.stack([batches[n].lost[row] for n, row in rows(every)])
    return merged


def merge_outputs(
    outputs: Sequence[dict[str, Any]],
    own: Chosen,
    group: int,
    pad_token: int,
    total: Callable[[Tensor], Tensor],
) -> dict[str, Any]:
    """Return TRL's scored batch of the chosen groups; ``total`` sums over processes."""
    parts = [split_images(present(one)) for one in with_as_many(outputs)]
    prompt = max(part["prompt_ids"].size(1) for part in parts)
    length = max(part["completion_ids"].size(1) for part in parts)
    parts = [_padded(part, prompt, length, pad_token) for part in parts]
    merged: dict[str, Any] = {}
    for key in dict.fromkeys(key for part in parts for key in part):
        values = [part[key] if key in part else _nothing(key, part, parts) for part in parts]
        picked = [take(values[n], range(place * group, (place + 1) * group)) for n, place in own]
        if isinstance(values[0], list):
            merged[key] = [row for rows in picked for row in rows]
        elif values[0].ndim:
            merged[key] = torch.cat(_alike(picked))
    mask = merged["completion_mask"]
    mask = mask * merged["tool_mask"] if "tool_mask" in merged else mask
    merged["num_items_in_batch"] = total(mask.sum()).to(outputs[0]["num_items_in_batch"])
    return unsplit_pixel_values_by_grid(merged)


def _padded(part: dict[str, Any], prompt: int, length: int, token: int) -> dict[str, Any]:
    """Return a split batch with prompts and completions of given widths."""
    before, after = prompt - part["prompt_ids"].size(1), length - part["completion_ids"].size(1)
    old = part["completion_ids"].size(1)

    def fit(key: str, value: Any) -> Any:
        if not isinstance(value, Tensor) or value.ndim < 2 or key == "pixel_values":
            return value
        if key in PROMPT:
            return pad(value, (before, 0), value=token if key == "prompt_ids" else 0)
        if key in KINDS:
            return pad(value, (before, after))
        if key == "importance_sampling_ratio" and value.size(1) == 1:  # one for a completion
            return value.expand(-1, length)
        if key in LOG_PROBS or (value.ndim == 2 and value.size(1) == old):
            return pad(value, (0, after), value=token if key == "completion_ids" else 0)
        return value

    return {key: fit(key, value) for key, value in part.items()}


def _nothing(key: str, part: dict[str, Any], parts: Sequence[dict[str, Any]]) -> Any:
    """Return what a batch without images holds in the place of what others have of theirs."""
    rows = len(part["prompt_ids"])
    like = next(other[key] for other in parts if key in other)
    if key == "num_images":
        return [0] * rows
    if isinstance(like, list):
        return [like[0][:0]] * rows
    return torch.zeros_like(like[:1]).expand(rows, *like.shape[1:])


def _alike(values: Sequence[Tensor]) -> list[Tensor]:
    """Return tensors with all axes but the first filled up with 0 to the longest."""
    shape = [max(sizes) for sizes in zip(*(value.shape[1:] for value in values), strict=True)]

    def fit(value: Tensor) -> Tensor:
        wanted = zip(reversed(shape), reversed(value.shape[1:]), strict=True)
        return pad(value, [n for most, size in wanted for n in (0, most - size)])

    return [fit(value) for value in values]
