"""JSON files of a run that another program, a full disk or a hand may have damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from noisygrpo.errors import UserError


def read_object(path: Path) -> dict[str, Any]:
    """Return the object that a JSON file holds.

    Raises:
        UserError: naming the file, where it holds anything else or cannot be read as text.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise UserError(f"{path}: is no JSON ({error!s:.100}); it was written whole, and is "
                        "damaged: restore it, or remove it") from error  # fmt: skip
    if not isinstance(found, dict):
        raise UserError(f"{path}: holds {type(found).__name__}, not a JSON object")
    return found
