"""Splits of the playground: the training distribution and ten ways to leave it.

===========  ===================================================================================
train        scattered or stacked scenes, plain words; the words suggest the right answer in 30 %
test         the same distribution, other draws
more         five or six shapes, or two stacks, in every box
wording      the rows of ``test`` in words that training with rewards never sees
combination  shapes in colours that no picture of the warm start or of training shows
corrupt      the rows of ``test`` with blur, JPEG artefacts, an occlusion or low contrast
noisy        the rows of ``test`` with Gaussian diffusion noise, as noisy rollouts see it
prior        what the words suggest is never right
absent       asks about things that are not there; any answer but '0' or 'none' is a hallucination
blind        the rows of ``test`` with a plain grey picture: what the text alone gives
pairs        the same question on two pictures that differ in one thing, with different answers
===========  ===================================================================================

Rows that share a ``pair`` count as right only together. Every example is a pure function of (split,
seed, index); nothing is stored.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np
from datasets import Dataset, Features, Sequence, Value
from datasets import Image as ImageFeature
from PIL import Image

from noisygrpo.errors import require
from noisygrpo.playground.corruptions import corrupted, with_noise
from noisygrpo.playground.language import Task
from noisygrpo.playground.questions import Wish, sample_pair, sample_question
from noisygrpo.playground.scene import HEIGHT, WIDTH, Scene, render
from noisygrpo.playground.synonyms import reworded

PROMPT = "{question}\nThink step by step, then answer."
WISHES = {
    "train": Wish(),
    "test": Wish(),
    "more": Wish(crowded=True),
    "combination": Wish(unseen=True),
    "prior": Wish(suggested=0.0),
    "absent": Wish(
        suggested=0.0,
        absent=True,
        types=(("number", 0.5), ("list", 0.2), ("colour", 0.2), ("position", 0.1)),
    ),
    "pairs": Wish(),
}
"""What each split that draws its own rows asks for."""
OF_TEST = ("wording", "corrupt", "noisy", "blind")
"""Splits that show the rows of ``test`` in another way."""
SPLITS = (
    "train",
    "test",
    "more",
    "wording",
    "combination",
    "corrupt",
    "noisy",
    "prior",
    "absent",
    "blind",
    "pairs",
)
BLOCK = 8
"""Rows that are drawn together: the last two are one statement on two pictures."""
KEPT = 4096
"""Rows that are kept as they were drawn: five splits show those of ``test``, and a pair is two."""
_STREAM = 0x706C6179  # keeps these random numbers apart from every other use of the same seed
_GREY = (128, 128, 128)


def _rng(split: str, seed: int, index: int, part: int) -> np.random.Generator:
    place = tuple(WISHES).index(split)
    return np.random.default_rng(np.random.SeedSequence([_STREAM, place, seed, index, part]))


@lru_cache(maxsize=KEPT)
def draw_row(split: str, index: int, seed: int) -> tuple[Scene, Task, str]:
    """The scene, the question and the pair (``""``: none) of a row of a split of ``WISHES``."""
    wish = WISHES[split]
    block, place = divmod(index, BLOCK)
    if split == "pairs":
        pair, kind, place = index // 2, None, index % 2
    elif place >= BLOCK - 2 and not wish.absent:
        pair, kind, place = block, "truth", place - BLOCK + 2
    else:
        asked = sample_question(_rng(split, seed, index, 0), wish)
        return asked.scene, asked.task, ""
    scene, task = _draw_pair(split, pair, seed, kind)[place]
    return scene, task, f"{split}-{seed}-pair-{pair}"


@lru_cache(maxsize=KEPT)
def _draw_pair(
    split: str, pair: int, seed: int, kind: str | None
) -> tuple[tuple[Scene, Task], tuple[Scene, Task]]:
    rng = _rng(split, seed, pair, 1)
    if kind is None and rng.random() < 0.25:
        kind = "truth"
    return sample_pair(rng, WISHES[split], kind)


def shown(split: str, image: Image.Image, index: int, seed: int) -> Image.Image:
    """The picture of a row of ``test`` as another split shows it."""
    rng = _rng("test", seed, index, 2)
    if split == "corrupt":
        return corrupted(image, index, rng)
    if split == "noisy":
        return with_noise(image, rng)
    return Image.new("RGB", (WIDTH, HEIGHT), _GREY) if split == "blind" else image


def make_example(split: str, index: int, seed: int = 0) -> dict[str, object]:
    """Example ``index`` of a split in the one example format (see ``noisygrpo.data.example``)."""
    scene, task, pair = draw_row("test" if split in OF_TEST else split, index, seed)
    if split == "wording":
        task = replace(task, question=reworded(task.question, _rng("test", seed, index, 3)))
    name = f"{split}-{seed}-{index}"
    if pair:
        pair = split + pair[pair.index("-") :]
    return {
        "prompt": [{"role": "user", "content": PROMPT.format(question=task.question)}],
        "images": [shown(split, render(scene), index, seed)],
        "answer": task.answer,
        "reasoning": task.reasoning,
        "example_id": name,
        "cluster": pair or name,
        "kind": task.kind,
        "question": task.question,
        "pair": pair,
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
    text = ("answer", "reasoning", "example_id", "cluster", "kind", "question", "pair")
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
