"""What a script hands the trainer, in the form that the trainer works with.

TRL trains on pictures in more forms than decoded ones, and tells functions of one name apart by
nothing; recipes, which ``data`` and ``rewards`` read, have neither.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
from datasets import Dataset

from noisygrpo.data.features import RgbImage
from noisygrpo.errors import require
from noisygrpo.rewards.load import REWARDS, load_rewards
from noisygrpo.terminal import note
from noisygrpo.training.views.plan import IMAGE_COLUMNS
from noisygrpo.user_code import is_user_function


def decoded(data: Any) -> Any:
    """Return the data set with pictures in the place of paths, bytes and undecoded images.

    They are opened where a row is used. What is no ``datasets.Dataset`` is returned as it is, and
    so is one whose pictures are decoded; of a mapping (TRL's ``eval_dataset``) each value counts.

    Raises:
        UserError: a path leads to no file; it names row, column and path.
    """
    if isinstance(data, Mapping) and not isinstance(data, Dataset):
        return {name: decoded(one) for name, one in data.items()}
    if not isinstance(data, Dataset):
        return data
    for column in IMAGE_COLUMNS:
        feature = data.features.get(column)
        opened = _opened(feature)
        if opened is None:
            continue
        for row, path in _paths(data.with_format(None), column, feature):
            require(
                Path(path).is_file(),
                f"dataset: row {row}, column {column!r}: no file {path!r}; paths are meant from "
                "the working folder",
            )
        data = data.cast_column(column, opened)
    return data


def _opened(feature: Any) -> Any:
    """The type of a column of pictures that are to be opened; None where nothing is to be done."""
    if isinstance(feature, (datasets.List, datasets.LargeList)):
        inner = _opened(feature.feature)
        return None if inner is None else datasets.List(inner)
    if isinstance(feature, datasets.Image):
        return None if feature.decode else RgbImage()
    if isinstance(feature, datasets.Value):
        held = feature.pa_type
        texts = pa.types.is_string(held) or pa.types.is_large_string(held)
        return RgbImage() if texts or pa.types.is_binary(held) else None
    return RgbImage() if isinstance(feature, dict) and {*feature} == {"bytes", "path"} else None


def _paths(data: Dataset, column: str, feature: Any) -> Iterator[tuple[int, str]]:
    """Every path of a column of text, each once, with the first row that has it."""
    inner = getattr(feature, "feature", feature)
    if not isinstance(inner, datasets.Value) or "string" not in inner.dtype:
        return
    seen: set[str] = set()
    for row, cell in enumerate(data[column]):
        for path in [cell] if isinstance(cell, str) else cell or []:
            if path is not None and path not in seen:
                seen.add(path)
                yield row, path


def rewards(functions: Any) -> Any:
    """Return what TRL takes, with functions in the place of the names that recipes have for them.

    A name of ours or ``path.py:function`` is such a one, unless a folder is called so; any other
    text is a model's, as in TRL. The caller's list stays as it is.

    Raises:
        UserError: a function cannot be loaded.
    """
    if not isinstance(functions, list):
        return _reward(functions)
    return [_reward(one) for one in functions]


def _reward(one: Any) -> Any:
    named = isinstance(one, str) and (one in REWARDS or is_user_function(one))
    return load_rewards([one])[0][0] if named and not Path(one).is_dir() else one


def unique(names: Sequence[str]) -> list[str]:
    """Return names of which none occurs twice, as records and metrics are kept by them.

    The first of a name keeps it; a notice says what the others are called.
    """
    made: list[str] = []
    for name in names:
        number = 2
        free = name
        while free in made or (free != name and free in names):
            free, number = f"{name}-{number}", number + 1
        if free != name:
            note(f"rewards: two functions are called {name!r}; one is {free!r} in the records")
        made.append(free)
    return made
