"""What is to be run: every run as a folder and the commands that fill it.

A folder below ``stage1``, ``stage2`` or ``pilot`` is one run, ``<arm>-<setting>-seed<n>``::

    checkpoint/          the trained model         (train --no-evaluation --auto-resume)
    after/<split>/       its evaluation            (evaluate --model checkpoint)
    calibrated/<split>/  the same, calibrated      (with --text-bias-scale)
    verdicts.parquet, dynamics.parquet, done.json  written last (``keep``)

What is the same for all arms is made once: ``before-none-seed0`` (the untrained model), ``levels``
(accuracy by noise level), ``pilot`` (how many tokens arms sample that sample as they need).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from noisygrpo.recipes.recipe import load_recipe
from noisygrpo.recipes.settings import check_settings

from .arms import ARMS, BASELINE, CALIBRATION, PRIMARY, RECIPE, SETTINGS, Arm, Setting, filled

ROWS = {1: 300, 2: 500}
"""Of each split of the primary figure."""
APART = {1: 300, 2: 200}
"""Of each split apart from it, which describe and decide nothing."""
SEEDS = {1: tuple(range(3)), 2: tuple(range(3, 11))}
PILOT_SEED = 900
BEFORE = "before"
MOST_ARMS = 5
"""Arms beside the baseline in stage 2."""

Words = tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """One trained model, or the untrained one (``arm`` ``BEFORE``)."""

    stage: int
    arm: str
    setting: str
    seed: int

    @property
    def name(self) -> str:
        """The folder's name."""
        return f"{self.arm}-{self.setting}-seed{self.seed}"

    def folder(self, out: Path) -> Path:
        """Where it is."""
        return out / f"stage{self.stage}" / self.name


@dataclass(frozen=True)
class Job:
    """A piece of work for a process of its own."""

    folder: Path
    commands: tuple[Words, ...]
    done: str
    """The file in the folder that says that it is done."""
    kind: str
    """What takes about as long."""
    run: Run | None = None
    """Whose verdicts and dynamics are kept at the end."""
    calibrated: bool = False

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return (self.folder / self.done).is_file()

    @property
    def failed(self) -> Path:
        """The file that says that it failed, and why; it is not tried again while it is there."""
        return beside(self.folder, "failed.json")

    @property
    def log(self) -> Path:
        """The file that takes what it says."""
        return beside(self.folder, "log")


def beside(folder: Path, ending: str) -> Path:
    """A file about a run, beside its folder: what is no run may not lie in that."""
    return folder.with_name(f"{folder.name}.{ending}")


@dataclass(frozen=True)
class World:
    """What all arms share, by the recipe and the command line."""

    splits: tuple[str, ...]
    rate: float
    steps: int
    rows: Mapping[int, int]
    apart: Mapping[int, int]
    overrides: Words = ()
    """Words such as ``--training.max_steps=60``, for every arm."""

    @property
    def training(self) -> Words:
        """Those for training, which measures nothing itself."""
        return tuple(word for word in self.overrides if not word.startswith("--evaluation"))

    @property
    def measuring(self) -> Words:
        """Those for evaluation."""
        return tuple(word for word in self.overrides if not word.startswith("--training"))


def read_world(
    overrides: Sequence[tuple[str, str]] = (), rows: int | None = None
) -> tuple[World, Any]:
    """The world by the recipe, and the recipe itself.

    Raises:
        UserError: the recipe with these overrides is refused.
    """
    recipe = load_recipe(RECIPE, overrides, check_settings)
    assert recipe.evaluation is not None
    words = tuple(f"--{name}={value}" for name, value in overrides)
    training = recipe.training
    many, apart = (
        {stage: rows or number for stage, number in one.items()} for one in (ROWS, APART)
    )
    world = World(
        tuple(recipe.evaluation.splits), training["learning_rate"], training["max_steps"], many,
        apart, words,
    )  # fmt: skip
    return world, recipe


def before(world: World, stage: int, out: Path) -> Job:
    """The evaluation of the untrained model, the same for all arms."""
    run = untrained(stage)
    folder = run.folder(out)
    asked = _evaluate("playground", world, stage, folder / "after")
    return Job(folder, asked, "done.json", "evaluate", run)


def untrained(stage: int) -> Run:
    """The model before training, as a run of no arm."""
    return Run(stage, BEFORE, "none", 0)


def levels(world: World, out: Path) -> Job:
    """The measurement of the model's own curve."""
    folder = out / "levels"
    many = min(200, world.rows[1])
    words = ("levels", RECIPE, *world.training, "--rows", str(many), "--output-dir", str(folder))
    return Job(folder, (words,), "levels.json", "levels")


def pilot(arm: Arm, world: World, known: Mapping[str, list[float]], out: Path) -> Job:
    """A run without evaluation, which says how many tokens an arm samples."""
    folder = out / "pilot" / arm.name
    words = _train(arm, SETTINGS[0], PILOT_SEED, world, known, world.steps, folder)
    return Job(folder, (words,), "checkpoint/config.json", "train")


def pilots() -> tuple[Arm, ...]:
    """The arms that need one: those that sample as they need, and what they are measured by."""
    adaptive = tuple(arm for arm in ARMS.values() if arm.adaptive)
    return (ARMS[BASELINE], *adaptive) if adaptive else ()


def job(
    run: Run, world: World, known: Mapping[str, list[float]], steps: Mapping[str, int], out: Path
) -> Job:
    """A run's training and evaluation; ``steps``: of arms that have fewer than the recipe."""
    arm = ARMS[run.arm]
    setting = next(one for one in SETTINGS if one.name == run.setting)
    folder = run.folder(out)
    train = _train(arm, setting, run.seed, world, known, steps.get(arm.name, world.steps), folder)
    asked = _evaluate(str(folder / "checkpoint"), world, run.stage, folder / "after")
    return Job(folder, (train, *asked), "done.json", f"stage {run.stage}", run)


def calibrated(run: Run, world: World, out: Path) -> Job:
    """The evaluation of a trained model with text-bias calibration, on the fewer rows: it costs
    twice as much, and decides nothing."""
    folder = run.folder(out)
    fewer = replace(world, rows=world.apart)
    asked = _evaluate(str(folder / "checkpoint"), fewer, run.stage, folder / "calibrated")
    scale = ("--text-bias-scale", str(CALIBRATION))
    commands = tuple((*words, *scale) for words in asked)
    return Job(folder, commands, "calibrated.json", "calibrated", run, True)


def runs(stage: int, chosen: Sequence[tuple[str, str]]) -> list[Run]:
    """The runs of (arm, setting) pairs, in the order in which they are made.

    Settings first, then seeds, then arms: whenever it is stopped, arms have had equally much.
    """
    order = [setting.name for setting in SETTINGS]
    pairs = sorted(chosen, key=lambda pair: order.index(pair[1]))
    found = []
    for setting in dict.fromkeys(pair[1] for pair in pairs):
        here = [pair for pair in pairs if pair[1] == setting]
        found += [Run(stage, arm, setting, seed) for seed in SEEDS[stage] for arm, _ in here]
    return found


def fewer_steps(steps: int, tokens: Mapping[str, float]) -> dict[str, int]:
    """Steps by arm, so that each samples as many tokens as the baseline; ``tokens``: of pilots."""
    return {
        name: max(1, min(steps, round(steps * tokens[BASELINE] / many)))
        for name, many in tokens.items()
        if name != BASELINE
    }


def _train(
    arm: Arm,
    setting: Setting,
    seed: int,
    world: World,
    known: Mapping[str, list[float]],
    steps: int,
    folder: Path,
) -> Words:
    values = filled(arm, setting, world.rate, known) | {"max_steps": steps, "seed": seed}
    return (
        "train", RECIPE, "--method", arm.method, *world.training,
        *(f"--training.{name}={_text(value)}" for name, value in values.items()),
        "--no-evaluation", "--auto-resume", "--output-dir", str(folder),
    )  # fmt: skip


def _evaluate(model: str, world: World, stage: int, folder: Path) -> tuple[Words, ...]:
    """A command, or two where splits apart from the primary figure have rows of their own."""
    many = {
        split: (world.rows if split in PRIMARY else world.apart)[stage] for split in world.splits
    }
    return tuple(
        (
            "evaluate", "--model", model, "--recipe", RECIPE, *world.measuring,
            "--split", *(split for split in world.splits if many[split] == rows),
            "--rows", str(rows), "--output-dir", str(folder),
        )
        for rows in dict.fromkeys(many.values())
    )  # fmt: skip


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
