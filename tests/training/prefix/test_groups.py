"""One forward per group gives what one row per completion gives, in every family."""

import copy

import pytest
import torch
from peft import LoraConfig, get_peft_model

from noisygrpo.training.prefix.groups import (
    FAMILIES,
    CompletionStates,
    Prompts,
    find_groups,
    image_token_ends,
    obstacle,
    score_groups,
)
from prefix_scores import (
    BATCHES,
    assert_same_gradients,
    by_rows,
    cut,
    gradients,
    head,
    relative,
)
from tiny_families import IMAGE, tiny_batch, tiny_family


@pytest.mark.parametrize("case", BATCHES)
@pytest.mark.parametrize("name", FAMILIES)
def test_scores_and_gradients_equal_those_of_rows(name, case):
    model = tiny_family(name)
    rows = copy.deepcopy(model)
    head(model)
    head(rows)
    batch = tiny_batch(name, *BATCHES[case])
    expected = by_rows(rows, batch)
    states = CompletionStates(model)
    got = score_groups(model, states, *cut(batch), None)
    assert expected[0].min() < -5.0  # sharp: an error in what is seen would show
    assert relative(got[0], expected[0]) < 1e-4
    assert relative(got[1], expected[1]) < 1e-4
    assert torch.equal(got[0] == 0, expected[0] == 0)
    assert_same_gradients(gradients(model, got), gradients(rows, expected))
    # Row by row the prepared model computes what it did before.
    assert torch.equal(by_rows(model, batch)[0], expected[0])


@pytest.mark.parametrize("name", ["qwen2_5_vl", "idefics3"])
def test_rows_with_and_without_images_and_the_same_text(name):
    """Two prompts of equal tokens and different pictures are two groups; text-only rows fit in."""
    model = tiny_family(name)
    head(model)
    one = tiny_batch(name, [1, 1, 0], [[3, 5], [4, 2], [2, 3]])
    keep = one["logits_to_keep"]
    width = one["input_ids"].size(1) - keep
    for key in ("input_ids", "attention_mask", "mm_token_type_ids"):
        if key in one:
            one[key][2:4, :width] = one[key][:2, :width]
    if name == "qwen2_5_vl":
        one["image_grid_thw"][:] = one["image_grid_thw"][0]
    expected = by_rows(model, one)
    batch, images = cut(one)
    assert find_groups(batch, images) == [[0, 1], [2, 3], [4, 5]]
    got = score_groups(model, CompletionStates(model), batch, images, None)
    assert relative(got[0], expected[0]) < 1e-4


def test_groups_are_found_in_any_order():
    batch = tiny_batch("qwen2_5_vl", [1, 2], [[3, 5], [4, 2]])
    prompts, images = cut(batch)
    assert find_groups(prompts, images) == [[0, 1], [2, 3]]
    text = {"mm_token_type_ids": images["mm_token_type_ids"][[0, 2, 1, 3]]}
    mixed = Prompts(*(value[[0, 2, 1, 3]] for value in vars(prompts).values()))
    assert find_groups(mixed, text) == [[0, 2], [1, 3]]


@pytest.mark.parametrize("name", ["qwen2_5_vl", "llava_onevision"])
def test_gradient_checkpointing_gives_the_same_gradients(name):
    model = tiny_family(name)
    rows = copy.deepcopy(model)
    head(model)
    head(rows)
    model.gradient_checkpointing_enable({"use_reentrant": False})
    batch = tiny_batch(name, [1, 2], [[3, 5, 1], [4, 2, 6]])
    got = score_groups(model, CompletionStates(model), *cut(batch), None)
    assert_same_gradients(gradients(model, got), gradients(rows, by_rows(rows, batch)))


@pytest.mark.parametrize("name", ["qwen2_vl", "idefics3"])
def test_lora_gives_the_same_gradients(name):
    base = tiny_family(name)
    rows = copy.deepcopy(base)
    head(base)
    head(rows)
    torch.manual_seed(1)
    lora = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    model = get_peft_model(base, lora)
    plain = get_peft_model(rows, lora)
    plain.load_state_dict(model.state_dict())
    batch = tiny_batch(name, [1, 2], [[3, 5, 1], [4, 2, 6]])
    expected = by_rows(plain, batch)
    got = score_groups(model, CompletionStates(base), *cut(batch), None)
    assert relative(got[0], expected[0]) < 1e-4
    assert_same_gradients(gradients(model, got), gradients(plain, expected))
    with model.disable_adapter(), plain.disable_adapter(), torch.no_grad():
        reference = score_groups(model, CompletionStates(base), *cut(batch), None)
        assert relative(reference[0], by_rows(plain, batch)[0]) < 1e-4
        assert relative(reference[0], got[0]) > 1e-2


def test_scores_in_bfloat16_autocast_are_close():
    model = tiny_family("qwen2_5_vl")
    head(model)
    batch = tiny_batch("qwen2_5_vl", [1], [[3, 5, 4, 5]])
    states = CompletionStates(model)
    exact = score_groups(model, states, *cut(batch), None)[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = score_groups(model, states, *cut(batch), None)[0]
        rows = by_rows(model, batch)[0]
    assert (rough - exact).abs().mean() < 2 * (rows - exact).abs().mean() + 1e-3


def test_no_completion_token_at_all_is_a_differentiable_zero():
    model = tiny_family("qwen2_5_vl")
    head(model)
    batch = tiny_batch("qwen2_5_vl", [1], [[3, 5]])
    batch["attention_mask"][:, -batch["logits_to_keep"] :] = 0
    log_probs, entropies = score_groups(model, CompletionStates(model), *cut(batch), None)
    assert not log_probs.any() and not entropies.any()
    log_probs.sum().backward()
    assert all(not value.grad.any() for value in model.parameters() if value.grad is not None)


def test_obstacles_are_named():
    model = tiny_family("qwen2_5_vl")
    assert obstacle(model) is None
    batch, _ = cut(tiny_batch("qwen2_5_vl", [1], [[3]]))
    assert not image_token_ends(batch, model)
    batch.ids[:, -1] = IMAGE
    assert image_token_ends(batch, model)
    model.set_attn_implementation("eager")
    assert "eager" in obstacle(model)
    model = tiny_family("qwen2")
    model.config.layer_types = ["full_attention", "sliding_attention"]
    assert "without full attention" in obstacle(model)
    model.config.model_type = "gpt2"
    assert "gpt2" in obstacle(model)
