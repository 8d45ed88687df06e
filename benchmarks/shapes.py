"""What the benchmarks measure: sizes of models, one measurement, and the operations it takes."""

from dataclasses import dataclass
from typing import Any

SIZES: dict[str, dict[str, Any]] = {
    "tiny": {
        "text": {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2,
                 "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 2048},
        "vision": {"depth": 2, "hidden_size": 64, "intermediate_size": 128, "num_heads": 4,
                   "fullatt_block_indexes": [1]},
    },
    "mid": {
        "text": {"hidden_size": 512, "intermediate_size": 1408, "num_hidden_layers": 8,
                 "num_attention_heads": 8, "num_key_value_heads": 2, "vocab_size": 16384},
        "vision": {"depth": 6, "hidden_size": 256, "intermediate_size": 640, "num_heads": 4,
                   "fullatt_block_indexes": [2, 5]},
    },
    "3b": {
        "text": {"hidden_size": 2048, "intermediate_size": 11008, "num_hidden_layers": 36,
                 "num_attention_heads": 16, "num_key_value_heads": 2, "vocab_size": 151936},
        "vision": {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16,
                   "fullatt_block_indexes": [7, 15, 23, 31]},
    },
    "7b": {
        "text": {"hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28,
                 "num_attention_heads": 28, "num_key_value_heads": 4, "vocab_size": 152064},
        "vision": {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16,
                   "fullatt_block_indexes": [7, 15, 23, 31]},
        "tied": False,
    },
}  # fmt: skip
"""Sizes of language model and vision tower, and whether the head is the embedding (where nothing
is said: yes); ``3b`` and ``7b`` are Qwen2.5-VL's."""

TOKEN_SIDE, PATCHES_PER_TOKEN, WINDOW = 28, 4, 64
CHANNELS = 3 * 2 * 14 * 14
TEMPLATE = 28
"""Tokens of the prompt beside the picture's."""


@dataclass(frozen=True)
class Job:
    """One measurement: everything that both processes have to agree on."""

    size: str
    group: int
    image_tokens: int
    completion: int
    dtype: str
    device: str
    threads: int
    kernel: str
    lora: bool
    freeze: bool
    checkpointing: bool
    kind: str = "grpo"
    """Whose trainer: a name in ``steps.KINDS``."""
    whole: bool = False
    """A whole step, with sampling; else the update alone."""
    prompts: int = 1
    """Groups of a step."""
    prefill: bool = False
    """``shared_prefill``."""

    @property
    def prompt(self) -> int:
        """Tokens of the prompt."""
        return self.image_tokens + TEMPLATE

    @property
    def image_size(self) -> tuple[int, int]:
        """Width and height in pixels of an image of ``image_tokens`` tokens."""
        rows = 1
        while rows * rows * 2 <= self.image_tokens and self.image_tokens % (rows * 2) == 0:
            rows *= 2
        return self.image_tokens // rows * TOKEN_SIDE, rows * TOKEN_SIDE


def operations(job: Job, prompt: int, shared: bool) -> float:
    """Return multiply-adds of one update's matrix products, by rows or shared.

    Backward is twice forward; less what a frozen tower or a frozen base saves, which is left out.
    """
    text, vision = SIZES[job.size]["text"], SIZES[job.size]["vision"]
    rows, length = job.group, job.completion
    d, ff = text["hidden_size"], text["intermediate_size"]
    kv = d // text["num_attention_heads"] * text["num_key_value_heads"]
    layer = 2 * d * d + 2 * d * kv + 3 * d * ff
    if shared:
        tokens = prompt - 1 + rows * length
        scores = (prompt - 1) ** 2 / 2 + rows * (length * (prompt - 1) + length**2 / 2)
    else:
        tokens = rows * (prompt + length)
        scores = rows * (prompt + length) ** 2 / 2
    language = text["num_hidden_layers"] * (tokens * layer + 2 * scores * d)
    head = rows * length * d * text["vocab_size"]
    return 3 * (language + head + (1 if shared else rows) * tower(job, vision, d))


def tower(job: Job, vision: dict[str, Any], out: int) -> float:
    """Return multiply-adds of one image's forward through the vision tower."""
    patches, d = PATCHES_PER_TOKEN * job.image_tokens, vision["hidden_size"]
    full = len(vision["fullatt_block_indexes"])
    scores = patches * (full * patches + (vision["depth"] - full) * WINDOW)
    blocks = vision["depth"] * patches * (4 * d * d + 3 * d * vision["intermediate_size"])
    merger = job.image_tokens * 4 * d * (4 * d + out)
    return blocks + 2 * scores * d + merger + patches * CHANNELS * d
