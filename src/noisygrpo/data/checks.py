"""Checks of whole data sets before training: every text and every image, cheaply."""

from __future__ import annotations

import sys
from collections.abc import Callable

import datasets
from tqdm import tqdm  # type: ignore[import-untyped]

from noisygrpo.data.example import KEYS, check_prompt
from noisygrpo.data.images import ImageProblem, check_image
from noisygrpo.errors import UserError, require

BAR_FROM = 3000
"""More rows than this get a progress bar while their images are checked."""

SHOWN = 5
"""So many bad rows are named; the rest are counted."""


def check_all_images(data: datasets.Dataset, where: Callable[[int], str]) -> None:
    """Raise ``UserError`` naming the rows with images that cannot be read.

    ``where`` names row i of ``data`` as a person would find it. Nothing is decoded that does not
    look odd; see ``images``.
    """
    images = data.with_format("arrow").select_columns("images")
    hidden = len(images) < BAR_FROM or not sys.stderr.isatty()
    problems = []
    with tqdm(total=len(images), desc="checking images", leave=False, disable=hidden) as bar:
        for batch in images.iter(batch_size=100):
            for structs in batch.column("images").to_pylist():
                try:
                    for struct in structs:
                        check_image(struct)
                except ImageProblem as problem:
                    problems.append(f"{where(bar.n)}: {problem}")
                bar.n += 1
            bar.refresh()
    if problems:
        more = f"\n... and {len(problems) - SHOWN} more rows" if len(problems) > SHOWN else ""
        raise UserError("\n".join(problems[:SHOWN]) + more)


def validate_examples(data: datasets.Dataset, name: str = "examples") -> None:
    """Check a data set that claims the example format: keys, texts, unique ids, images.

    ``load_examples`` has done this already for what it returns; use it for rows made elsewhere.
    Raises ``UserError`` naming ``name`` and the row.
    """
    missing = [key for key in KEYS if key not in data.column_names]
    require(not missing, f"{name}: missing columns {missing}; an example has {list(KEYS)}")
    require(len(data) > 0, f"{name}: the data set has no rows")
    seen: dict[str, int] = {}
    for index, row in enumerate(data.remove_columns("images")):
        where = f"{name} row {index}"
        for key in ("answer", "example_id", "cluster"):
            text = row[key]
            require(isinstance(text, str) and bool(text.strip()), f"{where}: {key} is {text!r}")
        check_prompt(row["prompt"], where)
        other = seen.setdefault(row["example_id"], index)
        require(other == index, f"{where}: example_id {row['example_id']!r} is also row {other}'s")
    check_all_images(data, lambda index: f"{name} row {index}")
