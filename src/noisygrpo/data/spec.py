"""The ``data`` section of a recipe: its fields, and what each may say."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from noisygrpo.data.adapters import ADAPTERS
from noisygrpo.errors import UserError, require

TOOLS = {
    "ms-swift": ("messages", "conversations", "query", "alpaca"),
    "llama-factory": ("messages", "conversations", "alpaca"),
    "llava": ("conversations",),
    "sharegpt": ("conversations",),
    "vlm-r1": ("conversations", "columns"),
    "trl": ("prompt", "columns"),
    "verl": ("prompt",),
    "easyr1": ("columns",),
    "geometry3k": ("columns",),
}
"""Tool -> the layouts that its files may have."""

LAYOUTS = ("messages", "conversations", "prompt", "columns", "alpaca", "query")
FORMATS = (*LAYOUTS, *TOOLS)
"""What ``data.format`` may say."""

TRAIN = "train"


@dataclass(frozen=True)
class DataSpec:
    """The ``data`` section of a recipe."""

    source: str | list[str | dict[str, Any]]
    """``playground``, a hub id, a folder, a .parquet, .json, .jsonl, .csv or .tsv file; or several
    of them, as a list of names and ``{source, rows, image_root}`` or a .yaml file with one
    (``parts``)."""
    split: str = TRAIN
    """Split of a hub data set, a folder or the playground; single files have none."""
    config: str = ""
    """Configuration name of a hub data set."""
    format: str = ""
    """Layout of the rows or the tool that they are for, one of ``FORMATS``; "" detects it."""
    adapter: str = ""
    """Name in ``ADAPTERS`` or ``path.py:function``, instead of ``format`` and ``columns``."""
    columns: dict[str, str | list[str] | None] = field(default_factory=dict)
    """Column map: question, image, answer (or answers, of which one suffices), reasoning, id,
    cluster, kind, pair, system, options -> the source's name, or null; of image also a list of
    names, all of whose pictures are shown."""
    cluster_pattern: str = ""
    """Regular expression on the id; its first group (or the match) names the cluster."""
    prompt: str = ""
    """Name in ``PROMPTS`` or a text with ``{question}``; "" is ``think_answer``, except for rows
    whose column ``prompt`` is a conversation: those stay as they are."""
    system: str = ""
    """Name in ``SYSTEMS``, a text, or "" for no system turn; a row's own comes first."""
    limit: int | None = None
    """At most so many examples; all if null."""
    shuffle: bool = False
    """Draw the examples in an order given by ``seed`` instead of the order of the file."""
    seed: int = 0
    """Seed of ``shuffle`` and of the playground."""
    image_root: str = ""
    """Folder that image paths are relative to and may not leave; that of the file if ""."""
    options: dict[str, Any] = field(default_factory=dict)
    """Knobs of the adapter."""
    holdout: float | None = None
    """Share of the examples (of the clusters, where ``columns.cluster`` names them) that is not
    trained on and is the evaluation split ``holdout``; which ones is a function of the row."""
    max_prompt_tokens: int | None = None
    """Longer prompts, images included, are left out of training, and counted."""

    def __post_init__(self) -> None:
        require(bool(self.source), "data.source is empty")
        for name in ("limit", "max_prompt_tokens"):
            value = getattr(self, name)
            require(value is None or value > 0, f"data.{name}: {value} is not a positive number")
        require(
            self.holdout is None or 0 < self.holdout < 1,
            f"data.holdout: {self.holdout}, allowed is a share between 0 and 1, such as 0.1",
        )
        require(
            not self.format or self.format in FORMATS,
            f"data.format: {self.format!r} is not one of {', '.join(FORMATS)}",
        )
        require(
            not self.adapter or self.adapter in ADAPTERS or ".py:" in self.adapter,
            f"data.adapter: {self.adapter!r} is not one of {sorted(ADAPTERS)} or path.py:function",
        )
        for name, column in self.columns.items():
            require(
                not isinstance(column, list) or (name == "image" and bool(column)),
                f"data.columns.{name}: {column!r}, allowed is "
                + ("a column or several" if name == "image" else "the name of one column"),
            )
        for name in ("columns", "format"):
            require(
                not (self.adapter and getattr(self, name)),
                f"data.{name}: the adapter {self.adapter!r} knows its columns; leave it out",
            )
        try:
            re.compile(self.cluster_pattern)
        except re.error as error:
            message = f"data.cluster_pattern: {self.cluster_pattern!r} is no pattern: {error}"
            raise UserError(message) from error
