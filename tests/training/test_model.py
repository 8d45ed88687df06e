"""Model and processor as the config asks for them: frozen tower, pixel limits, banned tokens."""

import math

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import Qwen2Config, Qwen2ForCausalLM

from noisygrpo.errors import UserError
from noisygrpo.models.vision import vision_token_ids
from noisygrpo.playground import model_path
from noisygrpo.training import model as model_module
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.model import ban_tokens, core_model, default_processor
from noisygrpo.training.trainer import NoisyGRPOTrainer
from tiny import tiny_image, tiny_qwen25vl, tiny_rows, tiny_settings
from tiny_trainer import build_trainer, by_index, make


def test_vision_tokens_are_found_and_banned():
    model, processor = tiny_qwen25vl()
    tokenizer = processor.tokenizer
    banned = vision_token_ids(model.config.to_dict(), tokenizer)
    names = tokenizer.convert_ids_to_tokens(banned)
    kinds = ["image_pad", "video_pad", "vision_end", "vision_pad", "vision_start"]
    assert sorted(names) == [f"<|{kind}|>" for kind in kinds]
    changes = ban_tokens({"suppress_tokens": [5]}, banned, vllm=False)
    assert changes == {"suppress_tokens": sorted([5, *banned])}
    bias = ban_tokens({"logit_bias": {7: 1.0}}, banned, vllm=True)["logit_bias"]
    assert bias == {7: 1.0, **dict.fromkeys(banned, -100.0)}
    assert ban_tokens({}, [], vllm=True) == {}


def test_tokens_are_banned_in_the_words_of_the_engine():
    banned = [7, 9]
    changes = ban_tokens({"suppress_tokens": [5, 9]}, banned, vllm=False)
    assert changes == {"suppress_tokens": [5, 7, 9]}
    assert ban_tokens({}, banned, vllm=False) == {"suppress_tokens": banned}
    bias = ban_tokens({"logit_bias": {5: 1.0}}, banned, vllm=True)["logit_bias"]
    assert bias == {5: 1.0, 7: -100.0, 9: -100.0}
    assert ban_tokens({}, [], vllm=True) == ban_tokens({}, [], vllm=False) == {}


def test_pixel_limits_hold_for_sampling_and_scoring(tmp_path):
    rows = Dataset.from_list([{**tiny_rows(1)[0], "images": [tiny_image(0, 112, 112)]}])
    changes = {"num_generations": 2, "per_device_train_batch_size": 2}
    trainer = make(tmp_path, rows, max_pixels=56 * 56, min_pixels=28 * 28, **changes)
    batch = trainer._generate_and_score_completions([rows[0]] * 2)
    assert batch["image_grid_thw"].tolist() == [[1, 4, 4]] * 2
    assert trainer.made.shown.fields["image_grid_thw"].tolist() == [[1, 4, 4]] * 2
    with pytest.raises(UserError, match="min_pixels: 9999 is above max_pixels 56"):
        make(tmp_path, rows, max_pixels=56, min_pixels=9999, **changes)


def test_image_tokens_are_banned_from_sampling(tmp_path):
    model, processor = tiny_qwen25vl()
    tokens = ["<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"]
    banned = set(processor.tokenizer.convert_tokens_to_ids([*tokens, "<|vision_pad|>"]))
    with torch.no_grad():  # a model that would sample nothing else
        model.lm_head.weight[sorted(banned)] = 50 * model.lm_head.weight[sorted(banned)].sign()
    settings = tiny_settings(tmp_path, max_completion_length=16)
    config = NoisyGRPOConfig(**settings)
    trainer = build_trainer(model, processor, config, tiny_rows(4), [by_index])
    batch = trainer._generate_and_score_completions([tiny_rows(1)[0]] * 8)
    assert not banned & set(batch["completion_ids"].flatten().tolist())
    assert set(trainer.generation_config.suppress_tokens) == banned


@pytest.mark.parametrize("adapter", [False, True])
def test_frozen_tower_does_not_move(tmp_path, adapter):
    lora = LoraConfig(r=2, target_modules=["q_proj", "qkv"], init_lora_weights=False)
    trainer = make(tmp_path, lora=lora if adapter else None, freeze_vision_tower=True)
    before = {name: value.clone() for name, value in trainer.model.named_parameters()}
    trainer.train()
    moved = {
        n for n, value in trainer.model.named_parameters() if not torch.equal(value, before[n])
    }
    assert any("lora" in name for name in before if "visual" in name) == adapter
    assert moved and not any("visual" in name for name in moved)


def test_a_frozen_tower_stays_frozen_after_the_reference_was_asked(tmp_path):
    lora = LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False)
    trainer = make(tmp_path, lora=lora, beta=0.04, freeze_vision_tower=True, max_steps=2)
    tower = trainer.model.get_base_model().get_encoder(modality="image")
    adapted = [name for name, _ in tower.named_parameters() if "lora_" in name]
    assert adapted
    trainer.train()
    assert not any(value.requires_grad or value.grad is not None for value in tower.parameters())
    assert math.isfinite(trainer.state.log_history[0]["grad_norm"])


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


@pytest.mark.parametrize("lora", [None, LoraConfig(r=4, target_modules=["q_proj", "v_proj"])])
def test_a_frozen_tower_has_no_backward_pass(tmp_path, monkeypatch, lora):
    """Checkpointing makes its patches require gradients; sparing it changes no weight."""
    changes = {"shared_prefix": False, "gradient_checkpointing": True, "freeze_vision_tower": True}

    def run(folder):
        seen = []
        trainer = make(tmp_path / folder, lora=lora, **changes)
        tower = core_model(trainer.model).get_encoder(modality="image")
        tower.blocks[0].mlp.register_full_backward_hook(lambda *given: seen.append(1))
        trainer.train()
        return seen, {k: v for k, v in trainer.model.named_parameters() if v.requires_grad}

    spared, weights = run("spared")
    monkeypatch.setattr(model_module, "spare_frozen_tower", lambda model: None)
    walked, others = run("walked")
    assert not spared and walked
    assert weights.keys() == others.keys() and len(weights) > 3
    assert all(torch.equal(weights[name], others[name]) for name in weights)
