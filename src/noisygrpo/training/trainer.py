"""The trainer: rollouts see their views, scores see the clean image.

One step (formulas in ``methods/``; loss and optimisation are TRL's):

    views      v_i = plan(seed, step, example, i)            i = 1..G rollouts of a prompt
    sample     o_i ~ pi_theta( . | view v_i of the image, question)
    score      log pi(o_i | clean image, question)           for pi_old, pi_theta and pi_ref alike
    reward     r_i = weighted sum of the reward functions
    advantage  A = advantage(r_1..r_G, levels of v_1..v_G)

Sampling and scoring differ on purpose; as published, no importance correction is made for it
(``log_view_ratio`` shows by level how large it would be).

What is overridden in ``trl.GRPOTrainer`` 1.16, each a thin layer around ``super()``:
``_generate_and_score_completions`` (plan before, advantages and logs after), ``_tokenize_prompts``
(build the sampler's inputs from the views, hand back clean images), ``_generate_single_turn`` (time;
views for vLLM), ``_generate`` (prompt ids of the clean image for scoring), ``_calculate_rewards``
(keep what it gathered), ``_get_per_token_logps_and_entropies`` (the place for another way of
scoring), ``_compute_loss``, ``training_step``, ``_get_grad_norm`` and ``log``.

Deliberate deviations and choices:
- Evaluation rollouts are clean, and their advantages TRL's: evaluation asks what the model can do.
- ``advantage: grpo`` keeps TRL's float32 numbers bit for bit, except that a group whose rewards are
  all equal gets exactly 0 (rounding of a float32 mean can leave up to 1e-3). All other estimators
  are computed in float64 by ``methods.advantages``.
- Nothing here draws from a global generator, so with clean views a run is TRL's, bit for bit.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object
from jaxtyping import Float
from peft import PeftConfig
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase, ProcessorMixin, TrainerCallback
from trl import GRPOTrainer

from noisygrpo.methods.advantages import ADVANTAGES, AdvantageResult
from noisygrpo.methods.schedules import noise_scale
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.metrics import (
    Clock,
    advantage_metrics,
    by_level,
    constant_groups,
    total_rewards,
)
from noisygrpo.training.rollout_log import METRICS_FILE, append_lines, write_rollouts
from noisygrpo.training.views_seam import (
    Rollout,
    annotate,
    plan_batch,
    prompt_images,
    replace_images,
)
from noisygrpo.training.vision import (
    check_image_tokens,
    find_vision_tower,
    set_pixel_limits,
    vision_token_ids,
)

Rows = list[dict[str, Any]]


class NonFiniteError(RuntimeError):
    """The loss or a gradient is not a number; raised before the optimizer step that would spoil the model."""


class NoisyGRPOTrainer(GRPOTrainer):
    """``trl.GRPOTrainer`` in which what each rollout sees is a variable of the algorithm."""

    args: NoisyGRPOConfig

    def __init__(
        self,
        model: PreTrainedModel,
        reward_funcs: Sequence[Callable[..., list[float | None]]],
        args: NoisyGRPOConfig,
        train_dataset: Any,
        processing_class: ProcessorMixin | PreTrainedTokenizerBase,
        eval_dataset: Any = None,
        peft_config: PeftConfig | None = None,
        callbacks: list[TrainerCallback] | None = None,
        optimizers: tuple[Any, Any] = (None, None),
    ) -> None:
        """Take a loaded model and processor; see ``run.build_trainer`` for checks of the data.

        Raises:
            UserError: if model or processor lack what the config asks for.
        """
        set_pixel_limits(processing_class, args.min_pixels, args.max_pixels)
        tokenizer = (
            processing_class.tokenizer
            if isinstance(processing_class, ProcessorMixin)
            else processing_class
        )
        self._banned = vision_token_ids(model.config.to_dict(), tokenizer)
        if args.ban_image_tokens and self._banned:
            ban_tokens(args, self._banned)
        if args.freeze_vision_tower:
            find_vision_tower(model).requires_grad_(False)
        self._clock = Clock()
        self._rollouts: list[Rollout] = []
        self._scoring_prompt_ids: list[list[int]] | None = None
        self._view_images: list[list[Any] | None] | None = None
        self._scored: tuple[Any, ...] = ()
        super().__init__(
            model=model,
            reward_funcs=list(reward_funcs),
            args=args,
            train_dataset=train_dataset,
            eval_dataset=eval_dataset,
            processing_class=processing_class,
            callbacks=callbacks,
            optimizers=optimizers,
            peft_config=peft_config,
        )
        if args.freeze_vision_tower:  # an adapter may have put parameters of its own there
            base = self.model.get_base_model() if peft_config is not None else self.model
            find_vision_tower(base).requires_grad_(False)

    # ---- one generation batch: plan, sample, score, reward, advantage ----

    def _generate_and_score_completions(self, inputs: Rows) -> dict[str, Any]:
        started = time.perf_counter()
        training = self.model.training
        self._rollouts = self._plan(inputs, training)
        output = super()._generate_and_score_completions(annotate(inputs, self._rollouts))
        if training:
            self._finish(output)
            self._clock.add("rollout", time.perf_counter() - started)
        return output

    def _plan(self, inputs: Rows, training: bool) -> list[Rollout]:
        step = self.state.global_step + 1
        scale = noise_scale(
            self.args.noise_decay,
            step,
            max(self.state.max_steps, 1),
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
        self._scoring_prompt_ids, self._view_images = None, None
        if not any(rollout.noisy for rollout in self._rollouts):
            ids, images, fields = self._checked(super()._tokenize_prompts(prompts), prompts)
            return ids, with_empty_lists(images), fields
        started = time.perf_counter()
        clean = [prompt_images(prompt) for prompt in prompts]
        seen = [rollout.see(images) for rollout, images in zip(self._rollouts, clean, strict=True)]
        views = [
            replace_images(prompt, images) for prompt, images in zip(prompts, seen, strict=True)
        ]
        self._clock.add("noise", time.perf_counter() - started)
        ids, self._view_images, fields = self._checked(super()._tokenize_prompts(views), views)
        if any(
            a.size != b.size
            for x, y in zip(clean, seen, strict=True)
            for a, b in zip(x, y, strict=True)
        ):
            # A view of another size has another number of image tokens: scoring needs its own prompt.
            self._scoring_prompt_ids = super()._tokenize_prompts(prompts)[0]
        return ids, clean, fields

    def _checked(self, tokenized: tuple[Any, Any, Any], prompts: list[Any]) -> tuple[Any, Any, Any]:
        if self._is_vlm:
            check_image_tokens(
                tokenized[0],
                [len(prompt_images(prompt)) for prompt in prompts],
                tokenized[2],
                self._image_pad_token_id,
                self.processing_class.image_processor.merge_size
                if "image_grid_thw" in tokenized[2]
                else 1,
                [rollout.example_id for rollout in self._rollouts],
            )
        return tokenized

    def _generate_single_turn(
        self,
        prompt_ids: Any,
        images: Any,
        multimodal_fields: dict[str, Any],
        num_generations: int,
        has_tool_images: bool = False,
    ) -> tuple[Any, Any]:
        started = time.perf_counter()
        if self.use_vllm and self._view_images is not None:
            images = self._view_images  # vLLM processes images itself
        result = super()._generate_single_turn(
            prompt_ids, images, multimodal_fields, num_generations, has_tool_images
        )
        self._clock.add("generate", time.perf_counter() - started)
        return result

    def _generate(self, prompts: list[Any]) -> tuple[Any, ...]:
        prompt_ids, completion_ids, *rest = super()._generate(prompts)
        banned = set(self._banned)
        for ids, rollout in zip(completion_ids, self._rollouts, strict=True):
            if not banned.isdisjoint(ids):
                raise RuntimeError(
                    f"row {rollout.example_id!r}: the completion contains the image token(s) "
                    f"{sorted(banned.intersection(ids))}, which have no image features; "
                    "set ban_image_tokens: true"
                )
        return (self._scoring_prompt_ids or prompt_ids, completion_ids, *rest)

    def _calculate_rewards(
        self, inputs: Rows, prompts: list[Any], completions: list[Any], completion_ids_list: Any
    ) -> Tensor:
        started = time.perf_counter()
        rewards = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        self._scored = (inputs, completions, completion_ids_list, rewards)
        self._clock.add("reward", time.perf_counter() - started)
        return rewards

    def _finish(self, output: dict[str, Any]) -> None:
        """Replace the advantages and log the batch; the same on every process but for writing."""
        inputs, completions, ids, parts = self._scored
        self._scored = ()
        records = gather_object(self._records(inputs, completions, ids))
        group = self.num_generations
        rewards = total_rewards(parts, self.reward_weights).unflatten(0, (-1, group))
        levels = torch.tensor([record["noise_level"] for record in records], dtype=torch.float64)
        result = self._advantages(rewards, levels.unflatten(0, (-1, group)), len(inputs), output)
        metrics = advantage_metrics(result.advantages, rewards, result.gain)
        metrics |= by_level(rewards.flatten().tolist(), levels.tolist(), "reward")
        for name, value in metrics.items():
            self._metrics["train"][name].append(value)
        self._clock.tokens += sum(record["completion_tokens"] for record in records)
        if self.accelerator.is_main_process:
            self._write(records, parts, rewards, result.advantages)

    def _advantages(
        self,
        rewards: Float[Tensor, "prompts group"],
        levels: Float[Tensor, "prompts group"],
        local: int,
        output: dict[str, Any],
    ) -> AdvantageResult:
        """Return the advantages of all processes; put this one's into ``output``, all into TRL's log."""
        log = self._logs["advantages"]
        if self.args.advantage == "grpo":
            trl = torch.tensor(list(log)[-rewards.numel() :]).view_as(rewards)
            result = AdvantageResult(trl.masked_fill(constant_groups(rewards.cpu())[:, None], 0.0))
        else:
            result = ADVANTAGES[str(self.args.advantage)](
                rewards.cpu(), levels=levels, **self._knobs()
            )
        flat = result.advantages.flatten()
        first = self.accelerator.process_index * local
        output["advantages"] = flat[first : first + local].to(output["advantages"])
        for _ in range(len(flat)):
            log.pop()
        log.extend(flat.tolist())
        return result

    def _knobs(self) -> dict[str, Any]:
        if self.args.advantage != "bayesian":
            return {}
        return {
            "alpha": self.args.bayes_alpha,
            "r": self.args.bayes_r,
            "constant_groups": self.args.constant_groups,
        }

    # ---- scoring ----

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: Tensor,
        attention_mask: Tensor,
        logits_to_keep: int,
        *args: Any,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        return super()._get_per_token_logps_and_entropies(
            model, input_ids, attention_mask, logits_to_keep, *args, **kwargs
        )

    # ---- the step ----

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Tensor:
        """Run TRL's step, refuse a loss that is not a number, and close the books at the last micro-batch."""
        started = time.perf_counter()
        loss = super().training_step(model, inputs, num_items_in_batch)
        finite = self.accelerator.reduce(torch.isfinite(loss).float(), reduction="sum")
        if finite.item() < self.accelerator.num_processes:
            raise NonFiniteError(self._not_finite("loss", loss.item()))
        self._clock.add("step", time.perf_counter() - started)
        if self._step % self.current_gradient_accumulation_steps == 0:
            for name, value in self._clock.flush().items():
                self._metrics["train"][name].append(value)
        return loss

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        norm = super()._get_grad_norm(model, grad_norm)
        # With fp16 the gradient scaler meets overflows on purpose and skips the step itself.
        if (
            norm is not None
            and self.accelerator.scaler is None
            and not torch.isfinite(torch.as_tensor(norm))
        ):
            raise NonFiniteError(self._not_finite("gradient norm", float(norm)))
        return norm

    def _not_finite(self, what: str, value: float) -> str:
        return (
            f"step {self.state.global_step + 1}: the {what} is {value}; stopped before the optimizer step, so the "
            f"parameters are those of step {self.state.global_step}. Lower learning_rate or raise the precision; "
            f"the step's rollouts are in {self.args.output_dir}"
        )

    # ---- logs ----

    def _records(
        self, inputs: Rows, completions: list[Any], ids: list[list[int]]
    ) -> list[dict[str, Any]]:
        ends = {*self.eos_token_ids, self._tokenizer.pad_token_id}
        return [
            {
                "step": rollout.step,
                "example_id": rollout.example_id,
                "rollout_index": rollout.index,
                "prompt": row["prompt"],
                "noise_level": rollout.view.level,
                "hint_ratio": rollout.view.hint_ratio,
                "noise_seed": rollout.seeds(len(row.get("images") or [])),
                "completion": completion
                if isinstance(completion, str)
                else completion[0]["content"],
                "completion_tokens": len(tokens),
                "truncated": tokens[-1] not in ends,
            }
            for row, rollout, completion, tokens in zip(
                inputs, self._rollouts, completions, ids, strict=True
            )
        ]

    def _write(self, records: Rows, parts: Tensor, rewards: Tensor, advantages: Tensor) -> None:
        columns = zip(
            records,
            parts.tolist(),
            rewards.flatten().tolist(),
            advantages.flatten().tolist(),
            strict=True,
        )
        rows = [
            {
                **record,
                "rewards": dict(zip(self.reward_func_names, scores, strict=True)),
                "reward": reward,
                "advantage": advantage,
            }
            for record, scores, reward, advantage in columns
        ]
        write_rollouts(
            Path(self.args.output_dir), self.args.rollouts_format, self.state.global_step + 1, rows
        )

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log as TRL does and append the whole entry to ``metrics.jsonl``."""
        super().log(logs, start_time)
        if self.accelerator.is_main_process:
            append_lines(Path(self.args.output_dir) / METRICS_FILE, [self.state.log_history[-1]])


def with_empty_lists(images: list[list[Any] | None] | None) -> list[list[Any]] | None:
    """Return ``[]`` for rows without images where TRL has ``None``, which processors refuse in a mixed batch."""
    return None if images is None else [row or [] for row in images]


def ban_tokens(args: NoisyGRPOConfig, banned: Sequence[int]) -> None:
    """Put the tokens into ``generation_kwargs``, in the words of the engine that will sample."""
    kwargs = dict(args.generation_kwargs or {})
    if args.use_vllm:
        kwargs["logit_bias"] = {**kwargs.get("logit_bias", {}), **dict.fromkeys(banned, -100.0)}
    else:
        kwargs["suppress_tokens"] = sorted({*kwargs.get("suppress_tokens", []), *banned})
    args.generation_kwargs = kwargs
