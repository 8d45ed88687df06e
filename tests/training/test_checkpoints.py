"""A resumed run is the run that was not stopped: weights, rows, noise, rollouts."""

import json
import os
import shutil
import time

import pytest
import torch
from peft import LoraConfig
from safetensors.torch import load_file
from transformers import Qwen2_5_VLForConditionalGeneration, TrainerCallback
from trl.trainer.utils import RepeatSampler

from noisygrpo import NoisyGRPOConfig
from noisygrpo.errors import UserError
from noisygrpo.models.sealed import MANIFEST
from noisygrpo.training.checkpoints import UNFINISHED, EpochSampler, newest
from noisygrpo.training.finite import NonFiniteError
from noisygrpo.training.levels.history import NAME
from tiny import tiny_qwen25vl, tiny_rows, tiny_settings
from tiny_trainer import build_trainer, keep_batch, make

STEPS = 5


def distinct(completion_ids, **columns):
    return [float(len(set(ids))) for ids in completion_ids]


def start(folder, lora=None, **changes):
    """Two prompts a step from four rows: an epoch is two steps."""
    settings = {"method": "noisygrpo", "max_steps": STEPS, "learning_rate": 0.01, "save_steps": 1}
    settings |= {"save_strategy": "steps", **changes}
    if "sync_ref_model" not in changes:
        return make(folder, tiny_rows(4), (distinct,), None, lora, **settings)
    model, processor = tiny_qwen25vl()  # TRL reads the reference from the model's folder
    stock = folder.with_name(f"{folder.name}-model")
    model.save_pretrained(stock)
    processor.save_pretrained(stock)
    model = type(model).from_pretrained(stock).train()
    config = NoisyGRPOConfig(**tiny_settings(folder, **settings))
    return keep_batch(build_trainer(model, processor, config, tiny_rows(4), [distinct]))


def steps_of(folder):
    return [
        json.loads(line)["step"]
        for line in (folder / "rollouts.jsonl").read_text().split("\n")
        if line
    ]


LORA = LoraConfig(target_modules=["q_proj", "v_proj"])
REMEMBERS = {"advantage": "level_baseline", "level_weight": "shown", "luck_weight": 0.5}


MOVES = {"beta": 0.1, "sync_ref_model": True, "ref_model_sync_steps": 2}


# Inside the first epoch, at its end, and the same of the second; of what is remembered beside the
# weights, one of each.
@pytest.mark.parametrize(
    ("lora", "changes", "steps"),
    [(None, {}, (1, 2, 3, 4)), (LORA, REMEMBERS, (2, 3)), (None, MOVES, (2, 3))],
    ids=["plain", "levels and adapter", "reference that moves"],
)
def test_every_checkpoint_goes_on_to_the_same_end(tmp_path, lora, changes, steps):
    start(tmp_path, lora, **changes).train()
    name = "model.safetensors" if lora is None else "adapter_model.safetensors"
    rollouts = (tmp_path / "rollouts.jsonl").read_text()
    end = load_file(tmp_path / f"checkpoint-{STEPS}" / name)
    first = load_file(tmp_path / "checkpoint-1" / name)
    assert any(not torch.equal(first[key], end[key]) for key in end)
    for step in steps:
        resumed = start(tmp_path, lora, **changes)
        resumed.train(resume_from_checkpoint=str(tmp_path / f"checkpoint-{step}"))
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


def level_rows(folder, step):
    state = json.loads((folder / f"checkpoint-{step}" / "trainer_state.json").read_text())
    return state["stateful_callbacks"][NAME]["attributes"]["rows"]


@pytest.mark.parametrize("shared_prefix", [False, True])
def test_resumed_inside_a_batch_of_rollouts_keeps_its_rhythm(tmp_path, shared_prefix):
    changes = {"per_device_train_batch_size": 4, "steps_per_generation": 2, "max_steps": 4}
    changes["shared_prefix"] = shared_prefix
    start(tmp_path, **changes).train()
    assert sorted(set(steps_of(tmp_path))) == [1, 3]
    # Inside the first batch, which is sampled again, nothing is known of levels yet.
    assert [bool(level_rows(tmp_path, step)) for step in (1, 2, 3)] == [False, True, True]
    assert level_rows(tmp_path, 3) == level_rows(tmp_path, 2) != level_rows(tmp_path, 4)
    start(tmp_path, **changes).train(resume_from_checkpoint=str(tmp_path / "checkpoint-1"))
    assert sorted(set(steps_of(tmp_path))) == [1, 2, 3]


def saved(tmp_path, steps=3, **changes):
    changes = {"save_strategy": "steps", "save_steps": 1, "max_steps": steps, **changes}
    trainer = make(tmp_path, **changes)
    trainer.train()
    return trainer


def test_a_checkpoint_is_sealed_and_nothing_unfinished_is_left(tmp_path):
    saved(tmp_path)
    assert newest(tmp_path) == (tmp_path / "checkpoint-3", [])
    assert not (tmp_path / UNFINISHED).exists()
    manifest = json.loads((tmp_path / "checkpoint-2" / MANIFEST).read_text())
    assert {"model.safetensors", "optimizer.pt", "trainer_state.json"} <= set(manifest["files"])


def test_the_newest_whole_checkpoint_is_found_and_the_others_are_named(tmp_path):
    saved(tmp_path)
    (tmp_path / "checkpoint-10").mkdir()  # 10 is newer than 9, whatever the letters say
    path = tmp_path / "checkpoint-3" / "optimizer.pt"
    path.write_bytes(bytes(path.stat().st_size))
    found, skipped = newest(tmp_path)
    assert found == tmp_path / "checkpoint-2"
    assert skipped == [
        "checkpoint-10 is left out: it was not written to its end, or is damaged",
        "checkpoint-3 is left out: optimizer.pt is not as it was written",
    ]
    (tmp_path / "empty").mkdir()
    assert newest(tmp_path / "empty") == (None, [])


def test_a_checkpoint_of_an_earlier_release_has_no_manifest(tmp_path):
    saved(tmp_path, steps=2)
    for step in (1, 2):
        (tmp_path / f"checkpoint-{step}" / MANIFEST).unlink()
    assert newest(tmp_path) == (tmp_path / "checkpoint-2", [])
    (tmp_path / "checkpoint-2" / "trainer_state.json").unlink()  # killed before the last file
    found, skipped = newest(tmp_path)
    assert found == tmp_path / "checkpoint-1" and len(skipped) == 1
    state = tmp_path / "checkpoint-1" / "trainer_state.json"
    state.write_text(state.read_text().replace('"global_step": 1', '"global_step": 0'))
    assert newest(tmp_path)[0] is None


def test_a_killed_save_leaves_the_last_checkpoint_and_is_cleared_away(tmp_path):
    (tmp_path / UNFINISHED / "checkpoint-1").mkdir(parents=True)
    (tmp_path / UNFINISHED / "checkpoint-1" / "model.safetensors").write_bytes(b"x")
    assert newest(tmp_path) == (None, [])
    saved(tmp_path, steps=2)
    assert newest(tmp_path) == (tmp_path / "checkpoint-2", [])
    assert not (tmp_path / UNFINISHED).exists()


def test_a_checkpoint_of_another_step_or_without_its_manifest_is_left_out(tmp_path):
    saved(tmp_path, steps=3)
    shutil.rmtree(tmp_path / "checkpoint-3")
    shutil.copytree(tmp_path / "checkpoint-1", tmp_path / "checkpoint-3")  # its manifest fits
    (tmp_path / "checkpoint-2" / MANIFEST).unlink()
    (tmp_path / "checkpoint-2" / "identity.json").write_text("{}")  # only with a manifest
    assert newest(tmp_path) == (
        tmp_path / "checkpoint-1",
        [
            "checkpoint-3 is left out: trainer_state.json is missing or of another step",
            "checkpoint-2 is left out: its manifest.json is missing",
        ],
    )


@pytest.mark.parametrize("lora", [None, LoraConfig(target_modules=["q_proj"])])
def test_weights_under_another_name_are_refused(tmp_path, lora):
    """Without a manifest nothing else would notice: they would begin at random."""
    start(tmp_path, lora, max_steps=1).train()
    folder = tmp_path / "checkpoint-1"
    (folder / MANIFEST).unlink()
    path = next(folder.glob("*.safetensors"))
    one = b"q_proj.lora_A.weight" if lora else b"embed_tokens.weight"
    path.write_bytes(path.read_bytes().replace(one, one[:-1] + b"u", 1))
    with pytest.raises(UserError, match=r"checkpoint-1: .*(weights are missing|another adapter)"):
        start(tmp_path, lora, max_steps=2).train(resume_from_checkpoint=str(folder))


def test_old_checkpoints_go_and_the_newest_stays(tmp_path):
    saved(tmp_path, steps=4, save_total_limit=2)
    assert sorted(path.name for path in tmp_path.glob("checkpoint-*")) == [
        "checkpoint-3",
        "checkpoint-4",
    ]


def test_weights_that_are_no_numbers_are_no_checkpoint(tmp_path):
    trainer = make(tmp_path, save_strategy="steps", save_steps=2, max_steps=2)

    class Spoil(TrainerCallback):
        def on_step_end(self, args, state, control, model=None, **kwargs):
            if state.global_step == 2:
                next(model.parameters()).data[0] = float("nan")

    trainer.add_callback(Spoil())
    with pytest.raises(NonFiniteError, match=r"step 2: .* is not finite any more"):
        trainer.train()
    assert not list(tmp_path.glob("checkpoint-*"))


def test_a_damaged_checkpoint_is_refused_by_name(tmp_path):
    saved(tmp_path, steps=1)
    (tmp_path / "checkpoint-1" / "scheduler.pt").unlink()
    with pytest.raises(UserError, match=r"checkpoint .*checkpoint-1: scheduler.pt is missing"):
        make(tmp_path, max_steps=2).train(resume_from_checkpoint=str(tmp_path / "checkpoint-1"))


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_checkpoint_loads_and_resumed_run_rewrites_its_logs(tmp_path):
    changes = {"method": "noisygrpo", "save_strategy": "steps", "save_steps": 2}
    trainer = make(tmp_path, max_steps=3, **changes)
    trainer.train()
    loaded = Qwen2_5_VLForConditionalGeneration.from_pretrained(tmp_path / "checkpoint-3")
    assert torch.equal(loaded.lm_head.weight, trainer.model.lm_head.weight)

    first = lines(tmp_path / "rollouts.jsonl")
    again = make(tmp_path, max_steps=3, **changes)
    again.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    second = lines(tmp_path / "rollouts.jsonl")
    assert [record["step"] for record in second] == [1] * 8 + [2] * 8 + [3] * 8
    assert second[:16] == first[:16]
    keys = ("example_id", "rollout_index", "noise_level", "noise_seed")
    for one, two in zip(first[16:], second[16:], strict=True):
        assert [one[key] for key in keys] == [two[key] for key in keys]
    assert [entry["step"] for entry in lines(tmp_path / "metrics.jsonl")] == [1, 2, 3, 3]


def test_weights_that_are_no_numbers_are_not_gone_on_from(tmp_path):
    trainer = make(tmp_path, save_strategy="steps", save_steps=1, max_steps=1)
    trainer.train()
    again = make(tmp_path, max_steps=2)
    load = again._load_from_checkpoint

    def spoiled(*args, **kwargs):
        load(*args, **kwargs)
        next(again.model.parameters()).data[0] = torch.nan

    again._load_from_checkpoint = spoiled
    with pytest.raises(UserError, match=r"checkpoint-1: .* holds values that are not finite"):
        again.train(resume_from_checkpoint=str(tmp_path / "checkpoint-1"))


@pytest.mark.parametrize("lost", [True, False])
def test_rollouts_that_are_gone_are_told(tmp_path, lost, capsys):
    make(tmp_path, save_strategy="steps", save_steps=1, max_steps=1).train()
    if lost:
        (tmp_path / "rollouts.jsonl").write_text("")
    make(tmp_path, max_steps=2).train(resume_from_checkpoint=str(tmp_path / "checkpoint-1"))
    told = "rollouts.jsonl: the rollouts of steps 1 to 1 are gone" in capsys.readouterr().err
    assert told == lost


def test_a_reference_that_moves_must_be_in_the_checkpoint(tmp_path):
    start(tmp_path, **MOVES, max_steps=1).train()
    checkpoint = tmp_path / "checkpoint-1"
    (checkpoint / "reference.safetensors").unlink()
    (checkpoint / "manifest.json").unlink()
    with pytest.raises(UserError, match=r"reference\.safetensors is missing; with sync_ref_model"):
        start(tmp_path, **MOVES).train(resume_from_checkpoint=str(checkpoint))


def test_the_checkpoint_that_was_saved_last_stays_whatever_the_clock_says(tmp_path):
    start(tmp_path, max_steps=1).train()
    future = time.time() + 10_000
    os.utime(tmp_path / "checkpoint-1", (future, future))
    start(tmp_path, max_steps=2, save_total_limit=1).train(
        resume_from_checkpoint=str(tmp_path / "checkpoint-1")
    )
    assert [path.name for path in tmp_path.glob("checkpoint-*")] == ["checkpoint-2"]
