"""What is made of other views before the update: visual dependence, and weights of advantages.

    dependence  d_t of ``methods.dependence`` under the sampling policy, [B, T]; of completions
                that are scored on several views their mean
    reward      r_i + w exp(-mean_t d_t)                                          second_reward
    advantage   (A_i s_i v_i + w d_t) u_t                        second_advantage
                s_i  sequence weight                             second_sequence_weight
                u_t  token mask times token weight               second_token_mask, _token_weight
                v_i  correction for the view it was sampled on   view_correction

Advantages by token have the shape ``[B, T]``, which TRL's loss takes. A completion outside the gate
(``second_gate: correct``) keeps its reward and its advantage: there s = u = 1 and w = 0. The
normalisers of s are over the whole batch of rollouts and all processes. Every forward is run by
every process, whatever the gate says.

Shapes: B rollouts of this process, R over all processes, T completion tokens.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from accelerate.utils import gather_object
from jaxtyping import Float
from torch import Tensor

from noisygrpo.methods import dependence
from noisygrpo.methods.dependence import ESTIMATORS, mean_of
from noisygrpo.training.batch import Batch
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.loss.forward import Full
from noisygrpo.training.loss.terms import GATE, SECOND
from noisygrpo.training.records.level_bins import LevelBins
from noisygrpo.training.rollout import row_images
from noisygrpo.training.settings import (
    BY_TOKEN,
    OF_THE_SECOND_VIEW,
    in_the_loss,
    measures_dependence,
    waits_for_the_loss,
    weighs_by_dependence,
)
from noisygrpo.training.views.late import Late
from noisygrpo.training.views.pixels import Score
from noisygrpo.training.views.score import VIEWS, each_view
from noisygrpo.training.views.second import SecondView

LIMITS = {"truncated": 2.0, "geometric": 2.0, "rejection": 0.2}
"""Limit of each correction where none is given."""


@dataclass
class Comparison:
    """Scores batches of rollouts on other views, and weighs their advantages by what that says."""

    config: NoisyGRPOConfig
    second: SecondView | None
    score: Score
    gather: Callable[[Tensor], Tensor]
    gated: Callable[[Tensor], Tensor] | None  # from the batch's rewards to 1 of right ones, [R]
    record: Callable[[Mapping[str, float]], None]  # adds to the metrics of the step
    first_row: Callable[[int], int]  # place over all processes of the first of so many own rows
    full: Full | None = None  # compares whole distributions, where that is asked for

    def __post_init__(self) -> None:
        """See what is asked for."""
        values = vars(self.config)
        self.weighs = self.second is not None and weighs_by_dependence(values)
        self.old = in_the_loss(values) and self.config.second_policy == "old"
        self.current = in_the_loss(values) and self.config.second_policy == "current"
        self.measures = measures_dependence(values)
        self.late = Late()

    def look(self, batch: Batch, output: dict[str, Any]) -> dict[str, float]:
        """Score the batch on its second view, the pixels of which it holds; return metrics.

        Adds to ``output`` what the loss needs, and to the rollouts what they depend on: now, or
        by the loss's own log-probs where it waits for these (``late``).
        """
        if self.second is None:
            return {}
        if self.gated is not None:
            output[GATE] = self._own(self.gated(batch.rewards), len(batch.rollouts))
        if not (self.measures or self.old):
            return {}
        if self.full is not None:
            d = self._whole(batch, output, self.full)
            return self._enter(batch, d, output["completion_mask"])
        waits = waits_for_the_loss(vars(self.config)) and output.get("old_per_token_logps") is None
        if waits:
            self.late.wait(output, partial(self._enter_late, batch))
            if self.current:
                return {}
        seen = self.score(self.second.on(output))
        if self.old or waits:
            output[SECOND] = seen
        if waits or not self.measures:
            return {}
        estimate, scored = ESTIMATORS[str(self.config.second_estimator)], self.scored(batch, output)
        if scored.ndim == 3:
            d = estimate(scored, seen[:, None].expand_as(scored)).mean(1)
        else:
            d = estimate(scored, seen)
        return self._enter(batch, d, output["completion_mask"])

    def _whole(self, batch: Batch, output: dict[str, Any], full: Full) -> Float[Tensor, "B T"]:
        assert self.second is not None
        with full.tap.open() as states:
            for view in each_view(output):
                self.score(view)
            self.score(self.second.on(output))
        *views, second = torch.cat(states).split(len(batch.rollouts))
        mask = output["completion_mask"]
        with torch.no_grad():
            found = [full.compare(view, second, mask, "none") for view in views]
        return torch.stack(found).mean(0)

    def scored(self, batch: Batch, output: dict[str, Any]) -> Float[Tensor, "B ... T"]:
        """Return the sampling policy's log-probs, computed once: on the scored view ``[B, T]``, or
        ``[B, D, T]`` on D views.
        """
        if batch.scored is None:
            known = output.get("old_per_token_logps")
            if known is None:
                found = [self.score(view) for view in each_view(output)]
                known = torch.stack(found, 1) if VIEWS in output else found[0]
            batch.scored = known
        return batch.scored

    def updated(self, inputs: dict[str, Any], first: Tensor, second: Tensor | None) -> None:
        """Take a micro-batch's log-probs of the loss, on both views where it has both."""
        if self.late.left:
            second = inputs[SECOND] if second is None else second.detach()
            estimate = ESTIMATORS[str(self.config.second_estimator)]
            self.late.add(inputs, estimate(first, second))

    def _enter_late(self, batch: Batch, d: Float[Tensor, "B T"], mask: Tensor) -> None:
        self.record(self._enter(batch, d, mask))

    def _enter(self, batch: Batch, d: Float[Tensor, "B T"], mask: Tensor) -> dict[str, float]:
        # Without a picture both sides are one input, and weights would be made of their rounding.
        shown = torch.tensor([bool(row_images(one.row)) for one in batch.rollouts])
        batch.dependence = d * (mask * shown.to(mask)[:, None])
        for rollout, row in zip(batch.rollouts, batch.dependence.tolist(), strict=True):
            length = len(rollout.completion_ids)
            rollout.dependence = [round(value, 6) for value in row[:length]]
        means = mean_of(batch.dependence, mask)
        levels = gather_object([rollout.view.level for rollout in batch.rollouts])
        there = self.gather(mask.sum(1) > 0).tolist()
        values = [
            mean if some else float("nan")
            for mean, some in zip(self.gather(means).tolist(), there, strict=True)
        ]
        total = self.gather(torch.stack((batch.dependence.sum(), mask.sum()))[None]).sum(0)
        mean = (total[0] / total[1].clamp(min=1)).item()
        by_level = LevelBins.of(self.config).means
        return {"visual_dependence": mean} | by_level(values, levels, "visual_dependence")

    def bonus(self, batch: Batch, output: dict[str, Any]) -> Float[Tensor, " R"] | None:
        """Return what is added to the rewards of all processes; None where nothing is."""
        weight = self.config.second_reward
        if not weight or batch.dependence is None:
            return None
        mask = output["completion_mask"]
        scores = mean_of(batch.dependence, mask)
        own = weight * dependence.consistency(scores) * output.get(GATE, torch.ones_like(scores))
        return self.gather(own * mask.any(1))  # nothing is known of one whose mask is empty

    def weigh(self, batch: Batch, output: dict[str, Any]) -> None:
        """Replace the advantages by what views make of them."""
        advantages = output["advantages"]
        if self.config.view_correction != "none":
            advantages = advantages * self._correction(batch, output)
        if self.weighs and batch.dependence is not None:
            advantages = self._by_dependence(advantages, batch.dependence, output)
        output["advantages"] = advantages

    def _by_dependence(
        self, advantages: Float[Tensor, " B"], d: Float[Tensor, "B T"], output: dict[str, Any]
    ) -> Tensor:
        config, mask = self.config, output["completion_mask"]
        gate = output.get(GATE, torch.ones_like(advantages))
        if config.second_sequence_weight != 1:
            scores, known = self.gather(mean_of(d, mask)), self.gather(mask.any(1))
            least = float(config.second_sequence_weight or 0)
            whole = torch.ones_like(scores)
            whole[known] = dependence.sequence_weights(scores[known], least)
            own = self._own(whole, len(advantages))
            advantages = advantages * torch.where(gate > 0, own, 1.0)
        if all(vars(config)[name] == OF_THE_SECOND_VIEW[name] for name in BY_TOKEN):
            return advantages
        weights = torch.ones_like(d)
        if config.second_token_mask != 1:
            weights = dependence.keep_top(d, mask, float(config.second_token_mask or 0))
        if config.second_token_weight:
            weights = weights * dependence.token_weights(d, mask, config.second_token_weight)
        weights = torch.where(gate[:, None] > 0, weights, 1.0)
        added = float(config.second_advantage or 0) * gate[:, None] * d
        return (advantages[:, None] + added) * weights

    def _correction(self, batch: Batch, output: dict[str, Any]) -> Float[Tensor, " B"]:
        """Return weights of 1 for rollouts that were sampled on what they are scored on."""
        name, limit = self.config.view_correction, self.config.view_correction_limit
        mask = output["completion_mask"]
        scored, sampled = self.scored(batch, output), output["view_log_probs"]
        sampled = torch.where(sampled.isnan(), scored, sampled)  # what vLLM could not score
        limit = LIMITS[name] if limit is None else limit
        weights = dependence.view_weights(scored, sampled, mask, name, limit)
        noisy = [rollout.noisy for rollout in batch.rollouts]
        return torch.where(torch.tensor(noisy, device=weights.device), weights, 1.0)

    def _own(self, values: Tensor, rows: int) -> Tensor:
        first = self.first_row(rows)
        return values[first : first + rows]
