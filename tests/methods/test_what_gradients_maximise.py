"""The statements of docs/what-the-gradients-maximise.md, in a softmax over a few answers.

Expectations are exact: all answers of a group are gone through with their probabilities. The
policy on the clean picture is softmax(x), and the gradient is by x; what is seen at a noise level
is a fixed distribution over the same answers. Answer 0 is right, the others are wrong.
"""

import itertools
import math

import pytest
import torch

from noisygrpo.methods.advantages import ADVANTAGES, bayesian_posterior, group_normalize
from noisygrpo.methods.dependence import view_weights
from noisygrpo.methods.level_forms import level_baseline, slope_prior, spare_off_view
from noisygrpo.methods.level_means import LevelMeans

LEVELS = (0.0, 0.3, 0.6)
X = torch.tensor([0.4, -0.2], dtype=torch.float64)
SEEN = {0.3: (0.45, 0.55), 0.6: (0.15, 0.85)}  # of two answers


def views(x, seen, levels=LEVELS):
    """Distribution over the answers that each rollout of a group samples from."""
    fixed = {n: torch.tensor(p, dtype=torch.float64) for n, p in seen.items()}
    return torch.stack([fixed[n] if n else x.softmax(0) for n in levels])


def outcomes(answers, group):
    """All that a group may answer, and the reward of each."""
    every = torch.tensor(list(itertools.product(range(answers), repeat=group)))
    return every, (every == 0).double()


def expected(x, policies, advantages, every):
    """Exact expectation of sum_i A_i grad log pi(o_i | clean) over a group; and each rollout's."""
    chance = torch.stack([policies[i][every[:, i]] for i in range(every.shape[1])], 1).prod(1)
    scores = torch.eye(len(x), dtype=torch.float64)[every] - x.softmax(0)  # grad log pi
    return (chance[:, None, None] * advantages[..., None] * scores).sum(0)


def means_by_verdict(policies, advantages, every):
    """E[A | right], E[A | wrong], E[A] of each rollout of a group."""
    chance = torch.stack([policies[i][every[:, i]] for i in range(every.shape[1])], 1).prod(1)
    right = (every == 0).double()
    mass = chance[:, None] * advantages
    up, down = (mass * right).sum(0), (mass * (1 - right)).sum(0)
    p = policies[:, 0]
    return up / p, down / (1 - p), up + down


def of(x, gradient_of):
    """Gradient of a scalar function of x."""
    leaf = x.clone().requires_grad_()
    return torch.autograd.grad(gradient_of(leaf), leaf)[0]


def right(x):
    return x.softmax(0)[0]


def kl(policy, x):
    return (policy * (policy.log() - x.log_softmax(0))).sum()


@pytest.mark.parametrize("name", ["grpo", "dr_grpo", "rloo"])
@pytest.mark.parametrize("group", [2, 4])
def test_grpo_on_clean_pictures_climbs_the_chance_of_a_right_answer(name, group):
    """sum_i E[A_i grad log pi] = G (E[A | right] - E[A | wrong]) grad p."""
    every, rewards = outcomes(2, group)
    advantages, policies = ADVANTAGES[name](rewards).advantages, views(X, {}, (0.0,) * group)
    up, down, _ = means_by_verdict(policies, advantages, every)
    assert up[0] > down[0]
    found = expected(X, policies, advantages, every).sum(0)
    torch.testing.assert_close(found, group * (up - down)[0] * of(X, right))
    if name == "dr_grpo":
        torch.testing.assert_close(found, (group - 1) * of(X, right))
    if name == "rloo":
        torch.testing.assert_close(found, group * of(X, right))


def parts(policy, up, down, mean, x):
    """(E[A | right] - E[A | wrong]) Cov(r, grad log pi) - E[A] grad KL(view‖clean)."""
    score = torch.eye(len(x), dtype=torch.float64) - x.softmax(0)
    p = policy[0]
    covariance = p * (score[0] - (policy[:, None] * score).sum(0))
    return (up - down) * covariance - mean * of(x, lambda leaf: kl(policy, leaf))


ESTIMATES = {
    "grpo": lambda r, n: group_normalize(r),
    "bayesian": lambda r, n: bayesian_posterior(r, n).advantages,
    "slope_prior": lambda r, n: slope_prior(r, n, MEANS),
    "level_baseline": lambda r, n: level_baseline(r, n, MEANS),
    "spared": lambda r, n: spare_off_view(group_normalize(r), n, "zero"),
}
MEANS = LevelMeans.of_rows(
    {"0": [200, 130, 130, 9, 1.0], "30": [200, 90, 90, 9, 0.0], "60": [200, 30, 30, 9, -2.0]}
)


@pytest.mark.parametrize("name", ESTIMATES)
def test_scored_clean_a_level_adds_a_pull_or_a_push_from_its_own_policy(name):
    every, rewards = outcomes(2, 3)
    levels = torch.tensor(LEVELS, dtype=torch.float64).expand_as(rewards)
    advantages, policies = ESTIMATES[name](rewards, levels), views(X, SEEN)
    up, down, mean = means_by_verdict(policies, advantages, every)
    for i, found in enumerate(expected(X, policies, advantages, every)):
        torch.testing.assert_close(found, parts(policies[i], up[i], down[i], mean[i], X))
    if name == "grpo":
        assert mean[0] > 0 > mean[2]  # away from what is written under heavy noise
    if name == "bayesian":
        plain = means_by_verdict(policies, group_normalize(rewards), every)[2]
        assert mean[2] < 1.5 * plain[2]  # more so
    if name == "spared":
        assert mean[1] > 0 and mean[2] > 0 and (down[1:] == 0).all()


def test_the_prior_alone_does_nothing_but_push_from_noisy_policies():
    """r = 0: A depends on levels only; the cleanest rollout's part is 0, whatever its advantage."""
    every, rewards = outcomes(2, 3)
    levels = torch.tensor(LEVELS, dtype=torch.float64).expand_as(rewards)
    advantages, policies = bayesian_posterior(rewards, levels, r=0.0).advantages, views(X, SEEN)
    found = expected(X, policies, advantages, every)
    assert advantages[0, 0] > 0.9 and found[0].abs().max() < 1e-12
    away = of(X, lambda x: kl(policies[2], x))
    torch.testing.assert_close(found[2], -advantages[0, 2] * away)
    own = expected(policies[2].log(), policies, advantages, every)  # scored on what it saw
    assert own[2].abs().max() < 1e-12


@pytest.mark.parametrize("ease", [-1.5, 1.5])
def test_in_groups_of_equal_rewards_the_prior_raises_what_most_groups_say(ease):
    every, rewards = outcomes(2, 3)
    levels = torch.tensor(LEVELS, dtype=torch.float64).expand_as(rewards)
    x = torch.tensor([ease, 0.0], dtype=torch.float64)
    few, many = (0.3, 0.7), (0.7, 0.3)
    policies = views(x, dict.fromkeys((0.3, 0.6), few if ease < 0 else many))
    equal = (rewards.amin(1) == rewards.amax(1)).double()[:, None]
    advantages = bayesian_posterior(rewards, levels).advantages * equal
    others = policies[1:, 0]
    weight = advantages[0, 0] * (others.prod() - (1 - others).prod())
    found = expected(x, policies, advantages, every)[0]
    torch.testing.assert_close(found, weight * of(x, right))
    assert (weight > 0) == (ease > 0)


def fitted_baseline(policies, rewards, levels, every):
    """Advantages with offsets at which every level's mean advantage is 0, by their own steps."""
    offsets = torch.zeros(3, dtype=torch.float64)
    for _ in range(100):
        rows = {
            str(round(100 * n)): [100, 50, 50, 9, o]
            for n, o in zip(LEVELS, offsets.tolist(), strict=True)
        }
        advantages = level_baseline(rewards, levels, LevelMeans.of_rows(rows))
        mean = means_by_verdict(policies, advantages, every)[2]
        offsets += 1.5 * mean
    return advantages, mean


def test_the_level_baseline_leaves_the_covariance_alone():
    every, rewards = outcomes(2, 3)
    levels = torch.tensor(LEVELS, dtype=torch.float64).expand_as(rewards)
    policies = views(X, SEEN)
    advantages, mean = fitted_baseline(policies, rewards, levels, every)
    assert mean.abs().max() < 1e-6
    up, down, _ = means_by_verdict(policies, advantages, every)
    score = torch.eye(2, dtype=torch.float64) - X.softmax(0)
    for i, found in enumerate(expected(X, policies, advantages, every)):
        p = policies[i][0]
        covariance = p * (score[0] - (policies[i][:, None] * score).sum(0))
        torch.testing.assert_close(found, (up - down)[i] * covariance, atol=1e-5, rtol=0)
    assert 0 < down.abs()[2] * (1 - policies[2][0]) < 0.5  # wrong ones weigh as right ones do


@pytest.mark.parametrize("name", ["grpo", "bayesian", "level_baseline"])
def test_corrected_it_is_the_clean_reward_and_scored_on_what_was_seen_the_noisy_one(name):
    every, rewards = outcomes(2, 3)
    levels = torch.tensor(LEVELS, dtype=torch.float64).expand_as(rewards)
    advantages, policies = ESTIMATES[name](rewards, levels), views(X, SEEN)
    up, down, _ = means_by_verdict(policies, advantages, every)
    scored, sampled = X.log_softmax(0)[every], policies.log()[torch.arange(3), every]
    one = torch.ones(every.numel(), 1)
    ratio = view_weights(scored.view(-1, 1), sampled.reshape(-1, 1), one, "truncated", 1e9)
    found = expected(X, policies, advantages * ratio.view_as(advantages), every)
    for i in range(3):  # E[A | right] and E[A | wrong] are over what the others of the group do
        torch.testing.assert_close(found[i], (up - down)[i] * of(X, right))
        seen = policies[i].log()
        torch.testing.assert_close(
            expected(seen, policies, advantages, every)[i], (up - down)[i] * of(seen, right)
        )


# ---- why it runs away: three answers, of which the last is written under noise alone ----

WRITTEN = {0.3: (0.5, 0.4, 0.1), 0.6: (0.1, 0.1, 0.8)}
START = torch.tensor([0.5, 0.4, -3.0], dtype=torch.float64)


def climb(estimate, steps=200, rate=0.5, clean=False, limit=None):
    """Follow the exact expected gradient; log-probabilities of the answers after each step.

    ``limit``: of a correction by the truncated ratio of clean to sampled probability.
    """
    every, rewards = outcomes(3, 3)
    levels = torch.tensor(LEVELS, dtype=torch.float64).expand_as(rewards)
    x, path = START.clone(), []
    for _ in range(steps):
        policies = views(x, WRITTEN, (0.0,) * 3 if clean else LEVELS)
        advantages = estimate(rewards, levels)
        if limit is not None:
            ratio = x.softmax(0)[every] / policies[torch.arange(3), every]
            advantages = advantages * ratio.clamp(max=limit)
        x = x + rate * expected(x, policies, advantages, every).sum(0)
        path.append(x.log_softmax(0))
    return torch.stack(path)


def test_what_is_pushed_off_view_falls_at_a_steady_rate_and_on_view_it_comes_to_rest():
    fall = {
        name: path[99, 2] - path[199, 2]
        for name, path in {
            "clean": climb(ESTIMATES["grpo"], clean=True),
            "corrected": climb(ESTIMATES["bayesian"], limit=2.0),
            **{name: climb(ESTIMATES[name]) for name in ("grpo", "bayesian", "spared")},
        }.items()
    }
    assert fall["bayesian"] > fall["grpo"] > 90  # nats in a hundred steps, and no end
    for name in ("clean", "corrected", "spared"):  # there the weight is the probability, or 0
        assert 0 < fall[name] < 0.6, name


def test_k3_of_such_tokens_is_no_divergence_any_more():
    """exp(ref - now) of tokens that noise alone writes: the clean policy hardly samples them."""
    reference, now = START.log_softmax(0), climb(ESTIMATES["bayesian"], 100)[-1]
    k3 = (reference - now).exp() - (reference - now) - 1
    on_view, off_view = (now.exp() * k3).sum(), (torch.tensor(WRITTEN[0.6]) * k3).sum()
    assert on_view == pytest.approx((now.exp() * (now - reference)).sum().item(), rel=1e-9)
    assert on_view < 1.5 and off_view > 1e4
    assert math.isfinite(off_view)


def test_negatives_that_are_bounded_push_less_and_weighed_levels_do_not_push():
    every, rewards = outcomes(3, 3)
    levels = torch.tensor(LEVELS, dtype=torch.float64).expand_as(rewards)
    policies, plain = views(START, WRITTEN), group_normalize(rewards)
    clipped = spare_off_view(plain, levels, "clip", 0.25)
    push = [expected(START, policies, a, every)[2, 2].item() for a in (plain, clipped)]
    assert push[0] < push[1] < 0
    weights = torch.tensor([1.0, 0.5, 0.0], dtype=torch.float64)
    found = expected(START, policies, plain * weights, every)
    torch.testing.assert_close(found, expected(START, policies, plain, every) * weights[:, None])


@pytest.mark.parametrize("corrected", [False, True])
def test_gradient_of_the_kl_term_with_and_without_the_ratio(corrected: bool) -> None:
    """TRL's `use_bias_correction_kl` keeps the value of k3 and changes its gradient."""
    reference, logits = START.log_softmax(0), (START - torch.tensor([0.0, 0.0, 6.0])).clone()
    logits.requires_grad_()
    now = logits.log_softmax(0)
    apart = reference[2] - now[2]
    k3 = apart.exp() - apart - 1
    term = k3 * (now[2] - now[2].detach()).exp() if corrected else k3
    assert term.item() == pytest.approx(k3.item())
    (found,) = torch.autograd.grad(term, logits)
    score = torch.eye(3, dtype=found.dtype)[2] - now.exp().detach()
    weight = -apart.item() if corrected else 1 - apart.exp().item()
    torch.testing.assert_close(found, weight * score)
