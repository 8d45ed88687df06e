"""What a statement means in the words of the reference reasoning, and what is to be looked at.

The canonical first step ("count towers with blue top") of a statement is found by drawing the
playground's own statements until one reads the same, colours aside, with numbers as words. What no
maker writes stays unknown; the share of known statements is part of the result.
"""

import re
from dataclasses import dataclass

import numpy as np

from noisygrpo.playground.language import NUMBER_WORDS, Filter, steps
from noisygrpo.playground.looking import listing
from noisygrpo.playground.people_words import look_at, nearly_touches, sides
from noisygrpo.playground.questions import MAKERS, pick
from noisygrpo.playground.scene import BOXES, COLOURS, SIZES, Item, Scene, sample_scene
from noisygrpo.playground.teacher import PEOPLES

_COLOUR = re.compile(r"\b(" + "|".join(COLOURS) + r")\b")
_FIRST = re.compile(r"Step 1: ([^.]+)\.")
_SIDES = re.compile(r"\bat the (left|right|top|bottom)\b|in a corner")
_SCENES = 200
Key = tuple[bool, str]


def plain(statement: str) -> str:
    """Lower case, numbers as words, no stop, single spaces, the commonest slips mended."""
    words = statement.lower().replace("atleast", "at least").replace("colour", "color")
    words = re.sub(r"^ll\b", "all", words)
    words = re.sub(r"\d+", lambda m: NUMBER_WORDS[int(m[0])] if int(m[0]) < 11 else m[0], words)
    return " ".join(re.sub(r"[.,]", " ", words).split())


def without_colours(text: str, names: dict[str, str]) -> str:
    """Colours replaced by `c1`, `c2` in the order in which `names`, which grows, meets them."""
    return _COLOUR.sub(lambda m: names.setdefault(m[1], f"c{len(names) + 1}"), text)


@dataclass(frozen=True)
class Meaning:
    """What a statement means: the first step, and what is `asked` at the end (may be empty)."""

    step: str
    asked: str


class Understanding:
    """Canonical first steps by statement, from `draws` statements of the playground's makers."""

    def __init__(self, draws: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self._steps: dict[Key, str] = {}
        tables = {s: (MAKERS["truth"][s], PEOPLES[s]) for s in (False, True)}
        scenes = {s: [sample_scene(rng, stacked=s) for _ in range(_SCENES)] for s in tables}
        for place in range(draws):
            stacked = place % 2 == 1
            maker = pick(rng, tables[stacked][place // 2 % 2])
            task = maker(scenes[stacked][int(rng.integers(_SCENES))], rng)  # type: ignore[operator]
            first = task and _FIRST.match(task.reasoning)
            if task is None or not first:
                continue
            names: dict[str, str] = {}
            said = without_colours(plain(task.question), names)
            asked = re.search(r"asked ([^.]+)\.$", task.reasoning)
            meant = f"{first[1]}|{asked[1] if asked else ''}"
            named = len(names)
            meant = without_colours(meant, names)
            if len(names) == named:  # else it speaks of a colour that the statement does not name
                self._steps.setdefault((stacked, said), meant)

    def __len__(self) -> int:
        return len(self._steps)

    def of(self, statement: str, stacked: bool) -> Meaning | None:
        """The meaning of a statement about a kind of scene; `None`: unknown."""
        names: dict[str, str] = {}
        found = self._steps.get((stacked, without_colours(plain(statement), names)))
        if found is None:
            return None
        back = {short: colour for colour, short in names.items()}
        step, _, asked = re.sub(r"\bc\d\b", lambda m: back[m[0]], found).partition("|")
        return Meaning(step, asked)


def described(scene: Scene, box: int, step: str) -> str:
    """What is in a box, said as the reasoning says it where its first step is `step`."""
    if scene.stacked:
        return listing(scene, box)
    near, sided = "near the edge" in step, _SIDES.search(step) is not None
    if near or sided:
        lines = look_at(scene, ("",) * len(BOXES), _near if near else _touched)
        return lines[box].removeprefix(f"{BOXES[box]} ").removesuffix(" gives ")
    sized = any(word in SIZES for word in step.split())
    edged = "at the edge" in step or "off the edge" in step
    return listing(
        scene, box, Filter(size="small" if sized else None, edge=True if edged else None)
    )


def _near(item: Item) -> str:
    return "near" if nearly_touches(item) else ""


def _touched(item: Item) -> str:
    return " ".join(sides(item))


def opening(step: str) -> str:
    """The beginning of a turn whose first step is given."""
    return f"<think>{steps(step)}"


def looking(scene: Scene, box: int, step: str) -> str:
    """The beginning of the step that looks at a box, up to what follows from it."""
    return f" Step {box + 2}: {BOXES[box]} {described(scene, box, step)} gives"
