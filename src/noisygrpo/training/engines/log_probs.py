"""Log-probs of what ``generate`` samples, taken while it samples: no forward more.

    log pi(o_t | view, o_<t) = z_t[o_t] - log sum exp z_t,    z_t = logits_t / temperature

The logits z_t are there for every token; which token o_t was made of them is what the next forward
is given, or, for the last one, what ``generate`` returns. They are taken before limits such as
top_k or a ban of tokens, as in scoring.

Shapes: B rows of ``generate``, V tokens of the vocabulary.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel


@dataclass
class TakenLogProbs:
    """What one call of ``generate`` was given to sample from."""

    temperature: float
    logits: Float[Tensor, "B V"] | None = None  # of the last forward
    tokens: list[Int[Tensor, " B"]] = field(default_factory=list)
    values: list[Float[Tensor, " B"]] = field(default_factory=list)

    def before(self, model: Any, args: Any, kwargs: dict[str, Any]) -> None:
        """See which tokens were sampled from the last logits; these are the forward's input."""
        if self.logits is not None:
            self._take(self.logits, kwargs["input_ids"][:, -1])

    def after(self, model: Any, args: Any, output: Any) -> None:
        """Keep the logits that are sampled from next."""
        self.logits = output.logits[:, -1]

    def _take(self, logits: Float[Tensor, "B V"], tokens: Int[Tensor, " B"]) -> None:
        scaled = logits.to(torch.promote_types(logits.dtype, torch.float32)) / self.temperature
        chosen = scaled.gather(1, tokens[:, None])[:, 0]
        self.tokens.append(tokens)
        self.values.append(chosen - scaled.logsumexp(1))

    def of(self, completion_ids: Sequence[Sequence[int]]) -> list[list[float]]:
        """Return the log-prob of each token of what ``generate`` returned.

        Raises:
            RuntimeError: what was sampled from the logits is not what was returned.
        """
        steps = len(self.values)
        assert self.logits is not None
        last = [ids[steps] if len(ids) > steps else 0 for ids in completion_ids]
        self._take(self.logits, torch.tensor(last, device=self.logits.device))
        tokens, values = torch.stack(self.tokens, 1).tolist(), torch.stack(self.values, 1).tolist()
        for row, ids in enumerate(completion_ids):
            if tokens[row][: len(ids)] != list(ids):
                raise RuntimeError(
                    f"row {row}: generate returned other tokens than were seen while it sampled; "
                    "their log-probs are unknown (log_view_ratio, view_correction)"
                )
        return [given[: len(ids)] for given, ids in zip(values, completion_ids, strict=True)]


@contextmanager
def taken_log_probs(model: PreTrainedModel, temperature: float) -> Iterator[TakenLogProbs]:
    """Within this context one ``model.generate`` is watched; for one sequence a row.

    ``model`` is without wrappers. What else changes rows of a forward (``leaner``,
    ``shared_prefill``) is entered before: this sees all B rows.
    """
    taken = TakenLogProbs(temperature)
    hooks = (
        model.register_forward_pre_hook(taken.before, with_kwargs=True, prepend=True),
        model.register_forward_hook(taken.after),
    )
    try:
        yield taken
    finally:
        for hook in hooks:
            hook.remove()
