"""Which processor a run used, written into its folder and compared by whoever goes on with it.

Pillow and torchvision scale images by different code, and so may two releases of either: a model
that was trained on the pixels of one is not told so when it is evaluated on the other's. How far
they differ is in ``docs/models.md``.
"""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import Any

from noisygrpo.models.processors import WithoutVideo, say_once

FACTS_FILE = "processor.json"
"""Where a run's folder says which processor it used."""


def processor_facts(processor: Any) -> dict[str, str]:
    """What pixels and tokens depend on: classes, what draws, and the versions."""
    images = type(processor.image_processor).__name__
    backend = getattr(processor.image_processor, "backend", None) or images
    drawn = {"pil": "pillow"}.get(str(backend), str(backend))
    return {
        "processor": type(processor).__name__,
        "image_processor": images,
        "tokenizer": type(processor.tokenizer).__name__,
        "images": drawn,
        "videos": "no" if isinstance(processor, WithoutVideo) else "stock",
        **{name: _version(name) for name in ("pillow", "torchvision", "transformers")},
    }


def write_facts(folder: Path, processor: Any) -> None:
    """Say in a run's folder which processor it uses."""
    text = json.dumps(processor_facts(processor), indent=2) + "\n"
    (folder / FACTS_FILE).write_text(text, encoding="utf-8")


def compare_facts(folder: Path, processor: Any) -> None:
    """Say in one line where a run's folder tells of another processor; silent without a record."""
    try:
        before = json.loads((folder / FACTS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    now = processor_facts(processor)
    changed = [
        f"{key} was {before[key]}, is {value}"
        for key, value in now.items()
        if isinstance(before, dict) and key in before and before[key] != value
    ]
    if changed:
        say_once(f"the processor is not the one that {folder} was made with: {'; '.join(changed)}")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
