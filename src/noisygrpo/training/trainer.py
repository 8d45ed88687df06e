"""The trainer: rollouts see their views, scores see the clean image.

One step (formulas in ``methods``; loss and optimisation are TRL's):

    views      v_i = plan(seed, step, example, i)            i = 1..G rollouts of a prompt
    sample     o_i ~ pi_theta( . | view v_i of the image, question, hint)   views_seam, hints_seam
    score      log pi(o_i | clean image, question, hint)     for pi_old, pi_theta and pi_ref alike
    reward     r_i = weighted sum of the reward functions
    advantage  A = advantage(r_1..r_G, levels of v_1..v_G)

Sampling and scoring differ on purpose; as published, no importance correction is made for it
(``log_view_ratio`` shows by level how large it would be).

Deliberate deviations and choices:
- ``advantage: grpo`` keeps TRL's float32 numbers bit for bit, except that a group whose rewards are
  all equal gets exactly 0 (the rounding of a float32 mean can leave 1e-3 there). The other
  estimators are computed in float64 by ``methods.advantages``.
- Evaluation rollouts are clean and keep TRL's advantages; they only enter ``eval_loss``.
- Nothing here draws from a global generator, so with clean views a run is TRL's, bit for bit.
- A loss or gradient that is not a number ends the run before the optimizer step.

The seams in TRL that this and ``views_seam`` build on are pinned in tests/training/test_seams.py.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from accelerate.utils import gather_object
from jaxtyping import Float
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase, ProcessorMixin
from trl.models.utils import disable_gradient_checkpointing

from noisygrpo.errors import UserError
from noisygrpo.methods.advantages import ADVANTAGES, AdvantageResult
from noisygrpo.models.vision import freeze_vision_tower
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.finite import require_finite
from noisygrpo.training.hints.hints_seam import HintsSeam
from noisygrpo.training.model import prepare_vision
from noisygrpo.training.prefix.rows import SCORING_KEYS, Scores, blind_chunks, score_chunks
from noisygrpo.training.records import progress
from noisygrpo.training.records.files import (
    METRICS_FILE,
    append_lines,
    rollout_records,
    with_scores,
    write_rollouts,
)
from noisygrpo.training.records.metrics import (
    advantage_metrics,
    by_level,
    constant_groups,
    total_rewards,
)
from noisygrpo.training.records.view_ratio import RatioByLevel, rows_with_views
from noisygrpo.training.sharding import keep_output_dtype, weights_sharded
from noisygrpo.training.views.views_seam import Rows

if TYPE_CHECKING:
    from peft import PeftConfig


class NoisyGRPOTrainer(HintsSeam):
    """``trl.GRPOTrainer`` in which what each rollout sees is a variable of the algorithm."""

    def __init__(
        self,
        model: PreTrainedModel,
        reward_funcs: Sequence[Callable[..., list[float | None]]],
        args: NoisyGRPOConfig,
        train_dataset: Any,
        processing_class: ProcessorMixin | PreTrainedTokenizerBase,
        eval_dataset: Any = None,
        peft_config: "PeftConfig | None" = None,
        **kwargs: Any,
    ) -> None:
        """Take the parts as ``run.build_trainer`` does, which checks them first.

        Model, processor and config are changed in place where the config asks for a frozen tower,
        pixel limits or banned tokens; ``kwargs`` are TRL's ``callbacks`` and ``optimizers``.

        Raises:
            UserError: if model or processor lack what the config asks for.
        """
        banned = prepare_vision(model, processing_class, args)
        self._scored: tuple[Any, ...] = ()
        self._last_log_probs = torch.empty(0)
        self._view_ratio = RatioByLevel(clean=args.use_vllm)
        super().__init__(
            model=model,
            reward_funcs=list(reward_funcs),
            args=args,
            train_dataset=train_dataset,
            eval_dataset=eval_dataset,
            processing_class=processing_class,
            peft_config=peft_config,
            banned=banned,
            **kwargs,
        )
        if args.freeze_vision_tower and peft_config is not None:
            freeze_vision_tower(self.model.get_base_model())  # the adapter's parameters there
        progress.install(self)

    def create_accelerator_and_postprocess(self) -> None:
        """Make TRL's accelerator; log-probs of sharded models keep their precision."""
        super().create_accelerator_and_postprocess()
        keep_output_dtype(self)

    # ---- rewards and advantages ----

    def _generate_and_score_completions(self, inputs: Rows) -> dict[str, Any]:
        started = time.perf_counter()
        output = super()._generate_and_score_completions(inputs)
        if self.model.training:
            self._finish(output)
        self._spent("rollout", started)
        return output

    def _calculate_rewards(
        self, inputs: Rows, prompts: list[Any], completions: list[Any], completion_ids_list: Any
    ) -> Float[Tensor, "rollouts functions"]:
        started = time.perf_counter()
        rewards = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        for name, column in zip(self.reward_func_names, rewards.T, strict=True):
            if torch.isinf(column).any():
                raise UserError(
                    f"reward {name!r} returned infinity; it must return a finite number, or None "
                    "for a completion that it cannot score"
                )
        self._scored = (inputs, completions, completion_ids_list, rewards)
        self._spent("reward", started)
        return rewards

    def _finish(self, output: dict[str, Any]) -> None:
        """Replace the advantages and log the batch; the same on every process but for writing."""
        inputs, completions, ids, parts = self._scored
        self._scored = ()
        ends = {*self.eos_token_ids, self._tokenizer.pad_token_id}
        own = rollout_records(inputs, self._rollouts, completions, ids, ends)
        records = gather_object(own)
        groups = (-1, self.num_generations)
        rewards = total_rewards(parts, self.reward_weights).cpu().unflatten(0, groups)
        levels = torch.tensor([record["noise_level"] for record in records], dtype=torch.float64)
        result = self._advantages(rewards, levels.unflatten(0, groups))
        self._put_advantages(output, result.advantages.flatten(), len(inputs))
        metrics = advantage_metrics(result.advantages, rewards, result.gain)
        metrics |= by_level(rewards.flatten().tolist(), levels.tolist(), "reward")
        for name, value in metrics.items():
            self._metrics["train"][name].append(value)
        self._clock.tokens += sum(record["completion_tokens"] for record in records)
        if self.accelerator.is_main_process:
            part = self._step % self.args.gradient_accumulation_steps
            name = f"step-{self.state.global_step + 1:06d}" + (f"-{part}" if part else "")
            rows = with_scores(records, self.reward_func_names, parts, rewards, result.advantages)
            write_rollouts(Path(self.args.output_dir), self.args.rollouts_format, name, rows)
        if self.args.log_view_ratio:
            self._add_view_log_probs(output)

    def _advantages(
        self, rewards: Float[Tensor, "prompts group"], levels: Float[Tensor, "prompts group"]
    ) -> AdvantageResult:
        """Return the advantages of the whole batch, over all processes."""
        if self.args.advantage == "grpo":
            logged = list(self._logs["advantages"])[-rewards.numel() :]
            constant = constant_groups(rewards)[:, None]
            return AdvantageResult(torch.tensor(logged).view_as(rewards).masked_fill(constant, 0.0))
        knobs: dict[str, Any] = {}
        if self.args.advantage == "bayesian":
            knobs = {"alpha": self.args.bayes_alpha, "r": self.args.bayes_r}
            knobs["constant_groups"] = self.args.constant_groups
        return ADVANTAGES[str(self.args.advantage)](rewards, levels=levels, **knobs)

    def _put_advantages(
        self, output: dict[str, Any], advantages: Float[Tensor, " rollouts"], own: int
    ) -> None:
        """Put this process's share into TRL's batch, and all into TRL's completions log."""
        first = self.accelerator.process_index * own
        output["advantages"] = advantages[first : first + own].to(output["advantages"])
        log = self._logs["advantages"]
        for _ in range(len(advantages)):
            log.pop()
        log.extend(advantages.tolist())

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
        """Score completions: all log-probs come from here, the old, current and reference ones."""
        score = partial(
            super()._get_per_token_logps_and_entropies,
            model,
            logits_to_keep=logits_to_keep,
            compute_entropy=compute_entropy,
            compute_aux_loss=compute_aux_loss,
        )
        images |= self._fit_hints(images, input_ids.size(1), logits_to_keep)
        batch = {"input_ids": input_ids, "attention_mask": attention_mask, **images}
        size = batch_size or len(input_ids)
        if blind_chunks(images.get("num_images"), len(input_ids), size):
            result = score_chunks(score, batch, size)
        else:
            result = score(**batch, batch_size=batch_size)
        self._last_log_probs = result[0].detach()
        return result

    @torch.no_grad()
    def _add_view_log_probs(self, output: dict[str, Any]) -> None:
        """Add the sampler's log-probs (on the views) to the batch; 0 for clean rollouts."""
        started = time.perf_counter()
        device = output["completion_ids"].device
        levels = [rollout.view.level for rollout in self._rollouts]
        output["noise_level"] = torch.tensor(levels, device=device)
        noisy = [row for row, rollout in enumerate(self._rollouts) if rollout.noisy]
        if "sampling_per_token_logps" in output:
            output["view_log_probs"] = output["sampling_per_token_logps"]
        else:
            log_probs = torch.zeros(output["completion_ids"].shape, device=device)
            scored = self._as_many_everywhere(noisy)
            if scored:
                rows = rows_with_views(output, self._view_fields["pixel_values"], scored)
                log_probs[noisy] = self._score(rows)[: len(noisy)].float()
            output["view_log_probs"] = log_probs
        self._spent("view_ratio", started)

    def _as_many_everywhere(self, rows: list[int]) -> list[int]:
        """Return the rows, and repeat the first where processes must run as many forwards."""
        if not weights_sharded(self):
            return rows
        count = torch.tensor([len(rows)], device=self.accelerator.device)
        spare = int(self.accelerator.gather(count).max()) - len(rows)
        return rows + [(rows or [0])[0]] * spare

    def _score(self, batch: dict[str, Any]) -> Float[Tensor, "rows tokens"]:
        ids = torch.cat((batch["prompt_ids"], batch["completion_ids"]), 1)
        mask = torch.cat((batch["prompt_mask"], batch["completion_mask"]), 1)
        with disable_gradient_checkpointing(self.model, self.args.gradient_checkpointing_kwargs):
            return self._get_per_token_logps_and_entropies(
                self.model,
                ids,
                mask,
                batch["completion_ids"].size(1),
                batch_size=self.args.per_device_train_batch_size,
                **{key: batch[key] for key in SCORING_KEYS if key in batch},
            )[0]

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Tensor:
        loss = super()._compute_loss(model, inputs)
        if "view_log_probs" in inputs:
            # Old log-probs are missing where they would equal the ones that the loss just used.
            clean = inputs.get("old_per_token_logps", self._last_log_probs)
            mask, levels = inputs["completion_mask"], inputs["noise_level"]
            self._view_ratio.add(inputs["view_log_probs"], clean, mask, levels)
        return loss

    # ---- the step ----

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Tensor:
        """Run TRL's step and refuse a loss that is not a number, on all processes together."""
        started = time.perf_counter()
        loss = super().training_step(model, inputs, num_items_in_batch)
        self._require_finite(self.accelerator.reduce(loss, "sum"), "loss")
        self._spent("step", started)
        if self._step % self.current_gradient_accumulation_steps == 0:
            metrics = self._clock.flush()
            metrics |= self._view_ratio.flush(lambda sums: self.accelerator.reduce(sums, "sum"))
            for name, value in metrics.items():
                self._metrics["train"][name].append(value)
        return loss

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        norm = super()._get_grad_norm(model, grad_norm)
        # With fp16 the gradient scaler meets overflows on purpose and skips the step itself.
        if norm is not None and self.accelerator.scaler is None:
            self._require_finite(norm, "gradient norm")
        return norm

    def _require_finite(self, value: Any, what: str) -> None:
        require_finite(float(value), what, self.state.global_step, self.args.output_dir)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log as TRL does and append the whole entry to ``metrics.jsonl``."""
        super().log(logs, start_time)
        if self.accelerator.is_main_process:
            append_lines(Path(self.args.output_dir) / METRICS_FILE, [self.state.log_history[-1]])
