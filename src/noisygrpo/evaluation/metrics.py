"""What the benchmarks' metrics are made of, as functions of judged samples.

A sample is a line of ``samples.jsonl``: ``correct`` (bool), ``extracted`` (str or None),
``output`` (str), ``kind``, ``cluster`` and ``meta`` (what the benchmark's file kept of the row).
Shares are in [0, 1], never rounded: an official script that rounds before it combines can differ
from us in the last printed digit. Each benchmark's own metrics stand in its file.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

from noisygrpo.evaluation.pairs import all_right, alone
from noisygrpo.evaluation.samples import Sample
from noisygrpo.evaluation.stats import accuracy_with_stderr

Key = Callable[[Sample], Hashable]


def share(flags: Iterable[bool]) -> float | None:
    """The share of true values; ``None`` of nothing."""
    values = list(flags)
    return sum(values) / len(values) if values else None


def grouped(samples: Sequence[Sample], key: Key) -> dict[Any, list[Sample]]:
    """Samples by ``key``, groups in order of first appearance."""
    groups: dict[Any, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[key(sample)].append(sample)
    return dict(groups)


def accuracy_by(samples: Sequence[Sample], key: Key) -> dict[str, dict[str, Any]]:
    """Accuracy, standard error and n of each group, in alphabetical order."""
    groups = grouped(samples, key)
    return {
        str(name): accuracy_with_stderr(
            [s["correct"] for s in groups[name]], [s["cluster"] for s in groups[name]]
        ).to_dict()
        for name in sorted(groups, key=str)
    }


def all_correct_share(samples: Sequence[Sample], key: Key) -> float | None:
    """The share of groups of which every sample is right."""
    return share(all_right([alone(s) for s in samples], [key(s) for s in samples]).values())
