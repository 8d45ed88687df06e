import pytest
import torch

from noisygrpo.methods.advantages import (
    ADVANTAGES,
    batch_normalize,
    bayesian_posterior,
    group_normalize,
    leave_one_out,
)

NAN = float("nan")
LEVELS = (0.0, 0.3, 0.6, 0.9)

# rewards, variance, gain, advantages: the published formula with alpha .01, r .1, in float64.
POSTERIOR = [
    ((2, 2, 2, 2), 0, 0.90909, (1.16177, 0.38726, -0.38726, -1.16177)),
    ((0, 0, 0, 0), 0, 0.90909, (1.16177, 0.38726, -0.38726, -1.16177)),
    ((1, 1, 1, 2), 0.25, 0.27778, (-0.07151, -0.47236, -0.87321, 1.41709)),
    ((2, 1, 1, 1), 0.25, 0.27778, (1.47418, -0.26582, -0.49139, -0.71697)),
    ((1, 2, 1, 1), 0.25, 0.27778, (-0.04579, 1.42086, -0.55918, -0.81588)),
    ((2, 2, 1, 1), 0.33333, 0.22556, (0.95035, 0.77235, -0.77235, -0.95035)),
    ((1, 1, 2, 2), 0.33333, 0.22556, (-0.70256, -1.00294, 1.00294, 0.70256)),
    ((2, 2, 2, 1), 0.25, 0.27778, (0.71697, 0.49139, 0.26582, -1.47418)),
    ((1.7, 1.65, 1.6, 1.62), 0.00189, 0.89372, (1.19464, 0.36938, -0.45589, -1.10813)),
    ((0, 0, 0, 1.8), 0.81, 0.10870, (-0.39422, -0.49814, -0.60205, 1.49441)),
    ((1.8, 0, 0, 0), 0.81, 0.10870, (1.49614, -0.41264, -0.49871, -0.58479)),
    ((1, 0.7, 1.9, 2), 0.42, 0.18868, (-0.42551, -1.21394, 0.83555, 0.80390)),
    ((1, 0, 1, 0), 0.33333, 0.22556, (1.038, -0.649, 0.649, -1.038)),
]

# variance of the rewards -> gain
GAINS = [
    (0, 0.909),
    (0.01, 0.833),
    (0.05, 0.625),
    (0.1, 0.476),
    (0.25, 0.278),
    (1 / 3, 0.226),
    (0.5, 0.164),
    (1, 0.090),
    (4 / 3, 0.069),
]


def tensor(*rows, dtype=torch.float64):
    return torch.tensor(rows, dtype=dtype)


def published_levels(rewards):
    return tensor(LEVELS).expand_as(rewards)


@pytest.mark.parametrize(("rewards", "variance", "gain", "expected"), POSTERIOR)
def test_posterior_golden_vectors(rewards, variance, gain, expected):
    s = tensor(rewards)
    assert s.var(1).item() == pytest.approx(variance, abs=6e-6)
    result = bayesian_posterior(s, published_levels(s))
    assert result.gain.item() == pytest.approx(gain, abs=5.1e-6)
    digits = 5e-4 if rewards == (1, 0, 1, 0) else 5e-6  # the last is known to three digits
    torch.testing.assert_close(result.advantages, tensor(expected), atol=digits, rtol=0)


@pytest.mark.parametrize(("variance", "gain"), GAINS)
def test_gain_table(variance, gain):
    s = tensor((variance**0.5 / 2**0.5, -(variance**0.5) / 2**0.5))
    result = bayesian_posterior(s, tensor((0.0, 0.5)))
    assert result.gain.item() == pytest.approx(gain, abs=5.1e-4)


def test_posterior_is_the_same_for_one_group_and_many():
    s = tensor(*[row[0] for row in POSTERIOR])
    together = bayesian_posterior(s, published_levels(s))
    for i in range(len(s)):
        alone = bayesian_posterior(s[i : i + 1], published_levels(s[i : i + 1]))
        assert torch.equal(alone.advantages[0], together.advantages[i])
        assert torch.equal(alone.gain[0], together.gain[i])


def test_posterior_limits():
    s = tensor((1, 2, 0, 2), (0.3, 0.1, 0.2, 0.7))
    n = published_levels(s)
    reward_only = bayesian_posterior(s, n, r=1e12)
    torch.testing.assert_close(
        reward_only.advantages, group_normalize(group_normalize(s)), atol=1e-9, rtol=0
    )
    prior_only = bayesian_posterior(s, n, r=0.0)
    assert prior_only.gain.tolist() == [1.0, 1.0]
    expected = tensor(POSTERIOR[0][3]).expand_as(s)
    torch.testing.assert_close(prior_only.advantages, expected, atol=2e-5, rtol=0)


def test_equal_levels_carry_no_prior():
    s = tensor((1, 2, 0, 2), (1, 1, 1, 1))
    result = bayesian_posterior(s, torch.full_like(s, 0.4))
    torch.testing.assert_close(
        result.advantages[0], group_normalize(s)[0], atol=5e-4, rtol=0
    )  # K only shrinks the score, and the second normalisation undoes that
    assert result.advantages[1].tolist() == [0.0] * 4


def test_posterior_over_a_split_view():
    s = tensor((1, 1, 1, 1), (1, 0, 0, 1))
    result = bayesian_posterior(s, tensor((0, 0, 0.5, 0.5), (0, 0, 0.5, 0.5)))
    assert result.advantages[0, 0] == result.advantages[0, 1] > 0
    assert result.advantages[0, 2] == result.advantages[0, 3] < 0
    assert result.advantages[1].argmax() == 0 and result.advantages[1].argmin() == 2


def test_constant_groups_options():
    s = tensor((0, 0, 0, 0), (1, 1, 1, 1), (1, 0, 0, 0))
    n = published_levels(s)
    prior = bayesian_posterior(s, n)
    zero = bayesian_posterior(s, n, constant_groups="zero")
    if_correct = bayesian_posterior(s, n, constant_groups="prior_if_correct")
    assert (prior.gain > 0.5).tolist() == [True, True, False]
    assert zero.advantages[:2].abs().max() == 0 and zero.gain[:2].tolist() == [0, 0]
    assert if_correct.advantages[0].abs().max() == 0 and if_correct.gain[0] == 0
    assert torch.equal(if_correct.advantages[1], prior.advantages[1])
    for result in (zero, if_correct):
        assert torch.equal(result.advantages[2], prior.advantages[2])


def test_prior_if_correct_asks_the_mask_where_it_is_given():
    s = tensor((0.1, 0.1, 0.1, 0.1), (0, 0, 0, 0))  # format alone; wrong sign of the reward
    correct = torch.tensor([[False] * 4, [True] * 4])
    result = bayesian_posterior(
        s, published_levels(s), constant_groups="prior_if_correct", correct=correct
    )
    assert result.advantages[0].abs().max() == 0
    assert result.advantages[1].abs().max() > 1


def test_group_normalize_is_the_formula():
    s = tensor((1, 2, 4, 5), (0, 0, 0, 1))
    expected = (s - s.mean(1, keepdim=True)) / (s.std(1, keepdim=True) + 1e-4)
    torch.testing.assert_close(group_normalize(s), expected, atol=1e-12, rtol=0)
    centered = group_normalize(s, scale=False)
    assert centered.tolist() == [[-2, -1, 1, 2], [-0.25, -0.25, -0.25, 0.75]]


def test_leave_one_out_is_the_formula():
    s = tensor((1, 2, 4, 5))
    expected = [[1 - 11 / 3, 2 - 10 / 3, 4 - 8 / 3, 5 - 7 / 3]]
    torch.testing.assert_close(leave_one_out(s), tensor(*expected), atol=1e-12, rtol=0)


def test_leave_one_out_counts_each_group_by_itself():
    s = tensor((1, 0, NAN), (3, 0, 0))
    assert leave_one_out(s).tolist() == [[1, -1, 0], [3, -1.5, -1.5]]


def test_batch_normalize_is_the_formula():
    s = tensor((1, 2, 4, 5), (0, 0, 0, 1), (1, 1, 1, 1))
    deviation = s - s.mean(1, keepdim=True)
    expected = deviation / (deviation.flatten().std() + 1e-4)
    torch.testing.assert_close(batch_normalize(s), expected, atol=1e-12, rtol=0)
    assert batch_normalize(s)[2].abs().max() == 0


@pytest.mark.parametrize("name", sorted(ADVANTAGES.keys() - {"bayesian"}))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, 1e-3, 123456.7])
def test_a_constant_group_gives_exactly_zero(name, dtype, value):
    s = torch.full((3, 7), value, dtype=dtype)
    advantages = ADVANTAGES[name](s, levels=torch.linspace(0, 1, 7).expand(3, 7)).advantages
    assert advantages.dtype == dtype
    assert (advantages == 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_posterior_is_computed_in_float64_and_returned_as_the_rewards_are(dtype):
    s, n = tensor((1, 0, 0.5, 0.25), (1, 1, 1, 1)), tensor(LEVELS, LEVELS).float()
    result, exact = bayesian_posterior(s.to(dtype), n), bayesian_posterior(s, n.double())
    assert torch.equal(result.advantages, exact.advantages.to(dtype))
    assert torch.equal(result.gain, exact.gain.to(dtype))
    assert torch.equal(bayesian_posterior(s, n).advantages, exact.advantages)


@pytest.mark.parametrize("value", [0.1, 1.0])
def test_a_constant_group_is_one_without_its_unscorable_completion(value):
    s = tensor((value, value, NAN, value))
    result = bayesian_posterior(s, tensor(LEVELS), constant_groups="zero")
    assert result.advantages.tolist() == [[0] * 4] and result.gain.tolist() == [0]
    assert group_normalize(s).tolist() == [[0] * 4]


@pytest.mark.parametrize("name", ADVANTAGES)
def test_unscorable_completions_drop_out(name):
    scored = tensor((1, 0, 2, 0))
    with_hole = tensor((1, NAN, 0, 2, 0))
    levels, with_level = tensor(LEVELS), tensor((0.0, 0.7, 0.3, 0.6, 0.9))
    expected = ADVANTAGES[name](scored, levels=levels)
    result = ADVANTAGES[name](with_hole, levels=with_level)
    assert result.advantages[0, 1] == 0
    torch.testing.assert_close(result.advantages[:, [0, 2, 3, 4]], expected.advantages)
    if expected.gain is not None:
        torch.testing.assert_close(result.gain, expected.gain)


@pytest.mark.parametrize("name", ADVANTAGES)
@pytest.mark.parametrize("row", [(NAN, NAN, NAN), (NAN, 3.0, NAN)])
def test_fewer_than_two_scorable_completions_give_zero(name, row):
    levels = tensor((0.0, 0.3, 0.6), (0.0, 0.3, 0.6))
    result = ADVANTAGES[name](tensor(row, (1, 0, 1)), levels=levels)
    assert result.advantages[0].tolist() == [0, 0, 0]
    assert result.advantages[1].abs().min() > 0
    if result.gain is not None:
        assert result.gain[0] == 0


@pytest.mark.parametrize("name", ADVANTAGES)
def test_a_group_of_one_gives_zero(name):
    result = ADVANTAGES[name](tensor((3.0,)), levels=tensor((0.3,)))
    assert result.advantages.tolist() == [[0]]


def test_statistics_are_float64_inside():
    s = torch.tensor([[1e6, 1e6 + 1, 1e6 + 2, 1e6 + 3]], dtype=torch.float32)
    expected = group_normalize(tensor((0, 1, 2, 3))).float()
    assert torch.equal(group_normalize(s), expected)


def test_zero_eps_is_allowed():
    s = tensor((0, 0), (1, 0))
    assert group_normalize(s, eps=0.0)[0].tolist() == [0, 0]
    assert bayesian_posterior(s, torch.zeros_like(s), eps=0.0).advantages.isfinite().all()


def test_every_name_is_its_formula_with_the_published_knobs():
    s, n = tensor((1, 0, 0, 0.5), (0, 2, 1, 1)), tensor(LEVELS, LEVELS)
    formulas = {
        "grpo": group_normalize(s, 1e-4),
        "dr_grpo": group_normalize(s, scale=False),
        "rloo": leave_one_out(s),
        "reinforce++": batch_normalize(s, 1e-4),
        "bayesian": bayesian_posterior(s, n, 0.01, 0.1, 1e-4, "prior").advantages,
    }
    assert formulas.keys() == ADVANTAGES.keys() - {"level_baseline", "slope_prior"}
    for name, expected in formulas.items():
        assert torch.equal(ADVANTAGES[name](s, levels=n).advantages, expected), name
    assert len({tuple(value.flatten().tolist()) for value in formulas.values()}) == len(formulas)


def test_knobs_go_through_the_dictionary():
    s, n = tensor((1, 0, 0, 0), (1, 1, 1, 1)), tensor(LEVELS, LEVELS)
    knobs = {"alpha": 0.1, "r": 0.5, "eps": 0.01, "constant_groups": "prior_if_correct"}
    knobs["correct"] = torch.zeros_like(s, dtype=torch.bool)
    direct = bayesian_posterior(s, n, **knobs)
    assert torch.equal(ADVANTAGES["bayesian"](s, levels=n, **knobs).advantages, direct.advantages)
    assert direct.advantages[1].tolist() == [0] * 4
    assert torch.equal(ADVANTAGES["grpo"](s, eps=1e-2).advantages, group_normalize(s, 1e-2))
    assert torch.equal(ADVANTAGES["reinforce++"](s, eps=0.1)[0], batch_normalize(s, 0.1))
    with pytest.raises(TypeError, match="alpha"):
        ADVANTAGES["grpo"](s, alpha=0.1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: group_normalize(torch.zeros(4)), r"shape \(4,\)"),
        (lambda: group_normalize(torch.zeros(1, 4, dtype=torch.long)), "dtype torch.int64"),
        (
            lambda: group_normalize(tensor((1.0, float("inf")))),
            "^rewards contain infinity; they must be finite, or NaN where unscorable",
        ),
        (lambda: ADVANTAGES["bayesian"](tensor((1, 0))), "^the bayesian advantage needs levels"),
        (lambda: bayesian_posterior(tensor((1, 0)), tensor((1,))), r"levels have shape \(1, 1\)"),
        (
            lambda: bayesian_posterior(
                tensor((1, 0)), tensor((1, 0)), correct=torch.ones(2, dtype=torch.bool)
            ),
            r"correct have shape \(2,\), rewards \(1, 2\)",
        ),
        (lambda: bayesian_posterior(tensor((1, 0)), tensor((1, 0)), alpha=0), "alpha 0"),
        (lambda: bayesian_posterior(tensor((1, 0)), tensor((1, 0)), r=-1), "r -1"),
        (
            lambda: bayesian_posterior(tensor((1, 0)), tensor((1, 0)), constant_groups="drop"),
            "'drop' is not one of prior, zero, prior_if_correct",
        ),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
