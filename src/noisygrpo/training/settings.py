"""A run's settings as plain values: what a method stands for, and what follows from a choice.

Nothing here imports TRL or torch, so that a recipe is checked before they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from noisygrpo.errors import require
from noisygrpo.own.choice import FIELDS, KNOBS
from noisygrpo.schema import near
from noisygrpo.training.levels.fields import OF_LEVELS

_PAPO = {"second_view": "black_patches", "second_level": 0.6, "second_loss": -0.02}

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
    # arXiv 2504.13055, 7B on Geometry3K: half the group sees one noisy picture that fades out.
    "noisyrollout": {"view_plan": "split", "noise_levels": [0.5], "noise_decay": "sigmoid"},
    # Released code of arXiv 2503.23905; paper: 3 levels.
    "hint_grpo": {"hint_levels": 2},
    # Released code of arXiv 2507.06448: masked log-probs of the old policy, so without gradient.
    "papo": {**_PAPO, "second_policy": "old", "second_gradient": "clean"},
    # The paper's formula: both log-probs of the current policy, with gradient.
    "papo_exact": {**_PAPO, "second_policy": "current", "second_gradient": "both"},
    # Released code of arXiv 2510.09285, the 7B's entropy weight.
    "vppo": {
        "second_view": "black_patches",
        "second_level": 0.5,
        "second_token_mask": 0.4,
        "second_sequence_weight": 0.9,
        "sampled_entropy": 0.06,
    },
    # arXiv 2506.09736: whole groups are sampled and scored on one disturbed picture; its data
    # mixes 0.1 to 0.3 of another picture in, puts a distractor beside it, or turns it.
    "vision_matters": {
        "view_plan": "split",
        "clean_rollouts": 0,
        "noise_levels": [0.2],
        "noise_kind": "mixup",
        "score_view": "own",
    },
}
"""Method name to the values of the fields that the user left ``None``."""

OF_THE_SECOND_VIEW: dict[str, Any] = {
    "second_estimator": "k3",
    "second_policy": "old",
    "second_gradient": "none",
    "second_gate": "all",
    "second_loss": 0.0,
    "second_loss_decay": "none",
    "second_entropy": 0.0,
    "second_token_mask": 1.0,
    "second_token_weight": 0.0,
    "second_sequence_weight": 1.0,
    "second_reward": 0.0,
    "second_advantage": 0.0,
}
"""What is done with the second view, where neither user nor method says: nothing but a metric."""

DEFAULTS: dict[str, Any] = {
    "view_plan": "clean",
    "noise_kind": "gaussian",
    "score_view": "clean",
    "second_view": "none",
    "sampled_entropy": 0.0,
    **OF_THE_SECOND_VIEW,
    "noise_decay": "none",
    "hint_levels": 1,
    "advantage": "grpo",
    "loss_type": "dapo",
}
"""What a field holds that neither the user nor the method sets; ``loss_type`` is TRL's default."""

MEASURED = "measured"
"""What ``noise_levels`` may be in a recipe instead of a list: `noisygrpo train` measures first."""

BY_TOKEN = ("second_token_mask", "second_token_weight", "second_advantage")
"""Fields by which the tokens of a completion get advantages of their own."""

BEFORE_THE_UPDATE = (*BY_TOKEN, "second_sequence_weight", "second_reward")
"""Fields that take visual dependence under the sampling policy."""

OF_A_SCHEDULE = ("noise_decay_coefficient", "noise_decay_mid_step")
"""Fields that say how a schedule fades the noise."""

OF_HINTS = (
    "hint_selection",
    "hint_reward",
    "hint_style",
    "hint_place",
    "hint_template",
    "hint_markers",
    "hint_stop_early",
)
"""Fields that say what becomes of hints, where there are any."""

OF_A_METHOD = (
    "groups",
    "refill_attempts",
    "view_plan",
    "noise_kind",
    "noise_at",
    "noise_levels",
    "clean_rollouts",
    "noise_decay",
    *OF_A_SCHEDULE,
    "hint_levels",
    *OF_HINTS,
    "advantage",
    "bayes_alpha",
    "bayes_r",
    "constant_groups",
    "correct_reward",
    "correct_at",
    "score_view",
    "second_view",
    "second_level",
    *OF_THE_SECOND_VIEW,
    "second_metric",
    "sampled_entropy",
    "view_correction",
    "view_correction_limit",
    *OF_LEVELS,
    "released",
    KNOBS,
)
"""Fields that say what a method is: another method, named later, takes none of them over."""


def taken_back(method: str) -> set[str]:
    """Fields that a method, named over another one, does not take over from what lies below."""
    return {*OF_A_METHOD, *METHODS.get(method, {})}


def complete(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with what the method, then the defaults, give to fields that are None.

    Raises:
        UserError: there is no such method.
    """
    method = values["method"]
    require(
        isinstance(method, str) and method in METHODS,
        f"method: {method!r} is not one of {', '.join(METHODS)}{near(method, METHODS)}",
    )
    given = {**DEFAULTS, **METHODS[method]}
    if values.get("view_plan") not in (None, given["view_plan"]):
        given.pop("noise_levels", None)  # levels of one plan mean nothing to another
    result = dict(values)
    for name, value in given.items():
        if result.get(name) is None:
            result[name] = list(value) if isinstance(value, list) else value
    return result


def placeholder_levels(method: str, training: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields with levels in the place of ``measured``, as many as will be measured.

    So everything else can be checked before anything is measured.

    Raises:
        UserError: there is no such method.
    """
    given = dict(training)
    if given.get("noise_levels") == MEASURED:
        plan = complete({"method": method, **given})["view_plan"]
        given["noise_levels"] = {"uniform": [0.3, 0.6], "split": [0.5]}.get(
            plan, [0.0, 0.3, 0.45, 0.6]
        )
    return given


def chosen(values: Mapping[str, Any]) -> dict[str, Any]:
    """What noise, view plan and advantage are where they are not given."""
    method = METHODS.get(str(values.get("method")), {})
    return {field: method.get(field, DEFAULTS[field]) for field in FIELDS}


def is_noisy(values: Mapping[str, Any]) -> bool:
    """Whether any rollout may see something else than the clean image."""
    levels = values["noise_levels"]
    return values["view_plan"] != "clean" and (levels is None or any(levels))


def weighs_by_dependence(values: Mapping[str, Any]) -> bool:
    """Whether something is made of visual dependence before the update, besides a metric."""
    return any(values[name] != OF_THE_SECOND_VIEW[name] for name in BEFORE_THE_UPDATE)


def in_the_loss(values: Mapping[str, Any]) -> bool:
    """Whether the second view is a part of the loss."""
    return is_compared(values) and bool(values["second_loss"] or values["second_entropy"])


def measures_dependence(values: Mapping[str, Any]) -> bool:
    """Whether visual dependence is computed, and logged, before the update."""
    asked = weighs_by_dependence(values) or values["second_metric"] or not in_the_loss(values)
    return is_compared(values) and bool(asked)


def waits_for_the_loss(values: Mapping[str, Any]) -> bool:
    """Whether dependence can wait until the loss has scored the batch, as nothing is made of it."""
    sooner = weighs_by_dependence(values) or values["view_correction"] != "none"
    several = values["second_estimator"] == "full" or values["score_view"] == "all"
    return measures_dependence(values) and not (sooner or several)


def is_compared(values: Mapping[str, Any]) -> bool:
    """Whether completions are scored on a second view."""
    return bool(values["second_view"] != "none")


def is_hinted(values: Mapping[str, Any]) -> bool:
    """Whether prompts are tried at more levels than the one without a hint."""
    return (values["hint_levels"] or 1) > 1


def by_group(values: Mapping[str, Any]) -> bool:
    """Whether the sum of the rewards is normalised by its group, as in GRPO's paper."""
    return (
        values["scale_rewards"] in (True, "group")
        and values["multi_objective_aggregation"] == "sum_then_normalize"
    )
