"""Answers from vLLM, with a stand-in for it."""

import sys
import types

import pytest

from noisygrpo.errors import UserError
from noisygrpo.evaluation.generate import Generation
from noisygrpo.evaluation.vllm_engine import vllm_answers
from tiny import tiny_image, tiny_qwen25vl


def test_vllm_gets_unexpanded_prompts_and_the_ban(monkeypatch):
    model, processor = tiny_qwen25vl()
    seen = {}

    class LLM:
        def __init__(self, **options):
            seen["engine"] = options

        def generate(self, requests, sampling, use_tqdm):
            seen["requests"], seen["sampling"] = requests, sampling
            done = types.SimpleNamespace(text="4", token_ids=[1, 2], finish_reason="length")
            return [types.SimpleNamespace(outputs=[done]) for _ in requests]

    fake = types.ModuleType("vllm")
    fake.LLM, fake.SamplingParams = LLM, lambda **options: options
    monkeypatch.setitem(sys.modules, "vllm", fake)
    answer = vllm_answers("folder", processor, model.config, Generation(max_new_tokens=7))
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
    with pytest.raises(UserError, match="text_bias_scale"):
        vllm_answers("folder", processor, model.config, Generation(text_bias_scale=0.8))


def test_vllm_is_optional(monkeypatch):
    model, processor = tiny_qwen25vl()
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(UserError, match=r"vllm>=0\.22,<0\.32"):
        vllm_answers("folder", processor, model.config, Generation())
