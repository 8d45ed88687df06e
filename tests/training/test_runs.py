"""What a run logs, keeps, freezes, bans and refuses."""

import json
import math

import pandas as pd
import pytest
import torch
from peft import LoraConfig
from transformers import Qwen2_5_VLForConditionalGeneration
from trl import GRPOTrainer

from noisygrpo.methods.advantages import bayesian_posterior
from noisygrpo.methods.noise import perturb
from noisygrpo.training import rollout as rollouts
from noisygrpo.training.prefix.rows import score_batch
from tiny import tiny_image, tiny_rows
from tiny_trainer import by_index, length, make

METRICS = [
    "loss",
    "reward",
    "entropy",
    "num_tokens",
    "tokens_per_second",
    "advantage/gain",
    "advantage/unscorable",
    "advantage/prior_driven",
    "advantage/zero_groups",
    "rewards/by_index/mean",
    "rewards/length/mean",
    "completions/mean_length",
    "completions/clipped_ratio",
    "time/noise",
    "time/generate",
    "time/score",
    "time/reward",
    "time/update",
    "time/view_ratio",
    "step_time",
]


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def noisy_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("noisy")
    rewards, weights = (by_index, length), [1.0, 0.5]
    changes = {"method": "noisygrpo", "log_view_ratio": True, "max_steps": 3}
    make(folder, None, rewards, weights, None, **changes).train()
    return folder


def test_noisygrpo_run_leaves_rollouts(noisy_run):
    records = lines(noisy_run / "rollouts.jsonl")
    assert len(records) == 3 * 8
    assert [record["step"] for record in records] == [1] * 8 + [2] * 8 + [3] * 8
    for start in range(0, 24, 4):
        group = records[start : start + 4]
        assert len({record["example_id"] for record in group}) == 1
        assert [record["rollout_index"] for record in group] == [0, 1, 2, 3]
        assert [record["noise_level"] for record in group] == [0.0, 0.3, 0.6, 0.9]
        seeds = [seed for record in group for seed in record["noise_seed"]]
        assert len(seeds) == len(set(seeds)) == 3
        assert group[0]["prompt"][0]["content"].startswith("Question")
        reward = torch.tensor([[record["reward"] for record in group]])
        levels = torch.tensor([[record["noise_level"] for record in group]])
        expected = bayesian_posterior(reward, levels).advantages[0].tolist()
        assert [record["advantage"] for record in group] == pytest.approx(expected, abs=1e-6)
        for record in group:
            parts = record["rewards"]
            assert parts["by_index"] == record["rollout_index"] % 2
            assert record["reward"] == pytest.approx(parts["by_index"] + 0.5 * parts["length"])
            assert parts["length"] == pytest.approx(len(record["completion"]) / 10)


def test_noisygrpo_run_leaves_metrics(noisy_run):
    metrics = lines(noisy_run / "metrics.jsonl")
    assert [entry["step"] for entry in metrics] == [1, 2, 3, 3]
    for entry in metrics[:3]:
        for name in METRICS:
            assert math.isfinite(entry[name]), name
        at_level = {f"reward/level_{level}" for level in ("0.0", "0.3", "0.6", "0.9")}
        assert {name for name in entry if name.startswith("reward/level")} == at_level
        ratios = {f"view_ratio/token/level_{level}" for level in ("0.3", "0.6", "0.9")}
        assert {name for name in entry if name.startswith("view_ratio/token")} == ratios
        assert all(entry[name] != 0 for name in ratios)
        parts = (value for name, value in entry.items() if name.startswith("time/"))
        assert sum(parts) >= entry["step_time"]  # TRL's clock runs inside ours


def test_noise_can_be_made_again_from_the_log(tmp_path):
    trainer = make(tmp_path, method="noisygrpo", max_steps=1)
    trainer.train()
    record = lines(tmp_path / "rollouts.jsonl")[3]
    rollout = trainer.made.rollouts[3]
    image = tiny_image(1)
    again = perturb(image, record["noise_level"], torch_seed(record["noise_seed"][0]))
    assert again.tobytes() == rollout.see([image])[0].tobytes() != image.tobytes()


def torch_seed(text):
    import numpy as np

    return np.random.SeedSequence(int(text, 16))


def test_prior_driven_counts_groups_without_reward_signal(tmp_path):
    def one_group_only(example_id, rollout_index, **columns):
        first = example_id[0]
        return [
            float(index == 0) if name == first else 1.0
            for name, index in zip(example_id, rollout_index, strict=True)
        ]

    trainer = make(tmp_path, rewards=(one_group_only,), method="noisygrpo", max_steps=1)
    trainer.train()
    entry = trainer.state.log_history[0]
    assert entry["advantage/prior_driven"] == 0.5
    assert entry["advantage/gain"] == pytest.approx((0.90909 + 0.27778) / 2, abs=1e-4)


def test_a_rollout_without_any_reward_is_counted_and_gets_no_advantage(tmp_path):
    def sometimes(rollout_index, **columns):
        return [None if index == 1 else float(index) for index in rollout_index]

    trainer = make(tmp_path, rewards=(sometimes,), method="noisygrpo", max_steps=1)
    trainer.train()
    assert trainer.state.log_history[0]["advantage/no_reward"] == 0.25
    assert trainer.state.log_history[0]["advantage/unscorable"] == 0
    for record in lines(tmp_path / "rollouts.jsonl"):
        if record["rollout_index"] == 1:
            assert record["reward"] is None and record["advantage"] == 0.0


def test_view_ratio_is_what_scoring_the_view_itself_gives(tmp_path, monkeypatch):
    def same_completions(trainer, prompt_ids, images, fields, *args, **kwargs):
        return [[65 + row, 66, 67] for row in range(len(prompt_ids))], None

    monkeypatch.setattr(GRPOTrainer, "_generate_single_turn", same_completions)
    row = tiny_rows(1)[0]
    settings = {"num_generations": 4, "per_device_train_batch_size": 4}
    noisy = make(tmp_path, tiny_rows(1), method="noisygrpo", log_view_ratio=True, **settings)
    batch = noisy._generate_and_score_completions([row] * 4)
    assert torch.equal(batch["view_log_probs"][0], torch.zeros(3))
    for index in (1, 2, 3):
        view = noisy.made.rollouts[index].see(row["images"])
        clean = make(tmp_path, tiny_rows(1), **settings)
        other = clean._generate_and_score_completions([{**row, "images": view}] * 4)
        expected = score_batch(clean, other)[index]
        assert torch.allclose(batch["view_log_probs"][index], expected, atol=1e-6)
        assert not torch.equal(expected, score_batch(noisy, batch)[index])


def test_view_ratio_is_zero_where_views_show_the_image(tmp_path, monkeypatch):
    monkeypatch.setattr(rollouts, "perturb", lambda image, *args: image.copy())
    changes = {"method": "noisygrpo", "log_view_ratio": True, "num_iterations": 2, "max_steps": 2}
    trainer = make(tmp_path, tiny_rows(6, images=(1, 0, 2)), **changes)
    trainer.train()
    entry = trainer.state.log_history[0]
    ratios = [value for name, value in entry.items() if name.startswith("view_ratio/token")]
    assert ratios and all(abs(ratio) < 1e-6 for ratio in ratios)


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


@pytest.mark.parametrize("adapter", [False, True])
def test_frozen_tower_does_not_move(tmp_path, adapter):
    lora = LoraConfig(r=2, target_modules=["q_proj", "qkv"], init_lora_weights=False)
    trainer = make(tmp_path, lora=lora if adapter else None, freeze_vision_tower=True)
    before = {name: value.clone() for name, value in trainer.model.named_parameters()}
    trainer.train()
    moved = {
        n for n, value in trainer.model.named_parameters() if not torch.equal(value, before[n])
    }
    assert any("lora" in name for name in before if "visual" in name) == adapter
    assert moved and not any("visual" in name for name in moved)


def test_parquet_rollouts(tmp_path):
    changes = {"method": "noisygrpo", "rollouts_format": "parquet"}
    make(tmp_path, max_steps=3, **changes).train()
    make(tmp_path, max_steps=2, **changes).train()
    files = sorted(path.name for path in (tmp_path / "rollouts").iterdir())
    assert files == ["step-000001.parquet", "step-000002.parquet"]
    frame = pd.read_parquet(tmp_path / "rollouts" / files[0])
    assert frame["noise_level"].tolist() == [0.0, 0.3, 0.6, 0.9] * 2
    assert not (tmp_path / "rollouts.jsonl").exists()


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


def test_decay_shrinks_levels_over_the_run(tmp_path):
    make(tmp_path, method="noisygrpo", noise_decay="linear", max_steps=4).train()
    top = [record["noise_level"] for record in lines(tmp_path / "rollouts.jsonl")][3::8]
    assert top == pytest.approx([0.9 * 0.75, 0.9 * 0.5, 0.9 * 0.25, 0.0])
