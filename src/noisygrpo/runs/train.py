"""One run from beginning to end: check, load, evaluate, train, save, evaluate again, report.

The folder is touched when everything is loaded, and left as if nothing had been started where a run
ends before its first step.

What a run's folder holds:

===========================  ===================================================================
``recipe.yaml``              the recipe with all overrides and defaults; it trains as it is
``functions/``               the files with the user's functions, called by their content
``environment.json``         versions, devices, and the command's arguments
``processor.json``           which processor made tokens and pixels
``metrics.jsonl``            one line per logged step
``levels.json``, ``.png``    with ``noise_levels: measured``, what was measured
``rollouts.jsonl``           every rollout: prompt, view, completion, rewards, advantage
``checkpoint/``              the trained model and its processor
``best/``                    the best one by ``evaluation.best``
``evaluation/before|after``  every evaluated sample and its verdict, by split; while training in
                             ``evaluation/step-000020``
``summary.json``             ``{split: {before: {accuracy, stderr, n}, after: {…}, …}}``
``learning_curve.png``       rewards of the rollouts and measured accuracy over the steps
===========================  ===================================================================
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from accelerate.utils import broadcast_object_list

from noisygrpo.errors import UserError, require
from noisygrpo.evaluation.files import read_object
from noisygrpo.evaluation.fingerprint import model_fingerprint
from noisygrpo.evaluation.samples import read_samples, write_json
from noisygrpo.evaluation.stats import paired_difference
from noisygrpo.models.loading import adapter_base, load_config, load_model, location
from noisygrpo.models.processor_facts import compare_facts, write_facts
from noisygrpo.models.quantization import quantization_config, require_trainable
from noisygrpo.models.spec import PLAYGROUND
from noisygrpo.models.versions import require_vllm, untested_line
from noisygrpo.recipes.recipe import Recipe
from noisygrpo.report.curve import learning_curve
from noisygrpo.report.table import before_after_table, percent
from noisygrpo.runs.beginning import Begun, setting_up
from noisygrpo.runs.claim import Claim, Resume, claim_folder, going_on, is_done
from noisygrpo.runs.console import describe
from noisygrpo.runs.folder import (
    CHECKPOINT,
    CONTENTS,
    RECIPE_FILE,
    open_folder,
    undone_without_a_step,
    write_first,
)
from noisygrpo.runs.identity import IDENTITY_FILE, identity
from noisygrpo.runs.interrupt import interrupted, saved_first
from noisygrpo.runs.lock import only_one
from noisygrpo.runs.measured import AFTER, BEFORE, clear, evaluate, measured_otherwise
from noisygrpo.runs.measured_levels import keep_levels, with_measured_levels
from noisygrpo.runs.prepare import Prepared, prepare
from noisygrpo.runs.remade import Remade
from noisygrpo.runs.saving import save_checkpoint
from noisygrpo.runs.trained import require_targets, require_trained
from noisygrpo.runs.trouble import told
from noisygrpo.runs.watch import Watch, best_so_far
from noisygrpo.terminal import note, say
from noisygrpo.training.trainer import NoisyGRPOTrainer

Results = dict[str, dict[str, Any]]


def train(
    recipe: Recipe,
    output_dir: str | None = None,
    *,
    overwrite: bool = False,
    resume: Resume = False,
    changed: bool = False,
) -> Results:
    """Run a recipe; returns what ``summary.json`` holds ({} without evaluation).

    Args:
        recipe: what to do.
        output_dir: the run's folder; default ``training.output_dir``, then ``runs/<recipe>``.
        overwrite: remove the run that the folder holds.
        resume: continue from the folder's newest whole checkpoint; ``"auto"``: or start, where
            the folder holds none yet.
        changed: resume also where settings or data differ from those of the checkpoint.

    Raises:
        UserError: anything wrong with recipe, data or folder, before a model is loaded.
        NotFinished: a signal asked to stop; what is done is saved.
    """
    folder = Path(output_dir or recipe.training.get("output_dir") or f"runs/{recipe.name}")
    main = os.environ.get("RANK", "0") == "0"  # of several processes one looks after the folder
    require(not folder.exists() or folder.is_dir(), f"--output-dir: {folder} is a file")
    with only_one(folder) if main else nullcontext():
        return _train(recipe, folder, main, overwrite=overwrite, resume=resume, changed=changed)


def _train(
    recipe: Recipe, folder: Path, main: bool, *, overwrite: bool, resume: Resume, changed: bool
) -> Results:
    claim, checkpoint, anew = Claim(), None, None
    if main:
        claim = claim_folder(folder, overwrite=overwrite, resume=resume)
        require_elsewhere(recipe.model.path, folder, claim)
    recipe, levels = with_measured_levels(recipe, folder, resume=claim.goes_on)
    prepared = prepare(recipe, str(folder))
    weights = model_fingerprint(location(recipe.model), recipe.model.revision)
    whose, updates = identity(recipe, prepared.train, weights), prepared.batch.updates
    if main:
        checkpoint = going_on(folder, claim, whose, updates, changed=changed)
        anew = measured_otherwise(
            folder, prepared, checkpoint, done=is_done(checkpoint, updates), changed=changed
        )
    check_parts(prepared)
    if main:
        if (line := untested_line()) is not None:
            say(line, error=True)
        note("\n".join(describe(prepared)))
    in_words = told(folder, vllm=bool(prepared.config.use_vllm))
    with in_words, undone_without_a_step(folder, main and not claim.goes_on) as start:
        with setting_up(begun := Begun()):
            start.trainer = trainer = make_trainer(prepared)
        trainer.add_callback(begun)
        (checkpoint,) = broadcast_object_list([checkpoint])  # verified once, the same for all
        done = is_done(checkpoint, updates)
        remade = Remade(folder, partial(about, folder, recipe, levels, trainer))
        if main:
            open_folder(folder, recipe, fresh=not claim.goes_on, done=done)
            clear(folder, prepared, whose, anew, keep=not overwrite)
            compare_facts(folder, trainer.processing_class)
            remade.write()
        start.opened = main
        trainer.add_callback(remade)
        with setting_up(begun):
            before = evaluate(prepared, trainer, BEFORE)
        trainer.saving.beside[IDENTITY_FILE] = json.dumps(whose, indent=1)
        with setting_up(begun), interrupted(trainer):
            if done:  # only what comes after training is missing
                trainer._load_from_checkpoint(str(checkpoint))
            else:
                trainer.train(resume_from_checkpoint=checkpoint and str(checkpoint))
    with told(folder, vllm=bool(prepared.config.use_vllm)):
        if checkpoint is None or checkpoint.name != CHECKPOINT:
            keep_trained(folder, remade, trainer, whose)
        after = evaluate(prepared, trainer, AFTER)
        trainer.accelerator.wait_for_everyone()
        return finish(folder, before, after) if main else {}


def keep_trained(
    folder: Path, remade: Remade, trainer: NoisyGRPOTrainer, whose: Mapping[str, Any]
) -> None:
    """Save the trained model; a signal waits until that is done."""
    with saved_first():
        remade.on_step_end(trainer.args, trainer.state, trainer.control)
        save_checkpoint(trainer, folder / CHECKPOINT, {IDENTITY_FILE: whose})


def about(folder: Path, recipe: Recipe, levels: Any, trainer: NoisyGRPOTrainer) -> None:
    """Write what says which run a folder is of: recipe, versions, functions, levels, processor."""
    write_first(folder, recipe)
    keep_levels(levels, folder)
    write_facts(folder, trainer.processing_class)


def require_elsewhere(path: str, folder: Path, claim: Claim) -> None:
    """See that a run that starts does not replace the model that it starts from.

    Raises:
        UserError: the model's folder lies in the run's.
    """
    inside = path != PLAYGROUND and Path(path).resolve().is_relative_to(folder.resolve())
    require(
        claim.goes_on or not inside,
        f"--output-dir: {folder} holds the model {path}; choose another folder",
    )


def check_parts(prepared: Prepared) -> None:
    """Check what a run needs of this machine and of the model's folder.

    Raises:
        UserError: vLLM is asked for and missing, the weights cannot be trained, or TRL would load
            the wrong reference.
    """
    if prepared.config.use_vllm:
        require_vllm()
    spec = prepared.recipe.model
    if spec.quantization is not None:
        quantization_config(spec)  # is its package there?
    require_trainable(spec, load_config(spec))
    require(
        prepared.config.beta == 0 or spec.lora is not None or adapter_base(spec) is None,
        f"training.beta: {prepared.config.beta} needs a reference, and that of {spec.path} would "
        "be its base without the adapter; merge it first: noisygrpo merge",
    )


def make_trainer(prepared: Prepared) -> NoisyGRPOTrainer:
    """Load model and processor, and build the trainer."""
    spec, config = prepared.recipe.model, prepared.config
    config.reward_weights = list(prepared.weights)
    model = load_model(spec, train=True, cpu=config.use_cpu)
    require_targets(model, spec.lora)
    trainer = NoisyGRPOTrainer(
        model,
        prepared.rewards,
        config,
        prepared.train,
        processing_class=prepared.processor,
        peft_config=prepared.lora,
    )
    require_trained(trainer.model, spec.lora)
    measured = prepared.recipe.evaluation
    if measured is not None and measured.every is not None:
        trainer.add_callback(Watch(trainer, measured, prepared.splits, spec.path))
    return trainer


def finish(folder: Path, before: Mapping[str, Path], after: Mapping[str, Path]) -> Results:
    """Write ``summary.json`` and the learning curve; print the table and where everything is."""
    summary = {}
    for name in after:
        if (before[name] / "result.json").is_file():
            summary[name] = compare(before[name], after[name])
        else:  # the folder was removed meanwhile
            say(f"{before[name]} is gone: {name} has no number before training", error=True)
    best = best_so_far(folder)
    if best is not None and best["split"] in summary:
        summary[best["split"]]["best"] = {k: v for k, v in best.items() if k != "split"}
        say(f"best of {best['split']} while training: {percent(best)} at step {best['step']}")
    if summary:
        write_json(folder / "summary.json", summary)
        say(f"\naccuracy in percent ± standard error\n{before_after_table(summary)}")
    try:
        learning_curve(folder)
    except UserError as error:  # nothing was logged; everything else is there
        say(f"no learning curve: {error}")
    note(f"\neverything is in {folder}:")
    for name, text in CONTENTS.items():
        if (folder / name).exists():
            note(f"  {name:20} {text}")
    again = ("--model", str(folder / CHECKPOINT), "--recipe", str(folder / RECIPE_FILE))
    note(f"\nlook again with: {shlex.join(('noisygrpo', 'evaluate', *again))}")
    seen = shlex.join(("noisygrpo", "report", str(folder)))
    note(f"see every rollout and what it saw with: {seen}")
    return summary


def compare(before: Path, after: Path) -> dict[str, Any]:
    """One split of the summary from its two folders of samples."""
    old, new = (read_samples(folder / "samples.jsonl") for folder in (before, after))
    difference = paired_difference(
        [sample["correct"] for sample in old],
        [sample["correct"] for sample in new],
        [sample["cluster"] for sample in new],
    )
    results = [read_object(folder / "result.json") for folder in (before, after)]
    first, second = ({key: item[key] for key in ("accuracy", "stderr", "n")} for item in results)
    return {"before": first, "after": second, "difference": difference.to_dict()}
