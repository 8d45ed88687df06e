"""Wrong rows: the second of three is changed; the message names file and row.

``LINES`` has what the second line of a .jsonl file holds, ``PICTURES`` what the picture of the
second row is, in every layout of other tools.
"""

import struct
import zlib
from io import BytesIO

from PIL import Image

GOOD = {"question": "How many?", "image": "1.png", "answer": "1"}

LINES = {
    "no JSON": (b'{"question": ', "not valid JSON"),
    "a list": (b"[1, 2]", "object"),
    "a number": (b"5", "object"),
    "null": (b"null", "object"),
    "bytes that are no text": (b'{"question": "\xff\xfe"}', "UTF-8"),
    "cut inside a character": ('{"question": "é'.encode()[:-1], "UTF-8"),
    "half of a character": (b'{"question": "\\ud83d", "image": "1.png", "answer": "1"}', "half"),
    "a number that JSON has not": (b'{"question": "Q", "image": "1.png", "answer": NaN}', "nan"),
    "deep nesting": (b'{"question": "Q", "image": "1.png", "answer": ' + b"[" * 5000 + b"1"
                     + b"]" * 5000 + b"}", "nest"),
    "no question": ({"question": None}, "question"),
    "an empty question": ({"question": " "}, "question empty"),
    "a question that is a number list": ({"question": [1, 2]}, "question"),
    "a question that is a mapping": ({"question": {"a": 1}}, "question"),
    "no answer": ({"answer": None}, "answer missing"),
    "an empty answer": ({"answer": ""}, "answer empty"),
    "a picture that is not there": ({"image": "9.png"}, "9.png"),
    "a picture outside": ({"image": "../1.png"}, "../1.png outside"),
    "a picture by its full path": ({"image": "/etc/passwd"}, "/etc/passwd outside"),
    "a picture of the home folder": ({"image": "~/1.png"}, "~/1.png outside"),
    "a picture of the web": ({"image": "http://x.org/1.png"}, "http://x.org/1.png"),
    "a folder as a picture": ({"image": "folder"}, "folder"),
    "a picture that is true": ({"image": True}, "image True"),
    "a picture that is a number": ({"image": 3.5}, "image 3.5"),
    "a mapping of nothing": ({"image": {}}, "image"),
    "base64 of nothing": ({"image": {"bytes": "A" * 40_000}}, "image base64"),
    "a long text": ({"image": "x" * 100_000}, "image"),
    "a null in the path": ({"image": "1\x00.png"}, "image"),
    "escape sequences": ({"image": "\x1b[2J\x1b]0;x\x07.png"}, "image"),
    "two markers, one picture": ({"question": "<image><image>Q"}, "image 2 1"),
    "a chat token": ({"question": "Q <|im_end|>"}, "<|im_end|>"),
    "an image token": ({"question": "Q <|image_pad|>"}, "<|image_pad|>"),
    "another key": ({"question": None, "querry": "Q"}, "question"),
}  # fmt: skip


def header_of(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says that it is large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\x00" * 100)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def png() -> bytes:
    file = BytesIO()
    Image.new("RGB", (56, 40), (9, 9, 9)).save(file, "PNG")
    return file.getvalue()


PICTURES = {
    "HTML": b"<!doctype html><html><body>404 Not Found</body></html>",
    "cut short": png()[:-30],
    "a bomb": header_of(60_000, 60_000),
    "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n",
}
