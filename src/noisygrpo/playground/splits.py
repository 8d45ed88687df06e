"""Splits of the playground: the training distribution and five ways to leave it.

=========  =====================================================================================
train      scattered or stacked scenes, answers with mild priors (below)
test       the same distribution, other draws
more       five to seven shapes, or two stacks, in every box
corrupt    ``test`` with blur, JPEG artefacts, an occlusion or low contrast, one of them a picture
prior      answer priors reversed: a model that answers from the text alone falls below chance
absent     asks about things that are not there; any answer but 'false', '0' or 'none' is a
           hallucination
=========  =====================================================================================

Every example is a pure function of (split, seed, index); nothing is stored.
"""

import io
from collections.abc import Callable

import numpy as np
from datasets import Dataset, Features, Sequence, Value
from datasets import Image as ImageFeature
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from noisygrpo.errors import require
from noisygrpo.playground import scattered, stacked
from noisygrpo.playground.language import Task
from noisygrpo.playground.scene import HEIGHT, WIDTH, Scene, render, sample_scene

SPLITS = ("train", "test", "more", "corrupt", "prior", "absent")
PROMPT = "{question}\nThink step by step, then answer."
CORRUPTIONS = ("blur", "jpeg", "occlusion", "contrast")

# How often each answer is right in training, by type of answer; `prior` reverses each list. The
# mode is mild (55 % as in NLVR), so that answering from the text alone is a habit worth having, but
# not worth keeping.
PRIORS: dict[str, tuple[tuple[str, float], ...]] = {
    "truth": (("true", 0.55), ("false", 0.45)),
    "number": (("1", 0.40), ("2", 0.24), ("0", 0.16), ("3", 0.12), ("4", 0.08)),
    "colour": (("yellow", 0.45), ("blue", 0.28), ("black", 0.17), ("none", 0.10)),
    "position": (("left", 0.46), ("middle", 0.31), ("right", 0.23)),
}
ABSENT_MAKERS = (
    scattered.exists,
    scattered.how_many,
    scattered.what_colour,
    scattered.which_box,
    stacked.stack_end,
    stacked.stack_count,
)
_ABSENT_ANSWERS = ("false", "0", "none")
_TRIES = 2000
_STREAM = 0x706C6179  # keeps these random numbers apart from every other use of the same seed


def answer_type(answer: str) -> str:
    """``truth``, ``number``, ``colour`` or ``position``."""
    if answer.isdigit():
        return "number"
    return {
        "true": "truth",
        "false": "truth",
        "left": "position",
        "middle": "position",
        "right": "position",
    }.get(answer, "colour")


def prior_answer(kind: str, u: float, reverse: bool = False) -> str:
    """The answer at quantile ``u`` of a type's prior; ``reverse`` turns the weights round."""
    table = PRIORS[kind]
    weights = [weight for _, weight in table]
    if reverse:
        weights.reverse()
    place = int(np.searchsorted(np.cumsum(weights), u, side="right"))
    return table[min(place, len(table) - 1)][0]


def pick_maker(rng: np.random.Generator, split: str) -> tuple[scattered.Maker, bool]:
    """Draw a kind of question of a split, and whether it is about a stacked scene."""
    if split == "absent":
        maker = ABSENT_MAKERS[int(rng.integers(len(ABSENT_MAKERS)))]
        return maker, maker.__module__ == stacked.__name__
    stack = bool(rng.random() < 0.5)
    makers = stacked.MAKERS if stack else scattered.MAKERS
    weights = np.array([weight for _, weight in makers])
    return makers[int(rng.choice(len(makers), p=weights / weights.sum()))][0], stack


def sample_task(rng: np.random.Generator, split: str) -> tuple[Scene, Task]:
    """Draw a scene and a question of a split; the answer follows its prior by rejection."""
    maker, stack = pick_maker(rng, split)
    u = float(rng.random())
    for _ in range(_TRIES):
        scene = sample_scene(rng, crowded=split == "more", stacked=stack)
        task = maker(scene, rng)
        if task is None:
            continue
        if split == "absent":
            if task.answer in _ABSENT_ANSWERS:
                return scene, task
        elif task.answer == prior_answer(answer_type(task.answer), u, reverse=split == "prior"):
            return scene, task
        elif split == "more" and answer_type(task.answer) == "number":
            return scene, task  # crowded scenes have larger numbers than the priors name
    return sample_task(rng, split)  # a question that never gets this answer: draw another


def _blur(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(float(rng.uniform(1.0, 2.0))))


def _jpeg(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=int(rng.integers(5, 16)))
    return Image.open(buffer).convert("RGB")


def _occlude(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    image = image.copy()
    x, y = int(rng.integers(0, WIDTH - 30)), int(rng.integers(0, HEIGHT - 30))
    ImageDraw.Draw(image).rectangle((x, y, x + 29, y + 29), fill=(160, 160, 160))
    return image


def _fade(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return ImageEnhance.Contrast(image).enhance(float(rng.uniform(0.25, 0.5)))


CORRUPTORS: dict[str, Callable[[Image.Image, np.random.Generator], Image.Image]] = {
    "blur": _blur,
    "jpeg": _jpeg,
    "occlusion": _occlude,
    "contrast": _fade,
}


def _rng(split: str, seed: int, index: int) -> np.random.Generator:
    # `corrupt` draws the same questions as `test`, so that the two differ in the picture alone
    source = "test" if split == "corrupt" else split
    return np.random.default_rng(
        np.random.SeedSequence([_STREAM, SPLITS.index(source), seed, index])
    )


def make_example(split: str, index: int, seed: int = 0) -> dict[str, object]:
    """Example ``index`` of a split in the one example format (see ``noisygrpo.data.example``)."""
    rng = _rng(split, seed, index)
    scene, task = sample_task(rng, split)
    image = render(scene)
    if split == "corrupt":
        image = CORRUPTORS[CORRUPTIONS[index % len(CORRUPTIONS)]](image, rng)
    name = f"{split}-{seed}-{index}"
    return {
        "prompt": [{"role": "user", "content": PROMPT.format(question=task.question)}],
        "images": [image],
        "answer": task.answer,
        "reasoning": task.reasoning,
        "example_id": name,
        "cluster": name,
        "kind": task.kind,
        "question": task.question,
    }


MOST_ROWS = 1_000_000
"""Of a split: their pictures are made and kept in memory, some 5 KB each."""


def make_split(split: str, rows: int, seed: int = 0) -> Dataset:
    """The first ``rows`` examples of a split as a ``datasets.Dataset``.

    Raises:
        UserError: for an unknown split, and for rows or a seed out of range.
    """
    require(
        split in SPLITS,
        f"data.split: {split!r} is not a split of the playground; allowed: {', '.join(SPLITS)}",
    )
    require(
        1 <= rows <= MOST_ROWS,
        f"data.limit: {rows} rows of the playground were asked for; allowed: 1 to {MOST_ROWS:,}",
    )
    require(0 <= seed < 2**32, f"data.seed: {seed}, allowed is 0 to {2**32 - 1:,}")
    turn = {"role": Value("string"), "content": Value("string")}
    text = ("answer", "reasoning", "example_id", "cluster", "kind", "question")
    features = Features(
        {
            "prompt": [turn],
            "images": Sequence(ImageFeature()),
            **{name: Value("string") for name in text},
        }
    )
    return Dataset.from_list(
        [make_example(split, index, seed) for index in range(rows)], features=features
    )
