"""Settings of score views, second views and groups: what is taken, and what is refused by name."""

import pytest

from noisygrpo.errors import UserError
from noisygrpo.training.config import NoisyGRPOConfig

MASKED = {"second_view": "black_patches", "second_level": 0.5}
LOSS = {**MASKED, "second_loss": -0.1, "second_gradient": "clean"}
EXACT = {**LOSS, "second_policy": "current", "second_gradient": "both"}
NOISY = {"method": "noisygrpo"}


def config(tmp_path, **settings):
    batch = {"num_generations": 4, "per_device_train_batch_size": 8, "use_cpu": True}
    return NoisyGRPOConfig(str(tmp_path), **{"report_to": [], "bf16": False, **batch, **settings})


@pytest.mark.parametrize(
    "settings",
    [
        MASKED,
        {"second_view": "text"},
        {**LOSS, "second_loss_decay": "first_half", "second_metric": True},
        {**EXACT, "second_entropy": 0.03, "sampled_entropy": 0.03},
        {**EXACT, "second_gradient": "clean", "second_gate": "correct", "correct_at": 0.5},
        {**MASKED, "second_token_mask": 0.4, "second_sequence_weight": 0.9, "loss_type": "cispo"},
        {**MASKED, "second_sequence_weight": 0.9, "loss_type": "luspo"},
        {**MASKED, "second_reward": -1.0, "second_estimator": "k1"},
        {"method": "papo", "second_view": "text", "second_level": None},
        {"method": "vppo", "second_view": "none"},
        {"sampled_entropy": 0.01},
        {**NOISY, "score_view": "own", **LOSS},
        {**NOISY, "score_view": "all"},
        {**NOISY, "score_view": "all", "groups": "refill", **EXACT},
        {**NOISY, "view_correction": "rejection", "view_correction_limit": 0.5},
        {"method": "vision_matters"},
        {"method": "vision_matters", "noise_kind": "rotation", "second_view": "text"},
        {"groups": "refill", "refill_attempts": 3},
    ],
)
def test_settings_that_work(tmp_path, settings):
    config(tmp_path, **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"second_view": "black_patches"}, "second_level: missing"),
        ({"second_view": "blurred"}, "second_view: 'blurred' is not one of none, text"),
        ({"second_view": "rotation", "second_level": 0.5}, "second_view: rotation changes the si"),
        ({**MASKED, "second_level": 0.0}, "second_level: 0.0, allowed is"),
        ({**MASKED, "second_level": 1e-5}, "second_level: 1e-05 draws no noise"),
        ({"second_view": "text", "second_level": 0.5}, "second_level: 0.5 has no effect"),
        ({"second_loss": -0.1}, "second_loss: -0.1 has no effect with second_view 'none'"),
        ({**MASKED, "second_loss": -0.1}, "second_loss: -0.1 trains nothing"),
        ({**LOSS, "second_gradient": "both"}, "second_gradient: both needs second_policy current"),
        ({**LOSS, "second_estimator": "full"}, "second_estimator: full in the loss needs second_p"),
        ({**LOSS, "second_entropy": 0.1}, "second_entropy: 0.1 trains nothing"),
        ({**MASKED, "second_gradient": "clean"}, "second_gradient: 'clean' has no effect"),
        ({**MASKED, "second_policy": "current"}, "second_policy: 'current' has no effect"),
        ({**MASKED, "second_loss_decay": "linear"}, "second_loss_decay: 'linear' has no effect"),
        ({**MASKED, "second_metric": True}, "second_metric: True has no effect"),
        ({**MASKED, "second_gate": "correct"}, "second_gate: 'correct' has no effect"),
        ({**MASKED, "correct_at": 0.5}, "correct_at: 0.5 has no effect"),
        ({**MASKED, "second_token_mask": 0.0}, "second_token_mask: 0.0, allowed is"),
        (
            {**MASKED, "second_token_mask": 0.4, "loss_type": "luspo"},
            "second_token_mask: 0.4 gives tokens weights, which loss_type 'luspo'",
        ),
        (
            {**MASKED, "second_advantage": 0.4, "loss_type": "vespo"},
            "second_advantage: 0.4 gives tokens weights, which loss_type 'vespo'",
        ),
        (
            {**MASKED, "second_token_weight": 0.4, "second_estimator": "k1"},
            "second_token_weight: 0.4 needs dependence that is never negative",
        ),
        (
            {**MASKED, "second_reward": 1.0, "scale_rewards": "batch"},
            "second_reward: 1.0 is added to the sum of the rewards",
        ),
        ({"score_view": "own"}, "score_view: 'own' has no effect"),
        ({"score_view": "other"}, "score_view: 'other' is not one of clean, own, all"),
        (
            {**NOISY, "score_view": "all", "noise_kind": "rotation"},
            "score_view: all scores one prompt on all views, and noise_kind 'rotation' changes",
        ),
        (
            {**NOISY, "score_view": "own", "noise_kind": "rotation", **MASKED},
            "second_view: black_patches has the size of the image",
        ),
        ({**NOISY, "score_view": "own", "log_view_ratio": True}, "log_view_ratio: True has no ef"),
        (
            {**NOISY, "score_view": "own", "view_correction": "truncated"},
            "view_correction: 'truncated' has no effect with score_view 'own'",
        ),
        (
            {**NOISY, "score_view": "all", "view_correction": "truncated"},
            "view_correction: 'truncated' has no effect with score_view 'all'",
        ),
        (
            {**NOISY, "score_view": "all", "noise_kind": "distractor", "groups": "refill"},
            "score_view: all scores one prompt on all views, and noise_kind 'distractor' changes",
        ),
        (
            {**NOISY, **MASKED, "score_view": "all", "second_advantage": 0.1, "loss_type": "vespo"},
            "second_advantage: 0.1 gives tokens weights, which loss_type 'vespo'",
        ),
        ({"score_view": "all", "second_view": "text"}, "score_view: 'all' has no effect"),
        ({"view_correction": "truncated"}, "view_correction: 'truncated' has no effect"),
        ({**NOISY, "view_correction_limit": 2.0}, "view_correction_limit: 2.0 has no effect"),
        (
            {**NOISY, "view_correction": "truncated", "noise_kind": "rotation"},
            "view_correction: truncated needs views of the image's size",
        ),
        ({"refill_attempts": 3}, "refill_attempts: 3 has no effect"),
        ({"groups": "refill", "log_completions": True}, "groups: refill cannot go with log_compl"),
    ],
)
def test_settings_that_are_refused(tmp_path, settings, message):
    with pytest.raises(UserError) as refused:
        config(tmp_path, **settings)
    assert message in str(refused.value), str(refused.value)
    assert "\n" not in str(refused.value)
