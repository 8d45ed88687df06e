"""What a run is, so that a resumed one is the same: model and its weights, data, method, rewards,
training, and the files with the user's functions.

Every checkpoint holds it (``identity.json``). A resume with another seed, learning rate or data
would write its steps behind those of a different run; so it is refused, with the differences, and
goes on only where that is asked for (``--changed``), which the run's folder then records.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import datasets

from noisygrpo.errors import require
from noisygrpo.evaluation.files import read_object
from noisygrpo.evaluation.samples import write_json
from noisygrpo.own.choice import joined
from noisygrpo.recipes.recipe import Recipe
from noisygrpo.runs.functions import contents
from noisygrpo.secrets import without_keys
from noisygrpo.terminal import one_line, say
from noisygrpo.training.checkpoints import holds_the_model_alone, step_of
from noisygrpo.user_code import FOLDER as FUNCTIONS

IDENTITY_FILE = "identity.json"
WEIGHTS = "weights"
CHANGES_FILE = "changes.json"
"""What a resumed run was told to do differently, by the step from which on it did."""

FREE = (
    "output_dir", "logging_steps", "logging_strategy", "save_steps", "save_strategy", "report_to",
    "save_total_limit", "disable_tqdm", "dataloader_num_workers", "dataloader_pin_memory",
    "log_completions", "rollouts_format", "run_name", "hub_token", "push_to_hub",
    "save_only_model",
)  # fmt: skip
"""Fields of ``training`` that change nothing of what is learnt."""


def identity(recipe: Recipe, train: datasets.Dataset, weights: str) -> dict[str, Any]:
    """Return what the run is, as plain values.

    Args:
        recipe: as it is run, overrides included.
        train: the rows that are trained on.
        weights: fingerprint of the model that training starts from. The reference, and under LoRA
            the base, are read from there again when a run goes on.
    """
    sections = without_keys(asdict(recipe))
    training = {key: value for key, value in sections["training"].items() if key not in FREE}
    found = {name: sections[name] for name in ("model", "method", "data", "rewards")}
    found |= {"training": joined(training), FUNCTIONS: contents(recipe)}
    plain = {**found, "rows": fingerprint(train), WEIGHTS: weights}
    return dict(json.loads(json.dumps(plain, default=str)))


def fingerprint(rows: datasets.Dataset) -> str:
    """Return a hash of the rows in order: of every column's values, and of each picture the name of
    its file and, where the row holds it, its bytes. Files of pictures are not read.
    """
    digest = hashlib.blake2b(str(len(rows)).encode(), digest_size=16)
    for name in rows.column_names:  # as they are stored: nothing is decoded
        rows = rows.cast_column(name, _undecoded(rows.features[name]))
    for row in rows:
        digest.update(json.dumps(_told(row), default=str, sort_keys=True).encode())
    return digest.hexdigest()


def _undecoded(feature: Any) -> Any:
    if isinstance(feature, datasets.Image):
        return datasets.Image(decode=False)
    if isinstance(feature, datasets.List) and isinstance(feature.feature, datasets.Image):
        return datasets.List(datasets.Image(decode=False), length=feature.length)
    return feature


def _told(value: Any) -> Any:
    """A picture by its file's name and its bytes; what else a row holds as it is."""
    if isinstance(value, Mapping) and value.keys() == {"bytes", "path"}:
        name = Path(value["path"]).name if value["path"] else None
        held = value["bytes"]
        return [name, hashlib.blake2b(held, digest_size=16).hexdigest() if held else None]
    if isinstance(value, Mapping):
        return {key: _told(one) for key, one in value.items()}
    return [_told(one) for one in value] if isinstance(value, list) else value


def differences(
    before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = ""
) -> dict[str, list[Any]]:
    """Return dotted field to its value before and now, where they differ."""
    found: dict[str, list[Any]] = {}
    for key in [*before, *(key for key in now if key not in before)]:
        old, new = before.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found |= differences(old, new, f"{prefix}{key}.")
        elif old != new:
            found[prefix + key] = [old, new]
    return found


def changed_since(checkpoint: Path, now: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return what differs from the run that wrote a checkpoint; {} where it does not say."""
    path = checkpoint / IDENTITY_FILE
    if not path.is_file():
        return {}
    before = read_object(path)
    unasked = {FUNCTIONS, WEIGHTS} - before.keys()  # of an earlier version, which did not look
    return differences(before, {key: now[key] for key in now if key not in unasked})


def lines_of(changes: Mapping[str, list[Any]]) -> list[str]:
    """Return a line for each difference."""
    return [f"{field}: {old!r} -> {new!r}" for field, (old, new) in changes.items()]


def in_words(changes: Mapping[str, list[Any]]) -> str:
    """Return all differences as one line; "" for none."""
    return "; ".join(one_line(line)[:200] for line in lines_of(changes))


def record_changes(folder: Path, step: int, changes: Mapping[str, list[Any]]) -> None:
    """Add to the run's record from which step on what was different."""
    path = folder / CHANGES_FILE
    known = read_object(path).get("changes", []) if path.is_file() else []
    write_json(path, {"changes": [*known, {"after_step": step, "changed": dict(changes)}]})


def require_same(folder: Path, checkpoint: Path, whose: dict[str, Any], *, changed: bool) -> None:
    """See that a checkpoint is of the run that the recipe describes; what differs is recorded.

    Raises:
        UserError: it is of another, and nothing was said about that.
    """
    found = changed_since(checkpoint, whose)
    said = in_words(found)
    require(
        changed or not found,
        f"--resume: {checkpoint} was written by another run: {said}. Give what it was, or "
        "--changed to go on with what is new",
    )
    if found:
        record_changes(folder, step_of(checkpoint), found)
        say(f"goes on from {checkpoint.name} with what is new: {said}")


def require_state(folder: Path, checkpoint: Path, *, changed: bool) -> None:
    """See that a checkpoint holds what a run needs to go on; going on without it is recorded.

    Raises:
        UserError: it holds the model alone, and nothing was said about that.
    """
    if not holds_the_model_alone(checkpoint):
        return
    lost = "its optimizer and random numbers are not there (training.save_only_model)"
    require(
        changed,
        f"--resume: {checkpoint} holds the model alone: {lost}, so it would be another run. "
        "--changed goes on from its weights with a new optimizer, at its step of the schedule",
    )
    record_changes(folder, step_of(checkpoint), {"optimizer": ["that of the run", "a new one"]})
    say(f"goes on from {checkpoint.name} with a new optimizer: {lost}")
