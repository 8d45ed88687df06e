"""The value that travels through a step: plan → see → sample → score → reward → advantage → record.

A generation batch is every prompt repeated G times in a row, over all processes in order. Row ``i``
of the whole batch is rollout ``i % G`` of its group, whatever process holds it, so its view and its
noise are a pure function of (seed, step, example id, rollout index): the same on any number of
processes and loader workers, and after a resume.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from noisygrpo.methods.noise import perturb
from noisygrpo.methods.views import View, view_seed


@dataclass(frozen=True)
class Hint:
    """What one hint level gives a row."""

    level: int = 0
    """g, from 0."""

    ratio: float = 0.0
    """g / M, the share of the reasoning's steps."""

    text: str = ""
    """The hint in its template; "" is none."""


@dataclass
class Rollout:
    """One rollout of a group: whose it is, what it sees, and then what became of it."""

    row: dict[str, Any]
    """The example, with the columns that reward functions get."""

    index: int
    """Position within the group, 0..G-1."""

    view: View
    """Level, and whether the noise is shared."""

    seed: int
    """Seed of the run."""

    step: int
    """Optimizer step that the rollout was made for, from 1."""

    kind: str
    """One of ``methods.noise.NOISE_KINDS``."""

    hint: Hint = Hint()
    """What stands in front of the completion, or behind the question."""

    prompt_ids: Sequence[int] = ()
    """Tokens of the prompt that is scored: with the clean images and the hint."""

    completion_ids: Sequence[int] = ()
    """What was sampled behind it."""

    completion: str = ""
    """The assistant's turn as text; it begins with the hint, where that stands there."""

    rewards: dict[str, float] = field(default_factory=dict)
    """By reward function; NaN where it gave none."""

    reward: float = float("nan")
    """Their weighted sum; NaN if unscorable, and where no function applies."""

    unscorable: bool = False
    """Whether a function applies and could not say; see ``outcomes``."""

    advantage: float = 0.0
    """What the update weighs it with."""

    @property
    def example_id(self) -> str:
        """Id of the row, unique in the data."""
        return str(self.row["example_id"])

    @property
    def noisy(self) -> bool:
        """Whether it sees something else than the clean image."""
        return self.view.level > 0.0

    def noise_seed(self, image: int = 0) -> np.random.SeedSequence:
        """Return the seed of the noise on this rollout's image number ``image``."""
        return view_seed(self.view, self.seed, self.step, self.example_id, self.index, image)

    def seeds(self, images: int) -> list[str]:
        """Return each image's noise seed in hexadecimal; none if the rollout is clean."""
        if not self.noisy:
            return []
        return [f"{self.noise_seed(number).entropy:x}" for number in range(images)]

    def see(self, images: Sequence[Image.Image]) -> list[Image.Image]:
        """Return the images as this rollout sees them; at level 0 the very same objects."""
        if not self.noisy:
            return list(images)
        return [
            perturb(image, self.view.level, self.noise_seed(number), self.kind)
            for number, image in enumerate(images)
        ]

    def columns(self) -> dict[str, Any]:
        """Return what tells a reward function what the rollout saw."""
        return {
            "noise_level": self.view.level,
            "hint_ratio": self.hint.ratio,
            "hint_level": self.hint.level,
            "hint": self.hint.text,
            "rollout_index": self.index,
        }

    def take_hint(self, hint: Hint) -> None:
        """Enter the hint, for the record and for the reward functions."""
        self.hint = hint
        self.row.update(self.columns())


def row_images(row: Mapping[str, Any]) -> list[Image.Image]:
    """Return a row's clean images."""
    single = row.get("image")
    return list(row.get("images") or ([] if single is None else [single]))
