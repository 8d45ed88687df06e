"""Scores by rows and by groups, and their gradients, for the tests of shared prefixes."""

import torch
from trl.trainer.utils import add_fused_lm_head

from noisygrpo.training.prefix.groups import Prompts

TEMPERATURE = 0.7


def head(model):
    add_fused_lm_head(model, temperature=TEMPERATURE, outputs=("log_probs", "entropy"))


def cut(batch):
    ids, mask, keep = batch["input_ids"], batch["attention_mask"], batch["logits_to_keep"]
    prompts = Prompts(ids[:, :-keep], mask[:, :-keep], ids[:, -keep:], mask[:, -keep:])
    tokens = ("input_ids", "attention_mask", "logits_to_keep")
    return prompts, {key: value for key, value in batch.items() if key not in tokens}


def by_rows(model, batch):
    """Score as TRL does: every row with its own prompt and images."""
    keep = batch["logits_to_keep"]
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    labels[:, :-keep] = -100
    inputs = {k: v for k, v in batch.items() if k not in ("logits_to_keep", "num_images")}
    out = model(**inputs, labels=labels, fused_lm_head=True)
    return out.log_probs[:, -keep:], out.entropy[:, -keep:]


def loss(log_probs, entropies):
    """Any function of both in which every token weighs differently."""
    weights = torch.linspace(-1, 1, log_probs.numel()).view_as(log_probs)
    return (log_probs * weights).sum() + 0.1 * (entropies * weights.flip(0)).sum()


def gradients(model, scores):
    model.zero_grad(set_to_none=True)
    loss(*scores).backward()
    return {
        name: value.grad.clone()
        for name, value in model.named_parameters()
        if value.grad is not None
    }


def relative(one, other):
    """Largest difference relative to the largest value."""
    one, other = one.detach(), other.detach()
    return float((one - other).abs().max() / other.abs().max().clamp(min=1e-12))


def assert_same_gradients(got, wanted, share=1e-4):
    assert got.keys() == wanted.keys() and len(wanted) > 3
    # Softmax does not see a key's bias, so what is there is rounding, judged by the whole.
    scale = max(float(value.abs().max()) for value in wanted.values())
    for name, value in wanted.items():
        difference = float((got[name] - value).abs().max())
        # Some processors sum LLaVA's convolution in another order for another number of images.
        allowed = share * (10 if "vision_tower" in name else 1)
        assert difference <= allowed * max(float(value.abs().max()), 1e-2 * scale), name


BATCHES = {
    "one group": ([1], [[3, 5, 4, 5]]),
    "two groups, several images, different lengths": ([1, 2], [[3, 5, 1], [4, 2, 6]]),
    "a masked completion and a part of a group": ([2, 1], [[3, 0, 5], [4]]),
}
