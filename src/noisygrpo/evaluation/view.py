"""What the model is shown in an evaluation: the clean images, disturbed ones, or none.

Disturbances are the noise kinds of training (`noisygrpo.methods.noise`), everyday corruptions among
them, or a function of one's own, all by a level in [0, 1] where 0 is the image itself. Their
randomness is addressed by (seed, example id, image), so a disturbed image is the same in every run,
batch and comparison.
"""

import functools
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from PIL import Image

from noisygrpo.errors import require
from noisygrpo.methods.noise import NOISE_KINDS, address, fit_pixels, perturb
from noisygrpo.own.choice import is_own, read_choice
from noisygrpo.own.resolve import resolve
from noisygrpo.own.trial import try_noise
from noisygrpo.user_code import content_name, is_user_function, user_file

KINDS = tuple(NOISE_KINDS)


@dataclass(frozen=True)
class EvaluationView:
    """What the model sees of a row's images; by default all of it."""

    kind: str = "gaussian"
    """A noise kind, ``path.py:function``, or either with knobs: ``{name: …, knob: value}``."""
    level: float = 0.0
    """Its strength in [0, 1]; 0 is the clean image."""
    text_only: bool = False
    """Leave the images out: what the model knows without looking."""
    seed: int = 0
    limits: tuple[int, int] | None = None
    """How few and how many pixels an image is brought to before it is disturbed: the model's, so
    that a level means the same for all sizes. None disturbs the file's own."""

    def __post_init__(self) -> None:
        require(0 <= self.level <= 1, f"noise level: {self.level}, allowed is 0 to 1")
        name, knobs = read_choice("noise_kind", self.kind)
        noise = self._noise
        if is_own("noise_kind", name) or knobs:
            try_noise(name, noise)

    @functools.cached_property
    def _noise(self) -> Callable[..., Image.Image]:
        return resolve("noise_kind", *read_choice("noise_kind", self.kind))

    @property
    def label(self) -> str:
        """The kind as a folder may be called: ``mine-blur`` of ``my/mine.py:blur``."""
        name, knobs = read_choice("noise_kind", self.kind)
        if is_user_function(name):
            path, _, function = name.rpartition(":")
            name = f"{path.rpartition('/')[2].removesuffix('.py')}-{function}"
        return "-".join([name, *(f"{knob}-{value}" for knob, value in knobs.items())])

    def record(self) -> dict[str, Any]:
        """What tells this view from others, a user's code by its content."""
        name, _ = read_choice("noise_kind", self.kind)
        code = {"code": content_name(user_file(name))} if is_user_function(name) else {}
        said = {**asdict(self), **code}
        return {name: value for name, value in said.items() if name != "limits" or value}

    def apply(self, image: Image.Image, example_id: str, position: int = 0) -> Image.Image:
        """The view of an RGB image; the same object at level 0."""
        if self.level == 0:
            return image
        image = image if self.limits is None else fit_pixels(image, *self.limits)
        seed = address("evaluation view", self.seed, 0, example_id, position)
        return perturb(image, self.level, seed, self._noise)
