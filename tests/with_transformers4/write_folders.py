"""Writes what the tests under Transformers 4 read; run in the environment with Transformers 5.

    python tests/with_transformers4/write_folders.py FOLDER

For each family that both generations have: the model as `save_everywhere` writes it, with inputs
and the logits that it gives for them.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parents[1]))

from families.tiny_vlm import FAMILIES, tiny_vlm
from noisygrpo.evaluation.generate import build_inputs
from noisygrpo.models.saving import save_everywhere

QUESTION = "How many are there? é"
NOT_IN_4 = ("Qwen3.5",)


def write(name: str, folder: Path) -> None:
    model, processor = tiny_vlm(name)
    save_everywhere(model, processor, folder)
    pixels = np.random.default_rng(0).integers(0, 256, (60, 75, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    image.save(folder / "image.png")
    prompt = [{"role": "user", "content": QUESTION}]
    row = {"prompt": prompt, "images": [image], "example_id": "row"}
    batch = build_inputs(processor, [row])
    with torch.no_grad():
        logits = model.eval()(**batch).logits
    tensors = {key: torch.as_tensor(value).contiguous() for key, value in batch.items()}
    save_file({**tensors, "logits": logits}, folder / "expected.tensors")
    content = [{"type": "image"}, {"type": "text", "text": QUESTION}]
    messages = [{"role": "user", "content": content}]
    text = processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    (folder / "expected.json").write_text(json.dumps({"messages": messages, "text": text}))


if __name__ == "__main__":
    for family in FAMILIES:
        if family not in NOT_IN_4:
            write(family, Path(sys.argv[1]) / family.replace(" ", "-"))
