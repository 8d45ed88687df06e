"""The trainer: rollouts see their views, scores see the clean image, or what they are told to.

One step, the methods of TRL that are overridden for it (each once), and the part that is asked.
Formulas: ``methods``. Loss and optimisation are TRL's; i = 1..G are rollouts, q the prompt's text.

=========  ==================================  ====================================  ===============
plan       v_i = plan(seed, step, example, i)  _generate_and_score_completions       views.plan
see        view i = noise(clean image, v_i)    _tokenize_prompts                     views.show
sample     o_i ~ pi( . | view i, q, hint)      _generate_single_turn, _generate      engines, hints
score      log pi(o_i | clean image, q, hint)  _get_per_token_logps_and_entropies    prefix.scorer
reward     r_i = sum of the functions          _calculate_rewards                    hints.selecting
advantage  A = advantage(r_1..G, v_1..G)       _generate_and_score_completions       finish
update     finite numbers, groups as wholes    _prepare_inputs, _compute_loss,       prefix.shared
                                               training_step, _get_grad_norm         finite
record     rollouts.jsonl, metrics.jsonl       log                                   records
resume     as if it had not been stopped       _get_train_sampler, _load_…, _save_…  checkpoints
                                               _run_epoch
=========  ==================================  ====================================  ===============

Sampling and scoring differ on purpose; as published, nothing corrects for it. Evaluation rollouts
are clean. Nothing draws from a global generator: with clean views a run is TRL's, bit for bit.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

from torch import Tensor
from trl import GRPOConfig, GRPOTrainer

from noisygrpo.own.check import Functions
from noisygrpo.training import checkpoints, dataset, given, parts, reference
from noisygrpo.training.batch import Batch
from noisygrpo.training.batches import enough, something_left
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.engines.generate import Sampled
from noisygrpo.training.finish import attach, finish
from noisygrpo.training.finite import finite_norm, require_finite
from noisygrpo.training.image_tokens import check_tokens, refuse_vision_tokens
from noisygrpo.training.loss.terms import averaging
from noisygrpo.training.model import default_processor, prepare_vision, refreeze
from noisygrpo.training.outcomes import settle
from noisygrpo.training.prefix.shared import shuffle_groups
from noisygrpo.training.records.level_bins import LevelBins
from noisygrpo.training.records.metrics import Clock
from noisygrpo.training.records.step_means import StepMeans
from noisygrpo.training.records.view_ratio import RatioByLevel
from noisygrpo.training.sharding import keep_output_dtype, require_all_processes
from noisygrpo.training.views.parts import all_views, of_views
from noisygrpo.training.views.plan import plan_batch, scale_at
from noisygrpo.training.views.preprocess import once_per_image
from noisygrpo.training.views.score import expand, pictures
from noisygrpo.training.views.show import show


class NoisyGRPOTrainer(GRPOTrainer):
    """``trl.GRPOTrainer`` in which what each rollout sees is a variable of the algorithm."""

    args: NoisyGRPOConfig
    _step: int
    _buffered_inputs: Any
    _batch: Batch | None = None  # the one in the making; None outside of it

    def __init__(
        self,
        model: Any,
        reward_funcs: Any = None,
        args: GRPOConfig | None = None,
        train_dataset: Any = None,
        eval_dataset: Any = None,
        processing_class: Any = None,
        *more: Any,
        **kwargs: Any,
    ) -> None:
        """Take TRL's arguments, in its order.

        With TRL's ``args`` every rollout sees the clean image. Rewards of recipes go by their
        names; pictures may be paths or bytes (``given``). A frozen tower and pixel limits
        change model and processor in place. Rows without ``example_id`` get one of their content.
        ``UserError`` where data, model or processor lack what is asked for.
        """
        config = NoisyGRPOConfig.of(args, model)
        train_dataset, eval_dataset = given.decoded(train_dataset), given.decoded(eval_dataset)
        dataset.check(train_dataset, config, kwargs.get("environment_factory"))
        self.saving, self._named = checkpoints.Saving(), set[str]()
        self._functions = Functions.of(config)
        self._clock = Clock()
        self._view_ratio = RatioByLevel(config.use_vllm, LevelBins.of(config))
        self._means = StepMeans(sequences=config.importance_sampling_level == "sequence")
        data = train_dataset, eval_dataset, processing_class or default_processor(model, config)
        with parts.temperatures(self, config):
            super().__init__(model, given.rewards(reward_funcs), config, *data, *more, **kwargs)
        self.log_multimodal = False  # TRL gathers images where there are some: others would hang
        parts.refuse(self, train_dataset)
        self._banned = prepare_vision(self.model, self.processing_class, config)
        self._noise_limits = parts.noise_limits(self)
        parts.ban(self)
        self._engine = parts.engine(self, super()._generate_single_turn)
        self._scorer = parts.scorer(self, super()._get_per_token_logps_and_entropies)
        self._pictures = parts.pictures(self, super()._get_per_token_logps_and_entropies)
        self._asking = parts.asking(self)
        self._hints, self._selecting = parts.hints(self)
        self._recorder = parts.recorder(self)
        self._levels = parts.level_history(self)
        self._comparison, self._forward, self._refill = of_views(self)
        parts.install_callbacks(self)

    def create_accelerator_and_postprocess(self) -> None:
        """Make TRL's accelerator; log-probs of sharded models keep their precision."""
        super().create_accelerator_and_postprocess()
        require_all_processes(self.accelerator)
        keep_output_dtype(self.accelerator.state)

    def _run_epoch(self, *args: Any, **kwargs: Any) -> None:
        """Train for an epoch; Transformers would do one more step of a run that is done."""
        if something_left(self.state, self.control):
            super()._run_epoch(*args, **kwargs)

    # ---- a batch of rollouts: plan, ..., advantage, record ----

    def _generate_and_score_completions(self, inputs: list[Any]) -> dict[str, Any]:
        with self._spent("rollout"):
            return finish(self, *self._made(inputs))

    def _made(self, inputs: list[Any]) -> tuple[Batch, dict[str, Any]]:
        with self._making(inputs) as batch, once_per_image(self.processing_class):
            output = super()._generate_and_score_completions(batch.rows)
        attach(self, batch, output, super()._tokenize_prompts)
        return batch, output

    @contextmanager
    def _making(self, inputs: list[Any]) -> Iterator[Batch]:
        """Plan who sees what; the batch is the trainer's for as long as TRL makes it."""
        training, done = self.model.training, self.state.global_step
        rollouts = plan_batch(
            self.args,
            inputs,
            first=self.accelerator.process_index * len(inputs),
            group=self.num_generations if training else self.num_generations_eval,
            step=done + 1,
            scale=scale_at(self.args, done, self.state.max_steps),
            clean=not training,
            functions=self._functions,
        )
        if training:
            self._scorer.start(rollouts, self.num_generations, pictures(self.args))
            self._logs["extra"].clear()  # columns of a function that logs them now and then
        self._batch = Batch(rollouts, training)
        try:
            yield self._batch
        finally:
            self._batch = None
            refreeze(self.model, self.args)

    # ---- see and sample ----

    def _generate(self, prompts: list[Any]) -> tuple[Any, ...]:
        if self._batch is None:
            return super()._generate(prompts)
        self._batch.take_prompts(prompts, made=self.environment_factories is not None)
        ids, completion_ids, mask, completions, *rest = super()._generate(prompts)
        ids, completions = self._batch.take_completions(ids, completion_ids, mask, completions)
        refuse_vision_tokens(self._batch.rollouts, self._banned)
        return (ids, completion_ids, mask, completions, *rest)

    def _tokenize_prompts(self, prompts: list[Any]) -> tuple[Any, Any, dict[str, Any]]:
        batch, tokenize = self._batch, super()._tokenize_prompts
        if batch is None:
            return tokenize(prompts)
        how = partial(self._spent, "noise"), self._noise_limits, self.args.score_view == "own"
        shown = show(prompts, batch.rollouts, tokenize, *how)
        check_tokens(shown, batch.rollouts, self._image_pad_token_id, self.processing_class)
        batch.shown = shown
        self._pictures.drawn(batch)
        return shown.ids, shown.scored if any(shown.scored) else None, shown.fields

    def _generate_single_turn(
        self, prompt_ids: Any, images: Any, multimodal_fields: dict[str, Any], *more: Any, **kw: Any
    ) -> tuple[Any, Any]:
        batch = self._batch
        if batch is None or batch.shown is None:
            return super()._generate_single_turn(prompt_ids, images, multimodal_fields, *more, **kw)
        # vLLM processes images itself: the views', until a tool answers, which is for clean views.
        if self.use_vllm and prompt_ids is batch.shown.ids:
            images = batch.shown.images
        if self._hints is not None and batch.training:
            prompt_ids, multimodal_fields = self._hints.opened(prompt_ids, multimodal_fields)
        first = self._sample(batch, prompt_ids, images, multimodal_fields, *more, **kw)
        if self._hints is None or not batch.training:
            return first
        trls = super()._tokenize_prompts, partial(self._sample, batch), partial(self._judge, batch)
        selected = self._hints.climb(batch.rollouts, batch.shown, first, *trls)
        self._recorder.add(selected.metrics)
        self.state.num_input_tokens_seen += selected.untold
        return batch.take_hints(selected.rollouts)

    def _sample(self, batch: Batch, *inputs: Any, **kw: Any) -> Sampled:
        with self._spent("generate"):
            return self._engine.sample(batch.rollouts, batch.training, *inputs, **kw)

    # ---- reward ----

    def _judge(
        self, batch: Batch, asked: list[Any], rows: list[int], texts: list[str], ids: Any
    ) -> Any:
        with self._spent("reward"):
            inputs = asked, [batch.prompts[row] for row in rows], batch.turns(texts), ids
            return self._selecting.ask(
                partial(self._asking.ask, super()._calculate_rewards), *inputs
            )

    def _calculate_rewards(
        self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any
    ) -> Tensor:
        calculate, batch = super()._calculate_rewards, self._batch
        if batch is not None:
            inputs = batch.reward_rows(inputs)
            if batch.hinted:
                calculate = partial(self._selecting.repeat, batch.said, calculate)
        with self._spent("reward"):
            rewards = self._asking.ask(calculate, inputs, prompts, completions, completion_ids_list)
        if batch is None or not batch.training:
            return rewards
        how = self.num_generations, self.args.reward_missing, self._named
        batch.rewards, batch.lost = settle(rewards, self.reward_func_names, *how)
        return batch.rewards

    # ---- score: old, reference and current log-probs, on the clean image ----

    def _get_per_token_logps_and_entropies(
        self, model: Any, input_ids: Tensor, attention_mask: Tensor, logits_to_keep: int, **kw: Any
    ) -> Any:
        inputs = model, input_ids, attention_mask, logits_to_keep
        if self._batch is not None:
            kw |= self._batch.token_types(kw, input_ids.size(1), logits_to_keep)
            if views := all_views(self, self._batch, kw, super()._tokenize_prompts):
                return views.score(partial(self._scorer.score, *inputs), kw)
        return self._forward.score(self._scorer.score, *inputs, **kw)

    # ---- update ----

    def _prepare_inputs(self, generation_batch: Any) -> Any:
        if not self.model.training:
            return super()._prepare_inputs(generation_batch)
        group = 1 if self._scorer.shared is None else self.num_generations
        steps, place = self.args.steps_per_generation, self.accelerator.process_index
        if self._step % (steps * self.num_iterations) == 0 or self._buffered_inputs is None:
            scored = self._generate_and_score_completions(generation_batch)
            first = place * len(generation_batch)
            self._buffered_inputs = shuffle_groups(scored, steps, first, group)
        return self._buffered_inputs[self._step % steps]

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Tensor:
        if not self.model.training:
            return super()._compute_loss(model, inputs)
        given, inputs, forward = inputs, expand(inputs), self._forward
        with forward.of(given, len(inputs["prompt_ids"]) // len(given["prompt_ids"])):
            loss = super()._compute_loss(model, inputs)
        first = forward.first.detach()
        self._view_ratio.add(inputs, first)
        self._comparison.updated(given, first, forward.second)
        self._pictures.updated(given, first, self.state.global_step + 1)
        self._means.take(self._metrics["train"], inputs)
        return forward.added(loss, inputs, averaging(self, inputs), self.state)

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Tensor:
        """Take TRL's step and refuse a loss that is not a number, on all processes together."""
        if self._step == 0:  # a resumed run finds its place in the batch of rollouts
            self._step = self.state.global_step * self.args.gradient_accumulation_steps
        with self._clock.measure("step"), self._comparison.late.not_lost():  # begins in eval mode
            loss = super().training_step(model, inputs, num_items_in_batch)
            require_finite(self.accelerator.reduce(loss, "sum"), "loss", self.state, self.args)
        if self._step % self.current_gradient_accumulation_steps == 0:
            add_up = partial(self.accelerator.reduce, reduction="sum")
            found = self._view_ratio.flush(add_up) | self._means.flush(add_up)
            found |= self._pictures.flush(self.accelerator.gather)
            self._recorder.add(self._clock.flush() | found | self._forward.terms.flush(add_up))
        return loss

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        return finite_norm(super()._get_grad_norm(model, grad_norm), self)

    # ---- record ----

    def _spent(self, name: str) -> AbstractContextManager[None]:
        """Return the context whose seconds count, in training, as spent on something."""
        return self._clock.measure(name) if self.model.training else nullcontext()

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log as TRL does and append the whole entry to ``metrics.jsonl``."""
        super().log(logs, start_time)
        self._recorder.step(self.state.log_history[-1])

    # ---- resume ----

    def _get_train_sampler(self, dataset: Any = None) -> Any:
        return checkpoints.by_epoch(enough(super()._get_train_sampler(dataset), self.args))

    def _get_output_dir(self, trial: Any) -> str:
        return self.saving.folder or str(super()._get_output_dir(trial))

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        what = self.model, self.args, self.state, self.accelerator, self.processing_class
        inside = self._step % (self.args.steps_per_generation * self.num_iterations) != 0
        self._levels.save(self.state, inside)
        with self.saving.whole(self._get_output_dir(trial), *what):
            super()._save_checkpoint(model, trial)
            reference.save(self, self._get_output_dir(trial))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        whole = self.model if model is None else model
        if not checkpoints.load(whole, self.accelerator, resume_from_checkpoint):
            super()._load_from_checkpoint(resume_from_checkpoint, model)
        reference.load(self, resume_from_checkpoint)

    def _load_best_model(self) -> None:
        best = str(self.state.best_model_checkpoint)
        if not checkpoints.load(self.model, self.accelerator, best):
            super()._load_best_model()
