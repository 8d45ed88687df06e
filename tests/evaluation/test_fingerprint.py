import json
import os

import numpy as np
import pytest
from safetensors.numpy import save_file

from noisygrpo.errors import UserError
from noisygrpo.evaluation import fingerprint as module
from noisygrpo.evaluation.fingerprint import folder_fingerprint


@pytest.fixture
def folder(tmp_path):
    where = tmp_path / "model"
    where.mkdir()
    values = np.random.default_rng(0).normal(size=(2, 40_000)).astype(np.float32)
    save_file({"a": values[0], "b": values[1]}, where / "model.safetensors")
    (where / "config.json").write_text(json.dumps({"model_type": "tiny"}))
    return where


def test_weights_configuration_and_template_count_and_times_do_not(folder):
    first = folder_fingerprint(folder)
    os.utime(folder / "model.safetensors", (0, 0))
    (folder / "trainer_state.json").write_text("{}")
    assert folder_fingerprint(folder) == first
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    second = folder_fingerprint(folder)
    values = np.zeros(40_000, dtype=np.float32)
    save_file({"a": values, "b": values}, folder / "model.safetensors")
    assert len({first, second, folder_fingerprint(folder)}) == 3


def test_an_adapter_is_one_with_its_base(folder, tmp_path):
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    config = {"base_model_name_or_path": str(folder)}
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    save_file({"lora": np.zeros(3, dtype=np.float32)}, adapter / "adapter_model.safetensors")
    first = folder_fingerprint(adapter)
    (folder / "config.json").write_text(json.dumps({"model_type": "other"}))
    assert folder_fingerprint(adapter) != first


def test_one_changed_byte_of_a_small_file_is_seen(folder):
    path = folder / "model.safetensors"
    first, data = folder_fingerprint(folder), bytearray(path.read_bytes())
    data[200_001] ^= 1
    path.write_bytes(data)
    assert folder_fingerprint(folder) != first


def test_a_large_file_is_sampled_with_its_header_and_both_ends(folder, monkeypatch):
    for name, value in {"WHOLE": 50_000, "WINDOWS": 8, "WINDOW": 1_000}.items():
        monkeypatch.setattr(module, name, value)
    path = folder / "model.safetensors"
    first, data = folder_fingerprint(folder), path.read_bytes()
    assert len(data) > module.WHOLE
    for position, seen in {30: True, len(data) - 1: True, len(data) // 14: False}.items():
        changed = bytearray(data)
        changed[position] ^= 1
        path.write_bytes(changed)
        assert (folder_fingerprint(folder) != first) is seen
    # An update of training changes most weights: any window sees it.
    header = 8 + int.from_bytes(data[:8], "little")
    body = np.frombuffer(data[header:], dtype=np.float32) + np.float32(1e-6)
    path.write_bytes(data[:header] + body.tobytes())
    assert folder_fingerprint(folder) != first


def test_a_link_to_nowhere_is_told(tmp_path):
    (tmp_path / "model.safetensors").symlink_to("nowhere")
    with pytest.raises(UserError, match=r"model\.safetensors' is no file \(a link to nowhere\?\)"):
        folder_fingerprint(tmp_path)
