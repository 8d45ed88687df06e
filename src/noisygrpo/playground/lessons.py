"""Batches of the warm start's stages; each is a pure function of (seed, stage, step).

see
    Pictures alone (``noisygrpo.playground.seeing``). Trains the vision tower.
locate
    The same, and where in its picture every token is. Trains the vision tower.
spread
    No steps: the tower's features are given the same spread in every direction.
reason
    Text alone: from a question and the description of a picture to the answer. The description
    itself is given and not learned, so that nothing is ever described unseen. Trains the language
    model.
read
    Pictures, described item by item, box by box; some are asked about, so that reasoning is not
    forgotten, again with the descriptions given. Trains the language model on the tower's tokens.
look
    Pictures with questions, and now and then a description. Trains the language model.
slip
    Questions with a share of misread answers (``noisygrpo.playground.teacher``).
"""

import numpy as np
import torch

from noisygrpo.playground.gallery import Gallery
from noisygrpo.playground.model import PlaygroundProcessor
from noisygrpo.playground.scene import BOXES, sample_scene
from noisygrpo.playground.seeing import IGNORE, Batch
from noisygrpo.playground.splits import PROMPT
from noisygrpo.playground.teacher import DESCRIBE, Turn, demonstration, description

STREAMS = ("see", "reason", "read", "look", "slip", "probe", "words", "locate", "spread")
DESCRIBED = {"read": 0.75, "look": 0.25, "slip": 0.1}
"""Share of pictures that are described instead of asked about, by stage."""
_STREAM = 0x7761726D  # this stream of random numbers is the warm start's own


def lesson_rng(seed: int, stage: str, step: int) -> np.random.Generator:
    """The random numbers of one batch."""
    return np.random.default_rng(
        np.random.SeedSequence([_STREAM, seed, STREAMS.index(stage), step])
    )


def conversation(turns: list[Turn], image: bool) -> list[dict[str, object]]:
    """The chat messages of a picture's turns; questions are asked in the playground's prompt."""
    messages: list[dict[str, object]] = []
    for place, (question, text) in enumerate(turns):
        content: list[dict[str, str]] = [{"type": "image"}] if image and place == 0 else []
        plain = question.startswith(DESCRIBE)
        content.append(
            {"type": "text", "text": question if plain else PROMPT.format(question=question)}
        )
        messages.append({"role": "user", "content": content})
        messages.append({"role": "assistant", "content": [{"type": "text", "text": text}]})
    return messages


def chat_text(processor: PlaygroundProcessor, turns: list[Turn], image: bool) -> str:
    """The chat text of a conversation, in the very layout that generation uses."""
    return processor.apply_chat_template(conversation(turns, image), tokenize=False)


def learned(processor: PlaygroundProcessor, input_ids: torch.Tensor) -> torch.Tensor:
    """``labels_of`` for chats of the playground."""
    opening = processor.tokenizer("<|im_start|>assistant\n")["input_ids"]
    return labels_of(input_ids, opening, processor.tokenizer.eos_token_id)


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
    labels: torch.Tensor, starts: list[list[int]], ends: list[list[int]]
) -> torch.Tensor:
    """Labels without what stands from one of the token sequences ``starts`` to one of ``ends``."""
    labels = labels.clone()
    for row, ids in enumerate(labels.tolist()):
        inside = False
        for place in range(len(ids)):
            if any(ids[place : place + len(start)] == start for start in starts):
                inside = True
            elif any(ids[place : place + len(end)] == end for end in ends):
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
    gallery: Gallery | None = None,
    *,
    questions: int = 2,
) -> Batch:
    """``size`` conversations, ``questions`` turns each, with ``labels`` int64 ``[size, T]``.

    In the stage ``reason`` there are no pictures; in the others they are drawn from the gallery. In
    ``reason`` and ``read`` the descriptions within the answers to questions are not learned.
    """
    rng = lesson_rng(seed, stage, step)
    texts, chosen = [], []
    for _ in range(size):
        if gallery is None:
            scene = sample_scene(rng)
        else:
            chosen.append(int(rng.integers(len(gallery.scenes))))
            scene = gallery.scenes[chosen[-1]]
        if rng.random() < DESCRIBED.get(stage, 0.0):
            turns = description(rng, scene)
        else:
            turns = demonstration(rng, scene, questions, slips=stage == "slip")
        texts.append(chat_text(processor, turns, image=gallery is not None))
    tokenizer = processor.tokenizer
    if gallery is not None:
        batch = gallery.batch(processor, texts, chosen)
    else:
        batch = dict(tokenizer(texts, return_tensors="pt", padding=True, padding_side="right"))
    del batch["attention_mask"]  # padded on the right, which causal attention never looks at
    batch["labels"] = learned(processor, batch["input_ids"])
    if stage in ("reason", "read"):
        starts = [tokenizer(f": {box}")["input_ids"] for box in BOXES]
        ends = [tokenizer(" gives")["input_ids"], tokenizer(".</think>")["input_ids"]]
        batch["labels"] = hide_descriptions(batch["labels"], starts, ends)
    return batch
