"""The scorer: all log-probs come from here, the old, current and reference ones.

A batch is scored a chunk of rows at a time (``rows``), so that a chunk without images does not
reach the vision tower: with one forward per group (``shared``), or row by row as TRL does.

LLaVA-OneVision cuts an image into tiles only where it is the row's one image. Its processor says so
in ``batch_num_images``, which TRL neither accepts in scoring nor keeps for the update; without it
the model takes every row for one of a single image and finds too few image tokens. TRL's
``num_images`` holds the same numbers, so here a model that asks is told.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from noisygrpo.training.prefix.layout import cut
from noisygrpo.training.prefix.rows import Scores, chunks
from noisygrpo.training.prefix.shared import SharedPrefix
from noisygrpo.training.prefix.states import StateTap
from noisygrpo.training.rollout import Rollout

COUNTS = "batch_num_images"
"""Argument of a model's forward: the number of images of each row."""


@dataclass
class Scorer:
    """Scores completions given the clean images."""

    rows: Callable[..., Scores]  # TRL's ``_get_per_token_logps_and_entropies``
    core: Callable[[Any], PreTrainedModel]  # returns a model without its wrappers
    shared: SharedPrefix | None  # scores groups; None scores rows
    tap: StateTap = field(default_factory=StateTap)  # takes hidden states where they are asked for

    def start(self, rollouts: Sequence[Rollout], group: int, views: int = 1) -> None:
        """Begin a batch of rollouts in groups: forget the features of the images of the last.

        ``views``: how many pictures a group's completions are scored on, for each of its images.
        """
        if self.shared is not None:
            images = sum(len(rollout.row.get("images") or [0]) for rollout in rollouts)
            self.shared.images.start(room=views * (images // group + 1))

    def score(
        self,
        model: Any,
        input_ids: Tensor,
        attention_mask: Tensor,
        logits_to_keep: int,
        batch_size: int | None = None,
        compute_entropy: bool = False,
        compute_aux_loss: bool = False,
        **images: Any,
    ) -> Scores:
        """Return log-probs ``[B, T]``, entropies and the auxiliary loss; arguments are TRL's."""
        images.pop(COUNTS, None)  # TRL's function does not take it
        batch = {"input_ids": input_ids, "attention_mask": attention_mask, **images}
        options = {"compute_entropy": compute_entropy, "compute_aux_loss": compute_aux_loss}
        parts = chunks(batch, batch_size or len(input_ids))
        scores = [self._chunk(model, logits_to_keep, options, **part) for part in parts]
        log_probs, entropies, aux = zip(*scores, strict=True)
        return (
            torch.cat(log_probs),
            torch.cat(entropies) if compute_entropy else None,
            torch.stack(aux).mean() if compute_aux_loss else None,
        )

    def _chunk(
        self,
        model: Any,
        keep: int,
        options: dict[str, bool],
        input_ids: Tensor,
        attention_mask: Tensor,
        **images: Any,
    ) -> Scores:
        core, counts = self.core(model), images.get("num_images", [])
        tiles = COUNTS in inspect.signature(core.base_model.forward).parameters
        if tiles and max(counts, default=0) > 1:
            model = partial(model, **{COUNTS: torch.tensor(counts, device=input_ids.device)})
        elif self.shared is not None:
            prompts = cut(input_ids, attention_mask, keep)
            if self.shared.takes(core, prompts, images):
                return self.shared.score(model, core, prompts, images, self.tap)
        with self.tap.rows(core.base_model, keep):
            return self.rows(model, input_ids, attention_mask, keep, **options, **images)
