"""Folders laid out as on the hub, and what people make of them: each loads or gives one line."""

import json
import sys

import pytest
import torch
from transformers import Qwen2_5_VLProcessor

from families.tiny_vlm import FAMILIES, tiny_folder
from models.folder_changes import ROW, edit, inputs, line
from noisygrpo.evaluation.generate import build_inputs
from noisygrpo.models import processor_facts, processors
from noisygrpo.models.loading import load_any_processor, load_config, load_model
from noisygrpo.models.spec import ModelSpec


@pytest.mark.parametrize("name", FAMILIES)
def test_a_prompt_is_the_same_by_all_paths_and_begins_once(name):
    """As text that is tokenized afterwards (TRL's scoring, evaluation), and in one go (sampling).

    Kinds of tokens are as many as tokens, padded on the same side as TRL pads the tokens.
    """
    processor = load_any_processor(ModelSpec(str(tiny_folder(name))))
    long = {**ROW, "prompt": [{"role": "user", "content": "How many are there in all?"}]}
    image = {"type": "image", "image": ROW["images"][0]}
    talks = [
        [
            {
                "role": "user",
                "content": [image, {"type": "text", "text": row["prompt"][0]["content"]}],
            }
        ]
        for row in (ROW, long)
    ]
    whole = processor.apply_chat_template(
        talks, add_generation_prompt=True, tokenize=True, return_dict=True, padding=True
    )
    later = build_inputs(processor, [ROW, long])
    assert later["input_ids"].tolist() == [list(ids) for ids in whole["input_ids"]]
    begin = processor.tokenizer.bos_token_id
    expected = {"Idefics3": 1, "Gemma 3": 1, "SmolVLM": 2}.get(name, 0)  # SmolVLM's begins a turn
    assert [row.count(begin) for row in later["input_ids"].tolist()] == [expected] * 2
    texts = [
        processor.apply_chat_template(talk, add_generation_prompt=True, tokenize=False)
        for talk in talks
    ]
    padded = processor(
        text=texts, images=[row["images"] for row in (ROW, long)], padding=True, return_tensors="pt"
    )
    assert torch.equal(padded["input_ids"], later["input_ids"])
    for key in ("mm_token_type_ids", "token_type_ids"):
        if key in padded:
            kinds = padded[key].bool()
            tokens = torch.unique(padded["input_ids"][kinds])
            assert len(tokens) == 1, "all that is marked is one token, the image's"


def test_a_stock_folder_loads_and_both_shards_are_read(stock):
    batch = inputs(stock)
    model = load_model(ModelSpec(str(stock)))
    assert batch["pixel_values"].shape == (16, 3 * 2 * 14 * 14)
    assert torch.isfinite(model(**batch).logits).all()
    index = json.loads((stock / "model.safetensors.index.json").read_text())
    assert set(index["weight_map"].values()) == {
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    }


def test_without_torchvision_one_line_says_what_draws(stock, capsys, monkeypatch):
    processors.say_once.cache_clear()
    monkeypatch.setattr(processors, "has_torchvision", lambda: False)
    processor = load_any_processor(ModelSpec(str(stock)))
    load_any_processor(ModelSpec(str(stock)))
    (said,) = capsys.readouterr().err.splitlines()
    name = type(processor.image_processor).__name__  # ...Pil, where torchvision is really missing
    assert said == (
        f"torchvision is not installed: images are drawn by Pillow ({name}), without its video part"
    )
    assert type(processor).__name__ == "Qwen2_5_VLProcessor"
    assert processor.get_attributes() == ["image_processor", "tokenizer"]


def test_with_torchvision_it_is_the_stock_class_itself(stock, monkeypatch):
    asked = []

    def stock_loader(cls, where, **options):
        asked.append((cls.__name__, cls.__bases__, where, options))
        raise OSError("not this time")

    monkeypatch.setattr(processors, "has_torchvision", lambda: True)
    monkeypatch.setattr(Qwen2_5_VLProcessor, "from_pretrained", classmethod(stock_loader))
    line(load_any_processor, ModelSpec(str(stock)))
    options = {"revision": None, "trust_remote_code": False}
    assert asked == [("Qwen2_5_VLProcessor", Qwen2_5_VLProcessor.__bases__, str(stock), options)]


@pytest.mark.parametrize(
    "change",
    [
        "chat_template.jinja instead of .json",
        "chat template in tokenizer_config.json",
        "the Fast name of the image processor",
        "an image processor without a type",
        "the class named in processor_config.json alone",
        "no class named anywhere",
        "processor_class of a video processor",
        "processor_class that nobody knows",
        "nested processor_config.json alone",
        "no vocab.json and merges.txt",
        "no generation_config.json",
        "spaces and accents in the path",
    ],
)
def test_other_layouts_load_and_give_the_same(stock, folder, change):
    expected = inputs(stock)
    template = json.loads((folder / "chat_template.json").read_text())["chat_template"]
    images, tokenizer = folder / "preprocessor_config.json", folder / "tokenizer_config.json"
    if change == "chat_template.jinja instead of .json":
        (folder / "chat_template.json").unlink()
        (folder / "chat_template.jinja").write_text(template)
    elif change == "chat template in tokenizer_config.json":
        (folder / "chat_template.json").unlink()
        edit(tokenizer, chat_template=template)
    elif change == "the Fast name of the image processor":
        edit(images, image_processor_type="Qwen2VLImageProcessorFast")
    elif change == "an image processor without a type":
        edit(images, image_processor_type=None)
    elif change == "the class named in processor_config.json alone":
        edit(images, processor_class=None)
        (folder / "processor_config.json").write_text('{"processor_class": "Qwen2_5_VLProcessor"}')
    elif change == "no class named anywhere":
        edit(images, processor_class=None)
    elif change == "processor_class of a video processor":
        edit(images, processor_class="Qwen2VLVideoProcessor")
    elif change == "processor_class that nobody knows":
        edit(images, processor_class="MyOwnProcessor")
    elif change == "nested processor_config.json alone":
        content = json.loads(images.read_text())
        nested = {"image_processor": content, "processor_class": "Qwen2_5_VLProcessor"}
        (folder / "processor_config.json").write_text(json.dumps(nested))
        images.unlink()
    elif change == "no vocab.json and merges.txt":
        (folder / "vocab.json").unlink()
        (folder / "merges.txt").unlink()
    elif change == "no generation_config.json":
        (folder / "generation_config.json").unlink()
    elif change == "spaces and accents in the path":
        folder = folder.rename(folder.with_name("mon modèle (1)"))
    got = inputs(folder)
    assert got.keys() == expected.keys()
    for key, value in expected.items():
        assert torch.equal(got[key], value), key
    load_model(ModelSpec(str(folder)))


def test_code_beside_a_known_class_is_not_run_and_that_is_said(stock, folder, capsys):
    processors.say_once.cache_clear()
    code = {"AutoProcessor": "processing_own.OwnProcessor"}
    edit(folder / "preprocessor_config.json", auto_map=code)
    (folder / "processing_own.py").write_text("raise SystemExit('ran')")
    assert torch.equal(inputs(folder)["pixel_values"], inputs(stock)["pixel_values"])
    assert "code for its processor, which is not run" in capsys.readouterr().err
    assert "processing_own" not in sys.modules


def adapter(folder, base, **changes):
    folder.mkdir(exist_ok=True)
    content = {"base_model_name_or_path": base, "peft_type": "LORA", "r": 2, **changes}
    (folder / "adapter_config.json").write_text(json.dumps(content))
    (folder / "adapter_model.safetensors").write_bytes(b"")
    return ModelSpec(str(folder))


def test_an_adapters_base_is_found_from_here_and_from_the_adapter(stock, folder, monkeypatch):
    spec = adapter(folder.parent / "adapter", "../model")
    monkeypatch.chdir(folder.parent.parent)
    assert load_config(spec).model_type == "qwen2_5_vl"
    assert torch.equal(
        build_inputs(load_any_processor(spec), [ROW])["pixel_values"],
        inputs(stock)["pixel_values"],
    )
    monkeypatch.chdir(folder.parent)
    assert load_config(adapter(folder.parent / "adapter", "./model")).model_type == "qwen2_5_vl"


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("../gone", "'../gone', which is not a folder"),
        ("/gone/model", "'/gone/model', which is not a folder"),
        (None, "does not name its model"),
        (["a"], "does not name its model"),
        ("", "does not name its model"),
    ],
)
def test_an_adapter_without_its_base_gives_one_line(tmp_path, base, expected):
    assert expected in line(load_config, adapter(tmp_path / "adapter", base))
    (tmp_path / "adapter" / "adapter_config.json").write_text("{")
    assert "adapter_config.json is not JSON" in line(
        load_config, ModelSpec(str(tmp_path / "adapter"))
    )


def test_a_run_tells_which_processor_it_used(folder, capsys):
    processors.say_once.cache_clear()
    processor = load_any_processor(ModelSpec(str(folder)))
    processor_facts.write_facts(folder.parent, processor)
    facts = json.loads((folder.parent / "processor.json").read_text())
    assert facts["processor"] == "Qwen2_5_VLProcessor"
    assert facts["images"] in ("pillow", "torchvision")
    load_any_processor(ModelSpec(str(folder)))
    assert "is not the one" not in capsys.readouterr().err
    edit(folder.parent / "processor.json", images="gimp", pillow="1.0")
    load_any_processor(ModelSpec(str(folder)))
    said = capsys.readouterr().err
    assert f"images was gimp, is {facts['images']}; pillow was 1.0, is " in said
    assert len(said.splitlines()) == 1
