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
from torch import Tensor
from transformers import PreTrainedModel
from trl.trainer.utils import (
    split_pixel_values_by_grid,
    split_tensor_dict,
    unsplit_pixel_values_by_grid,
)

from noisygrpo.training.prefix.flex import check_device
from noisygrpo.training.prefix.frozen_images import FrozenImages, is_frozen, same_tower
from noisygrpo.training.prefix.groups import (
    KNOWN_KEYS,
    CompletionStates,
    Prompts,
    image_token_ends,
    obstacle,
    score_groups,
)
from noisygrpo.training.prefix.layout import keep_groups
from noisygrpo.training.prefix.rows import Scores

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
        anyone: Callable[[bool], bool] | None,
    ) -> None:
        """Prepare the models: hooks on their backbones, and the attention of groups.

        Args:
            model, reference: without their wrappers.
            kernel: ``sdpa`` or ``flex``.
            device: where they compute.
            autocast: of the accelerator.
            anyone: where weights are sharded, tells whether something holds on any process.
        """
        if kernel == "flex":
            check_device(device)
        models = [model] if reference is None else [model, reference]
        self._states = [CompletionStates(one, kernel) for one in models]
        self._autocast, self._said = autocast, set[str]()
        self.images = FrozenImages(bool if anyone is None else anyone)
        frozen = self._states[0].mrope and is_frozen(model)
        # Parts of weights cannot be compared here, so then the reference has its own features.
        self._frozen = {
            id(one): frozen and (one is model or (anyone is None and same_tower(model, one)))
            for one in models
        }

    def score(
        self,
        model: Any,
        core: PreTrainedModel,
        input_ids: Tensor,
        attention_mask: Tensor,
        keep: int,
        size: int,
        entropy: bool,
        images: dict[str, Any],
    ) -> Scores | None:
        """Return the scores of the last ``keep`` tokens; None for a batch that cannot share.

        Args:
            model: what is called; ``core`` is the same without wrappers.
            input_ids, attention_mask: ``[B, N + T]``.
            keep: T.
            size: rows of a chunk.
            entropy: whether entropies are asked for.
            images: what the batch holds of them, by TRL's names.
        """
        batch = _cut(input_ids, attention_mask, keep)
        images = {key: value for key, value in images.items() if value is not None}
        reason = _batch_obstacle(batch, images, core)
        if reason is not None:
            warn_once(reason, self._said)
            return None
        states = next(states for states in self._states if states.model is core)
        frozen = self.images if self._frozen[id(core)] else None
        with self._autocast():
            scored = [
                score_groups(model, states, *part, frozen) for part in _chunks(batch, images, size)
            ]
        log_probs, entropies = zip(*scored, strict=True)
        return torch.cat(log_probs), torch.cat(entropies) if entropy else None, None


def warn_once(reason: str, said: set[str]) -> None:
    """Say why rows are scored one by one, once for every reason."""
    if reason not in said:
        said.add(reason)
        logger.warning("shared_prefix: completions are scored row by row, as %s", reason)


def run_obstacle(
    model: PreTrainedModel, *, turns: bool, experts: bool, prompt_learning: bool, kernel: str
) -> str | None:
    """Return why no batch of a run can share prefixes; None if they can.

    Args:
        model: without its wrappers.
        turns: whether tools or environments add to completions.
        experts: whether the loss has a term for the balance of a mixture of experts.
        prompt_learning: whether the adapter puts tokens in front of the prompt.
        kernel: ``sdpa`` or ``flex``.
    """
    if turns:
        return "tools may add images to completions"
    if experts:
        return "the balance of a mixture of experts is a matter of all tokens"
    if prompt_learning:
        return "the adapter puts tokens in front of the prompt"
    if kernel == "flex" and _attention_dropout(model):
        return "FlexAttention has no dropout"
    return obstacle(model)


def shuffle_groups(
    scored: dict[str, Any], steps: int, first: int, group: int
) -> list[dict[str, Any]]:
    """Return a scored batch as ``steps`` micro-batches, its groups shuffled as wholes.

    Args:
        scored: TRL's scored batch of this process.
        steps: micro-batches.
        first: position of its first row in the batch over all processes.
        group: G.
    """
    split = split_pixel_values_by_grid(scored)
    order = keep_groups(torch.randperm(len(split["prompt_ids"])), first, group)
    shuffled = {key: _reorder(value, order) for key, value in split.items()}
    return [unsplit_pixel_values_by_grid(part) for part in split_tensor_dict(shuffled, steps)]


def _attention_dropout(model: PreTrainedModel) -> float:
    return float(model.config.get_text_config().to_dict().get("attention_dropout") or 0.0)


def _reorder(value: Any, order: Tensor) -> Any:
    """Return the rows in this order; what is no row-wise value is left as it is."""
    if isinstance(value, Tensor):
        return value[order.to(value.device)] if value.ndim else value
    return None if value is None else [value[row] for row in order.tolist()]


def _cut(input_ids: Tensor, mask: Tensor, keep: int) -> Prompts:
    width = input_ids.size(1) - keep
    return Prompts(input_ids[:, :width], mask[:, :width], input_ids[:, width:], mask[:, width:])


def _batch_obstacle(batch: Prompts, images: dict[str, Any], model: PreTrainedModel) -> str | None:
    unknown = images.keys() - KNOWN_KEYS
    if unknown:
        return f"the batch holds {', '.join(sorted(unknown))}"
    if not batch.regular:
        return "a prompt has a single token, or padding between its tokens"
    if image_token_ends(batch, model):
        return "a prompt ends with an image"
    return None


def _chunks(
    batch: Prompts, images: dict[str, Any], size: int
) -> list[tuple[Prompts, dict[str, Any]]]:
    """Return the batch in parts of ``size`` rows."""
    rows = len(batch.ids)
    if size >= rows:
        return [(batch, images)]
    split = split_pixel_values_by_grid(images)
    parts = []
    for start in range(0, rows, size):
        here = slice(start, start + size)
        part = Prompts(*(value[here] for value in vars(batch).values()))
        chosen = {key: value[here] for key, value in split.items()}
        parts.append((part, unsplit_pixel_values_by_grid(chosen)))
    return parts
