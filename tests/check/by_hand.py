"""A model and what a GPU holds beside it, in numbers that sums can be worked out of by hand."""

from noisygrpo.check.activations import NONE, Blocks
from noisygrpo.check.memory import DeviceLoad
from noisygrpo.check.model_size import ModelSize

# 3.75 billion parameters in float32, all trained: about Qwen2.5-VL-3B. 36 layers of width 2048 with
# 2 key-value heads of 128; 0.31 billion parameters outside the blocks, 80 million in the largest.
SIZE = ModelSize(
    parameters=3_750_000_000,
    trained=3_750_000_000,
    weights=15e9,
    width=4,
    outside=310_000_000,
    block=80_000_000,
    text=Blocks(layers=36, hidden=2048, kept=62_976),
    tower=NONE,
    kv=256,
)
LOAD = DeviceLoad(
    gpus=8,
    per_device=4,
    generated=8,
    tokens=1500,
    patches=4096,  # of a tower that is frozen
    compute=2,
    checkpointing=True,
    reference=False,
    vllm_share=0.0,
    vllm_sleeps=False,
    generates=True,
)
ACTIVATIONS = 2 * 4 * 1500 * (36 * 2048 + 62_976)  # one width per layer, and one layer recomputed
CACHE = 2 * 36 * 256 * 1500 * 8  # numbers; keys and values of 8 sequences
