"""Image cells of rows: whatever a file holds becomes ``{"bytes", "path"}`` structs.

A cell is a path, bytes, base64 text, a data URI, ``{bytes, path}``, ``{image_url}``, ``{image}``,
``{url}`` or ``{path}``, a list of those, or nothing. Nothing is fetched from the network.

Where a path may lead: into the folder of the data, symbolic links resolved, and nowhere else. Rows
are written by others, and what they name is read and kept with the rollouts. ``data.image_root``
names another folder; being named by the user, it may hold links to anywhere.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import datasets
from PIL import Image

from noisygrpo.data.contents import listed
from noisygrpo.data.images import SIGNATURES, ImageProblem, what_it_is
from noisygrpo.data.rows import is_missing

INSIDE = ("image", "image_url", "url", "path")
"""Keys of a mapping under which a cell stands, besides ``bytes``."""

_BASE64 = re.compile(r"[A-Za-z0-9+/_\-\s]+={0,2}\s*")
_DRIVE = re.compile(r"^[A-Za-z]:/+")
_SHOWN = 60
_LONGEST_PATH = 4096


@dataclass(frozen=True)
class Root:
    """The folder that image paths are relative to and may not leave."""

    folder: Path
    given: bool = False
    """Whether the user named it: then links in it may lead out of it."""
    moved: set[str] = field(default_factory=set, compare=False, repr=False)
    """Absolute paths of another machine that were found here by their last folders."""
    _real: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    def find(self, path: str) -> str:
        """The absolute path of an image file. Raises ``ImageProblem`` outside or without it."""
        base = os.path.abspath(self.folder)
        here = path
        if "\\" in path and not os.path.lexists(os.path.join(base, path)):  # written by Windows
            here = _DRIVE.sub("/", path.replace("\\", "/"))
        full = os.path.normpath(os.path.join(base, os.path.expanduser(here)))
        cache = os.path.abspath(datasets.config.HF_CACHE_HOME)
        if self.given and os.path.isabs(here) and not _inside(full, base):
            full = self._found_here(here, base) or full
        if not (_inside(full, base) or _inside(full, cache)):
            above = os.path.dirname(full) or "/"
            raise ImageProblem(
                f"image path {_short(path)} leads outside {base}; data.image_root: "
                + (
                    f"{above} (or a folder above it) would allow it"
                    if os.path.isdir(above)
                    else "the folder of this machine that its last folders are in finds it"
                )
            )
        if not os.path.isfile(full):
            raise ImageProblem(f"image file {_short(path)} not found in {base}")
        if not self.given:
            real = os.path.join(self._real_folder(os.path.dirname(full)), os.path.basename(full))
            real = os.path.realpath(real) if os.path.islink(real) else real
            if not (
                _inside(real, self._real_folder(base)) or _inside(real, self._real_folder(cache))
            ):
                raise ImageProblem(
                    f"image path {_short(path)} is a link to {real}, outside {base}; "
                    f"data.image_root: {base} allows links"
                )
        return full

    def _found_here(self, path: str, base: str) -> str | None:
        """Where the picture of an absolute path lies below ``base``, by its last two folders or
        more: ``/theirs/MM_RLHF/long/1.jpg`` is ``long/1.jpg`` in one's own ``MM_RLHF``.
        """
        names = os.path.normpath(path).strip(os.sep).split(os.sep)
        for start in range(len(names) - 1):
            full = os.path.join(base, *names[start:])
            if os.path.isfile(full):
                self.moved.add(path)
                return full
        return None

    def _real_folder(self, folder: str) -> str:
        if folder not in self._real:
            self._real[folder] = os.path.realpath(folder)
        return self._real[folder]


def _inside(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip(os.sep) + os.sep)


def _short(value: Any) -> str:
    """A value for a message; what is long is cut and counted."""
    text = repr(value)
    return text if len(text) <= 2 * _SHOWN else f"{text[:_SHOWN]}… ({len(text):,} characters)"


def resolve_path(path: str, root: Path | Root) -> str:
    """The absolute path of an image file below ``root``; see ``Root.find``."""
    return (root if isinstance(root, Root) else Root(root)).find(path)


def image_structs(value: Any, root: Root) -> list[dict[str, Any]]:
    """One row's image cell as ``{"bytes", "path"}`` structs, paths absolute.

    Raises ``ImageProblem`` for what is no image.
    """
    value = listed(value)
    items = value if isinstance(value, (list, tuple)) else [value]
    return [struct for item in items if (struct := _struct(item, root)) is not None]


def _struct(item: Any, root: Root) -> dict[str, Any] | None:
    """One image; None where there is none."""
    if is_missing(item) or (isinstance(item, str) and not item.strip()):
        return None
    if isinstance(item, (bytes, bytearray, memoryview)):
        return {"bytes": bytes(item), "path": None}
    if isinstance(item, str):
        return _from_text(item, root)
    if isinstance(item, Mapping):
        return _from_mapping(item, root)
    if isinstance(item, Image.Image):  # of a user's adapter
        file = BytesIO()
        item.save(file, "PNG")
        return {"bytes": file.getvalue(), "path": None}
    raise ImageProblem(
        f"image is {_short(item)}, expected a path, bytes, base64, a data URI, "
        "{bytes, path} or {image_url}"
    )


def _from_mapping(item: Mapping[str, Any], root: Root) -> dict[str, Any] | None:
    data, path = item.get("bytes"), item.get("path")
    if isinstance(data, str) and not data:
        data = None
    if isinstance(data, str):
        decoded = _picture_of_base64(data)
        if decoded is None:
            raise ImageProblem(f"image bytes are {_short(data)}, not base64 of a picture")
        data = decoded
    if data is not None:
        if not isinstance(data, (bytes, bytearray)):
            raise ImageProblem(f"image bytes are {_short(data)}, not binary")
        return {"bytes": bytes(data), "path": path if isinstance(path, str) else None}
    known = [key for key in INSIDE if key in item]
    if not known and "bytes" not in item:
        raise ImageProblem(
            f"image is {_short(dict(item))}, expected one of the keys bytes, {', '.join(INSIDE)}"
        )
    return next((_struct(item[key], root) for key in known if item[key] is not None), None)


def _from_text(text: str, root: Root) -> dict[str, Any]:
    text = text.strip()
    if text[:5].lower() == "data:":
        return {"bytes": _data_uri(text), "path": None}
    if re.match(r"[a-zA-Z][\w+.-]*://", text) and not text.startswith("file://"):
        raise ImageProblem(
            f"image {_short(text)} is a web address: download it and name the file; nothing is "
            "fetched while a run reads its data"
        )
    data = _picture_of_base64(text)
    if data is not None:
        return {"bytes": data, "path": None}
    if len(text) > _LONGEST_PATH:
        raise ImageProblem(f"image is {_short(text)}: neither a path nor base64 of a picture")
    if text.startswith("file://"):
        text = unquote(text.removeprefix("file://"))
    return {"bytes": None, "path": root.find(text)}


def _data_uri(text: str) -> bytes:
    head, comma, body = text.partition(",")
    if not comma or not head.lower().endswith(";base64"):
        raise ImageProblem(f"image {_short(text)} is no data URI in base64")
    data = _decoded(body)
    if data is None:
        raise ImageProblem(f"image {_short(text)}: what follows the comma is not base64")
    return data


def _decoded(text: str) -> bytes | None:
    """Bytes of base64 (either alphabet, white space and missing padding allowed), or None."""
    if not _BASE64.fullmatch(text):
        return None
    compact = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _picture_of_base64(text: str) -> bytes | None:
    """The picture that base64 text holds; None for text that is none, such as a path.

    Long text that decodes to something else is named as such: no path is that long.
    """
    if len(text) < 24:
        return None
    head = _decoded(text[:24])  # 24 characters are 18 bytes
    picture = head is not None and any(head.startswith(start) for start in SIGNATURES)
    if not picture and len(text) <= _LONGEST_PATH:
        return None
    data = _decoded(text)
    if data is not None and not picture:
        raise ImageProblem(f"image is base64 of no picture: {what_it_is(data[:64])}")
    return data
