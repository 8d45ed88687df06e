"""Going on from a checkpoint, so that it is the run that was stopped.

A resumed run has the weights, the order of rows, the noise and the random numbers of the run that
was not stopped, and so its rollouts and its weights at the end, bit for bit on a CPU. Three things
are needed beyond what Transformers 5 and TRL 1.16 do:

- *Weights.* ``save_pretrained`` writes the names that a family's weights had in earlier releases
  (``visual.*`` for what is ``model.visual.*`` in memory), and only ``from_pretrained`` translates
  them back. ``Trainer`` copies by name and warns of what it misses, so that a Qwen2.5-VL would
  go on from the weights that training began with. Here the checkpoint is read by
  ``from_pretrained``, and every name must be there.
- *Order.* TRL's sampler draws each epoch's order from one generator, so a run resumed in a later
  epoch would see the first epoch's order again. Here the sampler can start in any epoch, with the
  order that TRL has there.
- *Place in a batch of rollouts*, where one serves several optimizer steps. A checkpoint holds no
  rollouts, so a run resumed inside such a batch samples its prompts once more, with the weights of
  the checkpoint (this alone differs from the run that was not stopped), and uses what is left.

FSDP and DeepSpeed load their own checkpoints, and PEFT its adapters.

A checkpoint is written in the folder ``.saving`` beside the others, and has its name once it is
whole (``models.sealed``); weights that are not numbers never become one. ``newest`` finds the one
to go on from.
"""

import json
import os
import re
import shutil
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import is_peft_model
from safetensors import SafetensorError, safe_open
from torch import nn
from transformers import ProcessorMixin, TrainerCallback, TrainerState, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR, rotate_checkpoints
from trl.trainer.utils import RepeatSampler

from accelerate import Accelerator
from noisygrpo.errors import require
from noisygrpo.models.adapters import require_adapter
from noisygrpo.models.saving import readable_everywhere
from noisygrpo.models.sealed import MANIFEST, damage, seal
from noisygrpo.own.check import files
from noisygrpo.training.finite import not_finite, require_finite_weights
from noisygrpo.training.records.rollouts import drop_steps_after, say_lost, say_replaced
from noisygrpo.user_code import keep_files

SEALED_WITH = "identity.json"
"""A file that only runs write which seal their checkpoints."""

UNFINISHED = ".saving"
"""Folder, beside the checkpoints, in which one is written."""


class EpochSampler(RepeatSampler):
    """TRL's sampler, which can begin with any epoch."""

    def set_epoch(self, epoch: int) -> None:
        """Make the next pass over the data that of an epoch, counted from 0."""
        if not self.shuffle:
            return
        self.generator.manual_seed(self.seed)
        for _ in range(epoch):
            torch.randperm(self.num_samples, generator=self.generator)


def load(model: Any, accelerator: Accelerator, folder: str) -> bool:
    """Give the model the weights of a checkpoint, every name of which must be there.

    Returns whether that was done: it is for a model that Transformers would copy by the names in
    the file, and not for an adapter or a model in shards, which are loaded as Transformers does.
    """
    require(Path(folder).is_dir(), f"resume_from_checkpoint: {folder!r} is not a folder")
    if (Path(folder) / MANIFEST).exists():
        reason = damage(Path(folder), hashes=False)
        require(reason is None, f"checkpoint {folder}: {reason}")
    state = accelerator.state
    plugins = [getattr(state, name, None) for name in ("fsdp_plugin", "deepspeed_plugin")]
    if any(plugin is not None for plugin in plugins):
        return False
    whole = accelerator.unwrap_model(model)
    if is_peft_model(model):
        require_adapter(whole, Path(folder))
        return False
    saved, found = type(whole).from_pretrained(
        folder, dtype=whole.dtype, local_files_only=True, output_loading_info=True
    )
    missing = sorted(found["missing_keys"])
    require(not missing, f"checkpoint {folder}: {len(missing)} weights are missing: {missing[:3]}")
    whole.load_state_dict(saved.state_dict())
    return True


def by_epoch(plain: RepeatSampler) -> EpochSampler:
    """Return TRL's sampler as one that can begin with any epoch."""
    return EpochSampler(
        data_source=plain.data_source,
        mini_repeat_count=plain.mini_repeat_count,
        batch_size=plain.batch_size,
        repeat_count=plain.repeat_count,
        shuffle=plain.shuffle,
        seed=plain.seed,
    )


class Saving:
    """Where a checkpoint is written until it is whole."""

    def __init__(self) -> None:
        """Begin with none."""
        self.folder: str | None = None
        """The folder that takes the place of the run's while one is written."""
        self.beside: dict[str, str] = {}
        """Names and texts of files that every checkpoint holds besides."""

    @contextmanager
    def whole(
        self,
        folder: str,
        model: nn.Module,
        args: TrainingArguments,
        state: TrainerState,
        accelerator: Accelerator,
        processor: Any,
    ) -> Iterator[None]:
        """Within this context all processes write a checkpoint; then it gets its name.

        Args:
            folder: of the run.
            model, args, state, accelerator, processor: the trainer's; the state is written again,
                with the names as they are now.

        Raises:
            NonFiniteError: the weights are not numbers any more; nothing is written.
        """
        require_finite_weights(model, state)
        unfinished = Path(folder) / UNFINISHED
        if accelerator.is_local_main_process:  # what a killed run left there
            shutil.rmtree(unfinished, ignore_errors=True)
        accelerator.wait_for_everyone()
        self.folder = str(unfinished)
        try:
            yield
            accelerator.wait_for_everyone()
            if args.should_save:
                written = unfinished / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
                if isinstance(processor, ProcessorMixin):
                    readable_everywhere(written, processor)
                for name, text in self.beside.items():
                    (written / name).write_text(text, encoding="utf-8")
                _finish(Path(folder), unfinished, args, state)
        except BaseException:  # a full disk, say, on which it would only take room
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        finally:
            self.folder = None
        accelerator.wait_for_everyone()


def _finish(folder: Path, unfinished: Path, args: TrainingArguments, state: TrainerState) -> None:
    name, best = f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}", state.best_model_checkpoint
    if best is not None and Path(best).parent.name == UNFINISHED:
        state.best_model_checkpoint = str(folder / Path(best).name)
    state.save_to_json(str(unfinished / name / TRAINER_STATE_NAME))
    seal(unfinished / name, folder / name)
    unfinished.rmdir()
    _last_of_all(folder / name)
    rotate_checkpoints(
        str(folder),
        save_total_limit=args.save_total_limit,
        best_model_checkpoint=state.best_model_checkpoint,
        use_mtime=True,
    )


def _last_of_all(written: Path) -> None:
    """Give a checkpoint the latest time of all: the oldest are removed, and one that was copied, or
    written before the clock was set back, may lie in the future.
    """
    others = [path.stat().st_mtime for path in written.parent.glob(f"{PREFIX_CHECKPOINT_DIR}-*")]
    at = max(time.time(), *(other + 0.01 for other in others))
    os.utime(written, (at, at))


def holds_the_model_alone(checkpoint: Path) -> bool:
    """Whether a checkpoint was written with ``save_only_model``.

    Then optimizer, schedule and random numbers are missing; these last every other one has.
    """
    return not any(checkpoint.glob("rng_state*.pth"))


class ScheduleAtItsStep(TrainerCallback):
    """Lets the learning rate go on where it was, of a run resumed without its schedule."""

    def on_train_begin(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        """Move a schedule that is at its beginning to the step of the checkpoint."""
        schedule: Any = kwargs.get("lr_scheduler")
        behind = state.global_step - getattr(schedule, "last_epoch", state.global_step)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that no optimizer has made these steps
            for _ in range(behind):
                schedule.step()


def step_of(checkpoint: Path) -> int:
    """Return the optimizer steps that a checkpoint's name says were done."""
    return int(checkpoint.name.rpartition("-")[2])


def newest(folder: Path) -> tuple[Path | None, list[str]]:
    """Return the newest whole checkpoint of a run, and a line for each newer one that is not."""
    found = (
        re.fullmatch(rf"{PREFIX_CHECKPOINT_DIR}-(\d+)", path.name) for path in folder.iterdir()
    )
    skipped: list[str] = []
    for step in sorted((int(match[1]) for match in found if match), reverse=True):
        path = folder / f"{PREFIX_CHECKPOINT_DIR}-{step}"
        reason = _damage(path, step)
        if reason is None:
            return path, skipped
        skipped.append(f"{path.name} is left out: {reason}")
    return None, skipped


def _damage(folder: Path, step: int) -> str | None:
    """Return what is wrong with a checkpoint that is called after a step; None if nothing is."""
    if (folder / MANIFEST).exists():
        return damage(folder) or _incomplete(folder) or _other_step(folder, step)
    if (folder / SEALED_WITH).exists():
        return f"its {MANIFEST} is missing"
    return _unsealed(folder, step)


def _other_step(folder: Path, step: int) -> str | None:
    try:
        state = json.loads((folder / TRAINER_STATE_NAME).read_text(encoding="utf-8"))
        same = state["global_step"] == step > 0
    except (OSError, ValueError, KeyError, TypeError):
        same = False
    return None if same else f"{TRAINER_STATE_NAME} is missing or of another step"


def _unsealed(folder: Path, step: int) -> str | None:
    """Return what is wrong with a checkpoint of a release before manifests, state written last."""
    try:
        (folder / TRAINER_STATE_NAME).stat()
        for path in folder.glob("*.safetensors"):
            with safe_open(path, framework="pt") as file:
                file.keys()
    except (OSError, ValueError, SafetensorError):
        return "it was not written to its end, or is damaged"
    return _incomplete(folder) or _other_step(folder, step)


def _incomplete(folder: Path) -> str | None:
    """Return what a run cannot go on without; FSDP and DeepSpeed have their state in folders.

    A checkpoint of the model alone (``save_only_model``) lacks nothing that it should have.
    """
    optimizer = [*folder.glob("optimizer*"), *folder.glob("global_step*")]
    if not optimizer and not (folder / "scheduler.pt").exists() and holds_the_model_alone(folder):
        return None
    missing = [] if optimizer else ["optimizer.pt"]
    if (folder / "optimizer.pt").exists() and not (folder / "scheduler.pt").exists():
        missing.append("scheduler.pt")
    if not any(folder.glob("rng_state*.pth")):
        missing.append("rng_state.pth")
    return f"{', '.join(missing)} is missing" if missing else None


class FreshLogs(TrainerCallback):
    """Before the first step drops logged steps that this run is about to do (again).

    It keeps the files of the user's functions beside the logs, and looks at the weights that a
    resumed run goes on from.
    """

    def on_train_begin(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        """Cut the logs at the step of the checkpoint that training resumes from, or at 0."""
        if state.global_step:
            name = not_finite(kwargs["model"])
            require(
                name is None,
                f"checkpoint-{state.global_step}: {name} holds values that are not finite; delete "
                "this checkpoint to go on from an earlier one",
            )
        if state.is_world_process_zero:
            folder = Path(args.output_dir or ".")
            say_replaced(folder, state.global_step)
            drop_steps_after(folder, state.global_step)
            if state.global_step and getattr(args, "rollouts_format", "none") != "none":
                say_lost(folder, state.global_step)
            keep_files(files(args), folder)
