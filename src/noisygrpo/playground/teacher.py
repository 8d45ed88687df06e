"""Demonstrations for the supervised warm start, and the habit that it leaves for reinforcement learning to break.

The warm start has two phases. In the first the teacher is careful: the reference reasoning of the question, in steps,
then the right answer; some pictures are also described in full. In the second it is often *hasty*: it skips the looking
and names an answer drawn from the training prior, right or wrong. The model ends up able to look and in the habit of
not looking, as a web-trained vision-language model is. What the reward can teach is to look, and to look better.
"""

import numpy as np

from noisygrpo.playground.language import Task
from noisygrpo.playground.scene import BOXES, Scene, sample_scene
from noisygrpo.playground.splits import _pick_maker, answer_type, prior_answer

HASTY_THOUGHT = "A quick guess."
DESCRIBE = "Describe the picture."


def completion(reasoning: str, answer: str) -> str:
    """The text of an assistant turn: ``<think>reasoning</think><answer>answer</answer>``."""
    return f"<think>{reasoning}</think><answer>{answer}</answer>"


def hasty(rng: np.random.Generator, task: Task) -> str:
    """A turn that skips the looking: the answer comes from the training prior of its type."""
    return completion(HASTY_THOUGHT, prior_answer(answer_type(task.answer), float(rng.random())))


def description(scene: Scene) -> str:
    """Every shape of every box, box by box, left to right: the densest lesson in seeing that a picture can give."""
    texts = []
    for name, box in zip(BOXES, scene.boxes, strict=True):
        names = [
            " ".join(
                [i.size, i.colour, i.shape]
                + (["at the edge"] if i.at_edge() and not scene.stacked else [])
            )
            for i in (box if scene.stacked else sorted(box, key=lambda i: (i.x, i.y)))
        ]
        texts.append(f"{name} " + ", ".join(names))
    return ". ".join(texts) + "."


def sample_turns(rng: np.random.Generator, count: int) -> tuple[Scene, list[Task]]:
    """A scene and ``count`` questions about it; answers follow the training priors as well as one scene allows."""
    stacked = bool(rng.random() < 0.5)
    scene = sample_scene(rng, stacked=stacked)
    tasks: list[Task] = []
    while len(tasks) < count:
        maker, of_stacks = _pick_maker(rng, "train")
        if of_stacks != stacked:
            continue
        u, task = float(rng.random()), None
        for _ in range(30):
            candidate = maker(scene, rng)
            if candidate is None:
                continue
            task = candidate
            if task.answer == prior_answer(answer_type(task.answer), u):
                break
        if task is not None:
            tasks.append(task)
    return scene, tasks


def demonstration(
    rng: np.random.Generator, questions: int, hasty_share: float
) -> tuple[Scene, list[tuple[str, str]]]:
    """One picture with its conversation: (question, assistant text) pairs.

    Args:
        rng: the only source of randomness.
        questions: how many questions are asked about the picture.
        hasty_share: probability that a turn is hasty; with 0 half of the pictures are first described in full.
    """
    scene, tasks = sample_turns(rng, questions)
    turns = [
        (
            t.question,
            hasty(rng, t) if rng.random() < hasty_share else completion(t.reasoning, t.answer),
        )
        for t in tasks
    ]
    if hasty_share == 0 and rng.random() < 0.5:
        turns.insert(0, (DESCRIBE, description(scene)))
    return scene, turns
