"""What an engine was handed, looked at where it is handed over: the last place that is not its own.

- ``generate``: the keywords of the model's own ``generate``, behind TRL's tensors and wrappers.
- vLLM in this process: the prompts of its ``generate``, pictures as they are.
- A vLLM server: the pictures of TRL's request for features; and the server's own hashes of them,
  of which equal pictures must have equal ones, and different pictures different ones.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from noisygrpo.training.pictures.hashes import Hashes, PictureHashes, hash_rows
from noisygrpo.training.pictures.links import LostPicture, require_same

Check = Callable[[list[Hashes]], None]
"""Takes the hashes of each row's pictures as they are handed over; raises ``LostPicture``."""


@contextmanager
def replaced(owner: Any, name: str, make: Any) -> Iterator[None]:
    """Let ``owner.name`` be ``make(original)`` within the context, on this object alone."""
    original, own = getattr(owner, name), name in vars(owner)
    vars(owner)[name] = make(original)
    try:
        yield
    finally:
        if own:
            vars(owner)[name] = original
        else:
            del vars(owner)[name]


@contextmanager
def watch_generate(model: Any, step: int, names: Sequence[str], fields: Any, counts: Any) -> Any:
    """Compare the patches that ``model.generate`` is given with those of ``fields``, by row.

    ``names`` of the rows; ``counts`` of their images. ``LostPicture`` before anything is sampled.
    """

    def make(generate: Any) -> Any:
        def watched(*args: Any, **kwargs: Any) -> Any:
            pixels = kwargs.get("pixel_values")
            kind = None if pixels is None else pixels.dtype
            meant, found = hash_rows(fields, counts, kind), hash_rows(kwargs, counts)
            require_same(step, names, meant, found, "handed to generate")
            return generate(*args, **kwargs)

        return watched

    with replaced(model, "generate", make):
        yield


@contextmanager
def watch_prompts(llm: Any, check: Check) -> Iterator[None]:
    """Check the pictures of the prompts that a vLLM in this process is given."""

    def make(generate: Any) -> Any:
        def watched(prompts: Any, *args: Any, **kwargs: Any) -> Any:
            hashes = PictureHashes()
            check([hashes.row(_pictures(prompt)) for prompt in prompts])
            return generate(prompts, *args, **kwargs)

        return watched

    with replaced(llm, "generate", make):
        yield


def _pictures(prompt: Any) -> list[Any]:
    given = prompt.get("multi_modal_data", {}).get("image") or []
    return given if isinstance(given, list) else [given]


@contextmanager
def watch_requests(client: Any, check: Check, step: int, names: Sequence[str]) -> Iterator[None]:
    """Check the pictures that TRL's client sends to a server, and what the server calls them.

    ``names`` of the rows that are sent. ``LostPicture`` also where the server has one name for two
    pictures, or two for one.
    """

    def make(ask: Any) -> Any:
        def watched(images: Any, *args: Any, **kwargs: Any) -> Any:
            hashes = PictureHashes()
            rows = [hashes.row(row) for row in images]
            check(rows)
            answers = ask(images, *args, **kwargs)
            theirs = [((one or {}).get("mm_hashes") or {}).get("image") or () for one in answers]
            _require_one_name(rows, theirs, step, names)
            return answers

        return watched

    with replaced(client, "image_features", make):
        yield


def _require_one_name(
    ours: Sequence[Hashes], theirs: Sequence[Sequence[str]], step: int, names: Sequence[str]
) -> None:
    known: dict[str, str] = {}
    back: dict[str, str] = {}
    for name, mine, their in zip(names, ours, theirs, strict=True):
        for one, other in zip(mine, their, strict=False):
            if known.setdefault(one, other) != other or back.setdefault(other, one) != one:
                raise LostPicture(
                    f"step {step}: row {name!r}: the server took its picture for another one; "
                    "nothing was sampled"
                )
