"""What a folder keeps weights in: safetensors, or something that is not read here."""

from __future__ import annotations

from pathlib import Path

from noisygrpo.errors import require

OTHERS = {
    ".gguf": "GGUF is for inference",
    ".bin": "a pickle can run code",
    ".pt": "a pickle can run code",
    ".pth": "a pickle can run code",
    ".ckpt": "a pickle can run code",
    ".h5": "for TensorFlow",
    ".msgpack": "for Flax",
    ".onnx": "for inference",
}
"""Endings of weights that are not read, and why."""


def other_weights(folder: Path) -> str:
    """Name the weights in a folder that are not read, with the reason; empty without any."""
    found = sorted(path.name for path in folder.iterdir() if path.suffix in OTHERS)
    if not found:
        return ""
    return f"; {found[0]} is not read ({OTHERS[Path(found[0]).suffix]}): take its safetensors"


def require_weights(folder: Path) -> None:
    """See that a model's folder holds safetensors.

    Raises:
        UserError: it does not, naming what it holds in their place.
    """
    require(
        any(
            path.name.endswith((".safetensors", ".safetensors.index.json"))
            for path in folder.iterdir()
        ),
        f"model.path: the folder {str(folder)!r} holds no weights (*.safetensors)"
        f"{other_weights(folder)}",
    )
