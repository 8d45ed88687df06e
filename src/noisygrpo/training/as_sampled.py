"""Whether completions are scored with the logits that they are sampled with.

TRL does not ask a model's forward for logits. It multiplies hidden states with the output
embeddings itself, and scales and caps the products by what it finds in the text configuration
under some names. Where a forward does not use such a number (Aya Vision's and Command A Vision's
``logit_scale``), or does something else, every ratio of the loss is of two different models.

Both are asked about one hidden state, by a model on the meta device with a head of two columns:

    log pi(a) - log pi(b) = l(a) - l(b)     l: logits of the forward, log pi: scored by TRL

Differences leave out what a forward forbids (Chameleon's tokens of pictures), as sampling does.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from trl.trainer.utils import add_fused_lm_head

from noisygrpo.errors import UserError
from noisygrpo.models.loading import load_config, without_weights
from noisygrpo.models.spec import ModelSpec
from noisygrpo.models.vision import vision_token_ids

NEUTRAL = {
    "logit_scale": 1.0,
    "logits_scaling": 1.0,
    "lm_head_multiplier": 1.0,
    "output_multiplier": 1.0,
    "final_logit_softcapping": None,
}
"""Names that TRL reads, and the value that changes no logit."""

TOKENS = 16
CLOSE = 1e-3
"""Largest difference of logits that are the same; they are about ten, in float32."""


def require_scored_as_sampled(spec: ModelSpec, processor: Any) -> None:
    """See that TRL makes of hidden states what the model's own forward makes.

    Raises:
        UserError: it does not, with the entry of the configuration that makes the difference.
    """
    config = load_config(spec)
    banned = vision_token_ids(config.to_dict(), processor.tokenizer)
    if _same(config, banned, spec):
        return
    name = (getattr(config, "architectures", None) or [type(config).__name__])[0]
    text = config.get_text_config()
    for entry, neutral in NEUTRAL.items():
        given = getattr(text, entry, None)
        if given is None or given == neutral:
            continue
        changed = copy.deepcopy(config)
        setattr(changed.get_text_config(), entry, neutral)
        if _same(changed, banned, spec):
            raise UserError(
                f"model.path: a model with {name} would be scored with other logits than it "
                f"samples with: its text_config has {entry} {given}, which TRL applies and "
                f"Transformers' {name} does not; write {'null' if neutral is None else neutral} "
                "there in config.json"
            )
    raise UserError(
        f"model.path: a model with {name} cannot be trained: its forward makes other logits of "
        "hidden states than TRL scores with"
    )


def _same(config: Any, banned: list[int], spec: ModelSpec) -> bool:
    """Whether both ways agree, or the forward cannot be asked without its backbone."""
    model = without_weights(spec, copy.deepcopy(config))
    try:
        own, scored = _asked(model, banned)
    except Exception:  # a forward may want anything of its backbone; the first step tells then
        return True
    return bool((own - scored).abs().max() < CLOSE)


@torch.no_grad()
def _asked(model: Any, banned: list[int]) -> tuple[Tensor, Tensor]:
    """Differences of logits, by the model's forward and by TRL."""
    head = model.get_output_embeddings()
    vocabulary = head.weight.shape[0]
    drawn = torch.Generator().manual_seed(0)
    small = nn.Linear(2, vocabulary, bias=False)
    small.weight.copy_(torch.randn(vocabulary, 2, generator=drawn))
    model.set_output_embeddings(small)
    allowed = [token for token in range(min(vocabulary, 1000)) if token not in banned]
    ids = torch.tensor([allowed[:: max(1, len(allowed) // TOKENS)][:TOKENS]])
    states = torch.tensor([5.0, 3.0]).expand(1, ids.shape[1], 2)
    model.base_model.forward = lambda *args, **kwargs: _Given(states)
    own = model(input_ids=ids).logits[0, 0, ids[0, 1:]]
    add_fused_lm_head(model)
    scored = model(input_ids=ids, labels=ids, fused_lm_head=True).log_probs[0]
    return own - own[0], scored - scored[0]


class _Given:
    """What a backbone returns: hidden states, and nothing of all else that may be asked for."""

    def __init__(self, states: Tensor) -> None:
        self.last_hidden_state = states

    def __getitem__(self, place: int) -> Any:
        return self.last_hidden_state if place == 0 else None

    def __getattr__(self, name: str) -> None:
        return None
