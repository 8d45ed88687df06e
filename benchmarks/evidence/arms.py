"""The arms of the experiment, as data: what differs from the recipe, and what a paper claims of it.

Every arm is the recipe ``playground`` with another method and a few fields; batch, learning rate,
steps and rewards are the recipe's. What is given to every arm, GRPO included:

- as many settings (``SETTINGS``), each on seeds 0 to 2;
- as many rollouts a step, and as many steps; an arm that samples more rollouts than it trains
  (``adaptive``) gets fewer steps, by as much as a pilot run sampled more tokens than GRPO's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

RECIPE = "playground"
BASELINE = "grpo"

PRIMARY = ("more", "wording", "combination", "prior", "corrupt")
"""The splits whose mean accuracy is the primary figure; all other splits stand apart."""
BESIDE = ("blind", "noisy")
"""Splits that stand beside every headline figure: without the picture, and under noise."""

CALIBRATION = 0.8
"""Published scale of text-bias calibration (Hint-GRPO): a second evaluation of trained models."""

GRID = "measured levels of a grid"
SPLIT = "the measured level of a split group"
"""Values that are filled in from the model's own curve (``noisygrpo levels``)."""
BASE_RATE = "the recipe's learning rate"


@dataclass(frozen=True)
class Setting:
    """One of the settings that every arm is given."""

    name: str
    rate: float = 1.0
    """Times the recipe's learning rate."""


SETTINGS = (Setting("rate1"), Setting("rate2", 2.0), Setting("rate05", 0.5))
"""Tried in this order, by all arms equally many (``--settings``)."""


@dataclass(frozen=True)
class Arm:
    """One method with its settings."""

    name: str
    title: str
    claim: str
    """What its paper says, or what the arm is there to tell apart."""
    method: str = "grpo"
    training: Mapping[str, Any] = field(default_factory=dict)
    adaptive: bool = False
    """Whether it samples rollouts beyond those that are trained, as many as it needs."""

    @property
    def measured(self) -> bool:
        """Whether it needs the measured levels."""
        return any(value in (GRID, SPLIT) for value in self.training.values())


# Costs every step half of itself again: where it is needed, and for one arm at each set of levels.
RATIO = {"log_view_ratio": True}
DAPO = {"groups": "refill", "refill_attempts": 3, "epsilon_high": 0.28}
AS_PUBLISHED = {
    "advantage": "bayesian",
    "off_view_negatives": "keep",
    "view_correction": "none",
}
AT_LEVELS = {"noise_levels": GRID, **AS_PUBLISHED}
# The papers' KL term; TRL's default multiplies k3 by the ratio, which changes its gradient.
PLAIN_K3 = {"use_bias_correction_kl": False}
NOISE_GRPO = {**AT_LEVELS, "advantage": "grpo"}
ON_VIEW = {**AT_LEVELS, "advantage": "grpo", "score_view": "own"}

BASELINES = (
    Arm("grpo", "GRPO", "the baseline: clean pictures, group normalisation"),
    Arm(
        "dapo",
        "DAPO, refill",
        "more useful groups: silent ones are replaced (arXiv 2503.14476)",
        training=DAPO,
        adaptive=True,
    ),
)

NOISYGRPO = (
    Arm(
        "noisygrpo-published",
        "NoisyGRPO, published levels",
        "better out of distribution and less text bias than GRPO, at levels 0, .3, .6, .9",
        method="noisygrpo",
        training={**AT_LEVELS, **RATIO, **PLAIN_K3, "noise_levels": [0.0, 0.3, 0.6, 0.9]},
    ),
    Arm(
        "noisygrpo",
        "NoisyGRPO, measured levels",
        "the same claim, at levels that this model feels",
        method="noisygrpo",
        training={**AT_LEVELS, **RATIO},
    ),
    Arm(
        "noise-grpo",
        "noise, GRPO's advantage",
        "a part of NoisyGRPO: noise alone; sampled on noise, scored clean",
        method="noisygrpo",
        training=NOISE_GRPO,
    ),
    Arm(
        "prior-alone",
        "noise, the prior alone",
        "a part of NoisyGRPO: the levels decide and the rewards say nothing (bayes_r 0)",
        method="noisygrpo",
        training={**AT_LEVELS, "bayes_r": 0.0},
    ),
    Arm(
        "noisygrpo-zero",
        "NoisyGRPO, constant groups silent",
        "a part of NoisyGRPO: without the prior where rewards are equal",
        method="noisygrpo",
        training={**AT_LEVELS, "constant_groups": "zero"},
    ),
    Arm(
        "noisygrpo-correct",
        "NoisyGRPO, prior where all is right",
        "a part of NoisyGRPO: constant groups have the prior only where they are right",
        method="noisygrpo",
        training={**AT_LEVELS, "constant_groups": "prior_if_correct"},
    ),
)

OTHERS = (
    Arm(
        "noisyrollout",
        "NoisyRollout",
        "better out of distribution through diverse rollouts (arXiv 2504.13055)",
        method="noisyrollout",
        training={"noise_levels": SPLIT},
    ),
    Arm(
        "grpo-4",
        "GRPO, groups of 4",
        "the control of Hint-GRPO: the same group size without hints",
        training={"num_generations": 4},
    ),
    Arm(
        "hint-grpo-4",
        "Hint-GRPO, groups of 4",
        "more useful groups: hints where no answer is right (arXiv 2503.23905)",
        method="hint_grpo",
        training={
            "num_generations": 4,
            "hint_levels": 3,
            "hint_reward": "accuracy",
            "hint_template": "<think>{hint}",
            "hint_markers": True,
        },
        adaptive=True,
    ),
    Arm("papo", "PAPO", "better perception: masked pictures in the loss (2507.06448)", "papo"),
    Arm("vppo", "VPPO", "better perception: only dependent tokens (2510.09285)", "vppo"),
)

CONTROLS = (
    Arm(
        "noise-own",
        "noise, scored on its own view",
        "does sampling on noise poison the reward? on-policy under noise",
        method="noisygrpo",
        training=ON_VIEW,
    ),
    Arm(
        "noisyrollout-all",
        "NoisyRollout, scored on both pictures",
        "does a completion scored on every picture of its group teach what holds on all?",
        method="noisyrollout",
        training={"noise_levels": SPLIT, "score_view": "all"},
    ),
    Arm(
        "noisygrpo-k3",
        "NoisyGRPO, measured levels, the papers' KL term",
        "does the KL term of the papers' code hold what TRL's does not?",
        method="noisygrpo",
        training={**AT_LEVELS, **PLAIN_K3},
    ),
    Arm(
        "noise-k3",
        "noise, GRPO's advantage, the papers' KL term",
        "the same, without the prior",
        method="noisygrpo",
        training={**NOISE_GRPO, **PLAIN_K3},
    ),
    Arm(
        "noise-truncated",
        "noise, scored clean, truncated importance weights",
        "does the mismatch of views do the harm? corrected for",
        method="noisygrpo",
        training={**NOISE_GRPO, "view_correction": "truncated"},
    ),
    Arm(
        "noise-geometric",
        "noise, scored clean, geometric weights",
        "the same, one ratio a token",
        method="noisygrpo",
        training={**NOISE_GRPO, "view_correction": "geometric"},
    ),
    Arm(
        "noise-rejection",
        "noise, scored clean, far completions left out",
        "the same, by leaving out",
        method="noisygrpo",
        training={**NOISE_GRPO, "view_correction": "rejection"},
    ),
)

FORMS = (
    Arm(
        "level-baseline",
        "noise, a baseline for each level",
        "a wrong answer under heavy noise is not the completion's fault",
        method="noisygrpo",
        training={**AT_LEVELS, "advantage": "level_baseline"},
    ),
    Arm(
        "level-truncated",
        "noise, a baseline for each level, truncated importance weights",
        "the recipe: the same, and what the clean picture could not have said does not count",
        method="noisygrpo",
        training={**AT_LEVELS, "advantage": "level_baseline", "view_correction": "truncated"},
    ),
    Arm(
        "slope-prior",
        "noise, a prior of measured strength",
        "cleaner is better as far as it is seen to be, and among right answers only",
        method="noisygrpo",
        training={**AT_LEVELS, "advantage": "slope_prior"},
    ),
    Arm(
        "level-weight",
        "noise, weighed by what a level shows",
        "an answer that is right though nothing was to be seen teaches little",
        method="noisygrpo",
        training={**NOISE_GRPO, "level_weight": "shown"},
    ),
    Arm(
        "luck-weight",
        "noise, lucky groups weigh less",
        "a group that is right under noise was answered without looking",
        method="noisygrpo",
        training={**NOISE_GRPO, "luck_weight": 0.2},
    ),
    Arm(
        "noise-spared",
        "noise, no negative advantages off the view",
        "what the clean policy would hardly write is not pushed down",
        method="noisygrpo",
        training={**NOISE_GRPO, "off_view_negatives": "zero"},
    ),
    Arm(
        "noisygrpo-spared",
        "NoisyGRPO, no negative advantages off the view",
        "the same under the published advantage: is that where its prior harms?",
        method="noisygrpo",
        training={**AT_LEVELS, "off_view_negatives": "zero"},
    ),
)
"""Forms of our own that mend what loses; chosen on seeds 0 to 2, shown on the others."""

ARMS = {arm.name: arm for arm in (*BASELINES, *NOISYGRPO, *OTHERS, *CONTROLS, *FORMS)}

# Every completion once more without its picture, to be compared: a metric, nothing is trained.
OBSERVED = {"second_view": "text"}


def filled(
    arm: Arm, setting: Setting, rate: float, levels: Mapping[str, list[float]]
) -> dict[str, Any]:
    """The fields of ``training`` that an arm at a setting has beside the recipe's.

    ``rate``: the recipe's learning rate; ``levels``: ``GRID`` and ``SPLIT``, once measured.
    """
    own = {
        name: levels[value] if value in (GRID, SPLIT) else value
        for name, value in arm.training.items()
    }
    compared = {} if arm.method in ("papo", "vppo") else OBSERVED
    return {**compared, **own, "learning_rate": rate * setting.rate}
