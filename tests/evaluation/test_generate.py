import pytest
import torch
from transformers import LogitsProcessor, LogitsProcessorList

from noisygrpo.data.turns import with_image_slots
from noisygrpo.errors import UserError
from noisygrpo.evaluation.generate import (
    Generation,
    batches_by_length,
    build_inputs,
    generate_batch,
    row_length,
)
from noisygrpo.models.vision import vision_token_ids
from tiny import tiny_image, tiny_qwen25vl


@pytest.fixture(scope="module")
def tiny():
    """A tiny model that listens: with its small initial weights it only repeats its last token."""
    model, processor = tiny_qwen25vl()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim == 2 and "embed" not in name:
                weight.mul_(12)
    return model, processor


def make_rows(count, images=True):
    return [
        {
            "prompt": [{"role": "user", "content": "How many?" + " really" * (i % 5)}],
            "images": [tiny_image(i, width=56 + 28 * (i % 3))] if images else [],
            "example_id": f"row-{i}",
        }
        for i in range(count)
    ]


def answers(model, processor, rows, batch_size=32, **settings):
    """The completion of every row, made in batches of similar length, in the order of the rows."""
    texts = [""] * len(rows)
    lengths = [row_length(row["prompt"], [image.size for image in row["images"]]) for row in rows]
    for batch in batches_by_length(lengths, batch_size):
        made = generate_batch(model, processor, [rows[i] for i in batch], Generation(**settings))
        for index, completion in zip(batch, made, strict=True):
            texts[index] = completion.text
    return texts


def test_a_padded_batch_answers_like_single_rows(tiny):
    rows = make_rows(6) + make_rows(3, images=False)
    alone = [answers(*tiny, [row], max_new_tokens=8)[0] for row in rows]
    assert len(set(alone)) > 1, "a model that always says the same would hide a wrong order"
    assert answers(*tiny, rows, batch_size=4, max_new_tokens=8) == alone


def test_left_padding(tiny):
    inputs = build_inputs(tiny[1], make_rows(5))
    assert bool((inputs["attention_mask"][:, -1] == 1).all())
    assert bool((inputs["attention_mask"][:, 0] == 0).any())


def test_vision_tokens_are_never_sampled(tiny):
    model, processor = tiny
    banned = vision_token_ids(model.config.to_dict(), processor.tokenizer)
    names = processor.tokenizer.convert_ids_to_tokens(banned)
    assert {"<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"} <= set(names)

    seen = []

    class Watch(LogitsProcessor):
        def __call__(self, input_ids, scores):
            seen.append(input_ids[:, -1])
            return scores

    generate_batch(
        model,
        processor,
        make_rows(2),
        Generation(max_new_tokens=24, temperature=5.0),
        logits_processor=LogitsProcessorList([Watch()]),
    )
    assert not torch.isin(torch.cat(seen[1:]), torch.tensor(banned)).any()


def test_sampling_is_addressed_and_leaves_the_global_state_alone(tiny):
    rows = make_rows(3)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first = answers(*tiny, rows, max_new_tokens=8, temperature=1.0, seed=1)
    assert torch.equal(torch.rand(1), expected)
    assert answers(*tiny, rows, max_new_tokens=8, temperature=1.0, seed=1) == first
    assert answers(*tiny, rows, max_new_tokens=8, temperature=1.0, seed=2) != first


def test_settings_of_the_model_folder_do_not_leak_into_greedy_decoding(tiny):
    model, processor = tiny
    rows = make_rows(2)
    plain = answers(model, processor, rows, max_new_tokens=12)
    model.generation_config.repetition_penalty = 50.0
    try:
        assert answers(model, processor, rows, max_new_tokens=12) == plain
    finally:
        model.generation_config.repetition_penalty = None


@pytest.mark.parametrize(
    ("name", "value", "settings"),
    [
        ("min_p", 0.9, {"temperature": 1.0}),
        ("typical_p", 0.1, {"temperature": 1.0}),
        ("exponential_decay_length_penalty", (1, 9.0), {}),
        ("forced_eos_token_id", 5, {}),
    ],
)
def test_no_setting_of_the_model_folder_leaks(tiny, name, value, settings):
    model, processor = tiny
    rows, own = make_rows(2), model.generation_config
    plain = answers(model, processor, rows, max_new_tokens=8, **settings)
    setattr(own, name, value)
    try:
        assert answers(model, processor, rows, max_new_tokens=8, **settings) == plain
        assert model.generation_config is own and getattr(own, name) == value
    finally:
        setattr(own, name, None)


def test_a_model_in_training_mode_stays_there(tiny):
    model, processor = tiny
    model.train()
    answers(model, processor, make_rows(1), max_new_tokens=2)
    assert model.training
    model.eval()


def test_truncation_and_length(tiny):
    completion = generate_batch(*tiny, make_rows(1), Generation(max_new_tokens=5))[0]
    assert completion.tokens == 5
    assert completion.truncated


def test_plan_keeps_text_only_rows_apart_and_uses_every_row_once():
    plan = batches_by_length([(True, 3), (False, 9), (True, 7), (True, 5), (False, 1)], 2)
    assert plan == [[2, 3], [0], [1, 4]]


def test_image_slots_go_into_the_first_user_turn():
    prompt = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": "r"},
    ]
    kinds = [[part["type"] for part in turn["content"]] for turn in with_image_slots(prompt, 2)]
    assert kinds == [["text"], ["image", "image", "text"], ["text"], ["text"]]
    assert with_image_slots(prompt, 0) == prompt
    with pytest.raises(UserError, match="no user turn"):
        with_image_slots(prompt[:1], 1)


@pytest.mark.parametrize(
    "wrong",
    [{"batch_size": 0}, {"max_new_tokens": 0}, {"temperature": -1}, {"top_p": 0}, {"seed": -1}],
)
def test_wrong_settings(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        Generation(**wrong)
