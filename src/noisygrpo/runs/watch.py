"""Accuracy while it trains: ``evaluation.every`` steps, and the best checkpoint by it.

At every such step the main process answers the first ``every_rows`` rows of each split, greedily,
as before and after training, while the others wait. The accuracy goes into the step's line of
``metrics.jsonl``, to the trackers and to the terminal; the samples to ``evaluation/step-000020/``.
Training draws the same random numbers with and without it.

``evaluation.best: SPLIT`` keeps the checkpoint with the highest accuracy on that split in ``best/``
(the earlier one of equals): written as ``checkpoint/`` is.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import broadcast_object_list
from datasets import Dataset
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from noisygrpo.errors import require
from noisygrpo.evaluation.evaluate import evaluate_rows
from noisygrpo.evaluation.files import read_object
from noisygrpo.models.sealed import damage
from noisygrpo.recipes.recipe import EvaluationSpec
from noisygrpo.report.table import percent
from noisygrpo.runs.measured import generation_of
from noisygrpo.runs.saving import save_checkpoint
from noisygrpo.terminal import note, say

BEST = "best"
BEST_FILE = "evaluation.json"
"""In ``best/``: step, split and accuracy of the checkpoint."""


class Watch(TrainerCallback):
    """Measures splits every so many steps."""

    def __init__(
        self, trainer: Any, spec: EvaluationSpec, splits: Mapping[str, Dataset], model: str
    ) -> None:
        """Take what is measured.

        Args:
            trainer: built, before it trains.
            spec: with ``every``.
            splits: rows by name.
            model: the recipe's ``model.path``, for the record.

        Raises:
            UserError: the model is sharded, so that one process cannot generate.
        """
        sharded = trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled
        require(
            not sharded,
            f"evaluation.every: {spec.every} needs a model that is whole on each process, and FSDP "
            "or DeepSpeed shards it; leave it out and use `noisygrpo evaluate` on checkpoints",
        )
        self._trainer, self._spec, self._model = trainer, spec, model
        self._rows = {
            name: rows.select(range(min(spec.every_rows, len(rows))))
            for name, rows in splits.items()
        }
        self._folder = Path(str(trainer.args.output_dir))
        self._best: float | None = None
        self._record: dict[str, Any] = {}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Of a resumed run, what was best so far counts on."""
        found = best_so_far(self._folder) if state.global_step else None
        if found is not None and self._spec.best is not None:
            now = self._spec.best, len(self._rows[self._spec.best])
            was = found.get("split"), found.get("n")
            if was != now and state.is_world_process_zero:
                say(f"{BEST}/ is of {was[1]} rows of {was[0]}, asked is {now[1]} of {now[0]}: anew")
            found = found if was == now else None
        self._best = found["accuracy"] if found else None

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Measure, and keep the checkpoint if it is the best."""
        if state.global_step % (self._spec.every or 1):
            return control
        better = [False]
        if self._trainer.accelerator.is_main_process:
            better = [self._measure(state.global_step)]
        broadcast_object_list(better)  # the others wait here
        if better[0]:
            self._keep(state.global_step)
        control.should_log = True  # so that the accuracies stand in this step's line
        return control

    def _measure(self, step: int) -> bool:
        """Evaluate every split on this process; tell whether the checkpoint is the best so far."""
        model = self._trainer.accelerator.unwrap_model(self._trainer.model)
        results = {}
        with _untouched(model):
            for name, rows in self._rows.items():
                results[name] = self._evaluate(model, name, rows, step)
        shown = ", ".join(f"{name} {percent(result)}" for name, result in results.items())
        note(f"step {step}/{self._trainer.state.max_steps}  accuracy in percent: {shown}")
        for name, result in results.items():
            numbers = {key: result[key] for key in ("accuracy", "stderr")}
            self._trainer._recorder.add(
                {f"evaluation/{name}/{k}": v for k, v in numbers.items() if v is not None}
            )
        if self._spec.best is None:
            return False
        accuracy = results[self._spec.best]["accuracy"]
        if self._best is not None and accuracy <= self._best:
            return False
        self._best = accuracy
        self._record = {"step": step, "split": self._spec.best, **results[self._spec.best]}
        return True

    def _evaluate(self, model: Any, name: str, rows: Dataset, step: int) -> dict[str, Any]:
        folder = self._folder / "evaluation" / f"step-{step:06d}" / name
        if folder.exists():  # of other weights: the run was resumed from before this step
            shutil.rmtree(folder)
        settings = {"model": self._model, "moment": f"step {step}"}
        processor = self._trainer.processing_class
        result = evaluate_rows(
            model,
            processor,
            rows,
            folder,
            generation=generation_of(self._spec),
            name=name,
            settings=settings,
            progress=False,
        ).to_dict()
        return {key: result[key] for key in ("accuracy", "stderr", "n")}

    def _keep(self, step: int) -> None:
        """Write ``best/``; every process takes part, as a saver may need all."""
        save_checkpoint(self._trainer, self._folder / BEST, {BEST_FILE: self._record})
        if self._trainer.accelerator.is_main_process:
            note(f"step {step}: the best checkpoint so far, in {self._folder / BEST}")


def best_so_far(folder: Path) -> dict[str, Any] | None:
    """Step, split, accuracy, standard error and rows of the checkpoint in ``best/``, if any.

    One whose files are not there as they were written, by names and sizes, counts for nothing.
    """
    path = folder / BEST / BEST_FILE
    if not path.is_file():
        return None
    if (problem := damage(folder / BEST, hashes=False)) is not None:
        say(f"{folder / BEST} does not count: {problem}", error=True)
        return None
    return read_object(path)


@contextmanager
def _untouched(model: Any) -> Iterator[None]:
    """A context after which mode and random numbers of training are as before."""
    training = model.training
    with torch.random.fork_rng():
        model.eval()
        try:
            yield
        finally:
            model.train(training)
