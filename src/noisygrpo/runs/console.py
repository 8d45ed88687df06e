"""What a run says on the terminal before it starts."""

from __future__ import annotations

import warnings

import datasets
import transformers

from noisygrpo.runs.prepare import Prepared
from noisygrpo.training.config import NoisyGRPOConfig


def quiet_libraries() -> None:
    """Silence what the libraries say about themselves: short bars, deprecations among them."""
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
    source = f"{recipe.data.source}, split {recipe.data.split}, {len(prepared.train)} rows"
    lines = [("recipe", recipe.name), ("model", recipe.model.path), ("method", recipe.method)]
    lines += [("views", views_line(config)), ("data", source)]
    lines += [("", line) for line in prepared.data_report]
    lines.append(("rewards", rewards))
    if config.hinted:
        lines.append(("hints", f"{config.hint_levels} levels, {config.hint_selection}"))
    lines += [
        ("batch" if number == 0 else "", line) for number, line in enumerate(prepared.batch.lines())
    ]
    sizes = ", ".join(f"{name} {len(rows)}" for name, rows in prepared.splits.items())
    lines += [("measured", f"{sizes} rows" if sizes else "no"), ("output", str(config.output_dir))]
    return [f"{name:8} {value}" for name, value in lines]


def views_line(config: NoisyGRPOConfig) -> str:
    """The view plan and the advantage in words."""
    if not config.noisy:
        return f"every rollout sees the clean image; advantage {config.advantage}"
    levels = (
        "U[0, 1]"
        if config.noise_levels is None
        else ", ".join(f"{x:g}" for x in config.noise_levels)
    )
    noise = f"{config.noise_kind} noise at levels {levels}"
    return f"{config.view_plan}, {noise}; advantage {config.advantage}"
