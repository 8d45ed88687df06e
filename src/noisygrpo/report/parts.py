"""The data of a page: named parts, each compressed or as it is, and how they stand in files.

A page that opens from disk can ``fetch`` nothing, so a part is either an element of the page (a
script of a type that no browser runs) or a script beside it that hands its content over. What comes
from models and data is JSON in gzip in base64: of its characters none can end an element. Pictures
are compressed already; their parts are plain JSON without ``<``.
"""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass, field
from typing import Any

ZIPPED, PLAIN = "z", "j"


@dataclass
class Parts:
    """Parts by name: kind and ASCII text. Names are ``[a-z0-9/-]+``, made here, never by data."""

    texts: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes that the parts take in a page."""
        return sum(len(text) + len(name) + 60 for name, (_, text) in self.texts.items())

    def add(self, name: str, value: Any) -> None:
        """Add a JSON value, compressed."""
        self.add_zipped(name, zipped(value))

    def add_zipped(self, name: str, data: bytes) -> None:
        """Add what `zipped` returned."""
        self.texts[name] = (ZIPPED, base64.b64encode(data).decode("ascii"))

    def add_pictures(self, name: str, pictures: Any) -> None:
        """Add a JSON value whose bulk are data URIs, as it is."""
        self.texts[name] = (PLAIN, json.dumps(pictures).replace("<", "\\u003c"))

    def elements(self) -> str:
        """The parts as elements of a page."""
        return "\n".join(
            f'<script type="text/plain" data-part="{name}" data-kind="{kind}">{text}</script>'
            for name, (kind, text) in self.texts.items()
        )

    def scripts(self) -> dict[str, str]:
        """File name to a script that hands a part to the page."""
        return {
            f"{file_of(name)}": f"noisygrpoPart({json.dumps([name, kind, text])});\n"
            for name, (kind, text) in self.texts.items()
        }


def file_of(name: str) -> str:
    """The file that a part is in, in the page's folder ``parts``; the page knows the rule."""
    return name.replace("/", "-") + ".js"


def zipped(value: Any) -> bytes:
    """A JSON value as gzip; the same bytes for the same value."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return gzip.compress(text.encode("ascii"), compresslevel=6, mtime=0)


def in_page(data: bytes) -> int:
    """Bytes that compressed data take in a page."""
    return 4 * len(data) // 3 + 80
