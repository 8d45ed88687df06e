"""How far apart sampler and learner are, by noise level: log pi(o | view) - log pi(o | image).

Per completion token t of a rollout at level n:

    d_t = log pi_theta(o_t | view, o_<t) - log pi_theta(o_t | clean image, o_<t)

with theta the policy that sampled and both at the sampling temperature (limits such as top_k are
left out on both sides). The published methods ignore it; its mean per token estimates the KL
divergence of the two, and exp(-sum_t d_t) is the weight that an importance correction would put on
the completion.

Cost: none. The log-probs on the views are those that were sampled from, and the clean side is what
the update computes anyway. Where ``generate`` samples otherwise than token by token (compiled, in
continuous batches, with beams) it is one forward without gradient over the rollouts that saw noise.
With vLLM clean rollouts count too: at level 0 the metric is how far its arithmetic is from the
learner's.

Shapes: B rollouts of a batch, T completion tokens, R bins of levels (``level_bins``).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from noisygrpo.training.batch import Batch
from noisygrpo.training.prefix.rows import SCORING_KEYS, select_rows
from noisygrpo.training.records.level_bins import LevelBins

TOKENS = ("prompt_ids", "prompt_mask", "completion_ids", "completion_mask")
SAMPLED = "sampling_per_token_logps"
"""What TRL calls log-probs that came with the completions."""


def add_view_log_probs(
    output: dict[str, Any],
    batch: Batch,
    score: Callable[[dict[str, Any]], Float[Tensor, "rows T"]],
    most: Callable[[int], int],
    engines: bool,
) -> None:
    """Add levels and the completions' log-probs on their views to the batch.

    Args:
        output: TRL's scored batch; log-probs that came with the completions are taken, else noisy
            rollouts are scored, and those of clean ones are 0.
        batch: its rollouts, and what they saw.
        score: scores rows of ``output``.
        most: returns how many forwards all processes must run, of how many this one needs.
        engines: whether log-probs that came with the completions are an engine's of its own, and
            stay where TRL looks for such.
    """
    ids = output["completion_ids"]
    levels = [rollout.view.level for rollout in batch.rollouts]
    output["noise_level"] = torch.tensor(levels, device=ids.device)
    if SAMPLED in output:
        output["view_log_probs"] = output[SAMPLED] if engines else output.pop(SAMPLED)
        return
    output["view_log_probs"] = torch.zeros(ids.shape, device=ids.device)
    noisy = [row for row, rollout in enumerate(batch.rollouts) if rollout.noisy]
    scored = noisy + [(noisy or [0])[0]] * (most(len(noisy)) - len(noisy))
    if scored and batch.shown is not None:
        clean = output["pixel_values"]
        views = torch.as_tensor(batch.shown.fields["pixel_values"]).to(clean)
        if views.shape != clean.shape:
            raise RuntimeError(
                f"views have pixels of shape {tuple(views.shape)}, clean images "
                f"{tuple(clean.shape)}; log_view_ratio needs views of equal size"
            )
        seen = {key: output[key] for key in (*TOKENS, *SCORING_KEYS) if key in output}
        rows = select_rows({**seen, "pixel_values": views}, scored)
        output["view_log_probs"][noisy] = score(rows)[: len(noisy)].float()


@dataclass
class RatioByLevel:
    """Sums of d_t over the micro-batches of an optimizer step, by bin of levels.

    ``clean``: whether rollouts at level 0 count too. With vLLM their ratio is that of its
    arithmetic to the learner's; without, theirs is 0 by definition and not computed.
    """

    clean: bool = False
    bins: LevelBins = field(default_factory=LevelBins)
    sums: Float[Tensor, "R 3"] | None = None  # of d, tokens and rollouts

    def add(self, batch: dict[str, Any], current: Float[Tensor, "B T"]) -> None:
        """Add a micro-batch's rollouts, where ``add_view_log_probs`` was given it.

        ``current``: log-probs of the loss, given the clean images; ``batch`` has those of the
        sampling policy only where they are not the same.
        """
        if "view_log_probs" not in batch:
            return
        view, mask = batch["view_log_probs"], batch["completion_mask"]
        clean = batch.get("old_per_token_logps", current).detach()
        difference = ((view - clean) * mask).nan_to_num().sum(1)
        entries = torch.stack((difference, mask.sum(1), torch.ones_like(difference)), 1)
        if self.sums is None:
            self.sums = torch.zeros(len(self.bins), 3, device=view.device)
        for entry, level in zip(entries, batch["noise_level"].tolist(), strict=True):
            if level > 0 or self.clean:
                self.sums[self.bins.bin(level)] += entry

    def flush(self, reduce: Any) -> dict[str, float]:
        """Return the metrics of all processes and start anew; ``reduce`` sums over them."""
        if self.sums is None:
            return {}
        sums, self.sums = reduce(self.sums).tolist(), None
        return {
            f"view_ratio/{per}/{self.bins.name(number)}": total / count
            for number, (total, tokens, rollouts) in enumerate(sums)
            for per, count in (("token", tokens), ("sequence", rollouts))
            if tokens
        }
