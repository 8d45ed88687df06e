"""TRL scores with the logits that a model's own forward makes."""

import pytest

from families.folders import write_folder
from families.further import FURTHER
from families.tiny_vlm import FAMILIES, tiny_folder
from models.folder_changes import edit, line
from noisygrpo.models.loading import load_any_processor, load_config, without_weights
from noisygrpo.models.spec import ModelSpec
from noisygrpo.training import as_sampled
from noisygrpo.training.as_sampled import require_scored_as_sampled


def test_a_scale_that_the_forward_does_not_use_is_named(tmp_path):
    folder = write_folder("Aya Vision", tmp_path / "model", 0, FURTHER)
    spec = ModelSpec(str(folder))
    processor = load_any_processor(spec)
    said = line(require_scored_as_sampled, spec, processor)
    assert "AyaVisionForConditionalGeneration would be scored with other logits" in said
    assert "text_config has logit_scale 0.0625" in said and "write 1.0 there" in said
    text = {**FURTHER["Aya Vision"].config["text_config"], "logit_scale": 1.0}
    edit(folder / "config.json", text_config={**text, **vocabulary(spec)})
    require_scored_as_sampled(spec, processor)


def vocabulary(spec):
    """Sizes and ids that ``further`` names by tokens."""
    text = load_config(spec).text_config
    names = ("vocab_size", "bos_token_id", "eos_token_id", "pad_token_id")
    return {name: getattr(text, name) for name in names}


@pytest.mark.parametrize("name", ["Qwen2.5-VL", "Gemma 3"])
def test_families_are_asked_and_agree(name):
    spec = ModelSpec(str(tiny_folder(name)))
    own, scored = as_sampled._asked(without_weights(spec, load_config(spec)), [])
    assert own.abs().max() > 1 and (own - scored).abs().max() < as_sampled.CLOSE
    require_scored_as_sampled(spec, load_any_processor(spec))
    assert name in FAMILIES


def test_what_a_forward_does_besides_is_refused(monkeypatch):
    spec = ModelSpec(str(tiny_folder("Qwen2.5-VL")))
    monkeypatch.setattr(as_sampled, "_same", lambda *args: False)
    said = line(require_scored_as_sampled, spec, load_any_processor(spec))
    assert "its forward makes other logits of hidden states than TRL scores with" in said
