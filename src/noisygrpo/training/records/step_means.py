"""TRL's means over tokens, over a whole optimizer step instead of the mean of its parts' means.

TRL averages KL, entropy and clipped shares over the tokens of a micro-batch (of all processes), and
then the averages of the micro-batches with equal weight, so what it logs depends on how a step is
split: three short completions weigh as much as three long ones. Here each micro-batch counts by its
tokens,

    mean over the step = sum_m n_m mean_m / sum_m n_m,    n_m = tokens of micro-batch m,

which is the mean over all tokens of the step, however they were split; and the least and the
greatest are those of the whole step.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

TOKEN_MEANS = ("kl", "entropy", "clip_ratio/low_mean", "clip_ratio/high_mean",
               "clip_ratio/region_mean", "cispo_clip_ratio")  # fmt: skip
"""Metrics of TRL that are means over the tokens of a micro-batch."""

EXTREMES: dict[str, Callable[[list[float]], float]] = {
    "clip_ratio/low_min": min,
    "clip_ratio/high_max": max,
}
"""Metrics of TRL that are the least or greatest of a micro-batch's completions."""


class StepMeans:
    """Takes the metrics of micro-batches until the optimizer step is done."""

    def __init__(self, *, sequences: bool) -> None:
        """Begin with none.

        ``sequences``: clipping is decided by completion, not by token (``importance_sampling_level:
        sequence``), so its shares count completions, of which all micro-batches have as many.
        """
        self._sequences = sequences
        self._found: dict[str, list[float]] = {}
        self._tokens: list[Tensor] = []

    def take(self, metrics: dict[str, list[float]], batch: dict[str, Any]) -> None:
        """Take what TRL just added for a micro-batch out of its metrics.

        Args:
            metrics: TRL's, name to the values since the last log.
            batch: the micro-batch; ``completion_mask [B, T]``, and ``tool_mask`` if there is one.
        """
        for name in (*TOKEN_MEANS, *EXTREMES):
            if metrics.get(name):
                self._found.setdefault(name, []).append(metrics[name].pop())
        mask = batch["completion_mask"]
        self._tokens.append((mask * batch.get("tool_mask", 1)).sum().float())

    def flush(self, reduce: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """Return the metrics of the step and start anew; ``reduce`` sums over all processes."""
        if not self._tokens:
            return {}
        tokens = reduce(torch.stack(self._tokens)).tolist()
        found, self._found, self._tokens = self._found, {}, []
        metrics = {}
        for name, values in found.items():
            if (extreme := EXTREMES.get(name)) is not None:
                numbers = [value for value in values if value == value]  # a NaN is of no completion
                metrics[name] = extreme(numbers) if numbers else float("nan")
            else:
                by_row = self._sequences and "clip_ratio" in name
                metrics[name] = weighted_mean(values, [1.0] * len(values) if by_row else tokens)
        return metrics


def weighted_mean(values: list[float], weights: list[float]) -> float:
    """Return the mean of some numbers by their weights; of one number, that number."""
    total = sum(weights)
    if len(values) == 1 or total == 0:
        return values[0]
    return sum(v * w for v, w in zip(values, weights, strict=True)) / total
