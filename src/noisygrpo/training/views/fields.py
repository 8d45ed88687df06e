"""Settings of the other two kinds of view: what completions are scored on, and compared with.

``None`` takes the method's value, then that of ``settings.DEFAULTS``. The formulas are in
``methods.dependence``, the page is docs/views.md.
"""

from dataclasses import dataclass
from math import inf

BOUNDS: dict[str, tuple[float, float, bool]] = {
    "refill_attempts": (1, 1000, False),
    **dict.fromkeys(("second_level", "second_token_mask"), (0, 1, True)),
    **dict.fromkeys(("second_token_weight", "second_sequence_weight"), (0, 1, False)),
    **dict.fromkeys(("second_loss", "second_entropy", "sampled_entropy"), (-inf, inf, False)),
    **dict.fromkeys(("second_reward", "second_advantage"), (-inf, inf, False)),
    "view_correction_limit": (0, inf, True),
}
"""Least and largest value of fields that hold a number, and whether the least is left out."""

CHOICES: dict[str, tuple[str, ...]] = {
    "groups": ("all", "refill"),
    "score_view": ("clean", "own", "all"),
    "second_estimator": ("k3", "k1", "full"),
    "second_policy": ("old", "current"),
    "second_gradient": ("none", "clean", "second", "both"),
    "second_gate": ("all", "correct"),
    "second_loss_decay": ("none", "linear", "first_half"),
}
"""Names that fields may hold."""


@dataclass
class ViewFields:
    """Fields of ``NoisyGRPOConfig`` that say more of views than who samples on which."""

    score_view: str | None = None
    """What old, reference and current log-probs are of: clean (the image), own (what the rollout
    saw), all (every completion on every distinct view of its group)."""

    second_view: str | None = None
    """On what every completion is scored once more, to be compared: none, text (the prompt without
    its images), or a noise kind; all completions of a prompt share one picture a step."""

    second_level: float | None = None
    """Level of the second view's noise, above 0; for black_patches the share that is black."""

    second_estimator: str | None = None
    """How a token's two log-probs are compared: k3 (published), k1 (log ratio), or full (KL
    divergence over the vocabulary)."""

    second_policy: str | None = None
    """Whose log-probs on the second view the loss compares with: old (once a batch, without
    gradient) or current (in every update)."""

    second_gradient: str | None = None
    """Through which log-probs the loss term trains: none, clean, second or both; the last two need
    second_policy current."""

    second_gate: str | None = None
    """Completions that the second view has a say in: all, or correct (``correct_reward``)."""

    second_loss: float | None = None
    """Weight of the comparison in the loss: below 0 the second view is driven away from the clean
    one (PAPO), above 0 towards it; 0 is off."""

    second_loss_decay: str | None = None
    """How that weight fades: none, linear (to 0 at the end), first_half (to 0 at half the run)."""

    second_entropy: float | None = None
    """Weight in the loss of -log pi(sampled tokens) on the second view, with second_policy current
    and a gradient there; 0 is off."""

    sampled_entropy: float | None = None
    """Weight in the loss of -log pi(sampled tokens) on the scored view, as PAPO and VPPO have it;
    0 is off."""

    second_token_mask: float | None = None
    """Share of a completion's tokens that are trained, those that depend most on the picture
    (VPPO: 0.4); 1 is all."""

    second_token_weight: float | None = None
    """How much more the tokens weigh that depend on the picture, in [0, 1]; a completion's mean
    weight stays 1; 0 is off."""

    second_sequence_weight: float | None = None
    """Least weight of a completion's advantage, which rises with its dependence; the mean of a
    batch is 1 (VPPO: 0.9); 1 is off."""

    second_reward: float | None = None
    """Added to the reward: this times exp(-mean dependence of the completion); 0 is off."""

    second_advantage: float | None = None
    """Added to the advantage: this times the token's dependence; 0 is off."""

    second_metric: bool = False
    """Log visual dependence also where only the loss uses the second view; of the loss's own
    log-probs, without a forward more, but with second_estimator full. Elsewhere it is logged
    anyway."""

    view_correction: str = "none"
    """Weight of completions that were sampled on another view than they are scored on: none
    (published), truncated (importance sampling), geometric (one ratio a token), rejection."""

    view_correction_limit: float | None = None
    """Largest weight (truncated, geometric; ``None`` is 2), or the mean log ratio a token from
    which on a completion is left out (rejection; ``None`` is 0.2)."""
