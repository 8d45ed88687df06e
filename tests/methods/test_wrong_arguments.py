"""What a caller gets wrong ends in one clear error, and what is masked cannot spoil a result."""

import math

import pytest
import torch

from noisygrpo.methods.advantages import (
    batch_normalize,
    bayesian_posterior,
    group_normalize,
    leave_one_out,
)
from noisygrpo.methods.calibration import calibrate_logits
from noisygrpo.methods.dependence import full_kl, mean_of, sequence_weights, view_weights
from noisygrpo.methods.noise import noise_seed
from noisygrpo.methods.views import plan_views

REWARDS = torch.tensor([[1.0, 0.0]])
LEVELS = torch.tensor([[0.0, 0.5]])


@pytest.mark.parametrize("estimate", [group_normalize, leave_one_out, batch_normalize])
def test_rewards_are_a_tensor_of_groups(estimate) -> None:
    with pytest.raises(TypeError, match="rewards are a list; expected a tensor"):
        estimate([[1.0, 0.0]])
    with pytest.raises(ValueError, match=r"rewards have shape \(2, 0\)"):
        estimate(torch.zeros(2, 0))


@pytest.mark.parametrize(
    ("levels", "alpha", "error", "said"),
    [
        ([[0.0, 0.5]], 0.01, TypeError, "levels are a list"),
        (torch.tensor([[0.0, math.nan]]), 0.01, ValueError, "not all in"),
        (torch.tensor([[0.0, 5.0]]), 0.01, ValueError, "not all in"),
        (LEVELS, math.inf, ValueError, "alpha inf must be above 0 and finite"),
    ],
)
def test_the_bayesian_form_takes_levels_and_a_finite_alpha(levels, alpha, error, said) -> None:
    with pytest.raises(error, match=said):
        bayesian_posterior(REWARDS, levels, alpha)


def test_calibration_takes_logits_of_one_shape_and_a_scale() -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 3\), text logits \(1, 3\)"):
        calibrate_logits(torch.zeros(2, 3), torch.zeros(1, 3), 0.8)
    for scale in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="at least 0 and finite"):
            calibrate_logits(torch.zeros(1, 3), torch.zeros(1, 3), scale)


def test_a_token_that_the_text_alone_forbids_keeps_its_logit() -> None:
    image, text = torch.tensor([1.0, 2.0, -math.inf]), torch.tensor([-math.inf, 1.0, 0.0])
    mixed = calibrate_logits(image, text, 0.5)
    assert mixed.tolist() == [1.0, 2.5, -math.inf]
    assert mixed.softmax(0).isfinite().all()


def test_masked_positions_do_not_spoil_means_and_weights() -> None:
    mask = torch.tensor([[1, 1, 0]])
    spoiled = torch.tensor([[1.0, 3.0, math.nan]])
    assert mean_of(spoiled, mask).item() == 2.0
    scored, sampled = torch.tensor([[0.0, 0.5, -math.inf]]), torch.zeros(1, 3)
    assert view_weights(scored, sampled, mask, "truncated", 9.0).item() == pytest.approx(
        math.exp(0.5)
    )
    assert view_weights(scored * 2, sampled, mask, "geometric", 9.0).item() == pytest.approx(
        math.exp(0.5)
    )


def test_a_truncated_weight_goes_up_to_its_limit() -> None:
    far, mask = torch.full((1, 1), 30.0, dtype=torch.float64), torch.ones(1, 1)
    found = view_weights(far, torch.zeros_like(far), mask, "truncated", 1e12)
    assert found.item() == 1e12
    below = view_weights(far, torch.zeros_like(far), mask, "truncated", 1e15)
    assert below.item() == pytest.approx(math.exp(30.0))


def test_a_token_that_neither_view_allows_adds_nothing_to_the_divergence() -> None:
    clean = torch.tensor([0.0, 1.0, -math.inf])
    assert full_kl(clean, clean).item() == 0.0


def test_no_completions_have_no_weights() -> None:
    assert sequence_weights(torch.zeros(0), 0.5).shape == (0,)


@pytest.mark.parametrize(
    ("group", "clean", "said"),
    [("4", None, "group='4'"), (4.0, None, "group=4.0"), (4, 1.5, "clean=1.5")],
)
def test_a_plan_takes_whole_numbers(group, clean, said) -> None:
    with pytest.raises(ValueError, match=f"{said} is no whole number"):
        plan_views("split" if clean else "grid", group, levels=[0.5], clean=clean)


@pytest.mark.parametrize("address", [("0", 1, "x", 0), (0, 1, 5, 0), (0, 1.0, "x", 0)])
def test_a_noise_address_is_numbers_and_a_text(address) -> None:
    with pytest.raises(TypeError, match="whole numbers and a text as example_id"):
        noise_seed(*address)
