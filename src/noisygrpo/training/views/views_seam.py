"""Sampling on views: the layer of the trainer that shows every rollout its own images.

    prompt, clean images --see--> view images --tokenize--> sampler's inputs --generate--> o_i
                \\------------------------------- clean images -----------------> all that scores

TRL takes prompt ids and images from ``_tokenize_prompts``, generates from the first and from the
multimodal fields, and builds what it scores from the *images*. So handing back fields of the views
and clean images separates the two, for old, reference and current log-probs alike. Where a view
has another size than its image (rotation), the prompt has another number of image tokens, and
``_generate`` swaps in the prompt ids of the clean image for scoring.

Evaluation rollouts are clean: evaluation asks what the model can do with the image it is given.

A schedule's steps are batches of rollouts, counted from 1 as published: with several optimizer
steps per batch (``steps_per_generation``, ``num_iterations``) it moves on once per batch, and its
total is the run's number of batches.

TRL marks a row without images ``None``, which image processors refuse in a mixed batch; here it is
an empty list.
"""

import logging
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from accelerate.utils import gather_object

from noisygrpo.methods.schedules import noise_scale
from noisygrpo.models.vision import check_image_tokens
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.engines.prefill import FAMILIES, shared_prefill
from noisygrpo.training.engines.vllm_seam import VLLMSeam
from noisygrpo.training.records.metrics import Clock
from noisygrpo.training.views.preprocess import once_per_image
from noisygrpo.training.views.rollouts import (
    Rollout,
    annotate,
    plan_batch,
    prompt_images,
    replace_images,
    row_images,
    see_all,
    with_parts,
)

logger = logging.getLogger(__name__)

Rows = list[dict[str, Any]]
Images = list[list[Any]]


class ViewsSeam(VLLMSeam):
    """``trl.GRPOTrainer`` that samples on views and scores on clean images; otherwise unchanged."""

    args: NoisyGRPOConfig

    def __init__(self, *args: Any, banned: list[int], **kwargs: Any) -> None:
        """Take TRL's arguments, and the token ids that no completion may contain."""
        self._banned = banned
        self._clock = Clock()
        self._rollouts: list[Rollout] = []
        self._inputs: Rows = []
        self._clean_prompts: list[Any] = []
        self._view_prompts: list[Any] = []
        self._view_images: Any = None
        self._view_fields: dict[str, Any] = {}
        self._scoring_prompt_ids: list[list[int]] | None = None
        super().__init__(*args, **kwargs)
        # TRL gathers images only where a process has some, which would hang the others.
        self.log_multimodal = False
        kind = self._core(self.model).config.model_type
        self._shares_prefill = self.args.shared_prefill and kind in FAMILIES
        if self.args.shared_prefill and not self._shares_prefill:
            logger.warning(
                "shared_prefill: not used, as it was not checked for model type %r", kind
            )

    def _spent(self, name: str, started: float) -> None:
        if self.model.training:
            self._clock.add(name, time.perf_counter() - started)

    def _generate_and_score_completions(self, inputs: Rows) -> dict[str, Any]:
        self._rollouts = self._plan(inputs)
        self._inputs = annotate(inputs, self._rollouts)
        with once_per_image(self.processing_class):
            output = super()._generate_and_score_completions(self._inputs)
        if self.args.log_completions:  # a table of prompts in two layouts cannot be written
            prompts = self._logs["prompt"]
            prompts.extend([with_parts(prompts.popleft()) for _ in range(len(prompts))])
        if self.args.log_completions and self.args.log_multimodal:
            self._logs["images"].extend(gather_object(self._shown_images(inputs)))
        return output

    def _shown_images(self, inputs: Rows) -> Images:
        """Return, for the completions table, each row's images and then its noisy views."""
        shown = []
        for number, (row, rollout) in enumerate(zip(inputs, self._rollouts, strict=True)):
            views = self._view_images[number] if rollout.noisy else []
            shown.append([*row_images(row), *views])
        return shown

    def _plan(self, inputs: Rows) -> list[Rollout]:
        training, step = self.model.training, self.state.global_step + 1
        scale = noise_scale(
            str(self.args.noise_decay),
            *batch_of_step(self.state.global_step, self.state.max_steps, self.args),
            self.args.noise_decay_coefficient,
            self.args.noise_decay_mid_step,
        )
        return plan_batch(
            self.args,
            inputs,
            first=self.accelerator.process_index * len(inputs),
            group=self.num_generations if training else self.num_generations_eval,
            step=step,
            scale=scale,
            clean=not training,
        )

    def _tokenize_prompts(self, prompts: list[Any]) -> tuple[Any, Any, dict[str, Any]]:
        self._scoring_prompt_ids = None
        clean = [prompt_images(prompt) for prompt in prompts] if self._is_vlm else []
        self._clean_prompts = self._view_prompts = prompts
        if not any(rollout.noisy for rollout in self._rollouts):
            ids, self._view_images, self._view_fields = super()._tokenize_prompts(prompts)
            self._check_tokens(ids, clean, self._view_fields)
            return ids, clean if any(clean) else None, self._view_fields
        started = time.perf_counter()
        seen = see_all(self._rollouts, clean)
        views = [replace_images(prompt, row) for prompt, row in zip(prompts, seen, strict=True)]
        self._spent("noise", started)
        self._view_prompts = views
        ids, self._view_images, self._view_fields = super()._tokenize_prompts(views)
        self._check_tokens(ids, clean, self._view_fields)
        if sizes(clean) != sizes(seen):
            self._scoring_prompt_ids = super()._tokenize_prompts(prompts)[0]
        return ids, clean, self._view_fields

    def _check_tokens(self, ids: Any, images: Images, fields: dict[str, Any]) -> None:
        # Only in Qwen's layout; the other processors check by themselves.
        if "image_grid_thw" in fields and self._image_pad_token_id is not None:
            check_image_tokens(
                ids,
                [len(row) for row in images],
                fields["image_grid_thw"],
                self._image_pad_token_id,
                self.processing_class.image_processor.merge_size,
                [rollout.example_id for rollout in self._rollouts],
            )

    def _generate_single_turn(
        self,
        prompt_ids: Any,
        images: Any,
        multimodal_fields: dict[str, Any],
        num_generations: int,
        has_tool_images: bool = False,
    ) -> tuple[Any, Any]:
        # vLLM processes images itself, so it needs the view's; ``generate`` reads the fields.
        images = self._view_images if self.use_vllm else images
        return self._sample_from(
            prompt_ids, images, multimodal_fields, num_generations, has_tool_images
        )

    def _sample_from(self, prompt_ids: Any, images: Any, *inputs: Any) -> tuple[Any, Any]:
        """Return TRL's completions and their log-probs of inputs that show the views."""
        started = time.perf_counter()
        with self._prefill([len(row or ()) for row in images or [()] * len(prompt_ids)]):
            result = super()._generate_single_turn(prompt_ids, images, *inputs)
        self._spent("generate", started)
        return result

    def _prefill(self, counts: list[int]) -> AbstractContextManager[None]:
        if not self._shares_prefill:
            return nullcontext()
        return shared_prefill(self._core(self.model), counts)

    def _tokenize_as_is(self, prompts: list[Any]) -> tuple[Any, Any, dict[str, Any]]:
        """Return TRL's prompt ids, images and fields of prompts with the images that they hold."""
        return super()._tokenize_prompts(prompts)

    def _generate(self, prompts: list[Any]) -> tuple[Any, ...]:
        prompt_ids, completion_ids, *rest = super()._generate(prompts)
        banned = set(self._banned)
        for ids, rollout in zip(completion_ids, self._rollouts, strict=True):
            if not banned.isdisjoint(ids):
                raise RuntimeError(
                    f"row {rollout.example_id!r}: the completion contains the image token(s) "
                    f"{sorted(banned.intersection(ids))}, for which there are no image features; "
                    "set ban_image_tokens: true"
                )
        return (self._scoring_prompt_ids or prompt_ids, completion_ids, *rest)


def batch_of_step(step: int, steps: int, config: NoisyGRPOConfig) -> tuple[int, int]:
    """Return which batch of rollouts, from 1, serves an optimizer step, and how many there are.

    Args:
        step: optimizer steps done.
        steps: optimizer steps of the run.
        config: how many micro-batches a step, and a batch of rollouts, consist of.
    """
    accumulation = config.gradient_accumulation_steps
    served = (config.steps_per_generation or accumulation) * config.num_iterations
    # An optimizer step that takes several batches of rollouts is one step of the schedule.
    served = max(served, accumulation)
    total = -(-steps * accumulation // served)
    return step * accumulation // served + 1, max(total, 1)


def sizes(images: Images) -> list[list[tuple[int, int]]]:
    """Return width and height of every image."""
    return [[image.size for image in row] for row in images]
