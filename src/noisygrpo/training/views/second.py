"""The second view: a picture, or none, on which every completion is scored once more.

    picture  perturb(image, level, address(seed, step, example)), one for all rollouts of a prompt
    text     the prompt without the tokens of its images

Completions, hints and everything else are those of the batch. Text-only rows are compared with
themselves: their dependence is 0. A picture is drawn and processed once per prompt and step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from noisygrpo.methods.calibration import without_tokens
from noisygrpo.methods.noise import address, perturb
from noisygrpo.training.batch import Batch
from noisygrpo.training.prefix.layout import group_numbers, group_rows
from noisygrpo.training.prefix.rows import SCORING_KEYS, present
from noisygrpo.training.rollout import Rollout
from noisygrpo.training.views.pixels import pixel_rows, with_pixels
from noisygrpo.training.views.show import Tokenize

PIXELS = "second_pixels"
"""What a batch holds of the second view: the pixels of each row."""


@dataclass(frozen=True)
class SecondView:
    """How the second view is made."""

    kind: str  # text, or a noise kind
    level: float
    vision: Sequence[int]  # tokens that stand for images or stand around them
    pad: int  # the token that pads

    def pictures(self, rollout: Rollout, images: Sequence[Image.Image]) -> list[Image.Image]:
        """Return the second view of a prompt's images."""
        where = rollout.seed, rollout.step, rollout.example_id
        seeds = [address("second", *where, number) for number in range(len(images))]
        drawn = zip(images, seeds, strict=True)
        return [perturb(one, self.level, seed, self.kind) for one, seed in drawn]

    def attach(self, batch: Batch, output: dict[str, Any], tokenize: Tokenize) -> None:
        """Add the second view's pixels to TRL's scored batch; text needs none."""
        if self.kind == "text" or batch.shown is None:
            return
        names = [rollout.example_id for rollout in batch.rollouts]
        groups = group_rows(len(names), lambda row, other: names[row] == names[other])
        first = [rows[0] for rows in groups]
        drawn = [self.pictures(batch.rollouts[row], batch.shown.clean[row]) for row in first]
        prompts = [batch.shown.prompts[row] for row in first]
        pixels = pixel_rows(output, first, prompts, drawn, tokenize)
        output[PIXELS] = [pixels[number] for number in group_numbers(groups)]

    def on(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Return a scored batch, or a micro-batch of it, with the second view as its prompts."""
        if self.kind != "text":
            pixels = batch.get(PIXELS)
            return batch if pixels is None else with_pixels(batch, pixels)
        ids, mask = without_tokens(batch["prompt_ids"], batch["prompt_mask"], self.vision, self.pad)
        kept = {key: value for key, value in present(batch).items() if key not in SCORING_KEYS}
        return {**kept, "prompt_ids": ids, "prompt_mask": mask}
