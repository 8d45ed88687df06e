"""Compare runs on the same samples: paired differences, with an interval and a test, over seeds.

A run is a folder that holds evaluations (``samples.jsonl``), its own or in subfolders, one for
each task; in the folder of a training run those below ``evaluation/after`` count. Runs that differ
only in a seed (``grpo-seed0``, ``grpo-seed1``, or given as ``label=folder`` with the same label)
are one *method*; its score on a sample is the mean over its seeds. What has to be the same on all
sides, and what is said where it is not: `noisygrpo.evaluation.comparable`.

For each task and each method against the first one, the baseline:

- difference of mean scores on the same samples, positive if the method is better;
- confidence interval: percentile bootstrap that draws clusters, and seeds where a method has
  several. Two or three seeds say little about the variance between seeds; the interval then is a
  lower bound of the uncertainty;
- p-value as in `noisygrpo.evaluation.stats.paired_difference`, and after Holm's correction over all
  rows of the table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisygrpo.errors import UserError, require
from noisygrpo.evaluation.comparable import (
    Evaluation,
    differing_settings,
    other_weights,
    read_evaluation,
    refuse_other_rows,
)
from noisygrpo.evaluation.files import read_object
from noisygrpo.evaluation.run_names import labelled, methods_of, refuse_twice, shortest_names
from noisygrpo.evaluation.samples import Sample
from noisygrpo.evaluation.stats import accuracy_with_stderr, holm, paired_difference

_BLOCK = 500  # resamples at a time: bounds memory at 500 x clusters

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Method:
    """One method on one task: accuracy of each of its runs (seeds), and over all of them."""

    label: str
    runs: tuple[str, ...]
    accuracy: float
    stderr: float | None
    by_run: tuple[float, ...]
    n: int


@dataclass(frozen=True)
class Difference:
    """A method against the baseline on one task."""

    task: str
    baseline: str
    method: str
    difference: float
    low: float
    high: float
    p_value: float
    p_holm: float
    test: str
    n: int
    clusters: int
    confidence: float


@dataclass(frozen=True)
class Comparison:
    """Methods and differences by task."""

    tasks: Mapping[str, tuple[Method, ...]]
    differences: tuple[Difference, ...]
    left_out: tuple[str, ...] = ()
    """Tasks that some of the runs do not have."""
    notes: tuple[str, ...] = ()
    """In what evaluations differ that are compared nevertheless: view, prompt, decoding, weights of
    the tasks in one folder."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        tasks = {
            task: [asdict(method) for method in methods] for task, methods in self.tasks.items()
        }
        differences = [asdict(item) for item in self.differences]
        more = {"left_out": list(self.left_out), "notes": list(self.notes)}
        return {"tasks": tasks, "differences": differences, **more}


def compare_runs(
    paths: Sequence[str | Path],
    *,
    resamples: int = 10_000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Comparison:
    """Compare two or more runs; the first one's method is the baseline.

    ``paths``: folders, each also as ``label=folder``. Raises ``UserError`` where there is only one
    method, where no task is common to all runs, or where a task was not evaluated on the same
    samples everywhere.
    """
    methods = group_by_method(paths)
    require(
        len(methods) >= 2,
        f"compare: one method ({', '.join(methods)}), at least two are needed; runs whose names "
        "differ only in a seed are one method, label=folder names them apart",
    )
    found = {
        label: [find_tasks(folder) for folder in folders] for label, folders in methods.items()
    }
    tasks, left_out = _common_tasks([runs for folders in found.values() for runs in folders])
    notes = _notes_of_folders(methods, found)
    table: dict[str, tuple[Method, ...]] = {}
    differences: list[Difference] = []
    for task in tasks:
        runs = _same_rows(task, found)
        notes += differing_settings(task, runs)
        samples = {label: [one.samples for one in several] for label, several in runs.items()}
        table[task] = tuple(_method(label, methods[label], samples[label]) for label in runs)
        baseline, *others = runs
        differences += [
            _difference(task, baseline, other, samples, resamples, seed, confidence)
            for other in others
        ]
    return Comparison(table, tuple(_with_holm(differences)), tuple(left_out), tuple(notes))


def _notes_of_folders(
    methods: Mapping[str, Sequence[Path]], found: Mapping[str, Sequence[Mapping[str, Path]]]
) -> list[str]:
    return [
        line
        for label, folders in methods.items()
        for folder, run in zip(folders, found[label], strict=True)
        for line in other_weights(label, folder, run)
    ]


def group_by_method(paths: Sequence[str | Path]) -> dict[str, list[Path]]:
    """Folders by method label, in order of first appearance.

    Raises ``UserError`` for what is no folder, and for a folder that is given twice.
    """
    given = [labelled(str(path)) for path in paths]
    for _, folder in given:
        require(folder.is_dir(), f"compare: {folder} is not a folder")
    refuse_twice([folder for _, folder in given], "compare")
    plain = [folder for label, folder in given if not label]
    own = dict(zip(plain, methods_of(plain), strict=True))
    distinct = list(dict.fromkeys(own.values()))
    taken = [label for label, _ in given if label]
    names = dict(zip(distinct, shortest_names(distinct, taken), strict=True))
    methods: dict[str, list[Path]] = {}
    for label, folder in given:
        methods.setdefault(label or names[own[folder]], []).append(folder)
    return methods


def find_tasks(folder: Path) -> dict[str, Path]:
    """Task name -> ``samples.jsonl`` of the evaluations in a run's folder.

    Raises ``UserError`` where there is none, or one that is not finished.
    """
    for root in (folder / "evaluation" / "after", folder):
        if (root / "samples.jsonl").is_file():
            return {_task_name(root): _finished(root / "samples.jsonl")}
        found = sorted(root.rglob("samples.jsonl"))
        if found:
            return {str(path.parent.relative_to(root)): _finished(path) for path in found}
    raise UserError(f"compare: {folder} holds no evaluation (no samples.jsonl in it)")


def _finished(samples: Path) -> Path:
    require(
        samples.with_name("result.json").is_file(),
        f"compare: the evaluation in {samples.parent} is unfinished (no result.json); run it again",
    )
    return samples


def _task_name(folder: Path) -> str:
    """The name in an evaluation's settings: runs in folders of any name can meet by it."""
    path = folder / "settings.json"
    name = read_object(path).get("name") if path.is_file() else None
    return str(name or folder.name)


def _common_tasks(runs: Sequence[Mapping[str, Path]]) -> tuple[list[str], list[str]]:
    """The tasks of all runs, and those of some."""
    common = [task for task in runs[0] if all(task in run for run in runs)]
    every = sorted({task for run in runs for task in run})
    require(bool(common), f"compare: no task is common to all runs; there are {', '.join(every)}")
    return common, [task for task in every if task not in common]


def _same_rows(
    task: str, found: Mapping[str, Sequence[Mapping[str, Path]]]
) -> dict[str, list[Evaluation]]:
    """The evaluations of a task by method, of the same rows all of them."""
    runs = {
        label: [read_evaluation(run[task].parent) for run in several]
        for label, several in found.items()
    }
    refuse_other_rows(task, runs)
    return runs


def _scores(several: Sequence[Sequence[Sample]]) -> Scores:
    """``[runs, samples]``, samples in the order of their ids."""
    rows = [sorted(samples, key=lambda s: str(s["example_id"])) for samples in several]
    return np.array([[float(sample["correct"]) for sample in row] for row in rows])


def _clusters(samples: Sequence[Sample]) -> list[str]:
    return [s["cluster"] for s in sorted(samples, key=lambda s: str(s["example_id"]))]


def _method(label: str, folders: Sequence[Path], several: Sequence[Sequence[Sample]]) -> Method:
    scores = _scores(several)
    result = accuracy_with_stderr(scores.mean(axis=0).tolist(), _clusters(several[0]))
    by_run = tuple(float(accuracy) for accuracy in scores.mean(axis=1))
    # Two sources of error, and the larger one is shown: which samples were drawn, and which seeds.
    between = float(np.std(by_run, ddof=1)) / len(by_run) ** 0.5 if len(by_run) > 1 else 0.0
    stderr = max(between, result.stderr) if result.clusters > 1 else None
    return Method(label, tuple(map(str, folders)), result.accuracy, stderr, by_run, result.n)


def _difference(
    task: str,
    baseline: str,
    other: str,
    runs: Mapping[str, Sequence[Sequence[Sample]]],
    resamples: int,
    seed: int,
    confidence: float,
) -> Difference:
    a, b, clusters = _scores(runs[baseline]), _scores(runs[other]), _clusters(runs[baseline][0])
    paired = paired_difference(
        a.mean(axis=0), b.mean(axis=0), clusters,
        resamples=resamples, seed=seed, confidence=confidence,
    )  # fmt: skip
    low, high = paired.low, paired.high
    if len(a) > 1 or len(b) > 1:
        low, high = _seeded_interval(a, b, clusters, resamples, seed, confidence)
    return Difference(
        task, baseline, other, paired.difference, low, high, paired.p_value, paired.p_value,
        paired.test, paired.n, paired.clusters, confidence,
    )  # fmt: skip


def _seeded_interval(
    a: Scores, b: Scores, clusters: Sequence[str], resamples: int, seed: int, confidence: float
) -> tuple[float, float]:
    """Percentile bootstrap over clusters and, independently on both sides, over runs."""
    order = {label: index for index, label in enumerate(dict.fromkeys(clusters))}
    member = np.zeros((len(clusters), len(order)))
    member[np.arange(len(clusters)), [order[label] for label in clusters]] = 1.0
    sums, sizes = [scores @ member for scores in (a, b)], member.sum(axis=0)
    generator, values = np.random.default_rng([seed, 3]), []
    for start in range(0, resamples, _BLOCK):
        size = min(_BLOCK, resamples - start)
        drawn = generator.multinomial(len(order), np.full(len(order), 1 / len(order)), size)
        weights = [
            generator.multinomial(len(side), np.full(len(side), 1 / len(side)), size) / len(side)
            for side in sums
        ]
        means = [(drawn @ s.T * w).sum(axis=1) for s, w in zip(sums, weights, strict=True)]
        values.append((means[1] - means[0]) / (drawn @ sizes))
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.concatenate(values), [tail, 1 - tail])
    return float(low), float(high)


def _with_holm(differences: Sequence[Difference]) -> list[Difference]:
    corrected = holm([item.p_value for item in differences])
    return [
        Difference(**{**asdict(item), "p_holm": p})
        for item, p in zip(differences, corrected, strict=True)
    ]
