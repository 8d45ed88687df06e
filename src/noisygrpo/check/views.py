"""What score views and second views cost, worked out before a run: forwards and tokens of a batch.

With R rollouts in groups of G, P prompt tokens, C completion tokens and P' prompt tokens of the
second view (without images for ``text``), and at most::

    rows             R (P + C)            tokens of a forward of the whole batch
    shared_prefix    R / G P + R C        where all completions of a prompt share one view
                     R (P + C)            on views that each rollout has of its own
    score_view all   D times as much      D distinct views of a group
    second view      R (P' + C), or R / G P' + R C with shared_prefix, in each forward on it; one
                     for all views that completions are scored on
"""

from __future__ import annotations

from dataclasses import dataclass

from noisygrpo.methods.views import View, plan_views
from noisygrpo.own.check import Functions
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.engines.prefill import by_token
from noisygrpo.training.prefix.groups import FAMILIES
from noisygrpo.training.settings import in_the_loss, measures_dependence, waits_for_the_loss


@dataclass(frozen=True)
class Tokens:
    """What the sizes of a batch are."""

    rollouts: int
    prompt: int
    completion: int
    blind: int
    """Tokens of a prompt without its images."""
    shares: bool = True
    """Whether the model can read a prompt once for its completions."""


def sizes_of(
    config: NoisyGRPOConfig, model_type: str, rollouts: int, prompt: int, blind: int
) -> Tokens:
    """Return the sizes of a batch; of longest prompts, with images and without."""
    shares = model_type in FAMILIES
    return Tokens(rollouts, prompt, config.max_completion_length, blind, shares)


def first_plan(config: NoisyGRPOConfig) -> list[View]:
    """Return the views of a group at the run's first step."""
    assert not isinstance(config.noise_levels, str)  # ``measured`` is replaced before
    return plan_views(
        Functions.of(config).plan,
        config.num_generations,
        levels=config.noise_levels,
        seed=config.seed,
        clean=config.clean_rollouts,
    )


def distinct_views(config: NoisyGRPOConfig) -> int:
    """Return how many different pictures a group sees at the run's first step."""
    seen = {
        (view.level, None if view.shared_noise or view.level == 0 else index)
        for index, view in enumerate(first_plan(config))
    }
    return len(seen)


def view_lines(config: NoisyGRPOConfig, sizes: Tokens) -> list[str]:
    """Say what is scored on which views, and what it costs; nothing where it is all plain."""
    return [
        *_score_lines(config, sizes),
        *_second_lines(config, sizes),
        *_ratio_lines(config, sizes),
    ]


def _tokens(config: NoisyGRPOConfig, sizes: Tokens, prompt: int, prompts: int) -> int:
    """Return the tokens of one forward over the batch, with so many distinct prompts."""
    read = prompts if config.shared_prefix and sizes.shares else sizes.rollouts
    return read * prompt + sizes.rollouts * sizes.completion


def _scored(config: NoisyGRPOConfig, sizes: Tokens) -> int:
    """Return the tokens of a forward on what completions are scored on."""
    groups = sizes.rollouts // config.num_generations
    if config.score_view == "clean":
        return _tokens(config, sizes, sizes.prompt, groups)
    views = distinct_views(config)
    if config.score_view == "own":
        return _tokens(config, sizes, sizes.prompt, groups * views)
    return views * _tokens(config, sizes, sizes.prompt, groups)


def _score_lines(config: NoisyGRPOConfig, sizes: Tokens) -> list[str]:
    if config.score_view == "clean":
        return []
    views, groups = distinct_views(config), sizes.rollouts // config.num_generations
    plain, cost = _tokens(config, sizes, sizes.prompt, groups), _scored(config, sizes)
    if config.score_view == "own":
        said = f"own: each completion on what its rollout saw, {views} pictures a group"
    else:
        said = f"all: each completion on the {views} pictures of its group, {views} rows for one"
    return [
        f"score_view {said}; {cost:,} tokens a forward, {cost / plain:.2f} x those of the clean "
        "image"
    ]


def _second_lines(config: NoisyGRPOConfig, sizes: Tokens) -> list[str]:
    if config.second_view == "none":
        return []
    prompt = sizes.blind if config.second_view == "text" else sizes.prompt
    groups = sizes.rollouts // config.num_generations
    one = _tokens(config, sizes, prompt, groups)
    before, updates = _before(config), _in_updates(config)
    lines = [
        f"second_view {config.second_view}: {one:,} tokens a forward; before the update "
        f"{before} without gradient; in the update {updates or 'none'}"
    ]
    if _scores_clean(config):
        lines.append(
            "dependence by token: one more forward on the scored view, "
            f"{_scored(config, sizes):,} tokens, for the log-probs of the policy that sampled"
        )
    return lines


def _before(config: NoisyGRPOConfig) -> int:
    """Return the forwards on the second view before the update: one, or none."""
    old = in_the_loss(vars(config)) and config.second_policy == "old"
    if not old and _waits(config) and in_the_loss(vars(config)):  # both sides are the loss's
        return 0
    return int(measures_dependence(vars(config)) or old)


def _scores_clean(config: NoisyGRPOConfig) -> bool:
    """Whether log-probs on the scored view are asked for that TRL does not compute."""
    return measures_dependence(vars(config)) and not (_old(config) or _waits(config))


def _waits(config: NoisyGRPOConfig) -> bool:
    """Whether dependence is computed of log-probs of the loss."""
    return waits_for_the_loss(vars(config)) and not _old(config)


def _old(config: NoisyGRPOConfig) -> bool:
    whole = config.gradient_accumulation_steps % (
        config.steps_per_generation * config.num_iterations
    )
    return bool(whole or (config.use_vllm and config.vllm_importance_sampling_correction))


def _in_updates(config: NoisyGRPOConfig) -> str:
    if not in_the_loss(vars(config)) or config.second_policy != "current":
        return ""
    times = f" x {config.num_iterations} updates" if config.num_iterations > 1 else ""
    if config.second_gradient in ("second", "both"):
        return f"1 forward and backward{times}, together with the loss's own"
    return f"1 forward without gradient{times}"


def _ratio_lines(config: NoisyGRPOConfig, sizes: Tokens) -> list[str]:
    if config.view_correction == "none":
        return []
    groups = sizes.rollouts // config.num_generations
    noisy = sum(view.level > 0 for view in first_plan(config)) * groups
    own = 0 if _taken(config) else noisy * (sizes.prompt + sizes.completion)
    clean = 0 if _old(config) else _tokens(config, sizes, sizes.prompt, groups)
    on = [f"on what {noisy} noisy rollouts saw"] * bool(own) + ["on the scored view"] * bool(clean)
    cost = (
        f"at most {own + clean:,} tokens in forwards without gradient, {' and '.join(on)}"
        if on
        else "no forward more"
    )
    return [f"view_correction {config.view_correction}, of {noisy} noisy rollouts: {cost}"]


def _taken(config: NoisyGRPOConfig) -> bool:
    """Whether log-probs on the views come with the completions."""
    given = {"cache_implementation": config.cache_implementation}
    return config.use_vllm or by_token(config, given | (config.generation_kwargs or {}))
