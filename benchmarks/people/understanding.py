"""What a statement means in the words of the reference reasoning, and what is to be looked at.

The canonical first step ("count towers with blue top") of a statement is found by drawing the
playground's own statements until one reads the same, colours aside, with numbers as words. What no
maker writes stays unknown; the share of known statements is part of the result.
"""

import re
from collections import Counter
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
_SAME = (
    (r"^ll\b", "all"),
    (r"\bt?least\b", "least"),
    (r"\b(atleast|t least)\b|^least\b", "at least"),
    (r"\bcolour", "color"),
    (r"\bone on top\b", "item on top"),
    (r"\bclosely touching\b", "touching"),
    (r"\b(?:the|an?|any) (?:edge|wall|side)\b(?! of)", "the edge"),
    (r"\b(?:right wall|the right wall|the right side) of a box\b", "the right wall"),
    (r"\bthe (?:bottom|base) of (?:a|the) box\b|(?<=touching )the base\b", "the bottom"),
    (r"\b(?:(?:that|which) )?(?:has|ha|have|contains?)\b|\b(?:having|containing)\b", "with"),
    (r"\bonly (?=(?:" + "|".join(NUMBER_WORDS) + r")\b)", "exactly "),
    (r"\b(?:object|thing)(s?)\b", r"item\1"),
    (r"\bgrey (?:box|square)(es|s)?\b", lambda m: "boxes" if m[1] else "box"),
    (r"\bthere (?:is|are) (?=at least|exactly|one|no\b)", ""),
)
_SAME_OF_TOWERS = (
    (r"\b(?:item|square)(s?)\b", r"block\1"),
    (r"\bstack(s?)\b", r"tower\1"),
    (r"\bbottom\b", "base"),
    (r"\b(?:at|on) base\b|\bon the (base|top)\b", lambda m: f"at the {m[1] or 'base'}"),
    (r"\b(?:above|over|right on top of|on top of|on) (?=an? )", "on "),
    (r"\bthat with\b|\bwhich with\b", "with"),
)
_SCENES = 200
Key = tuple[bool, str]


def plain(statement: str, stacked: bool) -> str:
    """The statement with one word for what means the same, numbers as words, in lower case."""
    words = " ".join(re.sub(r"[.,]", " ", statement.lower()).split())
    words = re.sub(r"\d+", lambda m: NUMBER_WORDS[int(m[0])] if int(m[0]) < 11 else m[0], words)
    for expression, word in (*_SAME, *(_SAME_OF_TOWERS if stacked else ())):
        words = re.sub(expression, word, words)
    return words


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
        self._meant: dict[Key, Counter[str]] = {}
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
            said = without_colours(plain(task.question, stacked), names)
            asked = re.search(r"asked ([^.]+)\.$", task.reasoning)
            meant = f"{first[1]}|{asked[1] if asked else ''}"
            named = len(names)
            meant = without_colours(meant, names)
            if len(names) == named:  # else it speaks of a colour that the statement does not name
                self._meant.setdefault((stacked, said), Counter())[meant] += 1

    def __len__(self) -> int:
        return len(self._meant)

    def of(self, statement: str, stacked: bool) -> list[Meaning]:
        """What a statement about a kind of scene is taught to mean, the commonest way first.

        Empty where no maker says so; the makers have more than one way to put some things.
        """
        names: dict[str, str] = {}
        found = self._meant.get((stacked, without_colours(plain(statement, stacked), names)))
        back = {short: colour for colour, short in names.items()}
        meanings = []
        for meant, _ in found.most_common() if found else ():
            step, _, asked = re.sub(r"\bc\d\b", lambda m: back[m[0]], meant).partition("|")
            meanings.append(Meaning(step, asked))
        return meanings


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
