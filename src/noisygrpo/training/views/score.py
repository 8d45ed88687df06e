"""Score views: every completion on every distinct view of its group (``score_view: all``).

With D views of a group, each row of a batch becomes D rows of the same completion and advantage,
and everything that TRL computes of a row (ratio, clipping, KL) is computed on each view:

    loss = mean over completions i and views d of loss(o_i | view d)

A second view is one for all of them, and every row is compared with it: a term of the loss is a
mean over completions and views like the loss itself, and visual dependence, which has one number
for a token, is the mean over the views.

All groups of a batch have as many rows: where one has fewer views (text-only rows have one), its
own are repeated in turn. ``clean`` and ``own`` need nothing of this: they are a matter of which
image TRL is given (``show``).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from noisygrpo.training.batch import Batch
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.prefix.layout import group_numbers, group_rows
from noisygrpo.training.prefix.rows import Scores, select_rows
from noisygrpo.training.views.pixels import pixel_rows, with_pixels
from noisygrpo.training.views.show import Tokenize

VIEWS = "view_pixels"
"""What a batch holds of its views: for each row the pixels of each view."""

OWN = "own_view"
"""What a batch holds of each row: the number of the view that its rollout was sampled on."""

LOG_PROBS = ("old_per_token_logps", "ref_per_token_logps")
"""What TRL scores before the update; here ``[B, D, T]``."""


def pictures(config: NoisyGRPOConfig) -> int:
    """Return how many pictures stand for each image of a group in a batch, at most."""
    scored = 1 if config.score_view == "clean" else config.num_generations
    return scored + (config.second_view != "none")


def most_views(batch: Batch) -> int:
    """Return how many distinct views a group has at most."""
    return max(len(rollout.peers()) for rollout in batch.rollouts)


def view_rows(
    batch: Batch, fields: dict[str, Any], tokenize: Tokenize, count: int
) -> list[list[Tensor]]:
    """Return, for each row, the pixels of ``count`` views; drawn once per prompt.

    ``fields``: what TRL scores rows with, of the clean images.
    """
    assert batch.shown is not None
    rollouts, shown = batch.rollouts, batch.shown
    names = [rollout.example_id for rollout in rollouts]
    groups = group_rows(len(names), lambda row, other: names[row] == names[other])
    first = [rows[0] for rows in groups]
    peers = [rollouts[row].peers() for row in first]
    drawn: list[list[Tensor]] = [[] for _ in groups]
    for number in range(count):
        views = [row_peers[number % len(row_peers)] for row_peers in peers]
        seen = [view.see(shown.clean[row]) for view, row in zip(views, first, strict=True)]
        prompts = [shown.prompts[row] for row in first]
        pixels = pixel_rows(fields, first, prompts, seen, tokenize)
        for home, one in zip(drawn, pixels, strict=True):
            home.append(one)
    return [drawn[number] for number in group_numbers(groups)]


@dataclass
class AllViews:
    """The views of the batch in the making, and what TRL's forwards gave on them."""

    rows: list[list[Tensor]] = field(default_factory=list)
    own: list[int] = field(default_factory=list)  # number of the view that each was sampled on
    scores: list[Tensor] = field(default_factory=list)  # [B, D, T] of each forward, in order

    def score(self, once: Any, fields: dict[str, Any]) -> Scores:
        """Return scores on the view that each row was sampled on; keep those on all views.

        TRL compares what it is given with the sampler's own log-probs. ``once`` scores rows with
        the image fields that it is given.
        """
        views = [with_pixels(fields, [row[d] for row in self.rows]) for d in range(self.count)]
        found = [once(**view) for view in views]
        self.scores.append(torch.stack([log_probs for log_probs, *_ in found], 1))
        _, entropies, aux = found[0]
        return self.scores[-1][range(len(self.rows)), self.own], entropies, aux

    @property
    def count(self) -> int:
        """How many views a row has."""
        return len(self.rows[0])

    def attach(self, output: dict[str, Any]) -> None:
        """Add the views to TRL's scored batch, and the log-probs on all of them."""
        output[VIEWS] = self.rows
        output[OWN] = torch.tensor(self.own, device=output["prompt_ids"].device)
        scored = [key for key in LOG_PROBS if key in output]
        for key, scores in zip(scored, self.scores, strict=True):
            output[key] = scores


def expand(inputs: dict[str, Any]) -> dict[str, Any]:
    """Return a micro-batch with a row for each completion and view; as it is without views."""
    views = inputs.get(VIEWS)
    if views is None:
        return inputs
    count, rows = len(views[0]), range(len(views))
    plain = {key: value for key, value in inputs.items() if key not in (VIEWS, *LOG_PROBS)}
    repeated = select_rows(plain, [row for row in rows for _ in range(count)])
    repeated = with_pixels(repeated, [pixels for row in views for pixels in row])
    log_probs = {key: inputs[key].flatten(0, 1) for key in LOG_PROBS if key in inputs}
    items = {"num_items_in_batch": inputs["num_items_in_batch"] * count}
    return {**repeated, **log_probs, **items}


def each_view(batch: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Return a scored batch on each view of its rows in turn; as it is where it has one."""
    if VIEWS not in batch:
        yield batch
        return
    for number in range(len(batch[VIEWS][0])):
        yield with_pixels(batch, [row[number] for row in batch[VIEWS]])


def on_own_view(inputs: dict[str, Any], log_probs: Tensor) -> Tensor:
    """Return log-probs ``[B, T]`` of what each rollout was sampled on.

    ``log_probs`` of a micro-batch: ``[B, D, T]``, ``[B D, T]``, or without views ``[B, T]``.
    """
    if VIEWS not in inputs:
        return log_probs
    rows = len(inputs[VIEWS])
    by_view = log_probs.reshape(rows, -1, log_probs.size(-1))
    return by_view[torch.arange(rows, device=by_view.device), inputs[OWN]]


def with_as_many(batches: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return scored batches whose rows all have as many views: those of fewer repeat their own."""
    most = max((len(rows) for batch in batches for rows in batch.get(VIEWS, [])), default=0)
    return [_repeated(batch, most) if VIEWS in batch else batch for batch in batches]


def _repeated(batch: dict[str, Any], count: int) -> dict[str, Any]:
    order = [number % len(batch[VIEWS][0]) for number in range(count)]
    views = [[row[number] for number in order] for row in batch[VIEWS]]
    return {
        **batch,
        VIEWS: views,
        **{key: batch[key][:, order] for key in LOG_PROBS if key in batch},
    }
