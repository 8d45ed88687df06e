"""As many image tokens as image features, in prompts and in completions, before any forward."""

from collections.abc import Sequence
from typing import Any

from noisygrpo.errors import require
from noisygrpo.training.rollout import Rollout
from noisygrpo.training.views.show import Shown


def check_tokens(
    shown: Shown, rollouts: Sequence[Rollout], image_token: int | None, processor: Any
) -> None:
    """Check the prompts that are sampled from; in Qwen's layout, others' processors check.

    Raises:
        UserError: naming the row.
    """
    if "image_grid_thw" in shown.fields and image_token is not None:
        check_image_tokens(
            shown.ids,
            [len(row) for row in shown.clean],
            shown.fields["image_grid_thw"],
            image_token,
            processor.image_processor.merge_size,
            [rollout.example_id for rollout in rollouts],
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


def check_image_tokens(
    prompt_ids: Sequence[Sequence[int]],
    num_images: Sequence[int],
    image_grid_thw: Any,
    image_token: int,
    merge: int,
    example_ids: Sequence[str],
) -> None:
    """Check, before a forward, that each prompt has one image token per image feature.

    Args:
        prompt_ids: tokens of each prompt, images expanded.
        num_images: how many images each prompt has.
        image_grid_thw: patches of each image in time, height and width, ``[images, 3]``.
        image_token: the token that stands for one feature.
        merge: patches per feature along height and width.
        example_ids: the rows' names.

    Raises:
        UserError: naming the row.
    """
    features = [int(t * h * w) // merge**2 for t, h, w in image_grid_thw]
    start = 0
    for ids, count, example_id in zip(prompt_ids, num_images, example_ids, strict=True):
        expected, start = sum(features[start : start + count]), start + count
        found = list(ids).count(image_token)
        require(
            found == expected,
            f"row {example_id!r}: its prompt has {found} image tokens, but its {count} image(s) "
            f"give {expected} features; does its text contain an image token?",
        )
