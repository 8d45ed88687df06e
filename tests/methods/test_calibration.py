import functools
import inspect

import pytest
import torch
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

from noisygrpo.methods.calibration import (
    TextBiasCalibration,
    calibrate_logits,
    calibrated_generate,
    without_tokens,
)
from tiny import tiny_image, tiny_qwen25vl

GAMMA = 0.8
QUESTIONS = ("How many?", "Is the blue one on the left of the other?")


@functools.cache
def model_and_processor():
    """A random model with weights large enough that its next token depends on what it sees."""
    model, processor = tiny_qwen25vl(seed=3)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(6.0)
    return model.eval(), processor


def prompts(processor, with_image: bool, questions=QUESTIONS):
    image = [{"type": "image"}] if with_image else []
    return [
        processor.apply_chat_template(
            [{"role": "user", "content": [*image, {"type": "text", "text": question}]}],
            add_generation_prompt=True,
            tokenize=False,
        )
        for question in questions
    ]


def image_inputs(processor, rows=(0, 1)):
    images = [tiny_image(0, 56, 84), tiny_image(1, 84, 28)]
    text = prompts(processor, True, [QUESTIONS[i] for i in rows])
    return processor(
        text=text,
        images=[images[i] for i in rows],
        padding=True,
        padding_side="left",
        return_tensors="pt",
    )


def text_inputs(processor, rows=(0, 1)):
    text = prompts(processor, False, [QUESTIONS[i] for i in rows])
    return processor.tokenizer(text, padding=True, padding_side="left", return_tensors="pt")


@torch.no_grad()
def formula(row: int, answer: torch.Tensor) -> torch.Tensor:
    """Logits of every token of ``answer`` by two full forwards of one row: no cache, no padding."""
    model, processor = model_and_processor()
    with_image, without = image_inputs(processor, (row,)), text_inputs(processor, (row,))

    def logits(inputs):
        extended = dict(inputs)
        extended["input_ids"] = torch.cat([inputs["input_ids"], answer[None, :-1]], dim=1)
        extended["attention_mask"] = torch.ones_like(extended["input_ids"])
        if "mm_token_type_ids" in inputs:
            zeros = torch.zeros_like(answer[None, :-1])
            types = torch.cat([inputs["mm_token_type_ids"], zeros], dim=1)
            extended["mm_token_type_ids"] = types
        return model(**extended).logits[0, -len(answer) :]

    seen, blind = logits(with_image), logits(without)
    return seen + GAMMA * (seen - blind)


def generate(scale=GAMMA, **settings):
    model, processor = model_and_processor()
    settings = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": -1} | settings
    return calibrated_generate(
        model,
        image_inputs(processor),
        text_inputs(processor),
        scale,
        output_scores=True,
        return_dict_in_generate=True,
        pad_token_id=0,
        **settings,
    )


def prompt_length():
    return image_inputs(model_and_processor()[1])["input_ids"].shape[1]


def test_formula():
    image, text = torch.tensor([1.0, 2.0, -torch.inf]), torch.tensor([0.0, 3.0, 1.0])
    assert calibrate_logits(image, text, 0.5).tolist() == [1.5, 1.5, -torch.inf]
    both = torch.tensor([-torch.inf])
    assert calibrate_logits(both, both, 0.5).tolist() == [-torch.inf]
    assert calibrate_logits(image, text, 0) is image


def test_greedy_scores_equal_two_full_forwards():
    output = generate()
    plain = generate(scale=0)
    answers = output.sequences[:, prompt_length() :]
    for row in range(2):
        expected = formula(row, answers[row])
        found = torch.stack([scores[row] for scores in output.scores])
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
        assert answers[row].tolist() == expected.argmax(-1).tolist()
        assert (found[0] - plain.scores[0][row]).abs().max() > 0.1  # it does change something


def test_sampling_several_continuations():
    torch.manual_seed(0)
    settings = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0}
    output = generate(**settings, num_return_sequences=3)
    answers = output.sequences[:, prompt_length() :]
    assert len({tuple(answer.tolist()) for answer in answers}) == 6
    for i, answer in enumerate(answers):
        expected = formula(i // 3, answer)
        found = torch.stack([scores[i] for scores in output.scores])
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_beams_follow_their_cache():
    output = generate(num_beams=4, num_return_sequences=4, length_penalty=0.0)
    moves = [beams.tolist() for beams in output.beam_indices.T]
    assert any(move != sorted(move) for move in moves)  # beams did change places
    answers = output.sequences[:, prompt_length() :]
    for i, answer in enumerate(answers):
        log_probs = formula(i // 4, answer).log_softmax(-1)
        total = log_probs.gather(1, answer[:, None]).sum()
        assert output.sequences_scores[i].item() == pytest.approx(total.item(), abs=1e-4)


def test_the_cache_gives_what_recomputing_gives(monkeypatch):
    cached = generate(num_beams=3, max_new_tokens=8)
    monkeypatch.setattr(TextBiasCalibration, "_continues", lambda self, answer: False)
    recomputed = generate(num_beams=3, max_new_tokens=8)
    assert torch.equal(cached.sequences, recomputed.sequences)
    for now, then in zip(cached.scores, recomputed.scores, strict=True):
        torch.testing.assert_close(now, then, atol=1e-5, rtol=0)


def test_one_token_a_step_and_one_forward_a_step(monkeypatch):
    model, processor = model_and_processor()
    lengths = []
    forward = model.forward

    def spy(*args, **inputs):
        lengths.append(inputs["input_ids"].shape[1])
        assert inputs["logits_to_keep"] == 1  # the logits of a whole prompt would fill the memory
        return forward(*args, **inputs)

    spy.__signature__ = inspect.signature(forward)
    monkeypatch.setattr(model, "forward", spy)
    generate(max_new_tokens=3)
    text = text_inputs(processor)["input_ids"].shape[1]
    assert lengths == [prompt_length(), text, 1, 1, 1, 1]
    lengths.clear()
    generate(max_new_tokens=3, scale=0)
    assert lengths == [prompt_length(), 1, 1]


@pytest.mark.parametrize("settings", [{}, {"num_beams": 2}, {"do_sample": True, "top_k": 0}])
def test_scale_zero_is_plain_generate(settings):
    model, processor = model_and_processor()
    torch.manual_seed(1)
    off = generate(scale=0, **settings)
    torch.manual_seed(1)
    plain = model.generate(
        **image_inputs(processor),
        max_new_tokens=6,
        eos_token_id=-1,
        pad_token_id=0,
        output_scores=True,
        return_dict_in_generate=True,
        **({"do_sample": False} | settings),
    )
    assert torch.equal(off.sequences, plain.sequences)
    assert all(torch.equal(a, b) for a, b in zip(off.scores, plain.scores, strict=True))
    inputs = text_inputs(processor)
    zero = TextBiasCalibration(model, inputs["input_ids"], inputs["attention_mask"], 0)
    scores = torch.zeros(2, 3)
    assert zero(torch.zeros(2, 1, dtype=torch.long), scores) is scores


def test_decoding_is_undisturbed_afterwards():
    before = generate(scale=0)
    generate()
    after = generate(scale=0)
    assert torch.equal(before.sequences, after.sequences)


def test_banned_tokens_stay_banned():
    free = generate().sequences[:, prompt_length() :]
    banned = sorted(set(free.flatten().tolist()))
    held = generate(suppress_tokens=banned).sequences[:, prompt_length() :]
    assert not set(held.flatten().tolist()) & set(banned)


def test_finished_rows_wait_for_the_others():
    free = generate().sequences[:, prompt_length() :].tolist()
    end = free[0][0]
    assert end not in free[1][:4]  # so that row 1 goes on alone
    answers = generate(eos_token_id=end).sequences[:, prompt_length() :].tolist()
    assert answers[0] == [end] + [0] * (len(answers[0]) - 1)
    assert answers[1][:4] == free[1][:4]


def test_one_row_and_a_second_call():
    model, processor = model_and_processor()
    together = generate(max_new_tokens=8).sequences[:, prompt_length() :].tolist()
    for row in range(2):
        inputs, text = image_inputs(processor, (row,)), text_inputs(processor, (row,))
        calibration = TextBiasCalibration(model, text["input_ids"], text["attention_mask"], GAMMA)
        settings = {"max_new_tokens": 8, "do_sample": False, "eos_token_id": -1}
        for _ in range(2):  # the second call starts over: what the cache holds is of no use
            output = model.generate(**inputs, **settings, logits_processor=[calibration])
            assert output[0, inputs["input_ids"].shape[1] :].tolist() == together[row]


def test_dropped_tokens_are_forgotten():
    model, processor = model_and_processor()
    text = text_inputs(processor)
    ids, mask = text["input_ids"], text["attention_mask"]
    scores = torch.zeros(2, model.config.text_config.vocab_size)
    prompt = torch.tensor([[1], [2]])
    guess, other = torch.tensor([[3, 4], [5, 6]]), torch.tensor([[7], [8]])
    used = TextBiasCalibration(model, ids, mask, GAMMA)
    for answer in (guess[:, :0], guess[:, :1], guess):  # assisted decoding tries tokens ...
        used(torch.cat([prompt, answer], 1), scores)
    after = used(torch.cat([prompt, other], 1), scores)  # ... and takes them back
    fresh = TextBiasCalibration(model, ids, mask, GAMMA)
    fresh(prompt, scores)
    torch.testing.assert_close(after, fresh(torch.cat([prompt, other], 1), scores))


def test_without_tokens_is_the_prompt_without_its_images():
    model, processor = model_and_processor()
    inputs, expected = image_inputs(processor), text_inputs(processor)
    config = model.config
    drop = {config.image_token_id, config.vision_start_token_id, config.vision_end_token_id}
    pad = processor.tokenizer.pad_token_id
    ids, mask = without_tokens(inputs["input_ids"], inputs["attention_mask"], drop, pad)
    assert torch.equal(ids, expected["input_ids"])
    assert torch.equal(mask, expected["attention_mask"])
    only_image = torch.full((1, 3), config.image_token_id)
    with pytest.raises(ValueError, match=r"^a prompt holds nothing but images"):
        without_tokens(only_image, torch.ones_like(only_image), drop, pad)


def tiny_llava():
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        image_size=28, patch_size=14,
    )  # fmt: skip
    text = LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2,
        pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=63,
        vision_feature_select_strategy="default",
        vision_feature_layer=-1,
    )
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(8.0)
    return model


@torch.no_grad()
def test_another_family_of_models():
    model = tiny_llava()
    ids = torch.tensor([[1, 63, 63, 63, 63, 7, 8, 9], [0, 0, 1, 63, 63, 63, 63, 11]])
    mask = (ids != 0).long()
    pixels = torch.randn(2, 3, 28, 28, generator=torch.Generator().manual_seed(0))
    inputs = {"input_ids": ids, "attention_mask": mask, "pixel_values": pixels}
    text_ids, text_mask = without_tokens(ids, mask, {63}, 0)
    text = {"input_ids": text_ids, "attention_mask": text_mask}
    output = calibrated_generate(
        model, inputs, text, GAMMA, max_new_tokens=5, do_sample=False, eos_token_id=-1,
        pad_token_id=0, output_scores=True, return_dict_in_generate=True,
    )  # fmt: skip
    for row in range(2):
        answer = output.sequences[row, 8:]
        seen = torch.cat([ids[row][mask[row].bool()], answer[:-1]])[None]
        blind = torch.cat([text_ids[row][text_mask[row].bool()], answer[:-1]])[None]
        image = model(input_ids=seen, pixel_values=pixels[row : row + 1]).logits[0, -5:]
        blank = model(input_ids=blind).logits[0, -5:]
        found = torch.stack([scores[row] for scores in output.scores])
        assert (image - blank).abs().max() > 0.1
        torch.testing.assert_close(found, image + GAMMA * (image - blank), atol=1e-5, rtol=1e-6)


def test_wrong_use_is_named():
    model, processor = model_and_processor()
    inputs = text_inputs(processor)
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    with pytest.raises(ValueError, match=r"scale -1"):
        TextBiasCalibration(model, ids, mask, -1)
    one_short = torch.cat([torch.ones_like(mask[:, 1:]), mask[:, :1]], 1)
    for wrong in (mask.flip(1), one_short, mask[:, 1:]):
        with pytest.raises(ValueError, match=r"^text prompts must have .* left padding"):
            TextBiasCalibration(model, ids, wrong, GAMMA)
    calibration = TextBiasCalibration(model, ids, mask, GAMMA)
    with pytest.raises(ValueError, match="3 sequences, 2 text prompts"):
        calibration(torch.ones(3, 4, dtype=torch.long), torch.zeros(3, 264))
    scores = torch.zeros(2, model.config.text_config.vocab_size)
    calibration(torch.ones(2, 4, dtype=torch.long), scores)
    with pytest.raises(ValueError, match=r"^the prompt has changed"):
        calibration(torch.zeros(2, 5, dtype=torch.long), scores)
