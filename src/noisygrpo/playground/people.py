"""Statements in people's manner, beside those of ``scattered`` and ``stacked``.

They are of the patterns that the statements of the Cornell NLVR corpus (Suhr et al., ACL 2017; its
development part) are made of and that the other makers lack; the words are that corpus's, the
sentences are not. The shares follow how often the patterns come up there.
"""

from noisygrpo.playground.people_boxes import (
    box_colours,
    box_of,
    box_only,
    boxes_with,
    several_kinds,
)
from noisygrpo.playground.people_places import all_or_none, colours_at_edge, corner, nearly, side
from noisygrpo.playground.people_tower_colours import (
    coloured_tower,
    every_tower,
    mixed,
    one_colour,
    same,
    two_heights,
)
from noisygrpo.playground.people_towers import (
    at_wall,
    block_as_end,
    block_on,
    box_as_tower,
    second,
    the_tower,
    together,
)
from noisygrpo.playground.scattered import Maker

SCATTERED_MAKERS: tuple[tuple[Maker, float], ...] = (
    (side, 0.22),
    (corner, 0.12),
    (nearly, 0.02),
    (all_or_none, 0.10),
    (colours_at_edge, 0.06),
    (box_colours, 0.10),
    (box_only, 0.10),
    (several_kinds, 0.09),
    (boxes_with, 0.09),
    (box_of, 0.10),
)
STACKED_MAKERS: tuple[tuple[Maker, float], ...] = (
    (block_as_end, 0.20),
    (block_on, 0.17),
    (the_tower, 0.08),
    (box_as_tower, 0.09),
    (at_wall, 0.07),
    (together, 0.04),
    (second, 0.04),
    (coloured_tower, 0.04),
    (one_colour, 0.04),
    (mixed, 0.06),
    (same, 0.05),
    (two_heights, 0.03),
    (every_tower, 0.05),
    (box_only, 0.04),  # 'a box with 3 items of black and yellow color' is said of towers too
)
