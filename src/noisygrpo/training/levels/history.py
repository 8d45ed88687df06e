"""The rewards by level of the batches so far: kept with checkpoints, the same after a resume.

What a batch is weighed by is from the batches before it. A checkpoint can lie inside a batch of
rollouts that serves several optimizer steps; a resumed run samples that batch once more
(``checkpoints``), so such a checkpoint holds what was known before it.
"""

from dataclasses import dataclass, field
from typing import Any

from transformers import TrainerCallback, TrainerState

from noisygrpo.methods.level_means import LevelMeans
from noisygrpo.training.batch import Weighed

NAME = "noisygrpo_level_means"
"""Entry of ``trainer_state.json``, which every way of sharding saves and loads."""


@dataclass
class LevelHistory(TrainerCallback):
    """Running means of reward by noise level, equal on all processes."""

    memory: float
    means: LevelMeans = field(default_factory=LevelMeans)
    before: LevelMeans = field(default_factory=LevelMeans)  # the batch that was taken last

    def take(self, weighed: Weighed) -> None:
        """Add a batch that is trained; its own advantages are made already."""
        self.before = self.means
        self.means = self.means.after(weighed.rewards, weighed.levels, self.memory)

    def save(self, state: TrainerState, inside: bool) -> None:
        """Enter the means into what a checkpoint holds; ``inside`` a batch that is in use."""
        kept = self.before if inside else self.means
        state.stateful_callbacks[NAME] = {"args": {}, "attributes": {"rows": kept.rows()}}

    def on_train_begin(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        """Begin with those of the checkpoint that training resumes from, or with none."""
        known = state.stateful_callbacks.get(NAME, {}).get("attributes", {})
        self.means = self.before = LevelMeans.of_rows(known.get("rows", {}))
