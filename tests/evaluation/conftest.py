"""A tiny model on disk, and a runner of the command line."""

import pytest
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from noisygrpo.cli import main
from noisygrpo.playground.model import PlaygroundProcessor
from tiny import CHAT_TEMPLATE, tiny_qwen25vl, tiny_tokenizer


def save_tiny_model(folder, seed=0):
    """A random Qwen2.5-VL with the playground's processor, which needs no torchvision."""
    tiny_qwen25vl(seed)[0].save_pretrained(folder)
    images = Qwen2VLImageProcessorPil(min_pixels=28 * 28, max_pixels=28 * 28 * 16)
    PlaygroundProcessor(images, tiny_tokenizer(), chat_template=CHAT_TEMPLATE).save_pretrained(
        folder
    )
    return str(folder)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def run_cli(capsys):
    """Runs a command in this process; returns (exit status, stdout, stderr)."""

    def run(*words):
        capsys.readouterr()
        status = main([str(word) for word in words])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run
