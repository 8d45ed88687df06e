# /// script
# requires-python = ">=3.11"
# dependencies = ["noisygrpo"]
# [tool.uv.sources]
# noisygrpo = { path = ".." }  # the checkout that this file is in
# ///
"""Text-bias calibration in your own ``model.generate``, for any model that Transformers generates.

The scores of each token become ``image + scale * (image - text)``: with the image, and the same
text without it (Hint-GRPO, arXiv 2503.23905, publishes a scale of 0.8; 0 is plain ``generate``).
Any settings of ``generate`` go with it: batches, sampling, beams.

python examples/text_bias_calibration.py [model] [image] [question]
"""

import sys
from pathlib import Path
from typing import Any

from PIL import Image

from noisygrpo.methods.calibration import calibrated_generate
from noisygrpo.models.loading import load_any_processor, load_model
from noisygrpo.models.spec import ModelSpec

PICTURE = Path(__file__).parent / "picture.png"


def prompts(processor: Any, question: str, image: Image.Image | None) -> Any:
    """Return the processor's inputs of a question, with its image or without."""
    parts = [] if image is None else [{"type": "image"}]
    turn = {"role": "user", "content": [*parts, {"type": "text", "text": question}]}
    text = processor.apply_chat_template([turn], tokenize=False, add_generation_prompt=True)
    images = {} if image is None else {"images": [[image]]}
    return processor(text=[text], padding=True, padding_side="left", return_tensors="pt", **images)


def main(
    path: str = "playground",
    picture: str = str(PICTURE),
    question: str = "How many things are there?\nThink step by step, then answer.",
    scales: tuple[float, ...] = (0.0, 0.8, 1.6),
) -> list[str]:
    """Print and return the greedy answer at each scale."""
    # With plain Transformers: AutoModelForImageTextToText and AutoProcessor.from_pretrained(path).
    spec = ModelSpec(path=path)
    model, processor = load_model(spec), load_any_processor(spec)
    inputs = prompts(processor, question, Image.open(picture).convert("RGB"))
    text_inputs = prompts(processor, question, None)
    answers = []
    for scale in scales:
        output = calibrated_generate(
            model, inputs, text_inputs, scale, max_new_tokens=128, do_sample=False
        )
        new = output[:, inputs["input_ids"].shape[1] :]
        answers.append(processor.batch_decode(new, skip_special_tokens=True)[0])
        print(f"scale {scale}: {answers[-1]}")
    return answers


if __name__ == "__main__":
    main(*sys.argv[1:4])
