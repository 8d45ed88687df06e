"""A resumed run is the run that was not stopped: weights, rows, noise, rollouts."""

import json

import pytest
import torch
from peft import LoraConfig
from safetensors.torch import load_file
from transformers import Qwen2_5_VLForConditionalGeneration
from trl.trainer.utils import RepeatSampler

from noisygrpo.training.checkpoints import EpochSampler
from tiny import tiny_rows
from tiny_trainer import make

STEPS = 5


def distinct(completion_ids, **columns):
    return [float(len(set(ids))) for ids in completion_ids]


def start(folder, lora=None, **changes):
    """Two prompts a step from four rows: an epoch is two steps."""
    settings = {"method": "noisygrpo", "max_steps": STEPS, "learning_rate": 0.01, "save_steps": 1}
    settings |= {"save_strategy": "steps", **changes}
    return make(folder, tiny_rows(4), (distinct,), None, lora, **settings)


def steps_of(folder):
    return [
        json.loads(line)["step"]
        for line in (folder / "rollouts.jsonl").read_text().split("\n")
        if line
    ]


@pytest.mark.parametrize("lora", [None, LoraConfig(target_modules=["q_proj", "v_proj"])])
def test_every_checkpoint_goes_on_to_the_same_end(tmp_path, lora):
    start(tmp_path, lora).train()
    name = "model.safetensors" if lora is None else "adapter_model.safetensors"
    rollouts = (tmp_path / "rollouts.jsonl").read_text()
    end = load_file(tmp_path / f"checkpoint-{STEPS}" / name)
    first = load_file(tmp_path / "checkpoint-1" / name)
    assert any(not torch.equal(first[key], end[key]) for key in end)
    for step in (1, 2, 3, 4):  # inside the first epoch, at its end, and the same of the second
        start(tmp_path, lora).train(resume_from_checkpoint=str(tmp_path / f"checkpoint-{step}"))
        assert (tmp_path / "rollouts.jsonl").read_text() == rollouts
        again = load_file(tmp_path / f"checkpoint-{STEPS}" / name)
        assert all(torch.equal(again[key], end[key]) for key in end)


def test_best_checkpoint_is_read_by_from_pretrained(tmp_path):
    trainer = start(tmp_path, max_steps=2)
    trainer.train()
    best = tmp_path / "checkpoint-1"
    trainer.state.best_model_checkpoint = str(best)
    trainer._load_best_model()
    saved = Qwen2_5_VLForConditionalGeneration.from_pretrained(best).state_dict()
    loaded = trainer.model.state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in saved.items())


def test_any_epoch_has_the_order_of_the_plain_sampler():
    plain, own = (kind(range(10), 2, 2, seed=7) for kind in (RepeatSampler, EpochSampler))
    orders = [list(plain) for _ in range(4)]
    assert orders[0] != orders[1]
    for epoch in (2, 0, 3):
        own.set_epoch(epoch)
        assert list(own) == orders[epoch]


@pytest.mark.parametrize("shared_prefix", [False, True])
def test_resumed_inside_a_batch_of_rollouts_keeps_its_rhythm(tmp_path, shared_prefix):
    changes = {"per_device_train_batch_size": 4, "steps_per_generation": 2, "max_steps": 4}
    changes["shared_prefix"] = shared_prefix
    start(tmp_path, **changes).train()
    assert sorted(set(steps_of(tmp_path))) == [1, 3]
    start(tmp_path, **changes).train(resume_from_checkpoint=str(tmp_path / "checkpoint-1"))
    assert sorted(set(steps_of(tmp_path))) == [1, 2, 3]
