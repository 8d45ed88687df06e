"""The samples of one evaluation on disk: append-only while it runs, resumable after a kill, sorted
when done.

``settings.json``   what was asked (model and its weights, data, generation ...); another question
                    in the same folder is refused
``samples.jsonl``   one line per sample; during the run in the order of the batches, at the end in
                    the order of the rows. Of several processes each has a file of its own
                    (``samples.part-1.jsonl`` …) until the end
``result.json``     written last: its presence means that the evaluation is complete

A batch counts as done when all of its samples are on disk. What a kill left of an unfinished batch
(part of its lines, or part of a line) is dropped and the whole batch is answered again: batches of
another make-up have another padding, hence other rounding, and could give other answers. So a
resumed evaluation equals an uninterrupted one, byte for byte.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from noisygrpo.errors import UserError, require
from noisygrpo.evaluation.files import read_lines, read_object, sample_problem
from noisygrpo.evaluation.processes import ALONE, Processes
from noisygrpo.writing import write_whole

Sample = dict[str, Any]

CONTENTS = (
    "settings.json",
    "samples.jsonl",
    "result.json",
    "judge.jsonl",
    "report.txt",
    "recipe.yaml",
)
"""Every file that an evaluation writes into its folder, parts apart."""
_PARTS = "samples.part-*.jsonl"
ESCAPED = "backslashreplace"
"""How text is written that UTF-8 has not: ``\\udc80``, which JSON reads as what it was."""


def write_atomic(path: Path, text: str) -> None:
    """`write_whole` of a text; what UTF-8 has not is written as ``ESCAPED`` says."""
    write_whole(path, text.encode("utf-8", errors=ESCAPED))


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """`write_atomic` of indented JSON; NaN is refused because it is not JSON."""
    write_atomic(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_samples(path: Path, also: tuple[str, ...] = ()) -> list[Sample]:
    """The samples of a jsonl file; a last line that a kill cut short is left out.

    ``also``: fields that every sample has to have, beside its id, cluster and verdict. Raises
    ``UserError`` with the line number where any other line is no sample, and where an id occurs
    twice (samples are found again, and paired with those of other runs, by it).
    """
    samples, problems = sound_samples(path, also)
    require(not problems, next(iter(problems), ""))
    return samples


def sound_samples(path: Path, also: tuple[str, ...] = ()) -> tuple[list[Sample], list[str]]:
    """The samples of a jsonl file that are such, and what is wrong with each of the others."""
    samples: list[Sample] = []
    problems: list[str] = []
    first: dict[str, int] = {}
    for number, sample in read_lines(path):
        problem = sample_problem(sample, also)
        if not problem:
            example_id = str(sample["example_id"])
            earlier = first.setdefault(example_id, number)
            if earlier != number:
                problem = f"example_id {example_id!r} is that of line {earlier} too"
        if problem:
            problems.append(f"{path}: line {number}: {problem}")
            continue
        named = {"example_id": example_id, "cluster": str(sample["cluster"])}
        samples.append({**sample, **named})
    return samples, problems


class SampleStore:
    """The folder of one evaluation; see the module docstring.

    ``processes``: those that answer it together; every one has a store, and calls `resume` and
    `finish`.
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, Any], processes: Processes = ALONE
    ) -> None:
        self._folder, self._all = folder, folder / "samples.jsonl"
        self._processes = processes
        part = folder / _PARTS.replace("*", str(processes.rank))
        self._path = self._all if processes.main else part
        self._samples: dict[str, Sample] = {}
        if processes.main:
            folder.mkdir(parents=True, exist_ok=True)
            self._claim(json.loads(json.dumps(settings)))

    def resume(self, batches: Iterable[Sequence[str]]) -> set[str]:
        """Ids of the samples that are done, given the ids of every batch; drops the rest of an
        unfinished batch.
        """
        if self._processes.main:
            self._keep(batches)
        self._processes.wait()
        done = {sample["example_id"] for sample in self._read(self._all)}
        self._processes.wait()  # nobody adds to the file before all have read it
        return done

    def _keep(self, batches: Iterable[Sequence[str]]) -> None:
        parts = self._parts()
        found = {s["example_id"]: s for path in (self._all, *parts) for s in self._read(path)}
        kept = [
            found[key] for batch in batches if all(key in found for key in batch) for key in batch
        ]
        self._samples = {sample["example_id"]: sample for sample in kept}
        if found or self._all.exists():
            write_atomic(self._all, _lines(kept))
        for path in parts:
            path.unlink()

    @staticmethod
    def _read(path: Path) -> list[Sample]:
        return read_samples(path) if path.exists() else []

    def _parts(self) -> list[Path]:
        return sorted(self._folder.glob(_PARTS))

    def append(self, batch: Sequence[Sample]) -> None:
        """Add the samples of one finished batch, and wait until they are on disk."""
        with self._path.open("a", encoding="utf-8", errors=ESCAPED) as file:
            file.write(_lines(batch))
            file.flush()
            os.fsync(file.fileno())
        self._samples.update({sample["example_id"]: sample for sample in batch})

    def samples(self) -> list[Sample]:
        """The samples so far, in the order in which their batches finished."""
        return list(self._samples.values())

    def gather(self) -> None:
        """Wait for all processes and take in what the others have answered."""
        self._processes.wait()
        if self._processes.main:
            for path in self._parts():
                self._samples.update({s["example_id"]: s for s in self._read(path)})

    def finish(self, samples: Sequence[Sample], result: Mapping[str, Any]) -> None:
        """Write all samples, in the order of the rows, and ``result.json``, last.

        A second judge's verdict in an earlier ``result.json`` stays: the samples are the same.
        """
        write_atomic(self._all, _lines(samples))
        for path in self._parts():
            path.unlink()
        path = self._folder / "result.json"
        earlier = read_object(path) if path.exists() else {}
        judge = {"judge": earlier["judge"]} if "judge" in earlier else {}
        write_json(path, {**result, **judge})

    def _claim(self, settings: Mapping[str, Any]) -> None:
        path = self._folder / "settings.json"
        if not has_answers(self._folder):
            write_json(path, settings)  # nothing was answered yet: nothing to mix up
            return
        require(path.exists(), f"{self._folder}: holds samples.jsonl of something else")
        for key, (was, now) in answered_otherwise(self._folder, settings).items():
            raise UserError(
                f"{self._folder}: holds an evaluation {_difference(key, was, now)}; choose another "
                "folder (--output-dir), or start anew with --overwrite"
            )


def has_answers(folder: Path) -> bool:
    """Tell whether an evaluation's folder holds any answer."""
    files = (folder / "samples.jsonl", *folder.glob(_PARTS))
    return any(file.exists() and file.stat().st_size for file in files)


def answered_otherwise(folder: Path, settings: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What the answers in a folder were asked otherwise: setting to its value then and now; {} for
    nothing, and where there are no answers.
    """
    path = folder / "settings.json"
    if not has_answers(folder) or not path.exists():
        return {}
    earlier, asked = read_object(path), json.loads(json.dumps(settings))
    found = {}
    for key in sorted({*earlier, *asked}):
        was, now = earlier.get(key), asked.get(key)
        # Older records have no hash of kinds and clusters, which stands behind a hyphen.
        older = key == "data" and str(now).startswith(f"{was}-")
        if was != now and not older:
            found[key] = (was, now)
    return found


def remove_evaluation(folder: Path) -> None:
    """Remove the files that an evaluation wrote into ``folder``, and nothing else; a folder without
    ``settings.json`` is left alone.
    """
    if (folder / "settings.json").is_file():
        for path in (*(folder / name for name in CONTENTS), *folder.glob(_PARTS)):
            path.unlink(missing_ok=True)


def refuse_leftovers(
    folder: Path, replaced: Iterable[str], weights: str | None, mine: Callable[[Any], bool]
) -> None:
    """See that ``--overwrite`` leaves nothing of other weights beside what it writes: the folders
    in ``folder`` would look like one measurement of one model.

    ``replaced``: their names that are written anew; ``mine``: whether settings are of the same kind
    of evaluation. Raises ``UserError`` naming the others.
    """
    others = []
    for path in sorted(folder.glob("*/settings.json")):
        settings = read_object(path)
        was = settings.get("weights")
        if path.parent.name not in replaced and mine(settings) and was not in (None, weights):
            others.append(path.parent.name)
    require(
        weights is None or not others,
        f"--overwrite: {folder} holds evaluations of other weights that this call would leave "
        f"there ({', '.join(others)}); remove them, or choose another folder (--output-dir)",
    )


def _difference(key: str, was: Any, now: Any) -> str:
    if key == "weights":
        return "of other weights (the model's files have changed since)"
    if key == "data":
        return "of other rows (their ids, prompts, answers, kinds, clusters or images differ)"
    if isinstance(was, dict) and isinstance(now, dict):
        changed = [name for name in sorted({*was, *now}) if was.get(name) != now.get(name)]
        return ", ".join(
            _difference(f"{key}.{name}", was.get(name), now.get(name)) for name in changed
        )
    return f"with {key} = {was!r}, asked is {now!r}"


def _lines(samples: Iterable[Sample]) -> str:
    return "".join(json.dumps(sample, ensure_ascii=False) + "\n" for sample in samples)
