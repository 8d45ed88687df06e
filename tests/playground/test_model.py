"""The built-in model: its shape, its chat layout, its tokenizer."""

import numpy as np
import torch
from PIL import Image
from tests.playground.small_processor import chat, small_processor
from transformers import AutoModelForImageTextToText, Qwen2_5_VLForConditionalGeneration

from noisygrpo.playground import (
    is_playground,
    load_processor,
    make_example,
    model_path,
)
from noisygrpo.playground.model import SPECIAL, TAGS


def test_the_shipped_model_is_a_small_qwen25_vl_that_answers_in_the_asked_form():
    model = AutoModelForImageTextToText.from_pretrained(model_path(), dtype=torch.float32)
    assert isinstance(model, Qwen2_5_VLForConditionalGeneration)
    assert 2e6 < sum(p.numel() for p in model.parameters()) < 6e6
    assert sum(f.stat().st_size for f in model_path().iterdir()) <= 12 * 2**20
    assert is_playground(model_path())
    processor = load_processor(model_path())
    example = make_example("test", 0)
    text = chat(processor, example["prompt"][0]["content"], add_generation_prompt=True)
    inputs = processor(text=[text], images=[example["images"]], return_tensors="pt")
    ids = model.generate(**inputs, max_new_tokens=96, do_sample=False)[
        0, inputs["input_ids"].shape[1] :
    ]
    said = processor.tokenizer.decode(ids, skip_special_tokens=True)
    assert said.startswith("<think>") and said.endswith("</answer>")


def test_the_chat_layout_is_qwens():
    text = chat(small_processor(), "hi", add_generation_prompt=True)
    assert text == (
        "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>hi<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_pictures_are_not_resampled_and_sizes_are_dynamic():
    processor = small_processor()
    for (width, height), tokens in (((400, 100), 100), ((200, 160), 80)):
        image = Image.fromarray(np.zeros((height, width, 3), np.uint8))
        inputs = processor(text=[chat(processor, "hi")], images=[[image]], return_tensors="pt")
        image_id = processor.tokenizer.convert_tokens_to_ids("<|image_pad|>")
        assert int((inputs["input_ids"] == image_id).sum()) == tokens


def test_any_text_survives_the_tokenizer_and_tags_are_single_tokens():
    tokenizer = small_processor().tokenizer
    text = "<think>Größe 27? 漢字</think><answer>false</answer>"
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert all(len(tokenizer(tag)["input_ids"]) == 1 for tag in (*TAGS, *SPECIAL))
