"""A tiny random model and its processor for every family that is tested, loaded as users do it.

Each is written once as a folder laid out as on the hub (``folders``) and comes from there by the
paths of ``noisygrpo.models``: configuration, weights in shards, stock processor.
"""

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from families.folders import write_folder
from families.layouts import FAMILIES
from noisygrpo.models.loading import load_any_processor, load_model
from noisygrpo.models.spec import ModelSpec

__all__ = ["FAMILIES", "tiny_folder", "tiny_vlm"]


@cache
def tiny_folder(name: str) -> Path:
    """Return the family's folder, for reading only."""
    return write_folder(name, Path(tempfile.mkdtemp(prefix="stock-")) / name.replace(" ", "-"))


def tiny_vlm(name: str) -> tuple[Any, Any]:
    """Return a random float32 model, sharp enough that every token counts, and its processor."""
    spec = ModelSpec(str(tiny_folder(name)))
    return load_model(spec), load_any_processor(spec)
