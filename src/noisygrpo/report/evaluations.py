"""Evaluations in a report: every sample with its verdicts, by task and by model.

A *set* is one evaluation: a folder with ``samples.jsonl``. Sets of one task stand side by side,
sample by sample: before and after training, several runs, the levels of a robustness curve.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from noisygrpo.evaluation.comparable import missing_rows
from noisygrpo.evaluation.files import read_object
from noisygrpo.evaluation.pairs import PAIR, count_together
from noisygrpo.evaluation.samples import Sample, sound_samples
from noisygrpo.report.facts import Named
from noisygrpo.report.rollouts import cut, rounded
from noisygrpo.rewards.references import readable


@dataclass
class EvaluationSet:
    """One evaluation."""

    label: str  # of the run or folder
    moment: str  # "before", "after", "step 20"; "" outside of a training run
    step: int | None  # of training, where that is known
    task: str
    folder: Path
    result: dict[str, Any]
    settings: dict[str, Any]
    samples: list[Sample] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # lines that are left out, rows that lack
    rows: dict[str, Sample] = field(init=False)  # samples by the key of their row

    def __post_init__(self) -> None:
        self.rows = {str(sample["example_id"]): sample for sample in self.samples}

    @property
    def name(self) -> str:
        """What its column is called."""
        return f"{self.label} {self.moment}".strip()


def evaluation_sets(named: Named, last_step: int | None) -> list[EvaluationSet]:
    """The evaluations in a folder: those of a training run by moment and split, or all that are
    found, by the name that their settings have.
    """
    root = named.folder / "evaluation"
    found = []
    for path in sorted(named.folder.rglob("samples.jsonl")):
        folder = path.parent
        settings, result = _json(folder / "settings.json"), _json(folder / "result.json")
        if root in folder.parents and len(folder.relative_to(root).parts) >= 2:
            moment, *rest = folder.relative_to(root).parts
            step = {"before": 0, "after": last_step}.get(moment)
            if moment.startswith("step-") and moment[5:].isdigit():
                step, moment = int(moment[5:]), f"step {int(moment[5:])}"
            task = "/".join(rest)
        else:
            moment, step = _moment(named.folder, folder, settings), None
            task = str(settings.get("benchmark") or settings.get("name") or folder.name)
        samples, problems = sound_samples(path)
        missing = missing_rows(folder, len(samples) + len(problems))
        if "accuracy" not in result and any(sample.get(PAIR) for sample in samples):
            samples = count_together(samples)  # as `evaluate` does when it finishes
        found.append(
            EvaluationSet(
                named.label, moment, step, task, folder, result, settings, samples,
                problems + [missing] * bool(missing),
            )
        )  # fmt: skip
    _name_apart(named.folder, found)
    order = list(_json(named.folder / "summary.json"))

    def place(one: EvaluationSet) -> tuple[float, str, float]:
        known = order.index(one.task) if one.task in order else len(order)
        after = 10**12 if one.moment == "after" else 0
        return known, one.task, after + (one.step or 0)

    return sorted(found, key=place)


def _name_apart(root: Path, sets: Sequence[EvaluationSet]) -> None:
    """Name sets of one task, which would have columns of one name, by what their paths differ in:
    of two models in one folder ``a/test`` and ``b/test`` become ``a`` and ``b``.
    """
    alike: dict[tuple[str, str], list[EvaluationSet]] = {}
    for one in sets:
        alike.setdefault((one.task, one.moment), []).append(one)
    for several in alike.values():
        parts = [one.folder.relative_to(root).parts for one in several]
        while len(parts) > 1 and all(parts) and len({path[-1] for path in parts}) == 1:
            parts = [path[:-1] for path in parts]
        for one, path in zip(several, parts, strict=True):
            if len(several) > 1:
                one.moment = f"{one.moment} {'/'.join(path)}".strip()


def _moment(root: Path, folder: Path, settings: dict[str, Any]) -> str:
    """What tells sets of one task and folder apart: the view of a robustness curve."""
    if (root / "robustness.json").is_file() and folder != root:
        return folder.name
    return str(settings.get("moment") or "")


def task_names(sets: Sequence[EvaluationSet]) -> list[str]:
    """The tasks in the order of their first set."""
    return list(dict.fromkeys(one.task for one in sets))


def distinguish(task: str, sets: Sequence[EvaluationSet]) -> list[str]:
    """Give the samples of a task the keys of their rows: the id, and where one id means different
    rows in different sets the id with a number. Returns what is to be said of that.
    """
    known: dict[str, list[str]] = {}
    for one in sets:
        rows = {}
        for sample in one.samples:
            example = str(sample["example_id"])
            versions = known.setdefault(example, [])
            said = [sample.get("question") or _asked(sample), sample.get("answer")]
            content = json.dumps(said, default=str)
            versions += [content] * (content not in versions)
            number = versions.index(content)
            rows[example if number == 0 else f"{example} ({number + 1})"] = sample
        one.rows = rows
    several = [example for example, versions in known.items() if len(versions) > 1]
    if not several:
        return []
    return [
        f"{task}: {len(several)} ids mean different rows in different evaluations, which are shown "
        f"apart: {several[0]} and {several[0]} (2)"
    ]


def task_rows(sets: Sequence[EvaluationSet]) -> dict[str, Any]:
    """What the sets of a task share: ids, kinds, questions and answers, as columns."""
    rows: dict[str, Sample] = {}
    for one in sets:
        for key, sample in one.rows.items():
            rows.setdefault(key, sample)
    return {
        "ids": list(rows),
        "kind": [cut(row.get("kind"))[:100] for row in rows.values()],
        "question": [cut(row.get("question") or _asked(row)) for row in rows.values()],
        "answer": [cut(readable(row.get("answer")))[:2000] for row in rows.values()],
    }


def _asked(row: Sample) -> str:
    turns = row.get("prompt")
    last = turns[-1] if isinstance(turns, list) and turns else {}
    content = last.get("content") if isinstance(last, dict) else None
    if isinstance(content, list):
        return "\n".join(str(p.get("text") or "") for p in content if isinstance(p, dict))
    return str(content or "")


def verdicts(one: EvaluationSet, ids: Sequence[str]) -> dict[str, Any]:
    """Verdicts of a set as columns in the order of ``ids``; None where it has no such sample."""
    found = [one.rows.get(name) for name in ids]
    return {
        "score": [None if s is None else rounded(float(s.get("correct") or 0)) for s in found],
        "cut": [int(bool(s and s.get("truncated"))) for s in found],
        "none": [int(bool(s and s.get("extracted") in (None, ""))) for s in found],
        "failed": [int(bool(s and s.get("failure"))) for s in found],
        "tokens": [rounded(s.get("tokens")) if s else None for s in found],
    }


def answers(one: EvaluationSet, ids: Sequence[str]) -> dict[str, Any]:
    """Texts of a set as columns in the order of ``ids``."""
    found = [one.rows.get(name, {}) for name in ids]
    return {
        "output": [cut(s.get("output")) for s in found],
        "extracted": [cut(s.get("extracted"))[:2000] for s in found],
        "why": [cut(s.get("failure") or s.get("why"))[:2000] for s in found],
    }


def set_facts(one: EvaluationSet) -> dict[str, Any]:
    """A set in the page's index."""
    result = one.result
    if "accuracy" not in result:  # unfinished: what is there counts
        right = [float(sample["correct"]) for sample in one.samples]
        result = {"accuracy": sum(right) / len(right) if right else None, "n": len(right)}
    accuracy, stderr = result.get("accuracy"), result.get("stderr")
    return {
        "name": one.name,
        "run": one.label,
        "moment": one.moment,
        "step": one.step,
        "task": one.task,
        "accuracy": rounded(accuracy),
        "stderr": rounded(stderr),
        "n": result.get("n"),
        "finished": "accuracy" in one.result,
        "by_kind": {
            str(kind): [rounded(v.get("accuracy")), rounded(v.get("stderr")), v.get("n")]
            for kind, v in (result.get("by_kind") or {}).items()
        },
        "metrics": json.loads(json.dumps(result.get("metrics") or {}, default=str)),
    }


def differing_first(sets: Sequence[EvaluationSet], ids: Sequence[str]) -> list[str]:
    """The ids, those on which the sets differ first: their pictures matter most."""
    columns = [verdicts(one, ids)["score"] for one in sets]
    differ = [len({c[i] for c in columns if c[i] is not None}) > 1 for i in range(len(ids))]
    return [n for n, d in zip(ids, differ, strict=True) if d] + [
        n for n, d in zip(ids, differ, strict=True) if not d
    ]


def _json(path: Path) -> dict[str, Any]:
    return read_object(path) if path.is_file() else {}
