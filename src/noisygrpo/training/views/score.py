"""Score views: every completion on every distinct view of its group (``score_view: all``).

With D views of a group, each row of a batch becomes D rows of the same completion and advantage,
and everything that TRL computes of a row (ratio, clipping, KL) is computed on each view:

    loss = mean over completions i and views d of loss(o_i | view d)

All groups of a batch have as many rows: where one has fewer views (text-only rows have one), its
own are repeated in turn. ``clean`` and ``own`` need nothing of this: they are a matter of which
image TRL is given (``show``).
"""

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
    scores: list[Tensor] = field(default_factory=list)  # [B, D, T] of each forward, in order

    def score(self, once: Any, fields: dict[str, Any]) -> Scores:
        """Return the first view's scores, as TRL wants some; keep those of all.

        ``once`` scores rows with the image fields that it is given.
        """
        views = [with_pixels(fields, [row[d] for row in self.rows]) for d in range(self.count)]
        found = [once(**view) for view in views]
        self.scores.append(torch.stack([log_probs for log_probs, *_ in found], 1))
        first: Scores = found[0]
        return first

    @property
    def count(self) -> int:
        """How many views a row has."""
        return len(self.rows[0])

    def attach(self, output: dict[str, Any]) -> None:
        """Add the views to TRL's scored batch, and the log-probs on all of them."""
        output[VIEWS] = self.rows
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
