"""Rows that count together: each is right only if all evaluated rows of its pair are.

Two pictures that differ in one thing, and the same question: who guesses, or looks at one of them
only, is right on one. The column ``pair`` names them (text; empty or null: the row stands alone);
any number of rows may share a name, and they are one cluster of the standard error. A sample of
such a row has ``pair`` and ``correct_alone``, its own verdict; ``correct`` is the pair's, so
accuracy, comparison and tables need to know nothing of pairs.

Benchmarks whose official number is of rows and which report pairs beside it (HallusionBench, NLVR)
use ``metrics.all_correct_share``, which rests on the same function here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from noisygrpo.errors import require
from noisygrpo.evaluation.samples import Sample

PAIR = "pair"
ALONE = "correct_alone"


def pair_of(row: Mapping[str, Any]) -> str:
    """The name of a row's pair, "" without one.

    Raises ``UserError`` for a value that is no text.
    """
    value = row.get(PAIR)
    named = value is None or isinstance(value, str)
    where = f"evaluation: row {row.get('example_id')}"
    require(named, f"{where}: pair is {value!r:.80}; allowed is text, or null for a row alone")
    return (value or "").strip()


def of_sample(row: Mapping[str, Any], correct: bool) -> dict[str, Any]:
    """What a sample says of its row's pair; nothing of a row that stands alone."""
    pair = pair_of(row)
    return {PAIR: pair, ALONE: correct} if pair else {}


def cluster_of(row: Mapping[str, Any]) -> str:
    """The row's cluster; its pair where the data names no cluster, else the row itself."""
    example_id = str(row["example_id"])
    value = row.get("cluster")  # 0 names a cluster, as any number does
    cluster = example_id if value is None or value == "" else str(value)
    return (pair_of(row) or cluster) if cluster == example_id else cluster


def require_one_cluster(rows: Sequence[Mapping[str, Any]]) -> None:
    """See that no pair is torn apart by clusters, whose rows are taken for independent.

    Raises ``UserError`` naming the pair and both clusters.
    """
    found: dict[str, str] = {}
    for row in rows:
        pair, cluster = pair_of(row), cluster_of(row)
        if pair and (first := found.setdefault(pair, cluster)) != cluster:
            require(
                False,
                f"evaluation: row {row['example_id']}: pair {pair!r} lies in the clusters "
                f"{first!r} and {cluster!r}; the rows of a pair belong in one cluster",
            )


def all_right(verdicts: Sequence[bool], names: Sequence[Any]) -> dict[Any, bool]:
    """Whether every verdict of a name is right; names in order of first appearance."""
    found: dict[Any, bool] = {}
    for verdict, name in zip(verdicts, names, strict=True):
        found[name] = found.get(name, True) and bool(verdict)
    return found


def together(verdicts: Sequence[bool], samples: Sequence[Sample]) -> list[bool]:
    """Verdicts on samples, in which those of a pair count together."""
    paired = [sample.get(PAIR, "") for sample in samples]
    whole = all_right(verdicts, paired)
    return [whole[name] if name else bool(own) for own, name in zip(verdicts, paired, strict=True)]


def alone(sample: Sample) -> bool:
    """A sample's own verdict, whatever became of the others of its pair."""
    return bool(sample.get(ALONE, sample["correct"]))


def count_together(samples: Sequence[Sample]) -> list[Sample]:
    """The samples with ``correct`` as it counts; doing it twice changes nothing."""
    counted = together([alone(sample) for sample in samples], samples)
    return [
        {**sample, "correct": verdict} for sample, verdict in zip(samples, counted, strict=True)
    ]


def pairs_summary(samples: Sequence[Sample]) -> dict[str, Any] | None:
    """Of the rows in pairs: how many pairs, those with one evaluated row (which then counts by
    itself), the share of right pairs and of rows that are right alone; None without pairs.
    """
    paired = [sample for sample in samples if sample.get(PAIR)]
    if not paired:
        return None
    names = [sample[PAIR] for sample in paired]
    whole = all_right([alone(sample) for sample in paired], names)
    return {
        "pairs": len(whole),
        "rows": len(paired),
        "single": sum(names.count(name) == 1 for name in whole),
        "right": sum(whole.values()) / len(whole),
        "right_alone": sum(map(alone, paired)) / len(paired),
    }
