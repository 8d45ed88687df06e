"""Adapters: trained from a recipe, saved, loaded, merged; the reference is the model without it."""

import json
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel
from transformers import Qwen2_5_VLForConditionalGeneration

from noisygrpo.errors import UserError
from noisygrpo.models import loading
from noisygrpo.models.loading import load_config, load_model, quantization_config
from noisygrpo.models.spec import ModelSpec
from noisygrpo.recipes.recipe import load_recipe
from tiny import tiny_rows
from tiny_trainer import make

LORA = {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"]}


def inputs():
    ids = torch.arange(40, 60)[None]
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


@torch.no_grad()
def logits(model):
    return model.eval()(**inputs()).logits


@pytest.fixture
def adapter(tmp_path, model_folder):
    """A folder with a random adapter of the tiny model, as a run saves it."""
    base = Qwen2_5_VLForConditionalGeneration.from_pretrained(model_folder, dtype="float32")
    torch.manual_seed(1)
    model = PeftModel(base, LoraConfig(**LORA, init_lora_weights=False, task_type="CAUSAL_LM"))
    model.save_pretrained(tmp_path / "adapter")
    loading.load_any_processor(ModelSpec(model_folder)).save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter", logits(model)


def test_an_adapter_loads_as_its_base_with_it_merged_in(adapter, model_folder):
    folder, expected = adapter
    model = load_model(ModelSpec(str(folder)))
    assert not isinstance(model, PeftModel)
    assert torch.allclose(logits(model), expected, atol=1e-5)
    plain = logits(load_model(ModelSpec(model_folder)))
    assert not torch.allclose(plain, expected, atol=1e-3)
    assert load_config(ModelSpec(str(folder))).model_type == "qwen2_5_vl"


def test_merge_writes_a_model_that_gives_what_the_adapter_gave(adapter, tmp_path, run_cli):
    folder, expected = adapter
    status, out, _ = run_cli("merge", str(folder), "--output-dir", str(tmp_path / "merged"))
    assert status == 0 and "merged" in out
    files = {path.name for path in (tmp_path / "merged").iterdir()}
    assert "adapter_config.json" not in files and "config.json" in files
    merged = Qwen2_5_VLForConditionalGeneration.from_pretrained(tmp_path / "merged", dtype="auto")
    assert torch.allclose(logits(merged), expected, atol=1e-5)
    assert loading.load_any_processor(ModelSpec(str(tmp_path / "merged"))).tokenizer is not None


def test_merge_refuses_what_is_no_adapter(adapter, tmp_path, model_folder, run_cli):
    folder, _ = adapter
    for words, why in (
        ([model_folder, "--output-dir", str(tmp_path / "x")], "no adapter"),
        ([str(tmp_path / "none"), "--output-dir", str(tmp_path / "x")], "no such folder"),
        ([str(folder), "--output-dir", str(folder)], "is not empty"),
    ):
        status, _, said = run_cli("merge", *words)
        assert status == 2 and why in said
    (folder / "adapter_model.safetensors").unlink()
    status, _, said = run_cli("merge", str(folder), "--output-dir", str(tmp_path / "x"))
    assert status == 2 and "adapter_model.safetensors" in said


def test_a_recipe_with_lora_trains_saves_and_evaluates(recipe_file, run_cli, tmp_path):
    recipe = recipe_file(training={"learning_rate": 0.1})
    run = tmp_path / "run"
    words = ["--model.lora", json.dumps(LORA), "--output-dir", str(run)]
    status, _, said = run_cli("train", recipe, *words)
    assert status == 0, said
    assert (run / "checkpoint" / "adapter_model.safetensors").is_file()
    status, _, said = run_cli("merge", str(run / "checkpoint"), "--output-dir", str(run / "merged"))
    assert status == 0, said
    adapted, merged = (load_model(ModelSpec(str(run / name))) for name in ("checkpoint", "merged"))
    assert torch.allclose(logits(adapted), logits(merged), atol=1e-5)


def test_the_reference_is_the_model_with_its_adapter_disabled(tmp_path):
    lora = LoraConfig(**LORA, init_lora_weights=False, task_type="CAUSAL_LM")
    trainer = make(tmp_path, lora=lora, beta=0.04, max_steps=1)
    assert trainer.ref_model is None
    batch = trainer._generate_and_score_completions([tiny_rows(1)[0]] * 8)
    with trainer.model.disable_adapter(), torch.no_grad():
        expected = trainer._score(batch)
    mask = batch["completion_mask"].bool()
    assert torch.equal(batch["ref_per_token_logps"][mask], expected[mask])
    with torch.no_grad():
        adapted = trainer._score(batch)
    assert (adapted - expected)[mask].abs().max() > 1e-4


def test_quantisation_is_of_a_frozen_base(monkeypatch):
    with pytest.raises(UserError, match=r"model\.quantization: '4bit' .* needs model\.lora"):
        quantization_config(ModelSpec("x", quantization="4bit"))
    monkeypatch.setattr(loading.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'peft>=0\.17' 'bitsandbytes>=0\.49'"):
        quantization_config(ModelSpec("x", lora=LORA, quantization="4bit"))
    monkeypatch.setattr(loading.importlib.util, "find_spec", lambda name: name)
    four = quantization_config(ModelSpec("x", lora=LORA, quantization="4bit"))
    assert (four.load_in_4bit, four.bnb_4bit_quant_type) == (True, "nf4")
    assert four.bnb_4bit_use_double_quant and four.bnb_4bit_compute_dtype == torch.bfloat16
    assert quantization_config(ModelSpec("x", lora=LORA, quantization="8bit")).load_in_8bit


def test_a_recipe_names_the_quantisation(recipe_file):
    override = ("model.quantization", "4bit")
    assert load_recipe(recipe_file(), [override]).model.quantization == "4bit"
    with pytest.raises(UserError, match=r"model\.quantization: '3bit' is not one of"):
        load_recipe(recipe_file(), [("model.quantization", "3bit")])


def test_a_full_model_from_an_adapter_has_no_reference_to_load(adapter, recipe_file, run_cli):
    """TRL would load the base as the reference, which is not what training starts from."""
    folder, _ = adapter
    recipe = recipe_file(model=str(folder), training={"beta": 0.04})
    status, _, said = run_cli("train", recipe, "--output-dir", str(Path(folder).parent / "run"))
    assert status == 2 and "noisygrpo merge" in said
