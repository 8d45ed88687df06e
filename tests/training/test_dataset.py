"""What the trainer asks of a data set, before anything is trained."""

import logging
from types import SimpleNamespace

import pytest
from datasets import Dataset

from noisygrpo.errors import UserError
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.dataset import check, check_dataset, is_mixed, refuse_sharded
from tiny import tiny_image, tiny_rows, tiny_settings
from tiny_hints import hinted, rows
from tiny_trainer import by_index, make


def test_mixed_data_is_found():
    assert is_mixed(tiny_rows(3, images=(1, 0)))
    assert not is_mixed(tiny_rows(3, images=(1, 2)))
    assert not is_mixed(tiny_rows(3, images=(0,)))
    assert not is_mixed(Dataset.from_list([{"prompt": "a"}]))
    single = Dataset.from_list([{"image": tiny_image(0)}, {"image": None}])
    assert is_mixed(single) and not is_mixed(single.select([0]).flatten_indices())


def test_ddp_looks_for_unused_parameters_only_where_it_must(tmp_path, monkeypatch):
    config = NoisyGRPOConfig(**tiny_settings(tmp_path))
    check(tiny_rows(2, images=(1, 0)), config)
    assert config.ddp_find_unused_parameters is None  # one process
    monkeypatch.setattr(NoisyGRPOConfig, "world_size", 2)
    check(tiny_rows(2), config)
    assert config.ddp_find_unused_parameters is None
    check(tiny_rows(2, images=(1, 0)), config)
    assert config.ddp_find_unused_parameters is True


@pytest.mark.parametrize("stage", [None, 2, 3], ids=["fsdp", "zero2", "zero3"])
def test_sharded_weights_and_mixed_rows_are_refused(tmp_path, stage):
    state = make(tmp_path).accelerator.state
    plugin = None if stage is None else SimpleNamespace(zero_stage=stage)
    fsdp = SimpleNamespace() if stage is None else None
    fake = SimpleNamespace(deepspeed_plugin=plugin, fsdp_plugin=fsdp)
    mixed = tiny_rows(4, images=(1, 0))
    refuse_sharded(state, mixed)
    refuse_sharded(fake, tiny_rows(4))
    if stage == 2:
        refuse_sharded(fake, mixed)
        return
    with pytest.raises(UserError, match="some rows have images and some have none"):
        refuse_sharded(fake, mixed)


WRONG_DATA = {
    "empty": (tiny_rows(2).select([]), "no rows"),
    "no prompt": (tiny_rows(2).remove_columns("prompt"), "column 'prompt' is missing"),
    "no images": (tiny_rows(2).remove_columns("images"), "no column 'images'"),
    "id twice": (
        Dataset.from_list([tiny_rows(2)[0], tiny_rows(2)[0]]),
        "example_id 'row-0' occurs 2 times",
    ),
    "a list": ([tiny_rows(2)[0]], "list is not a datasets.Dataset"),
}


@pytest.mark.parametrize("case", WRONG_DATA)
def test_wrong_data_is_refused_before_training(tmp_path, case):
    rows, message = WRONG_DATA[case]
    with pytest.raises(UserError, match=message):
        make(tmp_path, rows, method="noisygrpo")


ONE_STEP = [{**row, "reasoning": "Two."} for row in tiny_rows(2)]

WRONG = {
    "no column": (rows(2).remove_columns("reasoning"), "no column 'reasoning'"),
    "no reasoning": (tiny_rows(2), "every row's reasoning is empty; name the column"),
    "one step": (Dataset.from_list(ONE_STEP), "at least 2 steps"),
}


@pytest.mark.parametrize("case", WRONG)
def test_data_without_hints_is_refused(tmp_path, case):
    data, message = WRONG[case]
    with pytest.raises(UserError, match=f"hint_levels: 3.*{message}"):
        hinted(tmp_path, data)
    make(tmp_path, data, method="hint_grpo", hint_levels=1)


def test_plain_grpo_asks_for_no_reasoning(tmp_path):
    make(tmp_path, tiny_rows(4).remove_columns("reasoning"), (by_index,), max_steps=1).train()


@pytest.mark.parametrize(("short", "said"), [([], 0), (["row-1"], 1)])
def test_rows_with_too_little_reasoning_are_counted(tmp_path, caplog, short, said):
    rows = tiny_rows(3)
    texts = ["One." if name in short else "One. Two. Three." for name in rows["example_id"]]
    rows = rows.remove_columns("reasoning").add_column("reasoning", texts)
    make(tmp_path, rows, method="hint_grpo", hint_levels=3)
    assert caplog.text.count("1 of 3 rows have too little reasoning") == said
    assert caplog.text.count("too little") == said


def test_what_only_noise_needs_is_not_asked_of_others(tmp_path):
    twice = Dataset.from_list([{**row, "example_id": "same"} for row in tiny_rows(2)])
    nameless = tiny_rows(2).remove_columns("example_id").add_column("example_id", [None] * 2)
    make(tmp_path, twice)
    make(tmp_path, nameless, method="noisygrpo")


def test_what_was_checked_for_the_same_settings_is_not_checked_again(caplog):
    """A run asks before a model is loaded, and the trainer that it makes asks again."""
    known, plain = tiny_rows(3), NoisyGRPOConfig("x", use_cpu=True, bf16=False)
    check_dataset(known, plain)
    noisy = NoisyGRPOConfig("x", use_cpu=True, bf16=False, method="noisygrpo")
    twice = Dataset.from_list([{"prompt": "a", "images": [], "example_id": "same"}] * 2)
    check_dataset(twice, plain)
    for _ in range(2):
        with pytest.raises(UserError, match="occurs 2 times"):
            check_dataset(twice, noisy)
    few = {"prompt": "a", "reasoning": ""}
    some = Dataset.from_list([few, {**few, "reasoning": "Step 1: a. Step 2: b. Step 3: c."}])
    hints = NoisyGRPOConfig("x", use_cpu=True, bf16=False, method="hint_grpo")
    with caplog.at_level(logging.WARNING):
        check_dataset(some, hints)
        check(some, hints)
    assert sum("too little reasoning" in record.getMessage() for record in caplog.records) == 1


def test_a_second_picture_is_drawn_by_the_rows_name_too():
    twice = Dataset.from_list([{"prompt": "a", "images": [], "example_id": "same"}] * 2)
    masked = NoisyGRPOConfig("x", use_cpu=True, bf16=False, method="papo")
    with pytest.raises(UserError, match="example_id 'same' occurs 2 times"):
        check_dataset(twice, masked)
