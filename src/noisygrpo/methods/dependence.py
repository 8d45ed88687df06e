"""Visual dependence: how much a completion's tokens need the picture, and what is made of it.

With l_t = log pi(o_t | picture, question, o_<t) and m_t the same on a second view (a masked or
noisy picture, or no picture at all), delta_t = m_t - l_t:

    k1    d_t = l_t - m_t                                    log ratio; its mean is KL(picture‖view)
    k3    d_t = min(exp(delta_t) - delta_t - 1, 10)          never negative, of the same mean
    full  d_t = sum_v p(v) (log p(v) - log q(v))             over the vocabulary (``full_kl``)

delta is clamped to [-20, 20] in k3, as PAPO's released code does it (arXiv 2507.06448); VPPO
(2510.09285) clamps only the result, which gives the same numbers. What is made of d:

    keep_top          w_t = 1 for the ceil(share T_i) largest d_t of completion i, else 0      VPPO
    token_weights     w_t = 1 + c (d_t / mean_i d - 1); mean 1 in each completion
    sequence_weights  s_i = mean_t d_t, z_i = (s_i - min s) / (max s - min s),
                      w_i = b + z_i (1 - b) / mean z; mean 1 over all completions              VPPO
    consistency       exp(-mean_t d_t) in (0, 1]                                    ROVA, 2603.10652

Shapes: B completions, T tokens (right padded, ``mask`` 1 where a token counts), V of vocabulary.

Deliberate deviations:
- minimum, maximum and mean of ``sequence_weights`` are over all completions that it is given; the
  released VPPO takes minimum and maximum of one process's share and the mean of a micro-batch, so
  that its weights are all 1 at micro-batch 1. Where all s are equal every weight is 1.
- ties of ``keep_top`` go to the earlier token; a completion without tokens keeps none, and one none
  of whose tokens depends on the picture (there is none, say) keeps all.
- ``token_weights`` is our reading of "the completion's total is kept" (PGPO, 2604.01840, whose code
  is not public); all weights are 1 where no token depends on the picture.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

MOST = 10.0
"""Largest value of k3, as released."""

FARTHEST = 20.0
"""Largest difference of two log-probs that k3 looks at, as released."""


def k1(clean: Float[Tensor, "B T"], second: Float[Tensor, "B T"]) -> Float[Tensor, "B T"]:
    """Return the log ratio of each token."""
    return clean - second


def k3(clean: Float[Tensor, "B T"], second: Float[Tensor, "B T"]) -> Float[Tensor, "B T"]:
    """Return the estimate that is never negative."""
    delta = (second - clean).clamp(-FARTHEST, FARTHEST)
    return (delta.exp() - delta - 1.0).clamp(max=MOST)


def full_kl(clean: Float[Tensor, "... V"], second: Float[Tensor, "... V"]) -> Float[Tensor, "..."]:
    """Return KL(clean‖second) of two distributions that are given as logits."""
    log_p, log_q = clean.log_softmax(-1), second.log_softmax(-1)
    apart = torch.where(torch.isneginf(log_p), 0.0, log_p - log_q)  # 0 log 0 is 0
    return (log_p.exp() * apart).sum(-1)


ESTIMATORS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"k1": k1, "k3": k3}
"""Name to ``f(clean, second) -> d`` of the log-probs of what was sampled."""


def mean_of(values: Float[Tensor, "B T"], mask: Tensor) -> Float[Tensor, " B"]:
    """Return each completion's mean over its tokens; 0 where it has none."""
    return values.masked_fill(mask == 0, 0.0).sum(1) / mask.sum(1).clamp(min=1)


def keep_top(d: Float[Tensor, "B T"], mask: Tensor, share: float) -> Float[Tensor, "B T"]:
    """Return 1 for the tokens that depend most on the picture, ``share`` of each completion.

    All of one in which no token depends on it.
    """
    # Rounded first: 0.07 * 100 is 7.000000000000001.
    wanted = (share * mask.sum(1)).double().mul(1e6).round().div(1e6).ceil()
    order = d.masked_fill(mask == 0, -torch.inf).sort(dim=1, descending=True, stable=True).indices
    rank = torch.empty_like(order)
    rank.scatter_(1, order, torch.arange(d.size(1), device=d.device).expand_as(order))
    alike = ((d == 0) | (mask == 0)).all(1, keepdim=True)
    return (((rank < wanted[:, None]) | alike) & (mask != 0)).to(d)


def token_weights(d: Float[Tensor, "B T"], mask: Tensor, strength: float) -> Float[Tensor, "B T"]:
    """Return weights that rise with d and have mean 1 in each completion; ``strength`` in [0, 1].

    d must not be negative; then no weight is.
    """
    mean = mean_of(d, mask)[:, None]
    relative = torch.where(mean > 0, d / mean.clamp(min=torch.finfo(d.dtype).tiny), 1.0)
    return (1.0 + strength * (relative - 1.0)) * (mask != 0)


def sequence_weights(scores: Float[Tensor, " R"], least: float) -> Float[Tensor, " R"]:
    """Return weights from ``least`` up, of mean 1 over all, that rise with the scores."""
    if not len(scores):
        return scores
    low, high = scores.min(), scores.max()
    if not high > low:
        return torch.ones_like(scores)
    z = (scores - low) / (high - low)
    return least + z * (1.0 - least) / z.mean()


def consistency(scores: Float[Tensor, " R"]) -> Float[Tensor, " R"]:
    """Return what is 1 where the second view changes nothing and falls to 0."""
    return (-scores).exp()


CORRECTIONS = ("none", "truncated", "geometric", "rejection")
"""How a completion that was sampled on another view than it is scored on may be weighed."""


def view_weights(
    scored: Float[Tensor, "B T"],
    sampled: Float[Tensor, "B T"],
    mask: Tensor,
    correction: str,
    limit: float,
) -> Float[Tensor, " B"]:
    """Return a weight for each completion from log-probs where it is scored and was sampled.

    With r_t = log pi(o_t | scored view) - log pi(o_t | sampled view):

        truncated  min(limit, exp(sum_t r_t))        importance sampling of the completion
        geometric  min(limit, exp(mean_t r_t))       one ratio a token, as GSPO has it
        rejection  1 where |mean_t r_t| < limit, else 0

    Raises:
        ValueError: for another correction.
    """
    ratio = (scored - sampled).masked_fill(mask == 0, 0.0).double()
    total = ratio.sum(1)
    mean = total / mask.sum(1).clamp(min=1)
    if correction == "truncated":
        weight = total.exp().clamp(max=limit)  # in float64: no overflow below a ratio of e^700
    elif correction == "geometric":
        weight = mean.exp().clamp(max=limit)
    elif correction == "rejection":
        weight = (mean.abs() < limit).double()
    else:
        raise ValueError(f"correction {correction!r} is not one of {', '.join(CORRECTIONS[1:])}")
    return weight.to(scored)
