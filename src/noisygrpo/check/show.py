"""``noisygrpo check --show DIR``: one batch as a page, before anything is paid.

The first rows with what each of their rollouts is sampled on, beside the picture that it is scored
on, and what each costs in tokens. Where the noise fades out over the run, the batch is shown at the
first, the middle and the last step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from noisygrpo.errors import UserError
from noisygrpo.evaluation.generate import build_inputs
from noisygrpo.methods.noise import fit_pixels
from noisygrpo.models.loading import load_config
from noisygrpo.models.vision import noise_limits, vision_token_ids
from noisygrpo.report.look import Look, write_look
from noisygrpo.report.rollouts import Reader
from noisygrpo.report.views import redraw_all
from noisygrpo.runs.console import describe
from noisygrpo.runs.prepare import Prepared
from noisygrpo.training.records.recorder import noise_of
from noisygrpo.training.rollout import Rollout, row_images
from noisygrpo.training.views.plan import plan_batch, scale_at
from noisygrpo.training.views.second import SecondView

Row = Mapping[str, Any]


def show_batch(prepared: Prepared, rows: Sequence[Row], folder: Path) -> Path:
    """Write the page of the rows into ``folder``; returns its path.

    Raises:
        UserError: an image that cannot be drawn on.
    """
    reader, second = Reader(), second_views(prepared)
    costs = Costs(prepared)
    tokens: list[tuple[int, int]] = []
    compared: dict[tuple[int, str], list[Image.Image]] = {}
    for step in steps_shown(prepared):
        for rollout in planned(prepared, rows, step):
            images = fitted(prepared, row_images(rollout.row))
            record = _record(rollout, prepared, images)
            views = redraw_all(record, images, own_code=True)
            tokens.append(costs.of(rollout.row, views))
            reader.add({**record, "completion_tokens": tokens[-1][1]})
            if second is not None and rollout.index == 0:
                compared[rollout.step, rollout.example_id] = second.pictures(rollout, images)
    by_id = {str(row["example_id"]): row for row in rows}
    scored = {n: costs.of(row, fitted(prepared, row_images(row))) for n, row in by_id.items()}
    look = Look(
        title=f"{prepared.recipe.name}: one batch",
        lines=[tuple(line.split(maxsplit=1)) for line in describe(prepared) if line[:1] != " "],
        rollouts=reader.finish(),
        rows=by_id,
        tokens=tokens,
        scored=scored,
        score_view=str(prepared.config.score_view),
        second=f"{prepared.config.second_view}, level {prepared.config.second_level}",
        compared=compared,
    )
    try:
        return write_look(look, folder / "index.html")
    except OSError as error:
        raise UserError(f"--show: {folder} cannot be written: {error.strerror}") from error


def steps_shown(prepared: Prepared) -> list[int]:
    """The first step; where noise fades, a middle and the last one too."""
    last = prepared.batch.updates
    fades = prepared.config.noisy and prepared.config.noise_decay != "none"
    return sorted({1, (last + 1) // 2, last}) if fades else [1]


def planned(prepared: Prepared, rows: Sequence[Row], step: int) -> Iterator[Rollout]:
    """The rollouts of each row at a step, as training plans them."""
    config = prepared.config
    group, scale = config.num_generations, scale_at(config, step - 1, prepared.batch.updates)
    for row in rows:
        yield from plan_batch(
            config, [dict(row)] * group, first=0, group=group, step=step, scale=scale
        )


def second_views(prepared: Prepared) -> SecondView | None:
    """What draws the pictures that completions are compared with; None where there are none."""
    config = prepared.config
    if config.second_view in (None, "none", "text"):
        return None
    return SecondView(str(config.second_view), float(config.second_level or 0), (), 0)


def fitted(prepared: Prepared, images: Sequence[Image.Image]) -> list[Image.Image]:
    """The images in the pixels in which noise is drawn on them (``noise_at``)."""
    config = prepared.config
    limits = noise_limits(config.noise_at, prepared.processor) if config.noisy else None
    return list(images) if limits is None else [fit_pixels(image, *limits) for image in images]


def _record(rollout: Rollout, prepared: Prepared, images: Sequence[Image.Image]) -> dict[str, Any]:
    return {
        "step": rollout.step,
        "example_id": rollout.example_id,
        "rollout_index": rollout.index,
        "prompt": rollout.row["prompt"],
        "noise_level": rollout.view.level,
        **noise_of(prepared.config),
        "noise_size": [list(image.size) for image in images],
        "noise_seed": rollout.seeds(len(row_images(rollout.row))),
        "completion": "",
        "advantage": None,
    }


class Costs:
    """Tokens of a row's images, with their markers, and of its prompt; by the sizes of its images.

    How many tokens a picture is depends on its size alone.
    """

    def __init__(self, prepared: Prepared) -> None:
        """Take processor and model; nothing is loaded but their settings."""
        self._processor = prepared.processor
        config = load_config(prepared.recipe.model).to_dict()
        self._vision = torch.tensor(vision_token_ids(config, self._processor.tokenizer))
        self._known: dict[Any, tuple[int, int]] = {}

    def of(self, row: Row, images: Sequence[Image.Image]) -> tuple[int, int]:
        """Return tokens of the images and of the whole prompt."""
        key = (str(row["example_id"]), *(image.size for image in images))
        if key not in self._known:
            ids = build_inputs(self._processor, [{**row, "images": list(images)}])["input_ids"][0]
            self._known[key] = int(torch.isin(ids, self._vision).sum()), len(ids)
        return self._known[key]
