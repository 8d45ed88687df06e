"""Sampling by TRL's ``generate``, which reads the fields of what each rollout sees."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from transformers import PreTrainedModel

from noisygrpo.training.engines.prefill import FAMILIES, shared_prefill
from noisygrpo.training.rollout import Rollout

logger = logging.getLogger(__name__)

Sampled = tuple[list[list[int]], Any]
"""Tokens of each completion, and the engine's log-probs of these; None where it gives none."""


class GenerateEngine:
    """Samples by TRL's own turn, which may read every distinct prompt and view once."""

    def __init__(
        self, turn: Callable[..., Sampled], model: Callable[[], PreTrainedModel], shared: bool
    ) -> None:
        """Take what samples.

        Args:
            turn: TRL's ``_generate_single_turn``.
            model: returns the model inside its wrappers.
            shared: ``shared_prefill``; where the model's type was not checked, a warning says that
                every row is read.
        """
        self._turn, self._model = turn, model
        kind = model().config.model_type
        self.shares = shared and kind in FAMILIES
        if shared and not self.shares:
            logger.warning(
                "shared_prefill: not used, as it was not checked for model type %r", kind
            )

    def sample(
        self,
        rollouts: Sequence[Rollout],
        training: bool,
        ids: Any,
        images: Any,
        fields: dict[str, Any],
        num_generations: int,
        *more: Any,
        **options: Any,
    ) -> Sampled:
        """Return a completion for each prompt; arguments as TRL's ``_generate_single_turn``."""
        if not self.shares:
            return self._turn(ids, images, fields, num_generations, *more, **options)
        counts = [len(row or ()) for row in images or [()] * len(ids)]
        with shared_prefill(self._model(), counts):
            return self._turn(ids, images, fields, num_generations, *more, **options)
