"""Shared prefixes: which rows are scored by one forward per group, and how groups stay together.

The rows of a prompt are scored with one forward (``groups``) where model, settings and batch allow
it; where not, row by row, and one warning says why.

For that, whole groups are shuffled instead of rows (``shuffle_groups``), drawing the one random
number that TRL draws. A micro-batch of a multiple of G rows then holds whole groups; one of a
divisor of G rows holds a part of one group and shares the prefix within it; any other holds some
whole groups and some parts. Which rows share is read off the rows, so none of these is a special
case.

The loss of an optimizer step is the same sum as with rows shuffled one by one, as long as a
generation batch is one optimizer step (``steps_per_generation`` equal to
``gradient_accumulation_steps``, the default). With several steps per generation batch each step
gets whole groups, where TRL would mix rows of all.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from transformers import PreTrainedModel
from trl.trainer.utils import split_tensor_dict, unsplit_pixel_values_by_grid

from noisygrpo.training.prefix.flex import check_device
from noisygrpo.training.prefix.frozen_images import FrozenImages, is_frozen, same_tower
from noisygrpo.training.prefix.groups import (
    KNOWN_KEYS,
    MROPE,
    CompletionStates,
    image_token_ends,
    score_groups,
)
from noisygrpo.training.prefix.layout import Prompts, keep_groups
from noisygrpo.training.prefix.rows import Scores, split_images, take
from noisygrpo.training.prefix.states import StateTap

logger = logging.getLogger(__name__)


class SharedPrefix:
    """Scores the completions of a prompt with one forward; made once per run, for its models."""

    def __init__(
        self,
        model: PreTrainedModel,
        reference: PreTrainedModel | None,
        *,
        kernel: str,
        device: torch.device,
        autocast: Callable[[], AbstractContextManager[Any]],
        sharded: bool,
        anyone: Callable[[bool], bool],
    ) -> None:
        """Prepare the models: hooks on their backbones, and the attention of groups.

        Args:
            model, reference: without their wrappers.
            kernel: ``sdpa`` or ``flex``.
            device, autocast: the accelerator's.
            sharded: whether a process holds a part of the weights.
            anyone: tells whether something holds here or, with these sharded, on any process.
        """
        if kernel == "flex":
            check_device(device)
        models = [model] if reference is None else [model, reference]
        self._states = {id(one): CompletionStates(one, kernel) for one in models}
        self._autocast, self._said = autocast, set[str]()
        self.images = FrozenImages(anyone)
        frozen = model.config.model_type in MROPE and is_frozen(model)
        # Parts of weights cannot be compared here, so then the reference has its own features.
        self._frozen = {
            id(one): frozen and (one is model or (not sharded and same_tower(model, one)))
            for one in models
        }

    def takes(self, core: PreTrainedModel, batch: Prompts, images: dict[str, Any]) -> bool:
        """Tell whether rows can share their prompts; where not, say why once.

        ``core`` is the model without wrappers, ``images`` what there is of theirs by TRL's names.
        """
        reason = None
        if unknown := images.keys() - KNOWN_KEYS:
            reason = f"the batch holds {', '.join(sorted(unknown))}"
        elif not batch.regular:
            reason = "a prompt has a single token, or padding between its tokens"
        elif image_token_ends(batch, core):
            reason = "a prompt ends with an image"
        if reason is not None and reason not in self._said:
            self._said.add(reason)
            warn_rows(reason)
        return reason is None

    def score(
        self,
        model: Any,
        core: PreTrainedModel,
        batch: Prompts,
        images: dict[str, Any],
        tap: StateTap | None = None,
    ) -> Scores:
        """Return log-probs and entropies; arguments as ``takes``, and the model with wrappers.

        ``tap`` takes the hidden states, where it is open.
        """
        frozen = self.images if self._frozen[id(core)] else None
        with self._autocast():
            return *score_groups(model, self._states[id(core)], batch, images, frozen, tap), None


def warn_rows(reason: str) -> None:
    """Say why rows are scored one by one."""
    logger.warning("shared_prefix: completions are scored row by row, as %s", reason)


def shuffle_groups(
    scored: dict[str, Any], steps: int, first: int, group: int
) -> list[dict[str, Any]]:
    """Return TRL's scored batch as ``steps`` micro-batches, its groups shuffled as wholes.

    That is TRL's shuffling, by the same random numbers, but for pixels that are padded to one row a
    sample (``split_images``).

    ``first``: position of its first row in the batch over all processes; ``group``: G, or 1 where
    rows may go apart.
    """
    split = split_images(scored)
    order = keep_groups(torch.randperm(len(split["prompt_ids"])), first, group)
    shuffled = {key: take(value, order.tolist()) for key, value in split.items()}
    return [unsplit_pixel_values_by_grid(part) for part in split_tensor_dict(shuffled, steps)]
