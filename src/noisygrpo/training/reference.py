"""A reference that moves (``sync_ref_model``, arXiv 2404.09656), kept with every checkpoint.

TRL and Transformers save the policy alone; a resumed run would go on with the reference that
training began with, and so with another KL term than the run that was not stopped.
"""

from pathlib import Path
from typing import Any

from safetensors.torch import load_model, save_model
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from noisygrpo.errors import require

REFERENCE = "reference.safetensors"


def moving(trainer: Any) -> Any:
    """The reference where it moves and is whole in this process; None elsewhere."""
    sharded = trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled
    if not trainer.args.sync_ref_model or trainer.ref_model is None or sharded:
        return None
    return trainer.accelerator.unwrap_model(trainer.ref_model)


def save(trainer: Any, folder: str) -> None:
    """Write it beside the weights of the checkpoint that is being written in ``folder``."""
    reference = moving(trainer)
    if trainer.args.should_save and reference is not None:
        written = Path(folder) / f"{PREFIX_CHECKPOINT_DIR}-{trainer.state.global_step}"
        save_model(reference, str(written / REFERENCE))


def load(trainer: Any, checkpoint: str) -> None:
    """Give it the weights that it had at a checkpoint.

    Raises:
        UserError: the checkpoint has none, or one of another model.
    """
    reference, path = moving(trainer), Path(checkpoint) / REFERENCE
    if reference is None:
        return
    require(
        path.is_file(),
        f"checkpoint {checkpoint}: {REFERENCE} is missing; with sync_ref_model a run goes on with "
        "the reference that it had",
    )
    odd = sorted(name for names in load_model(reference, str(path), strict=False) for name in names)
    require(not odd, f"checkpoint {checkpoint}: {REFERENCE} is of another model: {odd[:3]}")
