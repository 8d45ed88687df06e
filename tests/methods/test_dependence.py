"""Visual dependence and what is made of it: values worked out by hand."""

import math

import pytest
import torch

from noisygrpo.methods.dependence import (
    consistency,
    full_kl,
    k1,
    k3,
    keep_top,
    sequence_weights,
    token_weights,
    view_weights,
)

MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0]])


def row(*values):
    return torch.tensor([values], dtype=torch.float64)


def test_k1_and_k3_are_their_formulas_and_k3_is_bounded():
    clean, second = row(-1.0, -1.0, -1.0, -0.1), row(-1.0, -2.0, -0.5, -90.0)
    assert k1(clean, second)[0].tolist() == pytest.approx([0.0, 1.0, -0.5, 89.9])
    expected = [0.0, math.exp(-1), math.exp(0.5) - 1.5, 10.0]
    assert k3(clean, second)[0].tolist() == pytest.approx(expected)
    assert k3(row(-30.0), row(-1.0)).item() == 10.0  # exp(29) would be 4e12


def test_k3_has_no_gradient_where_it_is_clamped():
    second = row(-2.0, -90.0, -0.001).requires_grad_()
    k3(row(-1.0, -0.1, -50.0), second).sum().backward()
    assert second.grad[0].tolist() == pytest.approx([math.exp(-1) - 1, 0.0, 0.0])


def test_the_estimators_have_the_mean_of_the_divergence():
    generator = torch.Generator().manual_seed(0)
    one, other = torch.randn(2, 8, generator=generator, dtype=torch.float64)
    p, log_p, log_q = one.softmax(0), one.log_softmax(0), other.log_softmax(0)
    exact = full_kl(one, other).item()
    assert (p * k1(log_p, log_q)).sum().item() == pytest.approx(exact, abs=1e-12)
    assert (p * k3(log_p, log_q)).sum().item() == pytest.approx(exact, abs=1e-12)
    assert full_kl(one, one).item() == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize(
    ("share", "kept"),
    [(0.4, [2, 2]), (1.0, [5, 3]), (0.2, [1, 1]), (0.21, [2, 1]), (1e-6, [1, 1]), (0.6, [3, 2])],
)
def test_the_top_share_is_rounded_up(share, kept):
    d = torch.rand(3, 5, generator=torch.Generator().manual_seed(1))
    assert keep_top(d, MASK, share).sum(1).tolist() == [*kept, 0]


def test_the_largest_are_kept_and_of_equals_the_first():
    d = row(0.1, 0.9, 0.9, 0.9, -0.2).repeat(3, 1)
    assert keep_top(d, MASK, 0.4)[0].tolist() == [0, 1, 1, 0, 0]
    assert keep_top(d, MASK, 0.3)[1].tolist() == [0, 1, 0, 0, 0]


def test_seven_percent_of_a_hundred_are_seven():
    d = torch.rand(1, 100, generator=torch.Generator().manual_seed(1))
    assert keep_top(d, torch.ones(1, 100), 0.07).sum() == 7


def test_a_completion_that_does_not_depend_on_the_picture_is_kept_whole():
    d = torch.tensor([[0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 7.0, 7.0], [0.0] * 5])
    assert keep_top(d, MASK, 0.4).tolist() == MASK.tolist()


def test_token_weights_keep_the_mean_of_a_completion():
    d = torch.tensor([[4.0, 1.0, 1.0, 2.0, 2.0], [0.0, 0.0, 0.0, 7.0, 7.0], [1.0] * 5])
    weights = token_weights(d, MASK, 0.5)
    assert weights[0].tolist() == pytest.approx([1.5, 0.75, 0.75, 1.0, 1.0])
    assert weights[1].tolist() == [1, 1, 1, 0, 0]  # nothing depends on the picture
    assert weights[2].tolist() == [0] * 5
    assert weights[0].mean() == 1


def test_sequence_weights_begin_at_the_least_and_have_mean_one():
    weights = sequence_weights(torch.tensor([1.0, 2.0, 5.0]), 0.9)
    assert weights.tolist() == pytest.approx([0.9, 0.9 + 0.1 * 0.25 * 12 / 5, 0.9 + 0.1 * 12 / 5])
    assert weights.mean().item() == pytest.approx(1)
    assert sequence_weights(torch.tensor([3.0, 3.0]), 0.9).tolist() == [1, 1]
    assert sequence_weights(torch.tensor([1.0, 2.0, 5.0]), 1.0).tolist() == [1, 1, 1]


def test_consistency_falls_from_one():
    assert consistency(torch.tensor([0.0, 1.0])).tolist() == pytest.approx([1, math.exp(-1)])


@pytest.mark.parametrize(
    ("name", "limit", "expected"),
    [
        ("truncated", 2.0, [math.exp(-1.5), 2.0, 1.0]),
        ("truncated", 100.0, [math.exp(-1.5), math.exp(3), 1.0]),
        ("geometric", 2.0, [math.exp(-0.3), 2.0, 1.0]),
        ("rejection", 0.3001, [1.0, 0.0, 1.0]),
        ("rejection", 0.2, [0.0, 0.0, 1.0]),
    ],
)
def test_view_weights(name, limit, expected):
    scored = torch.full((3, 5), -1.0, dtype=torch.float64)
    sampled = scored - torch.tensor([[-0.3], [1.0], [9.0]])
    found = view_weights(scored, sampled, MASK, name, limit)
    assert found.tolist() == pytest.approx(expected)


def test_a_ratio_beyond_every_number_is_cut_off_and_no_infinity():
    far = torch.full((1, 5), 500.0)
    assert view_weights(far, -far, MASK[:1], "truncated", 2.0).item() == 2.0
    assert view_weights(-far, far, MASK[:1], "truncated", 2.0).item() == 0.0


def test_another_correction_is_refused():
    with pytest.raises(ValueError, match="'mask' is not one of truncated"):
        view_weights(torch.zeros(1, 1), torch.zeros(1, 1), torch.ones(1, 1), "mask", 1.0)
