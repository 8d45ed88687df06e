"""What is measured before and after training, and what of it counts when a command runs again.

An evaluation goes on where it was stopped (``evaluation.samples``), so its answers stay in the
folder: also where a signal or a kill ended the run before its first step, after which the same
command starts. They count if they are of the same model and were asked the same; what is not is
removed by a start, which has nothing else to lose.

A run that goes on has numbers before training, and may be told to measure otherwise now (other
rows, another temperature): two numbers of which the difference says nothing. That is refused, field
by field, and with ``--changed`` all of it is measured anew: the weights that training began with
are loaded first, whatever checkpoint it goes on from.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from noisygrpo.errors import UserError, require
from noisygrpo.evaluation.evaluate import evaluate_rows, question
from noisygrpo.evaluation.files import read_object
from noisygrpo.evaluation.generate import Generation
from noisygrpo.evaluation.rows import Rows
from noisygrpo.evaluation.samples import answered_otherwise, has_answers, write_json
from noisygrpo.recipes.recipe import EvaluationSpec
from noisygrpo.runs.identity import WEIGHTS, differences, in_words, record_changes
from noisygrpo.runs.prepare import Prepared
from noisygrpo.terminal import note, say
from noisygrpo.training.checkpoints import step_of
from noisygrpo.training.trainer import NoisyGRPOTrainer
from noisygrpo.yaml_text import read_yaml

EVALUATION, BEFORE, AFTER = "evaluation", "before", "after"

MODEL_FILE = "model.json"
"""In ``evaluation/``: which model was measured before training."""

ROWS_OF = "evaluation: rows of "

Changes = dict[str, list[Any]]


def generation_of(spec: EvaluationSpec) -> Generation:
    """How a recipe's evaluation answers."""
    return Generation(
        batch_size=spec.batch_size,
        max_new_tokens=spec.max_new_tokens,
        temperature=spec.temperature,
        text_bias_scale=spec.text_bias_scale,
    )


def evaluate(prepared: Prepared, trainer: NoisyGRPOTrainer, moment: str) -> dict[str, Path]:
    """Evaluate every split on the main process; returns split name to its folder of samples.

    A sharded model cannot generate on one process: its checkpoint is evaluated afterwards, with
    ``noisygrpo evaluate``.
    """
    spec, config = prepared.recipe.evaluation, prepared.config
    if spec is None or not trainer.accelerator.is_main_process:
        return {}
    if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        say("the model is sharded: evaluate its checkpoint with `noisygrpo evaluate`")
        return {}
    note(f"evaluation {moment} training")
    folders = {}
    for name, rows in prepared.splits.items():
        folders[name] = Path(str(config.output_dir)) / EVALUATION / moment / name
        evaluate_rows(
            trainer.accelerator.unwrap_model(trainer.model),
            trainer.processing_class,
            rows,
            folders[name],
            generation=generation_of(spec),
            name=name,
            settings=_settings(prepared, moment),
        )
    return folders


def _settings(prepared: Prepared, moment: str) -> dict[str, Any]:
    return {"model": prepared.recipe.model.path, "moment": moment}


def _asked(prepared: Prepared, name: str, moment: str) -> dict[str, Any]:
    """What `evaluate` will ask of a split."""
    spec = prepared.recipe.evaluation
    assert spec is not None  # there are splits
    rows = Rows(prepared.splits[name])
    settings = _settings(prepared, moment)
    return question(rows, generation_of(spec), name=name, settings=settings)


def _others(
    folder: Path, prepared: Prepared, moments: Sequence[str]
) -> Iterator[tuple[Path, Changes]]:
    """The measurements of splits that were asked something else, and what."""
    for moment in moments:
        for name, rows in prepared.splits.items():
            where = folder / EVALUATION / moment / name
            if not has_answers(where):
                continue
            changes = answered_otherwise(where, _asked(prepared, name, moment))
            if changes:
                yield where, _fields(changes, where, len(rows))


def _fields(changes: Mapping[str, Sequence[Any]], where: Path, count: int) -> Changes:
    """The recipe's fields of what an evaluation's settings differ in."""
    found: Changes = {}
    for key, (was, now) in changes.items():
        if key == "data":
            result = where / "result.json"
            was = read_object(result).get("n") if result.is_file() else None
            now = count if was not in (None, count) else f"other {count}"
            found[ROWS_OF + where.name] = [was, now]
        elif isinstance(was, Mapping) and isinstance(now, Mapping):
            found |= differences(was, now, f"{EVALUATION}.")
        else:
            found["model.path" if key == "model" else key] = [was, now]
    return found


def measured_otherwise(
    folder: Path, prepared: Prepared, checkpoint: Path | None, *, done: bool, changed: bool
) -> list[Path] | None:
    """Return the measurements that a run which goes on makes anew; what differs is recorded.

    Args:
        folder: of the run.
        prepared: the run's parts.
        checkpoint: that it goes on from; None: it starts, and has no such numbers.
        done: whether training is, so that the numbers after it stay too.
        changed: whether anything may differ.

    Raises:
        UserError: something differs, and nothing was said about that.
    """
    if checkpoint is None:
        return None
    moments = (BEFORE, AFTER) if done else (BEFORE,)
    found = list(_others(folder, prepared, moments))
    changes = {key: values for _, each in found for key, values in each.items()}
    rows = [key for key in changes if key.startswith(ROWS_OF)]
    if rows and (fields := _rows_before(folder, prepared)):
        changes = fields | {k: v for k, v in changes.items() if k not in rows}
    said = in_words(changes)
    require(
        changed or not found,
        f"--resume: {folder} was measured otherwise before training: {said}. Give what it was, or "
        "--changed to measure anew with what is new (the old samples are replaced)",
    )
    if found:
        step = prepared.batch.updates if done else step_of(checkpoint)
        record_changes(folder, step, changes)
        say(f"is measured anew with what is new: {said}")
    return [where for where, _ in found]


def _rows_before(folder: Path, prepared: Prepared) -> Changes:
    """The fields that choose rows, where the folder's recipe has others."""
    path, spec = folder / "recipe.yaml", prepared.recipe.evaluation
    try:
        before = read_yaml(path.read_text(encoding="utf-8"), str(path))[EVALUATION]
        was = {name: before[name] for name in ("source", "rows")}
    except (OSError, UserError, KeyError, TypeError):
        return {}
    return differences(was, {name: getattr(spec, name) for name in was}, f"{EVALUATION}.")


def clear(
    folder: Path,
    prepared: Prepared,
    whose: Mapping[str, Any],
    anew: Sequence[Path] | None,
    *,
    keep: bool,
) -> None:
    """Remove what was measured and is not to count.

    Args:
        folder: of the run.
        prepared: the run's parts.
        whose: the run's ``identity``.
        anew: what a run that goes on measures anew; None: it starts.
        keep: whether anything may stay where it starts.
    """
    where = folder / EVALUATION
    model = {name: whose[name] for name in ("model", WEIGHTS)}
    if anew is None and where.is_dir():
        told = where / MODEL_FILE
        same = keep and told.is_file() and read_object(told) == model
        anew = [*_left(folder, prepared)] if same else [path for path in where.iterdir()]
    for path in anew or ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    if prepared.splits:
        where.mkdir(parents=True, exist_ok=True)
        write_json(where / MODEL_FILE, model)
    elif where.is_dir() and not any(where.iterdir()):
        where.rmdir()


def _left(folder: Path, prepared: Prepared) -> Iterator[Path]:
    """What a start does not go on with, of a folder that is of the same model."""
    where = folder / EVALUATION
    yield from (path for path in where.iterdir() if path.name not in (BEFORE, MODEL_FILE))
    before = [*(where / BEFORE).iterdir()] if (where / BEFORE).is_dir() else []
    yield from (path for path in before if path.name not in prepared.splits)
    yield from (path for path, _ in _others(folder, prepared, (BEFORE,)))


def has_measured(folder: Path) -> bool:
    """Tell whether anything was answered before training."""
    return any(has_answers(path) for path in (folder / EVALUATION / BEFORE).glob("*"))
