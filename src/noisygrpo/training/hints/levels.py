"""Which hint level of each prompt is generated, and which is trained.

One table per generation batch, over all processes and equal on each of them, so every process takes
the same turns in generating and selects the same level, wherever the rollouts of a group are:

    rewards [prompts, levels, group]    of the reward that selects; NaN: not generated, unscorable
    due     level g, unless it adds nothing to level g - 1, or (stop early) a lower one is useful
    level   the first useful one (``methods.hints.SELECTIONS``), else 0

Stopping early leaves out only levels above the first useful one, so it selects the same.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from noisygrpo.methods.hints import SELECTIONS, has_variance, select_level, take_level


@dataclass
class HintLevels:
    """The levels of a batch's prompts; at first nothing is generated.

    ``rewards``, ``tokens``: ``[prompts, levels, group]``, of what was generated.
    """

    new: Bool[Tensor, "prompts levels"]  # where a level has something to generate; level 0 does
    group: int  # G, rollouts per prompt and level
    selection: str = "first_nonzero"  # one of ``SELECTIONS``
    stop_early: bool = True  # ask for no level above a useful one

    def __post_init__(self) -> None:
        """Make the empty table."""
        shape = (*self.new.shape, self.group)
        self.rewards = torch.full(shape, torch.nan, dtype=torch.float64)
        self.tokens = torch.zeros(shape, dtype=torch.int64)

    def due(self, level: int) -> Bool[Tensor, " prompts"]:
        """Tell the prompts that are generated at this level; ask for the levels in order."""
        due = self.new[:, level].clone()
        if self.stop_early and level > 0:
            due &= ~SELECTIONS[self.selection](self.rewards[:, :level]).any(1)
        return due

    def put(
        self,
        level: int,
        rows: Int[Tensor, " generated"],
        rewards: Float[Tensor, " generated"],
        tokens: Int[Tensor, " generated"],
    ) -> None:
        """Enter rewards (NaN: unscorable) and lengths of what was generated at a level.

        ``rows``: the rollouts' places in the batch over all processes; below 0 is left out.
        """
        kept = rows >= 0
        prompt, member = rows[kept] // self.group, rows[kept] % self.group
        self.rewards[prompt, level, member] = rewards[kept].to(self.rewards)
        self.tokens[prompt, level, member] = tokens[kept].to(self.tokens)

    def selected(self) -> Int[Tensor, " prompts"]:
        """Return the level that each prompt is trained at."""
        return select_level(self.rewards, self.selection)

    def metrics(self, hint_tokens: Int[Tensor, "prompts levels"]) -> dict[str, float]:
        """Return the metrics of a batch.

        ``hint/useful``: share of prompts whose trained rewards are not all equal (the paper's valid
        samples), and by level, which adds up to it; ``hint/selected``: share of prompts by level;
        ``hint/level``, ``hint/tokens``: mean level and length of the trained hints;
        ``hint/unused_tokens``: sampled tokens of the batch that were not trained.
        """
        level = self.selected()
        useful = has_variance(take_level(self.rewards, level)[:, None])[:, 0]
        used = take_level(self.tokens, level).sum()
        tokens = take_level(hint_tokens[:, :, None], level).double()
        metrics = {
            "hint/useful": useful.double().mean().item(),
            "hint/level": level.double().mean().item(),
            "hint/tokens": tokens.mean().item(),
            "hint/unused_tokens": float(self.tokens.sum() - used),
        }
        for number in range(self.rewards.size(1)):
            here = level == number
            metrics[f"hint/useful/level_{number}"] = (useful & here).double().mean().item()
            metrics[f"hint/selected/level_{number}"] = here.double().mean().item()
        return metrics
