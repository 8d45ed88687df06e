"""Batches of the warm start's five stages; each is a pure function of (seed, stage, step).

see
    Pictures alone: for every patch of 10 x 10 pixels, which item covers it, which item has its
    centre in it, and whether that one touches a side of its box. Trains the vision tower; it plays
    the part that contrastive pretraining plays for large models.
reason
    Text alone: from a question and the description of a picture to the answer. The description
    itself is given and not learned, so that nothing is ever described unseen. Trains the language
    model.
look
    Pictures with questions and careful reasoning. Trains the language model on the tower's tokens.
join
    The same; trains the whole model.
habit
    A share of hasty answers (``noisygrpo.playground.teacher``).
"""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from noisygrpo.playground.model import PATCH, PlaygroundProcessor
from noisygrpo.playground.scene import (
    BOX,
    BOXES,
    COLOURS,
    GAP,
    HEIGHT,
    SHAPES,
    SIZES,
    WIDTH,
    Scene,
    render,
    sample_scene,
    sprite,
)
from noisygrpo.playground.splits import PROMPT
from noisygrpo.playground.teacher import demonstration

STAGES = ("see", "reason", "look", "join", "habit")
PATCH_CLASSES = 1 + len(SHAPES) * len(COLOURS) * len(SIZES)  # 0 is 'nothing'
IGNORE = -100
_STREAM = 0x7761726D  # this stream of random numbers is the warm start's own
_COVERED = 8.0  # of 100 pixels: an item that covers less of a patch does not name it

Batch = dict[str, torch.Tensor]


def lesson_rng(seed: int, stage: str, step: int) -> np.random.Generator:
    """The random numbers of one batch."""
    return np.random.default_rng(np.random.SeedSequence([_STREAM, seed, STAGES.index(stage), step]))


@dataclass(frozen=True)
class PatchLabels:
    """What every patch of a picture shows: int64 ``[HEIGHT / 10, WIDTH / 10]`` each.

    ``cover`` and ``centre`` are classes below ``PATCH_CLASSES``, 0 for nothing; ``edge`` is 0 or 1
    where there is a centre and ``IGNORE`` elsewhere.
    """

    cover: np.ndarray
    centre: np.ndarray
    edge: np.ndarray


def patch_labels(scene: Scene) -> PatchLabels:
    """The labels of a scene; of several items the one that covers most of a patch names it."""
    rows, columns = HEIGHT // PATCH, WIDTH // PATCH
    cover, centre = np.zeros((2, rows, columns), np.int64)
    edge = np.full((rows, columns), IGNORE, np.int64)
    best = np.full((rows, columns), _COVERED)
    for box, items in enumerate(scene.boxes):
        for item in items:
            x, y = box * (BOX + GAP) + item.x, item.y
            canvas = Image.new("L", (WIDTH, HEIGHT), 0)
            canvas.paste(sprite(item.shape, item.side), (x, y))
            share = np.asarray(canvas, np.float64).reshape(rows, PATCH, columns, PATCH)
            share = share.sum(axis=(1, 3)) / 255
            place = SHAPES.index(item.shape) * len(COLOURS) + list(COLOURS).index(item.colour)
            name = 1 + place * len(SIZES) + list(SIZES).index(item.size)
            cover = np.where(share > best, name, cover)
            best = np.maximum(best, share)
            middle = (y + item.side // 2) // PATCH, (x + item.side // 2) // PATCH
            centre[middle], edge[middle] = name, int(item.at_edge())
    return PatchLabels(cover, centre, edge)


def see(processor: PlaygroundProcessor, seed: int, step: int, size: int) -> Batch:
    """Pictures with the labels of their patches.

    Returns:
        ``pixel_values`` and ``image_grid_thw`` of the processor, and the labels ``cover``,
        ``centre`` and ``edge``, int64 ``[tokens, 4]``: the four patches of every merged token, in
        the tower's order.
    """
    rng = lesson_rng(seed, "see", step)
    # three in four scattered: all blocks of a stacked scene have one shape and one size
    scenes = [sample_scene(rng, stacked=bool(rng.random() < 0.25)) for _ in range(size)]
    batch = dict(processor.image_processor(images=[render(s) for s in scenes], return_tensors="pt"))
    labels = [patch_labels(scene) for scene in scenes]
    for name in ("cover", "centre", "edge"):
        maps = np.stack([vars(label)[name] for label in labels])
        count, rows, columns = maps.shape
        merged = maps.reshape(count, rows // 2, 2, columns // 2, 2).transpose(0, 1, 3, 2, 4)
        batch[name] = torch.from_numpy(merged.reshape(-1, 4).copy())
    return batch


def chat_text(processor: PlaygroundProcessor, turns: list[tuple[str, str]], image: bool) -> str:
    """The chat text of a conversation, in the very layout that generation uses."""
    messages: list[dict[str, object]] = []
    for place, (question, text) in enumerate(turns):
        content: list[dict[str, str]] = [{"type": "image"}] if image and place == 0 else []
        content.append({"type": "text", "text": PROMPT.format(question=question)})
        messages.append({"role": "user", "content": content})
        messages.append({"role": "assistant", "content": [{"type": "text", "text": text}]})
    return processor.apply_chat_template(messages, tokenize=False)


def labels_of(input_ids: torch.Tensor, start: list[int], end: int) -> torch.Tensor:
    """Labels int64 ``[B, T]``: the assistant turns with their ``<|im_end|>``, all else ignored.

    Args:
        input_ids: token ids, int64 ``[B, T]``.
        start: the tokens that open an assistant turn; they are not learned.
        end: the token that closes a turn.
    """
    labels = torch.full_like(input_ids, IGNORE)
    for row, ids in enumerate(input_ids.tolist()):
        inside, place = False, 0
        while place < len(ids):
            if not inside and ids[place : place + len(start)] == start:
                inside, place = True, place + len(start)
                continue
            if inside:
                labels[row, place] = ids[place]
                inside = ids[place] != end
            place += 1
    return labels


def hide_descriptions(
    labels: torch.Tensor, starts: list[list[int]], end: list[int]
) -> torch.Tensor:
    """Labels without what stands from one of the token sequences ``starts`` up to ``end``."""
    labels = labels.clone()
    for row, ids in enumerate(labels.tolist()):
        inside = False
        for place in range(len(ids)):
            if any(ids[place : place + len(start)] == start for start in starts):
                inside = True
            elif ids[place : place + len(end)] == end:
                inside = False
            if inside:
                labels[row, place] = IGNORE
    return labels


def converse(
    processor: PlaygroundProcessor,
    seed: int,
    stage: str,
    step: int,
    size: int,
    *,
    questions: int = 1,
    hasty_share: float = 0.0,
) -> Batch:
    """``size`` conversations, ``questions`` turns each, with ``labels`` int64 ``[size, T]``.

    In the stage ``reason`` there are no pictures, and the descriptions are not learned.
    """
    rng = lesson_rng(seed, stage, step)
    texts, pictures = [], []
    for _ in range(size):
        scene, turns = demonstration(rng, questions, hasty_share)
        texts.append(chat_text(processor, turns, image=stage != "reason"))
        pictures.append([render(scene)])
    batch = dict(
        processor(
            text=texts,
            images=None if stage == "reason" else pictures,
            return_tensors="pt",
            padding=True,
            padding_side="right",
        )
    )
    tokenizer = processor.tokenizer
    start = tokenizer("<|im_start|>assistant\n")["input_ids"]
    batch["labels"] = labels_of(batch["input_ids"], start, tokenizer.eos_token_id)
    if stage == "reason":
        starts = [tokenizer(f": {box}")["input_ids"] for box in BOXES]
        end = tokenizer(" gives")["input_ids"]
        batch["labels"] = hide_descriptions(batch["labels"], starts, end)
    return batch
