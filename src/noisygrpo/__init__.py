"""Group-relative RL for vision-language models in which what each rollout sees is a variable.

What is named here is imported when it is asked for, so that the command line starts at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for type checkers and editors, which do not run `__getattr__`
    from noisygrpo.methods.advantages import bayesian_posterior as bayesian_posterior
    from noisygrpo.methods.calibration import calibrate_logits as calibrate_logits
    from noisygrpo.methods.hints import hint_text as hint_text
    from noisygrpo.methods.noise import perturb as perturb
    from noisygrpo.methods.schedules import noise_scale as noise_scale
    from noisygrpo.methods.views import plan_views as plan_views
    from noisygrpo.rewards.functions import accuracy as accuracy
    from noisygrpo.rewards.functions import format_reward as format_reward
    from noisygrpo.rewards.load import load_rewards as load_rewards
    from noisygrpo.training.clean_scoring import SampleOnViews as SampleOnViews
    from noisygrpo.training.clean_scoring import require_clean_scoring as require_clean_scoring
    from noisygrpo.training.config import NoisyGRPOConfig as NoisyGRPOConfig
    from noisygrpo.training.trainer import NoisyGRPOTrainer as NoisyGRPOTrainer

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
