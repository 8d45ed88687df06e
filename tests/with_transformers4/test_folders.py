"""Folders that Transformers 5 wrote, read by Transformers 4: config, processor, weights, forward.

``write_folders.py`` wrote them; FOLDERS is where. Nothing here imports this package.
"""

import json
import os
from pathlib import Path

import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModelForImageTextToText,
    AutoProcessor,
)

assert transformers.__version__.startswith("4."), transformers.__version__
FOLDERS = sorted(path for path in Path(os.environ["FOLDERS"]).iterdir() if path.is_dir())
OTHER_PATCH_POSITIONS = ("Idefics3", "SmolVLM")
"""Transformers 5 gives patches on the edge of a bucket the next position: what follows an image
differs whatever the folder, what comes before it does not."""
every_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)


def test_there_are_folders():
    assert {"Qwen2-VL", "Qwen2.5-VL", "Qwen3-VL"} <= {folder.name for folder in FOLDERS}


@every_folder
def test_the_model_gives_the_same_logits(folder):
    model, info = AutoModelForImageTextToText.from_pretrained(
        folder, torch_dtype=torch.float32, output_loading_info=True
    )
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"]
    expected = load_file(folder / "expected.tensors")
    logits = expected.pop("logits")
    unknown = ("mm_token_type_ids", "batch_num_images")  # of Transformers 5
    inputs = {key: value for key, value in expected.items() if key not in unknown}
    with torch.no_grad():
        found = model.eval()(**inputs).logits
    if folder.name in OTHER_PATCH_POSITIONS:
        image = (expected["input_ids"][0] == model.config.image_token_id).nonzero()[0, 0]
        found, logits = found[:, :image], logits[:, :image]
    assert (found - logits).abs().max() < 1e-5 * logits.abs().max()


@every_folder
def test_the_config_has_the_rotary_settings(folder):
    config = AutoConfig.from_pretrained(folder)
    text = json.loads((folder / "config.json").read_text())
    written = text.get("text_config", text)["rope_parameters"]
    written = written.get("full_attention", written)
    read = config.get_text_config()
    assert read.rope_theta == written["rope_theta"]
    if "mrope_section" in written:
        assert read.rope_scaling["mrope_section"] == written["mrope_section"]
    assert config.torch_dtype == torch.float32


@every_folder
def test_the_processor_gives_the_same_prompt(folder):
    processor = AutoProcessor.from_pretrained(folder)
    expected = json.loads((folder / "expected.json").read_text())
    text = processor.apply_chat_template(
        expected["messages"], add_generation_prompt=True, tokenize=False
    )
    assert text == expected["text"]
    tensors = load_file(folder / "expected.tensors")
    with Image.open(folder / "image.png") as image:
        pictures = [image.convert("RGB")]
    begin = processor.tokenizer.bos_token  # as `apply_chat_template` does, once
    special = not (begin and text.startswith(begin))
    options = {"return_tensors": "pt", "add_special_tokens": special}
    found = processor(images=pictures, text=[text], **options)
    assert torch.equal(found["input_ids"], tensors["input_ids"])
    assert found["pixel_values"].shape == tensors["pixel_values"].shape
    slow = AutoImageProcessor.from_pretrained(folder, use_fast=False)  # by Pillow, as in writing
    tiles = {"crop_to_patches": True} if folder.name == "InternVL" else {}  # its processor does
    pixels = slow(images=pictures, return_tensors="pt", **tiles)["pixel_values"]
    assert torch.equal(pixels.reshape(tensors["pixel_values"].shape), tensors["pixel_values"])
