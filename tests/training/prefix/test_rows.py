"""Rows of TRL's batch, with and without images, scored by TRL's own function."""

import json
from itertools import chain

import pytest
import torch
from peft import LoraConfig

from noisygrpo.training.prefix.rows import chunks, score_batch, select_rows, take
from tiny import tiny_rows
from tiny_adapter import LORA
from tiny_trainer import make


def test_the_reference_is_the_model_with_its_adapter_disabled(tmp_path):
    lora = LoraConfig(**LORA, init_lora_weights=False, task_type="CAUSAL_LM")
    trainer = make(tmp_path, lora=lora, beta=0.04, max_steps=1)
    assert trainer.ref_model is None
    batch = trainer._generate_and_score_completions([tiny_rows(1)[0]] * 8)
    with trainer.model.disable_adapter(), torch.no_grad():
        expected = score_batch(trainer, batch)
    mask = batch["completion_mask"].bool()
    assert torch.equal(batch["ref_per_token_logps"][mask], expected[mask])
    with torch.no_grad():
        adapted = score_batch(trainer, batch)
    assert (adapted - expected)[mask].abs().max() > 1e-4


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("batch", [1, 8])
def test_text_only_rows_and_several_images_together(tmp_path, batch):
    changes = {"per_device_train_batch_size": batch, "gradient_accumulation_steps": 8 // batch}
    rows = tiny_rows(6, images=(0, 1, 2))
    trainer = make(tmp_path, rows, method="noisygrpo", max_steps=3, beta=0.0, **changes)
    trainer.train()
    levels = {}
    for record in lines(tmp_path / "rollouts.jsonl"):
        images = int(record["example_id"].split("-")[1]) % 3
        levels.setdefault(images, set()).add(record["noise_level"])
        assert len(record["noise_seed"]) == (images if record["noise_level"] else 0)
    assert levels == {0: {0.0}, 1: {0.0, 0.3, 0.6, 0.9}, 2: {0.0, 0.3, 0.6, 0.9}}


def test_micro_batches_give_the_parameters_of_one_batch(tmp_path):
    results = []
    for batch in (8, 2):
        trainer = make(
            tmp_path / str(batch),
            method="noisygrpo",
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=8 // batch,
        )
        trainer.train()
        results.append(dict(trainer.model.named_parameters()))
    for name, value in results[0].items():
        assert torch.allclose(value, results[1][name], atol=1e-5), name


def flat(counts):
    """A batch as LLaVA's: one row of pixels an image, sizes beside them."""
    total = sum(counts)
    return {
        "input_ids": torch.arange(len(counts))[:, None],
        "num_images": list(counts),
        "pixel_values": torch.arange(total)[:, None],
        "image_sizes": torch.arange(total)[:, None].expand(-1, 2),
        "token_type_ids": None,
    }


def padded(counts):
    """A batch as Idefics': pixels padded to one row a sample."""
    return {
        "input_ids": torch.arange(len(counts))[:, None],
        "num_images": list(counts),
        "pixel_values": torch.arange(len(counts))[:, None, None].expand(-1, max(counts), 1),
        "pixel_attention_mask": torch.arange(len(counts))[:, None],
    }


def test_rows_take_their_own_pixels():
    chosen = select_rows(flat([1, 0, 2, 1]), [2, 0])
    assert chosen["num_images"] == [2, 1] and chosen["pixel_values"].flatten().tolist() == [1, 2, 0]
    assert chosen["image_sizes"][:, 0].tolist() == [1, 2, 0]
    assert chosen.keys() == {"input_ids", "num_images", "pixel_values", "image_sizes"}
    chosen = select_rows(padded([2, 1, 2]), [2, 2, 1])
    assert chosen["pixel_values"][:, 0, 0].tolist() == [2, 2, 1]
    assert chosen["pixel_attention_mask"].flatten().tolist() == [2, 2, 1]
    chosen = select_rows(padded([1, 0, 2]), [2, 0])  # as many images as rows
    assert chosen["pixel_values"][:, 0, 0].tolist() == [2, 0]


def test_rows_without_images_have_nothing_of_them():
    for batch in (flat([1, 0, 2, 0]), flat([0, 0, 0, 0])):
        assert select_rows(batch, [1, 3]).keys() == {"input_ids"}
    assert select_rows({"input_ids": torch.arange(3), "pixel_values": None}, [1])["input_ids"] == 1


@pytest.mark.parametrize(("size", "parts"), [(1, 4), (3, 2), (4, 1), (7, 1)])
def test_chunks_are_the_batch(size, parts):
    batch = flat([1, 0, 2, 1])
    found = list(chunks(batch, size))
    assert len(found) == parts
    assert torch.cat([part["input_ids"] for part in found]).equal(batch["input_ids"])
    pixels = [part["pixel_values"] for part in found if "pixel_values" in part]
    assert torch.cat(pixels).equal(batch["pixel_values"])
    counts = chain.from_iterable(part.get("num_images", [0]) for part in found)
    assert list(counts) == [1, 0, 2, 1]


def test_a_number_has_no_rows():
    number = torch.tensor(3)
    assert take(number, [0]) is number and take([4, 5], [1, 1]) == [5, 5]
