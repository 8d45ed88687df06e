"""What a run says on the terminal before it starts."""

from __future__ import annotations

import warnings
from typing import Any

import datasets
import transformers

from noisygrpo.data.parts import said as source_line
from noisygrpo.models.vision import noise_limits
from noisygrpo.own.choice import FIELDS
from noisygrpo.runs.prepare import Prepared
from noisygrpo.terminal import Loudness, loudness
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.levels.fields import OF_LEVELS, LevelFields
from noisygrpo.training.released import released_lines


def quiet_libraries() -> None:
    """Silence what the libraries say about themselves: short bars, deprecations among them.

    With ``-v`` they may speak, and say more than usual.
    """
    if loudness() == Loudness.VERBOSE:
        transformers.utils.logging.set_verbosity_info()
        return
    datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()
    for module in ("transformers", "trl"):
        warnings.filterwarnings("ignore", category=FutureWarning, module=module)


def describe(prepared: Prepared) -> list[str]:
    """What the run will do, in lines of ``name  value``."""
    recipe, config = prepared.recipe, prepared.config
    rewards = ", ".join(
        reward.__name__ + ("" if weight == 1 else f" x {weight:g}")
        for reward, weight in zip(prepared.rewards, prepared.weights, strict=True)
    )
    source = (
        f"{source_line(recipe.data.source)}, split {recipe.data.split}, {len(prepared.train)} rows"
    )
    lines = [("recipe", recipe.name), ("model", recipe.model.path), ("method", recipe.method)]
    lines += [("views", views_line(config, prepared.processor)), ("data", source)]
    lines += [("", line) for line in prepared.data_report]
    lines.append(("rewards", rewards))
    brought_back = released_lines(vars(config), recipe.rewards)
    lines += [("released" if n == 0 else "", line) for n, line in enumerate(brought_back)]
    if recipe.model.lora is not None:
        said = ", ".join(f"{name} {value}" for name, value in recipe.model.lora.items())
        lines.append(("adapter", said))
    if config.hinted:
        lines.append(("hints", f"{config.hint_levels} levels, {config.hint_selection}"))
    lines += [
        ("batch" if number == 0 else "", line) for number, line in enumerate(prepared.batch.lines())
    ]
    sizes = ", ".join(f"{name} {len(rows)} rows" for name, rows in prepared.splits.items())
    spec = recipe.evaluation
    if spec is not None and spec.every is not None:
        sizes += f"; every {spec.every} steps at most {spec.every_rows} of each"
        sizes += f", best checkpoint by {spec.best}" if spec.best else ""
    lines += [("measured", sizes or "no"), ("saved", saving_line(config))]
    lines.append(("output", str(config.output_dir)))
    return [f"{name:8} {value}" for name, value in lines]


def saving_line(config: NoisyGRPOConfig) -> str:
    """What is written while it trains, and whether a run that was stopped can go on from that."""
    strategy = str(getattr(config.save_strategy, "value", config.save_strategy))
    if strategy == "no":
        return "at the end alone: a run that is stopped begins anew"
    when = f"every {config.save_steps:g} steps" if strategy == "steps" else f"every {strategy}"
    if config.save_only_model:
        return f"{when}, the model alone (save_only_model): after a crash --resume has no optimizer"
    return f"{when}, with what --resume needs"


def views_line(config: NoisyGRPOConfig, processor: Any) -> str:
    """The view plan and the advantage in words."""
    if not config.noisy:
        advantage = f"{config.advantage}{_knobs(config, 'advantage')}"
        return f"every rollout sees the clean image; advantage {advantage}"
    given = config.noise_levels
    levels = " at levels U[0, 1]" if config.view_plan == "uniform" else ""
    levels = levels if given is None else f" at levels {', '.join(f'{x:g}' for x in given)}"
    named = {field: f"{getattr(config, field)}{_knobs(config, field)}" for field in FIELDS}
    limits = noise_limits(config.noise_at, processor)
    drawn = "of the file's size" if limits is None else "within {:,} to {:,} pixels".format(*limits)
    noise = f"{named['noise_kind']} noise{levels} on pictures {drawn}"
    own = [
        f"{one} {value:g}" if isinstance(value, float) else f"{one} {value}"
        for one, value in vars(config).items()
        if one in OF_LEVELS and value != getattr(LevelFields, one)
    ]
    return "; ".join([f"{named['view_plan']}, {noise}", f"advantage {named['advantage']}", *own])


def _knobs(config: NoisyGRPOConfig, field: str) -> str:
    knobs = (config.knobs or {}).get(field, {})
    return f" ({', '.join(f'{name} {value}' for name, value in knobs.items())})" if knobs else ""
