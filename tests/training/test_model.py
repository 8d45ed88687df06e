"""The processor of a model that came without one, and what TRL's table of completions shows."""

import pytest
from transformers import Qwen2Config, Qwen2ForCausalLM

from noisygrpo.playground import model_path
from noisygrpo.training import model as model_module
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.model import default_processor
from noisygrpo.training.trainer import NoisyGRPOTrainer
from tiny import tiny_qwen25vl, tiny_rows, tiny_settings
from tiny_trainer import by_index, make


@pytest.fixture
def vision_folder(tmp_path):
    model, processor = tiny_qwen25vl()
    model.save_pretrained(tmp_path / "model")
    processor.save_pretrained(tmp_path / "model")
    return str(tmp_path / "model")


def test_a_processor_is_made_without_torchvision(tmp_path, monkeypatch, vision_folder):
    monkeypatch.setattr(model_module, "has_torchvision", lambda: False)
    config = NoisyGRPOConfig(**tiny_settings(tmp_path / "run", method="noisygrpo", max_steps=1))
    trainer = NoisyGRPOTrainer(vision_folder, by_index, config, tiny_rows(2))
    tokenizer = trainer.processing_class.tokenizer
    assert (tokenizer.padding_side, tokenizer.truncation_side) == ("left", "left")
    trainer.train()
    assert (tmp_path / "run" / "rollouts.jsonl").is_file()


def test_where_trl_finds_one_it_is_trls(tmp_path, monkeypatch, vision_folder):
    config = NoisyGRPOConfig(**tiny_settings(tmp_path))
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "vocab_size": 9}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2}
    text = Qwen2ForCausalLM(Qwen2Config(**sizes, **heads))
    text.save_pretrained(tmp_path / "text")
    monkeypatch.setattr(model_module, "has_torchvision", lambda: False)
    assert default_processor(str(tmp_path / "text"), config) is None
    assert default_processor(text, config) is None
    monkeypatch.setattr(model_module, "has_torchvision", lambda: True)
    assert default_processor(vision_folder, config) is None
    assert default_processor(str(model_path()), config).tokenizer.padding_side == "left"


@pytest.mark.parametrize("shown", [True, False])
def test_the_table_of_completions_shows_image_and_view(tmp_path, shown):
    changes = {"method": "noisygrpo", "log_completions": True, "log_multimodal": shown}
    trainer = make(tmp_path, **changes)
    trainer._generate_and_score_completions([row for row in tiny_rows(2) for _ in range(4)])
    counts = [len(images) for images in trainer._logs["images"]]
    assert counts == ([1, 2, 2, 2] * 2 if shown else [])  # level 0 sees the image itself
