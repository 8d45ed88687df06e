"""Folders that both generations of Transformers read; ``tests/with_transformers4`` reads them."""

import json

import pytest
import torch
from PIL import Image

from families.tiny_vlm import FAMILIES, tiny_vlm
from noisygrpo.evaluation.generate import build_inputs
from noisygrpo.models.loading import load_any_processor, load_model
from noisygrpo.models.saving import both_generations, readable_everywhere, save_everywhere
from noisygrpo.models.spec import ModelSpec

ROW = {
    "prompt": [{"role": "user", "content": "How many?"}],
    "images": [Image.effect_noise((75, 60), 60).convert("RGB")],
    "example_id": "row",
}
MROPE = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]}


def read(folder, name):
    return json.loads((folder / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", FAMILIES)
def test_it_loads_here_as_before(name, tmp_path):
    """And again after a second round, with the same files."""
    model, processor = tiny_vlm(name)
    save_everywhere(model, processor, tmp_path / "one")
    spec = ModelSpec(str(tmp_path / "one"))
    again, other = load_model(spec), load_any_processor(spec)
    batch, same = build_inputs(processor, [ROW]), build_inputs(other, [ROW])
    assert batch.keys() == same.keys()
    for key, value in batch.items():
        assert torch.equal(torch.as_tensor(value), torch.as_tensor(same[key])), key
    assert torch.equal(model(**batch).logits, again(**same).logits)
    save_everywhere(again, other, tmp_path / "two")
    names = {path.name for path in (tmp_path / "one").iterdir()}
    assert names == {path.name for path in (tmp_path / "two").iterdir()}
    for name in sorted(names):
        if name.endswith(".json"):
            assert read(tmp_path / "two", name) == read(tmp_path / "one", name), name


def test_files_are_those_of_published_folders(tmp_path):
    save_everywhere(*tiny_vlm("Qwen3-VL"), tmp_path)
    images, video = (read(tmp_path, f"{part}preprocessor_config.json") for part in ("", "video_"))
    assert images["image_processor_type"] == "Qwen2VLImageProcessor"
    assert images["processor_class"] == video["processor_class"] == "Qwen3VLProcessor"
    assert (images["min_pixels"], images["max_pixels"]) == (1024, 16384)
    assert video["video_processor_type"] == "Qwen3VLVideoProcessor"
    rest = read(tmp_path, "processor_config.json")
    assert rest["processor_class"] == "Qwen3VLProcessor"
    assert not {"image_processor", "video_processor"} & rest.keys()
    config = read(tmp_path, "config.json")
    text = config["text_config"]
    assert text["rope_theta"] == text["rope_parameters"]["rope_theta"] == 5000000
    assert text["rope_scaling"]["mrope_section"] == [2, 1, 1]
    assert config["torch_dtype"] == config["dtype"] == "float32"
    template = (tmp_path / "chat_template.jinja").read_text()
    assert read(tmp_path, "chat_template.json") == {"chat_template": template}


@pytest.mark.parametrize(
    ("rope", "theta", "scaling"),
    [
        (MROPE, 1e6, {"rope_type": "default", "mrope_section": [16, 24, 24]}),
        ({"rope_type": "default", "rope_theta": 1e4}, 1e4, None),
        (
            {"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0},
            5e5,
            {"rope_type": "llama3", "factor": 8.0},
        ),
    ],
)
def test_rotary_settings_by_hand(rope, theta, scaling):
    config = both_generations({"text_config": {"rope_parameters": rope}})["text_config"]
    assert config == {"rope_parameters": rope, "rope_theta": theta, "rope_scaling": scaling}
    assert both_generations({"text_config": config})["text_config"] == config


def test_rotary_settings_of_two_kinds_of_layers():
    rope = {
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
    }
    config = both_generations({"rope_parameters": rope})
    assert (config["rope_theta"], config["rope_local_base_freq"]) == (1e6, 1e4)
    assert config["rope_scaling"] == {"rope_type": "linear", "factor": 8.0}


def test_what_has_no_such_settings_stays_as_it_is():
    vision = {"rope_parameters": {"rope_type": "axial", "rope_theta": 1e4}, "depth": 2}
    for config in ({}, {"vision_config": vision}, {"rope_parameters": None, "n": 1}):
        assert both_generations(dict(config)) == config


def test_an_adapters_folder_and_an_empty_one_are_left_alone(tmp_path):
    (tmp_path / "adapter_config.json").write_text('{"r": 2}')
    readable_everywhere(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["adapter_config.json"]
