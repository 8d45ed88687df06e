"""The warm start's first stage, seeing: from pictures alone to what every patch shows.

It trains the vision tower through linear heads that are thrown away; it plays the part that
contrastive pretraining plays for large models. Shape, colour and size have heads of their own, so
that a pair that was never shown (``scene.HELD_OUT``) can be named from its parts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from noisygrpo.playground.model import PATCH, PlaygroundProcessor
from noisygrpo.playground.scene import (
    BACKGROUND,
    BOX,
    COLOURS,
    GAP,
    HEIGHT,
    HELD_OUT,
    ODD_SHAPES,
    SHAPES,
    SIZES,
    WIDTH,
    Item,
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
NO_ITEM = 0.3
"""Weight of the class that a token holds no item's centre: nearly all hold none."""
CLASSES = {name: 2 if name in ("edge", "touch") else 4 for name in NOTHING}
ODD = 0.4
"""Share of the items of a scattered scene that ``oddly`` gives a shape or colour without name."""
_NEAR = 130.0  # of RGB's 442 from black to white
_COVERED = 8.0  # of 100 pixels: an item that covers less of a patch does not name it

Batch = dict[str, torch.Tensor]


def _number(names: Iterable[str], name: str) -> int:
    """From 1; ``IGNORE`` for what has no name."""
    return {known: 1 + n for n, known in enumerate(names)}.get(name, IGNORE)


def patch_labels(scene: Scene) -> dict[str, np.ndarray]:
    """What every patch of 10 x 10 pixels shows: int64 ``[HEIGHT / 10, WIDTH / 10]`` each.

    ``cover_shape`` and ``cover_colour`` name the item that covers most of the patch, ``shape``,
    ``colour`` and ``size`` the one whose centre it holds: 0 for nothing, else 1 to 3. ``edge`` and
    ``touch`` are 0 or 1 where there is a centre (at a side of the box; beside another item) and
    ``IGNORE`` elsewhere. An odd shape or colour is ``IGNORE`` too.
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
            shape, colour = _number(SHAPES, item.shape), _number(COLOURS, item.colour)
            maps["cover_shape"][share > best] = shape
            maps["cover_colour"][share > best] = colour
            best = np.maximum(best, share)
            middle = (y + item.side // 2) // PATCH, (x + item.side // 2) // PATCH
            maps["shape"][middle], maps["colour"][middle] = shape, colour
            maps["size"][middle] = _number(SIZES, item.size)
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
    return labelled(processor, [s if s.stacked else oddly(rng, s) for s in scenes])


def oddly(rng: np.random.Generator, scene: Scene) -> Scene:
    """The scene with a share of its items in a colour or a shape that has no name.

    Without them the tower learns pairs of shape and colour by heart, and names the pairs that are
    never shown no better than chance. No shape is given a colour near the one it is never shown in.
    """
    boxes = tuple(tuple(_odd(rng, item) for item in items) for items in scene.boxes)
    return replace(scene, boxes=boxes)


def _odd(rng: np.random.Generator, item: Item) -> Item:
    which = rng.random()
    if which < ODD / 2:
        return replace(item, shape=ODD_SHAPES[int(rng.integers(len(ODD_SHAPES)))])
    if which > ODD:
        return item
    never = [np.array(COLOURS[colour]) for shape, colour in HELD_OUT if shape == item.shape]
    while True:
        rgb = rng.integers(256, size=3)
        seen = np.linalg.norm(rgb - np.array(BACKGROUND)) > _NEAR / 2
        if seen and all(np.linalg.norm(rgb - colour) > _NEAR for colour in never):
            return replace(item, colour="#" + bytes(rgb.tolist()).hex())


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
    """Linear heads that say where things are; they are thrown away after the stage ``locate``.

    The tower's positions are rotary, hence relative, and a small language model that is given
    features without their place takes very long to find them by it. ``row`` and ``column`` name a
    token's own place in its picture; ``item_row`` and ``item_column`` that of the item whose centre
    it holds, or that it holds none (class 0): an item covers up to nine tokens, and one of them is
    its place.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        rows, columns = HEIGHT // (2 * PATCH), WIDTH // (2 * PATCH)
        self.row = nn.Linear(width, rows)
        self.column = nn.Linear(width, columns)
        self.item_row = nn.Linear(width, 1 + rows)
        self.item_column = nn.Linear(width, 1 + columns)

    def targets(self, batch: Batch) -> dict[str, torch.Tensor]:
        """By head, int64 ``[tokens]``, for a batch as ``see`` returns it."""
        columns = self.column.out_features
        place = torch.arange(len(batch["edge"])) % (self.row.out_features * columns)
        row, column = place // columns, place % columns
        centre = (batch["edge"] != IGNORE).any(1).long()
        return {
            "row": row,
            "column": column,
            "item_row": centre * (1 + row),
            "item_column": centre * (1 + column),
        }

    def logits(self, features: torch.Tensor) -> dict[str, torch.Tensor]:
        """Per head ``[tokens, classes]``, float32, from merged tokens ``[tokens, width]``."""
        return {name: head(features).float() for name, head in self.named_children()}

    def loss(self, features: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Sum of the heads' cross-entropies; that there is no item weighs ``NO_ITEM``."""
        targets, total = self.targets(batch), features.new_zeros((), dtype=torch.float32)
        for name, logits in self.logits(features).items():
            weight = torch.ones(logits.shape[-1])
            if name.startswith("item"):
                weight[0] = NO_ITEM
            total = total + F.cross_entropy(logits, targets[name], weight=weight)
        return total

    @torch.no_grad()
    def right(self, features: torch.Tensor, batch: Batch) -> dict[str, float]:
        """Shares of tokens whose place is named, and of items: ``row``, ``column``, ``placed``.

        ``placed``: of the tokens that hold an item's centre or are said to, those where row and
        column of the item are right.
        """
        targets = self.targets(batch)
        said = {name: logits.argmax(-1) for name, logits in self.logits(features).items()}
        right = {name: said[name] == targets[name] for name in said}
        asked = (targets["item_row"] > 0) | (said["item_row"] > 0) | (said["item_column"] > 0)
        placed = (right["item_row"] & right["item_column"])[asked]
        return {
            "row": right["row"].double().mean().item(),
            "column": right["column"].double().mean().item(),
            "placed": placed.double().mean().item(),
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
