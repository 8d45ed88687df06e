"""As many image tokens as image features, in prompts and in completions, before any forward."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

from noisygrpo.errors import require
from noisygrpo.training.rollout import Rollout
from noisygrpo.training.views.show import Shown


def check_tokens(
    shown: Shown, rollouts: Sequence[Rollout], image_token: int | None, processor: Any
) -> None:
    """Raise ``UserError``, naming the row, unless a prompt has one image token per image feature.

    Of the prompts that are sampled from; in Qwen's layout, with a grid of patches in time, height
    and width for each image. Others' processors check.
    """
    if "image_grid_thw" not in shown.fields or image_token is None:
        return
    area = processor.image_processor.merge_size**2
    features = iter([int(t * h * w) // area for t, h, w in shown.fields["image_grid_thw"]])
    for ids, images, rollout in zip(shown.ids, shown.clean, rollouts, strict=True):
        expected, found = sum(islice(features, len(images))), list(ids).count(image_token)
        require(
            found == expected,
            f"row {rollout.example_id!r}: its prompt has {found} image tokens, but its "
            f"{len(images)} image(s) give {expected} features; does its text contain an image "
            "token?",
        )


def refuse_vision_tokens(rollouts: Sequence[Rollout], banned: Sequence[int]) -> None:
    """Raise ``RuntimeError`` where a token that stands for visual input was sampled.

    Those of a picture that a tool gave have their features.
    """
    for rollout in rollouts:
        found = set(banned).intersection(rollout.sampled_ids)
        if found:
            raise RuntimeError(
                f"row {rollout.example_id!r}: the completion contains the image token(s) "
                f"{sorted(found)}, for which there are no image features"
            )
