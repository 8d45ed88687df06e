"""Pictures: which formats are opened, whether they can be read, and how they become RGB.

Checking is cheap: PNG chunks are verified by their checksums, JPEG by its end marker, WebP by the
length that its header gives; only what looks odd, and the rarer formats, are decoded. So a whole
data set is checked before training.
"""

from __future__ import annotations

import os
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from noisygrpo.methods.rgb import to_rgb
from noisygrpo.pointers import SIGNATURE

MAX_IMAGE_PIXELS = 89_478_485
"""More pixels than this (PIL's own warning level, a quarter of a gigabyte as RGB) are refused."""

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
"""What is opened. PIL has forty more readers, some of which run other programs (EPS); pictures of
downloaded data need none of them."""

SIGNATURES = {
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"RIFF": "WEBP",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
}
"""First bytes of the formats that are told from text by them."""

_OTHERS = (
    (b"<svg", "an SVG drawing, which is not read: export it as PNG"),
    (b"<", "a web page or XML, not a picture: was the download refused?"),
    (SIGNATURE, "a pointer of Git LFS, not the picture: run git lfs pull"),
    (b"%PDF", "a PDF, which is not read: export its pages as PNG"),
    (b"%!PS", "PostScript, which is not read: export it as PNG"),
    (b"PK\x03\x04", "a zip archive, not a picture"),
    (b"\x1f\x8b", "gzip-compressed, not a picture"),
    (b"{", "JSON, not a picture: was the download refused?"),
)
"""What stands under a picture's name, by its first bytes."""

_UNREADABLE = (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, zlib.error)
# What PIL's plug-ins raise for bytes they cannot read: PngImagePlugin raises SyntaxError and
# zlib.error, others ValueError or EOFError, the rest OSError.


class ImageProblem(Exception):
    """An image that cannot be used; the message says why, the caller adds file and row."""


def open_picture(data: bytes | str | Path) -> Image.Image:
    """Open bytes or a file lazily, in one of ``FORMATS``; raises what PIL raises."""
    return Image.open(BytesIO(data) if isinstance(data, bytes) else data, formats=FORMATS)


def open_rgb(image: Mapping[str, Any]) -> Image.Image:
    """Decode ``{"bytes", "path"}`` to RGB, turned as its EXIF orientation says.

    Raises ``ImageProblem`` for one that cannot be decoded.
    """
    data = image["bytes"] if image.get("bytes") is not None else str(image["path"])
    with _named(image), open_picture(data) as picture:
        picture.load()
        if picture.getexif().get(ExifTags.Base.Orientation) is not None:
            picture = ImageOps.exif_transpose(picture)
        return to_rgb(picture)


def picture_size(image: Mapping[str, Any]) -> tuple[int, int]:
    """(width, height) of ``{"bytes", "path"}`` as it will be seen, from its header alone.

    Raises ``ImageProblem`` where it has none.
    """
    data = image["bytes"] if image.get("bytes") is not None else str(image["path"])
    with _named(image), open_picture(data) as picture:
        return _seen_size(picture)


def _seen_size(picture: Image.Image) -> tuple[int, int]:
    """(width, height) after turning as the EXIF orientation says."""
    width, height = picture.size
    if "exif" not in picture.info:  # asking a PNG for its EXIF data would decode it
        return width, height
    turned = picture.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
    return (height, width) if turned else (width, height)


class Checked(NamedTuple):
    """A picture that can be read."""

    data: bytes
    """Its file."""
    size: tuple[int, int]
    """(width, height) as it will be seen."""


def check_image(image: Mapping[str, Any]) -> Checked:
    """Raise ``ImageProblem`` unless the image, a struct ``{"bytes", "path"}``, can be read."""
    with _named(image):
        data = image["bytes"] if image["bytes"] is not None else Path(image["path"]).read_bytes()
        return Checked(data, _check_bytes(data))


@contextmanager
def _named(image: Mapping[str, Any]) -> Iterator[None]:
    """Turn what PIL raises into one ``ImageProblem`` that names the file."""
    name = f" ({os.path.basename(image['path'])})" if image.get("path") else ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PIL warns where we raise, and about odd EXIF data
            yield
    except UnidentifiedImageError as error:
        data = image.get("bytes")
        head = data[:64] if data is not None else _head(str(image["path"]))
        raise ImageProblem(f"broken image{name}: {what_it_is(head)}") from error
    except FileNotFoundError as error:
        raise ImageProblem(f"image file {str(image['path'])!r} not found") from error
    except _UNREADABLE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ImageProblem(f"broken image{name}: {reason}") from error
    except Image.DecompressionBombError as error:
        raise ImageProblem(f"image too large{name}: {error}") from error


def _head(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(64)


def what_it_is(head: bytes) -> str:
    """What bytes are that no reader takes for a picture, by their first ones."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for signature, text in _OTHERS:
        if start.startswith(signature.lower()):
            return f"it is {text}"
    if head[4:8] == b"ftyp":
        return "it is HEIC, AVIF or a video, which are not read: convert it to PNG or JPEG"
    known = next((kind for start, kind in SIGNATURES.items() if head.startswith(start)), None)
    if known is not None:
        return f"it begins as {known} but has no readable header"
    return f"it begins with {head[:12]!r}; read are {', '.join(FORMATS)}"


def _check_bytes(data: bytes) -> tuple[int, int]:
    """Raise one of PIL's errors if ``data`` is not a complete image of reasonable size.

    Returns the size as it will be seen.
    """
    if not data:
        raise OSError("the file is empty")
    with open_picture(data) as image:
        width, height = image.size
        if width * height > MAX_IMAGE_PIXELS:
            raise Image.DecompressionBombError(
                f"{width} x {height} pixels, allowed are {MAX_IMAGE_PIXELS:,} in all"
            )
        size = _seen_size(image)
        if image.format == "PNG":
            image.verify()
        elif image.format == "WEBP":
            # RIFF: the length of all that follows the first eight bytes, little-endian.
            if len(data) < 8 + int.from_bytes(data[4:8], "little"):
                raise OSError("image file is truncated")
        elif image.format not in ("JPEG", "MPO") or b"\xff\xd9" not in data[-64:]:
            image.load()
    return size
