"""Where the tokens of a completion are in its text, for what is logged by token."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def find_tokenizer(folder: Path) -> Any:
    """The ``tokenizers.Tokenizer`` of a run's model; None where its folder holds none."""
    from tokenizers import Tokenizer

    places = [folder / "checkpoint", folder / "best", *sorted(folder.glob("checkpoint-*"))]
    for path in (place / "tokenizer.json" for place in places):
        if path.is_file():
            return Tokenizer.from_file(str(path))
    return None


def token_ends(tokenizer: Any, text: str, hint: str, count: int) -> list[int] | None:
    """Where each of ``count`` tokens ends in ``text``, in UTF-16 units as a browser counts.

    A completion is sampled token by token, and its text may have another division; where their
    number is not the same (the token that ended it apart), nobody knows, and None is returned.
    """
    if tokenizer is None:
        return None
    skipped = len(hint) if hint and text.startswith(hint) else 0
    offsets = tokenizer.encode(text[skipped:], add_special_tokens=False).offsets
    if not count - 1 <= len(offsets) <= count:
        return None
    ends = [skipped + end for _, end in offsets]
    ends += [len(text)] * (count - len(ends))
    if text.isascii():
        return ends
    units = [0]
    for letter in text:
        units.append(units[-1] + (2 if ord(letter) > 0xFFFF else 1))
    return [units[end] for end in ends]
