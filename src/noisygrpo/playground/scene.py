"""The world: three grey boxes with coloured shapes, scattered or stacked, at 400 x 100 pixels.

The look follows the Cornell NLVR corpus (Suhr et al., ACL 2017): boxes of 100 x 100 pixels with a
darker gap of 50 between them, circles, triangles and squares in three sizes and three colours; in
a stacked scene squares of one size stand on each other. Everything is a pure function of a
``numpy.random.Generator``.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageColor, ImageDraw

COLOURS = {"black": (0, 0, 0), "blue": (0, 153, 255), "yellow": (255, 255, 0)}
SHAPES = ("circle", "triangle", "square")
ODD_SHAPES = ("diamond", "hexagon", "cross")
"""Shapes that only the vision tower's lessons show (``seeing.oddly``)."""
SIZES = {"small": 10, "medium": 20, "big": 30}
BOXES = ("left", "middle", "right")
HELD_OUT = (("circle", "yellow"), ("triangle", "blue"))
"""Shapes in a colour that no picture of the warm start or of training shows (``combination``)."""
SEEN = tuple((s, c) for s in SHAPES for c in COLOURS if (s, c) not in HELD_OUT)
BOX, GAP = 100, 50
WIDTH, HEIGHT = 3 * BOX + 2 * GAP, BOX
BACKGROUND, _GAP_GREY = (211, 211, 211), (128, 128, 128)
_CORNERS = {
    "triangle": ((0.5, 0.0), (0.0, 1.0), (1.0, 1.0)),
    "diamond": ((0.5, 0.0), (0.0, 0.5), (0.5, 1.0), (1.0, 0.5)),
    "hexagon": ((0.25, 0.0), (0.0, 0.5), (0.25, 1.0), (0.75, 1.0), (1.0, 0.5), (0.75, 0.0)),
    "cross": tuple(
        (x / 3, y / 3)
        for x, y in (
            *((1, 0), (1, 1), (0, 1), (0, 2), (1, 2), (1, 3)),
            *((2, 3), (2, 2), (3, 2), (3, 1), (2, 1), (2, 0)),
        )
    ),
}
_OVERSAMPLE = 8  # sprites are drawn this much larger and reduced, which gives smooth edges
STACK_PITCH = 21  # a block and the thin line between blocks, as in the corpus


@dataclass(frozen=True)
class Item:
    """One shape: ``x`` and ``y`` are the top-left corner in pixels inside its box.

    ``shape`` is one of ``SHAPES`` and ``colour`` of ``COLOURS``; in the vision tower's lessons also
    one of ``ODD_SHAPES``, and any ``#rrggbb``.
    """

    shape: str
    colour: str
    size: str
    x: int
    y: int

    @property
    def side(self) -> int:
        """Width and height in pixels."""
        return SIZES[self.size]

    @property
    def name(self) -> str:
        """Colour and shape, ``black circle``."""
        return f"{self.colour} {self.shape}"

    def at_edge(self) -> bool:
        """Whether the shape touches a side of its box (within one pixel)."""
        far = BOX - self.side - 1
        return self.x <= 1 or self.y <= 1 or self.x >= far or self.y >= far

    def gap_to(self, other: "Item") -> int:
        """Pixels between the bounding squares, along the axis on which they are further apart.

        Negative: they overlap.
        """
        across = max(self.x - other.x - other.side, other.x - self.x - self.side)
        down = max(self.y - other.y - other.side, other.y - self.y - self.side)
        return max(across, down)

    def touches(self, other: "Item") -> bool:
        """Whether at most two pixels lie between the two bounding squares."""
        return self is not other and self.gap_to(other) <= 2


@dataclass(frozen=True)
class Scene:
    """``boxes[b]`` are the items of box ``b``; stacks are listed from the base upwards."""

    boxes: tuple[tuple[Item, ...], ...]
    stacked: bool

    def stacks(self, box: int) -> list[list[Item]]:
        """The stacks of a box from left to right, each from base to top (stacked scenes only)."""
        columns: dict[int, list[Item]] = {}
        for item in self.boxes[box]:
            columns.setdefault(item.x, []).append(item)
        return [columns[x] for x in sorted(columns)]


def sample_scene(
    rng: np.random.Generator,
    crowded: bool = False,
    stacked: bool | None = None,
    unseen: bool = False,
) -> Scene:
    """Draw a scene.

    Args:
        rng: the only source of randomness.
        crowded: five or six items, or two stacks, in every box (the split ``more``).
        stacked: forces a stacked or a scattered scene; ``None`` tosses a coin.
        unseen: half of the scattered items are of the pairs ``HELD_OUT``, which are otherwise
            never drawn (the split ``combination``).
    """
    if stacked is None:
        stacked = bool(rng.random() < 0.5)
    if stacked:
        return Scene(tuple(_stacks(rng, crowded) for _ in BOXES), True)
    return Scene(tuple(_scatter(rng, crowded, unseen) for _ in BOXES), False)


def _pick(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    return options[int(rng.integers(len(options)))]


def _stacks(rng: np.random.Generator, crowded: bool) -> tuple[Item, ...]:
    columns = (15, 65) if crowded else (40,)
    items = []
    for x in columns:
        for level in range(int(rng.integers(1, 5))):
            colour = _pick(rng, tuple(COLOURS))
            items.append(Item("square", colour, "medium", x, 80 - STACK_PITCH * level))
    return tuple(items)


def _scatter(rng: np.random.Generator, crowded: bool, unseen: bool) -> tuple[Item, ...]:
    wanted = int(rng.integers(5, 7)) if crowded else int(rng.integers(1, 5))
    items: list[Item] = []
    for _ in range(40 * wanted):  # crowded boxes need many tries before the last shape finds room
        if len(items) == wanted:
            break
        item = place_item(rng, items, unseen)
        if all(item.gap_to(other) >= 1 for other in items):
            items.append(item)
    return tuple(items)


def place_item(rng: np.random.Generator, items: list[Item], unseen: bool = False) -> Item:
    """An item for a box with ``items``; it may overlap them (the caller tries again)."""
    pairs = HELD_OUT if unseen and rng.random() < 0.5 else SEEN
    shape, colour = pairs[int(rng.integers(len(pairs)))]
    size = _pick(rng, tuple(SIZES))
    side = SIZES[size]
    far = BOX - side
    x, y = int(rng.integers(4, far - 3)), int(rng.integers(4, far - 3))
    where = rng.random()
    if where < 0.06:  # in a corner
        x, y = ((0, 0), (0, far), (far, 0), (far, far))[int(rng.integers(4))]
    elif where < 0.36:  # against one side of the box
        x, y = ((0, y), (far, y), (x, 0), (x, far))[int(rng.integers(4))]
    elif where < 0.55 and items:  # beside another shape
        other = items[int(rng.integers(len(items)))]
        x, y = ((other.x + other.side + 1, other.y), (other.x, other.y + other.side + 1))[
            int(rng.integers(2))
        ]
        x, y = min(x, far), min(y, far)
    return Item(shape, colour, size, x, y)


@lru_cache(maxsize=64)
def sprite(shape: str, side: int) -> Image.Image:
    """Coverage mask ('L', side x side) of a shape."""
    big = side * _OVERSAMPLE
    mask = Image.new("L", (big, big), 0)
    pen = ImageDraw.Draw(mask)
    if shape == "circle":
        pen.ellipse((0, 0, big - 1, big - 1), fill=255)
    elif shape == "square":
        pen.rectangle((0, 0, big - 1, big - 1), fill=255)
    else:
        corners = _CORNERS[shape]
        pen.polygon([(min(x * big, big - 1), min(y * big, big - 1)) for x, y in corners], fill=255)
    return mask.resize((side, side), Image.Resampling.BOX)


def render(scene: Scene) -> Image.Image:
    """The picture of a scene: RGB, 400 x 100 pixels."""
    image = Image.new("RGB", (WIDTH, HEIGHT), _GAP_GREY)
    for box, items in enumerate(scene.boxes):
        left = box * (BOX + GAP)
        image.paste(BACKGROUND, (left, 0, left + BOX, BOX))
        for item in items:
            mask = sprite(item.shape, item.side)
            colour = COLOURS.get(item.colour) or ImageColor.getrgb(item.colour)
            image.paste(colour, (left + item.x, item.y), mask)
    return image
