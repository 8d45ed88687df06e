"""One run from beginning to end: check, load, evaluate, train, save, evaluate again, report.

What a run's folder holds:

===========================  ===================================================================
``recipe.yaml``              the recipe with all overrides and defaults; it trains as it is
``environment.json``         versions, devices, and the command's arguments
``processor.json``           which processor made tokens and pixels
``metrics.jsonl``            one line per logged step
``rollouts.jsonl``           every rollout: prompt, view, completion, rewards, advantage
``checkpoint/``              the trained model and its processor
``evaluation/before|after``  every evaluated sample and its verdict, by split
``summary.json``             ``{split: {before: {accuracy, stderr, n}, after: {…}, …}}``
``learning_curve.png``       reward and accuracy of the rollouts over the steps
===========================  ===================================================================
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers.trainer_utils import get_last_checkpoint

from noisygrpo.errors import UserError, require
from noisygrpo.evaluation.evaluate import evaluate_rows
from noisygrpo.evaluation.generate import Generation
from noisygrpo.evaluation.samples import read_samples, write_atomic, write_json
from noisygrpo.evaluation.stats import paired_difference
from noisygrpo.models.loading import adapter_base, load_model
from noisygrpo.models.processor_facts import FACTS_FILE, compare_facts, write_facts
from noisygrpo.models.saving import readable_everywhere
from noisygrpo.models.sealed import seal
from noisygrpo.models.versions import require_vllm, untested_line
from noisygrpo.recipes.recipe import Recipe, dump_recipe
from noisygrpo.report.plots import learning_curve
from noisygrpo.report.table import before_after_table
from noisygrpo.runs.console import describe
from noisygrpo.runs.environment import environment
from noisygrpo.runs.prepare import Prepared, prepare
from noisygrpo.terminal import say
from noisygrpo.training.finite import require_finite_weights
from noisygrpo.training.trainer import NoisyGRPOTrainer

RECIPE_FILE = "recipe.yaml"
ENVIRONMENT_FILE = "environment.json"
Results = dict[str, dict[str, Any]]


def train(
    recipe: Recipe, output_dir: str | None = None, *, overwrite: bool = False, resume: bool = False
) -> Results:
    """Run a recipe; returns what ``summary.json`` holds ({} without evaluation).

    Args:
        recipe: what to do.
        output_dir: the run's folder; default ``training.output_dir``, then ``runs/<recipe>``.
        overwrite: remove the run that the folder holds.
        resume: continue from the folder's last checkpoint.

    Raises:
        UserError: anything wrong with recipe, data or folder, before a model is loaded.
    """
    folder = Path(output_dir or recipe.training.get("output_dir") or f"runs/{recipe.name}")
    main = os.environ.get("RANK", "0") == "0"  # of several processes one looks after the folder
    if main:
        claim_folder(folder, overwrite=overwrite, resume=resume)
        model = Path(recipe.model.path).resolve()
        require(
            resume or not model.is_relative_to(folder.resolve()),
            f"--output-dir: {folder} holds the model {recipe.model.path}; choose another folder",
        )
    checkpoint = get_last_checkpoint(str(folder)) if resume else None
    prepared = prepare(recipe, str(folder))
    check_parts(prepared)
    if main:
        if (line := untested_line()) is not None:
            say(line, error=True)
        say("\n".join(describe(prepared)))
        open_folder(folder, recipe, fresh=not resume)
    trainer = make_trainer(prepared)
    if main:
        compare_facts(folder, trainer.processing_class)
        write_facts(folder, trainer.processing_class)
    before = evaluate(prepared, trainer, "before")
    trainer.train(resume_from_checkpoint=checkpoint)
    save_checkpoint(trainer, folder / "checkpoint")
    after = evaluate(prepared, trainer, "after")
    trainer.accelerator.wait_for_everyone()
    return finish(folder, before, after) if main else {}


def claim_folder(folder: Path, *, overwrite: bool, resume: bool) -> None:
    """See that the folder may be used.

    Raises:
        UserError: it holds a run and nothing was said about that, or something that is no run, or
            nothing to resume from.
    """
    require(not (overwrite and resume), "--overwrite and --resume exclude each other")
    require(not folder.exists() or folder.is_dir(), f"--output-dir: {folder} is a file")
    holds = folder.is_dir() and any(folder.iterdir())
    ours = (folder / RECIPE_FILE).is_file()
    if resume:
        found = get_last_checkpoint(str(folder)) if holds else None
        require(found is not None, f"--resume: {folder} holds no checkpoint-* to continue from")
        return
    require(
        not holds or (overwrite and ours),
        f"--output-dir: {folder} is not empty; "
        + (
            "it holds an earlier run: choose another folder, or give --overwrite or --resume"
            if ours
            else f"it holds no {RECIPE_FILE}, so no run, and is left alone: choose another folder"
        ),
    )


def open_folder(folder: Path, recipe: Recipe, *, fresh: bool) -> None:
    """Remove what an earlier run left, and write what this run is.

    Only what a run writes is removed. On a resume that is the evaluation after training, which
    belongs to other weights by the end of the run.
    """
    stale = [folder / "evaluation" / "after"]
    if fresh:
        stale = [folder / name for name in CONTENTS] + list(folder.glob("checkpoint-*"))
    for path in stale:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / RECIPE_FILE, dump_recipe(recipe))
    write_json(folder / ENVIRONMENT_FILE, {**environment(), "arguments": sys.argv[1:]})


def check_parts(prepared: Prepared) -> None:
    """Check what a run needs of this machine and of the model's folder.

    Raises:
        UserError: vLLM is asked for and missing, or TRL would load the wrong reference.
    """
    if prepared.config.use_vllm:
        require_vllm()
    spec = prepared.recipe.model
    require(
        prepared.config.beta == 0 or spec.lora is not None or adapter_base(spec) is None,
        f"training.beta: {prepared.config.beta} needs a reference, and that of {spec.path} would "
        "be its base without the adapter; merge it first: noisygrpo merge",
    )


def make_trainer(prepared: Prepared) -> NoisyGRPOTrainer:
    """Load model and processor, and build the trainer."""
    spec, config = prepared.recipe.model, prepared.config
    config.reward_weights = list(prepared.weights)
    return NoisyGRPOTrainer(
        load_model(spec, train=True),
        prepared.rewards,
        config,
        prepared.train,
        processing_class=prepared.processor,
        peft_config=prepared.lora,
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
    generation = Generation(
        batch_size=spec.batch_size,
        max_new_tokens=spec.max_new_tokens,
        text_bias_scale=spec.text_bias_scale,
    )
    say(f"evaluation {moment} training")
    folders = {}
    for name, rows in prepared.splits.items():
        folders[name] = Path(str(config.output_dir)) / "evaluation" / moment / name
        evaluate_rows(
            trainer.accelerator.unwrap_model(trainer.model),
            trainer.processing_class,
            rows,
            folders[name],
            generation=generation,
            name=name,
            settings={"model": prepared.recipe.model.path, "moment": moment},
        )
    return folders


def save_checkpoint(trainer: NoisyGRPOTrainer, folder: Path) -> None:
    """Write model and processor under another name, and seal them; see ``models.sealed``.

    Raises:
        NonFiniteError: the weights are not numbers any more; nothing is written.
    """
    require_finite_weights(trainer.model, trainer.state)
    temporary = folder.with_name(folder.name + ".tmp")
    main = trainer.accelerator.is_main_process
    if main and temporary.exists():
        shutil.rmtree(temporary)
    trainer.accelerator.wait_for_everyone()
    trainer.save_model(str(temporary))
    trainer.accelerator.wait_for_everyone()
    if main:
        readable_everywhere(temporary, trainer.processing_class)
        seal(temporary, folder)


def finish(folder: Path, before: Mapping[str, Path], after: Mapping[str, Path]) -> Results:
    """Write ``summary.json`` and the learning curve; print the table and where everything is."""
    summary = {name: compare(before[name], after[name]) for name in after}
    if summary:
        write_json(folder / "summary.json", summary)
        say(f"\naccuracy in percent ± standard error\n{before_after_table(summary)}")
    try:
        learning_curve(folder)
    except UserError as error:  # nothing was logged; everything else is there
        say(f"no learning curve: {error}")
    say(f"\neverything is in {folder}:")
    for name, text in CONTENTS.items():
        if (folder / name).exists():
            say(f"  {name:20} {text}")
    again = f"noisygrpo evaluate --model {folder / 'checkpoint'} --recipe {folder / RECIPE_FILE}"
    say(f"\nlook again with: {again}")
    return summary


CONTENTS = {
    "checkpoint": "the trained model and its processor",
    "metrics.jsonl": "one line per step",
    "rollouts.jsonl": "every rollout: noise level, completion, rewards, advantage",
    "rollouts": "every rollout, one parquet file per step",
    "learning_curve.png": "reward and accuracy over the steps",
    "evaluation": "every evaluated sample and its verdict, before and after",
    "summary.json": "the table above",
    RECIPE_FILE: "the recipe with all overrides; it trains as it is",
    ENVIRONMENT_FILE: "versions, devices, arguments",
    FACTS_FILE: "which processor made tokens and pixels",
}


def compare(before: Path, after: Path) -> dict[str, Any]:
    """One split of the summary from its two folders of samples."""
    old, new = (read_samples(folder / "samples.jsonl") for folder in (before, after))
    difference = paired_difference(
        [sample["correct"] for sample in old],
        [sample["correct"] for sample in new],
        [sample["cluster"] for sample in new],
    )
    results = [json.loads((folder / "result.json").read_text()) for folder in (before, after)]
    first, second = ({key: item[key] for key in ("accuracy", "stderr", "n")} for item in results)
    return {"before": first, "after": second, "difference": difference.to_dict()}
