"""What ``released`` brings back, in the trainer: pictures, scores, advantages, hints."""

import json

import numpy as np
import pytest
import torch

from noisygrpo.errors import UserError
from noisygrpo.methods.noise import perturb
from noisygrpo.training.hints.prompts import row_hints
from noisygrpo.training.released import DEFECTS, released_lines
from tiny import tiny_rows
from tiny_hints import hinted
from tiny_trainer import make, train_and_see


def seen_and_scored(folder, **changes):
    """One step on two rows: each rollout's record, and the pixels that each side was given."""
    trainer = make(folder, tiny_rows(2), max_steps=1, shuffle_dataset=False, **changes)
    return trainer, *train_and_see(trainer)


def pixels(trainer, pictures):
    return trainer.processing_class.image_processor(pictures, return_tensors="pt")["pixel_values"]


def redrawn(trainer, record, **how):
    (image,) = next(
        row["images"] for row in trainer.train_dataset if row["example_id"] == record["example_id"]
    )
    if not record["noise_seed"]:
        return image
    seed = np.random.SeedSequence(int(record["noise_seed"][0], 16))
    return perturb(image, record["noise_level"], seed, **how)


def in_any_order(patches):
    return sorted(patches.sum(1).tolist())  # TRL shuffles the rows that it scores


def test_noisygrpo_scores_on_the_noise_of_its_first_picture(tmp_path):
    names = ["wrap", "truncated_index", "noisy_zero"]
    trainer, records, sampled, scored = seen_and_scored(
        tmp_path, method="noisygrpo", released=names
    )
    how = {"wrap": True, "truncate": True, "zero": True}
    views = [redrawn(trainer, record, **how) for record in records]
    assert [record["noise_level"] for record in records] == [0.0, 0.3, 0.6, 0.9] * 2
    assert all(len(record["noise_seed"]) == 1 for record in records)
    assert torch.equal(sampled, pixels(trainer, views))
    first = [views[0]] * 4 + [views[4]] * 4
    assert in_any_order(scored) == in_any_order(pixels(trainer, first))


def test_an_annealed_half_is_noise_of_index_zero_and_scored_clean(tmp_path):
    changes = {"method": "noisyrollout", "noise_decay": "linear"}  # 0 in its last batch
    trainer, records, sampled, scored = seen_and_scored(
        tmp_path, **changes, released=["noisy_zero"]
    )
    assert {record["noise_level"] for record in records} == {0.0}
    assert [len(record["noise_seed"]) for record in records] == [0, 0, 1, 1] * 2
    views = [redrawn(trainer, record, zero=True) for record in records]
    apart = np.asarray(views[2], dtype=float) - np.asarray(views[0])
    assert apart.std() == pytest.approx(0.00473 * 255, rel=0.05)
    assert torch.equal(sampled, pixels(trainer, views))
    clean = [views[0]] * 4 + [views[4]] * 4
    assert in_any_order(scored) == in_any_order(pixels(trainer, clean))


def nearly(rollout_index, **columns):
    return [1 + 1e-4 * (index % 2) for index in rollout_index]


def test_epsilon_of_the_advantage(tmp_path):
    trainer = make(tmp_path, rewards=(nearly,), released=["epsilon"])
    inputs = [row for row in tiny_rows(2) for _ in range(4)]
    advantages = trainer._generate_and_score_completions(inputs)["advantages"]
    std = 1e-4 / 3**0.5
    wanted = torch.tensor([-1.0, 1.0] * 4) * 5e-5 / (std + 1e-6)
    assert torch.allclose(advantages, wanted, rtol=1e-3)  # a float32 reward near 1 has 7 digits


def correct(rollout_index, example_id, **columns):
    """Row 0: a noisy rollout beats the clean one. Row 1: none does."""
    said = {"row-0": [0.0, 1.0, 0.0, 0.5], "row-1": [1.0, 1.0, 0.0, 0.5]}
    return [said[name][n] for name, n in zip(example_id, rollout_index, strict=True)]


def test_noisy_rollouts_that_beat_the_clean_one_train_nothing(tmp_path):
    changes = {"method": "noisygrpo", "loss_type": "grpo", "released": ["mask_noise_correct"]}
    trainer = make(tmp_path, tiny_rows(2), (correct,), **changes)
    inputs = [row for row in tiny_rows(2) for _ in range(4)]
    batch = trainer._generate_and_score_completions(inputs)
    kept = batch["tool_mask"][:, 0].tolist()
    assert kept == [1, 0, 1, 0, 1, 1, 1, 1]
    trainer.current_gradient_accumulation_steps = 1
    # Without clipping and KL the loss is the mean over all rows of -A, or 0 for these.
    wanted = -(batch["advantages"] * torch.tensor(kept)).mean()
    loss = trainer._compute_loss(trainer.model, batch)
    assert loss.item() == pytest.approx(wanted.item(), abs=1e-6)
    assert loss.item() != pytest.approx(-batch["advantages"].mean().item(), abs=1e-3)


@pytest.mark.parametrize("released", [None, ["think_at_level_0"]])
def test_the_template_without_a_hint_at_level_0(tmp_path, released):
    trainer = hinted(tmp_path, hint_template="<think>{hint}", released=released)
    text = "<think>" if released else ""
    assert row_hints(trainer.args, "Step 1: a. Step 2: b. Step 3: c.")[0].text == text
    asked, generate = [], trainer.model.generate
    trainer.model.generate = lambda **inputs: asked.append(inputs) or generate(**inputs)
    trainer.train()
    begin = trainer._tokenizer(text or "assistant\n")["input_ids"]
    assert asked[0]["input_ids"][:, -len(begin) :].tolist() == [begin] * 8
    plain = [rollout for rollout in trainer.made.rollouts if rollout.hint.level == 0]
    assert plain and all(one.prompt_ids[-len(begin) :] == begin for one in plain)
    path = tmp_path / "rollouts.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    first = [record for record in records if record["hint_level"] == 0]
    assert first and {record["hint"] for record in first} == {text}
    assert all(record["completion"].startswith(text) for record in first)


def test_scores_at_temperature_1_are_of_what_was_sampled_at_another(tmp_path):
    sampled_at, log_probs = [], []
    for number, released in enumerate((None, ["score_at_1"])):
        changes = {"temperature": 0.5, "released": released, "max_steps": 1}
        trainer = make(tmp_path / str(number), tiny_rows(2), **changes)
        sampled_at.append(trainer.generation_config.temperature)
        ids = torch.tensor([[65, 66, 67, 68, 69, 70]])
        scores = trainer._get_per_token_logps_and_entropies(
            trainer.model, ids, torch.ones_like(ids), 3
        )
        logits = trainer.model(input_ids=ids).logits[:, 2:-1] / (1.0 if released else 0.5)
        wanted = logits.log_softmax(-1).gather(-1, ids[:, 3:, None])[..., 0]
        assert torch.allclose(scores[0], wanted, atol=1e-5)
        log_probs.append(scores[0])
        trainer.train()
        assert trainer.args.temperature == 0.5
    assert sampled_at == [0.5, 0.5]
    assert not torch.allclose(*log_probs, atol=1e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"released": ["warp"]}, "'warp' is not one of wrap.*; did you mean 'wrap'"),
        ({"released": ["epsilon", "epsilon"]}, "'epsilon' is named twice"),
        ({"released": ["wrap"]}, "'wrap' has no effect.*noisy views of noise_kind gaussian"),
        (
            {"released": ["wrap"], "method": "noisygrpo", "noise_kind": "patch_mask"},
            "'wrap' has no effect",
        ),
        ({"released": ["truncated_index"]}, "'truncated_index' has no effect"),
        (
            {"released": ["noisy_zero"], "method": "noisygrpo", "view_plan": "uniform"},
            "'noisy_zero' has no effect.*view_plan grid or split",
        ),
        ({"released": ["mask_noise_correct"]}, "'mask_noise_correct' has no effect"),
        ({"released": ["epsilon"], "method": "noisygrpo"}, "'epsilon' has no effect"),
        ({"released": ["epsilon"], "scale_rewards": "none"}, "'epsilon' has no effect"),
        ({"released": ["think_at_level_0"], "method": "hint_grpo"}, "hint_template with text"),
        ({"released": ["think_at_level_0"]}, "'think_at_level_0' has no effect"),
        ({"released": ["score_at_1"]}, "'score_at_1' has no effect.*temperature other than 1"),
        ({"released": "wrap"}, "released: 'wrap' is not a list"),
    ],
)
def test_what_would_do_nothing_is_refused(tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        make(tmp_path, **changes)


def test_check_lists_what_is_on():
    rewards = [{"name": "noisyrollout", "form": "r1v"}, {"name": "semantic", "compat": True}]
    lines = released_lines({"released": ["wrap", "epsilon"]}, rewards)
    assert [line.split(":")[0] for line in lines] == [
        "wrap", "epsilon", "reward noisyrollout", "reward semantic",
    ]  # fmt: skip
    assert lines[0].endswith(DEFECTS["wrap"].says)
    assert released_lines({"released": None}, [{"name": "accuracy"}]) == []
