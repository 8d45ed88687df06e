"""The playground's model as a folder that every tool reads: with Qwen2.5-VL's stock processor.

vLLM builds the processor of a Qwen2.5-VL from the folder by its stock class, video part included,
which the playground's own processor leaves out. Tokens, pixels and weights are the same.
"""

from pathlib import Path

from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor
from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor

from noisygrpo.playground import load_processor, model_path
from noisygrpo.playground.model import PATCH


def stock_folder(folder: Path) -> Path:
    """Write the model with its stock processor into ``folder`` and return it."""
    ours = load_processor(model_path())
    images = ours.image_processor
    video = Qwen2VLVideoProcessor(patch_size=PATCH, size=dict(images.size))
    stock = Qwen2_5_VLProcessor(images, ours.tokenizer, video, chat_template=ours.chat_template)
    Qwen2_5_VLForConditionalGeneration.from_pretrained(model_path()).save_pretrained(folder)
    stock.save_pretrained(folder)
    return folder
