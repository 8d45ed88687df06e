"""Whether evaluations can be compared sample by sample, and what else differs between them.

Other rows are refused: questions, answers, clusters or pairs that differ under the same ids, and
pictures, of which ``settings.json`` has a fingerprint. Other views, prompts and decoding are what
someone may want to compare, or a mistake: they are named.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noisygrpo.errors import require
from noisygrpo.evaluation.files import read_object
from noisygrpo.evaluation.samples import Sample, read_samples

Settings = Mapping[str, Any]

_SAME = {"answer": "answers", "question": "questions", "kind": "kinds", "pair": "pairs",
         "cluster": "clusters"}  # fmt: skip
"""Fields of a sample that a comparison takes for equal, and what they are called."""

_OF_THE_RUN = ("model", "revision", "weights", "name", "moment", "data", "step")
"""Settings in which runs differ because they are other runs."""

_DEFAULTS = {"generation.repetition_penalty": 1.0}
"""Settings that are recorded only where they are not these."""


@dataclass(frozen=True)
class Evaluation:
    """A finished evaluation."""

    folder: Path
    settings: Settings
    samples: Sequence[Sample]

    @property
    def prompted(self) -> list[Any]:
        """What was asked, in the words and turns of the prompt."""
        return [sample.get("prompt") for sample in _in_order(self.samples)]


def read_evaluation(folder: Path) -> Evaluation:
    """A finished evaluation. Raises ``UserError`` where files are damaged or lines are missing."""
    path = folder / "settings.json"
    samples = read_samples(folder / "samples.jsonl", ("answer",))
    problem = missing_rows(folder, len(samples))
    require(not problem, f"compare: {problem}")
    return Evaluation(folder, read_object(path) if path.is_file() else {}, samples)


def missing_rows(folder: Path, found: int) -> str:
    """What is to be said where a finished evaluation has not the rows that its result counted."""
    path = folder / "result.json"
    n = read_object(path).get("n") if path.is_file() else None
    if n is None or n == found:
        return ""
    return f"{folder / 'samples.jsonl'} has {found} samples, n of result.json is {n}"


def refuse_other_rows(task: str, runs: Mapping[str, Sequence[Evaluation]]) -> None:
    """See that all evaluations of a task are of the same rows.

    Raises ``UserError`` naming the run, what differs and a row.
    """
    first = next(iter(runs.values()))[0]
    for label, several in runs.items():
        for one in several:
            where = f"compare: {task}: {label} ({one.folder})"
            _require_same_ids(where, one, first)
            for field, name in _SAME.items():
                _require_same(where, field, name, one, first)
            _require_same_pictures(where, one, first)


def _require_same_ids(where: str, one: Evaluation, first: Evaluation) -> None:
    mine, others = ({s["example_id"] for s in each.samples} for each in (one, first))
    different = sorted(mine ^ others)
    require(
        not different,
        f"{where} was not evaluated on the same samples as {first.folder} "
        f"({len(different)} differ, e.g. {different[:1]}); same --rows, data and split?",
    )


def _require_same(where: str, field: str, name: str, one: Evaluation, first: Evaluation) -> None:
    pairs = zip(_in_order(one.samples), _in_order(first.samples), strict=True)
    different = [
        (mine["example_id"], mine.get(field), other.get(field))
        for mine, other in pairs
        if _text(mine.get(field)) != _text(other.get(field))
    ]
    example, mine, other = (different or [("", "", "")])[0]
    verdicts = "; one side counts pairs, the other rows" if field == "pair" else ""
    require(
        not different,
        f"{where} was not evaluated on the same samples as {first.folder}: the {name} of "
        f"{len(different)} rows differ, e.g. of {example!r}: {mine!r:.80} and {other!r:.80}"
        f"{verdicts}",
    )


def _require_same_pictures(where: str, one: Evaluation, first: Evaluation) -> None:
    """See that fingerprints, which have the prompts and the sizes of pictures too, are equal where
    prompts are; of other prompts nothing more is known than that the questions are the same.
    """
    mine, other = (rows_fingerprint(each.settings) for each in (one, first))
    if mine == other or not mine or not other:
        return
    require(
        one.prompted != first.prompted,
        f"{where} was not evaluated on the same samples as {first.folder}: the fingerprints of "
        f"their rows (data in settings.json) differ, {mine} and {other}; their pictures are others",
    )
    asked = all(sample.get("question") for sample in one.samples)
    chosen = any(one.settings.get(n) != first.settings.get(n) for n in ("prompt", "system"))
    require(
        asked or chosen,
        f"{where} was not evaluated on the same samples as {first.folder}: their prompts differ, "
        "and no question says that the same is asked",
    )


def rows_fingerprint(settings: Settings) -> str:
    """The fingerprint of ids, prompts, answers and pictures (`Rows.fingerprint`), "" without it."""
    return str(settings.get("data") or "").partition("-")[0]


def differing_settings(task: str, runs: Mapping[str, Sequence[Evaluation]]) -> list[str]:
    """One line that names the settings in which the evaluations of a task differ; [] for none."""
    flat = {label: [dict(_flat(_shown(one))) for one in several] for label, several in runs.items()}
    every = [one for several in flat.values() for one in several]
    names = sorted({name for one in every for name in one})
    parts = []
    for name in names:
        values = {
            label: list(dict.fromkeys(_text(one.get(name)) for one in several))
            for label, several in flat.items()
        }
        if len({value for several in values.values() for value in several}) > 1:
            said = ", ".join(f"{' and '.join(found)} ({label})" for label, found in values.items())
            parts.append(f"{name}: {said}")
    first = next(iter(runs.values()))[0].prompted
    others = [one for several in runs.values() for one in several if one.prompted != first]
    if others and not {"prompt", "system"} & {part.partition(":")[0] for part in parts}:
        parts.append(f"prompt: the words of {others[0].folder} are others")
    return [f"{task}: settings differ: {'; '.join(parts)}"] if parts else []


def other_weights(label: str, folder: Path, tasks: Mapping[str, Path]) -> list[str]:
    """One line where the evaluations in a run's folder are not of the same weights."""
    found: dict[str, list[str]] = {}
    for task, samples in tasks.items():
        path = samples.with_name("settings.json")
        weights = read_object(path).get("weights") if path.is_file() else None
        if weights:
            found.setdefault(str(weights), []).append(task)
    if len(found) < 2:
        return []
    said = "; ".join(f"{', '.join(names)}: {weights}" for weights, names in found.items())
    return [f"{label} ({folder}): its tasks are of different weights: {said}"]


def _shown(one: Evaluation) -> dict[str, Any]:
    """The settings that say how rows were shown and answered, without what has no effect."""
    settings = {key: value for key, value in one.settings.items() if key not in _OF_THE_RUN}
    view = settings.pop("view", None) or {}
    if view.get("text_only"):
        settings["view"] = {"text_only": True}
    elif view.get("level"):
        settings["view"] = {key: value for key, value in view.items() if value}
    generation = settings.get("generation")
    if isinstance(generation, dict):  # another draw is another seed, as of runs
        settings["generation"] = {k: v for k, v in generation.items() if k != "seed"}
    return settings


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        name = f"{prefix}{key}"
        if isinstance(item, Mapping):
            yield from _flat(item, f"{name}.")
        elif item not in (None, "", _DEFAULTS.get(name)):
            yield name, item


def _text(value: Any) -> str:
    """A value to compare and to show: a field that is not there is as one that says nothing."""
    return "none" if value in (None, "") else json.dumps(value, sort_keys=True, default=str)


def _in_order(samples: Sequence[Sample]) -> list[Sample]:
    return sorted(samples, key=lambda sample: str(sample["example_id"]))
