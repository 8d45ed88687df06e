"""The tiny model, rows with pictures and a recipe for them, on disk."""

import json
from pathlib import Path
from typing import Any

import yaml


def write_model(folder: Path) -> str:
    """A random Qwen2.5-VL with the playground's processor, which needs no torchvision."""
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    from noisygrpo.playground.model import PlaygroundProcessor
    from tiny import CHAT_TEMPLATE, tiny_qwen25vl, tiny_tokenizer

    tiny_qwen25vl()[0].save_pretrained(folder)
    images = Qwen2VLImageProcessorPil(min_pixels=28 * 28, max_pixels=28 * 28 * 16)
    PlaygroundProcessor(images, tiny_tokenizer(), chat_template=CHAT_TEMPLATE).save_pretrained(
        folder
    )
    return str(folder)


def write_rows(folder: Path) -> Path:
    """Six rows of json lines with images beside them; true and false in turn.

    ``test.jsonl`` beside it holds two rows to measure.
    """
    from tiny import tiny_image

    for index in range(6):
        tiny_image(index).save(folder / f"{index}.png")
    rows = [
        {
            "question": f"Is there a shape number {index}?",
            "image": f"{index}.png",
            "answer": ["true", "false"][index % 2],
        }
        for index in range(6)
    ]
    measured = [{**row, "question": f"Do you see shape {n}?"} for n, row in enumerate(rows[:2])]
    for name, lines in (("test.jsonl", measured), ("rows.jsonl", rows)):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in lines))
    return folder / "rows.jsonl"


def write_recipe(path: Path, model: str, data: Path, /, **changes: Any) -> str:
    """A recipe that works, with sections changed as asked; returns its path."""
    document: dict[str, Any] = {
        "model": model,
        "method": "noisygrpo",
        "data": {"source": str(data)},
        "rewards": ["accuracy", "format"],
        "training": {
            "num_generations": 4,
            "per_device_train_batch_size": 8,
            "max_steps": 1,
            "max_completion_length": 4,
            "gradient_checkpointing": False,
            "use_cpu": True,
            "save_strategy": "no",
        },
        "evaluation": {
            "source": str(data.with_name("test.jsonl")),
            "splits": ["test"],
            "rows": 2,
            "batch_size": 2,
            "max_new_tokens": 4,
        },
    }
    for section, change in changes.items():
        both = isinstance(change, dict) and isinstance(document.get(section), dict)
        document[section] = {**document[section], **change} if both else change
    path.write_text(yaml.safe_dump(document))
    return str(path)
