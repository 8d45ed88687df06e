"""A run's folder: who may use it, what is in it, and what is left of a run that never began."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noisygrpo.errors import require
from noisygrpo.evaluation.samples import write_atomic, write_json
from noisygrpo.models.processor_facts import FACTS_FILE
from noisygrpo.recipes.recipe import Recipe, dump_recipe
from noisygrpo.runs import functions
from noisygrpo.runs.environment import environment
from noisygrpo.runs.identity import CHANGES_FILE
from noisygrpo.runs.lock import LOCK_FILE, OWNER_FILE
from noisygrpo.runs.watch import BEST
from noisygrpo.terminal import say
from noisygrpo.training.checkpoints import newest

RECIPE_FILE = "recipe.yaml"
ENVIRONMENT_FILE = "environment.json"

CONTENTS = {
    "checkpoint": "the trained model and its processor",
    BEST: "the best checkpoint by evaluation.best",
    "metrics.jsonl": "one line per step",
    "runs": "what tensorboard shows",
    "rollouts.jsonl": "every rollout: noise level, completion, rewards, advantage",
    "rollouts": "every rollout, one parquet file per step",
    "learning_curve.png": "reward and accuracy over the steps",
    "levels.json": "accuracy and reward by noise level, before training",
    "levels.png": "the same as a plot",
    "evaluation": "every evaluated sample and its verdict",
    "summary.json": "the table above",
    RECIPE_FILE: "the recipe with all overrides; it trains as it is",
    functions.FOLDER: "the files with your functions, called by their content",
    ENVIRONMENT_FILE: "versions, devices, arguments",
    FACTS_FILE: "which processor made tokens and pixels",
    CHANGES_FILE: "what a resumed run was told to do differently, and from which step on",
}


HIDDEN = (LOCK_FILE, OWNER_FILE)
"""Names in a folder that nobody has used yet."""


def claim_folder(folder: Path, *, overwrite: bool, resume: bool) -> Path | None:
    """See that the folder may be used; returns the checkpoint to go on from, when resuming.

    Raises:
        UserError: it holds a run and nothing was said about that, or something that is no run, or
            nothing to resume from.
    """
    require(not (overwrite and resume), "--overwrite and --resume exclude each other")
    holds = folder.is_dir() and any(path.name not in HIDDEN for path in folder.iterdir())
    ours = (folder / RECIPE_FILE).is_file()
    if resume:
        found, skipped = newest(folder) if holds else (None, [])
        for line in skipped:
            say(line, error=True)
        require(
            found is not None, f"--resume: {folder} holds no whole checkpoint-* to continue from"
        )
        return found
    require(
        not holds or (overwrite and ours),
        f"--output-dir: {folder} is not empty; "
        + (
            "it holds an earlier run: choose another folder, or give --overwrite or --resume"
            if ours
            else f"it holds no {RECIPE_FILE}, so no run, and is left alone: choose another folder"
        ),
    )
    return None


def open_folder(folder: Path, recipe: Recipe, *, fresh: bool, done: bool = False) -> None:
    """Remove what an earlier run left, and write what this run is.

    Only what a run writes is removed. On a resume that is the evaluation after training, which
    belongs to other weights by the end of the run; where training is ``done``, to the same.
    """
    if fresh:
        remove_contents(folder)
    elif not done and (folder / "evaluation" / "after").is_dir():
        shutil.rmtree(folder / "evaluation" / "after")
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / RECIPE_FILE, dump_recipe(recipe))
    functions.keep(recipe, folder)
    write_json(folder / ENVIRONMENT_FILE, {**environment(), "arguments": sys.argv[1:]})


def remove_contents(folder: Path) -> None:
    """Remove what a run writes, and nothing else."""
    for path in [folder / name for name in CONTENTS] + list(folder.glob("checkpoint-*")):
        if path.is_dir():
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
    """Where an error ends the run before a step is done, nothing of it stays in the folder."""
    there, start = folder.exists(), Start()
    try:
        yield start
    except BaseException:
        steps = 0 if start.trainer is None else start.trainer.state.global_step
        if active and steps == 0 and folder.is_dir():
            if start.opened:
                remove_contents(folder)
            left = [path for path in folder.iterdir() if path.name not in HIDDEN]
            if not there and (start.opened or not left):
                shutil.rmtree(folder)
        raise
