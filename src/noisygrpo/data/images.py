"""Images of rows: where they lie, whether they can be read, and how they become RGB.

Checking is cheap: PNG chunks are verified by their checksums and JPEG by their end marker; only
what looks odd is decoded. So a whole data set is checked before training.
"""

from __future__ import annotations

import os
import warnings
import zlib
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

MAX_IMAGE_PIXELS = 89_478_485
"""More pixels than this (PIL's own warning level, a quarter of a gigabyte as RGB) are refused."""

_UNREADABLE = (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, zlib.error)
# What PIL's plug-ins raise for bytes they cannot read: PngImagePlugin raises SyntaxError and
# zlib.error, others ValueError or EOFError, the rest OSError.


class ImageProblem(Exception):
    """An image that cannot be used; the message says why, the caller adds file and row."""


def to_rgb(image: Image.Image) -> Image.Image:
    """Return ``image`` in RGB; the same object if it is RGB already.

    Transparent parts become white (dropping alpha would show the hidden colour, often black on
    black); 16-bit grey is scaled to 8 bits (``convert`` would clip it); of an animation the first
    frame counts.
    """
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _deep_grey_to_rgb(image)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        if rgba.getchannel("A").getextrema() == (255, 255):
            return rgba.convert("RGB")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _deep_grey_to_rgb(image: Image.Image) -> Image.Image:
    """Divide 16-bit integers by 257, multiply floats in [0, 1] by 255; clip to [0, 255]."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float64))
    top = float(values.max(initial=0.0))
    if image.mode.startswith("I") and top > 255:
        values = values / 257
    elif image.mode == "F" and top <= 1:
        values = values * 255
    grey = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return Image.fromarray(grey, "L").convert("RGB")


def resolve_path(path: str, root: Path, also: Sequence[Path] = ()) -> str:
    """Return the absolute path of an image named in a row, relative to ``root``.

    Raises ``ImageProblem`` if the path leaves ``root`` (and every folder of ``also``) or no file is
    there. Symbolic links are followed: download caches are made of them, and whoever can place a
    link can place a file.
    """
    base = os.path.abspath(root)
    full = os.path.normpath(os.path.join(base, path))
    folders = [base, *(os.path.abspath(folder) for folder in also)]
    if not any(full.startswith(folder.rstrip(os.sep) + os.sep) for folder in folders):
        raise ImageProblem(f"image path {path!r} leads outside {base}; data.image_root sets it")
    if not os.path.isfile(full):
        raise ImageProblem(f"image file {path!r} not found in {base}")
    return full


def check_image(image: Mapping[str, Any] | Image.Image) -> None:
    """Raise ``ImageProblem`` unless the image can be read.

    ``image`` is an undecoded struct ``{"bytes", "path"}`` or a PIL image.
    """
    if isinstance(image, Image.Image):
        return
    try:
        data = image["bytes"] if image["bytes"] is not None else Path(image["path"]).read_bytes()
        _check_bytes(data)
    except _UNREADABLE as error:
        name = f" ({os.path.basename(image['path'])})" if image.get("path") else ""
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ImageProblem(f"broken image{name}: {reason}") from error
    except Image.DecompressionBombError as error:
        raise ImageProblem(f"image too large: {error}") from error


def _check_bytes(data: bytes) -> None:
    """Raise one of PIL's errors if ``data`` is not a complete image of reasonable size."""
    if not data:
        raise OSError("the file is empty")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PIL warns where we raise, and about odd EXIF data
        _check_opened(data)


def _check_opened(data: bytes) -> None:
    with Image.open(BytesIO(data)) as image:
        width, height = image.size
        if width * height > MAX_IMAGE_PIXELS:
            raise Image.DecompressionBombError(
                f"{width} x {height} pixels, allowed are {MAX_IMAGE_PIXELS:,} in all"
            )
        if image.format == "PNG":
            image.verify()
        elif image.format != "JPEG" or b"\xff\xd9" not in data[-64:]:
            image.load()
