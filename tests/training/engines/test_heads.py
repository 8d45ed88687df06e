"""Reading the text before the pictures once gives every view of a prompt the same logits."""

from contextlib import nullcontext

import pytest
import torch

from noisygrpo.training.engines.heads import Heads, head_columns
from noisygrpo.training.engines.prefill import shared_prefill
from tiny_families import IMAGE, PAD, tiny_batch, tiny_family

SYSTEM = list(range(20, 40))
PICTURED = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl")


def views(name, counts, system):
    """Return prompts as ``generate`` takes them, each row with noise of its own; image counts.

    ``system``: the text in front of each prompt.
    """
    batch = tiny_batch(name, counts, [[1, 1, 1]] * len(counts))
    rows = []
    for number, (ids, mask) in enumerate(
        zip(batch["input_ids"][:, :-1], batch["attention_mask"][:, :-1], strict=True)
    ):
        rows.append([*system[number // 3], *ids[mask.bool()].tolist()])
    width = max(map(len, rows))
    ids = torch.tensor([[PAD] * (width - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    inputs = {"input_ids": ids, "attention_mask": mask}
    if any(counts):
        generator = torch.Generator().manual_seed(1)
        pixels = batch["pixel_values"]
        noise = torch.randn(pixels.shape, generator=generator)
        inputs |= {"pixel_values": pixels + noise, "image_grid_thw": batch["image_grid_thw"]}
        inputs["mm_token_type_ids"] = (ids == IMAGE).int()
    return inputs, [count for count in counts for _ in range(3)]


def generated(model, inputs, numbers, heads):
    """Return what is generated, and the rows and columns of each of its forwards."""
    shapes = []
    hook = model.get_input_embeddings().register_forward_hook(
        lambda module, args, output: shapes.append(tuple(output.shape[:2]))
    )
    options = {"max_new_tokens": 4, "do_sample": False, "pad_token_id": PAD, "eos_token_id": None}
    options |= {"return_dict_in_generate": True, "output_logits": True}
    with shared_prefill(model, numbers, heads):
        found = model.generate(**inputs, **options)
    hook.remove()
    return found, shapes


@pytest.mark.parametrize("name", PICTURED)
def test_every_view_gets_its_logits(name):
    """Two prompts with pictures, and a text that is shorter than the heads of these."""
    model = tiny_family(name).double().eval()
    inputs, numbers = views(name, [1, 2, 0], [SYSTEM, SYSTEM, []])
    inputs["pixel_values"] = inputs["pixel_values"].double()
    expected, plain = generated(model, inputs, numbers, None)
    got, shapes = generated(model, inputs, numbers, Heads(nullcontext))
    width = inputs["input_ids"].size(1)
    columns = head_columns(inputs["input_ids"], [IMAGE])
    assert columns == len(SYSTEM) + 2  # the longest prompt is padded by nothing
    assert plain[0] == (7, width)  # six views, and one of three equal texts
    assert shapes[:2] == [(3, columns), (7, width - columns)] and shapes[2:] == plain[1:]
    assert torch.equal(got.sequences, expected.sequences)
    for one, other in zip(got.logits, expected.logits, strict=True):
        assert torch.allclose(one, other, atol=1e-9, rtol=1e-9)
    spread = expected.logits[0][:3]
    assert (spread[0] - spread[1]).abs().max() > 1e-4  # views differ


@pytest.mark.parametrize(
    ("counts", "system"),
    [
        ([2, 2], [[], []]),  # two tokens before the pictures: not worth a forward
        ([0, 0], [SYSTEM, SYSTEM]),  # no picture, so that equal texts are equal rows
    ],
)
def test_what_is_not_worth_it_is_read_as_before(counts, system):
    model = tiny_family("qwen2_5_vl").eval()
    inputs, numbers = views("qwen2_5_vl", counts, system)
    _, plain = generated(model, inputs, numbers, None)
    _, shapes = generated(model, inputs, numbers, Heads(nullcontext))
    assert shapes == plain


def test_mixed_precision_is_that_of_the_models_forward():
    model, precision = (
        tiny_family("qwen2_5_vl").eval(),
        lambda: torch.autocast("cpu", torch.bfloat16),
    )
    inputs, numbers = views("qwen2_5_vl", [1, 1], [SYSTEM, SYSTEM])
    model.forward = precision()(model.forward)  # as Accelerate prepares it
    kinds = []
    model.model.language_model.layers[1].self_attn.v_proj.register_forward_hook(
        lambda module, args, output: kinds.append(output.dtype)
    )
    expected, _ = generated(model, inputs, numbers, None)
    got, shapes = generated(model, inputs, numbers, Heads(precision))
    assert len(shapes) == 5
    for one, other in zip(got.logits, expected.logits, strict=True):
        assert torch.allclose(one, other, atol=0.02)
    assert kinds == [torch.bfloat16] * (4 + 5)


@pytest.mark.parametrize(
    ("ids", "columns"),
    [([[0, 9, 1, 1], [9, 9, 9, 1]], 2), ([[9, 9, 9, 9]], 0), ([[1, 9]], 0), ([[9, 3]], 1)],
)
def test_head_columns(ids, columns):
    assert head_columns(torch.tensor(ids), [1, 3]) == columns
