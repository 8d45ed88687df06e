"""Every function of one's own that a config names, resolved and tried before the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from noisygrpo.errors import require
from noisygrpo.methods.declared import declared
from noisygrpo.methods.views import plan_views
from noisygrpo.own.choice import FIELDS, FROM_LEVELS, PLAN, is_own
from noisygrpo.own.resolve import resolved, takes
from noisygrpo.own.trial import try_advantage, try_noise, try_plan
from noisygrpo.user_code import is_user_function


def files(config: Any) -> dict[str, str]:
    """Return each of the three fields that names a function in a file, with that name."""
    named = {field: getattr(config, field) for field in FIELDS}
    return {field: name for field, name in named.items() if is_user_function(name)}


@dataclass(frozen=True)
class Functions:
    """What a config names in ``noise_kind``, ``view_plan`` and ``advantage``."""

    noise: Callable[..., Any]
    plan: Callable[..., Any]
    advantage: Callable[..., Any]

    @classmethod
    def of(cls, config: Any) -> Functions:
        """Resolve them as they are now: a file that changes later does not change a run.

        Raises:
            UserError: a name or a knob that is not known.
        """
        return cls(*(resolved(config, field) for field in FIELDS))


def check_functions(config: Any) -> None:
    """Resolve what a config names and try what is the user's own.

    Raises:
        UserError: naming field, function, what was got and what is allowed.
    """
    found = Functions.of(config)
    needing = {
        "log_view_ratio: true": config.log_view_ratio,
        f"view_correction: {config.view_correction}": config.view_correction != "none",
        "score_view: all": config.score_view == "all",
        f"second_view: {config.second_view}": config.second_view not in ("none", "text")
        and config.score_view != "clean",
    }
    for name, needs in needing.items():
        require(
            not (needs and declared(found.noise, "changes_size")),
            f"{name} needs views of the image's size, which noise_kind {config.noise_kind!r} "
            "changes",
        )
    knobs = config.knobs or {}
    if is_own("noise_kind", config.noise_kind) or "noise_kind" in knobs:
        try_noise(config.noise_kind, found.noise)
    settings = config.num_generations, config.noise_levels, config.clean_rollouts
    if is_own("view_plan", config.view_plan):
        _takes_its_settings(config, found.plan)
        groups = try_plan(config.view_plan, found.plan, *settings)
        several = any(len({view.level for view in views}) > 1 for views in groups)
        require(
            several or config.advantage not in FROM_LEVELS,
            f"advantage: {config.advantage} compares different noise levels, but view_plan "
            f"{config.view_plan} gives all rollouts of a group one",
        )
    else:
        group, levels, clean = settings
        groups = [plan_views(found.plan, group, levels=levels, clean=clean)]
    if is_own("advantage", config.advantage):
        told = config.correct_reward is not None or config.correct_at != type(config).correct_at
        require(
            not told or takes(found.advantage, "correct"),
            f"correct_reward: {config.correct_reward!r} and correct_at {config.correct_at} have no "
            f"effect with advantage {config.advantage}, which does not name 'correct'",
        )
    if is_own("advantage", config.advantage) or "advantage" in knobs:
        try_advantage(config.advantage, found.advantage, [view.level for view in groups[0]])


def _takes_its_settings(config: Any, plan: Any) -> None:
    """See that a plan names the settings of levels and clean rollouts that were given."""
    for offered, field in PLAN.items():
        value = getattr(config, field)
        require(
            value is None or takes(plan, offered),
            f"{field}: {value!r} has no effect with view_plan {config.view_plan}, which does not "
            f"name {offered!r}",
        )
