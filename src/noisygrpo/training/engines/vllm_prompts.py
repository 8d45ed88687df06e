"""Whether vLLM reads the prompt that is scored: the same tokens, those of images included.

An engine in the process returns the prompt that it made, and the tokens are compared. A server
returns what it was sent, whatever it reads. But before it generates it says how many tokens each
image takes (TRL's ``image_features``), and these are compared with the runs of image tokens in the
prompt. Unequal, the server would answer a server error and the run would end without a name.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from noisygrpo.errors import UserError


def check_prompt(row: str, scored: Sequence[int], seen: Sequence[int]) -> None:
    """Raise ``UserError``, which names the row, unless the tokens are the same."""
    if list(scored) != list(seen):
        raise _other_tokens(row, len(scored), len(seen))


@contextmanager
def check_lengths(engine: Any, rows: Sequence[str | None] | None) -> Iterator[None]:
    """Compare the lengths of images while TRL's engine places them in the prompts for a server.

    ``rows`` name the prompts that it will send, in order; None for one that cannot be compared, as
    its family writes more than image tokens for an image; None at all where there is no server.
    ``UserError`` where an image takes another number of tokens; it names the row, and nothing was
    generated.
    """
    if rows is None:
        yield
        return
    place, left = engine._place_features, iter(rows)

    def compare(features: Any, prompt: Sequence[int]) -> Any:
        row, placed = next(left), place(features, prompt)
        if features is not None and row is not None:
            theirs, ours = _lengths(features), _lengths(placed)
            if theirs != ours:
                raise _other_tokens(row, len(prompt), len(prompt) - sum(ours) + sum(theirs))
        return placed

    engine._place_features = compare
    try:
        yield
    finally:
        engine._place_features = place


def _lengths(features: dict[str, Any]) -> list[int]:
    return [place["length"] for place in features["mm_placeholders"]["image"]]


def _other_tokens(row: str, scored: int, seen: int) -> UserError:
    return UserError(
        f"row {row!r}: vLLM made {seen} tokens of its prompt, the processor {scored}; both must "
        "size images alike (max_pixels and min_pixels within the limits of the model's folder), "
        "and the model's family must be one for which vLLM rollouts were tested"
    )
