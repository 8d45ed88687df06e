"""What of a run is kept for the tables: verdicts of every row, dynamics of every step.

``verdicts.parquet``  a line per evaluated row: stage, arm, setting, seed, split, row, pair,
                      cluster, correct (of the pair, where there is one), correct_alone, tokens,
                      calibrated
``dynamics.parquet``  a line per step: stage, arm, setting, seed, step, and the metrics ``METRICS``
                      under their names (docs/glossary.md); null where an arm has none
``runs.parquet``      a line per run that was meant to be made: stage, arm, setting, seed, state
                      (done, failed, missing), why, minutes, tokens, steps, commit, commands

The three lie in the experiment's folder; tables are made from them and nothing else.
"""

import json
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from noisygrpo.errors import require
from noisygrpo.evaluation.samples import read_samples, write_json

from .plan import Job, Run, beside, untrained

VERDICTS, DYNAMICS, RUNS = "verdicts.parquet", "dynamics.parquet", "runs.parquet"

METRICS = (
    "loss",
    "kl",
    "entropy",
    "grad_norm",
    "reward",
    "rewards/accuracy/mean",
    "frac_reward_zero_std",
    "advantage/",
    "noise/reward_slope",
    "reward/level_",
    "view_ratio/token/",
    "visual_dependence",
    "second_view/divergence",
    "groups/",
    "hint/",
    "completions/mean_length",
    "completions/clipped_ratio",
    "num_tokens",
    "step_time",
)
"""Names of metrics, and beginnings of names (those that end in / or _)."""

Frames = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
"""Verdicts, dynamics, runs."""

ADDRESS = ["stage", "arm", "setting", "seed"]
OF_A_ROW = (
    "split",
    "row",
    "pair",
    "cluster",
    "correct",
    "correct_alone",
    "tokens",
    "calibrated",
)


def keep(job: Job, minutes: float) -> None:
    """Write a finished job's parquet files, and last the file that says that it is done."""
    assert job.run is not None
    moment = "calibrated" if job.calibrated else "after"
    frame = verdicts(job.run, job.folder / moment, calibrated=job.calibrated)
    name = f"calibrated-{VERDICTS}" if job.calibrated else VERDICTS
    _write(frame, job.folder / name)
    facts: dict[str, Any] = {"minutes": minutes, "commit": commit(), "commands": job.commands}
    if (job.folder / "metrics.jsonl").is_file() and not job.calibrated:
        steps = dynamics(job.run, job.folder / "metrics.jsonl")
        _write(steps, job.folder / DYNAMICS)
        facts |= {"steps": len(steps), "tokens": float(steps["num_tokens"].max())}
    write_json(job.folder / job.done, facts)


def verdicts(run: Run, folder: Path, *, calibrated: bool) -> pd.DataFrame:
    """The verdicts of an evaluation of several splits, each in a folder of its name."""
    lines = [
        {
            "split": path.parent.name,
            "row": sample["example_id"],
            "pair": sample.get("pair", ""),
            "cluster": sample["cluster"],
            "correct": bool(sample["correct"]),
            "correct_alone": bool(sample.get("correct_alone", sample["correct"])),
            "tokens": int(sample["tokens"]),
        }
        for path in sorted(folder.glob("*/samples.jsonl"))
        for sample in read_samples(path)
    ]
    frame = pd.DataFrame(lines).assign(calibrated=calibrated)
    return _addressed(run, frame[[*OF_A_ROW]])


def dynamics(run: Run, path: Path) -> pd.DataFrame:
    """The metrics of every step."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    steps = [
        {"step": line["step"], **{k: _number(v) for k, v in line.items() if is_kept(k)}}
        for line in lines
        if "grad_norm" in line
    ]
    return _addressed(run, pd.DataFrame(steps))


def is_kept(name: str) -> bool:
    """Whether a metric is kept."""
    return any(name == one or (one[-1] in "/_" and name.startswith(one)) for one in METRICS) or (
        name.startswith("visual_dependence/")
    )


def tokens_of(folder: Path) -> float:
    """Tokens that a run read and sampled in all."""
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return max(float(found) for line in lines if (found := json.loads(line).get("num_tokens")))


def collect(runs: Sequence[Run], out: Path) -> Frames:
    """The three tables of all runs in ``out``; a run that is not there is missing."""
    states = [_state(run, run.folder(out)) for run in runs]
    made = [*map(untrained, dict.fromkeys(run.stage for run in runs)), *runs]
    folders = [run.folder(out) for run in made if (run.folder(out) / "done.json").is_file()]
    names = (VERDICTS, f"calibrated-{VERDICTS}")
    rows = [pd.read_parquet(f / name) for f in folders for name in names if (f / name).is_file()]
    steps = [pd.read_parquet(f / DYNAMICS) for f in folders if (f / DYNAMICS).is_file()]
    return _joined(rows, OF_A_ROW), _joined(steps, ("step",)), pd.DataFrame(states)


def store(frames: Frames, out: Path) -> None:
    """Write the three tables."""
    for frame, name in zip(frames, (VERDICTS, DYNAMICS, RUNS), strict=True):
        _write(frame, out / name)


def read(out: Path, option: str = "--output-dir") -> Frames:
    """The three tables as ``store`` wrote them."""
    for name in (VERDICTS, DYNAMICS, RUNS):
        require((out / name).is_file(), f"{option}: {out} holds no {name}; run a stage first")
    verdicts, dynamics, made = (pd.read_parquet(out / n) for n in (VERDICTS, DYNAMICS, RUNS))
    return verdicts, dynamics, made


def unpack(frames: Frames, out: Path) -> None:
    """What ``keep`` wrote of every run that is done in the tables; runs that are there stay."""
    verdicts, dynamics, made = frames
    for line in made[made["state"] == "done"].itertuples():
        run = Run(*(getattr(line, name) for name in ADDRESS))
        folder = run.folder(out)
        if (folder / "done.json").is_file():
            continue
        for frame, name in ((verdicts, VERDICTS), (dynamics, DYNAMICS)):
            own = (frame[ADDRESS] == [getattr(run, key) for key in ADDRESS]).all(axis=1)
            _write(frame[own].dropna(axis="columns", how="all"), folder / name)
        commands = [shlex.split(words) for words in line.commands.splitlines()]
        facts = {"minutes": line.minutes, "commit": line.commit, "commands": commands}
        write_json(folder / "done.json", facts | {"steps": line.steps, "tokens": line.tokens})


def commit() -> str:
    """The commit of this tree, with a + where files differ from it."""
    here = Path(__file__).parent
    said = [
        subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=False)
        for words in (["rev-parse", "--short=12", "HEAD"], ["status", "--porcelain", "-uno"])
    ]
    return said[0].stdout.strip() + "+" * bool(said[1].stdout.strip())


def _state(run: Run, folder: Path) -> dict[str, Any]:
    line: dict[str, Any] = {name: getattr(run, name) for name in ADDRESS}
    files = {"done": folder / "done.json", "failed": beside(folder, "failed.json")}
    for state, path in files.items():
        if path.is_file():
            return line | _facts(state, json.loads(path.read_text(encoding="utf-8")))
    return line | _facts("missing", {})


def _facts(state: str, facts: dict[str, Any]) -> dict[str, Any]:
    commands = [shlex.join(words) for words in facts.get("commands", [])]
    return {
        "state": state,
        "why": facts.get("why", ""),
        "minutes": float(facts.get("minutes", "nan")),
        "tokens": float(facts.get("tokens", "nan")),
        "steps": float(facts.get("steps", "nan")),
        "commit": facts.get("commit", ""),
        "commands": "\n".join(commands),
    }


def _addressed(run: Run, frame: pd.DataFrame) -> pd.DataFrame:
    address = {name: getattr(run, name) for name in ADDRESS}
    return pd.DataFrame({**{k: [v] * len(frame) for k, v in address.items()}, **dict(frame)})


def _joined(frames: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    if not frames:
        return pd.DataFrame(columns=[*ADDRESS, *columns])
    return pd.concat(frames, ignore_index=True)


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _write(frame: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    frame.to_parquet(temporary, index=False)
    temporary.replace(path)
