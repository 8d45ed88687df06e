"""The tables of docs/evidence.md, as Markdown, from the verdicts, dynamics and runs alone."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from noisygrpo.evaluation.over_seeds import SeededDifference, mean_over_seeds

from .arms import ARMS, BASELINE, BESIDE, CALIBRATION, PRIMARY
from .judge import (
    Answers,
    Key,
    Line,
    all_answers,
    best_settings,
    compare,
    detectable,
    primary,
)
from .plan import BEFORE

NONE = "–"
MISSING = "missing"


@dataclass(frozen=True)
class Tables:
    """What the tables are made from."""

    verdicts: pd.DataFrame
    dynamics: pd.DataFrame
    runs: pd.DataFrame
    parallel: int = 2
    resamples: int = 10_000

    def stage(self, stage: int) -> tuple[dict[Key, Answers], dict[str, str], dict[str, int]]:
        """Answers, the setting of each arm, and how many seeds each should have."""
        answers = all_answers(self.verdicts, stage)
        chosen = best_settings({key: own for key, own in answers.items() if key[0] != BEFORE})
        here = self.runs[self.runs["stage"] == stage]
        meant = {
            str(arm): int(frame.groupby("setting").size().max())
            for arm, frame in here.groupby("arm", sort=False)
        }
        for arm, frame in here.groupby("arm", sort=False):
            chosen.setdefault(str(arm), str(frame["setting"].iloc[0]))
        return answers, chosen, meant

    def lines(self, stage: int) -> list[Line]:
        """The primary table's lines."""
        return primary(*self.stage(stage), resamples=self.resamples)


def primary_table(tables: Tables, stage: int) -> str:
    """Primary figure of every arm, its difference to the baseline, and what stands beside it."""
    answers, chosen, _ = tables.stage(stage)
    there = present(answers)
    beside = [split for split in (*BESIDE, "absent") if split in there]
    head = ["arm", "setting", "seeds", "rows", "primary", f"difference to {title(BASELINE)}", "p",
            "p, Holm", *beside]  # fmt: skip
    body = []
    if (own := answers.get((BEFORE, "none"))) is not None:
        empty = [NONE] * 3
        alone = [shares(own.figures([split])) for split in beside]
        rows = str(own.of(PRIMARY).values.shape[1])
        body.append(["before training", "", "", rows, shares(own.figures(PRIMARY)), *empty, *alone])
    for line in tables.lines(stage):
        own = answers.get((line.arm, chosen[line.arm]))
        seeds = str(line.seeds) if line.seeds == line.meant else f"{line.seeds} of {line.meant}"
        if own is None:
            blank = [NONE] * (len(head) - 5)
            body.append([title(line.arm), line.setting, seeds, NONE, MISSING, *blank])
            continue
        alone = [shares(own.figures([split])) for split in beside]
        body.append(
            [title(line.arm), line.setting, seeds, str(line.rows), shares(own.figures(PRIMARY)),
             *differences(line.difference), p_text(line.p_holm), *alone]
        )  # fmt: skip
    lacking = [split for split in PRIMARY if split not in there]
    note = f"\n\nThe primary figure lacks {', '.join(lacking)}." if lacking and there else ""
    return markdown(head, body) + note


def split_table(tables: Tables, stage: int) -> str:
    """Every split of every arm, with the difference to the baseline beneath."""
    answers, chosen, meant = tables.stage(stage)
    splits = present(answers)
    base = answers.get((BASELINE, chosen.get(BASELINE, "")))
    body = []
    for arm in meant:
        own = answers.get((arm, chosen[arm]))
        if own is None:
            body.append([title(arm), *[MISSING] * len(splits)])
            continue
        body.append([title(arm), *[shares(own.figures([split])) for split in splits]])
        if base is not None and arm != BASELINE:
            found = [compare(own, base, [split], tables.resamples) for split in splits]
            body.append(["", *[differences(one)[0] for one in found]])
    return markdown(["arm", *splits], body)


def settings_table(tables: Tables, stage: int = 1) -> str:
    """The primary figure of every setting that was tried."""
    answers, _, meant = tables.stage(stage)
    here = tables.runs[tables.runs["stage"] == stage]
    names = list(dict.fromkeys(here["setting"]))
    body = []
    for arm in meant:
        found = [answers.get((arm, name)) for name in names]
        texts = [MISSING if own is None else shares(own.figures(PRIMARY)) for own in found]
        body.append([title(arm), *texts])
    return markdown(["arm", *names], body)


def calibration_table(tables: Tables, stage: int) -> str:
    """What calibration changes, of the same models on the same rows (those of both)."""
    answers, chosen, meant = tables.stage(stage)
    calibrated = all_answers(tables.verdicts, stage, calibrated=True)
    if not calibrated:
        return f"Scale {CALIBRATION}: no run of stage {stage} has been evaluated with it."
    splits = present(answers)
    body = []
    for arm in meant:
        plain, own = (found.get((arm, chosen[arm])) for found in (answers, calibrated))
        if plain is None or own is None:
            continue
        asked, same = [list(PRIMARY), *[[split] for split in splits]], plain.among(set(own.rows))
        found = [compare(own, same, split, tables.resamples) for split in asked]
        seeds = len(set(own.seeds) & set(plain.seeds))
        body.append([title(arm), str(seeds), *[differences(one)[0] for one in found]])
    head = ["arm, calibrated minus plain", "seeds", "primary", *splits]
    said = f"Scale {CALIBRATION}; {len(body)} of {len(meant)} arms have been evaluated with it."
    return f"{said}\n\n{markdown(head, body)}"


def dynamics_table(tables: Tables, stage: int) -> str:
    """What happened while training, of each arm at its chosen setting, mean over seeds."""
    _, chosen, meant = tables.stage(stage)
    frame = tables.dynamics
    frame = frame[frame["stage"] == stage] if len(frame) else frame
    body = []
    for arm in meant:
        mine = (
            frame[(frame["arm"] == arm) & (frame["setting"] == chosen[arm])] if len(frame) else []
        )
        texts = [
            shown(np.nanmean(values)) if values else NONE
            for values in (_by_seed(mine, of) for of in DYNAMIC.values())
        ]
        body.append([title(arm), *texts] if len(mine) else [title(arm), *[MISSING] * len(DYNAMIC)])
    return markdown(["arm", *DYNAMIC], body)


def _by_seed(frame: pd.DataFrame, of: Callable[[pd.DataFrame], float]) -> list[float]:
    if not len(frame):
        return []
    found = [of(one.sort_values("step")) for _, one in frame.groupby("seed")]
    return [value for value in found if not math.isnan(value)]


def _last(frame: pd.DataFrame, name: str) -> float:
    """Mean of the last quarter of the steps."""
    return _mean(frame.tail(max(1, len(frame) // 4)), name)


def _mean(frame: pd.DataFrame, name: str) -> float:
    return float(frame[name].mean()) if name in frame else math.nan


def _settled(frame: pd.DataFrame, name: str) -> float:
    """Median after the fifth step: some steps of a run can be a thousand times the others."""
    late = frame[frame["step"] > 5]
    return float(late[name].median()) if name in frame and len(late) else math.nan


def _levels(frame: pd.DataFrame, beginning: str) -> list[str]:
    names = [name for name in frame if str(name).startswith(beginning)]
    return sorted(name for name in names if frame[name].notna().any())


def _at(frame: pd.DataFrame, beginning: str, place: int) -> float:
    names = _levels(frame, beginning)
    return _last(frame, names[place]) if len(names) > (1 if place else 0) else math.nan


DYNAMIC: dict[str, Callable[[pd.DataFrame], float]] = {
    "useful groups": lambda f: 1 - _mean(f, "frac_reward_zero_std"),
    "reward, cleanest": lambda f: _at(f, "reward/level_", 0),
    "reward, noisiest": lambda f: _at(f, "reward/level_", -1),
    "prior's share of sum A": lambda f: _mean(f, "advantage/prior_mass"),
    "gain": lambda f: _mean(f, "advantage/gain"),
    "log ratio, noisiest": lambda f: (
        _last(f, names[-1]) if (names := _levels(f, "view_ratio/token/")) else math.nan
    ),
    "KL": lambda f: _settled(f, "kl"),
    "entropy": lambda f: _last(f, "entropy"),
    "gradient norm": lambda f: _settled(f, "grad_norm"),
    "visual dependence": lambda f: _last(f, "visual_dependence"),
    "tokens a completion": lambda f: _last(f, "completions/mean_length"),
}
"""Columns of the table: of a run's steps, one number."""


def runs_table(tables: Tables, stage: int) -> str:
    """How many runs there are, what they took, and which are missing or failed."""
    body, notes = [], []
    here = tables.runs[tables.runs["stage"] == stage]
    for arm, frame in here.groupby("arm", sort=False):
        done = frame[frame["state"] == "done"]
        numbers = [
            shown(float(done[name].mean())) if len(done) else NONE
            for name in ("minutes", "steps", "tokens")
        ]
        commits = ", ".join(sorted(set(done["commit"])))
        made = f"{len(done)} of {len(frame)}"
        body.append([title(str(arm)), made, *numbers, commits or NONE])
        for _, one in frame[frame["state"] == "failed"].iterrows():
            which = f"{arm}, {one.setting}, seed {one.seed}"
            notes.append(f"- failed: {which}: {one.why}")
    hours = float(np.nansum(here["minutes"])) / 60
    head = ["arm", "runs", "minutes a run", "steps", "tokens a run", "commit"]
    total = f"{hours:.1f} hours of one thread in all."
    return "\n\n".join([markdown(head, body), total, *(["\n".join(notes)] if notes else [])])


def power_table(tables: Tables, stage: int) -> str:
    """The difference that a number of seeds can detect, and the time that they take."""
    answers, chosen, meant = tables.stage(stage)
    base = answers.get((BASELINE, chosen.get(BASELINE, "")))
    figures = [] if base is None else base.figures(PRIMARY)
    if len(figures) < 2:
        return f"Needs at least two seeds of {title(BASELINE)}."
    done = tables.runs[(tables.runs["stage"] == stage) & (tables.runs["state"] == "done")]
    minutes = float(done["minutes"].mean())
    arms = max(1, len(meant) - 1)
    mean, _ = mean_over_seeds(figures)
    body = []
    for seeds in (3, 5, 8, 16, 32):
        hours = seeds * (arms + 1) * minutes / 60 / tables.parallel
        alone, first = (100 * detectable(figures, seeds, many) for many in (1, arms))
        body.append([str(seeds), f"{alone:.1f}", f"{first:.1f}", f"{hours:.1f}"])
    head = ["seeds", "one comparison", f"the first of {arms}, Holm", "hours for all arms"]
    spread = 100 * float(np.std(figures, ddof=1))
    said = (
        f"{title(BASELINE)}'s primary figure over {len(figures)} seeds: {100 * mean:.1f}, standard "
        f"deviation {spread:.2f} points; {minutes:.1f} minutes a run, {tables.parallel} side by "
        "side. Points that are detected in 80 of 100 experiments:"
    )
    return f"{said}\n\n{markdown(head, body)}"


def present(answers: Mapping[Key, Answers]) -> list[str]:
    """The splits that were evaluated, primary ones first."""
    names = {split: None for own in answers.values() for split in own.splits}
    first = [split for split in ("test", *PRIMARY) if split in names]
    return [*first, *sorted(set(names) - set(first))]


def title(arm: str) -> str:
    """An arm as tables call it."""
    return ARMS[arm].title if arm in ARMS else arm


def shares(figures: Sequence[float]) -> str:
    """``64.3 ± 1.2``: mean and standard error over seeds, in percent."""
    if not figures:
        return NONE
    mean, error = mean_over_seeds(figures)
    return f"{100 * mean:.1f}" + ("" if math.isnan(error) else f" ± {100 * error:.1f}")


def differences(found: SeededDifference | None) -> tuple[str, str]:
    """``+1.2 [-0.5, +2.9]`` in points, and the p-value."""
    if found is None:
        return NONE, NONE
    text = f"{100 * found.difference:+.1f}"
    if not math.isnan(found.low):
        text += f" [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"
    return text, p_text(found.p_value)


def p_text(value: float) -> str:
    """A p-value with two digits."""
    return NONE if math.isnan(value) else "< .001" if value < 0.001 else f"{value:.2g}"


def shown(value: float) -> str:
    """A number with three digits."""
    if math.isnan(value):
        return NONE
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def markdown(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
