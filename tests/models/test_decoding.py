"""Rows that have ended leave the batch; those that go on get the tokens that they got before."""

import pytest
import torch
from transformers import DynamicCache

from noisygrpo.models.decoding import EVERY, ROOM, RoomyLayer, _Rows, end_tokens, leaner
from tiny_families import prefilled, prompts_of, tiny_batch, tiny_family

NEW = 4 * EVERY


def prompts(name):
    return prompts_of(tiny_batch(name, [1, 1, 1, 1, 1], [[3]] * 5))[0]


def frequent(sequences, prompt):
    """Return tokens that end some rows early and others late or never."""
    completions = sequences[:, prompt:]
    first = completions[0, EVERY // 2].item()
    return [first, completions[1, 2].item()]


@pytest.mark.parametrize("name", ["qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen2"])
@pytest.mark.parametrize("sampled", [False, True])
def test_completions_are_the_same_and_fewer_rows_are_decoded(name, sampled):
    model = tiny_family(name).eval()
    inputs = prompts(name)
    options = {"max_new_tokens": NEW, "do_sample": sampled, "pad_token_id": 0}

    def generate(**more):
        torch.manual_seed(1)
        return model.generate(**inputs, **options, **more)

    width = inputs["input_ids"].shape[1]
    ends = frequent(generate(eos_token_id=None), width)
    expected = generate(eos_token_id=ends)
    rows = prefilled(model)
    with leaner(model, ends):
        got = generate(eos_token_id=ends)
    assert torch.equal(got, expected)
    alive = [
        int((~torch.isin(expected[:, width : width + step], torch.tensor(ends)).any(1)).sum())
        for step in range(1, expected.shape[1] - width)
    ]
    assert len(rows) == 1 + len(alive)
    assert all(one >= least for one, least in zip(rows[1:], alive, strict=True))
    before = len(rows)
    generate(eos_token_id=ends)
    assert rows[before:] == [len(expected)] * (1 + len(alive))  # outside nothing is left of it


def test_a_row_leaves_at_the_next_look():
    model = tiny_family("qwen2_5_vl").eval()
    inputs = prompts("qwen2_5_vl")
    width = inputs["input_ids"].shape[1]
    options = {"max_new_tokens": NEW, "do_sample": False, "pad_token_id": 0}
    ended = torch.zeros(5, dtype=torch.bool)
    ended[[0, 3]] = True
    # No token ends these two alone, so two rows are told apart by a stop at their third token.

    def processor(ids, scores):
        step = ids.shape[1] - width
        if step == 2:
            scores = scores.clone()
            scores[ended] = -torch.inf
            scores[ended, 1] = 0
        else:
            scores[:, 1] = -torch.inf
        return scores

    expected = model.generate(**inputs, **options, eos_token_id=1, logits_processor=[processor])
    rows = prefilled(model)
    with leaner(model, [1]):
        got = model.generate(**inputs, **options, eos_token_id=1, logits_processor=[processor])
    assert torch.equal(got, expected)
    assert (got[ended, width + 3 :] == 0).all()
    assert (got[~ended, width:] != 1).all()
    assert rows == [5] * EVERY + [3] * (NEW - EVERY)


def test_a_single_row_that_ended_stays_until_it_is_worth_it():
    model = tiny_family("qwen2_5_vl").eval()
    inputs = {k: v[:1] if k != "pixel_values" else v for k, v in prompts("qwen2_5_vl").items()}
    patches = int(inputs["image_grid_thw"].prod())
    inputs["pixel_values"] = inputs["pixel_values"][:patches]
    rows = prefilled(model)
    with leaner(model, [1]):
        model.generate(**inputs, max_new_tokens=NEW, do_sample=False, pad_token_id=0)
    assert set(rows) == {1}


def test_keys_and_values_are_those_of_a_cache_that_is_copied():
    torch.manual_seed(0)
    ours, plain = DynamicCache(), DynamicCache()
    ours.layers = [RoomyLayer()]
    for columns in (5, 1, 1, ROOM, 1, 3):
        keys, values = torch.randn(4, 2, columns, 3), torch.randn(4, 2, columns, 3)
        got, expected = ours.update(keys, values, 0), plain.update(keys, values, 0)
        assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))
    for cache in (ours, plain):
        cache.batch_select_indices(torch.tensor([2, 0]))
        cache.layers[0].crop(-2)
    keys = torch.randn(2, 2, 1, 3)
    for _ in range(3):
        got, expected = ours.update(keys, -keys, 0), plain.update(keys, -keys, 0)
        assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))


def test_a_token_is_written_where_there_is_room():
    layer = RoomyLayer()
    one = torch.ones(1, 1, 1, 2)
    layer.update(one, one)
    layer.update(one, one)
    place = layer.keys.data_ptr()
    for _ in range(ROOM - 1):
        layer.update(one, one)
    assert layer.keys.data_ptr() == place
    layer.reset()
    assert layer.get_seq_length() == 0
    assert layer.update(2 * one, one)[0].tolist() == [[[[2.0, 2.0]]]]


def test_caches_of_other_kinds_are_left_alone():
    model = tiny_family("qwen2_5_vl").eval()
    inputs = prompts("qwen2_5_vl")
    options = {"max_new_tokens": EVERY + 2, "do_sample": False, "pad_token_id": 0}
    expected = model.generate(**inputs, **options, cache_implementation="static")
    rows = prefilled(model)
    with leaner(model, list(range(1, 200))):  # every token would end a row
        got = model.generate(**inputs, **options, cache_implementation="static")
    assert torch.equal(got, expected)
    assert set(rows) == {5}


def decoded(more, ends=(7,), rows=4):
    """The arguments of a forward at the first look, when all rows but one have ended."""
    leaving, cache = _Rows(ends), DynamicCache()
    ids = torch.tensor([[7], [7], [1], [7]])[:rows]
    leaving.before(None, (), {"input_ids": ids, "past_key_values": cache})
    cache.update(torch.zeros(rows, 1, 2, 2), torch.zeros(rows, 1, 2, 2), 0)
    kwargs = {"input_ids": ids, "past_key_values": cache, "position_ids": ids[None]} | more
    found = [leaving.before(None, (), kwargs) for _ in range(EVERY)]
    assert found[:-1] == [None] * (EVERY - 1)
    return None if found[-1] is None else found[-1][1]


def test_every_argument_that_tells_rows_apart_is_cut():
    more = {
        "attention_mask": torch.arange(8).view(4, 2),
        "token_type_ids": torch.arange(4)[:, None],
    }
    got = decoded(more | {"cache_position": torch.tensor([3]), "use_cache": True})
    assert got["input_ids"].tolist() == [[1]] and got["position_ids"].tolist() == [[[1]]]
    assert got["attention_mask"].tolist() == [[4, 5]] and got["token_type_ids"].tolist() == [[2]]
    assert got["cache_position"].tolist() == [3] and got["use_cache"] is True
    assert got["past_key_values"].layers[0].keys.shape[0] == 1


@pytest.mark.parametrize(
    "more",
    [
        {"cross_attention_mask": torch.zeros(4, 1, 3)},  # of each row, in a place that is not known
        {"attention_mask": torch.zeros(4, 1, 1, 2)},
        {"position_ids": None},
        {"input_ids": torch.ones(4, 2, dtype=torch.long)},
    ],
)
def test_rows_stay_where_a_forward_is_not_understood(more):
    assert decoded(more) is None


def test_the_last_rows_stay_though_they_have_ended():
    assert decoded({}, ends=(1, 7)) is None


@pytest.mark.parametrize(("given", "expected"), [(None, []), (3, [3]), ([4, 5], [4, 5])])
def test_ends(given, expected):
    assert end_tokens(given) == expected
