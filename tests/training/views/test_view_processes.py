"""Second views and score views on one process and on two: the same weights, metrics, rollouts."""

import sys
from pathlib import Path

import pytest
import torch
from peft import LoraConfig
from safetensors.torch import load_file

from two_processes import by_row_and_rollout, keep_samples, leave, outcome, run_on_two

MASKED = {"second_view": "black_patches", "second_level": 0.6}
RUNS = {
    # sequence weights and the gate are the same on any number of processes, terms add up
    "weights and terms": {
        **MASKED,
        "second_loss": -0.5,
        "second_policy": "current",
        "second_gradient": "both",
        "second_token_mask": 0.5,
        "second_sequence_weight": 0.2,
        "second_reward": 1.0,
        "second_gate": "correct",
        "correct_at": 2.0,
        "sampled_entropy": 0.05,
        "num_iterations": 2,
        "loss_type": "grpo",
    },
    "adapter, detached": {"method": "papo", "second_loss": -0.5, "second_metric": True},
    "all views": {"method": "noisygrpo", "score_view": "all", "num_iterations": 2},
    "own views, text": {
        "method": "noisygrpo",
        "score_view": "own",
        "second_view": "text",
        "second_loss": 0.5,
        "second_gradient": "clean",
        "second_policy": "current",
    },
    "refill": {"groups": "refill", "second_view": "text", "second_sequence_weight": 0.5},
    "all views, compared, refill": {
        **MASKED,
        "view_plan": "split",
        "noise_levels": [0.5],
        "score_view": "all",
        "groups": "refill",
        "second_loss": -0.5,
        "second_policy": "current",
        "second_gradient": "both",
        "second_token_weight": 0.5,
    },
    "corrected": {"method": "noisygrpo", "view_correction": "truncated"},
    "corrected as sampled": {"method": "noisygrpo", "view_correction": "truncated"},
}


def mostly_silent(example_id, rollout_index, **columns):
    """A reward that is equal within the groups of all rows but 0, 3 and 6."""
    rows = [int(name.split("-")[1]) for name in example_id]
    return [1.0 if n % 3 else float(k) for n, k in zip(rows, rollout_index, strict=True)]


def train(output_dir, name, per_device, accumulation):
    from noisygrpo.training.config import NoisyGRPOConfig
    from tiny import tiny_qwen25vl, tiny_rows, tiny_settings
    from tiny_trainer import build_trainer

    model, processor = tiny_qwen25vl()
    with torch.no_grad():  # pictures count for something
        for parameter in model.parameters():
            parameter.mul_(4 if parameter.ndim > 1 else 1)
    settings = tiny_settings(
        output_dir,
        **{"per_device_train_batch_size": per_device, "max_steps": 2},
        gradient_accumulation_steps=accumulation,
        generation_kwargs={"do_sample": False},  # processes draw different samples, but not here
        optim="sgd",
        learning_rate=0.1,
        shared_prefix=True,
        **RUNS[name],
    )
    lora = LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    rows, config = tiny_rows(8, images=(1, 0, 2)), NoisyGRPOConfig(**settings)
    adapter = lora if "adapter" in name else None
    torch.manual_seed(0)
    reward = mostly_silent if "refill" in name else by_row_and_rollout
    trainer = build_trainer(model, processor, config, rows, [reward], None, adapter)
    if "as sampled" not in name:
        keep_samples(trainer)
    trainer.train()
    trainer.save_model(str(output_dir))


def weights(folder):
    return load_file(next(folder.glob("*model.safetensors")))


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    run_on_two(__file__, folder)
    return folder


@pytest.mark.parametrize("name", RUNS)
def test_two_processes_are_one(tmp_path, two_processes, name):
    train(tmp_path, name, per_device=4, accumulation=2)
    found, expected = outcome(two_processes / name), outcome(tmp_path)
    for one, other in zip(found[0], expected[0], strict=True):
        depends = one.pop("visual_dependence", []), other.pop("visual_dependence", [])
        assert depends[0] == pytest.approx(depends[1], abs=1e-4)
        for key in ("reward", "advantage"):
            assert one.pop(key) == pytest.approx(other.pop(key), abs=1e-4)
        assert one == other
    kinds = ("groups", "second_view", "visual_dependence", "view_ratio")
    names = [key for key in expected[1][0] if key.startswith(kinds)]
    assert bool(names) == (name != "all views")
    if "second_view" in RUNS[name]:  # pictures count for something, so that weights differ
        assert max(value for key, value in expected[1][0].items() if key in names) > 1e-3
    for entry, other in zip(found[1], expected[1], strict=True):
        for key in set(names) & entry.keys():
            assert entry[key] == pytest.approx(other[key], abs=1e-4, rel=1e-3), key
    both = weights(two_processes / name), weights(tmp_path)
    for key, value in both[0].items():
        assert torch.allclose(value, both[1][key], atol=2e-5, rtol=1e-3), key
    assert max(entry.get("grad_norm", 0.0) for entry in expected[1]) > 1e-3


if __name__ == "__main__":
    for run in RUNS:
        train(Path(sys.argv[1]) / run, run, per_device=4, accumulation=1)
    leave()
