"""What the model is shown in an evaluation: the clean images, disturbed ones, or none.

Disturbances are the noise kinds of training (`noisygrpo.methods.noise`) and everyday corruptions,
all by a level in [0, 1] where 0 is the image itself. Their randomness is addressed by (seed,
example id, image), so a disturbed image is the same in every run, batch and comparison.

"""

from dataclasses import dataclass

from PIL import Image

from noisygrpo.errors import require
from noisygrpo.methods.noise import NOISE_KINDS, address, perturb

KINDS = tuple(NOISE_KINDS)

@dataclass(frozen=True)
class EvaluationView:
    """What the model sees of a row's images; by default all of it."""

    kind: str = "gaussian"
    """A noise kind of training or a corruption."""
    level: float = 0.0
    """Its strength in [0, 1]; 0 is the clean image."""
    text_only: bool = False
    """Leave the images out: what the model knows without looking."""
    seed: int = 0

    def __post_init__(self) -> None:
        require(self.kind in KINDS, f"noise kind: {self.kind!r}, allowed are {', '.join(KINDS)}")
        require(0 <= self.level <= 1, f"noise level: {self.level}, allowed is 0 to 1")

    def apply(self, image: Image.Image, example_id: str, position: int = 0) -> Image.Image:
        """The view of an RGB image; the same object at level 0."""
        if self.level == 0:
            return image
        seed = address("evaluation view", self.seed, 0, example_id, position)
        if self.kind in NOISE_KINDS:
            return perturb(image, self.level, seed, self.kind)
        return CORRUPTIONS[self.kind](image, self.level, np.random.default_rng(seed))
