"""The playground's vision-language model: Transformers' Qwen2.5-VL at three million parameters.

Everything that makes Qwen2.5-VL what it is stays: dynamic resolution, window and full attention in
the vision tower, 2 x 2 patch merging, M-RoPE, the chat layout with
``<|vision_start|><|image_pad|><|vision_end|>``. Only the sizes and the tokenizer's vocabulary are
ours. Patches are 10 pixels wide, so that a merged token covers 20 x 20 pixels and the 400 x 100
pictures need no resampling (100 image tokens).
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
)
from transformers.models.qwen2_5_vl.processing_qwen2_5_vl import Qwen2_5_VLProcessor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
# whole tokens, but ordinary text when decoded
TAGS = ("<think>", "</think>", "<answer>", "</answer>")
PATCH, MERGE = 10, 2
VOCABULARY = 768
PROCESSOR_NAME = "PlaygroundProcessor"

# The layout of a Qwen2.5-VL conversation: each turn between <|im_start|>role and <|im_end|>, an
# image as three tokens.
CHAT_TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' }}"
    "{% if m['content'] is string %}{{ m['content'] }}"
    "{% else %}{% for part in m['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<|vision_start|><|image_pad|><|vision_end|>' }}"
    "{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


class PlaygroundProcessor(Qwen2_5_VLProcessor):
    """Qwen2.5-VL's processor without a video processor, hence without torchvision."""

    def __init__(
        self,
        image_processor: Any = None,
        tokenizer: Any = None,
        chat_template: str | None = None,
        **_: Any,
    ):
        super().__init__(image_processor, tokenizer, None, chat_template=chat_template)

    @classmethod
    def get_attributes(cls) -> list[str]:
        """The parts that are saved and loaded."""
        return ["image_processor", "tokenizer"]


def build_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of at most ``VOCABULARY`` entries, trained on ``texts``.

    Any text can be encoded: the bytes are in the vocabulary.
    """
    tokenizer = Tokenizer(models.BPE())
    # digits stay single tokens, so that numbers are read and written digit by digit
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\p{N}"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(SPECIAL) - len(TAGS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=[t for t in SPECIAL if t not in ("<|im_end|>", "<|endoftext|>")],
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )
    fast.add_tokens(list(TAGS))
    return fast


def build_processor(tokenizer: PreTrainedTokenizerFast) -> PlaygroundProcessor:
    """The processor around ``tokenizer``; a picture becomes 4 to 400 image tokens."""
    image_processor = Qwen2VLImageProcessorPil(
        patch_size=PATCH,
        merge_size=MERGE,
        temporal_patch_size=2,
        size={
            "shortest_edge": 4 * (PATCH * MERGE) ** 2,
            "longest_edge": 400 * (PATCH * MERGE) ** 2,
        },
    )
    return PlaygroundProcessor(image_processor, tokenizer, chat_template=CHAT_TEMPLATE)


def _text_sizes(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 192,
        "intermediate_size": 576,
        "num_hidden_layers": 4,
        "num_attention_heads": 6,
        "num_key_value_heads": 6,
        "max_position_embeddings": 4096,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10000.0,
            "mrope_section": [4, 6, 6],
        },
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": tokenizer.convert_tokens_to_ids("<|im_end|>"),
        "pad_token_id": tokenizer.convert_tokens_to_ids("<|endoftext|>"),
    }


def build_config(tokenizer: PreTrainedTokenizerFast) -> Qwen2_5_VLConfig:
    """The sizes; token ids come from the tokenizer."""
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL}
    return Qwen2_5_VLConfig(
        text_config=_text_sizes(tokenizer),
        vision_config={
            "depth": 4,
            "hidden_size": 128,
            "intermediate_size": 320,
            "num_heads": 4,
            "patch_size": PATCH,
            "spatial_merge_size": MERGE,
            "temporal_patch_size": 2,
            "window_size": 100,
            "fullatt_block_indexes": [3],
            "out_hidden_size": 192,
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )


def build_model(
    tokenizer: PreTrainedTokenizerFast, seed: int = 0
) -> Qwen2_5_VLForConditionalGeneration:
    """A randomly initialised model in float32."""
    torch.manual_seed(seed)
    model = Qwen2_5_VLForConditionalGeneration(build_config(tokenizer))
    torch.manual_seed(seed)  # the tower's first weights do not depend on the vocabulary
    visual = model.model.visual
    visual.load_state_dict(type(visual)._from_config(visual.config).state_dict())
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model


def model_path() -> Path:
    """The folder of the weights that ship with the package."""
    return Path(__file__).parent / "weights"


def is_playground(path: str | Path) -> bool:
    """Whether a model folder holds the playground's processor (which needs no torchvision)."""
    for name in ("processor_config.json", "preprocessor_config.json"):
        file = Path(path) / name
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # what is wrong with it is said by whoever loads it
            continue
        if isinstance(found, dict) and found.get("processor_class") == PROCESSOR_NAME:
            return True
    return False


def load_processor(path: str | Path) -> PlaygroundProcessor:
    """Load the processor of a playground checkpoint: no torchvision, no network."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(path)
    image_processor = Qwen2VLImageProcessorPil.from_pretrained(path)
    template = Path(path) / "chat_template.jinja"
    return PlaygroundProcessor(image_processor, tokenizer, chat_template=template.read_text())
