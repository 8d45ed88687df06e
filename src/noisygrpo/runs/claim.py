"""Whether a run starts or goes on, by what its folder holds.

=======================================  ==============  ==============  =================
the folder holds                         plain           ``--resume``    ``--auto-resume``
=======================================  ==============  ==============  =================
nothing, or a run without a step         starts          refused         starts
a run with steps and no checkpoint       refused         refused         starts again
a whole checkpoint                       refused         goes on         goes on
only checkpoints that are damaged        refused         refused         refused
what is no run                           refused         refused         refused
=======================================  ==============  ==============  =================

A run that is done goes on too: what is missing after training (the evaluation, say) is made up for,
and nothing is trained.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from noisygrpo.errors import UserError, require
from noisygrpo.models.sealed import MANIFEST, damage
from noisygrpo.runs.folder import CHECKPOINT, HIDDEN, has_steps, is_run
from noisygrpo.runs.identity import (
    IDENTITY_FILE,
    changed_since,
    in_words,
    require_same,
    require_state,
)
from noisygrpo.terminal import say
from noisygrpo.training.checkpoints import UNFINISHED, newest, step_of

Resume = bool | Literal["auto"]
"""Go on from the newest whole checkpoint; ``auto``: or start where there is none yet."""


@dataclass(frozen=True)
class Claim:
    """What a run may go on from; neither: it starts."""

    checkpoint: Path | None = None
    """The newest whole ``checkpoint-N``."""
    final: Path | None = None
    """The whole ``checkpoint`` of a run that was trained to its end."""

    @property
    def goes_on(self) -> bool:
        """Whether there is anything."""
        return self.checkpoint is not None or self.final is not None


def claim_folder(folder: Path, *, overwrite: bool, resume: Resume) -> Claim:
    """See that the folder may be used, and what to go on from, if anything.

    Raises:
        UserError: it holds a run and nothing was said about that, or something that is no run, or
            nothing to resume from.
    """
    option = "--auto-resume" if resume == "auto" else "--resume"
    require(not (overwrite and resume), f"--overwrite and {option} exclude each other")
    holds = folder.is_dir() and any(path.name not in HIDDEN for path in folder.iterdir())
    if resume and holds:
        claim = _found(folder, option)
        if claim.goes_on:
            # What a kill left half-written: a run that is done saves no more and would keep it.
            shutil.rmtree(folder / UNFINISHED, ignore_errors=True)
            return claim
    require(resume is not True, f"--resume: {folder} holds no whole checkpoint-* to continue from")
    ours = is_run(folder)
    if resume == "auto" and holds and ours:
        say(f"{folder} holds no checkpoint yet: the run starts again", error=True)
    free = not holds or (ours and (overwrite or resume == "auto" or not has_steps(folder)))
    require(
        free,
        f"--output-dir: {folder} is not empty; "
        + (
            "it holds an earlier run: choose another folder, or give --overwrite or --resume"
            if ours
            else "it holds no environment.json, so no run, and is left alone: choose another folder"
        ),
    )
    return Claim()


def _found(folder: Path, option: str) -> Claim:
    """What can be gone on from; damaged checkpoints without a whole one are for a human."""
    checkpoint, skipped = newest(folder)
    for line in skipped:
        say(line, error=True)
    final = folder / CHECKPOINT
    # With --resume the user has decided that there is something to train, if that is possible.
    asked = checkpoint is None or option != "--resume"
    whole = asked and (final / MANIFEST).is_file() and damage(final) is None
    claim = Claim(checkpoint, final if whole else None)
    require(
        claim.goes_on or not skipped or option == "--resume",
        f"{option}: {folder} holds no whole checkpoint-* to continue from, only damaged ones; "
        "--overwrite starts again",
    )
    return claim


def going_on(
    folder: Path, claim: Claim, whose: dict[str, Any], updates: int, *, changed: bool
) -> Path | None:
    """Return the checkpoint to go on from; None to start.

    Args:
        folder: of the run.
        claim: what it holds.
        whose: the run's ``identity``.
        updates: optimizer steps of the run.
        changed: whether settings or data may differ from the checkpoint's.

    Raises:
        UserError: what is there was written by another run, and nothing was said about that; or it
            is the end of another run, which has nothing to go on from.
    """
    checkpoint, final = claim.checkpoint, claim.final
    if final is not None and not (checkpoint is not None and is_done(checkpoint, updates)):
        if _same(final, whose):
            return final
        if checkpoint is None:
            said = in_words(changed_since(final, whose))
            raise UserError(
                f"--resume: {folder} holds a trained model ({CHECKPOINT}) and no checkpoint-* to "
                f"go on from: {said or 'it does not say of which run'}; train further from it "
                f"in another folder: --model.path {final}"
            )
    if checkpoint is not None:
        require_same(folder, checkpoint, whose, changed=changed)
        if not is_done(checkpoint, updates):
            require_state(folder, checkpoint, changed=changed)
    return checkpoint


def is_done(checkpoint: Path | None, updates: int) -> bool:
    """Tell whether nothing is left to train after a checkpoint."""
    if checkpoint is None:
        return False
    return checkpoint.name == CHECKPOINT or step_of(checkpoint) >= updates


def _same(final: Path, whose: Mapping[str, Any]) -> bool:
    return (final / IDENTITY_FILE).is_file() and not changed_since(final, whose)
