"""The scorer: all log-probs come from here, the old, current and reference ones.

By the batch: with one forward per group (``shared``), row by row as TRL does, or, where some rows
have no image, row by row in chunks that keep the vision tower from them (``rows``).
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel

from noisygrpo.training.prefix.image_counts import ARGUMENT, asks_for_counts, with_counts
from noisygrpo.training.prefix.rows import Scores, blind_chunks, score_chunks
from noisygrpo.training.prefix.shared import SharedPrefix
from noisygrpo.training.rollout import Rollout


class Scorer:
    """Scores completions given the clean images."""

    def __init__(
        self,
        rows: Callable[..., Scores],
        core: Callable[[Any], PreTrainedModel],
        shared: SharedPrefix | None,
    ) -> None:
        """Take what scores.

        Args:
            rows: TRL's ``_get_per_token_logps_and_entropies``.
            core: returns a model without its wrappers.
            shared: scores groups; None scores rows.
        """
        self._rows, self._core, self.shared = rows, core, shared

    def start(self, rollouts: Sequence[Rollout], group: int) -> None:
        """Begin a batch of rollouts in groups: forget the features of the images of the last."""
        if self.shared is not None:
            images = sum(len(rollout.row.get("images") or [0]) for rollout in rollouts)
            self.shared.images.start(room=images // group + 1)

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
        size = batch_size or len(input_ids)
        score = partial(
            self._score,
            model,
            logits_to_keep=logits_to_keep,
            compute_entropy=compute_entropy,
            compute_aux_loss=compute_aux_loss,
        )
        if blind_chunks(images.get("num_images"), len(input_ids), size):
            batch = {"input_ids": input_ids, "attention_mask": attention_mask, **images}
            return score_chunks(score, batch, size)
        return score(input_ids, attention_mask, batch_size=batch_size, **images)

    def _score(
        self,
        model: Any,
        input_ids: Tensor,
        attention_mask: Tensor,
        batch_size: int | None = None,
        **options: Any,
    ) -> Scores:
        options.pop(ARGUMENT, None)  # TRL's function does not take it, and num_images is the same
        keep, entropy, aux = (
            options.pop(name) for name in ("logits_to_keep", "compute_entropy", "compute_aux_loss")
        )
        core, size = self._core(model), batch_size or len(input_ids)
        counts = options.get("num_images") or []
        tiled = asks_for_counts(core) and any(count > 1 for count in counts)
        if self.shared is not None and not tiled:
            found = self.shared.score(
                model, core, input_ids, attention_mask, keep, size, entropy, options
            )
            if found is not None:
                return found
        return self._rows(
            with_counts(model, counts, size) if tiled else model,
            input_ids,
            attention_mask,
            keep,
            batch_size=batch_size,
            compute_entropy=entropy,
            compute_aux_loss=aux,
            **options,
        )
