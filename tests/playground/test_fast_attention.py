"""Attention of the language model in float32."""

import torch
from tests.playground.small_processor import small_processor, stock_and_changed

from noisygrpo.playground.fast_attention import attend_in_float32
from noisygrpo.playground.lessons import converse
from noisygrpo.playground.model import build_model


def test_attention_in_float32_is_the_same_and_leaves_no_trace_in_the_config(tmp_path):
    processor = small_processor()
    batch = converse(processor, 0, "look", 0, 2)
    found = stock_and_changed(
        processor, batch, attend_in_float32, "model.language_model.embed_tokens.weight"
    )
    assert all(torch.equal(one, two) for one, two in zip(*found, strict=True))
    model = build_model(processor.tokenizer, seed=1)
    attend_in_float32(model)
    exact = model(**batch).loss.item()
    with torch.autocast("cpu", torch.bfloat16):
        loss = model(**batch).loss
    assert abs(loss.item() - exact) < 0.02
    model.config.save_pretrained(tmp_path)
    assert "float32" not in (tmp_path / "config.json").read_text().replace('"dtype": "float32"', "")


def test_padding_on_the_right_needs_no_mask():
    processor = small_processor()
    model = build_model(processor.tokenizer, seed=1).eval()
    batch = converse(processor, 0, "look", 0, 3)
    pads = batch["input_ids"] == processor.tokenizer.pad_token_id
    assert "attention_mask" not in batch and bool(pads.any())
    with torch.no_grad():
        one, two = model(**batch).loss, model(**batch, attention_mask=(~pads).long()).loss
    torch.testing.assert_close(one, two)
