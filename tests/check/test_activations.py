"""What blocks are said to keep for the backward pass, against what autograd does keep."""

from types import SimpleNamespace

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    Glm4Config,
    Glm4ForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
)

from noisygrpo.check.activations import NONE, Blocks, patches, text_blocks, tower_blocks
from noisygrpo.training.prefix.groups import FAMILIES
from tiny_families import TEXT, tiny_family

TOKENS = 256
OTHERS = {
    "sandwich norms": (Gemma3ForCausalLM, Gemma3TextConfig, {}),
    "sandwich norms, gate and value in one": (Glm4ForCausalLM, Glm4Config, {}),
    "joint projections": (Phi3ForCausalLM, Phi3Config, {}),
    "no bias": (MistralForCausalLM, MistralConfig, {}),
    "experts": (
        Qwen3MoeForCausalLM,
        Qwen3MoeConfig,
        {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24,
         "decoder_sparse_step": 1},
    ),
}  # fmt: skip


def bytes_saved(model, decoder, width):
    """Bytes that a forward over embeddings leaves for the backward pass, weights left out."""
    own = {one.untyped_storage().data_ptr() for one in (*model.parameters(), *model.buffers())}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes(), tensor  # alive, so that no other is there
        return tensor

    embedded = torch.zeros(1, TOKENS, width).normal_().requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        decoder(inputs_embeds=embedded, use_cache=False).last_hidden_state.sum()
    return sum(size for size, _ in kept.values())


def said(blocks):
    return 4 * TOKENS * blocks.layers * blocks.kept


@pytest.mark.parametrize("name", FAMILIES)
def test_families_keep_what_is_said(name):
    model = tiny_family(name).train()
    text = model.config.get_text_config()
    measured = bytes_saved(model, model.get_decoder(), text.hidden_size)
    found = text_blocks(model, text, adapters=False)
    assert said(found) == pytest.approx(measured, rel=0.05)
    assert text_blocks(model, text, adapters=True).kept == found.kept + 4 * text.hidden_size


@pytest.mark.parametrize("name", OTHERS)
def test_other_blocks_keep_about_that(name):
    kind, config, more = OTHERS[name]
    torch.manual_seed(0)
    model = kind(config(**{**TEXT, "head_dim": 8, **more})).train()
    measured = bytes_saved(model, model.model, TEXT["hidden_size"])
    found = text_blocks(model, model.config, adapters=False)
    assert said(found) == pytest.approx(measured, rel=0.17)


def test_adapters_stand_where_their_layers_stood():
    model = tiny_family("qwen2_5_vl")
    before = text_blocks(model, model.config.get_text_config(), adapters=False)
    target = ".*language_model.*_proj"
    adapted = get_peft_model(model, LoraConfig(r=4, target_modules=target)).get_base_model()
    assert text_blocks(adapted, adapted.config.get_text_config(), adapters=False) == before
    assert tower_blocks(adapted) == NONE


def test_a_tower_counts_where_it_is_trained():
    model = tiny_family("qwen2_5_vl")
    assert tower_blocks(model) == Blocks(2, 16, 304)  # 64 + 32, 32 + 32 and three of 48, 32
    model.get_encoder(modality="image").requires_grad_(False)
    assert tower_blocks(model) == NONE
    assert tower_blocks(tiny_family("qwen2")) == NONE


def test_patches_are_those_of_the_tower():
    grid = torch.tensor([[1, 4, 6], [1, 2, 2]])
    assert patches({"image_grid_thw": grid, "pixel_values": torch.zeros(28, 5)}, None) == 28
    config = SimpleNamespace(vision_config=SimpleNamespace(patch_size=14))
    assert patches({"pixel_values": torch.zeros(2, 5, 3, 28, 42)}, config) == 2 * 5 * 2 * 3
    config.vision_config.patch_size = [14, 14]
    assert patches({"pixel_values": torch.zeros(1, 3, 28, 28)}, config) == 4
    assert patches({"pixel_values": torch.zeros(7, 588)}, config) == 7
    assert patches({"pixel_values": torch.zeros(2, 7, 588)}, config) == 14
    two = [torch.zeros(3, 28, 28), torch.zeros(3, 14, 28)]
    assert patches({"pixel_values": two}, config) == 6
    assert patches({}, config) == 0
