"""What the sampler is shown, and what will be scored: the seam between views and TRL's prompts.

    prompt, clean images --see--> view images --tokenize--> sampler's inputs --generate--> o_i
                \\------------------------------- clean images -----------------> all that scores

TRL takes prompt ids and images from ``_tokenize_prompts``, generates from the first and from the
multimodal fields, and builds what it scores from the *images*. So handing back fields of the views
and clean images separates the two, for old, reference and current log-probs alike. Where a view
has another size than its image (rotation), the prompt has another number of image tokens, and the
prompt ids of the clean image are those that are scored.

TRL marks a row without images ``None``, which image processors refuse in a mixed batch; here it is
an empty list.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from noisygrpo.errors import UserError
from noisygrpo.methods.noise import fit_pixels
from noisygrpo.training.rollout import Rollout

Images = list[list[Image.Image]]

Prompt = str | Sequence[Mapping[str, Any]]
"""A text, or the messages of a conversation."""

Tokenize = Callable[[list[Any]], tuple[Any, Any, dict[str, Any]]]
"""Takes prompts with the images in them; returns their tokens, images and multimodal fields."""


@dataclass(frozen=True)
class Shown:
    """A batch's prompts as they are sampled from and as they are scored."""

    prompts: list[Any]  # as they are scored: with the clean images, or the views
    view_prompts: list[Any]  # with the views; the same objects where these are the clean images
    ids: Any  # tokens of ``view_prompts``
    images: Any  # the images in them
    fields: dict[str, Any]  # what the processor made of these besides tokens
    clean: Images  # the images before any noise
    scored_ids: Any  # tokens of ``prompts``
    scored: Images = field(default_factory=list)  # the images in ``prompts``

    @property
    def resized(self) -> bool:
        """Whether a view has another size than its image."""
        return self.scored_ids is not self.ids


def show(
    prompts: list[Any],
    rollouts: Sequence[Rollout],
    tokenize: Tokenize,
    drawing: Callable[[], AbstractContextManager[None]],
    limits: tuple[int, int] | None = None,
    own: bool = False,
) -> Shown:
    """Draw what each rollout sees, and tokenize it.

    ``prompts``, one per rollout, are as TRL made them: images are parts of structured messages.
    Views are drawn within a context that ``drawing`` returns; it measures the time. With ``limits``
    every image is brought into so many pixels first: noise is drawn on that, and that is scored.
    With ``own`` completions are scored on what they were sampled on.

    Raises:
        UserError: the processor refuses a row, whose text holds a token for an image, say.
    """
    clean = [prompt_images(prompt) for prompt in prompts]
    if limits is not None:
        clean = fit_all(clean, limits)
        prompts = [replace_images(prompt, row) for prompt, row in zip(prompts, clean, strict=True)]
    seen, views = clean, prompts
    if any(rollout.noisy for rollout in rollouts):
        for rollout, row in zip(rollouts, clean, strict=True):
            rollout.sizes = _sizes(row) if rollout.noisy else ()
        with drawing():
            seen, clean = draw(rollouts, clean)
            views = [replace_images(prompt, row) for prompt, row in zip(prompts, seen, strict=True)]
            prompts = [replace_images(one, row) for one, row in zip(prompts, clean, strict=True)]
    ids, images, fields = _tokenized(views, rollouts, tokenize)
    if own:
        return Shown(views, views, ids, images, fields, clean, ids, seen)
    alike = [_sizes(row) for row in clean] == [_sizes(row) for row in seen]
    scored = ids if alike else tokenize(prompts)[0]
    return Shown(prompts, views, ids, images, fields, clean, scored, clean)


def draw(rollouts: Sequence[Rollout], images: Images) -> tuple[Images, Images]:
    """Return what each rollout sees, and what it is scored on: its images, or as it says."""
    apart = [(n, one.scored_as) for n, one in enumerate(rollouts) if one.scored_as is not None]
    others, their_images = [one for _, one in apart], [images[n] for n, _ in apart]
    # Together: a view that is both sampled and scored on is then one object.
    drawn = see_all([*rollouts, *others], [*images, *their_images])
    scored = list(images)
    for (place, _), row in zip(apart, drawn[len(images) :], strict=True):
        scored[place] = row
    return drawn[: len(images)], scored


def _tokenized(
    prompts: list[Any], rollouts: Sequence[Rollout], tokenize: Tokenize
) -> tuple[Any, Any, dict[str, Any]]:
    """What ``tokenize`` gives; where the processor refuses, of which row that is."""
    try:
        return tokenize(prompts)
    except ValueError as error:
        for prompt, rollout in zip(prompts, rollouts, strict=True):
            try:
                tokenize([prompt])
            except ValueError as own:
                raise UserError(
                    f"row {rollout.example_id!r}: the processor refuses its prompt: {own}"
                ) from error
        raise


def see_all(rollouts: Sequence[Rollout], images: Sequence[Sequence[Image.Image]]) -> Images:
    """Return each rollout's images as ``see`` does, every distinct view drawn once.

    Rollouts that share their noise (NoisyRollout) share the image objects as well, so that nothing
    after this works on one view twice. Views are drawn side by side, as NumPy leaves the
    interpreter's lock while it draws; which thread draws one makes no difference to it.
    """
    keys = [
        (*map(id, row), rollout.view.level, *rollout.seeds(len(row)))
        for rollout, row in zip(rollouts, images, strict=True)
    ]
    distinct = dict(zip(keys, zip(rollouts, images, strict=True), strict=True))
    with ThreadPoolExecutor(own_cores()) as pool:
        views = pool.map(lambda job: job[0].see(job[1]), distinct.values())
        seen = dict(zip(distinct, views, strict=True))
    return [seen[key] for key in keys]


def fit_all(images: Images, limits: tuple[int, int]) -> Images:
    """Return the images within limits of pixels (``fit_pixels``), each object fitted once."""
    fitted = {id(image): fit_pixels(image, *limits) for row in images for image in row}
    return [[fitted[id(image)] for image in row] for row in images]


def own_cores() -> int:
    """Return this process's share of the cores, at most 16."""
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(1, min(16, (os.cpu_count() or 1) // processes))


def prompt_images(prompt: Prompt) -> list[Image.Image]:
    """Return the images in a structured conversational prompt, in order; a text has none."""
    contents = [] if isinstance(prompt, str) else [message["content"] for message in prompt]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    return [part["image"] for part in parts if part["type"] == "image"]


def replace_images(prompt: Prompt, images: Sequence[Image.Image]) -> Any:
    """Return the prompt with its images replaced in order; nothing is copied but the dicts."""
    left = iter(images)

    def view(part: Mapping[str, Any]) -> dict[str, Any]:
        return {**part, "image": next(left)} if part["type"] == "image" else dict(part)

    return _with_contents(prompt, list, lambda parts: [view(part) for part in parts])


def with_parts(prompt: Prompt) -> Any:
    """Return a conversational prompt with every content as a list of parts; a text as it is.

    TRL makes parts of a prompt only where its process has some image in the batch.
    """
    return _with_contents(prompt, str, lambda text: [{"type": "text", "text": text}])


def _with_contents(prompt: Prompt, kind: type, change: Callable[[Any], Any]) -> Any:
    """Return the prompt with the contents of a kind changed."""
    if isinstance(prompt, str):
        return prompt
    contents = [message["content"] for message in prompt]
    changed = [change(one) if isinstance(one, kind) else one for one in contents]
    return [{**each, "content": one} for each, one in zip(prompt, changed, strict=True)]


def _sizes(images: list[Image.Image]) -> list[tuple[int, int]]:
    return [image.size for image in images]
