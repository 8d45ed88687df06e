"""Rows of a dataset in the example format, with images decoded one batch at a time.

A broken image is a fact about its row, never the end of an evaluation: `Rows.open` raises
`BrokenRow` with the reason, the evaluation counts the row as wrong and lists it. The denominator
stays the number of rows.
"""

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import datasets
from PIL import Image

from noisygrpo.data.images import open_picture
from noisygrpo.errors import UserError, require
from noisygrpo.evaluation.generate import row_length
from noisygrpo.evaluation.pairs import cluster_of
from noisygrpo.evaluation.view import EvaluationView
from noisygrpo.methods.rgb import to_rgb

_COLUMNS = ("prompt", "images", "answer", "example_id")


# What PIL raises for bytes that it cannot read depends on the format's plug-in.
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, zlib.error, Image.DecompressionBombError)


class BrokenRow(Exception):
    """A row that cannot be put before the model; the message says why."""


class Rows:
    """Random access to a ``datasets.Dataset`` or a sequence of dicts in the example format.

    ``view``: what the model sees instead of the clean images.

    Raises ``UserError`` for an empty dataset, a missing column or an ``example_id`` that occurs
    twice (samples are found again, and paired with those of other runs, by their id).
    """

    def __init__(
        self,
        dataset: datasets.Dataset | Sequence[Mapping[str, Any]],
        view: EvaluationView | None = None,
    ) -> None:
        self._view = EvaluationView() if view is None else view
        require(len(dataset) > 0, "evaluation: the dataset has no rows")
        first = dataset[0] if not isinstance(dataset, datasets.Dataset) else dataset.column_names
        for column in _COLUMNS:
            found = ", ".join(sorted(first))
            require(column in first, f"evaluation: column {column!r} is missing, found: {found}")
        self._rows, self._texts = _columns(dataset)
        self._sizes: dict[int, list[tuple[int, int]]] = {}
        self.ids = [str(row["example_id"]) for row in self._texts]
        seen: set[str] = set()
        for index, example_id in enumerate(self.ids):
            require(
                example_id not in seen,
                f"evaluation: row {index}: example_id {example_id!r} occurs twice",
            )
            seen.add(example_id)

    def __len__(self) -> int:
        return len(self._rows)

    def text(self, index: int) -> dict[str, Any]:
        """All columns of a row except its images."""
        return {key: value for key, value in self._texts[index].items() if key != "images"}

    def open(self, index: int) -> dict[str, Any]:
        """A row with the view of its images, RGB. Raises `BrokenRow` if one cannot be read."""
        row = dict(self._rows[index])
        cells = [] if self._view.text_only else row["images"]
        row["images"] = [
            self._view.apply(open_image(cell, position), self.ids[index], position)
            for position, cell in enumerate(cells)
        ]
        return row

    def length(self, index: int) -> tuple[bool, int]:
        """(has images, rough number of tokens): reads image headers, decodes nothing."""
        sizes = [] if self._view.text_only else self.sizes(index)
        return row_length(self._texts[index]["prompt"], sizes)

    def sizes(self, index: int) -> list[tuple[int, int]]:
        """(width, height) of each stored image of a row, from its header; (0, 0) of one that cannot
        be read.
        """
        if index not in self._sizes:
            self._sizes[index] = [_header_size(cell) for cell in self._rows[index]["images"]]
        return self._sizes[index]

    def most_images(self) -> int:
        """The largest number of images of a row."""
        return max(len(self.sizes(index)) for index in range(len(self)))

    def check_images(self) -> None:
        """Raise ``UserError`` if there are images and none can be read: then the folder is wrong,
        not a row.
        """
        if self._view.text_only:
            return
        with_images = [index for index in range(len(self)) if self.sizes(index)]
        if not with_images or any(any(map(any, self.sizes(index))) for index in with_images):
            return
        first = with_images[0]
        try:
            self.open(first)
        except BrokenRow as error:
            raise UserError(
                f"evaluation: of {len(with_images)} rows with images none can be read; "
                f"{self.ids[first]}: {error}. Is the image folder (--image-root) right?"
            ) from error

    def fingerprint(self) -> str:
        """A hash of ids, prompts, answers and the sizes of images, and behind a hyphen one of the
        kinds and clusters, by which answers are judged and counted; without the second where no row
        has any. Two evaluations are comparable sample by sample if it is the same.
        """
        digest, counted = (hashlib.blake2b(digest_size=size) for size in (16, 8))
        named = False
        for index, row in enumerate(self._texts):
            parts = [row["example_id"], row["prompt"], row["answer"], self.sizes(index)]
            parts += [row["pair"]] if row.get("pair") else []
            digest.update(json.dumps(parts).encode())
            kind, cluster = (str(row.get(name) or "") for name in ("kind", "cluster"))
            named |= bool(kind) or cluster not in ("", str(row["example_id"]))
            counted.update(json.dumps([kind, cluster_of(row)]).encode())
        return f"{digest.hexdigest()}-{counted.hexdigest()}" if named else digest.hexdigest()


def open_image(cell: Any, position: int = 0) -> Image.Image:
    """An image cell as an RGB image: a PIL image, a path, ``{bytes, path}``, ``{base64}`` or
    ``{problem}``.

    Raises `BrokenRow` where it cannot be read.
    """
    try:
        if isinstance(cell, Image.Image):
            return to_rgb(cell)
        with _opened(cell) as image:
            image.load()
            return to_rgb(image)
    except UNREADABLE as error:
        raise BrokenRow(f"image {position} cannot be read: {error}") from error


def _opened(cell: Any) -> Image.Image:
    if isinstance(cell, Mapping):
        if "problem" in cell:
            raise OSError(cell["problem"])
        if "base64" in cell:
            return open_picture(base64.b64decode(cell["base64"]))
        return open_picture(
            cell["bytes"] if cell.get("bytes") is not None else str(cell.get("path"))
        )
    return open_picture(cell)


def _header_size(cell: Any) -> tuple[int, int]:
    try:
        if isinstance(cell, Image.Image):
            return cell.size
        with _opened(cell) as image:
            return image.size
    except UNREADABLE:
        return (0, 0)  # `open` will say what is wrong


class _Undecoded(Sequence[dict[str, Any]]):
    """Rows of a dataset with image cells as stored: one broken image must not break its row."""

    def __init__(self, texts: datasets.Dataset, images: datasets.Dataset) -> None:
        self._texts, self._images = texts, images.with_format("arrow")

    def __len__(self) -> int:
        return len(self._texts)

    def __getitem__(self, index: Any) -> Any:
        return {**self._texts[index], "images": self._images[index]["images"][0].as_py()}


def _columns(dataset: datasets.Dataset | Sequence[Mapping[str, Any]]) -> tuple[Any, Any]:
    """The rows with undecoded images, and the rows without any, to read texts alone."""
    if not isinstance(dataset, datasets.Dataset):
        return dataset, dataset
    plain = dataset.with_format(None)  # a transform would decode on every access
    texts = plain.remove_columns("images")
    return _Undecoded(texts, plain.select_columns(["images"])), texts
