"""Numbers for the tests of losses, from the papers' formulas alone: no code of ours, float64.

    python tests/training/loss/golden.py > tests/training/loss/golden.json

Six completions of at most five tokens, two groups of three. ``old`` and ``old_second`` are
log-probs of the policy that sampled, ``new`` and ``new_second`` those of the policy in the update;
``old_views`` and ``new_views`` are the same on three views of each group (``score_view: all``).
"""

import json
import math
import sys

import torch

LENGTHS = [5, 3, 4, 1, 5, 2]
LONGEST = 7
VIEWS = 3
REWARDS = [1.0, 0.0, 1.0, 0.0, 0.5, 1.0]


def draw() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(17)

    def normal(scale: float) -> torch.Tensor:
        return scale * torch.randn(6, 5, generator=generator, dtype=torch.float64)

    old = -normal(1.0).abs() - 0.05
    new = (old + normal(0.25)).clamp(max=-0.01)
    old_second = (old - normal(1.0).abs() + normal(0.3)).clamp(max=-0.01)
    tables = {
        "old": old,
        "new": new,
        "old_second": old_second,
        "new_second": (old_second + normal(0.2)).clamp(max=-0.01),
    }
    old_views = torch.stack([(old + normal(0.4)).clamp(max=-0.01) for _ in range(VIEWS)], 1)
    change = torch.stack([normal(0.25) for _ in range(VIEWS)], 1)
    return tables | {"old_views": old_views, "new_views": (old_views + change).clamp(max=-0.01)}


def advantages() -> torch.Tensor:
    groups = torch.tensor(REWARDS, dtype=torch.float64).view(2, 3)
    spread = groups - groups.mean(1, keepdim=True)
    return (spread / (groups.std(1, keepdim=True) + 1e-4)).flatten()


def average(values: torch.Tensor, mask: torch.Tensor, loss_type: str) -> torch.Tensor:
    """Of values by completion and token, or by completion, view and token."""
    if values.ndim == 3:  # a completion on each of its views
        mask = mask[:, None].expand_as(values).flatten(0, 1)
        values = values.flatten(0, 1)
    if loss_type == "dapo":  # mean over all tokens
        return (values * mask).sum() / mask.sum()
    if loss_type == "grpo":  # mean over tokens of a completion, then over completions
        return ((values * mask).sum(1) / mask.sum(1)).mean()
    return (values * mask).sum() / (len(values) * LONGEST)  # dr_grpo: a constant


def clipped(new, old, weighed, low=0.2, high=0.2) -> torch.Tensor:
    ratio = torch.exp(new - old)
    return -torch.minimum(ratio * weighed, ratio.clamp(1 - low, 1 + high) * weighed)


def penalty(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    d = torch.clamp(second - first, -20, 20)
    return torch.clamp(torch.exp(d) - d - 1, -10, 10)


def dependence(old, old_second):
    delta = old_second - old
    return torch.clamp(torch.exp(delta) - delta - 1, 0, 10)


def vppo_weights(d, mask, share, least):
    d = d * mask
    tokens = torch.zeros_like(d)
    for row, length in enumerate(LENGTHS):
        kept = math.ceil(share * length)
        tokens[row, torch.topk(d[row, :length], kept).indices] = 1
    s = d.sum(1) / mask.sum(1)
    z = ((s - s.min()) / (s.max() - s.min())).clamp(0, 1)
    most = least + (1 - least) / z.mean()
    return tokens, least + z * (most - least)


def on_all_views(tables, mask, base) -> dict[str, dict[str, object]]:
    """The mean over completions and views, and a dependence that is the mean over views."""
    old, old_second, base = tables["old_views"], tables["old_second"][:, None], base[:, None]
    right = (torch.tensor(REWARDS, dtype=torch.float64) >= 1).double()[:, None, None]
    d = torch.stack([dependence(old[:, v], old_second[:, 0]) for v in range(VIEWS)]).mean(0)
    tokens, sequences = vppo_weights(d, mask, 0.4, 0.9)
    tokens, sequences = tokens[:, None], sequences[:, None, None]
    cases = {
        "grpo": lambda new, m: (clipped(new, old, base), 0 * new),
        "papo": lambda new, m: (clipped(new, old, base), -0.02 * penalty(new, old_second)),
        "papo_exact with entropies": lambda new, m: (
            clipped(new, old, base),
            -0.01 * penalty(new, m) + 0.03 * (-new) + 0.03 * (-m.expand_as(new)),
        ),
        "towards, second only, right only": lambda new, m: (
            clipped(new, old, base),
            0.5 * right * (new.detach() - m),
        ),
        "vppo": lambda new, m: (tokens * clipped(new, old, sequences * base), 0.06 * (-new)),
    }
    found = {}
    for loss_type in ("dapo", "grpo", "dr_grpo"):
        for name, terms in cases.items():
            new = tables["new_views"].clone().requires_grad_()
            m = tables["new_second"].clone().requires_grad_()
            policy, further = (one.expand_as(new) for one in terms(new, m[:, None]))
            # A constant of completions times the longest length; views are averaged.
            loss = average(policy, mask, loss_type) + average(further, mask, loss_type)
            (loss + 0 * m.sum()).backward()
            gradients = {"new": new.grad.tolist(), "second": m.grad.tolist()}
            found[f"all, {name}/{loss_type}"] = {"loss": loss.item(), **gradients}
    return found


def main() -> None:
    tables = draw()
    mask = torch.tensor([[float(t < n) for t in range(5)] for n in LENGTHS], dtype=torch.float64)
    given = {name: value.tolist() for name, value in tables.items()}
    result = {"lengths": LENGTHS, "longest": LONGEST, "rewards": REWARDS, **given, "cases": {}}
    result["advantages"] = advantages().tolist()
    right = (torch.tensor(REWARDS, dtype=torch.float64) >= 1).double()[:, None]
    old, old_second = tables["old"], tables["old_second"]
    tokens, sequences = vppo_weights(dependence(old, old_second), mask, 0.4, 0.9)
    result["vppo"] = {"tokens": tokens.tolist(), "sequences": sequences.tolist()}
    base = advantages()[:, None]
    for loss_type in ("dapo", "grpo", "dr_grpo"):
        cases = {
            "grpo": lambda new, m: (clipped(new, old, base), 0 * new),
            "papo": lambda new, m: (clipped(new, old, base), -0.02 * penalty(new, old_second)),
            "papo_exact": lambda new, m: (clipped(new, old, base), -0.02 * penalty(new, m)),
            "papo_exact with entropies": lambda new, m: (
                clipped(new, old, base),
                -0.01 * penalty(new, m) + 0.03 * (-new) + 0.03 * (-m),
            ),
            "towards, second only, right only": lambda new, m: (
                clipped(new, old, base),
                0.5 * right * (new.detach() - m),
            ),
            "vppo": lambda new, m: (
                tokens * clipped(new, old, sequences[:, None] * base),
                0.06 * (-new),
            ),
        }
        for name, terms in cases.items():
            new = tables["new"].clone().requires_grad_()
            m = tables["new_second"].clone().requires_grad_()
            policy, further = terms(new, m)
            loss = average(policy, mask, loss_type) + average(further, mask, loss_type)
            (loss + 0 * m.sum()).backward()
            result["cases"][f"{name}/{loss_type}"] = {
                "loss": loss.item(),
                "new": new.grad.tolist(),
                "second": m.grad.tolist(),
            }
    result["cases"] |= on_all_views(tables, mask, base)
    ratio = ((tables["new"] - old) * mask).sum(1)
    mean = ratio / mask.sum(1)
    result["corrections"] = {
        "truncated": ratio.exp().clamp(max=1.2).tolist(),
        "geometric": mean.exp().clamp(max=1.2).tolist(),
        "rejection": (mean.abs() < 0.1).double().tolist(),
    }
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
