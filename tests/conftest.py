"""One thread per test process, no network; a tiny model, data, a recipe, and the command line.

What takes seconds to import is imported where it is needed: most tests need none of it.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A random Qwen2.5-VL on disk with the playground's processor, which needs no torchvision."""
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    from noisygrpo.playground.model import PlaygroundProcessor
    from tiny import CHAT_TEMPLATE, tiny_qwen25vl, tiny_tokenizer

    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny_qwen25vl()[0].save_pretrained(folder)
    images = Qwen2VLImageProcessorPil(min_pixels=28 * 28, max_pixels=28 * 28 * 16)
    PlaygroundProcessor(images, tiny_tokenizer(), chat_template=CHAT_TEMPLATE).save_pretrained(
        folder
    )
    return str(folder)


@pytest.fixture
def adapter(tmp_path: Path, model_folder: str) -> tuple[Path, Any]:
    """A folder with a random adapter of the tiny model, and the logits of both together."""
    pytest.importorskip("peft", reason="LoRA needs the extra 'peft'")
    from tiny_adapter import save_adapter

    return tmp_path / "adapter", save_adapter(tmp_path / "adapter", model_folder)


@pytest.fixture
def data_file(tmp_path: Path) -> Path:
    """Six rows of json lines with images beside them; true and false in turn.

    ``test.jsonl`` beside it holds two rows to measure.
    """
    from tiny import tiny_image

    for index in range(6):
        tiny_image(index).save(tmp_path / f"{index}.png")
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
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in lines))
    return tmp_path / "rows.jsonl"


@pytest.fixture
def recipe_file(tmp_path: Path, model_folder: str, data_file: Path) -> Callable[..., str]:
    """Writes a recipe that works, with sections changed as asked, and returns its path."""

    def write(**changes: Any) -> str:
        document: dict[str, Any] = {
            "model": model_folder,
            "method": "noisygrpo",
            "data": {"source": str(data_file)},
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
                "source": str(data_file.with_name("test.jsonl")),
                "splits": ["test"],
                "rows": 2,
                "batch_size": 2,
                "max_new_tokens": 4,
            },
        }
        for section, change in changes.items():
            both = isinstance(change, dict) and isinstance(document.get(section), dict)
            document[section] = {**document[section], **change} if both else change
        path = tmp_path / "tiny.yaml"
        path.write_text(yaml.safe_dump(document))
        return str(path)

    return write


@pytest.fixture
def run_cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a command in this process; returns (exit status, stdout, stderr)."""
    from noisygrpo.cli import main

    def run(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main([str(word) for word in words])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run
