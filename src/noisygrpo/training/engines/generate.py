"""Sampling by TRL's ``generate``, which reads the fields of what each rollout sees."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedModel

from noisygrpo.models.decoding import leaner, own_sampling
from noisygrpo.training.engines.heads import Heads
from noisygrpo.training.engines.log_probs import taken_log_probs
from noisygrpo.training.engines.prefill import shared_prefill
from noisygrpo.training.pictures.watch import watch_generate
from noisygrpo.training.rollout import row_names

Sampled = tuple[list[list[int]], Any]
"""Tokens of each completion, and the engine's log-probs of these; None where it gives none."""


@dataclass
class GenerateEngine:
    """Samples by TRL's own turn; it may read distinct prompts once and drop what has ended."""

    turn: Callable[..., Sampled]  # TRL's ``_generate_single_turn``
    model: Callable[[], PreTrainedModel]  # returns the model inside its wrappers
    shares: bool  # ``shared_prefill``, where nothing stands against it
    heads: Heads | None = None  # reads the text before the pictures, where that is shared too
    watches: bool = False  # whether the pictures that are handed over are compared
    ends: Sequence[int] = ()  # tokens that end a completion
    temperature: float | None = None  # of the log-probs that are taken; None takes none

    def sample(
        self,
        rollouts: Any,
        training: bool,
        ids: Any,
        images: Any,
        fields: dict[str, Any],
        *more: Any,
        **options: Any,
    ) -> Sampled:
        """Return a completion for each prompt; arguments after two are those of TRL's turn."""
        counts = [len(row or ()) for row in images or [()] * len(ids)]
        with ExitStack() as around:
            around.enter_context(own_sampling(self.model()))
            if self.watches and training:
                names = row_names(rollouts, len(ids))
                watch = watch_generate(self.model(), rollouts[0].step, names, fields, counts)
                around.enter_context(watch)
            if self.shares:
                around.enter_context(leaner(self.model(), self.ends))
                around.enter_context(shared_prefill(self.model(), counts, self.heads))
            if self.temperature is None or not training:
                return self.turn(ids, images, fields, *more, **options)
            taken = around.enter_context(taken_log_probs(self.model(), self.temperature))
            completion_ids, _ = self.turn(ids, images, fields, *more, **options)
            return completion_ids, taken.of(completion_ids)
