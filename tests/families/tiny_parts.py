"""What the tiny families share: tokenizer, chat format, the language model's size, no video."""

from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, ProcessorMixin

PAD, END = 256, 258
"""Ids of the first and third special token, which every tokenizer has."""

CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}IMAGE{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def tiny_tokenizer(special: list[str], **named: str) -> PreTrainedTokenizerFast:
    """Return a byte-level tokenizer; ``named`` are special tokens that it has as attributes."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={char: i for i, char in enumerate(alphabet)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *special, *named.values()]
    core.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in tokens])
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        padding_side="left",
        extra_special_tokens=named,
    )


def text_config(tokenizer: PreTrainedTokenizerFast, **changes: Any) -> dict[str, Any]:
    """Return two layers of width 32 that know all tokens."""
    config = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 2048,
        "bos_token_id": None,
        "eos_token_id": END,
        "pad_token_id": PAD,
    }
    return {**config, **changes}


def without_video(processor: type[ProcessorMixin], *args: Any, **kwargs: Any) -> ProcessorMixin:
    """Return a processor of a subclass of ``processor`` that has no video part."""

    def attributes(cls: Any) -> list[str]:
        return ["image_processor", "tokenizer"]

    def init(self: Any, image_processor: Any, tokenizer: Any, **options: Any) -> None:
        processor.__init__(self, image_processor, tokenizer, None, **options)

    def check(self: Any, name: str, argument: Any) -> Any:
        known = argument is not None
        return processor.check_argument_for_proper_class(self, name, argument) if known else None

    body = {
        "__init__": init,
        "get_attributes": classmethod(attributes),
        "check_argument_for_proper_class": check,
    }
    return type(processor.__name__, (processor,), body)(*args, **kwargs)


def chat(placeholder: str) -> str:
    """Return the chat template with a family's placeholder for an image."""
    return CHAT.replace("IMAGE", placeholder)
