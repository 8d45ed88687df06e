"""The command: run a stage as far as the time goes, then make the tables of what there is."""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from noisygrpo.cli import split_overrides
from noisygrpo.errors import UserError, require
from noisygrpo.evaluation.samples import write_atomic, write_json
from noisygrpo.recipes.recipe import dump_recipe
from noisygrpo.terminal import fail, say

from . import plan
from .arms import ARMS, BASELINE, GRID, SETTINGS, SPLIT
from .judge import all_answers, best_settings, leading, primary
from .keep import Frames, collect, read, store, tokens_of, unpack
from .page import write
from .plan import Job, Run, World
from .pool import Pool
from .tables import (
    Tables,
    calibration_table,
    dynamics_table,
    power_table,
    primary_table,
    runs_table,
    settings_table,
    split_table,
)

PLAN = "plan.json"
OF_A_STAGE = {"primary": primary_table, "splits": split_table, "dynamics": dynamics_table,
              "power": power_table, "runs": runs_table,
              "calibration": calibration_table}  # fmt: skip
NAMES = (*(f"{name}-{stage}" for stage in (1, 2) for name in OF_A_STAGE), "settings")
"""Every table there can be."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; what is wrong with it is one line."""
    words, overrides = split_overrides(list(sys.argv[1:] if argv is None else argv))
    try:
        return run(parser().parse_args(words), overrides)
    except UserError as error:
        fail(str(error))
        return 2


def parser() -> argparse.ArgumentParser:
    """The options; any field of the recipe is one too, for all arms: --training.max_steps 60."""
    made = argparse.ArgumentParser(prog="evidence.py", description=parser.__doc__)
    made.add_argument("--stage", choices=("1", "2", "table"), required=True)
    made.add_argument("--output-dir", type=Path, default=Path("runs/evidence"))
    made.add_argument("--parallel", type=int, default=2, help="runs side by side, a thread each")
    made.add_argument("--hours", type=float, help="no run is started after so many")
    made.add_argument("--arms", nargs="+", metavar="NAME", help="only these, of those of the stage")
    made.add_argument("--settings", type=int, default=1, help="how many every arm is given")
    of_each = "of each split (300; in stage 2 500, and 200 apart from the primary figure)"
    made.add_argument("--rows", type=int, help=of_each)
    made.add_argument("--resamples", type=int, default=10_000, help="of the intervals")
    made.add_argument("--no-calibrated", action="store_true", help="without that evaluation")
    made.add_argument(
        "--take", type=Path, metavar="DIR", help="go on from the finished runs in a folder's tables"
    )
    made.add_argument("--again", action="store_true", help="try again what failed")
    made.add_argument("--list", action="store_true", help="print the commands and run nothing")
    made.add_argument("--write", type=Path, metavar="PAGE", help="fill the tables into this page")
    return made


def run(args: argparse.Namespace, overrides: Sequence[tuple[str, str]]) -> int:
    """Run a stage, or only make the tables."""
    unknown = sorted(set(args.arms or ()) - set(ARMS))
    require(not unknown, f"--arms: {', '.join(unknown)}; there are {', '.join(ARMS)}")
    require(args.parallel > 0, f"--parallel: {args.parallel}, allowed is 1 or more")
    most = len(SETTINGS)
    require(0 < args.settings <= most, f"--settings: {args.settings}, allowed is 1 to {most}")
    done = True
    if args.take:
        take(args.take, args.output_dir)
    if args.stage != "table":
        world, recipe = plan.read_world(overrides, args.rows)
        done = Experiment(args, world, recipe).stage(int(args.stage))
        if args.list:
            return 0
    frames = found(args.output_dir)
    store(frames, args.output_dir)
    tables = made(Tables(*frames, args.parallel, args.resamples))
    (args.output_dir / "tables.md").write_text(
        "\n\n".join(f"## {name}\n\n{text}" for name, text in tables.items()) + "\n"
    )
    if args.write:
        write(args.write, tables, NAMES)
    stages = (1, 2) if args.stage == "table" else (int(args.stage),)
    shown = [f"{name}-{stage}" for stage in stages for name in ("primary", "power")]
    say("\n\n".join(tables[name] for name in shown if name in tables) or "no run is done yet")
    say(f"\nall tables: {args.output_dir / 'tables.md'}")
    return 0 if done else 1


def made(tables: Tables) -> dict[str, str]:
    """Every table by its name in the page, of the stages that have begun."""
    of_all = {}
    for stage in begun(tables.runs):
        for name, make in OF_A_STAGE.items():
            of_all[f"{name}-{stage}"] = make(tables, stage)
    if 1 in begun(tables.runs):
        of_all["settings"] = settings_table(tables)
    return of_all


def begun(runs: pd.DataFrame) -> list[int]:
    """The stages of which a run was made, done or failed."""
    return sorted({int(stage) for stage in runs["stage"][runs["state"] != "missing"]})


def found(out: Path) -> Frames:
    """The tables of what a folder holds: its runs, or, where these are gone, what was made of them.

    Raises:
        UserError: it holds neither.
    """
    begun = [out / f"stage{stage}" for stage in (1, 2)]
    if (out / PLAN).is_file() and any(folder.is_dir() for folder in begun):
        return collect(runs_of(json.loads((out / PLAN).read_text(encoding="utf-8"))), out)
    return read(out)


def take(tables: Path, out: Path) -> None:
    """Fill an experiment's folder from the tables and the plan of another's (``store``).

    Raises:
        UserError: the folder of tables lacks a file, or the other one has a plan of its own.
    """
    frames = read(tables, "--take")
    require((tables / PLAN).is_file(), f"--take: {tables} holds no {PLAN}")
    settled = (tables / PLAN).read_text(encoding="utf-8")
    if (out / PLAN).is_file():
        same = json.loads((out / PLAN).read_text(encoding="utf-8")) == json.loads(settled)
        require(same, f"--take: {out} has another {PLAN} than {tables}; choose an empty one")
    unpack(frames, out)
    write_atomic(out / PLAN, settled)


def runs_of(settled: Mapping[str, Any]) -> list[Run]:
    """The runs that are meant to be made, by what was settled; arms that have none are there."""
    names = [setting.name for setting in SETTINGS[: settled.get("settings", 1)]]
    first = plan.runs(1, [(arm, name) for name in names for arm in ARMS])
    return [*first, *plan.runs(2, [(arm, name) for arm, name in settled.get("stage2", ())])]


def _has_model(job: Job) -> bool:
    return (job.folder / "checkpoint" / "config.json").is_file()


class Experiment:
    """The folder of an experiment, and what was settled in it once for all."""

    def __init__(self, args: argparse.Namespace, world: World, recipe: Any) -> None:
        """See that the folder, if it holds runs, holds those of this world."""
        self.args, self.world, self.out = args, world, args.output_dir
        path = self.out / PLAN
        self.settled: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
        if not args.list:
            self._claim(recipe, args.stage)
            self._settle("settings", max(args.settings, self.settled.get("settings", 1)))
        until = time.monotonic() + args.hours * 3600 if args.hours is not None else float("inf")
        self.pool = None if args.list else Pool(args.parallel, until)

    def stage(self, stage: int) -> bool:
        """Run a stage; whether all of it is done."""
        chosen = self._chosen(stage)
        asked = [run for run in plan.runs(stage, chosen) if self._is_asked(run.arm)]
        first = [plan.before(self.world, stage, self.out), *self._shared(asked)]
        self._run(first)
        known, steps = self._levels(), self._steps()
        can = [run for run in asked if self._can(run, known, steps)]
        wait = dict.fromkeys(run.arm for run in asked if run not in can)
        if wait and not self.args.list:
            say(f"without measured levels or a pilot, not run: {', '.join(wait)}", error=True)
        jobs = [plan.job(run, self.world, known, steps, self.out) for run in can]
        after = [] if self.args.no_calibrated else asked
        later = [plan.calibrated(run, self.world, self.out) for run in after]
        done = self._run(jobs)
        # Of runs that were taken from tables (``--take``) the model is not there.
        is_made = {job.folder: (job.folder / "done.json").is_file() for job in later}
        kept = [job for job in later if _has_model(job) or not is_made[job.folder]]
        done &= self._run([job for job in kept if self.args.list or is_made[job.folder]])
        return done and len(jobs) == len(asked)

    def _run(self, jobs: Sequence[Job]) -> bool:
        for one in jobs:
            self._require_same(one)
            if self.args.again:
                one.failed.unlink(missing_ok=True)
        if self.pool is not None:
            return self.pool.run(jobs)
        for one in (one for one in jobs if not one.is_done):
            say("\n".join(f"noisygrpo {' '.join(words)}" for words in one.commands))
        return True

    def _chosen(self, stage: int) -> list[tuple[str, str]]:
        """(arm, setting) pairs of a stage; those of stage 2 are settled when it first begins."""
        if stage == 1:
            names = [setting.name for setting in SETTINGS[: self.args.settings]]
            return [(arm, name) for name in names for arm in ARMS]
        if "stage2" not in self.settled:
            self._settle("stage2", self._leading())
        return [(arm, setting) for arm, setting in self.settled["stage2"]]

    def _leading(self) -> list[tuple[str, str]]:
        """The baseline and the arms named, or those that lead stage 1, at their best settings."""
        named = self.args.arms and [BASELINE, *(arm for arm in self.args.arms if arm != BASELINE)]
        most = plan.MOST_ARMS
        if named:
            require(len(named) <= most + 1, f"--arms: stage 2 has {BASELINE} and at most {most}")
            if self.settled.get("settings", 1) == 1:  # nothing to be chosen in stage 1
                return [(arm, SETTINGS[0].name) for arm in named]
        verdicts, _, runs = found(self.out)
        answers = {key: own for key, own in all_answers(verdicts, 1).items() if key[0] in ARMS}
        chosen = best_settings(answers)
        if named:
            return [(arm, chosen.get(arm, SETTINGS[0].name)) for arm in named]
        missing = f"--stage 2: {self.out} has no {BASELINE} of stage 1; run that first"
        require(BASELINE in chosen, missing)
        first = dict.fromkeys(runs["arm"], len(plan.SEEDS[1]))
        return leading(primary(answers, chosen, first, resamples=100), plan.MOST_ARMS)

    def _is_asked(self, arm: str) -> bool:
        return not self.args.arms or arm in self.args.arms

    def _shared(self, asked: Sequence[Run]) -> list[Job]:
        """What some of the runs need to know first: levels, and tokens of pilots."""
        arms = {run.arm for run in asked}
        jobs = []
        if any(ARMS[arm].measured for arm in arms):
            jobs.append(plan.levels(self.world, self.out))
        if any(ARMS[arm].adaptive for arm in arms):
            wanted = [arm for arm in plan.pilots() if arm.name in arms or arm.name == BASELINE]
            jobs += [plan.pilot(arm, self.world, {}, self.out) for arm in wanted]
        return jobs

    def _levels(self) -> dict[str, list[float]]:
        """The measured levels, once there."""
        path = self.out / "levels" / "levels.json"
        if not path.is_file():
            return {}
        from noisygrpo.runs.measured_levels import chosen_levels  # imports torch

        curve = json.loads(path.read_text(encoding="utf-8"))
        try:
            return {GRID: chosen_levels(curve, "grid"), SPLIT: chosen_levels(curve, "split")}
        except UserError as error:  # the curve has no such levels; the other arms can run
            say(str(error), error=True)
            return {}

    def _steps(self) -> dict[str, int]:
        """Steps of the arms that sample more rollouts than they train, once piloted."""
        pilots = [plan.pilot(arm, self.world, {}, self.out) for arm in plan.pilots()]
        there = {job.folder.name: tokens_of(job.folder) for job in pilots if job.is_done}
        return plan.fewer_steps(self.world.steps, there) if BASELINE in there else {}

    def _can(self, run: Run, known: Mapping[str, Any], steps: Mapping[str, int]) -> bool:
        arm = ARMS[run.arm]
        return (bool(known) or not arm.measured) and (arm.name in steps or not arm.adaptive)

    def _require_same(self, job: Job) -> None:
        """A run that is there was made by the commands that would make it now."""
        path = job.folder / job.done
        if job.run is None or not path.is_file():
            return
        was = [tuple(words) for words in json.loads(path.read_text())["commands"]]
        require(
            was == [tuple(words) for words in job.commands],
            f"{job.folder}: holds a run made by other commands ({path}); choose another "
            "--output-dir, or remove it",
        )

    def _claim(self, recipe: Any, stage: str) -> None:
        """Weights, rows and recipe are settled by the first run; a later change means all again."""
        from noisygrpo.evaluation.fingerprint import model_fingerprint
        from noisygrpo.models.loading import location

        world = {
            "weights": model_fingerprint(location(recipe.model), recipe.model.revision),
            "recipe": dump_recipe(recipe),
            f"rows in stage {stage}": [
                of[int(stage)] for of in (self.world.rows, self.world.apart)
            ],
        }
        for name, value in world.items():
            was = self.settled.get(name, value)
            require(
                was == value,
                f"--output-dir: {self.out} holds runs of other {name}; all arms are run again in "
                "another folder",
            )
            self._settle(name, value)

    def _settle(self, name: str, value: Any) -> None:
        self.settled[name] = value
        if not self.args.list:
            self.out.mkdir(parents=True, exist_ok=True)
            write_json(self.out / PLAN, self.settled)
