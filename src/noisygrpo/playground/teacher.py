"""Demonstrations for the warm start, careful and hasty.

Careful: the reference reasoning of the question, in steps, then the right answer. Hasty: no look at
the picture; an answer drawn from the training prior, right or wrong. The warm start's last stage
mixes the two, so that the model can look and is in the habit of not looking: what large models show
as text bias, in a form that the reward can change within minutes.
"""

import numpy as np

from noisygrpo.playground.language import Task
from noisygrpo.playground.scene import Scene, sample_scene
from noisygrpo.playground.splits import answer_type, pick_maker, prior_answer

HASTY_THOUGHT = "A quick guess."


def completion(reasoning: str, answer: str) -> str:
    """The text of an assistant turn: ``<think>reasoning</think><answer>answer</answer>``."""
    return f"<think>{reasoning}</think><answer>{answer}</answer>"


def hasty(rng: np.random.Generator, task: Task) -> str:
    """A turn that skips the looking: the answer comes from the training prior of its type."""
    return completion(HASTY_THOUGHT, prior_answer(answer_type(task.answer), float(rng.random())))


def sample_turns(rng: np.random.Generator, count: int) -> tuple[Scene, list[Task]]:
    """A scene and ``count`` questions about it.

    The answers follow the training priors as well as one scene allows.
    """
    stacked = bool(rng.random() < 0.5)
    scene = sample_scene(rng, stacked=stacked)
    tasks: list[Task] = []
    while len(tasks) < count:
        maker, of_stacks = pick_maker(rng, "train")
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
        hasty_share: probability that a turn is hasty; with 0 every turn is careful.
    """
    scene, tasks = sample_turns(rng, questions)
    turns = [
        (
            t.question,
            hasty(rng, t) if rng.random() < hasty_share else completion(t.reasoning, t.answer),
        )
        for t in tasks
    ]
    return scene, turns
