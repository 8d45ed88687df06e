"""Group-relative RL for vision-language models in which what each rollout sees is a variable.

What is named here is imported when it is asked for, so that the command line starts at once.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "NoisyGRPOConfig": "training.config",
    "NoisyGRPOTrainer": "training.trainer",
    "SampleOnViews": "training.clean_scoring",
    "accuracy": "rewards.functions",
    "bayesian_posterior": "methods.advantages",
    "calibrate_logits": "methods.calibration",
    "format_reward": "rewards.functions",
    "hint_text": "methods.hints",
    "load_rewards": "rewards.load",
    "noise_scale": "methods.schedules",
    "perturb": "methods.noise",
    "plan_views": "methods.views",
    "require_clean_scoring": "training.clean_scoring",
}
"""Name to the module that defines it."""

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
