"""What a run leaves on disk while it trains: ``rollouts.jsonl`` (or parquet) and ``metrics.jsonl``.

One JSON object a line, written by the main process, flushed line by line, so a run that dies keeps
what it had. A reward or metric that is not a number is ``null``.
"""

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from noisygrpo.terminal import say
from noisygrpo.training.rollout import Rollout, row_images

METRICS_FILE = "metrics.jsonl"
ROLLOUTS_FILE = "rollouts.jsonl"
ROLLOUTS_FOLDER = "rollouts"

LINE_BREAKS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}
"""Characters that JSON does not escape but ``str.splitlines`` breaks at; models do write them."""


def jsonable(value: Any) -> Any:
    """Return the value with NaN and infinities as ``None``, inside lists and mappings too."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    return value


def append_lines(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Append one JSON line per record."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # What a tool answers is written as text where JSON has no form for it.
    lines = (json.dumps(jsonable(record), ensure_ascii=False, default=str) for record in records)
    with path.open("a", encoding="utf-8") as file:
        file.writelines(line.translate(LINE_BREAKS) + "\n" for line in lines)


def drop_steps_after(folder: Path, step: int) -> None:
    """Keep only what was logged up to a step: a resumed run does the later ones again."""
    for name in (METRICS_FILE, ROLLOUTS_FILE):
        if (folder / name).exists():
            _drop_lines_after(folder / name, step)
    for path in _tables(folder):
        if int(path.stem.split("-")[1]) > step:
            path.unlink()


def last_step(folder: Path) -> int:
    """Return the last step of which a run's folder has rollouts; 0 without any."""
    steps = [int(path.stem.split("-")[1]) for path in _tables(folder)]
    if (folder / ROLLOUTS_FILE).exists():
        with (folder / ROLLOUTS_FILE).open("rb") as file:
            steps += [step for line in file if (step := _step_of(line)) is not None]
    return max(steps, default=0)


def say_lost(folder: Path, step: int) -> None:
    """Say where a folder has no rollouts though ``step`` steps were done."""
    if last_step(folder) == 0:
        where = folder / ROLLOUTS_FILE
        say(f"{where}: the rollouts of steps 1 to {step} are gone; the run goes on", error=True)


def say_replaced(folder: Path, step: int) -> None:
    """Say where a run that begins anew takes the place of another one's rollouts."""
    if step == 0 and (steps := last_step(folder)):
        say(f"{folder}: the rollouts of an earlier run, {steps} steps, are replaced", error=True)


def _tables(folder: Path) -> Iterator[Path]:
    return (folder / ROLLOUTS_FOLDER).glob("step-*.parquet")


def _drop_lines_after(path: Path, step: int) -> None:
    """Replace the file in one go, so that a crash leaves the old or the new one.

    A last line that a crash cut short is dropped; any other that cannot be read is too, and said.
    """
    kept, lost = [], []
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        found = _step_of(line)
        if found is not None and found <= step:
            kept.append(line + b"\n")
        elif found is None and line:
            lost.append(number)
    if lost and (len(lost) > 1 or lost[0] <= len(kept)):
        places = ", ".join(map(str, lost[:5]))
        say(f"{path.name}: {len(lost)} lines cannot be read and are left out: {places}", error=True)
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        file.writelines(kept)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _step_of(line: bytes) -> int | None:
    """Return the step of a line of a log; None where there is no such line."""
    try:
        step = json.loads(line.decode("utf-8"))["step"]
    except (ValueError, TypeError, KeyError):
        return None
    return step if isinstance(step, int) else None


def write_rollouts(
    output_dir: Path, format: str, name: str, records: Sequence[Mapping[str, Any]]
) -> None:
    """Keep the rollouts of one generation batch, one record each.

    ``format``: ``jsonl`` (appended to one file), ``parquet`` (a file per batch, called ``name``)
    or ``none``.
    """
    if format == "jsonl":
        append_lines(output_dir / ROLLOUTS_FILE, records)
    elif format == "parquet":
        folder = output_dir / ROLLOUTS_FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        frame = pd.DataFrame([jsonable(record) for record in records])
        if "turns" in frame:  # messages of many forms have no common type
            frame["turns"] = [json.dumps(turns, default=str) for turns in frame["turns"]]
        frame.to_parquet(folder / f"{name}.parquet")


def record(
    rollout: Rollout,
    end_tokens: set[int],
    turns: bool = False,
    noise: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a finished rollout as a line of the file.

    Args:
        rollout: with its completion, rewards and advantage.
        end_tokens: those that end a completion; without one it was cut off.
        turns: write the messages of the completion as well, for there may be several.
        noise: the run's ``noise_kind``, and ``noise_knobs`` where it has any, with which a view can
            be drawn again (``report.views``).
    """
    ids = rollout.completion_ids
    line = {
        "step": rollout.step,
        "example_id": rollout.example_id,
        "rollout_index": rollout.index,
        "prompt": rollout.row.get("prompt") if rollout.prompt is None else rollout.prompt,
        **rollout.columns(),
        "noise_kind": None,
        **((noise or {}) if rollout.noisy else {}),
        "noise_seed": rollout.seeds(len(row_images(rollout.row))),
        "noise_size": [list(size) for size in rollout.sizes],
        "pictures": {"sampled": [*rollout.seen], "scored": [*rollout.scored]},
        "image_tokens": rollout.image_tokens,
        "completion": rollout.completion,
        "completion_tokens": len(rollout.sampled_ids),
        "truncated": len(ids) == 0 or ids[-1] not in end_tokens,
        "rewards": rollout.rewards,
        "reward": rollout.reward,
        "unscorable": rollout.unscorable,
        "gain": rollout.gain,
        "advantage": rollout.advantage,
    }
    if rollout.dependence is not None:
        line["visual_dependence"] = rollout.dependence
    return line | {"turns": rollout.turns} if turns else line
