"""TRL's table of completions with what each rollout saw, for trackers and the terminal.

TRL prints it and sends it to wandb and trackio (``log_completions``). Tensorboard gets it here, and
wandb the pictures.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from accelerate.utils import gather_object
from PIL import Image
from transformers import TrainerCallback, TrainerState
from transformers.integrations import TensorBoardCallback

from noisygrpo.terminal import one_line, printable
from noisygrpo.training.batch import Batch
from noisygrpo.training.rollout import Rollout, row_images

ROWS = 16
"""Rows that tensorboard is sent, unless ``num_completions_to_print`` says otherwise."""

TILE = 160
"""Pixels of a side that a picture in tensorboard fits into."""

GAP = 4
"""Pixels between pictures."""

COMPLETIONS, PICTURES = "completions", "completions/pictures"
"""What tensorboard calls the table and its pictures, and wandb the pictures."""


def complete(logs: Mapping[str, Any], batch: Batch, *, images: bool, hinted: bool) -> None:
    """Make TRL's table one that can be written and printed, and say what each rollout saw.

    Prompts are of texts, with ``<image>`` where one stands (wandb refuses a table whose contents
    are lists of parts), without what would steer a terminal. There are columns for example, noise
    level and, with ``hinted``, hint level; with ``images`` the row's images, the noisy view behind
    them. Every process takes part.
    """
    prompts, completions = logs["prompt"], logs["completion"]
    for texts in (prompts, completions):
        texts.extend([_plain(texts.popleft()) for _ in range(len(texts))])
    for line in gather_object([_columns(one, hinted) for one in batch.rollouts]):
        for name, value in line.items():
            logs["extra"][name].append(value)
    if images and batch.shown is not None:
        logs["images"].extend(gather_object(_seen(batch)))


def _columns(rollout: Rollout, hinted: bool) -> dict[str, Any]:
    columns = {"example_id": rollout.example_id, "noise_level": rollout.view.level}
    return columns | ({"hint_level": rollout.hint.level} if hinted else {})


def _seen(batch: Batch) -> list[list[Image.Image]]:
    views = batch.shown.images if batch.shown is not None else None
    return [
        [*row_images(rollout.row), *(views[number] if rollout.noisy and views else [])]
        for number, rollout in enumerate(batch.rollouts)
    ]


def _plain(value: Any) -> Any:
    """A text, or messages whose contents are texts."""
    if isinstance(value, str):
        return printable(value)
    return [{**message, "content": _words(message.get("content"))} for message in value]


def _words(content: Any) -> str:
    """A content as text; of several parts each on a line of its own."""
    if isinstance(content, list):
        parts = (part.get("text", f"<{part['type']}>") for part in content)
        return printable("\n".join(map(str, parts)))
    return printable("" if content is None else str(content))


class TensorBoardTable(TrainerCallback):
    """Sends the table and its pictures to tensorboard at every log."""

    def __init__(self, logs: Mapping[str, Any], rows: int | None, board: TensorBoardCallback):
        self._logs, self._rows, self._board = logs, rows or ROWS, board

    def on_log(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        """Write text and pictures of the first rollouts of the batch."""
        writer = self._board.tb_writer
        if writer is None or not self._logs["prompt"] or "train_runtime" in kwargs["logs"]:
            return
        writer.add_text(COMPLETIONS, markdown(self._logs, self._rows), state.global_step)
        pictures = list(self._logs["images"])[: self._rows]
        if any(pictures):
            sheet = np.asarray(contact_sheet(pictures))
            writer.add_image(PICTURES, sheet, state.global_step, dataformats="HWC")


class WandbPictures(TrainerCallback):
    """Sends pictures to wandb at every log: in TRL's table their lists become the word "Image"."""

    def __init__(self, logs: Mapping[str, Any], rows: int | None):
        self._logs, self._rows = logs, rows or ROWS

    def on_log(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        """Send clean picture and view of the first rollouts beside each other, with a caption."""
        pictures = list(self._logs["images"])[: self._rows]
        if (
            not state.is_world_process_zero
            or not any(pictures)
            or "train_runtime" in kwargs["logs"]
        ):
            return
        import wandb

        if wandb.run is not None:
            captions = self._captions()
            sheets = [
                wandb.Image(contact_sheet([images]), caption=caption)
                for images, caption in zip(pictures, captions, strict=False)
                if images
            ]
            wandb.log({PICTURES: sheets}, commit=False)

    def _captions(self) -> list[str]:
        extra, advantages = self._logs["extra"], self._logs["advantages"]
        columns = extra["example_id"], extra["noise_level"], advantages
        return [
            f"{one_line(str(example))} · level {level:g} · advantage {advantage:.2f}"
            for example, level, advantage in zip(*columns, strict=False)
        ]


def markdown(logs: Mapping[str, Any], rows: int) -> str:
    """Return the first rows of the table; what models say is in code, so that it stays text."""
    names = ["prompt", "completion", *logs["rewards"], *logs["extra"], "advantage"]
    columns = [logs["prompt"], logs["completion"], *logs["rewards"].values()]
    columns += [*logs["extra"].values(), logs["advantages"]]
    lines = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for number, values in enumerate(list(zip(*columns, strict=False))[:rows], start=1):
        lines.append(f"| {number} | " + " | ".join(_cell(value) for value in values) + " |")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list):
        value = " ".join(message["content"] for message in value)
    text = one_line(str(value)).replace("`", "'").replace("|", "¦")
    return f"`{text}`" if text else ""


def contact_sheet(rows: Sequence[Sequence[Image.Image]]) -> Image.Image:
    """Return the pictures of every row beside each other, one row below the other.

    Each fits into ``TILE`` x ``TILE`` pixels; a row's last one is its view, where that is noisy.
    """
    small = [[_thumbnail(image) for image in images] for images in rows]
    heights = [max((image.height for image in images), default=0) + GAP for images in small]
    width = max(map(len, rows)) * (TILE + GAP)
    sheet = Image.new("RGB", (width, sum(heights)), "white")
    for line, images in enumerate(small):
        for column, image in enumerate(images):
            sheet.paste(image, (column * (TILE + GAP), sum(heights[:line])))
    return sheet


def _thumbnail(image: Image.Image) -> Image.Image:
    small = image.convert("RGB")
    small.thumbnail((TILE, TILE))
    return small
