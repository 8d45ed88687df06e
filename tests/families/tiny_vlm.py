"""A tiny random model and its processor for every family that is tested: real classes, no download.

The processors are the stock ones without their video part, which needs torchvision. A tokenizer is
256 bytes and the family's special tokens; the chat format is one for all, but for the placeholder
of an image, which is the one that the family's processor expands.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from transformers import (
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3Processor,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3Processor,
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLProcessor,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    LlavaOnevisionProcessor,
    PreTrainedModel,
    ProcessorMixin,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
    SmolVLMProcessor,
)
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.llava_onevision.image_processing_pil_llava_onevision import (
    LlavaOnevisionImageProcessorPil,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.smolvlm import processing_smolvlm
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

from families.tiny_parts import END, PAD, chat, text_config, tiny_tokenizer, without_video

QWEN = ["<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"]
IDEFICS = ["<image>", "<video>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>"]
IDEFICS += [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
INTERN = {
    "start_image_token": "<img>",
    "end_image_token": "</img>",
    "context_image_token": "<IMG_CONTEXT>",
    "video_token": "<video>",
}
GEMMA = {
    "boi_token": "<start_of_image>",
    "eoi_token": "<end_of_image>",
    "image_token": "<image_soft_token>",
}
LLAVA = ["<image>", "<video>"]

SIGLIP = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
}
QWEN_VISION = {
    "depth": 2,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_heads": 2,
    "out_hidden_size": 32,
}
IDEFICS_SIZES: dict[str, Any] = {
    "size": {"longest_edge": 64},
    "max_image_size": {"longest_edge": 32},
}
MROPE = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1]}

Family = tuple[PreTrainedModel, ProcessorMixin]


def qwen(config: Any, model: Any, processor: Any, text: dict[str, Any], vision: Any) -> Family:
    """Return a model of one of Qwen's three families; an image of 2 x 2 patches is one token."""
    tokenizer = tiny_tokenizer(QWEN)
    names = ("vision_start_token_id", "vision_end_token_id", "image_token_id", "video_token_id")
    tokens = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
    ids = {
        name: tokenizer.convert_tokens_to_ids(token)
        for name, token in zip(names, tokens, strict=True)
    }
    text = text_config(tokenizer, rope_parameters=MROPE, **text)
    built = model(config(text_config=text, vision_config=vision, **ids))
    patch = built.config.vision_config.patch_size
    images = Qwen2VLImageProcessorPil(
        min_pixels=4 * patch**2, max_pixels=64 * patch**2, patch_size=patch
    )
    template = chat("<|vision_start|><|image_pad|><|vision_end|>")
    return built, without_video(processor, images, tokenizer, chat_template=template)


def qwen2_vl() -> Family:
    vision = {"depth": 2, "embed_dim": 16, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2}
    return qwen(Qwen2VLConfig, Qwen2VLForConditionalGeneration, Qwen2VLProcessor, {}, vision)


def qwen2_5_vl() -> Family:
    vision = {**QWEN_VISION, "fullatt_block_indexes": [1], "window_size": 56}
    return qwen(
        Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor, {}, vision
    )


def qwen3_vl() -> Family:
    vision = {
        **QWEN_VISION,
        "patch_size": 16,
        "num_position_embeddings": 16,
        "deepstack_visual_indexes": [0],
    }
    text = {"head_dim": 8}
    return qwen(Qwen3VLConfig, Qwen3VLForConditionalGeneration, Qwen3VLProcessor, text, vision)


def idefics(config: Any, model: Any, tokenizer: Any) -> PreTrainedModel:
    """Return a model whose images are tiles of 32 x 32 and a thumbnail, 4 tokens each."""
    return model(
        config(
            text_config=text_config(tokenizer, model_type="llama"),
            vision_config=SIGLIP,
            image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
            scale_factor=2,
            tie_word_embeddings=False,
            pad_token_id=PAD,
        )
    )


def idefics3() -> Family:
    tokenizer = tiny_tokenizer(IDEFICS)
    model = idefics(Idefics3Config, Idefics3ForConditionalGeneration, tokenizer)
    images = Idefics3ImageProcessorPil(**IDEFICS_SIZES)
    return model, Idefics3Processor(
        images, tokenizer, image_seq_len=4, chat_template=chat("<image>")
    )


def smolvlm() -> Family:
    tokenizer = tiny_tokenizer(IDEFICS)
    model = idefics(SmolVLMConfig, SmolVLMForConditionalGeneration, tokenizer)
    images = SmolVLMImageProcessorPil(**IDEFICS_SIZES)
    with mock.patch.object(processing_smolvlm, "num2words", str):  # only videos need it
        processor = without_video(
            SmolVLMProcessor, images, tokenizer, image_seq_len=4, chat_template=chat("<image>")
        )
    processor.video_processor = SimpleNamespace(num_frames=1, fps=1)
    return model, processor


def internvl() -> Family:
    """Images in tiles of 32 x 32, 4 tokens each."""
    tokenizer = tiny_tokenizer([], **INTERN)
    config = InternVLConfig(
        text_config=text_config(tokenizer, model_type="qwen2"),
        vision_config={**SIGLIP, "image_size": [32, 32], "patch_size": [8, 8]},
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        downsample_ratio=0.5,
    )
    images = GotOcr2ImageProcessorPil(
        size={"height": 32, "width": 32}, min_patches=1, max_patches=4
    )
    template = chat("<IMG_CONTEXT>\n")
    processor = without_video(
        InternVLProcessor, images, tokenizer, image_seq_length=4, chat_template=template
    )
    return InternVLForConditionalGeneration(config), processor


def gemma3() -> Family:
    """Images of 32 x 32, 4 tokens each, which attend to each other in both directions."""
    tokenizer = tiny_tokenizer([], **GEMMA)
    layers = {"sliding_window": 16, "layer_types": ["full_attention", "sliding_attention"]}
    config = Gemma3Config(
        text_config=text_config(tokenizer, head_dim=8, **layers),
        vision_config=SIGLIP,
        mm_tokens_per_image=4,
        image_token_id=tokenizer.convert_tokens_to_ids("<image_soft_token>"),
        boi_token_id=tokenizer.convert_tokens_to_ids("<start_of_image>"),
        eoi_token_id=tokenizer.convert_tokens_to_ids("<end_of_image>"),
    )
    images = Gemma3ImageProcessorPil(size={"height": 32, "width": 32})
    processor = Gemma3Processor(
        images, tokenizer, image_seq_length=4, chat_template=chat("<start_of_image>")
    )
    return Gemma3ForConditionalGeneration(config), processor


def llava_onevision() -> Family:
    """The whole image at 32 x 32 and its tiles, 16 tokens each, with line breaks between."""
    tokenizer = tiny_tokenizer(LLAVA)
    tiles = [[32, 32], [32, 64], [64, 32]]
    config = LlavaOnevisionConfig(
        text_config=text_config(tokenizer, model_type="qwen2"),
        vision_config={**SIGLIP, "model_type": "siglip_vision_model", "vision_use_head": False},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_id=tokenizer.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=tiles,
        vision_feature_layer=-1,
    )
    images = LlavaOnevisionImageProcessorPil(
        size={"height": 32, "width": 32}, image_grid_pinpoints=tiles
    )
    processor = without_video(
        LlavaOnevisionProcessor,
        images,
        tokenizer,
        num_image_tokens=16,
        vision_feature_select_strategy="full",
        chat_template=chat("<image>\n"),
    )
    return LlavaOnevisionForConditionalGeneration(config), processor


FAMILIES: dict[str, Callable[[], Family]] = {
    "Qwen2-VL": qwen2_vl,
    "Qwen2.5-VL": qwen2_5_vl,
    "Qwen3-VL": qwen3_vl,
    "Idefics3": idefics3,
    "SmolVLM": smolvlm,
    "InternVL": internvl,
    "Gemma 3": gemma3,
    "LLaVA-OneVision": llava_onevision,
}
"""Name in the documentation to a function that builds model and processor."""


def tiny_vlm(name: str, seed: int = 0) -> Family:
    """Return a random float32 model, sharp enough that every token counts, and its processor."""
    torch.manual_seed(seed)
    model, processor = FAMILIES[name]()
    model.generation_config.eos_token_id = END
    model.generation_config.pad_token_id = PAD
    with torch.no_grad():
        for key, value in model.named_parameters():
            if value.ndim > 1:
                if not value.any():  # Gemma's projection of images starts at zero
                    value.normal_(std=0.3)
                value.mul_(20.0 if "embed_tokens" in key else 8.0)
    return model.float(), processor
