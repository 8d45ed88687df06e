"""Models that do not say a completion behind its prompt, and processors that lack a small thing."""

import copy
import inspect
from types import SimpleNamespace

import pytest
from transformers import AutoConfig
from transformers.models.qwen3_omni_moe.processing_qwen3_omni_moe import Qwen3OmniMoeProcessor

from families.folders import write_folder
from families.further import FURTHER
from models.folder_changes import line
from noisygrpo.models.decoder import KINDS, require_decoder
from noisygrpo.models.loading import load_any_processor, without_weights
from noisygrpo.models.processors import NoVideo, takes_conversation
from noisygrpo.models.sight import blank_inputs
from noisygrpo.models.spec import ModelSpec
from noisygrpo.models.vision import vision_token_ids
from noisygrpo.training.experts import name_experts


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("t5gemma2", "T5Gemma2ForConditionalGeneration, an encoder and a decoder"),
        ("diffusion_gemma", "DiffusionGemmaForBlockDiffusion, which does not sample its answer"),
        ("qwen2_5_omni", "'qwen2_5_omni', of which Transformers has no model that reads pictures"),
    ],
)
def test_what_is_no_decoder_is_refused(kind, expected):
    assert expected in line(require_decoder, "m", AutoConfig.for_model(kind))


@pytest.mark.parametrize("kind", ["qwen3_vl", "glm4v_moe", "janus"])
def test_decoders_pass(kind):
    require_decoder("m", AutoConfig.for_model(kind))


def test_a_kind_with_code_of_its_own_is_left_to_that():
    require_decoder("m", SimpleNamespace(model_type="mine", auto_map={"AutoConfig": "mine.Config"}))


def test_kinds_of_tokens_are_told_where_the_model_takes_them(tmp_path):
    folder = write_folder("Cosmos3 Edge", tmp_path / "model", 0, FURTHER)
    processor = load_any_processor(ModelSpec(str(folder)))
    kinds = blank_inputs(processor, "x", "How many are there?")[KINDS]
    assert set(kinds.unique().tolist()) == {0, 1} and len(kinds) == 2
    assert type(processor).__name__ == "Cosmos3EdgeProcessor"


def test_a_configuration_that_does_not_fit_is_one_line():
    config = AutoConfig.for_model("qwen2_vl")
    config.text_config.hidden_act = "none that is known"
    said = line(without_weights, ModelSpec("some/model"), config)
    assert said.startswith("model.path: 'some/model' cannot be loaded: ")


def test_experts_are_counted_under_one_name():
    config = AutoConfig.for_model("glm4v_moe")
    name_experts(config)
    name_experts(config)
    assert config.text_config.num_experts == config.text_config.n_routed_experts
    assert "num_experts" not in config.to_dict()["text_config"]
    dense = AutoConfig.for_model("glm4v")
    name_experts(dense)
    assert not hasattr(dense.text_config, "num_experts")


def test_a_conversation_has_the_name_that_all_others_give_it():
    made = takes_conversation(Qwen3OmniMoeProcessor)
    assert list(inspect.signature(made.apply_chat_template).parameters)[1] == "conversation"

    class Stock:
        def apply_chat_template(self, conversations, chat_template=None, **kwargs):
            return conversations, kwargs

    assert takes_conversation(Stock)().apply_chat_template(conversation=[1], tokenize=False) == (
        [1],
        {"tokenize": False},
    )


def test_a_video_part_that_is_not_there_has_no_settings():
    part = copy.deepcopy(NoVideo())
    assert part.slice_mode is None and part.fps is None and part.model_input_names == []


def test_tokens_of_sound_are_never_said():
    config = {"audio_token_index": 3, "audio_start_token_id": 4, "audio_end_token_id": 5}
    tokenizer = SimpleNamespace(added_tokens_decoder={}, eos_token_id=0, pad_token_id=1)
    assert vision_token_ids(config, tokenizer) == [3, 4, 5]
