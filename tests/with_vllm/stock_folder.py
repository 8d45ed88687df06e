"""The playground's model as a folder that every tool reads: with Qwen2.5-VL's stock processor.

vLLM builds the processor of a Qwen2.5-VL from the folder by its stock class, video part included,
which the playground's own processor leaves out. Tokens, pixels and weights are the same.
"""

from pathlib import Path
from typing import Any

from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor
from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor

from noisygrpo.playground import load_processor, model_path
from noisygrpo.playground.model import PATCH


def stock_folder(folder: Path) -> Path:
    """Write the model with its stock processor into ``folder`` and return it."""
    Qwen2_5_VLForConditionalGeneration.from_pretrained(model_path()).save_pretrained(folder)
    write_stock_processor(load_processor(model_path()), folder, patch_size=PATCH)
    return folder


def write_stock_processor(ours: Any, folder: Path, **video: Any) -> None:
    """Write the stock processor that gives what ``ours`` does; ``video``: of its video part."""
    images = ours.image_processor
    more = Qwen2VLVideoProcessor(size=dict(images.size), **video)
    stock = Qwen2_5_VLProcessor(images, ours.tokenizer, more, chat_template=ours.chat_template)
    stock.save_pretrained(folder)
