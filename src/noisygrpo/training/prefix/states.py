"""Hidden states that predict completion tokens, kept where a whole distribution is asked for.

``second_estimator: full`` compares distributions over the vocabulary. A forward gives log-probs of
what was sampled; here it also keeps, for each token, the state that the head makes logits of, and
the head is applied again to a few tokens at a time:

    d_t = KL(softmax(W h_t / temperature) ‖ softmax(W h'_t / temperature))

h of the scored view and h' of the second. Logits of 256 tokens exist at once; for the backward they
are computed anew.

Shapes: B rows, T completion tokens, d channels, V of vocabulary.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.utils.checkpoint import checkpoint

from noisygrpo.methods.dependence import full_kl

TOKENS = 256
"""Of which logits exist at once."""


@dataclass
class StateTap:
    """Takes hidden states from the forwards within ``open``."""

    on: bool = False
    parts: list[Tensor] = field(default_factory=list)

    @contextmanager
    def open(self) -> Iterator[list[Tensor]]:
        """Within this context every forward that scores adds states ``[rows, T, d]``."""
        self.on, self.parts = True, []
        try:
            yield self.parts
        finally:
            self.on, self.parts = False, []

    @contextmanager
    def rows(self, backbone: Any, keep: int) -> Iterator[None]:
        """Take the states of a forward of whole rows, of which the last ``keep`` are scored."""
        if not self.on:
            yield
            return

        def take(module: Any, args: Any, output: Any) -> None:
            self.parts.append(output.last_hidden_state[:, -keep - 1 : -1])

        handle = backbone.register_forward_hook(take)
        try:
            yield
        finally:
            handle.remove()


def divergence(
    head: torch.nn.Linear,
    first: Float[Tensor, "B T d"],
    second: Float[Tensor, "B T d"],
    mask: Tensor,
    temperature: float,
    gradient: str,
) -> Float[Tensor, "B T"]:
    """Return the divergence of each token that counts, and 0 for others.

    ``gradient`` goes through the distributions of one side (clean, second) or of both.
    """
    weight: Tensor = head.weight
    bias: Tensor | None = head.bias
    if isinstance(weight, DTensor):
        weight = weight.full_tensor()
        bias = bias.full_tensor() if isinstance(bias, DTensor) else bias

    def of(one: Tensor, other: Tensor) -> Tensor:
        both = (
            F.linear(h, weight.to(h), None if bias is None else bias.to(h)) for h in (one, other)
        )
        p, q = (logits.float() / temperature for logits in both)
        return full_kl(
            p if gradient in ("clean", "both") else p.detach(),
            q if gradient in ("second", "both") else q.detach(),
        )

    chosen = mask.bool()
    pairs = zip(first[chosen].split(TOKENS), second[chosen].split(TOKENS), strict=True)
    found = [checkpoint(of, one, other, use_reentrant=False) for one, other in pairs]
    values = torch.cat(found) if found else first.new_zeros(0)
    return torch.zeros(mask.shape, device=mask.device).masked_scatter(chosen, values)
