"""Features of the clean images, computed once per step while the vision tower is frozen.

A frozen tower gives the same features in the old, reference and current passes of a step and needs
no graph. They are kept by content: an image that was seen before in the step is one whose patches
are equal, bit for bit, wherever TRL's shuffling has put it.

Where the tower's weights are sharded, all processes must run it together: one that has every image
runs it on its first one while another computes what it lacks.

Applies to Qwen's layout, in which patches lie end to end (``pixel_values [patches, channels]``,
``image_grid_thw [images, 3]``).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel

ImageOutput = Callable[[Any], Any]
"""Takes a model's backbone and returns what its ``get_image_features`` would."""


@dataclass(frozen=True)
class Features:
    """One image: its patches, and for each output of the tower its features."""

    patches: Float[Tensor, "patches channels"]
    grid: tuple[int, ...]
    outputs: tuple[Float[Tensor, "tokens d"], ...]


def is_frozen(model: PreTrainedModel) -> bool:
    """Tell whether nothing in the module that encodes images is trained or adapted."""
    tower = model.get_encoder(modality="image")
    if tower is model or tower is model.base_model:
        return False
    # An adapter may be switched off for the reference; PEFT keeps what it wraps as "base_layer".
    return not any(
        value.requires_grad or ".base_layer." in name for name, value in tower.named_parameters()
    )


def same_tower(model: PreTrainedModel, other: PreTrainedModel) -> bool:
    """Tell whether the modules that encode images have equal parameters."""
    one, two = (dict(m.get_encoder(modality="image").named_parameters()) for m in (model, other))
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def tower_kinds(output: Any) -> list[Sequence[Tensor]]:
    """Return each kind of features that a tower gave, image by image: the pooled ones first."""
    return [output.pooler_output, *(vars(output).get("deepstack_features") or [])]


def tower_output(kinds: Iterable[Sequence[Tensor]]) -> Any:
    """Return ``tower_kinds`` under the names by which Transformers' models look them up."""
    pooled, *deep = kinds
    return SimpleNamespace(pooler_output=pooled, deepstack_features=deep)


class FrozenImages:
    """Features of the images of a step, in the order in which they were first asked for."""

    def __init__(self, anyone: Callable[[bool], bool] = bool) -> None:
        """Start with no image, and room for none: ``start`` makes room.

        Args:
            anyone: takes whether this process lacks an image, and returns whether it has to run
                the tower; where weights are sharded that is whether any process lacks one.
        """
        self._anyone = anyone
        self._known: dict[tuple[Any, ...], list[Features]] = {}
        self._room = 0
        self.computed = 0
        """How many images have gone through the tower; for tests."""

    def start(self, room: int) -> None:
        """Forget everything; keep at most ``room`` images from now on."""
        self._known, self._room = {}, room

    def output(self, images: dict[str, Any]) -> ImageOutput:
        """Return what gives the features of ``pixel_values`` and ``image_grid_thw``."""
        grid = images["image_grid_thw"]
        patches = torch.split(images["pixel_values"], grid.prod(-1).tolist())

        def compute(backbone: Any) -> Any:
            found = self._features(backbone, patches, grid)
            return tower_output(zip(*(features.outputs for features in found), strict=True))

        return compute

    def _features(
        self, backbone: Any, patches: tuple[Tensor, ...], grid: Int[Tensor, "images 3"]
    ) -> list[Features]:
        found = [self._find(one, row) for one, row in zip(patches, grid, strict=True)]
        missing = [number for number, features in enumerate(found) if features is None]
        if self._anyone(bool(missing)):
            chosen = missing or [0]
            pixels = torch.cat([patches[number] for number in chosen])
            with torch.no_grad():
                output = backbone.get_image_features(pixels, grid[chosen], return_dict=True)
            self.computed += len(missing)
            for number, outputs in zip(chosen, zip(*tower_kinds(output), strict=True), strict=True):
                found[number] = found[number] or self._keep(patches[number], grid[number], outputs)
        return [features for features in found if features is not None]

    def _find(self, patches: Tensor, grid: Tensor) -> Features | None:
        for features in self._known.get(_key(patches, grid), []):
            if torch.equal(features.patches, patches):
                return features
        return None

    def _keep(self, patches: Tensor, grid: Tensor, outputs: tuple[Tensor, ...]) -> Features:
        """Keep copies, as views would hold on to the batch that they are part of."""
        if sum(map(len, self._known.values())) >= self._room:
            return Features(patches, tuple(grid.tolist()), outputs)
        kept = tuple(output.clone() for output in outputs)
        features = Features(patches.clone(), tuple(grid.tolist()), kept)
        self._known.setdefault(_key(patches, grid), []).append(features)
        return features


def _key(patches: Tensor, grid: Tensor) -> tuple[Any, ...]:
    """Return a first glance at an image: its grid and some of its values."""
    values = patches.flatten()
    return (*grid.tolist(), *values[:: max(len(values) // 16, 1)][:16].tolist())
