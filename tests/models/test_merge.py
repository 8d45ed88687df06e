"""`noisygrpo merge`: the base with its adapter in it, as a plain model."""

import errno
import json
import shutil

import torch
from transformers import Qwen2_5_VLForConditionalGeneration

from noisygrpo.models import loading, merge
from noisygrpo.models.loading import load_model
from noisygrpo.models.sealed import seal
from noisygrpo.models.spec import ModelSpec
from tiny_adapter import LORA, logits


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


def test_what_cannot_be_written_leaves_nothing(adapter, tmp_path, run_cli, monkeypatch):
    folder, _ = adapter

    def full(model, processor, where):
        where.mkdir()
        (where / "config.json").write_text("{}")
        raise OSError(errno.ENOSPC, "No space", str(where / "model.safetensors"))

    monkeypatch.setattr(merge, "save_everywhere", full)
    status, _, said = run_cli("merge", str(folder), "--output-dir", str(tmp_path / "merged"))
    assert (status, said.count("\n")) == (2, 1)
    assert said.endswith("merged.tmp/model.safetensors: No space left on device\n")
    assert not list(tmp_path.glob("merged*"))


def test_a_damaged_checkpoint_is_not_merged(adapter, tmp_path, run_cli):
    folder, _ = adapter
    seal(shutil.copytree(folder, tmp_path / "copy"), tmp_path / "sealed")
    path = tmp_path / "sealed" / "adapter_model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    words = ("merge", str(tmp_path / "sealed"), "--output-dir", str(tmp_path / "merged"))
    status, _, said = run_cli(*words)
    assert status == 2 and "adapter_model.safetensors is not as it was written" in said
