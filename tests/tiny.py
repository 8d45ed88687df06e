"""A tiny random Qwen2.5-VL for tests: the real classes and chat format, built in a moment.

The tokenizer knows the 256 bytes and Qwen's special tokens, so any text round-trips. Images cost
one token per 28 x 28 pixels, as in the real model. No download, no torchvision: the stock processor
asks for a video processor that needs it, so a subclass leaves the video part out.
"""

import tempfile
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from PIL import Image
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from noisygrpo.playground.model import SPECIAL

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    "{% endif %}"
    "<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class ImageOnlyProcessor(Qwen2_5_VLProcessor):
    """Qwen2.5-VL's processor without its video part."""

    def __init__(
        self,
        image_processor: Any = None,
        tokenizer: Any = None,
        chat_template: Any = None,
        **kwargs: Any,
    ):
        super().__init__(image_processor, tokenizer, None, chat_template=chat_template, **kwargs)

    @classmethod
    def get_attributes(cls) -> list[str]:
        return ["image_processor", "tokenizer"]

    def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
        return (
            None
            if argument is None
            else super().check_argument_for_proper_class(argument_name, argument)
        )


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Return a byte-level tokenizer with Qwen's special tokens; ids 0..255 are bytes."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={char: i for i, char in enumerate(alphabet)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in SPECIAL]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        padding_side="left",
    )


def tiny_qwen25vl(seed: int = 0) -> tuple[Qwen2_5_VLForConditionalGeneration, ImageOnlyProcessor]:
    """Return a random float32 model of about 60 thousand parameters, and its processor."""
    tokenizer = tiny_tokenizer()
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL}
    torch.manual_seed(seed)
    model = Qwen2_5_VLForConditionalGeneration(tiny_config(len(tokenizer), ids)).float()
    model.generation_config.eos_token_id = ids["<|im_end|>"]
    images = Qwen2VLImageProcessorPil(min_pixels=28 * 28, max_pixels=28 * 28 * 16)
    return model, ImageOnlyProcessor(images, tokenizer, chat_template=CHAT_TEMPLATE)


def tiny_config(vocab_size: int, ids: dict[str, int]) -> Qwen2_5_VLConfig:
    """Return two layers of width 32 for text and of width 16 for images."""
    return Qwen2_5_VLConfig(
        text_config={
            "vocab_size": vocab_size,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 2048,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e4,
                "mrope_section": [2, 1, 1],
            },
            "bos_token_id": None,
            "eos_token_id": ids["<|im_end|>"],
            "pad_token_id": ids["<|endoftext|>"],
        },
        vision_config={
            "depth": 2,
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_heads": 2,
            "out_hidden_size": 32,
            "fullatt_block_indexes": [1],
            "window_size": 56,
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )


def tiny_saved(seed: int = 0) -> tuple[str, ImageOnlyProcessor]:
    """Return a folder with the model, for a reference that is loaded by name, and its processor."""
    model, processor = tiny_qwen25vl(seed)
    folder = tempfile.mkdtemp(prefix="tiny-qwen25vl-")
    model.save_pretrained(folder)
    return folder, processor


def tiny_image(seed: int, width: int = 56, height: int = 56) -> Image.Image:
    """Return a random RGB image, a pure function of its arguments."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def tiny_rows(rows: int, images: tuple[int, ...] = (1,), seed: int = 0) -> Dataset:
    """Return a data set in the example format; row i has ``images[i % len(images)]`` images."""
    return Dataset.from_list(
        [
            {
                "prompt": [{"role": "user", "content": f"Question {i}: how many?"}],
                "images": [
                    tiny_image(seed * 1000 + 10 * i + j) for j in range(images[i % len(images)])
                ],
                "answer": str(i),
                "reasoning": "",
                "example_id": f"row-{i}",
                "cluster": f"row-{i}",
                "kind": "count",
                "question": f"Question {i}: how many?",
            }
            for i in range(rows)
        ]
    )


def tiny_settings(output_dir: Any, **changes: Any) -> dict[str, Any]:
    """Return keyword arguments of ``GRPOConfig`` for a run of a second: 2 groups of 4 a step."""
    settings = {
        "output_dir": str(output_dir),
        "per_device_train_batch_size": 8,
        "per_device_eval_batch_size": 4,
        "num_generations": 4,
        "gradient_accumulation_steps": 1,
        "max_completion_length": 6,
        "max_steps": 2,
        "learning_rate": 1e-3,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": [],
        "bf16": False,
        "gradient_checkpointing": False,
        "use_cpu": True,
        "seed": 3,
    }
    return {**settings, **changes}
