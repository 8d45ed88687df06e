"""Memory of a GPU by hand-computed numbers."""

from dataclasses import replace

import pytest
import torch
from tests.check.by_hand import ACTIVATIONS, CACHE, LOAD, SIZE

from noisygrpo.check.activations import Blocks
from noisygrpo.check.memory import GB, device_load, memory_lines, memory_share
from noisygrpo.check.model_size import meta_model, model_size
from noisygrpo.check.plan import sizes, vllm_lines
from noisygrpo.check.recipe import Prompts
from noisygrpo.models.loading import weights_dtype
from noisygrpo.recipes.recipe import load_recipe
from noisygrpo.runs.prepare import prepare
from noisygrpo.training.config import NoisyGRPOConfig
from tiny import tiny_qwen25vl


def test_ddp_by_hand():
    share = memory_share("ddp", SIZE, LOAD, 80 * GB)
    assert share.weights == 15e9 + 7.5e9  # float32, and autocast's bfloat16 copy
    assert (share.gradients, share.optimiser, share.reference) == (15e9, 30e9, 0)
    assert share.activations == ACTIVATIONS == 1_640_448_000
    assert share.generation == 4 * CACHE == 884_736_000
    assert share.peak == 22.5e9 + 15e9 + 30e9 + ACTIVATIONS
    assert share.host == 0


def test_fsdp2_by_hand():
    share = memory_share("fsdp2", SIZE, LOAD, 80 * GB)
    gathered = 2 * (310e6 + 2 * 80e6)  # bfloat16: what is outside, and two blocks
    assert share.weights == 15e9 / 8 + gathered == 2.815e9
    assert (share.gradients, share.optimiser) == (15e9 / 8, 30e9 / 8)
    assert share.peak == 2.815e9 + 1.875e9 + 3.75e9 + ACTIVATIONS


def test_zero_by_hand():
    two = memory_share("zero2", SIZE, LOAD, 80 * GB)
    assert two.weights == 7.5e9  # bfloat16, whole
    assert two.gradients == 7.5e9 / 8
    assert two.optimiser == 12 * 3.75e9 / 8  # float32 master copy and two moments
    assert two.generation == 2 * CACHE
    three = memory_share("zero3", SIZE, LOAD, 80 * GB)
    assert three.weights == 7.5e9 / 8 + 0.94e9
    assert three.generation == 2 * CACHE + 7.5e9 * 7 / 8  # generating gathers the other shards
    offloaded = memory_share("zero2 + offload", SIZE, LOAD, 80 * GB)
    assert (offloaded.optimiser, offloaded.host) == (0, two.optimiser)
    assert offloaded.peak == two.peak - two.optimiser


def test_the_reference_costs_a_copy_and_is_sharded_with_the_weights():
    load = replace(LOAD, reference=True)
    assert memory_share("ddp", SIZE, load, 80 * GB).reference == 15e9
    assert memory_share("fsdp2", SIZE, load, 80 * GB).reference == 15e9 / 8
    assert memory_share("zero2", SIZE, load, 80 * GB).reference == 7.5e9
    assert memory_share("zero3", SIZE, load, 80 * GB).reference == 7.5e9 / 8


def test_vllm_takes_its_share_always_or_while_it_is_awake():
    load = replace(LOAD, vllm_share=0.3, generates=False)
    plain = memory_share("fsdp2", SIZE, LOAD, 80 * GB)
    awake = memory_share("fsdp2", SIZE, load, 80 * GB)
    assert awake.generation == 0
    assert awake.peak == plain.peak + 24e9
    asleep = memory_share("fsdp2", SIZE, replace(load, vllm_sleeps=True), 80 * GB)
    assert asleep.peak == pytest.approx(plain.peak - ACTIVATIONS + 24e9)
    # 24 GB hold 7.5 GB of weights; a sequence of 1500 tokens takes 1500 x 36,864 bytes.
    assert "298 sequences of 1500 tokens at once (of 8)" in vllm_lines(SIZE, load, 80)[0]
    assert "do not hold its weights" in vllm_lines(SIZE, load, 20)[0]
    assert vllm_lines(SIZE, LOAD, 80) == []


TEXT, TOWER = Blocks(layers=2, hidden=32, kept=576), Blocks(layers=2, hidden=16, kept=304)
"""Of the tiny model, whose heads make 32 (keys and values 16), and whose MLPs have 64 and 32:
64 + 48 + 48 + 64 and three layers of 96 and a product of 64; 64 + 32 (queries, keys and values are
one layer), 32 + 32, three of 48, and 32."""


def config(**changes):
    settings = {"num_generations": 4, "per_device_train_batch_size": 8, "bf16": False}
    return NoisyGRPOConfig(**{**settings, "use_cpu": True, "report_to": "none", **changes})


def one_device(model, settings, half=False):
    """Size of a model, and its share on one device with prompts of 10 tokens."""
    size = model_size(model, model.config.get_text_config())
    load = device_load(
        settings, 1, prompt_tokens=10, patches=16, width=size.width, half=half, lora=False
    )
    return size, memory_share("ddp", size, load, 0.0)


def test_a_real_model_on_one_device():
    model, _ = tiny_qwen25vl()
    total = sum(parameter.numel() for parameter in model.parameters())
    settings = config(max_completion_length=6, gradient_checkpointing=False, beta=0.04)
    _, share = one_device(model, settings)
    layers, rollouts, tokens = 2, 8, 16
    assert share.weights == share.gradients == share.reference == 4 * total
    assert share.optimiser == 8 * total
    assert share.activations == 4 * rollouts * (tokens * layers * TEXT.kept + 16 * 2 * TOWER.kept)
    assert share.generation == 2 * 4 * layers * (2 * 8) * tokens * rollouts
    assert share.peak == 5 * 4 * total + max(share.activations, share.generation)


def test_bfloat16_with_checkpointing_and_a_frozen_part():
    model = tiny_qwen25vl()[0].to(torch.bfloat16)
    model.get_input_embeddings().requires_grad_(False)
    trained = sum(item.numel() for item in model.parameters() if item.requires_grad)
    settings = config(max_completion_length=6, gradient_checkpointing=True)
    size, share = one_device(model, settings, half=True)
    rollouts, tokens = 8, 16
    assert share.weights == 2 * size.parameters  # computed in the type it is stored in: no copy
    assert share.gradients == 2 * trained
    assert share.reference == 0
    held = tokens * TEXT.hidden * TEXT.layers + 16 * TOWER.hidden * TOWER.layers
    assert share.activations == 2 * rollouts * (held + 16 * max(TEXT.kept, TOWER.kept))


def test_check_and_plan_agree_and_count_the_copy_of_autocast(tmp_path):
    """The built-in model in bfloat16 on one device: 3,266,304 parameters, all trained."""
    words = {"training.bf16": "true", "training.use_cpu": "true", "data.limit": "64"}
    words["evaluation"] = "null"  # drawing its rows would take most of the time
    words["training.freeze_vision_tower"] = "false"
    prepared = prepare(load_recipe("playground", list(words.items())), str(tmp_path))
    model = meta_model(prepared, weights_dtype(prepared.recipe.model, train=True))
    size = model_size(model, model.config.get_text_config())
    load = device_load(
        prepared.config, 1, prompt_tokens=130, patches=64, width=size.width, half=True, lora=False
    )
    assert sizes(prepared, 1, Prompts(130, 30, 64)) == (size, load)
    share = memory_share("ddp", size, load, 24 * GB)
    assert size.trained == 3_266_304
    assert share.weights == (4 + 2) * 3_266_304
    assert memory_lines(size, share)[1].startswith(
        "weights 20 MB, gradients 13 MB, optimiser 26 MB"
    )
