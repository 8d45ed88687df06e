"""Loading: adapters merged in, types of weights, quantised bases."""

import json
import shutil
from types import SimpleNamespace

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from noisygrpo.errors import UserError
from noisygrpo.models import loading, quantization
from noisygrpo.models.loading import (
    adapter_base,
    load_any_processor,
    load_config,
    load_model,
    lora_config,
    weights_dtype,
)
from noisygrpo.models.quantization import quantization_config, require_trainable
from noisygrpo.models.sealed import seal
from noisygrpo.models.spec import ModelSpec
from noisygrpo.playground import model_path
from noisygrpo.recipes.recipe import load_recipe
from tiny_adapter import LORA, logits


def test_an_adapter_loads_as_its_base_with_it_merged_in(adapter, model_folder):
    folder, expected = adapter
    model = load_model(ModelSpec(str(folder)))
    assert not isinstance(model, PeftModel)
    assert torch.allclose(logits(model), expected, atol=1e-5)
    plain = logits(load_model(ModelSpec(model_folder)))
    assert not torch.allclose(plain, expected, atol=1e-3)
    assert load_config(ModelSpec(str(folder))).model_type == "qwen2_5_vl"


def test_quantisation_is_of_a_frozen_base(monkeypatch):
    with pytest.raises(UserError, match=r"model\.quantization: '4bit' .* needs model\.lora"):
        quantization_config(ModelSpec("x", quantization="4bit"))
    monkeypatch.setattr(quantization.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'peft>=0\.17' 'bitsandbytes>=0\.49'"):
        quantization_config(ModelSpec("x", lora=LORA, quantization="4bit"))
    monkeypatch.setattr(quantization.importlib.util, "find_spec", lambda name: name)
    four = quantization_config(ModelSpec("x", lora=LORA, quantization="4bit"))
    assert (four.load_in_4bit, four.bnb_4bit_quant_type) == (True, "nf4")
    assert four.bnb_4bit_use_double_quant and four.bnb_4bit_compute_dtype == torch.bfloat16
    assert quantization_config(ModelSpec("x", lora=LORA, quantization="8bit")).load_in_8bit


@pytest.mark.parametrize("method", ["awq", "gptq", "fp8"])
def test_quantised_weights_are_not_all_trained(method):
    stored = {"quant_method": method, "bits": 4}
    config = SimpleNamespace(quantization_config=stored)
    with pytest.raises(UserError, match=rf"model\.path: 'x' holds quantised weights \({method}\)"):
        require_trainable(ModelSpec("x"), config)
    require_trainable(ModelSpec("x", lora=LORA), config)
    require_trainable(ModelSpec("x"), SimpleNamespace())
    stored["dequantize"] = True
    require_trainable(ModelSpec("x"), config)


def test_trained_weights_are_float32_unless_the_recipe_says_otherwise(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert weights_dtype(ModelSpec(), train=True) is torch.float32
    assert weights_dtype(ModelSpec(), train=False) is None
    assert weights_dtype(ModelSpec(lora={"r": 8}), train=True) is None
    assert weights_dtype(ModelSpec(lora={"r": 8}), train=True, cpu=True) is torch.float32
    assert weights_dtype(ModelSpec(dtype="bfloat16"), train=True) is torch.bfloat16
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert weights_dtype(ModelSpec(), train=False) is torch.float32


def test_the_shipped_model_is_trained_in_float32():
    model = load_model(load_recipe("playground").model, train=True)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


@pytest.mark.parametrize("there", [True, False])
def test_flash_attention_where_it_is_there_and_sdpa_elsewhere(monkeypatch, capsys, there):
    monkeypatch.setattr(loading, "is_flash_attn_2_available", lambda: there)
    loading.say_once.cache_clear()
    asked = [None, "eager", "flash_attention_2", "flash_or_sdpa", "flash_or_sdpa"]
    chosen = [loading.attention_of(ModelSpec(attn_implementation=name)) for name in asked]
    best = "flash_attention_2" if there else "sdpa"
    assert chosen == [None, "eager", "flash_attention_2", best, best]
    said = capsys.readouterr().err
    assert said.count("attention is by SDPA") == (0 if there else 1)  # one line


def test_a_tokenizer_that_is_cut_short_is_told(tmp_path):
    shutil.copytree(model_path(), tmp_path / "model")
    path = tmp_path / "model" / "tokenizer.json"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(UserError, match=r"^model\.path: .*model' cannot be loaded: "):
        load_any_processor(ModelSpec(path=str(tmp_path / "model")))


def test_a_folder_that_is_not_as_it_was_written_is_told(tmp_path, capsys):
    shutil.copytree(model_path(), tmp_path / "written")
    seal(tmp_path / "written", tmp_path / "model")
    load_model(ModelSpec(path=str(tmp_path / "model")))
    assert "not as it was written" not in capsys.readouterr().err
    (tmp_path / "model" / "manifest.json").write_text("{")
    load_model(ModelSpec(path=str(tmp_path / "model")))
    assert "model is not as it was written: its manifest.json cannot be read" in (
        capsys.readouterr().err
    )


def test_weights_that_are_missing_are_no_random_numbers(model_folder, tmp_path):
    folder = shutil.copytree(model_folder, tmp_path / "model")
    path = folder / "model.safetensors"
    weights = load_file(path)
    first = next(name for name in sorted(weights) if "q_proj" in name)
    save_file({name: one for name, one in weights.items() if name != first}, path, {"format": "pt"})
    with pytest.raises(UserError, match="lacks 1 weights, which would be random"):
        load_model(ModelSpec(str(folder)))


def rewrite_adapter(folder, change):
    """Write an adapter's weights as ``change`` makes them of what they are."""
    path = folder / "adapter_model.safetensors"
    save_file(change(load_file(path)), path, {"format": "pt"})


@pytest.mark.parametrize("kept", [0, 1])
def test_an_adapter_of_other_names_is_refused(adapter, kept):
    folder, _ = adapter

    def renamed(weights):
        keep = sorted(weights)[: kept * len(weights) // 2]
        return {name if name in keep else f"other.{name}": one for name, one in weights.items()}

    rewrite_adapter(folder, renamed)
    with pytest.raises(UserError, match="is of another adapter or model"):
        load_model(ModelSpec(str(folder)))


def test_an_adapter_of_another_width_is_told(adapter):
    folder, _ = adapter
    rewrite_adapter(folder, lambda weights: {n: torch.cat((w, w), -1) for n, w in weights.items()})
    with pytest.raises(UserError, match="the adapter does not fit its base model: RuntimeError"):
        load_model(ModelSpec(str(folder)))


def test_the_revision_of_an_adapters_base_is_kept(adapter):
    folder, _ = adapter
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"revision": "v2"}))
    base = adapter_base(ModelSpec(str(folder)))
    assert base is not None and base.revision == "v2"
    assert lora_config(ModelSpec("x", revision="v2", lora={"r": 4})).revision == "v2"
