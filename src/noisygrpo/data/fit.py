"""Examples against the model's processor: sizes of images, lengths of prompts, special tokens.

All rows are looked at. Sizes come from the headers of the files, nothing is decoded. The number of
tokens of an image comes from the processor's own rule (``_get_num_multimodal_tokens``), held
against what the processor does to a blank image; without such a rule every size is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import datasets
from PIL import Image

from noisygrpo.data.checks import SHOWN, Where
from noisygrpo.data.images import picture_size
from noisygrpo.data.rendering import rendered
from noisygrpo.data.turns import plain_text
from noisygrpo.errors import UserError, require

Size = tuple[int, int]
"""(width, height)."""

PASSES = 3
"""After so many sizes in order that pass, all that are less extreme are taken to pass."""
MEASURED = 64
"""So many sizes are measured where the processor has no rule; others count as the largest."""
BATCH = 512


@dataclass(frozen=True)
class Fitted:
    """Examples that fit, and what is to be said of them."""

    data: datasets.Dataset
    report: list[str]
    longest: int
    """Tokens of the longest prompt that is left, images included."""


def fit_processor(
    data: datasets.Dataset,
    processor: Any,
    where: Where,
    max_prompt_tokens: int | None = None,
    sizes: Sequence[Sequence[Size]] | None = None,
    name: str = "data",
) -> Fitted:
    """Leave out rows with longer prompts than asked for.

    Args:
        data: rows in the example format.
        processor: the model's, with its pixel limits set.
        where: names row i as a person would find it.
        max_prompt_tokens: longest prompt that is kept; None keeps all.
        sizes: of every row's images, where they are known; else they are read from the files.
        name: what messages call the data.

    Raises:
        UserError: naming rows whose images the processor refuses, whose text holds a token that
            structures a conversation, or which are longer than the model can read.
    """
    sizes = image_sizes(data) if sizes is None else sizes
    if getattr(processor, "image_processor", None) is not None:
        _check_sizes(processor.image_processor, sizes, where)
    prompts = data["prompt"][:]
    _check_structure(processor, prompts, where)
    lengths = prompt_lengths(processor, prompts, sizes)
    _check_limit(processor, lengths, max_prompt_tokens, where)
    most = max_prompt_tokens or max(lengths)
    kept = [n for n, length in enumerate(lengths) if length <= most]
    require(
        bool(kept),
        f"data.max_prompt_tokens: {max_prompt_tokens} leaves out all of {len(data):,} rows of "
        f"{name}; the shortest prompt has {min(lengths):,} tokens",
    )
    report = [_length_line(lengths, where)]
    if len(kept) < len(data):
        report.append(_left_out_line(lengths, most, where))
        data = data.select(kept)
    return Fitted(data, report, max(lengths[n] for n in kept))


def _check_limit(
    processor: Any, lengths: Sequence[int], max_prompt_tokens: int | None, where: Where
) -> None:
    """Refuse rows that are kept and longer than the tokenizer says that the model reads."""
    limit = getattr(getattr(processor, "tokenizer", processor), "model_max_length", None)
    if not isinstance(limit, int) or (max_prompt_tokens or limit + 1) <= limit:
        return
    _refuse(
        [n for n, length in enumerate(lengths) if length > limit],
        where,
        lambda n: (
            f"its prompt has {lengths[n]:,} tokens, the model reads {limit:,}; "
            "data.max_prompt_tokens leaves such rows out"
        ),
    )


def _left_out_line(lengths: Sequence[int], most: int, where: Where) -> str:
    out = [n for n, length in enumerate(lengths) if length > most]
    out.sort(key=lambda n: -lengths[n])
    named = ", ".join(f"{where(n)} ({lengths[n]:,})" for n in out[:SHOWN])
    return (
        f"{len(out):,} of {len(lengths):,} rows are left out: their prompts are longer than "
        f"data.max_prompt_tokens {most:,}: {named}" + ", …" * (len(out) > SHOWN)
    )


def _length_line(lengths: Sequence[int], where: Where) -> str:
    longest = max(range(len(lengths)), key=lengths.__getitem__)
    middle = sorted(lengths)[len(lengths) // 2]
    return (
        f"prompts have {min(lengths):,} to {lengths[longest]:,} tokens with their images, half of "
        f"them at most {middle:,}; the longest is {where(longest)}"
    )


def _refuse(rows: Sequence[int], where: Where, why: Callable[[int], str]) -> None:
    """Raise ``UserError`` naming the first of the rows, and how many more there are."""
    if rows:
        more = f"\n... and {len(rows) - SHOWN:,} more rows" if len(rows) > SHOWN else ""
        raise UserError("\n".join(f"{where(n)}: {why(n)}" for n in rows[:SHOWN]) + more)


def image_sizes(data: datasets.Dataset) -> list[list[Size]]:
    """(width, height) of every row's images, from the headers of their files."""
    images = data.with_format("arrow").select_columns(["images"])
    return [
        [picture_size(struct) for struct in structs or []]
        for batch in images.iter(batch_size=100)
        for structs in batch.column("images").to_pylist()
    ]


def _check_sizes(image_processor: Any, sizes: Sequence[Sequence[Size]], where: Where) -> None:
    refused = refused_sizes(image_processor, {size for row in sizes for size in row})
    rows = [n for n, row in enumerate(sizes) if any(size in refused for size in row)]

    def why(row: int) -> str:
        width, height = next(size for size in sizes[row] if size in refused)
        reason = refused[width, height]
        return f"the processor refuses its image of {width} x {height} pixels: {reason}"

    _refuse(rows, where, why)


def refused_sizes(image_processor: Any, sizes: set[Size]) -> dict[Size, str]:
    """The sizes that an image processor cannot take, with its reason.

    It is tried on blank images, the most extreme first, in three orders: by aspect ratio (Qwen2-VL
    refuses above 200), by the shorter side (a picture of 1 or 3 pixels is taken for one whose
    channels come first), by area. See ``PASSES``.
    """
    refused: dict[Size, str] = {}
    passed: set[Size] = set()
    orders: list[Callable[[Size], float]] = [
        lambda size: -max(size) / min(size),
        min,
        lambda size: size[0] * size[1],
    ]
    for order in orders:
        in_row = 0
        for size in sorted(sizes, key=lambda size: (order(size), size)):
            if size not in refused and size not in passed:
                reason = _reason(image_processor, size)
                if reason is None:
                    passed.add(size)
                else:
                    refused[size] = reason
            in_row = in_row + 1 if size in passed else 0
            if in_row == PASSES:
                break
    return refused


def _reason(image_processor: Any, size: Size) -> str | None:
    """Why the processor refuses a blank image of that size; None if it does not."""
    try:
        image_processor([Image.new("RGB", size, (127, 127, 127))], return_tensors="pt")
    except Exception as error:  # processors raise whatever their arithmetic runs into
        return str(error).splitlines()[0] if str(error) else type(error).__name__
    return None


def _check_structure(processor: Any, prompts: Sequence[Any], where: Where) -> None:
    """Refuse text with one of the tokens that this tokenizer's template builds turns from."""
    tokens = structure_tokens(processor)

    def token_of(prompt: Sequence[Mapping[str, Any]]) -> str | None:
        text = "\n".join(plain_text(turn["content"]) for turn in prompt)
        return next((token for token in tokens if token in text), None)

    found = {n: token for n, prompt in enumerate(prompts) if (token := token_of(prompt))}
    _refuse(
        list(found),
        where,
        lambda n: (
            f"its text contains {found[n]}, which this model reads as the end of a turn, the "
            "start of another or an image"
        ),
    )


def structure_tokens(processor: Any) -> list[str]:
    """Special tokens that the chat template writes, and those that end a text."""
    tokenizer = getattr(processor, "tokenizer", processor)
    text = rendered(processor, [{"role": "user", "content": "x"}], 0)
    special = [t.content for t in tokenizer.added_tokens_decoder.values() if t.special]
    ends = (tokenizer.eos_token, tokenizer.pad_token)
    # "<s>" and the like are also how people write in HTML; those are too short to be sure.
    return [t for t in special if len(t) > 4 and (t in text or t in ends)]


def prompt_lengths(
    processor: Any, prompts: Sequence[Any], sizes: Sequence[Sequence[Size]]
) -> list[int]:
    """Tokens of every prompt with its images."""
    tokenizer = getattr(processor, "tokenizer", processor)
    texts = [
        rendered(processor, prompt, len(row)) for prompt, row in zip(prompts, sizes, strict=True)
    ]
    lengths: list[int] = []
    for start in range(0, len(texts), BATCH):
        ids = tokenizer(texts[start : start + BATCH], add_special_tokens=False)["input_ids"]
        lengths += [len(row) for row in ids]
    tokens = image_tokens(processor, {size for row in sizes for size in row})
    return [n + sum(tokens[s] for s in row) for n, row in zip(lengths, sizes, strict=True)]


def image_tokens(processor: Any, sizes: set[Size]) -> dict[Size, int]:
    """Tokens that an image of each size adds to a prompt's text with its slots."""
    if not sizes:
        return {}
    by_area = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    ruled = _by_rule(processor, by_area)
    if ruled is not None:
        return ruled
    chosen = by_area if len(by_area) <= MEASURED else by_area[-MEASURED:]
    measured = {size: _measure(processor, size) for size in chosen}
    return {size: measured.get(size, max(measured.values())) for size in sizes}


def _by_rule(processor: Any, by_area: Sequence[Size]) -> dict[Size, int] | None:
    """The processor's own count, if it differs by a constant from what is measured."""
    rule = getattr(processor, "_get_num_multimodal_tokens", None)
    if rule is None:
        return None
    try:
        counts = rule(image_sizes=[(height, width) for width, height in by_area]).num_image_tokens
    except Exception:  # a private method: some processors lack what it needs
        return None
    found = dict(zip(by_area, (int(count) for count in counts), strict=True))
    ends = {by_area[0], by_area[-1]}
    extra = {_measure(processor, size) - found[size] for size in ends}
    if len(extra) != 1:
        return None
    constant = extra.pop()
    return {size: count + constant for size, count in found.items()}


def _measure(processor: Any, size: Size) -> int:
    """What the processor adds to the text of a prompt for one blank image."""
    text = rendered(processor, [{"role": "user", "content": "x"}], 1)
    tokenizer = getattr(processor, "tokenizer", processor)
    image = Image.new("RGB", size, (127, 127, 127))
    # As tensors: some processors count on that (Ovis2).
    with_image = processor(
        text=[text], images=[[image]], add_special_tokens=False, return_tensors="pt"
    )
    plain = tokenizer([text], add_special_tokens=False)
    return len(with_image["input_ids"][0]) - len(plain["input_ids"][0])
