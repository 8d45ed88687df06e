"""``noisygrpo check --plan``: memory of each GPU, tokens and time of a step, before launching.

The formulas are in ``memory`` and ``duration`` (time); nothing is loaded but the model's
config, its processor and a few rows, so it runs on a laptop.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from noisygrpo.check.duration import UNKNOWN, measure, rate_lines, shipped, time_lines
from noisygrpo.check.fitting import settings_that_fit
from noisygrpo.check.memory import (
    GB,
    STRATEGIES,
    USABLE,
    DeviceLoad,
    device_load,
    memory_share,
)
from noisygrpo.check.model_size import ModelSize, meta_model, model_size
from noisygrpo.check.page import heading
from noisygrpo.check.recipe import Prompts, report_tokens
from noisygrpo.check.views import sizes_of, view_lines
from noisygrpo.errors import require
from noisygrpo.models.loading import DTYPES, load_config
from noisygrpo.models.spec import ModelSpec
from noisygrpo.recipes.recipe import Recipe
from noisygrpo.report.table import table
from noisygrpo.runs.levels import with_some_levels
from noisygrpo.runs.prepare import Prepared, make_config, prepare
from noisygrpo.training.config import NoisyGRPOConfig


@dataclass(frozen=True)
class Request:
    """What the plan is for."""

    gpus: int
    memory: float
    """GB of each GPU."""
    measured: str | None = None
    """Folder of a run whose speed is taken."""
    tokens_per_second: float | None = None
    """Completion tokens per second and GPU, all work counted."""

    def __post_init__(self) -> None:
        for name, value in (("--gpus", self.gpus), ("--gpu-memory", self.memory)):
            require(value > 0, f"{name}: {value} is not positive")
        rate = self.tokens_per_second
        require(rate is None or rate > 0, f"--tokens-per-second: {rate} is not positive")
        require(rate is None or self.measured is None, "--measured, --tokens-per-second: give one")


def check_plan(recipe: Recipe, wanted: Request, *, rows: int = 20) -> int:
    """Print the plan; returns 0, or 1 where it fits by no strategy.

    Raises:
        UserError: a recipe that cannot run on so many GPUs, or no such run to measure.
    """
    require(rows > 0, f"--rows: {rows} is not positive")
    recipe = with_some_levels(recipe)
    prepared = prepare(for_all_gpus(recipe, wanted.gpus), f"runs/{recipe.name}")
    config = prepared.config
    heading(f"{recipe.name} on {wanted.gpus} x {wanted.memory:g} GB", *prepared.batch.lines())
    processor = prepared.processor
    examples = [prepared.train[index] for index in range(min(rows, len(prepared.train)))]
    model = load_config(recipe.model)
    prompts = report_tokens(processor, model, examples)
    longest = prompts.longest
    size, load = sizes(prepared, wanted.gpus, prompts)
    heading(
        "tokens of a generation, and of what is learnt from it",
        *token_lines(load, prepared.batch.rollouts, *passes(config)),
        *view_lines(
            config,
            sizes_of(config, model.model_type, prepared.batch.rollouts, longest, prompts.blind),
        ),
    )
    header, lines = plan_rows(size, load, wanted.memory)
    heading(
        f"memory of each GPU in GB (estimate; {size.parameters / 1e6:,.1f} M parameters, "
        f"{size.trained / 1e6:,.1f} M trained)",
        table(header, lines),
        *vllm_lines(size, load, wanted.memory),
    )
    heading("time of a step", *time_of(prepared, wanted))

    def fits(changed: Prepared, gpus: int) -> bool:
        if gpus != wanted.gpus:  # the batch counts the rollouts of all GPUs
            per_gpu = changed.config.per_device_train_batch_size // wanted.gpus
            values = {**changed.recipe.training, "per_device_train_batch_size": per_gpu * gpus}
            recipe = replace(changed.recipe, training=values)
            changed = replace(changed, config=make_config(recipe, str(config.output_dir)))
        return fits_some(plan_rows(*sizes(changed, gpus, prompts), wanted.memory)[1])

    if fits_some(lines):
        return 0
    heading("it does not fit", *settings_that_fit(prepared, wanted.gpus, fits))
    return 1


def fits_some(rows: list[list[str]]) -> bool:
    """Whether one of the strategies fits; the last cell of a row says so."""
    return any(row[-1] == "yes" for row in rows)


def for_all_gpus(recipe: Recipe, gpus: int) -> Recipe:
    """The recipe for one process that does the work of all: the same totals, the same checks."""
    training = dict(recipe.training)
    per_device = training.get("per_device_train_batch_size", 8)
    return replace(recipe, training={**training, "per_device_train_batch_size": per_device * gpus})


def planned_dtype(spec: ModelSpec) -> torch.dtype | None:
    """The type of the weights on a GPU, whatever this machine has; see ``weights_dtype``."""
    if spec.dtype != "auto":
        return DTYPES[spec.dtype]
    return torch.float32 if spec.lora is None else None


def sizes(prepared: Prepared, gpus: int, prompts: Prompts) -> tuple[ModelSize, DeviceLoad]:
    """What the model weighs, and what a GPU has to hold beside it."""
    spec, config = prepared.recipe.model, prepared.config
    model = meta_model(prepared, planned_dtype(spec))
    size = model_size(model, model.config.get_text_config(), quantization=spec.quantization)
    given = {"bf16", "fp16"} & set(prepared.recipe.training)
    half = bool(config.bf16 or config.fp16) if given else True  # the default on such GPUs
    load = device_load(
        config,
        gpus,
        prompt_tokens=prompts.longest,
        patches=prompts.patches,
        width=size.width,
        half=half,
        lora=prepared.lora is not None,
    )
    return size, load


def passes(config: NoisyGRPOConfig) -> tuple[int, int]:
    """Longest completion, and the forwards that score each rollout (old, reference, update)."""
    whole = config.gradient_accumulation_steps % (
        config.steps_per_generation * config.num_iterations
    )
    corrected = config.use_vllm and config.vllm_importance_sampling_correction
    old = bool(whole or corrected)
    return config.max_completion_length, config.num_iterations + old + (config.beta > 0)


def plan_rows(
    size: ModelSize, load: DeviceLoad, gpu_memory: float
) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the table, in GB; ``gpu_memory`` in GB."""
    names = ("weights", "gradients", "optimiser", "reference", "activations", "generation", "vllm")
    used = [name for name in names if name != "vllm" or load.vllm_share]
    header = ["strategy", *used, "peak", "host", "fits"]
    rows = []
    for strategy in STRATEGIES if load.gpus > 1 else STRATEGIES[:1]:
        share = memory_share(strategy, size, load, gpu_memory * GB)
        fits = "yes" if share.peak <= USABLE * gpu_memory * GB else "no"
        cells = [vars(share)[name] for name in (*used, "peak", "host")]
        rows.append([strategy, *(f"{cell / GB:.1f}" for cell in cells), fits])
    return header, rows


def vllm_lines(size: ModelSize, load: DeviceLoad, gpu_memory: float) -> list[str]:
    """Say what vLLM's share holds: its copy of the weights and so many sequences at once."""
    if not load.vllm_share:
        return []
    share = load.vllm_share * gpu_memory * GB
    weights = load.compute * size.parameters
    token = 2 * load.compute * size.text.layers * size.kv
    free = share - weights
    held = f"vLLM's {share / GB:.1f} GB"
    if free < token * load.tokens:
        return [
            f"{held} do not hold its weights ({weights / GB:.1f} GB) and one sequence: raise "
            "training.vllm_gpu_memory_utilization"
        ]
    sequences = int(free // (token * load.tokens))
    return [
        f"{held}: weights {weights / GB:.1f}, cache {free / GB:.1f}, which is "
        f"{sequences} sequences of {load.tokens} tokens at once (of {load.generated})"
    ]


def token_lines(load: DeviceLoad, rollouts: int, completion: int, passes: int) -> list[str]:
    """Say how many tokens a generation is at most; ``passes`` forwards score each."""
    prompt = load.tokens - completion
    return [
        f"generated: at most {rollouts} x {completion} = {rollouts * completion:,} tokens, "
        f"{load.generated * completion:,} on each GPU",
        f"scored and trained: at most {rollouts} x ({prompt} + {completion}) = "
        f"{rollouts * load.tokens:,} tokens, in {passes} forward{'s' if passes > 1 else ''} and "
        "one backward",
    ]


def time_of(prepared: Prepared, wanted: Request) -> list[str]:
    """The time of a generation and of the run, from what was measured or given."""
    recipe, config, batch = prepared.recipe, prepared.config, prepared.batch
    generations = max(1, round(batch.updates / batch.updates_per_generation))
    if wanted.tokens_per_second is not None:
        length = config.max_completion_length
        rate = wanted.tokens_per_second
        return rate_lines(rate, batch.rollouts, wanted.gpus, length, generations)
    engine = "vllm" if config.use_vllm else "generate"
    if wanted.measured is not None:
        found = [measure(wanted.measured)]
        require(
            (found[0].model, found[0].engine) == (recipe.model.path, engine),
            f"--measured: {wanted.measured} ran {found[0].model} with {found[0].engine}, the "
            f"recipe is {recipe.model.path} with {engine}",
        )
    else:
        found = shipped(recipe.model.path, engine)
    lines = [time_lines(entry, batch.rollouts, wanted.gpus, generations) for entry in found]
    return [line for block in lines for line in block] or UNKNOWN
