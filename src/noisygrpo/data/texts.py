"""Text of data files, whatever a spreadsheet or a download made of it, and what kind a file is."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from noisygrpo.data.images import what_it_is
from noisygrpo.errors import UserError, require
from noisygrpo.pointers import SIGNATURE

KINDS = (".parquet", ".json", ".jsonl", ".ndjson", ".csv", ".tsv")
"""Endings of files that are read; those of text also with ``.gz``."""

PACKED = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar")
"""Endings of files that hold others."""

_GZIP = b"\x1f\x8b"
_BOMS = {
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",  # Excel's "Unicode text"
    b"\xfe\xff": "utf-16",
}
_NO_TEXT = (SIGNATURE, b"<!doctype", b"<html", b"<?xml", b"PK\x03\x04")


def kind_of(path: Path) -> str:
    """The one of ``KINDS`` that a file's name says, in any letter case; "" for others."""
    name = path.name.lower()
    kind = Path(name.removesuffix(".gz")).suffix
    return kind if kind in KINDS and not (kind == ".parquet" and name.endswith(".gz")) else ""


def stem_of(path: Path) -> str:
    """The name of a file without its endings."""
    return Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem


def require_data(head: bytes, name: str, kind: str) -> None:
    """Raise ``UserError`` for a file that begins as something else under the name of ``kind``."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:64]
    if any(start.lower().startswith(other.lower()) for other in _NO_TEXT):
        said = what_it_is(start).replace("picture", "data file")
        raise UserError(f"{name}: {said}")
    for mark, ending, called in ((b"PAR1", ".parquet", "parquet"), (_GZIP, ".gz", "gzip")):
        require(
            kind == ending or not start.startswith(mark),
            f"{name}: it is a {called} file: let its name end in {ending}",
        )


def read_text(path: Path, name: str) -> str:
    """The text of a file in UTF-8 (or UTF-16, UTF-32 with a mark), unpacked, lines ending in \\n.

    Raises ``UserError`` for what is no text, with the line; ``name`` is what it calls the file.
    """
    data = path.read_bytes()
    if path.suffix.lower() == ".gz":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"{name}: cannot be unpacked: {error}") from error
    require_data(data[:256], name, kind_of(path))
    encoding = next((said for mark, said in _BOMS.items() if data.startswith(mark)), "")
    require(
        bool(encoding) or b"\0" not in data[:4],
        f"{name}: not a text file in UTF-8 (is it UTF-16?)",
    )
    try:
        text = data.decode(encoding or "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{name} line {line}: not a text file in {(encoding or 'utf-8').upper()} "
            f"({error.reason} at byte {error.start})"
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")
