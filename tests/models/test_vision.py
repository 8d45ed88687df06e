"""What is read off a vision-language model: special tokens, tower, pixel limits."""

import json
import shutil
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from noisygrpo.errors import UserError
from noisygrpo.models.loading import load_any_processor
from noisygrpo.models.spec import ModelSpec
from noisygrpo.models.vision import (
    freeze_vision_tower,
    pixel_limits,
    set_pixel_limits,
    spare_frozen_tower,
    vision_token_ids,
)
from noisygrpo.playground import model_path
from tiny import tiny_qwen25vl, tiny_tokenizer
from tiny_families import tiny_family


def tokenizer(*tokens, end=2, pad=0):
    """A tokenizer whose added tokens, from 100 on, are special unless they begin with a plus."""
    added = {
        100 + n: SimpleNamespace(content=text.lstrip("+"), special=not text.startswith("+"))
        for n, text in enumerate(tokens)
    }
    return SimpleNamespace(added_tokens_decoder=added, eos_token_id=end, pad_token_id=pad)


def test_a_tower_builds_a_graph_while_something_in_it_is_trained():
    model = tiny_family("qwen2_5_vl")
    tower = model.get_encoder(modality="image")
    spare_frozen_tower(model)
    tower.patch_embed.register_forward_hook(lambda module, given, output: output.requires_grad_())
    pictures = {"hidden_states": torch.zeros(16, 1176), "grid_thw": torch.tensor([[1, 4, 4]])}

    def out():
        return tower(**pictures).pooler_output

    assert out().requires_grad
    tower.requires_grad_(False)
    assert not out().requires_grad and torch.is_grad_enabled()
    with pytest.raises(RuntimeError):
        tower(torch.zeros(16, 3), grid_thw=pictures["grid_thw"])
    assert torch.is_grad_enabled()  # a call that fails leaves it as it was
    tower.merger.requires_grad_(True)
    assert out().requires_grad
    with torch.no_grad():
        assert not out().requires_grad and not torch.is_grad_enabled()
    spare_frozen_tower(tiny_family("qwen2"))  # a model without a tower is left alone
    model.get_encoder = lambda: tower  # as code of a model's own may have it
    spare_frozen_tower(model)


@pytest.mark.parametrize(
    ("config", "words", "ids"),
    [
        ({}, tokenizer("<|image_pad|>", "<|vision_start|>", "<|im_start|>"), [100, 101]),
        ({}, tokenizer("<IMG_CONTEXT>", "</img>", "<quad>"), [100, 101]),
        ({}, tokenizer("<fake_token_around_image>", "<row_1_col_1>", "<global-img>"), [100, 102]),
        ({}, tokenizer("<start_of_image>", "<image_soft_token>"), [100, 101]),
        (
            {},
            tokenizer("+image", "<|VIDEO_PAD|>"),
            [101],
        ),  # a word of the vocabulary is not special
        ({"image_token_id": 7, "boi_token_id": 3}, tokenizer(), [3, 7]),
        ({"image_token_id": None, "vision_token_id": "x"}, tokenizer(), []),
        ({"image_token_id": 100}, tokenizer("<image>"), [100]),
        (
            {"image_token_index": 5, "eoi_token_index": 6, "audio_token_id": 9},
            tokenizer(),
            [5, 6, 9],
        ),
        ({"boa_token_id": 256, "text_config": {"vocab_size": 256}}, tokenizer(), []),
        ({}, tokenizer("<image>", end=100), []),  # no completion could end
        ({}, tokenizer("<image>", "<video>", pad=101), [100]),
    ],
)
def test_tokens_that_stand_for_visual_input(config, words, ids):
    assert vision_token_ids(config, words) == ids


def test_a_frozen_tower_is_the_encoder_of_images():
    model = tiny_family("qwen2_5_vl")
    freeze_vision_tower(model)
    tower = {id(value) for value in model.get_encoder(modality="image").parameters()}
    assert tower and all(
        value.requires_grad == (id(value) not in tower) for value in model.parameters()
    )
    with pytest.raises(UserError, match="freeze_vision_tower: true, but Qwen2ForCausalLM has no"):
        freeze_vision_tower(tiny_family("qwen2"))


@pytest.mark.parametrize(
    ("low", "high", "change"),
    [
        (None, None, {}),
        (28 * 28, None, {"shortest_edge": 28 * 28}),
        (None, 56 * 56, {"longest_edge": 56 * 56}),
        (28 * 28, 28 * 28, {"shortest_edge": 28 * 28, "longest_edge": 28 * 28}),
    ],
)
def test_pixel_limits_are_the_processors(low, high, change):
    _, processor = tiny_qwen25vl()
    before = dict(processor.image_processor.size)
    set_pixel_limits(processor, low, high)
    assert dict(processor.image_processor.size) == {**before, **change}


def test_pixel_limits_that_nothing_could_keep():
    _, processor = tiny_qwen25vl()
    least = dict(processor.image_processor.size)["shortest_edge"]
    with pytest.raises(UserError, match=f"min_pixels: {least} is above max_pixels 1"):
        set_pixel_limits(processor, None, 1)
    with pytest.raises(UserError, match="max_pixels, min_pixels: TokenizersBackend has no"):
        set_pixel_limits(tiny_tokenizer(), 1, None)


OF_A_FILE = {
    "image_processor_type": "Qwen2VLImageProcessor", "processor_class": "Qwen2_5_VLProcessor",
    "patch_size": 10, "temporal_patch_size": 2, "merge_size": 2,
}  # fmt: skip


@pytest.mark.parametrize(
    ("said", "limits"),
    [
        ({"min_pixels": 3136, "max_pixels": 50_000}, (3136, 50_000)),
        ({"size": {"min_pixels": 3136, "max_pixels": 50_000}}, (3136, 50_000)),
        ({"size": {"shortest_edge": 3136, "longest_edge": 50_000}}, (3136, 50_000)),
        ({"size": {"height": 100, "width": 100}}, None),
        ({"size": {"shortest_edge": 3136}}, None),
    ],
)
def test_limits_in_every_spelling_of_files(said, limits, tmp_path):
    folder = shutil.copytree(model_path(), tmp_path / "model")
    (folder / "processor_config.json").unlink()
    (folder / "preprocessor_config.json").write_text(json.dumps(OF_A_FILE | said))
    if limits is None:
        with pytest.raises(UserError, match="needs shortest_edge and longest_edge"):
            load_any_processor(ModelSpec(str(folder)))
        return
    processor = load_any_processor(ModelSpec(str(folder)))
    assert pixel_limits(processor) == limits
    picture = Image.new("RGB", (900, 300))
    pixels = processor(text=["<|image_pad|>"], images=[[picture]], return_tensors="pt")
    _, high, wide = pixels["image_grid_thw"][0]
    assert high * wide * 10 * 10 <= limits[1]
