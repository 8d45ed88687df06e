"""The warm start's first stage, seeing: from pictures alone to what every patch shows.

It trains the vision tower through linear heads that are thrown away; it plays the part that
contrastive pretraining plays for large models. Shape, colour and size have heads of their own, so
that a pair that was never shown (``scene.HELD_OUT``) can be named from its parts.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from noisygrpo.playground.model import PATCH, PlaygroundProcessor
from noisygrpo.playground.scene import (
    BOX,
    COLOURS,
    GAP,
    HEIGHT,
    SHAPES,
    SIZES,
    WIDTH,
    Scene,
    render,
    sample_scene,
    sprite,
)

IGNORE = -100
NOTHING = {
    "cover_shape": 0.1,
    "cover_colour": 0.1,
    "shape": 0.02,
    "colour": 0.02,
    "size": 0.02,
    "edge": 1.0,
    "touch": 1.0,
}
"""Heads and the weight of their class 0: most patches show nothing."""
CLASSES = {name: 2 if name in ("edge", "touch") else 4 for name in NOTHING}
_COVERED = 8.0  # of 100 pixels: an item that covers less of a patch does not name it

Batch = dict[str, torch.Tensor]


def patch_labels(scene: Scene) -> dict[str, np.ndarray]:
    """What every patch of 10 x 10 pixels shows: int64 ``[HEIGHT / 10, WIDTH / 10]`` each.

    ``cover_shape`` and ``cover_colour`` name the item that covers most of the patch, ``shape``,
    ``colour`` and ``size`` the one whose centre it holds: 0 for nothing, else 1 to 3. ``edge`` and
    ``touch`` are 0 or 1 where there is a centre (at a side of the box; beside another item) and
    ``IGNORE`` elsewhere.
    """
    rows, columns = HEIGHT // PATCH, WIDTH // PATCH
    maps = {name: np.zeros((rows, columns), np.int64) for name in NOTHING}
    maps["edge"][:], maps["touch"][:] = IGNORE, IGNORE
    best = np.full((rows, columns), _COVERED)
    for box, items in enumerate(scene.boxes):
        for item in items:
            x, y = box * (BOX + GAP) + item.x, item.y
            canvas = Image.new("L", (WIDTH, HEIGHT), 0)
            canvas.paste(sprite(item.shape, item.side), (x, y))
            share = np.asarray(canvas, np.float64).reshape(rows, PATCH, columns, PATCH)
            share = share.sum(axis=(1, 3)) / 255
            shape, colour = 1 + SHAPES.index(item.shape), 1 + list(COLOURS).index(item.colour)
            maps["cover_shape"][share > best] = shape
            maps["cover_colour"][share > best] = colour
            best = np.maximum(best, share)
            middle = (y + item.side // 2) // PATCH, (x + item.side // 2) // PATCH
            maps["shape"][middle], maps["colour"][middle] = shape, colour
            maps["size"][middle] = 1 + list(SIZES).index(item.size)
            maps["edge"][middle] = int(item.at_edge())
            maps["touch"][middle] = int(any(item.touches(other) for other in items))
    return maps


def see(processor: PlaygroundProcessor, rng: np.random.Generator, size: int) -> Batch:
    """Pictures with the labels of their patches.

    Returns:
        ``pixel_values`` and ``image_grid_thw`` of the processor, and the maps of ``patch_labels``,
        int64 ``[tokens, 4]``: the four patches of every merged token, in the tower's order.
    """
    # three in four scattered: all blocks of a stacked scene have one shape and one size
    scenes = [sample_scene(rng, stacked=bool(rng.random() < 0.25)) for _ in range(size)]
    return labelled(processor, scenes)


def labelled(processor: PlaygroundProcessor, scenes: Sequence[Scene]) -> Batch:
    """The batch of some scenes, as ``see`` returns it."""
    batch = dict(processor.image_processor(images=[render(s) for s in scenes], return_tensors="pt"))
    labels = [patch_labels(scene) for scene in scenes]
    for name in NOTHING:
        maps = np.stack([label[name] for label in labels])
        count, rows, columns = maps.shape
        merged = maps.reshape(count, rows // 2, 2, columns // 2, 2).transpose(0, 1, 3, 2, 4)
        batch[name] = torch.from_numpy(merged.reshape(-1, 4).copy())
    return batch


class Eyes(nn.Module):
    """Linear heads on the tower's merged tokens; they are thrown away after the stage ``see``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = nn.ModuleDict({n: nn.Linear(width, 4 * CLASSES[n]) for n in NOTHING})

    def logits(self, features: torch.Tensor) -> dict[str, torch.Tensor]:
        """Per head ``[tokens, 4, classes]``, float32, from merged tokens ``[tokens, width]``."""
        return {
            name: head(features).view(len(features), 4, CLASSES[name]).float()
            for name, head in self.heads.items()
        }

    def loss(self, features: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Sum of the heads' cross-entropies, class 0 weighted as ``NOTHING`` says."""
        total = features.new_zeros((), dtype=torch.float32)
        for name, logits in self.logits(features).items():
            weight = torch.ones(CLASSES[name])
            weight[0] = NOTHING[name]
            total = total + F.cross_entropy(
                logits.flatten(0, 1), batch[name].view(-1), weight=weight
            )
        return total


class Whereabouts(nn.Module):
    """Linear heads that name the row and the column of every merged token in its picture.

    The tower's positions are rotary, hence relative, and a small language model that is given
    features without their place takes very long to find them by it.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.row = nn.Linear(width, HEIGHT // (2 * PATCH))
        self.column = nn.Linear(width, WIDTH // (2 * PATCH))

    def logits(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Of rows and of columns, float32 ``[tokens, 5]`` and ``[tokens, 20]``."""
        return self.row(features).float(), self.column(features).float()

    def targets(self, tokens: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Row and column of ``tokens`` merged tokens of whole pictures, int64 ``[tokens]``."""
        columns = self.column.out_features
        place = torch.arange(tokens) % (self.row.out_features * columns)
        return place // columns, place % columns

    def loss(self, features: torch.Tensor) -> torch.Tensor:
        """Sum of the two cross-entropies, from merged tokens ``[tokens, width]``."""
        rows, columns = self.logits(features)
        row, column = self.targets(len(features))
        return F.cross_entropy(rows, row) + F.cross_entropy(columns, column)

    @torch.no_grad()
    def right(self, features: torch.Tensor) -> dict[str, float]:
        """Shares of tokens whose row and column are named."""
        rows, columns = self.logits(features)
        row, column = self.targets(len(features))
        return {
            "row": (rows.argmax(-1) == row).double().mean().item(),
            "column": (columns.argmax(-1) == column).double().mean().item(),
        }


@torch.no_grad()
def probe(
    tower: nn.Module, eyes: Eyes, processor: PlaygroundProcessor, scenes: Sequence[Scene]
) -> dict[str, float]:
    """How much of fresh scenes the tower sees, read by the heads where an item has its centre.

    Returns:
        Shares in 0 to 1: ``shape``, ``colour``, ``size``, ``edge``, ``touch`` of the items, and
        ``item`` (shape, colour and size together).
    """
    right: dict[str, list[torch.Tensor]] = {}
    for start in range(0, len(scenes), 32):
        batch = labelled(processor, scenes[start : start + 32])
        logits = eyes.logits(
            tower(batch["pixel_values"], grid_thw=batch["image_grid_thw"]).pooler_output
        )
        centre = batch["shape"] > 0
        found = {}
        for name in ("shape", "colour", "size"):  # class 0, nothing, is not asked for
            found[name] = logits[name][..., 1:].argmax(-1)[centre] + 1 == batch[name][centre]
        for name in ("edge", "touch"):
            found[name] = logits[name].argmax(-1)[centre] == batch[name][centre]
        found["item"] = found["shape"] & found["colour"] & found["size"]
        for name, values in found.items():
            right.setdefault(name, []).append(values)
    return {name: torch.cat(values).double().mean().item() for name, values in right.items()}
