"""What a run leaves on disk while it trains: ``rollouts.jsonl`` (or parquet) and ``metrics.jsonl``.

One JSON object a line, written by the main process, flushed line by line, so a run that dies keeps
what it had. A reward or metric that is not a number is ``null``.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

METRICS_FILE = "metrics.jsonl"
ROLLOUTS_FILE = "rollouts.jsonl"
ROLLOUTS_FOLDER = "rollouts"


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
    text = "".join(json.dumps(jsonable(record), ensure_ascii=False) + "\n" for record in records)
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def write_rollouts(
    output_dir: Path, format: str, step: int, records: Sequence[Mapping[str, Any]]
) -> None:
    """Keep the rollouts of one generation batch; ``format`` is jsonl, parquet (a file a step) or none."""
    if format == "jsonl":
        append_lines(output_dir / ROLLOUTS_FILE, records)
    elif format == "parquet":
        folder = output_dir / ROLLOUTS_FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        part = len(list(folder.glob(f"step-{step:06d}*.parquet")))
        name = f"step-{step:06d}{f'-{part}' if part else ''}.parquet"
        pd.DataFrame([jsonable(record) for record in records]).to_parquet(folder / name)
