"""Which rows are trained on and which are measured, so that the two are never the same.

A split that is measured is one that the source has, a file of its own (``evaluation.source``), or
what ``data.holdout`` keeps from training.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from noisygrpo.data.checks import pairs
from noisygrpo.data.parts import Source, said
from noisygrpo.data.readers import Settings, has_splits
from noisygrpo.data.sources import PLAYGROUND, Loaded, load
from noisygrpo.data.spec import TRAIN, DataSpec
from noisygrpo.errors import UserError, require

TEST = "test"
HOLDOUT = "holdout"
"""Name of the split that ``data.holdout`` makes."""


def load_measured(
    data: DataSpec, names: Sequence[str], source: Source | None = None, rows: int | None = None
) -> dict[str, Loaded]:
    """The rows that are measured, by split.

    Args:
        data: the ``data`` section; format, columns and prompt are those of the training data.
        names: ``evaluation.splits``.
        source: ``evaluation.source``; None is that of the training data.
        rows: at most so many of each split. They are drawn with seed 0 whatever ``data.seed`` is,
            so that runs with different seeds are measured on the same rows.

    Raises:
        UserError: for a split that the source does not have, or that is trained on.
    """
    same = source is None or same_source(source, data.source)
    spec = replace(
        data,
        source=source or data.source,
        holdout=data.holdout if same else None,
        limit=rows,
        shuffle=rows is not None and data.source != PLAYGROUND,
        seed=0,
        max_prompt_tokens=None,
    )
    settings = Settings(
        "data.source" if source is None else "evaluation.source", "evaluation.splits"
    )
    for name in names:
        require(names.count(name) == 1, f"evaluation.splits: {name!r} stands twice")
    return {name: _measured(spec, name, names, same, settings) for name in names}


def _measured(
    spec: DataSpec, name: str, names: Sequence[str], same: bool, settings: Settings
) -> Loaded:
    single = spec.source != PLAYGROUND and not has_splits(spec.source)
    # Of a source without splits the rows that are held out may also go by the usual name.
    if name == HOLDOUT or (single and same and spec.holdout and [*names] == [TEST]):
        require(
            spec.holdout is not None,
            f"evaluation.splits: {name!r} is what data.holdout keeps from training; set "
            "data.holdout: 0.1",
        )
        return load(spec, held_out=True, settings=settings)
    if single:
        _check_single(said(spec.source), name, names, same)
        return load(replace(spec, split=TRAIN), settings=settings)
    require(
        not (same and name == spec.split and name != TRAIN),
        f"evaluation.splits: {name!r} is data.split, so it is trained on",
    )
    trained = same and name == spec.split
    return load(
        replace(spec, split=name, holdout=spec.holdout if trained else None), settings=settings
    )


def _check_single(source: str, name: str, names: Sequence[str], same: bool) -> None:
    """See that rows of a source without splits are not called what they are not."""
    if same:
        require(
            name == TRAIN,
            f"evaluation.splits: {name!r}, but {source} has no splits, and its rows are trained "
            f"on; set data.holdout: 0.1 and evaluation.splits: [{HOLDOUT}], or evaluation.source "
            "to another file, or evaluation: null",
        )
        return
    require(
        len(names) == 1,
        f"evaluation.splits: {list(names)}, but {source} has no splits; name one",
    )


def overlap_lines(
    train: Loaded, measured: dict[str, Loaded], other_source: bool = False
) -> list[str]:
    """Lines that name the rows which are trained on and measured: same prompt, same images.

    The split ``train`` of the training data is what it is called; with ``other_source`` the rows
    are those of another file, and it is looked at too.

    Raises ``UserError`` for a split of which every row is trained on.
    """
    if train.seen is None:
        return []
    place = {row.asked: index for index, row in enumerate(train.seen)}
    lines = []
    for name, loaded in measured.items():
        rows = loaded.seen
        if rows is None or (name == TRAIN and not other_source):
            continue
        both = [(i, place[a.asked]) for i, a in enumerate(rows) if a.asked in place]
        if not both:
            continue
        named = pairs(both, loaded.where, train.where)
        if len(both) == len(rows):
            raise UserError(
                f"evaluation.splits: all {len(both):,} rows of {name!r} are trained on: {named}"
            )
        lines.append(
            f"{len(both):,} of {len(rows):,} rows of {name!r} are also trained on: {named}"
        )
    return lines


def same_source(first: Source, second: Source) -> bool:
    """Tell whether two names lead to the same file or folder, or two lists are equal."""
    if not isinstance(first, str) or not isinstance(second, str):
        return first == second
    one, two = Path(first).expanduser(), Path(second).expanduser()
    if one.exists() and two.exists():
        return os.path.samefile(one, two)
    return first == second
