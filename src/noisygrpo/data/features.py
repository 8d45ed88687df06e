"""Column types of examples beyond those of the datasets library.

``RgbImage`` opens pictures of the allowed formats alone, as RGB. ``Exact`` keeps any JSON value as
it was: a column may hold ``"B"``, ``3`` and ``[10, 20, 30, 40]``, or a turn's content that is text
in one row and a list of parts in another, which Arrow itself cannot.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import datasets
import pyarrow as pa
from PIL import Image as PILImage

from noisygrpo.data.images import open_rgb


class RgbImage(datasets.Image):
    """An image column that decodes to RGB, with transparent parts white (``images.to_rgb``).

    Stored as the plain ``Image(mode="RGB")`` of the datasets library.
    """

    def decode_example(
        self, value: Any, token_per_repo_id: dict[str, Any] | None = None
    ) -> PILImage.Image:
        """Decode one ``{"bytes", "path"}`` struct; an image is given back as it is."""
        return open_rgb(value) if isinstance(value, dict) else value


@dataclass
class Exact:
    """A column of JSON values: text, numbers, booleans, null, lists and mappings, in any mixture.

    Stored as JSON text. (The datasets library's ``Json`` takes the text ``"3"`` for a number when a
    row is written again.)
    """

    id: str | None = field(default=None, repr=False)
    pa_type: ClassVar[Any] = pa.string()
    _type: str = field(default="Exact", init=False, repr=False)

    def __call__(self) -> pa.DataType:
        """The Arrow type of the storage."""
        return self.pa_type

    def encode_example(self, value: Any) -> str:
        """A value as it is stored."""
        return json.dumps(value, ensure_ascii=False)

    def decode_example(self, value: str, token_per_repo_id: dict[str, Any] | None = None) -> Any:
        """A stored value as it was."""
        return json.loads(value)


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the library calls its registration experimental
    datasets.features.features.register_feature(Exact, "Exact")


def column_of(values: Sequence[Any]) -> tuple[Any, pa.Array]:
    """Feature and Arrow array of Python values: a plain type where all agree, else ``Exact``.

    Raises ``TypeError`` for a value that JSON cannot hold, such as a date in a mixed column.
    """
    kinds = {type(value) for value in values if value is not None}
    plain = {str: "string", bool: "bool", float: "float64", int: "int64"}
    if not kinds:
        return datasets.Value("string"), pa.array(values, pa.string())
    if len(kinds) == 1 and (name := plain.get(next(iter(kinds)))):
        try:
            array = pa.array(values, datasets.Value(name)())
            return datasets.Value(name), array
        except (OverflowError, pa.ArrowInvalid):  # an integer beyond 64 bits, a lone surrogate
            pass
    feature = Exact()
    texts = [None if value is None else feature.encode_example(value) for value in values]
    return feature, pa.array(texts, pa.string())
