"""Whether the data still has the rows that were asked: else a picture would stand beside the wrong
text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from noisygrpo.report.rollouts import Rollouts, turn_of
from noisygrpo.report.sources import Found


def same_rollout(rows: Found, rollouts: Rollouts, place: int) -> bool:
    """Whether the data still has the row that a run asked; ``place``: of ``rollouts.examples``."""
    row = rows.texts(rollouts.examples[place])
    asked = rollouts.prompts[place]
    if row is None:
        return False
    return not isinstance(asked, list) or _same_prompt(row, [turn["text"] for turn in asked])


def same_sample(rows: Found, sample: Mapping[str, Any]) -> bool:
    """Whether the data still has the row that a sample answered: its target, and its question or
    its prompt.
    """
    row = rows.texts(str(sample["example_id"]))
    if row is None or str(row.get("answer")) != str(sample.get("answer")):
        return False
    asked, question = sample.get("prompt"), sample.get("question")
    if question and row.get("question") == question:
        return True
    texts = [turn_of(turn)["text"] for turn in asked] if isinstance(asked, list) else None
    return not question if texts is None else _same_prompt(row, texts)


def _same_prompt(row: Mapping[str, Any], asked: Sequence[str]) -> bool:
    if not isinstance(row.get("prompt"), list):
        return True
    mine = [turn_of(turn)["text"] for turn in row["prompt"] if isinstance(turn, dict)]
    return list(asked)[: len(mine)] == mine
