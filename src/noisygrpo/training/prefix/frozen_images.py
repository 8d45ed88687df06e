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
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel

from noisygrpo.models.vision import image_tower

ImageOutput = Callable[[Any], Any]
"""Takes a model's backbone and returns what its ``get_image_features`` would."""


Outputs = tuple[Float[Tensor, "tokens d"], ...]
"""One image's features, for each output of the tower."""


def is_frozen(model: PreTrainedModel) -> bool:
    """Tell whether nothing in the module that encodes images is trained or adapted."""
    tower = image_tower(model)
    if tower is None:
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


@dataclass
class FrozenImages:
    """Features of the images of a step, in the order in which they were first asked for.

    ``anyone`` takes whether this process lacks an image, and returns whether it has to run the
    tower; where weights are sharded that is whether any process lacks one.
    """

    anyone: Callable[[bool], bool] = bool
    room: int = 0  # most images that are kept; ``start`` makes room
    computed: int = 0  # how many images have gone through the tower; for tests
    known: dict[Any, list[tuple[Tensor, Outputs]]] = field(default_factory=dict)

    def start(self, room: int) -> None:
        """Forget everything; keep at most ``room`` images from now on."""
        self.known, self.room = {}, room

    def output(self, images: dict[str, Any]) -> ImageOutput:
        """Return what gives the features of ``pixel_values`` and ``image_grid_thw``."""
        grid = images["image_grid_thw"]
        patches = torch.split(images["pixel_values"], grid.prod(-1).tolist())

        def compute(backbone: Any) -> Any:
            return tower_output(zip(*self._features(backbone, patches, grid), strict=True))

        return compute

    def _features(
        self, backbone: Any, patches: tuple[Tensor, ...], grid: Int[Tensor, "images 3"]
    ) -> list[Outputs]:
        found = [self._find(one, row) for one, row in zip(patches, grid, strict=True)]
        missing = [number for number, outputs in enumerate(found) if outputs is None]
        if self.anyone(bool(missing)):
            chosen = missing or [0]
            pixels = torch.cat([patches[number] for number in chosen])
            with torch.no_grad():
                output = backbone.get_image_features(pixels, grid[chosen], return_dict=True)
            self.computed += len(missing)
            for number, outputs in zip(chosen, zip(*tower_kinds(output), strict=True), strict=True):
                if found[number] is None:
                    found[number] = outputs
                    self._keep(patches[number], grid[number], outputs)
        return [outputs for outputs in found if outputs is not None]

    def _find(self, patches: Tensor, grid: Tensor) -> Outputs | None:
        for known, outputs in self.known.get(_key(patches, grid), []):
            if torch.equal(known, patches):
                return outputs
        return None

    def _keep(self, patches: Tensor, grid: Tensor, outputs: Outputs) -> None:
        """Keep copies, as views would hold on to the batch that they are part of."""
        if sum(map(len, self.known.values())) < self.room:
            kept = patches.clone(), tuple(output.clone() for output in outputs)
            self.known.setdefault(_key(patches, grid), []).append(kept)


def _key(patches: Tensor, grid: Tensor) -> tuple[Any, ...]:
    """Return a first glance at an image: its grid and some of its values."""
    values = patches.flatten()
    return (*grid.tolist(), *values[:: max(len(values) // 16, 1)][:16].tolist())
