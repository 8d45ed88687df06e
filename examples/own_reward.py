"""A reward of your own: 1 for a completion of at most ``LIMIT`` characters, less the longer it is.

The signature is TRL's: lists of prompts and completions, and every column of the data by name. A
completion is a conversation of one turn. ``None`` would mean "cannot be scored".
"""

from typing import Any

LIMIT = 600


def brief(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float | None]:
    """Reward brevity."""
    lengths = [len(completion[0]["content"]) for completion in completions]
    return [min(1.0, LIMIT / max(length, 1)) for length in lengths]
