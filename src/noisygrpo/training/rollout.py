"""The value that travels through a step: plan → see → sample → score → reward → advantage → record.

A generation batch is every prompt repeated G times in a row, over all processes in order. Row ``i``
of the whole batch is rollout ``i % G`` of its group, whatever process holds it, so its view and its
noise are a pure function of (seed, step, example id, rollout index): the same on any number of
processes and loader workers, and after a resume.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from PIL import Image

from noisygrpo.methods.noise import NoiseFunction, perturb
from noisygrpo.methods.views import View, view_seed


@dataclass(frozen=True)
class Hint:
    """What one hint level gives a row."""

    level: int = 0  # g, from 0
    ratio: float = 0.0  # g / M, the share of the reasoning's steps
    text: str = ""  # the hint in its template; "" is none
    ids: Sequence[int] = ()  # its tokens, where the ladder has asked for them


@dataclass
class Rollout:
    """One rollout of a group: whose it is, what it sees, and then what became of it."""

    row: dict[str, Any]  # the example, as the data set gives it
    index: int  # position within the group, 0..G-1
    view: View  # level, and whether the noise is shared
    seed: int  # of the run
    step: int  # optimizer step that the rollout was made for, from 1
    kind: str | NoiseFunction  # a name in ``methods.noise.NOISE_KINDS``, or a function like these
    derived_id: str = ""  # id of a row that has none of its own
    views: Sequence[View] = ()  # of the whole group
    released: Sequence[str] = ()  # defects of the releases that its views have
    scored_as: "Rollout | None" = None  # whose views it is scored on; None is the clean images
    sizes: Sequence[tuple[int, int]] = ()  # of its images as noise was drawn on them
    hint: Hint = Hint()  # what stands in front of the completion, or behind the question
    prompt_ids: Sequence[int] = ()  # as scored: with the clean images and the hint
    completion_ids: Sequence[int] = ()  # behind these: what was sampled, and what tools answered
    sampled: Sequence[int] | None = None  # 1 of each that was sampled; None where all were
    seen: Sequence[str] = ()  # hashes of the pictures that it was sampled from (pictures.hashes)
    scored: Sequence[str] = ()  # hashes of those that it is scored on
    image_tokens: int = 0  # features of these in the prompt that the engine read
    log_probs: Any = None  # the engine's, of the completion's tokens, where it gives any
    prompt: Any = None  # what was asked, where an environment had a say; None is the row's
    completion: str = ""  # the assistant's turns as text, with the hint where that stands there
    turns: list[dict[str, Any]] = field(default_factory=list)  # all messages, without pictures
    rewards: dict[str, float] = field(default_factory=dict)  # by function; NaN where it gave none
    reward: float = math.nan  # their weighted sum; until then the one that selects a hint level
    unscorable: bool = False  # whether a function applies and could not say; see ``outcomes``
    advantage: float = 0.0  # what the update weighs it with
    dependence: list[float] | None = None  # on the picture, by token; None where it was not asked
    gain: float | None = None  # weight of the prior in its group, where there is one
    added: bool = False  # whether the row's list of images is ours and not the data's

    @property
    def example_id(self) -> str:
        """Id of the row, unique in the data."""
        known = self.row.get("example_id")
        return self.derived_id if known is None else str(known)

    @property
    def sampled_ids(self) -> list[int]:
        """Tokens of the completion that the model itself wrote."""
        mask = [1] * len(self.completion_ids) if self.sampled is None else self.sampled
        return [token for token, own in zip(self.completion_ids, mask, strict=True) if own]

    @property
    def noisy(self) -> bool:
        """Whether it sees something else than the clean image."""
        return self.view.level > 0.0 or self.view.zero_noise

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
        level, kind = self.view.level, self.kind
        if not self.noisy:
            return list(images)
        how = as_drawn(self.released, self.view.zero_noise)
        return [
            perturb(one, level, self.noise_seed(n), kind, **how) for n, one in enumerate(images)
        ]

    def peers(self) -> list["Rollout"]:
        """Return a rollout for each distinct view of the group, in their order."""
        distinct: dict[Any, Rollout] = {}
        for index, view in enumerate(self.views):
            one = replace(self, index=index, view=view)
            distinct.setdefault(one._look, one)
        return list(distinct.values())

    def own_peer(self) -> int:
        """Return the number, among ``peers``, of the one that sees what this rollout sees."""
        return [one._look for one in self.peers()].index(self._look)

    @property
    def _look(self) -> tuple[Any, ...]:
        return self.view.level, *self.seeds(1)

    def columns(self) -> dict[str, Any]:
        """Return what tells a reward function what the rollout saw and began from."""
        return {
            "noise_level": self.view.level,
            "hint_ratio": self.hint.ratio,
            "hint_level": self.hint.level,
            "hint": self.hint.text,
            "rollout_index": self.index,
        }

    def reward_row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return this rollout's row, with what TRL added to it, and our ``columns``."""
        kept = {name: value for name, value in row.items() if name != "images" or not self.added}
        return {**kept, "example_id": self.derived_id or row["example_id"], **self.columns()}


def as_drawn(released: Sequence[str], zero_noise: bool) -> dict[str, bool]:
    """Return the keywords of ``perturb`` for defects of the releases that are brought back."""
    asked = {
        "wrap": "wrap" in released,
        "truncate": "truncated_index" in released,
        # a small level may be cut to index 0, where noisy_zero draws
        "zero": zero_noise or {"truncated_index", "noisy_zero"} <= {*released},
    }
    return {name: True for name, on in asked.items() if on}


def row_images(row: Mapping[str, Any]) -> list[Image.Image]:
    """Return a row's clean images."""
    single = row.get("image")
    return list(row.get("images") or ([] if single is None else [single]))


def row_names(rollouts: Sequence[Rollout], count: int) -> list[str]:
    """Return each prompt's row; where some rollouts are sampled again, all that it may be."""
    names = [rollout.example_id for rollout in rollouts]
    return names if len(names) == count else [" or ".join(sorted(set(names)))] * count
