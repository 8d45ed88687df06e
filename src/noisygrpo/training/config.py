"""Configuration of a run: TRL's, plus what rollouts see and how rewards become advantages.

A method is a name for a few of these fields (``METHODS``). A field left ``None`` takes the method's
value, then TRL's, so ``method: noisygrpo`` with ``view_plan: uniform`` is NoisyGRPO with the levels
of the paper. Everything else is TRL's and documented there.

Every wrong setting raises ``UserError`` while the object is built, before a model is loaded.
"""

import os
from dataclasses import dataclass
from typing import Any

from trl import GRPOConfig

from noisygrpo.errors import UserError, require
from noisygrpo.methods.advantages import ADVANTAGES, CONSTANT_GROUPS
from noisygrpo.methods.noise import NOISE_KINDS
from noisygrpo.methods.schedules import check_schedule
from noisygrpo.methods.views import check_plan

METHODS: dict[str, dict[str, Any]] = {
    "grpo": {},
    "dr_grpo": {"advantage": "dr_grpo", "loss_type": "dr_grpo"},
    "rloo": {"advantage": "rloo"},
    # Released code of arXiv 2510.21122: a fixed grid of four levels; paper: view_plan "uniform".
    "noisygrpo": {
        "view_plan": "grid",
        "noise_levels": [0.0, 0.3, 0.6, 0.9],
        "advantage": "bayesian",
    },
}
"""Method name to the values of the fields that the user left ``None``."""

_DEFAULTS: dict[str, Any] = {"view_plan": "clean", "advantage": "grpo", "loss_type": "dapo"}
"""What a field holds that neither the user nor the method sets; ``loss_type`` is TRL's default."""

CHOICES: dict[str, tuple[str, ...]] = {
    "noise_kind": tuple(NOISE_KINDS),
    "advantage": tuple(ADVANTAGES),
    "constant_groups": CONSTANT_GROUPS,
    "rollouts_format": ("jsonl", "parquet", "none"),
    # TRL's own, which it would only miss in the first step.
    "loss_type": ("grpo", "dapo", "bnpo", "dr_grpo", "cispo", "sapo", "luspo", "vespo"),
    "importance_sampling_level": ("token", "sequence"),
    "scale_rewards": ("group", "batch", "none"),
    "multi_objective_aggregation": ("sum_then_normalize", "normalize_then_sum"),
}
"""Fields that hold one of a few names."""

LEAST: dict[str, float] = {
    "beta": 0.0,
    "bayes_r": 0.0,
    "num_iterations": 1,
    "max_completion_length": 1,
    "max_pixels": 1,
    "min_pixels": 1,
}
"""Fields with a smallest value; ``None`` is fine where the field allows it."""


@dataclass
class NoisyGRPOConfig(GRPOConfig):
    """``trl.GRPOConfig`` with views, advantages and the logs of this package.

    Raises:
        UserError: for any setting that cannot work, with field, value and what is allowed.
    """

    method: str = "grpo"
    """One of ``METHODS``; sets the fields below that are left ``None``."""

    view_plan: str | None = None
    """How the G rollouts of a prompt get their views: clean, grid, uniform or split."""

    noise_kind: str = "gaussian"
    """What noise does: gaussian (diffusion), random_mask, patch_mask, rotation, crop_fill."""

    noise_levels: list[float] | None = None
    """Levels in [0, 1]: cycled over the group (grid); low, high (uniform); noisy one (split)."""

    clean_rollouts: int | None = None
    """Rollouts per group that see the clean image, for uniform (default 1) and split (half)."""

    noise_decay: str = "none"
    """Schedule of ``methods.schedules`` by which every level shrinks over the run's steps."""

    noise_decay_coefficient: float | None = None
    """The schedule's coefficient; ``None`` is the published one, where there is one."""

    noise_decay_mid_step: float | None = None
    """Step at which the sigmoid schedule is one half; ``None`` is two thirds of the run."""

    advantage: str | None = None
    """One of ``methods.advantages.ADVANTAGES``; ``grpo`` keeps TRL's numbers, bit for bit."""

    bayes_alpha: float = 0.01
    """Scale of the prior's variance (alpha) in the Bayesian advantage; published 0.01."""

    bayes_r: float = 0.1
    """Variance of the observation (r) in the Bayesian advantage: 0 is the prior alone."""

    constant_groups: str = "prior"
    """What ``bayesian`` gives equal rewards: prior (published), zero, prior_if_correct."""

    loss_type: str | None = None
    """TRL's loss type; ``None`` is the method's, then TRL's own default (dapo)."""

    vllm_importance_sampling_correction: bool | None = None
    """TRL's vLLM correction; ``None`` is on for clean views and off for noisy ones, where it would
    compare log-probs on two different images and silently remove noisy rollouts."""

    freeze_vision_tower: bool = False
    """Train no parameter of the vision encoder (in Qwen's models this includes the merger)."""

    max_pixels: int | None = None
    """Upper limit on an image's pixels, for sampling and scoring; ``None`` is the processor's."""

    min_pixels: int | None = None
    """Lower limit on an image's pixels, for sampling and scoring; ``None`` is the processor's."""

    ban_image_tokens: bool = True
    """Never sample an image, video or vision token: the next forward would miss its features."""

    log_view_ratio: bool = False
    """Log by level how far sampling on the view is from scoring on the clean image. Costs one
    forward without gradient over the noisy rollouts of a step; free with vLLM."""

    shared_prefix: bool = False
    """Score and update the completions of a prompt with one forward per group, which reads prompt
    and images once; the same numbers up to rounding. Where a model or setting does not allow it,
    rows are scored one by one and one warning says why."""

    rollouts_format: str = "jsonl"
    """Where every rollout is kept: jsonl (one file), parquet (one file a step), none."""

    def __post_init__(self) -> None:
        """Fill in the method's values, then check everything."""
        self._take_method()
        _check_batch(self)
        try:
            super().__post_init__()
        except UserError:
            raise
        except (ValueError, TypeError) as error:
            raise UserError(f"training: {error}") from error
        validate(self)

    def _take_method(self) -> None:
        require(
            self.method in METHODS, f"method: {self.method!r} is not one of {', '.join(METHODS)}"
        )
        values = {**_DEFAULTS, **METHODS[self.method]}
        if self.view_plan not in (None, values["view_plan"]):
            values.pop("noise_levels", None)  # levels of one plan mean nothing to another
        for name, value in values.items():
            if vars(self)[name] is None:
                self.__dict__[name] = list(value) if isinstance(value, list) else value
        if self.vllm_importance_sampling_correction is None:
            self.vllm_importance_sampling_correction = not self.noisy

    @property
    def noisy(self) -> bool:
        """Whether any rollout may see something else than the clean image."""
        return self.view_plan != "clean" and (self.noise_levels is None or any(self.noise_levels))


def _check_batch(config: NoisyGRPOConfig) -> None:
    """Say in our words what TRL says in terms of a derived field: groups must fill the batch."""
    group = config.num_generations
    require(
        isinstance(group, int) and group >= 2,
        f"num_generations: {group!r}; a group needs at least 2 rollouts",
    )
    if config.generation_batch_size is not None:
        return  # TRL's own message names this field
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    per_device = config.per_device_train_batch_size
    steps = config.steps_per_generation or config.gradient_accumulation_steps
    rollouts = per_device * processes * steps
    require(
        rollouts % group == 0,
        f"num_generations: {group} does not divide the {rollouts} rollouts of a batch "
        f"(per_device_train_batch_size {per_device} x {processes} processes x {steps} batches); "
        "make the batch a multiple of the group",
    )


def validate(config: NoisyGRPOConfig) -> None:
    """Check everything that needs no model and no data; a pure function.

    Raises:
        UserError: naming the field, its value and what is allowed.
    """
    values = vars(config)
    for name, allowed in CHOICES.items():
        listed = ", ".join(allowed)
        require(values[name] in allowed, f"{name}: {values[name]!r} is not one of {listed}")
    for name, least in LEAST.items():
        enough = values[name] is None or values[name] >= least
        require(enough, f"{name}: {values[name]!r} must be at least {least}")
    for name in ("temperature", "bayes_alpha"):
        require(values[name] > 0, f"{name}: {values[name]!r} must be above 0")
    _check_views(config)
    _check_advantage(config)
    _check_engine(config)
    require(
        not (config.log_view_ratio and config.noise_kind == "rotation"),
        "log_view_ratio: true needs views of the image's size, which noise_kind 'rotation' changes",
    )


def _check_views(config: NoisyGRPOConfig) -> None:
    try:
        check_plan(
            config.view_plan or "",
            config.num_generations,
            config.noise_levels,
            config.clean_rollouts,
        )
    except ValueError as error:
        raise UserError(
            f"view_plan {config.view_plan}, noise_levels, clean_rollouts: {error}"
        ) from error
    try:
        check_schedule(
            config.noise_decay, 1, config.noise_decay_coefficient, config.noise_decay_mid_step
        )
    except ValueError as error:
        raise UserError(f"noise_decay, its coefficient and mid_step: {error}") from error


def _check_advantage(config: NoisyGRPOConfig) -> None:
    name = config.advantage
    if name == "bayesian":
        require(
            config.noisy,
            "advantage: bayesian takes its prior from different noise levels, but view_plan "
            f"{config.view_plan!r} with noise_levels {config.noise_levels} shows every rollout the "
            "clean image",
        )
    if name != "grpo":
        for field, default in (
            ("scale_rewards", "group"),
            ("multi_objective_aggregation", "sum_then_normalize"),
        ):
            value = vars(config)[field]
            require(
                value == default,
                f"{field}: {value!r} has no effect on advantage {name!r}; leave it at {default!r}",
            )


def _check_engine(config: NoisyGRPOConfig) -> None:
    if not (config.use_vllm and config.noisy):
        return
    require(
        config.vllm_mode != "server",
        "vllm_mode: 'server' asks for G completions of one image, so that all rollouts of a group "
        "would share a view; use 'colocate' with noisy views",
    )
    require(
        not config.vllm_importance_sampling_correction,
        "vllm_importance_sampling_correction: true would weight noisy rollouts by the ratio of "
        "clean to noisy image and so remove them; leave it out (log_view_ratio shows the ratio)",
    )
