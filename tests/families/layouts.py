"""What the folder of each family holds, beside the configurations in ``published``.

Names of files, classes and keys are those of the published folders that ``published`` lists; image
sizes are shrunk like the models'.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from families import published
from families.published import CLIP_MEAN, CLIP_STD, HALF, IMAGENET_MEAN, IMAGENET_STD, TILES

QWEN_TOKENS = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|object_ref_start|>",
    "<|object_ref_end|>",
    "<|box_start|>",
    "<|box_end|>",
    "<|quad_start|>",
    "<|quad_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
]
GRID = ["<fake_token_around_image>", "<global-img>", "<image>", "<end_of_utterance>"]
ROWS = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
QWEN_TURN = ("<|im_start|>", "<|im_end|>")
QWEN_IMAGE = "<|vision_start|><|image_pad|><|vision_end|>"


@dataclass(frozen=True)
class Family:
    """What a family's folder holds."""

    config: Mapping[str, Any]
    preprocessor: Mapping[str, Any]
    tokens: list[str]
    turn: tuple[str, str]
    """Special tokens at the start and the end of a turn."""
    image: str
    """What the chat template writes for an image."""
    tokenizer: Mapping[str, Any]
    """Of tokenizer_config.json, what is the family's own."""
    stop: list[str]
    """Of generation_config.json."""
    pad: str
    processor: Mapping[str, Any] | None = None
    video: Mapping[str, Any] | None = None
    renames: Mapping[str, str] = field(default_factory=dict)
    """Pattern of a tensor's name in the library to its published form."""
    template: str = "chat_template.json"
    begin: str = ""
    """Token that both the chat template and the tokenizer put before a prompt."""
    pieces: bool = False
    """A vocabulary of pieces with a byte fallback, as SentencePiece makes them."""


def qwen_images(patch: int, mean: list[float], std: list[float], **more: Any) -> dict[str, Any]:
    return {
        "patch_size": patch,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "image_mean": mean,
        "image_std": std,
        **more,
    }


def limits(patch: int) -> dict[str, int]:
    return {"min_pixels": 4 * patch**2, "max_pixels": 64 * patch**2}


def sizes(patch: int) -> dict[str, Any]:
    pixels = limits(patch)
    return {"size": {"longest_edge": pixels["max_pixels"], "shortest_edge": pixels["min_pixels"]}}


def stock_images(kind: str, processor: str, mean: list[float], std: list[float]) -> dict[str, Any]:
    return {
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": mean,
        "image_processor_type": kind,
        "image_std": std,
        "processor_class": processor,
        "resample": 3,
        "rescale_factor": 0.00392156862745098,
    }


QWEN_TOKENIZER = {
    "add_bos_token": False,
    "add_prefix_space": False,
    "additional_special_tokens": QWEN_TOKENS[1:],
    "bos_token": None,
    "eos_token": "<|im_end|>",
    "errors": "replace",
    "pad_token": "<|endoftext|>",
    "padding_side": "right",
    "split_special_tokens": False,
    "tokenizer_class": "Qwen2Tokenizer",
    "unk_token": None,
}
QWEN = {
    "tokens": QWEN_TOKENS,
    "turn": QWEN_TURN,
    "image": QWEN_IMAGE,
    "tokenizer": QWEN_TOKENIZER,
    "stop": ["<|im_end|>", "<|endoftext|>"],
    "pad": "<|endoftext|>",
}
FLAT = {r"^model\.language_model\.": "model.", r"^model\.visual\.": "visual."}
NESTED = {
    r"^lm_head\.": "language_model.lm_head.",
    r"^model\.language_model\.": "language_model.model.",
    r"^model\.vision_tower\.": "vision_tower.",
    r"^model\.multi_modal_projector\.": "multi_modal_projector.",
    r"^model\.image_newline": "image_newline",
}
SIGLIP_TOWER = {r"^model\.vision_tower\.(?!vision_model)": "vision_tower.vision_model.", **NESTED}
QWEN3_IMAGES = {
    "image_processor_type": "Qwen2VLImageProcessorFast",
    "processor_class": "Qwen3VLProcessor",
}
QWEN3_VIDEO = {
    **sizes(16),
    **qwen_images(16, HALF, HALF),
    "processor_class": "Qwen3VLProcessor",
    "video_processor_type": "Qwen3VLVideoProcessor",
}
IDEFICS = {
    **stock_images("Idefics3ImageProcessor", "Idefics3Processor", HALF, HALF),
    "do_image_splitting": True,
    "do_pad": True,
    "max_image_size": {"longest_edge": 32},
    "resample": 1,
    "size": {"longest_edge": 64},
}

FAMILIES: dict[str, Family] = {
    "Qwen2-VL": Family(
        config=published.QWEN2_VL,
        preprocessor=limits(14)
        | qwen_images(14, CLIP_MEAN, CLIP_STD)
        | {
            "image_processor_type": "Qwen2VLImageProcessor",
            "processor_class": "Qwen2VLProcessor",
        },
        renames=FLAT,
        **QWEN,
    ),
    "Qwen2.5-VL": Family(
        config=published.QWEN2_5_VL,
        preprocessor=limits(14)
        | qwen_images(14, CLIP_MEAN, CLIP_STD)
        | {
            "image_processor_type": "Qwen2VLImageProcessor",
            "processor_class": "Qwen2_5_VLProcessor",
        },
        renames=FLAT,
        **QWEN,
    ),
    "Qwen3-VL": Family(
        config=published.QWEN3_VL,
        preprocessor=sizes(16) | qwen_images(16, HALF, HALF) | QWEN3_IMAGES,
        video=QWEN3_VIDEO,
        **QWEN,
    ),
    "Qwen3.5": Family(
        config=published.QWEN3_5,
        preprocessor=sizes(16) | qwen_images(16, HALF, HALF) | QWEN3_IMAGES,
        video=QWEN3_VIDEO,
        template="chat_template.jinja",
        **{**QWEN, "stop": ["<|im_end|>", "<|endoftext|>"]},
    ),
    "Idefics3": Family(
        config=published.IDEFICS3,
        preprocessor=IDEFICS,
        processor={"image_seq_len": 4, "processor_class": "Idefics3Processor"},
        tokens=[
            "<|begin_of_text|>",
            "<|end_of_text|>",
            "<|reserved_special_token_0|>",
            *GRID,
            *ROWS,
        ],
        turn=("", "<end_of_utterance>"),
        image="<image>",
        tokenizer={
            "additional_special_tokens": [*GRID[:3], "<end_of_utterance>"],
            "bos_token": "<|begin_of_text|>",
            "clean_up_tokenization_spaces": True,
            "eos_token": "<|end_of_text|>",
            "model_input_names": ["input_ids", "attention_mask"],
            "pad_token": "<|reserved_special_token_0|>",
            "processor_class": "Idefics3Processor",
            "tokenizer_class": "PreTrainedTokenizerFast",
        },
        stop=["<|end_of_text|>", "<end_of_utterance>"],
        begin="<|begin_of_text|>",
        pad="<|reserved_special_token_0|>",
    ),
    "SmolVLM": Family(
        config=published.SMOLVLM,
        preprocessor=IDEFICS
        | {
            "image_processor_type": "SmolVLMImageProcessor",
            "processor_class": "SmolVLMProcessor",
            "video_sampling": {"fps": 1, "max_frames": 64, "video_size": {"longest_edge": 32}},
        },
        processor={"image_seq_len": 4, "processor_class": "SmolVLMProcessor"},
        tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>", *GRID, *ROWS],
        turn=("<|im_start|>", "<end_of_utterance>"),
        image="<image>",
        tokenizer={
            "add_prefix_space": False,
            "additional_special_tokens": [*GRID[:3], "<end_of_utterance>"],
            "bos_token": "<|im_start|>",
            "eos_token": "<end_of_utterance>",
            "pad_token": "<|im_end|>",
            "processor_class": "SmolVLMProcessor",
            "tokenizer_class": "GPT2Tokenizer",
            "unk_token": "<|endoftext|>",
        },
        stop=["<end_of_utterance>"],
        pad="<|im_end|>",
    ),
    "InternVL": Family(
        config=published.INTERNVL,
        preprocessor=stock_images(
            "GotOcr2ImageProcessorFast", "InternVLProcessor", IMAGENET_MEAN, IMAGENET_STD
        )
        | {
            "crop_to_patches": False,
            "max_patches": 4,
            "min_patches": 1,
            "size": {"height": 32, "width": 32},
        },
        processor={"image_seq_length": 4, "processor_class": "InternVLProcessor"},
        tokens=[*QWEN_TOKENS[:9], "<img>", "</img>", "<IMG_CONTEXT>", "<video>"],
        turn=QWEN_TURN,
        image="<IMG_CONTEXT>\n",
        tokenizer={
            **QWEN_TOKENIZER,
            "additional_special_tokens": QWEN_TOKENS[1:9],
            "context_image_token": "<IMG_CONTEXT>",
            "end_image_token": "</img>",
            "extra_special_tokens": {
                "context_image_token": "<IMG_CONTEXT>",
                "end_image_token": "</img>",
                "start_image_token": "<img>",
                "video_token": "<video>",
            },
            "processor_class": "InternVLProcessor",
            "start_image_token": "<img>",
            "video_token": "<video>",
        },
        stop=["<|im_end|>"],
        pad="<|endoftext|>",
        renames=NESTED,
        template="chat_template.jinja",
    ),
    "Gemma 3": Family(
        config=published.GEMMA3,
        preprocessor=stock_images("Gemma3ImageProcessor", "Gemma3Processor", HALF, HALF)
        | {
            "do_convert_rgb": None,
            "do_pan_and_scan": None,
            "image_seq_length": 4,
            "pan_and_scan_max_num_crops": None,
            "pan_and_scan_min_crop_size": None,
            "pan_and_scan_min_ratio_to_activate": None,
            "resample": 2,
            "size": {"height": 32, "width": 32},
        },
        processor={"image_seq_length": 4, "processor_class": "Gemma3Processor"},
        tokens=[
            *("<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>"),
            *("<start_of_image>", "<end_of_image>", "<image_soft_token>"),
        ],
        turn=("<start_of_turn>", "<end_of_turn>"),
        image="<start_of_image>",
        tokenizer={
            "add_bos_token": True,
            "add_eos_token": False,
            "boi_token": "<start_of_image>",
            "bos_token": "<bos>",
            "eoi_token": "<end_of_image>",
            "eos_token": "<eos>",
            "extra_special_tokens": {
                "boi_token": "<start_of_image>",
                "eoi_token": "<end_of_image>",
                "image_token": "<image_soft_token>",
            },
            "image_token": "<image_soft_token>",
            "pad_token": "<pad>",
            "processor_class": "Gemma3Processor",
            "sp_model_kwargs": None,
            "spaces_between_special_tokens": False,
            "tokenizer_class": "GemmaTokenizer",
            "unk_token": "<unk>",
            "use_default_system_prompt": False,
        },
        stop=["<eos>", "<end_of_turn>"],
        begin="<bos>",
        pad="<pad>",
        renames=SIGLIP_TOWER,
        pieces=True,
    ),
    "LLaVA-OneVision": Family(
        config=published.LLAVA_ONEVISION,
        preprocessor=stock_images(
            "LlavaOnevisionImageProcessor", "LlavaOnevisionProcessor", HALF, HALF
        )
        | {"do_pad": True, "image_grid_pinpoints": TILES, "size": {"height": 32, "width": 32}},
        processor={
            "image_token": "<image>",
            "num_image_tokens": 16,
            "processor_class": "LlavaOnevisionProcessor",
            "video_token": "<video>",
            "vision_feature_select_strategy": "full",
        },
        tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>"],
        turn=QWEN_TURN,
        image="<image>\n",
        tokenizer={
            **QWEN_TOKENIZER,
            "additional_special_tokens": ["<|im_start|>", "<|im_end|>"],
            "processor_class": "LlavaOnevisionProcessor",
        },
        stop=["<|im_end|>"],
        pad="<|endoftext|>",
        renames=SIGLIP_TOWER,
    ),
}
"""Name in the documentation to what its folder holds."""
