"""What a run's noise levels mean: accuracy and reward by level, and without the picture.

A sample of the rows that are trained on is answered as rollouts answer them (the run's temperature,
prompt and longest completion), on the picture with the run's noise at several levels, on a grey
picture of its size, and without one. Every level is an evaluation in a folder of its own, so a
measurement that was stopped goes on where it was (``evaluation.evaluate``); the noise is the
rollouts' own function, addressed by the row. From the scores: ``level_curve``; a run that trains at
what was measured: ``measured_levels``.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import datasets
import pyarrow.compute as pc
from PIL import Image

from noisygrpo.errors import require
from noisygrpo.evaluation.evaluate import Answer, answer_with, evaluate_answers
from noisygrpo.evaluation.fingerprint import model_fingerprint
from noisygrpo.evaluation.generate import Generation, Row
from noisygrpo.evaluation.samples import read_samples, write_json
from noisygrpo.evaluation.view import EvaluationView
from noisygrpo.methods.views import View
from noisygrpo.models.loading import default_device, load_model, location
from noisygrpo.models.vision import noise_limits
from noisygrpo.own.check import Functions
from noisygrpo.recipes.recipe import Recipe
from noisygrpo.report.levels import write_levels_report
from noisygrpo.rewards import RewardFunction
from noisygrpo.runs.functions import contents
from noisygrpo.runs.level_curve import BLIND, Scores, describe_curve
from noisygrpo.runs.prepare import Prepared, prepare
from noisygrpo.training.rollout import Rollout
from noisygrpo.training.settings import placeholder_levels
from noisygrpo.training.views.show import fit_all

LEVELS_FILE, PLOT_FILE = "levels.json", "levels.png"

GREY = (128, 128, 128)

See = Callable[[Row], list[Image.Image]]


@dataclass(frozen=True)
class LevelsPlan:
    """What is measured."""

    levels: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    """In [0, 1]; 0 is always measured."""
    rows: int = 200
    """How many rows are drawn; all of them where there are fewer."""
    seed: int = 0
    """Of the draw, the noise and the sampling: not the run's, so that runs share a measurement."""
    temperature: float | None = None
    """None is the run's, 0 greedy."""
    by: str = "accuracy"
    """What the grid is made from: accuracy, or the weighted reward."""

    def __post_init__(self) -> None:
        require(self.rows >= 2, f"--rows: {self.rows}, allowed is 2 or more")
        require(self.by in ("accuracy", "reward"), f"--by: {self.by!r} is not accuracy or reward")
        wrong = [level for level in self.levels if not 0 <= level <= 1]
        require(not wrong, f"--levels: {wrong[:1]} is outside [0, 1]")
        require(len({0.0, *self.levels}) > 2, f"--levels: {[*self.levels]}, needed are two above 0")


def measure_levels(
    recipe: Recipe, folder: Path | None = None, plan: LevelsPlan | None = None
) -> tuple[dict[str, Any], Path]:
    """Measure a recipe's levels; returns what ``levels.json`` holds, and the folder.

    Args:
        recipe: any, with noise or without; its own levels are judged beside the others.
        folder: where everything goes; default ``runs/levels/<recipe>-<hash of what is asked>``.
        plan: what is measured.

    Raises:
        UserError: what a run of the recipe would be refused for, or no row has a picture.
    """
    plan = plan or LevelsPlan()
    prepared = prepare(unmeasured(recipe), f"runs/{recipe.name}")
    rows, asked, name = asked_of(recipe, prepared, plan)
    folder = folder or Path("runs/levels") / name
    answer, generation = _answering(prepared, plan)
    scores = []
    for name, see in _views(prepared, plan).items():
        view = EvaluationView(text_only=True) if see is None else None
        evaluate_answers(
            answer if see is None else _seeing(answer, see),
            rows,
            folder / name,
            generation=generation,
            view=view,
            name=name,
            settings={**asked, "seen": name},
        )
        scores.append(_scores(name, folder / name, rows, prepared))
    curve = describe_curve(scores, plan.by, recipe.training.get("noise_levels"))
    found = {**asked, "rows": len(rows), **curve}
    write_json(folder / LEVELS_FILE, found)
    write_levels_report(found, folder)
    return found, folder


def with_some_levels(recipe: Recipe) -> Recipe:
    """Return the recipe, with levels in the place of ``measured``: for what comes before that."""
    return replace(recipe, training=placeholder_levels(recipe.method, recipe.training))


def unmeasured(recipe: Recipe) -> Recipe:
    """Return the recipe without evaluation, and with some levels where these are measured."""
    return replace(with_some_levels(recipe), evaluation=None)


def asked_of(
    recipe: Recipe, prepared: Prepared, plan: LevelsPlan
) -> tuple[datasets.Dataset, dict[str, Any], str]:
    """Return the rows that are drawn, what is asked of them, and a folder's name for that."""
    rows, asked = _draw(prepared, plan), _asked(prepared, plan)
    return rows, asked, f"{recipe.name}-{_key(asked, rows)}"


def _draw(prepared: Prepared, plan: LevelsPlan) -> datasets.Dataset:
    data = prepared.train
    batches = data.select_columns(["images"]).with_format("arrow").iter(1000)
    counts = [many for one in batches for many in pc.list_value_length(one["images"]).to_pylist()]
    seen = [number for number, many in enumerate(counts) if many]
    require(bool(seen), "levels: no row of the data has a picture, so noise has nothing to hide")
    drawn = random.Random(plan.seed).sample(seen, min(plan.rows, len(seen)))
    return data.select(sorted(drawn))


def _asked(prepared: Prepared, plan: LevelsPlan) -> dict[str, Any]:
    """Return what identifies the question, beside the rows."""
    config, spec = prepared.config, prepared.recipe.model
    return {
        "model": spec.path,
        "weights": model_fingerprint(location(spec), spec.revision),
        "noise_kind": str(config.noise_kind),
        "noise_at": config.noise_at or "",
        "knobs": (config.knobs or {}).get("noise_kind", {}),
        "code": contents(prepared.recipe).get(str(config.noise_kind).rpartition(":")[0], ""),
        "temperature": config.temperature if plan.temperature is None else plan.temperature,
        "max_pixels": config.max_pixels,
        "min_pixels": config.min_pixels,
        "seed": plan.seed,
    }


def _key(asked: Mapping[str, Any], rows: datasets.Dataset) -> str:
    ids = [str(name) for name in rows["example_id"]]
    return hashlib.blake2b(json.dumps([asked, ids]).encode(), digest_size=4).hexdigest()


def _answering(prepared: Prepared, plan: LevelsPlan) -> tuple[Answer, Generation]:
    """Return what answers rows as rollouts do; the model is loaded when it is first asked."""
    config, recipe = prepared.config, prepared.recipe
    generation = Generation(
        batch_size=config.per_device_train_batch_size,
        max_new_tokens=config.max_completion_length,
        temperature=config.temperature if plan.temperature is None else plan.temperature,
        top_p=config.top_p,
        seed=plan.seed,
    )
    loaded: list[Answer] = []

    def answer(rows: Sequence[Row]) -> Any:
        if not loaded:
            lora = recipe.model.lora is not None
            model = load_model(recipe.model, train=lora, cpu=config.use_cpu)
            if recipe.model.quantization is None:  # quantised weights are where they belong
                model.to(default_device(config.use_cpu))
            loaded.append(answer_with(model, prepared.processor, generation))
        return loaded[0](rows)

    return answer, generation


def _views(prepared: Prepared, plan: LevelsPlan) -> dict[str, See | None]:
    """Return the folder of each view and what it shows of a row; None shows no picture."""
    noise = Functions.of(prepared.config).noise
    limits = noise_limits(prepared.config.noise_at, prepared.processor)

    def noisy(level: float) -> See:
        def see(row: Row) -> list[Image.Image]:
            images = list(row["images"])
            fitted = images if limits is None else fit_all([images], limits)[0]
            return Rollout(dict(row), 0, View(level=level), plan.seed, 0, noise).see(fitted)

        return see

    views: dict[str, See | None] = {
        f"level-{level:g}": noisy(level) for level in sorted({0.0, *plan.levels})
    }
    return views | {
        BLIND[0]: lambda row: [Image.new("RGB", one.size, GREY) for one in row["images"]],
        BLIND[1]: None,
    }


def _seeing(answer: Answer, see: See) -> Answer:
    return lambda rows: answer([{**row, "images": see(row)} for row in rows])


def _scores(name: str, folder: Path, rows: datasets.Dataset, prepared: Prepared) -> Scores:
    """Return verdicts and rewards of a finished view; rewards are asked as the trainer asks."""
    samples = read_samples(folder / "samples.jsonl")
    text = rows.remove_columns("images")
    level = float(name.removeprefix("level-")) if name.startswith("level-") else 0.0
    asked = [Rollout(row, 0, View(level=level), 0, 0, "gaussian").reward_row(row) for row in text]
    outputs = [sample["output"] for sample in samples]
    return Scores(
        name,
        level if name.startswith("level-") else None,
        [float(sample["correct"]) for sample in samples],
        weighted_rewards(prepared.rewards, prepared.weights, asked, outputs),
        [sample["cluster"] for sample in samples],
    )


def weighted_rewards(
    rewards: Sequence[RewardFunction],
    weights: Sequence[float],
    rows: Sequence[Mapping[str, Any]],
    outputs: Sequence[str],
) -> list[float]:
    """Return the weighted sum of the rewards of each output; NaN where none could be told."""
    columns = {key: [row[key] for row in rows] for key in rows[0] if key != "prompt"}
    given = [
        function(
            prompts=[row["prompt"] for row in rows],
            completions=[[{"role": "assistant", "content": text}] for text in outputs],
            **columns,
        )
        for function in rewards
    ]
    sums = []
    for parts in zip(*given, strict=True):
        told = [
            weight * part
            for weight, part in zip(weights, parts, strict=True)
            if part is not None and not math.isnan(part)
        ]
        sums.append(sum(told) if told else math.nan)
    return sums
