"""The warm start's gates for the language model: what it reads from fresh scenes, and answers."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from noisygrpo.playground.lessons import chat_text, conversation, learned
from noisygrpo.playground.looking import CELL, COLUMNS, ROWS, in_order
from noisygrpo.playground.model import PlaygroundProcessor
from noisygrpo.playground.scene import BOX, BOXES, COLOURS, GAP, SHAPES, SIZES, Item, Scene, render
from noisygrpo.playground.seeing import IGNORE
from noisygrpo.playground.teacher import described

LONGEST = 180
"""Tokens of an answer."""
NEAR = 3.0
"""Pixels from the line between two places at which either is right."""
_WORDS = {
    **dict.fromkeys(SIZES, "size"),
    **dict.fromkeys(COLOURS, "colour"),
    **dict.fromkeys(SHAPES, "shape"),
    "edge": "edge",
    "beside": "beside",
}


def _words(ids: list[int], positions: list[int], tokenizer: Any) -> Iterator[tuple[str, list[int]]]:
    """The words of a turn with the positions of their tokens."""
    word: str = ""
    places: list[int] = []
    for token, place in zip(ids, positions, strict=True):
        text = tokenizer.decode([token])
        ends = token == tokenizer.eos_token_id
        if places and (ends or text.startswith(" ")):
            yield word, places
            word, places = "", []
        word, places = word + text.strip(), [*places, place]
        if ends:  # the next turn begins without a space
            yield word, places
            word, places = "", []


def _place_right(item: Item, box: int, said: str) -> bool:
    """Whether a place such as ``b2`` is where the item has its centre, or as near."""
    if len(said) != 2 or said[0] not in COLUMNS or said[1] not in ROWS:
        return False
    left = box * (BOX + GAP) + item.x
    for corner, cell in ((left, COLUMNS.index(said[0])), (item.y, ROWS.index(said[1]))):
        middle = corner + item.side / 2
        if not CELL * cell - NEAR <= middle <= CELL * (cell + 1) + NEAR:
            return False
    return True


@torch.no_grad()
def forced_reading(
    model: Any, processor: PlaygroundProcessor, scenes: Sequence[Scene]
) -> dict[str, float]:
    """Item-by-item reading with everything before given: how often each next word is right.

    Every box of every scene is described; at each word the model's likeliest one is compared with
    the right one, the right ones before it being given.

    Returns:
        Shares in 0 to 1: ``place``, ``size``, ``colour`` and ``shape`` of scattered items (the
        last three at once: ``item``), ``edge`` and ``beside`` where they are said, ``tower``: a
        block's colour in stacked scenes, ``end``: that a box's reading ends where it does.
    """
    right: dict[str, list[bool]] = {}
    tokenizer = processor.tokenizer
    for start in range(0, len(scenes), 16):
        part = scenes[start : start + 16]
        turns = [described(scene, range(len(BOXES))) for scene in part]
        batch = dict(
            processor(
                text=[chat_text(processor, t, image=True) for t in turns],
                images=[[render(s)] for s in part],
                return_tensors="pt",
                padding=True,
                padding_side="right",
            )
        )
        labels = learned(processor, batch["input_ids"])
        said = model(**batch).logits.argmax(-1)
        for row, scene in enumerate(part):
            _judge(right, scene, batch["input_ids"][row], labels[row], said[row], tokenizer)
    return {name: float(np.mean(values)) for name, values in sorted(right.items())}


def _judge(
    right: dict[str, list[bool]],
    scene: Scene,
    ids: torch.Tensor,
    labels: torch.Tensor,
    said: torch.Tensor,
    tokenizer: Any,
) -> None:
    """Add one picture's verdicts, word by word, to ``right``."""
    places = (labels != IGNORE).nonzero().flatten().tolist()
    items = [
        (item, number)
        for number, box in enumerate(scene.boxes)
        for item in ([] if scene.stacked else in_order(box, number))
    ]
    seen, whole = -1, True
    for word, spots in _words(ids[places].tolist(), places, tokenizer):
        found = [int(said[spot - 1]) for spot in spots]
        correct = found == ids[spots].tolist()
        kind = _WORDS.get(word)
        if word == tokenizer.eos_token:
            right.setdefault("end", []).append(correct)
        elif scene.stacked:
            if kind == "colour":
                right.setdefault("tower", []).append(correct)
        elif kind is not None:
            right.setdefault(kind, []).append(correct)
            whole = whole and correct
            if kind == "shape":
                right.setdefault("item", []).append(whole)
        elif len(word) == 2 and word[0] in COLUMNS:
            seen, whole = seen + 1, True
            correct = correct or _place_right(*items[seen], tokenizer.decode(found).strip())
            right.setdefault("place", []).append(correct)


@torch.no_grad()
def answered(
    model: Any, processor: PlaygroundProcessor, rows: Sequence[dict[str, Any]], sampled: bool
) -> list[bool]:
    """Which rows' answers are right, to the letter; greedy, or sampled at temperature 1."""
    found = []
    torch.manual_seed(0)
    for start in range(0, len(rows), 50):
        part = rows[start : start + 50]
        texts = [
            processor.apply_chat_template(
                conversation([(row["question"], "")], image=True)[:1],
                tokenize=False,
                add_generation_prompt=True,
            )
            for row in part
        ]
        inputs = processor(
            text=texts,
            images=[row["images"] for row in part],
            return_tensors="pt",
            padding=True,
            padding_side="left",
        )
        how: dict[str, Any] = {"do_sample": True, "top_k": 0} if sampled else {"do_sample": False}
        ids = model.generate(**inputs, max_new_tokens=LONGEST, **how)
        said = processor.batch_decode(ids[:, inputs["input_ids"].shape[1] :])
        answers = [text.partition("<answer>")[2].partition("</answer>")[0] for text in said]
        found += [answer == row["answer"] for answer, row in zip(answers, part, strict=True)]
    return found
