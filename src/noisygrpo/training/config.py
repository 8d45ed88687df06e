"""Configuration of a run: TRL's, plus what rollouts see and how rewards become advantages.

A method is a name for a few of these fields (``METHODS``). A field left ``None`` takes the method's
value, then TRL's, so ``method: noisygrpo`` with ``view_plan: uniform`` is NoisyGRPO with the levels
of the paper. Everything else is TRL's and documented there.

Every wrong setting raises ``UserError`` while the object is built, before a model is loaded.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

from trl import GRPOConfig
from trl.trainer.utils import get_config_model_id

from noisygrpo.errors import UserError, require
from noisygrpo.own.check import check_functions
from noisygrpo.own.choice import FIELDS, spread
from noisygrpo.schema import check_enumerated, hints_of
from noisygrpo.training.config_checks import check, check_together, check_types
from noisygrpo.training.levels.fields import LevelFields
from noisygrpo.training.precision import choose_precision
from noisygrpo.training.ranges import RANGES, check_ranges
from noisygrpo.training.settings import METHODS, chosen, complete, is_hinted, is_noisy
from noisygrpo.training.views.fields import ViewFields

__all__ = ["METHODS", "OWN_FIELDS", "NoisyGRPOConfig"]

Choice = dict[str, Any] | str | Callable[..., Any] | None
"""A name, ``path.py:function``, ``{"name": …, knob: value}``, or a function; kept as a name."""


@dataclass
class NoisyGRPOConfig(ViewFields, LevelFields, GRPOConfig):
    """``trl.GRPOConfig`` with views, advantages and the logs of this package.

    Raises:
        UserError: for any setting that cannot work, with field, value and what is allowed.
    """

    NARROWER: ClassVar[dict[str, Any]] = {
        "noise_levels": list[float] | Literal["measured"] | None,  # TrlParser reads no such union
        "scale_rewards": str | bool,  # TRL takes both spellings
    }

    method: str = "grpo"
    """One of ``METHODS``; sets the fields below that are left ``None``."""

    view_plan: Choice = None
    """How the G rollouts of a prompt get their views: clean, grid, uniform, split, or your own."""

    noise_kind: Choice = None
    """What noise does: one of ``methods.noise.NOISE_KINDS``, or your own."""

    noise_at: str | None = None
    """The picture that noise is drawn on: the one within the processor's pixel limits (model), so
    that a level means the same for pictures of all sizes, or the file's own (file). ``None`` is
    model where the processor has such limits. See ``methods.noise``."""

    noise_levels: list[float] | str | None = None
    """Levels in [0, 1]: cycled over the group (grid); low, high (uniform); noisy one (split).
    In a recipe also ``measured``: `noisygrpo train` then measures them first (docs/levels.md)."""

    clean_rollouts: int | None = None
    """Rollouts per group that see the clean image, for uniform (default 1) and split (half)."""

    noise_decay: str | None = None
    """Schedule of ``methods.schedules`` by which every level shrinks over the run. Its steps are
    batches of rollouts, as published, also where a batch serves several optimizer steps."""

    noise_decay_coefficient: float | None = None
    """The schedule's coefficient; ``None`` is the published one, where there is one."""

    noise_decay_mid_step: float | None = None
    """Batch at which the sigmoid schedule is one half; ``None`` is two thirds of the run."""

    hint_levels: int | None = None
    """Hint levels M: level g gives the first g/M of the reference reasoning's steps; 1 is none.
    ``num_generations`` completions are made per prompt and level, and one level's are trained."""

    hint_selection: str = "first_nonzero"
    """The level that is trained: the first with any reward above 0 (``first_nonzero``, published)
    or with unequal rewards (``first_with_variance``); level 0 where there is none."""

    hint_reward: str | None = None
    """Name of the reward function that selects the level: accuracy, never format, which level 0
    nearly always earns. ``None`` is the first of the run's."""

    hint_style: str = "auto"
    """How reference reasoning is cut into steps: step, numbered, sentence, or auto."""

    hint_place: str = "answer"
    """Where the hint stands: at the start of the assistant's turn (answer) or at the end of the
    user's (question), which the paper found weaker."""

    hint_template: str = "{hint}"
    """Text around a hint, such as ``<think>{hint}`` for a model that reasons in tags."""

    hint_markers: bool = False
    """Keep "Step 1:" and the like in hints (cut verbatim), for models that write such markers."""

    hint_stop_early: bool = True
    """Generate no further level for prompts that have a useful one: the same levels are selected
    with fewer tokens. The released code generates all levels (false)."""

    advantage: Choice = None
    """One of ``methods.advantages.ADVANTAGES``, or your own; ``grpo`` keeps TRL's numbers, bit for
    bit."""

    knobs: dict[str, dict[str, Any]] | None = None
    """Knobs of ``view_plan``, ``noise_kind`` and ``advantage`` that have no field of their own;
    written as ``advantage: {name: mine.py:f, alpha: 0.1}``."""

    bayes_alpha: float = 0.01
    """Scale of the prior's variance (alpha) in the Bayesian advantage; published 0.01."""

    bayes_r: float = 0.1
    """Variance of the observation (r) in the Bayesian advantage: 0 is the prior alone."""

    constant_groups: str = "prior"
    """What ``bayesian`` gives equal rewards: prior (published), zero, prior_if_correct."""

    correct_reward: str | None = None
    """Name of the reward function that says what is correct, for ``prior_if_correct``. ``None`` is
    the first of the run's whose name has no "format" in it."""

    correct_at: float = 1.0
    """The score from which on ``correct_reward`` says correct."""

    reward_missing: str = "skip"
    """What the reward of a function is that gives None for some completions of a prompt and not for
    others: skip (left out of the sum, as in TRL), zero, or unscorable (the rollout is left out)."""

    groups: str = "all"
    """Which groups are trained: all, or refill (DAPO): those whose advantages are all 0 are
    replaced by the next prompts of an order that seed and step give."""

    refill_attempts: int = 10
    """How many batches are sampled besides the first, at most, to replace such groups."""

    reward_time_limit: float | None = 600.0
    """Seconds that a reward function has for a batch; then it is interrupted and the run stops (or
    goes on, with ``on_error: skip``). ``None``: as long as it likes. Keep it below ``ddp_timeout``,
    after which processes that wait for this one give up."""

    loss_type: str | None = None
    """TRL's loss type; ``None`` is the method's, then TRL's own default (dapo)."""

    vllm_importance_sampling_correction: bool | None = None
    """TRL's vLLM correction, for clean rollouts only: for a noisy one it would compare log-probs on
    two images, so its weight is 1. ``None`` is on where all views are clean and off elsewhere."""

    freeze_vision_tower: bool = False
    """Train no parameter of the vision encoder (in Qwen's models this includes the merger)."""

    max_pixels: int | None = None
    """Upper limit on an image's pixels, for sampling and scoring; ``None`` is the processor's."""

    min_pixels: int | None = None
    """Lower limit on an image's pixels, for sampling and scoring; ``None`` is the processor's."""

    check_pictures: bool = True
    """Compare by hash the pictures that are drawn, sampled from, scored and trained on, and the
    log-probs of clean rollouts with the engine's; a difference stops the run and names the row."""

    mismatch_limit: float | None = None
    """Largest mean difference per token, of a clean rollout's log-probs, between engine and
    learner; ``None`` is what was measured, by precision (``training.pictures.mismatch``)."""

    log_view_ratio: bool = False
    """Log by level how far sampling on the view is from scoring on the clean image. Costs one
    forward without gradient over the noisy rollouts of a step; free with vLLM."""

    shared_prefix: bool = True
    """Score and update the completions of a prompt with one forward per group, which reads prompt
    and images once; the same numbers up to rounding. Where a model or setting does not allow it,
    rows are scored one by one and one warning says why. Without it, and without ``shared_prefill``,
    a run on clean views is TRL's bit for bit."""

    shared_prefix_kernel: str = "sdpa"
    """What computes the attention of groups: sdpa; or flex (FlexAttention, on a GPU only), which
    keeps no copies of the prompt's keys and values."""

    shared_prefill: bool = True
    """Before sampling with ``generate``, read every distinct prompt and view once instead of once
    per rollout, and decode those completions alone that have not ended; the same logits up to
    rounding. Where that cannot be, it is TRL's sampling and one warning says why. vLLM does so by
    itself."""

    released: list[str] | None = None
    """What the releases do and this package mends, brought back for runs that are compared with
    theirs: names in ``training.released.DEFECTS``. ``check`` lists what is on."""

    rollouts_format: str = "jsonl"
    """Where every rollout is kept: jsonl (one file), parquet (one file a step), none."""

    def __post_init__(self) -> None:
        """Fill in the method's values, then check everything."""
        self._take_choices()
        scale = vars(self)["scale_rewards"]
        if isinstance(scale, bool):
            self.scale_rewards = "group" if scale else "none"
        check_types(vars(self), {name: _HINTS[name] for name in {*OWN_FIELDS, *RANGES} & {*_HINTS}})
        given = {
            field.name: value
            for field in fields(self)
            if (value := vars(self)[field.name]) is not None and value != field.default
        }
        self._take_method()
        check(given, vars(self))
        choose_precision(self)
        check_enumerated(vars(self), _HINTS)
        try:
            super().__post_init__()
        except UserError:
            raise
        except (ValueError, TypeError, OSError, ImportError, NotImplementedError) as error:
            raise UserError(f"training: {error}") from error
        check_functions(self)
        self.__dict__["_settled"] = True

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a field; a method set afterwards would leave the fields that it stands for behind."""
        require(
            name != "method" or "_settled" not in vars(self) or value == self.method,
            f"method: {value!r} cannot be set later, as it settles other fields; make another "
            f"NoisyGRPOConfig(method={value!r})",
        )
        super().__setattr__(name, value)

    def _take_choices(self) -> None:
        values, defaults = vars(self), {field.name: field.default for field in fields(self)}
        given = {name: one for name, one in values.items() if one != defaults.get(name)}
        found = spread(given, chosen(values))
        self.__dict__ |= {name: defaults[name] for name in FIELDS} | found

    def _take_method(self) -> None:
        self.__dict__ |= complete(vars(self))
        if self.vllm_importance_sampling_correction is None:
            self.vllm_importance_sampling_correction = not self.noisy

    @classmethod
    def of(cls, args: GRPOConfig | None, model: Any) -> "NoisyGRPOConfig":
        """Return TRL's settings as ours: every rollout sees the clean image, nothing is shared.

        Args:
            args: returned as it is if it is ours; None is TRL's defaults.
            model: a model, or a path; with ``args`` None it names the output folder, as in TRL.

        Raises:
            UserError: ``args`` is something else.
        """
        if isinstance(args, cls):
            args._take_choices()  # which may have been set since
            check_functions(args)
            return args
        if args is None:
            path = model if isinstance(model, str) else get_config_model_id(model.config)
            return cls(f"{path.split('/')[-1]}-GRPO", **AS_TRL)
        require(
            isinstance(args, GRPOConfig),
            f"args: {type(args).__name__} is not a NoisyGRPOConfig or a trl.GRPOConfig",
        )
        config = object.__new__(cls)  # TRL's values are checked and completed already
        defaults = {field.name: field.default for field in fields(cls) if field.name in OWN_FIELDS}
        config.__dict__ |= defaults | AS_TRL | vars(args)
        config._take_method()
        check_ranges(vars(config))
        check_together(vars(config))
        return config

    @property
    def noisy(self) -> bool:
        """Whether any rollout may see something else than the clean image."""
        return is_noisy(vars(self))

    @property
    def hinted(self) -> bool:
        """Whether prompts are tried at more levels than the one without a hint."""
        return is_hinted(vars(self))


AS_TRL: dict[str, Any] = {"shared_prefix": False, "shared_prefill": False}
"""With these a run on clean views is TRL's, bit for bit; who gives TRL's settings gets it."""

OWN_FIELDS = {field.name for field in fields(NoisyGRPOConfig)} - {
    field.name for field in fields(GRPOConfig)
}
"""Fields that TRL's configuration has not."""

_HINTS = hints_of(NoisyGRPOConfig)
