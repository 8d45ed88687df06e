"""Writing a trained model, whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from noisygrpo.evaluation.samples import write_json
from noisygrpo.models.saving import readable_everywhere
from noisygrpo.models.sealed import seal
from noisygrpo.training.finite import require_finite_weights
from noisygrpo.training.sharding import whole_weights
from noisygrpo.training.trainer import NoisyGRPOTrainer


def save_checkpoint(
    trainer: NoisyGRPOTrainer, folder: Path, notes: Mapping[str, Any] | None = None
) -> None:
    """Write model and processor under another name, and seal them; see ``models.sealed``.

    Args:
        trainer: of which every process takes part.
        folder: the checkpoint's name; what has it is replaced.
        notes: name of a JSON file to what it holds, written into it.

    Raises:
        NonFiniteError: the weights are not numbers any more; nothing is written.
    """
    require_finite_weights(trainer.model, trainer.state)
    temporary = folder.with_name(folder.name + ".tmp")
    main = trainer.accelerator.is_main_process
    if main and temporary.exists():
        shutil.rmtree(temporary)
    trainer.accelerator.wait_for_everyone()
    try:
        with whole_weights(trainer.accelerator.state):
            trainer.save_model(str(temporary))
        trainer.accelerator.wait_for_everyone()
        if main:
            readable_everywhere(temporary, trainer.processing_class)
            for name, value in (notes or {}).items():
                write_json(temporary / name, value)
            seal(temporary, folder)
    except BaseException:  # a full disk, say, on which it would only take room
        shutil.rmtree(temporary, ignore_errors=True)
        raise
