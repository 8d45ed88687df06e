"""Folders whose model would see no picture, and those of families that cannot be trained."""

import json

import pytest

from families.folders import write_folder
from families.further import FURTHER
from families.tiny_vlm import FAMILIES, tiny_folder
from models.folder_changes import edit, line
from noisygrpo.errors import UserError
from noisygrpo.models import loading, processors
from noisygrpo.models.loading import load_any_processor
from noisygrpo.models.sight import blank_inputs
from noisygrpo.models.spec import ModelSpec
from noisygrpo.training.scorable import require_scorable

TEXT_ALONE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{{ m.content if m.content is string else '' }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
)


@pytest.fixture(scope="module")
def further(tmp_path_factory):
    return lambda name: write_folder(name, tmp_path_factory.mktemp("further") / "model", 0, FURTHER)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            "one on",
            "<|image_pad|>, which is 268 in its tokenizer's vocabulary; 269 is",
        ),
        ("far out", "which is 268 in its tokenizer's vocabulary; it ends at 269"),
        ("not in the vocabulary", "<|image_pad|>, which is not in its tokenizer's vocabulary"),
        ("a template for text", "its chat template writes no <|image_pad|> for a picture"),
    ],
)
def test_a_model_that_would_see_no_picture_is_refused(folder, change, expected):
    config = folder / "config.json"
    if change == "one on":
        edit(config, image_token_id=json.loads(config.read_text())["image_token_id"] + 1)
    elif change == "far out":
        edit(config, image_token_id=151655)
    elif change == "not in the vocabulary":
        path = folder / "tokenizer.json"
        kept = [t for t in json.loads(path.read_text())["added_tokens"] if t["id"] != 268]
        edit(path, added_tokens=kept)
        path = folder / "tokenizer_config.json"
        there = json.loads(path.read_text())
        named = {key: one for key, one in there["added_tokens_decoder"].items() if key != "268"}
        special = [one for one in there["additional_special_tokens"] if "image" not in one]
        edit(path, added_tokens_decoder=named, additional_special_tokens=special)
    else:
        (folder / "chat_template.json").unlink()
        (folder / "chat_template.jinja").write_text(TEXT_ALONE)
    said = line(load_any_processor, ModelSpec(str(folder)))
    assert said.startswith("model.path: ") and expected in said


def test_a_template_that_refuses_the_trial_is_left_to_the_rows(folder):
    template = "{{ raise_exception('no') }}"
    (folder / "chat_template.json").unlink()
    (folder / "chat_template.jinja").write_text(template)
    processor = load_any_processor(ModelSpec(str(folder)))
    assert blank_inputs(processor, "x") is None
    require_scorable(processor)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Mllama", "aspect_ratio_ids, aspect_ratio_mask, cross_attention_mask, which TRL leaves"),
        ("Ovis2", "does not tell TRL how many (num_patches)"),
    ],
)
def test_a_family_that_cannot_be_scored_is_refused(further, name, expected):
    processor = load_any_processor(ModelSpec(str(further(name))))
    said = line(require_scorable, processor)
    assert expected in said and f"{name}Processor cannot be trained" in said


@pytest.mark.parametrize("name", [*FAMILIES, "the playground's"])
def test_families_that_are_trained_are_scorable(name):
    spec = ModelSpec(str(tiny_folder(name))) if name in FAMILIES else ModelSpec()
    require_scorable(load_any_processor(spec))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("DeepSeek-VL", "DeepseekVLProcessor"), ("Aya Vision", "AyaVisionProcessor")],
)
def test_prompts_are_lists_of_their_own_lengths_until_more_is_asked_for(further, name, kind):
    processor = load_any_processor(ModelSpec(str(further(name))))
    require_scorable(processor)
    rows = blank_inputs(processor, "x", "How many are there?", padded=False)["input_ids"]
    assert len(rows[0]) + len("How many are there?") - len("x") == len(rows[1])
    padded = blank_inputs(processor, "x", "How many are there?")["input_ids"]
    assert padded.tolist()[1] == list(rows[1])
    assert type(processor).__name__ == kind


def test_a_processor_that_pads_unasked_is_refused(further, monkeypatch):
    processor = load_any_processor(ModelSpec(str(further("DeepSeek-VL"))))
    real = type(processor).__call__

    def padding(self, *args, **options):
        return real(self, *args, **{**options, "padding": True})

    monkeypatch.setattr(type(processor), "__call__", padding)
    assert "it pads prompts unasked" in line(require_scorable, processor)


def test_a_processor_that_a_package_is_missing_for_is_not_replaced(further, monkeypatch):
    if processors.has_torchvision():
        pytest.skip("torchvision is there")
    said = line(load_any_processor, ModelSpec(str(further("Pixtral"))))
    assert "has the processor PixtralProcessor, which needs torchvision: install it" in said


def test_each_load_looks_for_pointers_once(folder, monkeypatch):
    looked = []
    original = loading.require_no_pointers
    monkeypatch.setattr(
        loading, "require_no_pointers", lambda path: (looked.append(path), original(path))
    )
    spec = ModelSpec(str(folder))
    for load in (loading.load_config, loading.load_model, load_any_processor):
        looked.clear()
        load(spec)
        assert looked == [folder], load.__name__
    (folder / "config.json").write_text("version https://git-lfs.github.com/spec/v1\noid x\n")
    with pytest.raises(UserError, match="pointers of Git LFS"):  # looked at anew
        load_any_processor(spec)
