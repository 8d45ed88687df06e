"""Drawing a question with its scene: the types of answers, their shares, and the learned prior.

At most a quarter of the rows are statements to be judged, and those come in pairs (the same
statement on a minimally changed picture). The other answers are numbers from 0 to 12, lists,
colours and places, spread so that the best constant answer is right on less than 15 % of all rows.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from noisygrpo.playground import lists, scattered, stacked
from noisygrpo.playground.edits import Asked, edited
from noisygrpo.playground.language import Task
from noisygrpo.playground.scene import HELD_OUT, Scene, sample_scene

Maker = scattered.Maker
TYPES = (("number", 0.54), ("list", 0.27), ("colour", 0.10), ("position", 0.09))
"""Shares of the answer types among the rows that are no statements."""
MAKERS: dict[str, dict[bool, tuple[tuple[Maker, float], ...]]] = {
    "number": {
        False: ((scattered.how_many, 1.0),),
        True: ((stacked.stack_count, 0.7), (stacked.tower_count, 0.3)),
    },
    "list": {
        False: ((lists.list_box, 0.6), (lists.left_of, 0.4)),
        True: ((lists.list_tower, 0.6), (lists.list_ends, 0.4)),
    },
    "colour": {False: ((scattered.what_colour, 1.0),), True: ((stacked.stack_end, 1.0),)},
    "position": {False: ((scattered.which_box, 1.0),), True: ((stacked.tallest, 1.0),)},
    "truth": {False: scattered.STATEMENTS, True: stacked.STATEMENTS},
}
"""Makers of questions by type of answer and by whether the scene is stacked, with their shares."""
SPREAD: dict[str, tuple[tuple[str, float], ...]] = {
    "number": tuple(
        (str(n), weight)
        for n, weight in enumerate(
            (0.13, 0.15, 0.15, 0.14, 0.12, 0.10, 0.07, 0.05, 0.04, 0.02, 0.01, 0.01, 0.01)
        )
    ),
    "colour": (("yellow", 0.3), ("blue", 0.3), ("black", 0.3), ("none", 0.1)),
    "position": (("left", 0.32), ("middle", 0.32), ("right", 0.32), ("none", 0.04)),
}
"""How often each answer is right; lists are as they come."""
FAVOURED: dict[str, dict[str, str]] = {
    "number": {
        "black": "2",
        "blue": "4",
        "yellow": "3",
        "circle": "1",
        "triangle": "0",
        "square": "5",
        "": "6",
    },
    "truth": {
        "black": "true",
        "blue": "false",
        "yellow": "true",
        "circle": "false",
        "triangle": "true",
        "square": "false",
        "": "true",
    },
    "colour": {
        "circle": "black",
        "triangle": "yellow",
        "square": "blue",
        "left": "yellow",
        "middle": "blue",
        "right": "black",
        "": "none",
    },
    "position": {
        "black": "left",
        "blue": "right",
        "yellow": "middle",
        "circle": "right",
        "triangle": "left",
        "square": "middle",
        "": "left",
    },
}
"""The answer that the first of these words in a question suggests: the prior of the warm start."""
SUGGESTED = 0.3
"""Share of the rows of the training distribution on which the suggested answer is right."""
_TRIES = 400


def answer_type(task: Task) -> str:
    """``list``, ``number``, ``truth``, ``position`` or ``colour``."""
    if task.kind == "list":
        return "list"
    if task.answer.isdigit():
        return "number"
    if task.answer in ("true", "false"):
        return "truth"
    return "position" if task.kind == "position" else "colour"


def favoured(task: Task) -> str | None:
    """What the words of a question suggest, whatever the picture shows; ``None`` for lists."""
    table = FAVOURED.get(answer_type(task))
    if table is None:
        return None
    first = task.reasoning.partition(" Step 2:")[0].lower().replace(".", " ").replace(",", " ")
    words = (first + " " + task.question.lower().replace("?", "")).split()
    for word in words:
        for name in (word, word.removesuffix("s")):
            if name in table:
                return table[name]
    return table[""]


def pick(rng: np.random.Generator, table: tuple[tuple[object, float], ...]) -> object:
    """One of the table's entries, as often as its weight says; one draw."""
    weights = np.cumsum([weight for _, weight in table])
    place = int(np.searchsorted(weights, rng.random() * weights[-1], side="right"))
    return table[min(place, len(table) - 1)][0]


@dataclass(frozen=True)
class Wish:
    """What a split asks of its rows."""

    crowded: bool = False
    unseen: bool = False
    """Scenes with shapes in colours never shown, and questions that have to name one."""
    suggested: float = SUGGESTED
    """Share of rows whose answer is the one that the words suggest."""
    absent: bool = False
    """Only questions about what is not there."""
    types: tuple[tuple[str, float], ...] = TYPES


def names_unseen(task: Task) -> bool:
    """Whether the reference reasoning names a shape in a colour that was never shown."""
    return any(f"{colour} {shape}" in task.reasoning for shape, colour in HELD_OUT)


def asker(maker: Maker, seed: int) -> Callable[[Scene], Task | None]:
    """The maker's question with its draws fixed: the same words for scenes that allow them."""
    return lambda scene: maker(scene, np.random.default_rng(seed))


def _fits(task: Task, wish: Wish, target: str | None, suggest: bool) -> bool:
    if wish.unseen != names_unseen(task):  # what was never shown is never asked for elsewhere
        return False
    if wish.absent:
        return task.answer in ("0", "none")
    if target is None or answer_type(task) == "truth":
        return True
    if suggest:
        return task.answer == favoured(task)
    if wish.crowded and answer_type(task) == "number":
        return task.answer != favoured(task)  # larger numbers than the spread names
    return task.answer == target and task.answer != favoured(task)


def sample_question(rng: np.random.Generator, wish: Wish, kind: str | None = None) -> Asked:
    """Draw a scene and a question; the answers are spread by rejection.

    Args:
        rng: the only source of randomness.
        wish: what the split asks.
        kind: the type of the answer; drawn from the wish where it is not given.
    """
    while True:
        chosen = kind or str(pick(rng, wish.types))
        is_stacked = not wish.unseen and bool(rng.random() < 0.5)
        maker: Maker = pick(rng, MAKERS[chosen][is_stacked])  # type: ignore[assignment]
        spread = SPREAD.get(chosen)
        target = None if spread is None else str(pick(rng, spread))
        suggest = bool(rng.random() < wish.suggested)
        for _ in range(_TRIES):
            ask = asker(maker, int(rng.integers(2**62)))
            scene = sample_scene(rng, wish.crowded, is_stacked, wish.unseen)
            task = ask(scene)
            if task is not None and _fits(task, wish, target, suggest):
                return Asked(scene, task, ask)


def sample_pair(
    rng: np.random.Generator, wish: Wish, kind: str | None = None
) -> tuple[tuple[Scene, Task], tuple[Scene, Task]]:
    """The same question about two scenes one item apart, with different answers, in random order.

    Args:
        rng: the only source of randomness.
        wish: what the split asks of the first scene.
        kind: the type of the answer, ``truth`` for a statement; drawn where it is not given.
    """
    while True:
        one = sample_question(rng, wish, kind)
        two = edited(rng, one, lambda answer, before=one.task.answer: answer != before)  # type: ignore[misc]
        if two is not None and not (wish.unseen and not names_unseen(two[1])):
            found = ((one.scene, one.task), two)
            return found if rng.random() < 0.5 else found[::-1]
