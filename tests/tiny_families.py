"""Tiny random models of several families and batches of rows for them: no processor, no download.

Token 1 stands for an image feature, token 0 pads, tokens from 8 on are text.
"""

from typing import Any

import torch
from transformers import (
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    PreTrainedModel,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
)

VOCABULARY, PAD, IMAGE, FIRST_TEXT = 64, 0, 1, 8
IMAGE_TOKENS = 4

TEXT: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "pad_token_id": PAD,
    "bos_token_id": None,
    "eos_token_id": 2,
}
MROPE = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1]}
SIGLIP = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 16,
    "patch_size": 8,
}
QWEN_IDS = {"image_token_id": IMAGE, "video_token_id": 3, "vision_start_token_id": 4}


def _qwen2_vl() -> PreTrainedModel:
    vision = {"depth": 2, "embed_dim": 16, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2}
    config = Qwen2VLConfig(
        text_config={**TEXT, "rope_parameters": MROPE}, vision_config=vision, **QWEN_IDS
    )
    return Qwen2VLForConditionalGeneration(config)


def _qwen2_5_vl() -> PreTrainedModel:
    vision = {
        "depth": 2,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_heads": 2,
        "out_hidden_size": 32,
        "fullatt_block_indexes": [1],
        "window_size": 56,
    }
    config = Qwen2_5_VLConfig(
        text_config={**TEXT, "rope_parameters": MROPE}, vision_config=vision, **QWEN_IDS
    )
    return Qwen2_5_VLForConditionalGeneration(config)


def _qwen3_vl() -> PreTrainedModel:
    vision = {
        "depth": 2,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_heads": 2,
        "out_hidden_size": 32,
        "patch_size": 14,
        "num_position_embeddings": 16,
        "deepstack_visual_indexes": [0],
    }
    config = Qwen3VLConfig(
        text_config={**TEXT, "head_dim": 8, "rope_parameters": MROPE},
        vision_config=vision,
        **QWEN_IDS,
    )
    return Qwen3VLForConditionalGeneration(config)


def _llava_onevision() -> PreTrainedModel:
    config = LlavaOnevisionConfig(
        text_config={**TEXT, "model_type": "qwen2"},
        vision_config={**SIGLIP, "model_type": "siglip_vision_model"},
        image_token_id=IMAGE,
        video_token_id=3,
        image_grid_pinpoints=[[16, 16]],
        vision_feature_layer=-1,
    )
    return LlavaOnevisionForConditionalGeneration(config)


def _idefics3(config_class: Any = Idefics3Config, model: Any = None) -> PreTrainedModel:
    config = config_class(
        text_config={**TEXT, "model_type": "llama"},
        vision_config={**SIGLIP, "image_size": 32},
        image_token_id=IMAGE,
        scale_factor=2,
        tie_word_embeddings=False,
        pad_token_id=PAD,
    )
    return (model or Idefics3ForConditionalGeneration)(config)


FAMILIES = {
    "qwen2_vl": _qwen2_vl,
    "qwen2_5_vl": _qwen2_5_vl,
    "qwen3_vl": _qwen3_vl,
    "llava_onevision": _llava_onevision,
    "idefics3": _idefics3,
    "smolvlm": lambda: _idefics3(SmolVLMConfig, SmolVLMForConditionalGeneration),
    "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**TEXT)),
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**{**TEXT, "head_dim": 8})),
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**TEXT)),
}


def tiny_family(name: str, seed: int = 0) -> PreTrainedModel:
    """Return a random float32 model, sharp enough that every token it sees matters."""
    torch.manual_seed(seed)
    model = FAMILIES[name]().float()
    with torch.no_grad():
        for key, value in model.named_parameters():
            if value.ndim > 1:
                value.mul_(8.0 if "embed_tokens" not in key else 20.0)
    return model.train()


def _images(name: str, counts: list[int], generator: torch.Generator) -> dict[str, Any]:
    """Return the tensors of ``counts[i]`` images for each prompt, 4 tokens each."""
    total = sum(counts)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    if not total or name in ("qwen2", "qwen3", "llama"):
        return {}
    if name.endswith("_vl"):
        grids = torch.tensor([[1, 4, 4], [1, 2, 8], [1, 8, 2]])[torch.arange(total) % 3]
        channels = 3 * 2 * 14 * 14
        return {"pixel_values": normal(16 * total, channels), "image_grid_thw": grids}
    if name == "llava_onevision":  # the whole image and one patch of it
        sizes = torch.full((total, 2), 16)
        return {"pixel_values": normal(total, 2, 3, 16, 16), "image_sizes": sizes}
    pixels = torch.zeros(len(counts), max(counts), 3, 32, 32)
    for row, count in enumerate(counts):
        pixels[row, :count] = normal(count, 3, 32, 32)
    return {"pixel_values": pixels, "pixel_attention_mask": torch.ones(*pixels.shape[:2], 32, 32)}


def image_tokens(name: str) -> int:
    """Return how many tokens one image takes; LLaVA-OneVision's patches have line breaks."""
    return {"llava_onevision": 4 + 4 + 2}.get(name, IMAGE_TOKENS)


def tiny_batch(
    name: str, counts: list[int], lengths: list[list[int]], seed: int = 0
) -> dict[str, Any]:
    """Return rows as TRL's scoring function takes them, one group per prompt.

    Args:
        name: family.
        counts: images of each prompt.
        lengths: completion lengths of each prompt's rows; 0 is a completion that is masked.
        seed: of tokens and pixels.
    """
    generator = torch.Generator().manual_seed(seed)

    def text(size: int) -> list[int]:
        return torch.randint(FIRST_TEXT, VOCABULARY, (size,), generator=generator).tolist()

    blind = name in ("qwen2", "qwen3", "llama")
    counts = [0] * len(counts) if blind else counts
    prompts = []
    for number, count in enumerate(counts):
        images = [token for _ in range(count) for token in [IMAGE] * image_tokens(name) + text(1)]
        prompts.append(text(2) + images + text(3 + 2 * number))
    rows = [prompt for prompt, group in zip(prompts, lengths, strict=True) for _ in group]
    sizes = [size for group in lengths for size in group]
    width, keep = max(map(len, rows)), max(sizes)
    ids = [
        [PAD] * (width - len(row)) + row + text(size) + [PAD] * (keep - size)
        for row, size in zip(rows, sizes, strict=True)
    ]
    mask = [
        [0] * (width - len(row)) + [1] * (len(row) + size) + [0] * (keep - size)
        for row, size in zip(rows, sizes, strict=True)
    ]
    batch: dict[str, Any] = {
        "input_ids": torch.tensor(ids),
        "attention_mask": torch.tensor(mask),
        "logits_to_keep": keep,
    }
    images = _images(name, counts, generator)
    if images:
        repeats = [len(group) for group in lengths]
        batch |= _repeat(images, counts, repeats)
        per_row = [
            count for count, times in zip(counts, repeats, strict=True) for _ in range(times)
        ]
        batch["num_images"] = per_row
    if name.endswith("_vl") and images:
        batch["mm_token_type_ids"] = (batch["input_ids"] == IMAGE).long()
    return batch


def _repeat(images: dict[str, Any], counts: list[int], repeats: list[int]) -> dict[str, Any]:
    """Return the images of each prompt as many times in a row as it has rows."""
    repeated = {}
    for key, value in images.items():
        per_prompt = len(value) == len(counts) and key in ("pixel_values", "pixel_attention_mask")
        if per_prompt and value.ndim != 2 and "image_sizes" not in images:
            sizes = [1] * len(counts)
        else:
            each = len(value) // sum(counts)
            sizes = [count * each for count in counts]
        parts = torch.split(value, sizes)
        repeated[key] = torch.cat(
            [part for part, times in zip(parts, repeats, strict=True) for _ in range(times)]
        )
    return repeated


def prompts_of(batch):
    """Return the prompts of a scored batch as ``generate`` takes them, and their image counts."""
    keep = batch["logits_to_keep"]
    inputs = {k: v for k, v in batch.items() if k not in ("logits_to_keep", "num_images")}
    for key in ("input_ids", "attention_mask", "mm_token_type_ids"):
        if key in inputs:
            inputs[key] = inputs[key][:, :-keep]
    return inputs, batch.get("num_images") or [0] * len(batch["input_ids"])


def prefilled(model):
    """Count the rows of every forward; the first is the prefill."""
    rows = []
    model.get_input_embeddings().register_forward_hook(
        lambda module, args, output: rows.append(len(output))
    )
    return rows
