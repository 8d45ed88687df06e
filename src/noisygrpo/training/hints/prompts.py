"""Hints as the trainer handles them: texts per level, prompts with a hint, token types that fit.

A row's reference reasoning gives one hint per level g = 0..M-1 (``methods.hints``), set into
``hint_template``. With ``hint_place: answer`` it is the start of the assistant's turn: its tokens
follow those of the prompt, end where the hint's text ends (no space behind, as tokens carry the
space before a word), and the model continues. With ``question`` it is a paragraph at the end of
the last user turn.

A level that gives a row no more than the level before it (few steps; no reasoning at all) has no
hint of its own and is not generated: it would be the same prompt once more.

Shapes: B rows, N prompt tokens without hints, L with them (both left padded), T completion tokens.

Deliberate deviations from the released code (arXiv 2503.23905): at level 0 nothing is added, so
that the model trains on the prompt that it will be asked (H10: the release puts ``<think>`` there,
as ``released: [think_at_level_0]`` does); and H14's empty hints are not generated again.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from jaxtyping import Int
from torch import Tensor

from noisygrpo.methods.hints import hint_ratios, hint_text
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.released import is_released
from noisygrpo.training.rollout import Hint
from noisygrpo.training.views.show import Prompt

TOKEN_TYPES = ("token_type_ids", "mm_token_type_ids")
"""Fields of a prompt that hold one number per token, 0 for text."""


def row_hints(config: NoisyGRPOConfig, reasoning: str) -> list[Hint]:
    """Return a row's hint at each of the M levels."""
    hints = []
    for level, ratio in enumerate(hint_ratios(config.hint_levels or 1)):
        cut = hint_text(reasoning, ratio, config.hint_style, config.hint_markers)
        opened = is_released(vars(config), "think_at_level_0")
        text = config.hint_template.replace("{hint}", cut) if cut or opened else ""
        hints.append(Hint(level, ratio, text))
    return hints


def new_levels(hints: Sequence[Hint]) -> list[bool]:
    """Tell the levels that give a row something to generate: level 0, and every longer hint."""
    texts = [hint.text for hint in hints]
    return [True] + [text != before for before, text in pairwise(texts)]


def hint_question(prompt: Prompt, text: str) -> Any:
    """Return the prompt with a paragraph more at the end of its last user turn."""
    if not text:
        return prompt
    if isinstance(prompt, str):
        return f"{prompt}\n{text}"
    last = max(n for n, message in enumerate(prompt) if message["role"] == "user")
    content = prompt[last]["content"]
    if isinstance(content, str):
        longer: Any = f"{content}\n{text}"
    elif content[-1]["type"] == "text":
        longer = [*content[:-1], {**content[-1], "text": f"{content[-1]['text']}\n{text}"}]
    else:
        longer = [*content, {"type": "text", "text": text}]
    return [*prompt[:last], {**prompt[last], "content": longer}, *prompt[last + 1 :]]


def begin_answers(
    ids: Sequence[Sequence[int]], fields: Mapping[str, Any], hints: Sequence[Sequence[int]]
) -> tuple[list[list[int]], dict[str, Any]]:
    """Return prompts and their fields with each row's hint tokens behind the prompt's.

    ``ids`` go up to the start of the assistant's turn; ``TOKEN_TYPES`` in ``fields`` are lists.
    """
    longer = [[*row, *hint] for row, hint in zip(ids, hints, strict=True)]
    typed = {
        name: [[*row, *[0] * len(hint)] for row, hint in zip(fields[name], hints, strict=True)]
        for name in TOKEN_TYPES
        if name in fields
    }
    return longer, {**fields, **typed}


def fit_token_types(
    types: Int[Tensor, "B N+T"], added: Sequence[int], width: int, completion: int
) -> Int[Tensor, "B L+T"]:
    """Move each row's token types to where its tokens are once it has a hint.

    TRL makes the types from the prompts without hints. Images precede a hint, and hint and
    completion are text, so a row's types are shifted left by the tokens ``added`` to its prompt.
    ``width`` is L + T, ``completion`` T.
    """
    prompt = types.size(1) - completion
    fitted = types.new_zeros(len(types), width)
    for row, hint in enumerate(added):
        end = width - completion - hint
        kept = min(prompt, end)  # what is cut off is padding
        fitted[row, end - kept : end] = types[row, prompt - kept : prompt]
    return fitted
