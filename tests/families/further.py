"""Folders of further families, for what is said of them before a model is loaded."""

from typing import Any

from families.layouts import QWEN, Family, qwen_images, sizes, stock_images
from families.published import CLIP_MEAN, CLIP_STD, HALF, QWEN_IDS, SIGLIP, SIZES

SPECIAL = ["<pad>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"]
LLAMA = {
    "model_type": "llama",
    **SIZES,
    "bos_token_id": "@<s>",
    "eos_token_id": "@</s>",
    "pad_token_id": "@<pad>",
}
SQUARE = {"size": {"height": 32, "width": 32}}
TOKENIZER = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "pad_token": "<pad>",
    "tokenizer_class": "PreTrainedTokenizerFast",
}


def family(config: Any, images: Any, tokens: list[str], image: str, **more: Any) -> Family:
    return Family(
        config={"text_config": LLAMA, **config},
        preprocessor=images,
        tokens=[*SPECIAL, *tokens],
        turn=("<|im_start|>", "<|im_end|>"),
        image=image,
        stop=["</s>"],
        pad="<pad>",
        **{"tokenizer": TOKENIZER, **more},
    )


MLLAMA = family(
    {
        "architectures": ["MllamaForConditionalGeneration"],
        "model_type": "mllama",
        "image_token_index": "@<|image|>",
        "text_config": {**LLAMA, "model_type": "mllama_text_model", "cross_attention_layers": [1]},
        "vision_config": {
            "model_type": "mllama_vision_model",
            "hidden_size": 16,
            "num_hidden_layers": 2,
            "num_global_layers": 1,
            "attention_heads": 2,
            "intermediate_size": 32,
            "vision_output_dim": 32,
            "image_size": 32,
            "patch_size": 8,
            "intermediate_layers_indices": [0],
        },
    },
    stock_images("MllamaImageProcessor", "MllamaProcessor", CLIP_MEAN, CLIP_STD)
    | {"max_image_tiles": 4, "do_pad": True, **SQUARE},
    ["<|image|>", "<|python_tag|>"],
    "<|image|>",
    begin="<s>",
)
PIXTRAL = family(
    {
        "architectures": ["LlavaForConditionalGeneration"],
        "model_type": "llava",
        "image_token_index": "@[IMG]",
        "vision_config": {**SIGLIP, "model_type": "pixtral", "head_dim": 8},
        "vision_feature_layer": -1,
        "vision_feature_select_strategy": "full",
    },
    stock_images("PixtralImageProcessor", "PixtralProcessor", CLIP_MEAN, CLIP_STD)
    | {"patch_size": {"height": 8, "width": 8}, "size": {"longest_edge": 64}},
    ["[IMG]", "[IMG_BREAK]", "[IMG_END]"],
    "[IMG]",
    processor={"processor_class": "PixtralProcessor", "patch_size": 8},
)
OVIS2 = family(
    {
        "architectures": ["Ovis2ForConditionalGeneration"],
        "model_type": "ovis2",
        "image_token_id": "@<IMG_ATOM>",
        "visual_indicator_token_ids": [
            f"@<IMG_{name}>" for name in ("START", "GRID", "COL", "ROW", "END")
        ],
        "vocab_size": "@",
        "hidden_size": 32,
        "text_config": {**LLAMA, "model_type": "qwen2"},
        "vision_config": {
            "model_type": "ovis2_vision",
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 32,
            "patch_size": 8,
            "vocab_size": 64,
            "hidden_stride": 2,
        },
    },
    stock_images("Ovis2ImageProcessor", "Ovis2Processor", CLIP_MEAN, CLIP_STD)
    | {"crop_to_patches": True, "min_patches": 1, "max_patches": 2, **SQUARE},
    ["<image>", *(f"<IMG_{name}>" for name in ("ATOM", "START", "GRID", "COL", "ROW", "END"))],
    "<image>\n",
    processor={"processor_class": "Ovis2Processor", "image_seq_length": 4},
)
DEEPSEEK_VL = family(
    {
        "architectures": ["DeepseekVLForConditionalGeneration"],
        "model_type": "deepseek_vl",
        "image_token_id": "@<image_placeholder>",
        "vision_config": {**SIGLIP, "model_type": "siglip_vision_model", "vision_use_head": False},
    },
    stock_images("DeepseekVLImageProcessor", "DeepseekVLProcessor", HALF, HALF)
    | {"min_size": 14, "do_pad": True, **SQUARE},
    ["<image_placeholder>"],
    "<image_placeholder>",
    processor={"processor_class": "DeepseekVLProcessor", "num_image_tokens": 16},
    tokenizer={**TOKENIZER, "extra_special_tokens": {"image_token": "<image_placeholder>"}},
)
AYA_VISION = family(
    {
        "architectures": ["AyaVisionForConditionalGeneration"],
        "model_type": "aya_vision",
        "image_token_index": "@<|IMG_PATCH|>",
        "downsample_factor": 2,
        "vision_feature_layer": -1,
        "vision_feature_select_strategy": "full",
        "text_config": {**LLAMA, "model_type": "cohere2", "sliding_window": 16},
        "vision_config": {**SIGLIP, "model_type": "siglip_vision_model", "vision_use_head": False},
    },
    stock_images("GotOcr2ImageProcessor", "AyaVisionProcessor", HALF, HALF)
    | {"crop_to_patches": True, "max_patches": 2, "min_patches": 1, **SQUARE},
    [
        *("<image>", "<|START_OF_IMG|>", "<|END_OF_IMG|>", "<|IMG_PATCH|>", "<|IMG_LINE_BREAK|>"),
        *("TILE_GLOBAL", "TILE_1", "TILE_2", "TILE_3", "TILE_4"),
    ],
    "<image>",
    processor={
        "processor_class": "AyaVisionProcessor",
        "patch_size": 8,
        "img_size": 32,
        "downsample_factor": 2,
    },
)

COSMOS3_EDGE = Family(
    config={
        "architectures": ["Cosmos3EdgeForConditionalGeneration"],
        "model_type": "cosmos3_edge",
        **QWEN_IDS,
        "projector_hidden_size": 64,
        "text_config": {
            **SIZES,
            "model_type": "cosmos3_edge_text",
            "head_dim": 8,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e8,
                "mrope_section": [2, 1, 1],
            },
            "bos_token_id": "@<|endoftext|>",
            "eos_token_id": "@<|im_end|>",
            "pad_token_id": "@<|endoftext|>",
        },
        "vision_config": {
            **SIGLIP,
            "model_type": "cosmos3_edge_vision",
            "patch_size": 16,
            "num_patches": 16,
        },
    },
    preprocessor=sizes(16)
    | qwen_images(16, HALF, HALF, temporal_patch_size=1)
    | {
        "image_processor_type": "Cosmos3EdgeImageProcessor",
        "processor_class": "Cosmos3EdgeProcessor",
    },
    template="chat_template.jinja",
    **QWEN,
)

FURTHER = {
    "Mllama": MLLAMA,
    "Pixtral": PIXTRAL,
    "Ovis2": OVIS2,
    "DeepSeek-VL": DEEPSEEK_VL,
    "Aya Vision": AYA_VISION,
    "Cosmos3 Edge": COSMOS3_EDGE,
}
"""Name in the documentation to what its folder holds."""
