"""The forward of the loss: it keeps its log-probs, and may score a second view beside its own.

Where the loss takes log-probs of the current policy on the second view (``second_policy: current``)
a micro-batch of B rows and its second view are 2 B rows of one forward; with ``shared_prefix`` that
is one more group for each, P' + G C tokens. Without a gradient in the second view they are two
forwards, the second of which keeps no graph. Where completions are scored on D views, D B rows and
B of the second view, which is one for all, are a forward.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import TrainerState

from noisygrpo.training.loss.terms import Averaging, LossTerms
from noisygrpo.training.prefix.rows import SCORING_KEYS, Scores
from noisygrpo.training.prefix.states import StateTap, divergence
from noisygrpo.training.views.pixels import join
from noisygrpo.training.views.second import SecondView


@dataclass
class Full:
    """Compares distributions over the vocabulary by the hidden states that a tap took."""

    tap: StateTap
    head: Callable[[], Any]  # returns the model's output embeddings
    temperature: float

    def compare(self, first: Tensor, second: Tensor, mask: Tensor, gradient: str) -> Tensor:
        """Return the divergence ``[B, T]`` of states ``[B, T, d]``; see ``divergence``."""
        return divergence(self.head(), first, second, mask, self.temperature, gradient)


@dataclass
class LossForward:
    """Scores for TRL, and for the terms that are added to its loss."""

    terms: LossTerms
    view: SecondView | None
    inputs: dict[str, Any] | None = None  # the micro-batch whose loss is computed; None outside
    views: int = 1  # D, rows that TRL scores for each of its own
    first: Tensor = field(default_factory=lambda: torch.empty(0))  # its log-probs
    second: Tensor | None = None  # those on the second view, where this forward computed them
    full: Full | None = None  # compares whole distributions, where that is asked for
    states: tuple[Tensor, Tensor] | None = None  # of both views, where they are compared whole

    @contextmanager
    def of(self, inputs: dict[str, Any], views: int = 1) -> Iterator[None]:
        """Within this context the loss of a micro-batch is computed, of so many views of a row."""
        self.inputs, self.views = inputs, views
        try:
            yield
        finally:
            self.inputs = None

    def score(
        self,
        score: Callable[..., Scores],
        model: Any,
        ids: Tensor,
        mask: Tensor,
        keep: int,
        **more: Any,
    ) -> Scores:
        """Return what ``score`` does; arguments are those of ``Scorer.score``."""
        self.second = None
        both = self.inputs is not None and self.view is not None and self.terms.current
        if both and self.full is not None:
            with self.full.tap.open() as states:
                scores = self._both(score, model, ids, mask, keep, **more)
            self.states = self._split(torch.cat(states), len(ids))
        elif both:
            scores = self._both(score, model, ids, mask, keep, **more)
        else:
            scores = score(model, ids, mask, keep, **more)
        self.first = scores[0] if self.inputs is not None and self.terms else scores[0].detach()
        return scores

    def added(
        self, loss: Tensor, inputs: dict[str, Any], average: Averaging, state: TrainerState
    ) -> Tensor:
        """Return TRL's loss of the micro-batch that was scored last, with the terms added."""
        if not self.terms:
            return loss
        done = state.global_step / max(state.max_steps, 1)
        states, self.states = self.states, None
        if states is None or self.full is None:
            return loss + self.terms(inputs, self.first, self.second, average, done)
        sides, mask = str(self.terms.config.second_gradient), inputs["completion_mask"]
        d = self.full.compare(*states, mask, sides)
        return loss + self.terms(inputs, self.first, self.second, average, done, d)

    def _both(
        self,
        score: Callable[..., Scores],
        model: Any,
        ids: Tensor,
        mask: Tensor,
        keep: int,
        **more: Any,
    ) -> Scores:
        assert self.inputs is not None and self.view is not None
        options = {key: value for key, value in more.items() if key not in SCORING_KEYS}
        images = {key: value for key, value in more.items() if key in SCORING_KEYS}
        own = {"input_ids": ids, "attention_mask": mask, **images}
        other = scored_as(self.view.on(self.inputs))
        if not self.terms.trains_second:
            with torch.no_grad():
                self.second = self._by_view(_apply(score, model, keep, other, {})[0])
            return score(model, ids, mask, keep, **more)
        joined = join(own, other)
        if joined is None:
            scores = score(model, ids, mask, keep, **more)
            self.second = self._by_view(_apply(score, model, keep, other, {})[0])
            return scores
        log_probs, entropies, aux = _apply(score, model, keep, joined, options)
        self.second = self._by_view(log_probs[len(ids) :])
        return log_probs[: len(ids)], entropies if entropies is None else entropies[: len(ids)], aux

    def _by_view(self, second: Tensor) -> Tensor:
        """Return what is of the second view once for each view that its row is scored on."""
        return second if self.views == 1 else second.repeat_interleave(self.views, 0)

    def _split(self, states: Tensor, rows: int) -> tuple[Tensor, Tensor]:
        """Return the states of the scored rows, of which there are so many, and the second's."""
        if self.terms.trains_second:  # the second view's are last, else alone and first
            return states[:rows], self._by_view(states[rows:])
        second = len(states) - rows
        return states[second:], self._by_view(states[:second])


def scored_as(batch: dict[str, Any]) -> dict[str, Any]:
    """Return what is scored of TRL's batch, under the names of its scoring function."""
    return {
        "input_ids": torch.cat((batch["prompt_ids"], batch["completion_ids"]), 1),
        "attention_mask": torch.cat((batch["prompt_mask"], batch["completion_mask"]), 1),
        **{key: batch[key] for key in SCORING_KEYS if batch.get(key) is not None},
    }


def _apply(
    score: Callable[..., Scores],
    model: Any,
    keep: int,
    batch: dict[str, Any],
    options: dict[str, Any],
) -> Scores:
    ids, mask = batch["input_ids"], batch["attention_mask"]
    images = {key: value for key, value in batch.items() if key in SCORING_KEYS}
    return score(model, ids, mask, keep, **options, **images)
