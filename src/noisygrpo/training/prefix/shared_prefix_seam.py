"""Shared prefixes in TRL's trainer: which rows are scored together, and how.

Two places of TRL are overridden:

- ``_get_per_token_logps_and_entropies``, from which the old, current and reference log-probs come,
  scores the rows of a prompt with one forward (``shared_prefix``), or row by row where that does
  not hold, and says so once;
- ``_prepare_inputs`` shuffles whole groups instead of rows (``shared_prefix_layout.keep_groups``),
  drawing the one random number that TRL draws. A micro-batch of a multiple of G rows then holds
  whole groups; one of a divisor of G rows holds a part of one group and shares the prefix within
  it; any other holds some whole groups and some parts. Which rows share is read off the rows, so
  none of these is a special case.

The loss of an optimizer step is the same sum as with rows shuffled one by one, as long as a
generation batch is one optimizer step (``steps_per_generation`` equal to
``gradient_accumulation_steps``, the default). With several steps per generation batch each step
gets whole groups, where TRL would mix rows of all.
"""

import logging
from functools import partial
from typing import Any

import torch
from accelerate.utils import is_peft_model
from torch import Tensor
from transformers import PreTrainedModel
from trl.trainer.utils import (
    split_pixel_values_by_grid,
    split_tensor_dict,
    unsplit_pixel_values_by_grid,
)

from noisygrpo.training.config import NoisyGRPOConfig
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
from noisygrpo.training.prefix.image_counts import ARGUMENT, asks_for_counts, with_counts
from noisygrpo.training.prefix.layout import keep_groups
from noisygrpo.training.prefix.rows import Scores
from noisygrpo.training.records.resume import ResumeSeam
from noisygrpo.training.sharding import weights_sharded

logger = logging.getLogger(__name__)


class SharedPrefixSeam(ResumeSeam):
    """``trl.GRPOTrainer`` that reads the prompt of a group once; unchanged if that is off."""

    args: NoisyGRPOConfig
    _buffered_inputs: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take TRL's arguments; the model is prepared where ``shared_prefix`` is on and holds."""
        self._states: list[CompletionStates] = []
        self._frozen_images = FrozenImages()
        self._frozen: dict[int, bool] = {}
        self._said: set[str] = set()
        super().__init__(*args, **kwargs)
        if self.args.shared_prefix:
            self._share_prefixes()

    def _share_prefixes(self) -> None:
        model = self._core(self.model)
        reason = self._obstacle(model)
        if reason is not None:
            self._say(reason)
            return
        sharded = weights_sharded(self)
        if sharded:
            self._frozen_images = FrozenImages(self._on_any_process)
        models = [model] if self.ref_model is None else [model, self._core(self.ref_model)]
        kernel = self.args.shared_prefix_kernel
        if kernel == "flex":
            check_device(self.accelerator.device)
        self._states = [CompletionStates(one, kernel) for one in models]
        frozen = self._states[0].mrope and is_frozen(model)
        # Parts of weights cannot be compared here, so then the reference has its own features.
        self._frozen = {
            id(one): frozen and (one is model or (not sharded and same_tower(model, one)))
            for one in models
        }

    def _on_any_process(self, here: bool) -> bool:
        flag = torch.tensor([here], device=self.accelerator.device)
        return bool(self.accelerator.gather(flag).any())

    def _core(self, model: Any) -> PreTrainedModel:
        """Return the model inside its wrappers for adapters and several processes."""
        model = self.accelerator.unwrap_model(model)
        return model.get_base_model() if is_peft_model(model) else model

    def _obstacle(self, model: PreTrainedModel) -> str | None:
        if self.tools or self.environment_factories is not None:
            return "tools may add images to completions"
        if self.aux_loss_enabled:
            return "the balance of a mixture of experts is a matter of all tokens"
        if is_peft_model(self.model) and self.model.active_peft_config.is_prompt_learning:
            return "the adapter puts tokens in front of the prompt"
        if self.args.shared_prefix_kernel == "flex" and _attention_dropout(model):
            return "FlexAttention has no dropout"
        return obstacle(model)

    def _say(self, reason: str) -> None:
        if reason not in self._said:
            self._said.add(reason)
            logger.warning("shared_prefix: completions are scored row by row, as %s", reason)

    # ---- scoring ----

    def _get_per_token_logps_and_entropies(
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
        """Score completions as TRL does, with one forward per group where that holds."""
        images.pop(ARGUMENT, None)  # TRL's function does not take it, and num_images is the same
        counts, size = images.get("num_images") or [], batch_size or len(input_ids)
        tiled = asks_for_counts(self._core(model)) and any(count > 1 for count in counts)
        rows = partial(
            super()._get_per_token_logps_and_entropies,
            with_counts(model, counts, size) if tiled else model,
            input_ids,
            attention_mask,
            logits_to_keep,
            batch_size=batch_size,
            compute_entropy=compute_entropy,
            compute_aux_loss=compute_aux_loss,
            **images,
        )
        if not self._states or tiled:
            return rows()
        batch = _cut(input_ids, attention_mask, logits_to_keep)
        images = {key: value for key, value in images.items() if value is not None}
        core = self._core(model)
        reason = _batch_obstacle(batch, images, core)
        if reason is not None:
            self._say(reason)
            return rows()
        states = next(states for states in self._states if states.model is core)
        parts = _chunks(batch, images, size)
        frozen = self._frozen_images if self._frozen[id(core)] else None
        with self.accelerator.autocast():
            scored = [score_groups(model, states, *part, frozen) for part in parts]
        log_probs, entropies = zip(*scored, strict=True)
        return (torch.cat(log_probs), torch.cat(entropies) if compute_entropy else None, None)

    # ---- keeping groups together ----

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        if self._states and self.model.training:
            images = sum(len(row.get("images") or [0]) for row in inputs)
            self._frozen_images.start(room=images // self.num_generations + 1)
        return super()._generate_and_score_completions(inputs)

    def _prepare_inputs(self, generation_batch: Any) -> Any:
        if not (self._states and self.model.training):
            return super()._prepare_inputs(generation_batch)
        steps = self.args.steps_per_generation
        if self._step % (steps * self.num_iterations) == 0 or self._buffered_inputs is None:
            scored = self._generate_and_score_completions(generation_batch)
            split = self._shuffle_groups(split_pixel_values_by_grid(scored))
            parts = split_tensor_dict(split, steps)
            self._buffered_inputs = [unsplit_pixel_values_by_grid(part) for part in parts]
        return self._buffered_inputs[self._step % steps]

    def _shuffle_groups(self, batch: dict[str, Any]) -> dict[str, Any]:
        rows = len(batch["prompt_ids"])
        first = self.accelerator.process_index * rows
        order = keep_groups(torch.randperm(rows), first, self.num_generations)
        return {key: _reorder(value, order) for key, value in batch.items()}


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
        part = Prompts(
            batch.ids[here],
            batch.mask[here],
            batch.completion_ids[here],
            batch.completion_mask[here],
        )
        chosen = {key: value[here] for key, value in split.items()}
        parts.append((part, unsplit_pixel_values_by_grid(chosen)))
    return parts
