"""A run's folder: who may use it, what is in it, and what is left of a run that never began."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noisygrpo.errors import RunStopped
from noisygrpo.evaluation.samples import write_atomic, write_json
from noisygrpo.models.processor_facts import FACTS_FILE
from noisygrpo.recipes.recipe import Recipe, dump_recipe
from noisygrpo.runs import functions
from noisygrpo.runs.environment import environment
from noisygrpo.runs.identity import CHANGES_FILE
from noisygrpo.runs.interrupt import NotFinished
from noisygrpo.runs.lock import LOCK_FILE, OWNER_FILE
from noisygrpo.runs.measured import AFTER, EVALUATION, has_measured
from noisygrpo.runs.watch import BEST
from noisygrpo.secrets import hidden_words
from noisygrpo.training.checkpoints import UNFINISHED
from noisygrpo.training.records.rollouts import METRICS_FILE, last_step
from noisygrpo.user_code import FOLDER

CHECKPOINT = "checkpoint"
RECIPE_FILE = "recipe.yaml"
ENVIRONMENT_FILE = "environment.json"

CONTENTS = {
    CHECKPOINT: "the trained model and its processor",
    BEST: "the best checkpoint by evaluation.best",
    "metrics.jsonl": "one line per step",
    "runs": "what tensorboard shows",
    "rollouts.jsonl": "every rollout: noise level, completion, rewards, advantage",
    "rollouts": "every rollout, one parquet file per step",
    "learning_curve.png": "rewards of the rollouts and measured accuracy over the steps",
    "report.html": "the page that `noisygrpo report` wrote",
    "report": "the same with every view, in a folder",
    "levels.json": "accuracy and reward by noise level, before training",
    "levels.png": "the same as a plot",
    EVALUATION: "every evaluated sample and its verdict",
    "summary.json": "the table above",
    RECIPE_FILE: "the recipe with all overrides; it trains as it is",
    FOLDER: "the files with your functions, called by their content",
    ENVIRONMENT_FILE: "versions, devices, arguments",
    FACTS_FILE: "which processor made tokens and pixels",
    CHANGES_FILE: "what a resumed run was told to do differently, and from which step on",
}


HIDDEN = (LOCK_FILE, OWNER_FILE)
"""Names in a folder that nobody has used yet."""

UNDER_WAY = (".tmp", ".old")
"""Endings of what is being written or replaced; a killed run leaves them."""


def is_run(folder: Path) -> bool:
    """Tell whether a folder is a run's, by the file that is the first to be written and goes last.

    A ``recipe.yaml`` makes none: people write such files, beside folders of their own.
    """
    return any((folder / f"{ENVIRONMENT_FILE}{end}").is_file() for end in ("", UNDER_WAY[0]))


def has_steps(folder: Path) -> bool:
    """Tell whether a run has something to lose: a step that was done, or a model."""
    if any(folder.glob(f"{CHECKPOINT}-*")) or any(
        (folder / n).exists() for n in (CHECKPOINT, BEST)
    ):
        return True
    metrics = folder / METRICS_FILE
    return (metrics.is_file() and metrics.stat().st_size > 0) or last_step(folder) > 1


def open_folder(folder: Path, recipe: Recipe, *, fresh: bool, done: bool = False) -> None:
    """Remove what an earlier run left, and write what this run is.

    Only what a run writes is removed. On a resume that is the evaluation after training, which
    belongs to other weights by the end of the run; where training is ``done``, to the same.
    """
    if fresh:
        # Written over: it stays a run's. What was measured is looked at (``measured.clear``).
        remove_contents(folder, but=(ENVIRONMENT_FILE, EVALUATION))
    elif not done and (folder / EVALUATION / AFTER).is_dir():
        shutil.rmtree(folder / EVALUATION / AFTER)
    write_first(folder, recipe)


def write_first(folder: Path, recipe: Recipe) -> None:
    """Write what says which run a folder is of, making the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    arguments = hidden_words(sys.argv[1:])
    write_json(folder / ENVIRONMENT_FILE, {**environment(), "arguments": arguments})
    write_atomic(folder / RECIPE_FILE, dump_recipe(recipe))
    functions.keep(recipe, folder)


def remove_contents(folder: Path, but: Sequence[str] = ()) -> None:
    """Remove what a run writes, and nothing else; the file by which it is known at last."""
    names = [name for name in CONTENTS if name not in (ENVIRONMENT_FILE, *but)]
    paths = list(folder.glob(f"{CHECKPOINT}-*"))
    paths += [folder / f"{name}{end}" for name in names for end in ("", *UNDER_WAY)]
    paths += [folder / UNFINISHED, folder / f"{ENVIRONMENT_FILE}{UNDER_WAY[0]}"]
    paths += [folder / ENVIRONMENT_FILE] if ENVIRONMENT_FILE not in but else []
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@dataclass
class Start:
    """How far a run has come before its first step."""

    trainer: Any = None
    opened: bool = False
    """Whether the folder holds what this run wrote, and no longer what was there."""


@contextmanager
def undone_without_a_step(folder: Path, active: bool) -> Iterator[Start]:
    """Where an error ends the run before a step is done, nothing of it stays in the folder.

    A run that had to stop says that its rollouts are there; the next start removes them. Where a
    signal asked it to, what was answered before training stays, and the next start goes on there.
    """
    there, start = folder.exists(), Start()
    try:
        yield start
    except RunStopped:
        raise
    except BaseException as error:
        steps = 0 if start.trainer is None else start.trainer.state.global_step
        asked = isinstance(error, (NotFinished, KeyboardInterrupt))
        goes_on = asked and start.opened and has_measured(folder)
        if active and steps == 0 and folder.is_dir() and not goes_on:
            if start.opened:
                remove_contents(folder)
            left = [path for path in folder.iterdir() if path.name not in HIDDEN]
            if not there and (start.opened or not left):
                shutil.rmtree(folder)
        raise
