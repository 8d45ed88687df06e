"""Which settings would make a run fit, where none of the strategies does as it stands.

Changes are tried in the order in which they cost least, each on top of those before, until one
fits: adapters on a bfloat16 base, recomputed activations, smaller micro-batches of the same total,
a 4-bit base. More GPUs with the settings as they are is the other way. What is printed can be
pasted behind the command.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from noisygrpo.models.loading import lora_config
from noisygrpo.recipes.recipe import Recipe
from noisygrpo.runs.prepare import Prepared, make_config

LORA = {"r": 16, "lora_alpha": 32, "target_modules": ".*language_model.*_proj"}
"""Of the recipes for one card; linear layers of the language model."""
GPUS = (2, 4, 8, 16, 32, 64)

Fits = Callable[[Prepared, int], bool]
"""(run, GPUs) -> whether one of the strategies fits."""


def settings_that_fit(prepared: Prepared, gpus: int, fits: Fits) -> list[str]:
    """Lines that name settings, or a number of GPUs, with which the run fits.

    Args:
        prepared: a run of which no strategy fits, its batch counting the rollouts of all GPUs.
        gpus: how many there are.
        fits: tells whether a changed run fits.
    """
    lines = []
    recipe, options = prepared.recipe, []
    for change, words in changes(prepared, gpus):
        recipe = change(recipe)
        options.append(words)
        if fits(changed(prepared, recipe), gpus):
            lines.append(f"it fits with: {' '.join(options)}")
            break
    enough = next((count for count in GPUS if count > gpus and fits(prepared, count)), None)
    if enough is not None:
        lines.append(f"it fits as it is on {enough} such GPUs: see --gpus {enough}")
    return lines or ["nothing that is tried here makes it fit: use a smaller model, or larger GPUs"]


def changed(prepared: Prepared, recipe: Recipe) -> Prepared:
    """The run by another recipe on the same data."""
    config = make_config(recipe, str(prepared.config.output_dir))
    return replace(prepared, recipe=recipe, config=config, lora=lora_config(recipe.model))


def changes(prepared: Prepared, gpus: int) -> list[tuple[Callable[[Recipe], Recipe], str]]:
    """What is tried, in order, with its words on the command line."""
    found: list[tuple[Callable[[Recipe], Recipe], str]] = []
    spec, config = prepared.recipe.model, prepared.config
    if spec.lora is None:
        words = ", ".join(f"{key}: {value}" for key, value in LORA.items())
        said = f"--model.dtype bfloat16 --model.lora '{{{words}}}'"
        found.append((model(lora=dict(LORA), dtype="bfloat16"), said))
    if not config.gradient_checkpointing:
        said = "--training.gradient_checkpointing true"
        found.append((training(gradient_checkpointing=True), said))
    batch, steps = config.per_device_train_batch_size, config.gradient_accumulation_steps
    generated = config.steps_per_generation
    while batch > gpus and batch // gpus % 2 == 0:
        batch, steps, generated = batch // 2, steps * 2, generated * 2
        values = {
            "per_device_train_batch_size": batch,
            "gradient_accumulation_steps": steps,
            "steps_per_generation": generated,
        }
        said = (
            f"--training.per_device_train_batch_size {batch // gpus} "
            f"--training.gradient_accumulation_steps {steps} "
            f"--training.steps_per_generation {generated}"
        )
        found.append((training(**values), said))
    if spec.quantization is None:
        found.append((model(quantization="4bit"), "--model.quantization 4bit"))
    return found


def model(**values: Any) -> Callable[[Recipe], Recipe]:
    """A change of the section ``model``."""
    return lambda recipe: replace(recipe, model=replace(recipe.model, **values))


def training(**values: Any) -> Callable[[Recipe], Recipe]:
    """A change of the section ``training``."""

    def change(recipe: Recipe) -> Recipe:
        merged: Mapping[str, Any] = {**recipe.training, **values}
        return replace(recipe, training=dict(merged))

    return change
