"""Demonstrations for the warm start: careful ones, and ones with slips.

Careful: the reference reasoning of the question, in steps, then the right answer. A slip: the
reasoning of a scene in which one or two things are not as in the picture, right in itself. Most
slips read what the words of the question suggest (``questions.FAVOURED``), some read anything. What
the model learns from them is what large models show as text bias and hallucination: it writes down
what is likely from the text.
"""

from collections.abc import Sequence

import numpy as np

from noisygrpo.playground import people
from noisygrpo.playground.edits import Asked, edited
from noisygrpo.playground.language import Task
from noisygrpo.playground.looking import reading
from noisygrpo.playground.questions import (
    MAKERS,
    SPREAD,
    Maker,
    asker,
    favoured,
    names_unseen,
    pick,
)
from noisygrpo.playground.scene import BOXES, Scene
from noisygrpo.playground.synonyms import reworded

TYPES = (("number", 0.35), ("truth", 0.35), ("list", 0.14), ("colour", 0.08), ("position", 0.08))
"""Shares of the answer types in demonstrations."""
OTHER_WORDS = 0.3
"""Share of the questions in the words of ``synonyms``."""
PULL = {
    "black": 0.75,
    "blue": 0.5,
    "yellow": 0.3,
    "circle": 0.65,
    "triangle": 0.35,
    "square": 0.5,
}
"""How often a slip follows what the words suggest, by the first such word of the question."""
PULL_ELSE = 0.5
ANY_SLIP = 0.15
"""Share of the other demonstrations that misread something, whatever it is."""
_TRIES = 8  # to come near the spread of answers

PEOPLES: dict[bool, tuple[tuple[Maker, float], ...]] = {
    False: people.SCATTERED_MAKERS,
    True: people.STACKED_MAKERS,
}
Turn = tuple[str, str]
DESCRIBE = "Describe"
"""How a request for a description begins; it is made without the prompt of questions."""


def completion(reasoning: str, answer: str) -> str:
    """The text of an assistant turn: ``<think>reasoning</think><answer>answer</answer>``."""
    return f"<think>{reasoning}</think><answer>{answer}</answer>"


def draw_question(rng: np.random.Generator, scene: Scene) -> Asked:
    """A question about a given scene; numbers follow their spread as well as one scene allows.

    Half of the statements are of the kinds that only people make.
    """
    while True:
        kind = str(pick(rng, TYPES))
        table = MAKERS[kind][scene.stacked]
        if kind == "truth" and rng.random() < 0.5:
            table = PEOPLES[scene.stacked]
        maker: Maker = pick(rng, table)  # type: ignore[assignment]
        spread = SPREAD.get(kind, (("true", 0.5), ("false", 0.5)) if kind == "truth" else None)
        target = None if spread is None else str(pick(rng, spread))
        found = None
        for _ in range(_TRIES):
            ask = asker(maker, int(rng.integers(2**62)))
            task = ask(scene)
            if task is None or names_unseen(task):
                continue
            found = Asked(scene, task, ask)
            if target is None or task.answer == target:
                break
        if found is not None:
            return found


def pull(task: Task) -> float:
    """How strongly the words of a question pull."""
    words = (task.reasoning.partition(" Step 2:")[0] + " " + task.question).lower()
    found = [(words.find(name), share) for name, share in PULL.items() if name in words]
    return min(found)[1] if found else PULL_ELSE


def slip(rng: np.random.Generator, question: Asked) -> Task:
    """The question answered from a scene that is not quite the picture's."""
    task, suggested = question.task, favoured(question.task)
    if suggested is not None and suggested != task.answer and rng.random() < pull(task):
        other = edited(rng, question, lambda answer: answer == suggested, depth=3)
        if other is not None:
            return other[1]
    if rng.random() < ANY_SLIP:
        other = edited(rng, question, lambda answer: True)
        if other is not None:
            return other[1]
    return task


def demonstration(
    rng: np.random.Generator, scene: Scene, questions: int, slips: bool
) -> list[Turn]:
    """A conversation about a picture: (question, assistant text) pairs.

    Args:
        rng: the only source of randomness.
        scene: what the picture shows.
        questions: how many questions are asked about the picture.
        slips: whether some turns are misread.
    """
    turns = []
    for _ in range(questions):
        question = draw_question(rng, scene)
        shown = slip(rng, question) if slips else question.task
        words = question.task.question
        if rng.random() < OTHER_WORDS:
            words = reworded(words, rng)
        turns.append((words, completion(shown.reasoning, shown.answer)))
    return turns


def described(scene: Scene, order: Sequence[int]) -> list[Turn]:
    """A picture described box by box, in the given order."""
    return [(f"{DESCRIBE} the {BOXES[b]} box.", reading(scene, b)) for b in order]


def description(rng: np.random.Generator, scene: Scene) -> list[Turn]:
    """A picture described box by box, in random order."""
    return described(scene, [int(box) for box in rng.permutation(3)])
