"""Answers from vLLM, with a stand-in for it."""

import sys

import pytest
from tests.evaluation.fake_vllm import install

from noisygrpo.errors import UserError
from noisygrpo.evaluation.generate import Generation
from noisygrpo.evaluation.vllm_engine import engine_arguments, start_vllm, vllm_answers
from tiny import tiny_image, tiny_qwen25vl


@pytest.fixture
def seen(monkeypatch):
    """A stand-in for vLLM; what it was given."""
    return install(monkeypatch)


def test_vllm_gets_unexpanded_prompts_and_the_ban(seen):
    model, processor = tiny_qwen25vl()
    answer = vllm_answers(
        "folder", processor, model.config, Generation(max_new_tokens=7, repetition_penalty=1.1)
    )
    prompt = [{"role": "user", "content": "How many?"}]
    completions = answer(
        [{"prompt": prompt, "images": [tiny_image(0)]}, {"prompt": prompt, "images": []}]
    )
    assert [(c.text, c.tokens, c.truncated) for c in completions] == [("4", 2, True)] * 2
    assert seen["requests"][0]["prompt"].count("<|image_pad|>") == 1
    assert "multi_modal_data" not in seen["requests"][1]
    image = processor.tokenizer.convert_tokens_to_ids("<|image_pad|>")
    assert seen["sampling"]["logit_bias"][image] == -100.0
    assert seen["sampling"]["temperature"] == 0.0
    assert seen["sampling"]["repetition_penalty"] == 1.1
    with pytest.raises(UserError, match=r"text_bias_scale: .*cannot run it. Use --engine hf"):
        vllm_answers("folder", processor, model.config, Generation(text_bias_scale=0.8))


def test_vllm_is_optional(monkeypatch):
    model, processor = tiny_qwen25vl()
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(UserError, match=r"vllm>=0\.22,<0\.32"):
        vllm_answers("folder", processor, model.config, Generation())


def test_engine_arguments_have_vllms_names_and_types(seen):
    given = {"max_model_len": 64, "max_num_seqs": "8", "gpu_memory_utilization": "0.7"}
    read = {"max_model_len": 64, "max_num_seqs": 8, "gpu_memory_utilization": 0.7}
    assert engine_arguments(given) == read
    wrong = {
        "max_model_length": "vllm.max_model_length is not a known field; did you mean",
        "max_num_seqs": "vllm.max_num_seqs: 'many' is not",
        "seed": "vllm.seed: an option of evaluate says it",
    }
    for name, message in wrong.items():
        with pytest.raises(UserError, match=message):
            engine_arguments({name: "many"})


def test_what_vllm_refuses_is_one_line_before_the_weights(seen):
    with pytest.raises(UserError, match=r"max_model_len \(4096\) is greater than the model's"):
        start_vllm("folder", 1, seed=0, max_model_len=4096)
    assert "engine" not in seen
