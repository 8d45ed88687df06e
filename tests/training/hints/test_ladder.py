"""Hint levels in the trainer: which one is trained, on what, and what it costs."""

import pytest
import torch
from datasets import Dataset

from noisygrpo.errors import UserError
from noisygrpo.methods.advantages import bayesian_posterior
from tiny import tiny_rows
from tiny_hints import GREEDY, HINTS, Sampler, batch_of, hinted, hit, lines, rows, text
from tiny_trainer import make


@pytest.mark.parametrize("early", [True, False])
def test_each_prompt_is_trained_at_its_level(tmp_path, monkeypatch, early):
    sampler = Sampler(monkeypatch)
    changes = {"hint_stop_early": early, "per_device_train_batch_size": 20}
    trainer = hinted(tmp_path, **changes)
    names = ["row-0", "row-1", "row-2", "row-3", "row-4"]
    batch = batch_of(trainer, *names)
    expected = [0, 1, 0, 0, 2]
    assert [rollout.hint.level for rollout in trainer.made.rollouts[::4]] == expected
    assert [rollout.hint.ratio for rollout in trainer.made.rollouts[::4]] == [
        0,
        1 / 3,
        0,
        0,
        2 / 3,
    ]
    for row, (ids, mask) in enumerate(zip(batch["prompt_ids"], batch["prompt_mask"], strict=True)):
        hint = HINTS[expected[row // 4]]
        assert text(trainer, ids[mask.bool()]).endswith("<|im_start|>assistant\n" + hint)
    # Row 2 has no hint to try; early, rows 0 and then 1 are done.
    assert list(map(len, sampler.calls)) == ([20, 12, 8] if early else [20, 16, 16])
    metrics = trainer._metrics["train"]
    assert metrics["hint/useful"] == [pytest.approx(3 / 5)]
    assert [metrics[f"hint/useful/level_{g}"][0] for g in range(3)] == pytest.approx([0.2] * 3)
    assert metrics["hint/level"] == [pytest.approx(3 / 5)]
    assert metrics["hint/tokens"] == [pytest.approx((len(HINTS[1]) + len(HINTS[2])) / 5)]
    assert metrics["hint/unused_tokens"] == [3 * (20 if early else 32)]
    read = sum(len(ids) + 3 for call in sampler.calls for ids in call)
    assert metrics["num_tokens"] == [read]


def test_hints_are_conditioning_and_never_trained(tmp_path, monkeypatch):
    Sampler(monkeypatch)
    trainer = hinted(tmp_path, rows(images=(1, 2)), per_device_train_batch_size=16)
    batch = batch_of(trainer, "row-4", "row-0", "row-1", "row-3")
    pad = trainer._image_pad_token_id
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], 1)
    assert torch.equal(batch["mm_token_type_ids"] != 0, ids == pad)
    # What is trained is what was sampled, three tokens each, and no more.
    assert batch["completion_ids"].shape == (16, 3)
    assert batch["completion_mask"].sum() == batch["num_items_in_batch"] == 16 * 3


def test_a_hinted_row_is_scored_as_it_is_alone(tmp_path, monkeypatch):
    """Padding, growth of the prompts and shuffling leave each row's log-probs what they are."""
    Sampler(monkeypatch)
    settings = {"num_iterations": 2, "per_device_train_batch_size": 16}
    trainer = hinted(tmp_path, rows(images=(1, 2)), **settings)
    batch = batch_of(trainer, "row-4", "row-0", "row-1", "row-3")
    for row in range(0, 16, 4):
        keep = batch["prompt_mask"][row].bool()
        ids = torch.cat([batch["prompt_ids"][row][keep], batch["completion_ids"][row]])[None]
        images = trainer.made.rows[row]["images"]
        seen = trainer.processing_class.image_processor(images, return_tensors="pt")
        logits = trainer.model(
            input_ids=ids,
            mm_token_type_ids=(ids == trainer._image_pad_token_id).long(),
            pixel_values=seen["pixel_values"],
            image_grid_thw=seen["image_grid_thw"],
        ).logits[:, -4:-1]
        alone = logits.log_softmax(-1).gather(-1, ids[:, -3:, None])[0, :, 0]
        assert torch.allclose(batch["old_per_token_logps"][row], alone, atol=2e-5)


def test_hint_in_the_question(tmp_path, monkeypatch):
    sampler = Sampler(monkeypatch)
    trainer = hinted(tmp_path, rows(images=(1, 2)), hint_place="question")
    batch = batch_of(trainer, "row-1", "row-4")
    question, end = "how many?\n{}<|im_end|>\n", "<|im_start|>assistant\n"
    for row, hint in ((0, HINTS[1]), (4, HINTS[2])):
        prompt = text(trainer, batch["prompt_ids"][row][batch["prompt_mask"][row].bool()])
        assert prompt.endswith(question.format(hint) + end)
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], 1)
    assert torch.equal(batch["mm_token_type_ids"] != 0, ids == trainer._image_pad_token_id)
    assert not trainer._logs["completion"][0][0]["content"].startswith("look")
    assert list(map(len, sampler.calls)) == [8, 8, 4]


@pytest.mark.parametrize("kind", ["gaussian", "rotation"])
def test_hints_under_noise_keep_their_views(tmp_path, monkeypatch, kind):
    sampler = Sampler(monkeypatch)
    noise = {"view_plan": "split", "noise_levels": [0.5], "noise_kind": kind}
    trainer = hinted(tmp_path, advantage="bayesian", **noise)
    batch = batch_of(trainer, "row-4", "row-3")
    assert list(map(len, sampler.calls)) == [8, 8, 8]
    assert torch.equal(torch.as_tensor(sampler.pixels[0]), torch.as_tensor(sampler.pixels[2]))
    plain = make(tmp_path / "plain", rows(), (hit,), **noise)
    batch_of(plain, "row-4", "row-3")
    for hinted_rollout, rollout in zip(trainer.made.rollouts, plain.made.rollouts, strict=True):
        assert hinted_rollout.seeds(1) == rollout.seeds(1)
        assert hinted_rollout.view.level == rollout.view.level
    # Scored with the clean images' tokens, whatever size the views have.
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], 1)
    assert torch.equal(batch["mm_token_type_ids"] != 0, ids == trainer._image_pad_token_id)
    assert (batch["prompt_ids"] == trainer._image_pad_token_id).sum() == 8 * 4
    assert text(trainer, batch["prompt_ids"][0]).endswith("assistant\nlook. count.")
    rewards = torch.tensor([[0.0, 1.0, 0.0, 1.0], [0.0] * 4])
    levels = torch.tensor([[0.0, 0.0, 0.5, 0.5]] * 2)
    expected = bayesian_posterior(rewards, levels).advantages.flatten()
    assert torch.allclose(batch["advantages"].double(), expected.double(), atol=1e-6)


def test_a_run_records_its_hints(tmp_path):
    trainer = hinted(tmp_path, max_steps=3)
    trainer.train()
    records = lines(tmp_path / "rollouts.jsonl")
    assert {record["example_id"]: record["hint_level"] for record in records}.items() <= {
        ("row-0", 0),
        ("row-1", 1),
        ("row-2", 0),
        ("row-3", 0),
        ("row-4", 2),
    }
    assert {record["hint_level"] for record in records} >= {0, 1}
    for record in records:
        assert record["hint"] == HINTS[record["hint_level"]]
        assert record["hint_ratio"] == record["hint_level"] / 3
        assert record["completion"].startswith(record["hint"])
        assert record["completion_tokens"] <= 6
        assert (
            record["reward"]
            == hit([record["example_id"]], [record["hint_level"]], [record["rollout_index"]]).pop()
        )
    for entry in lines(tmp_path / "metrics.jsonl")[:3]:
        assert 0 <= entry["hint/useful"] <= 1 and entry["hint/unused_tokens"] >= 0
        assert entry["advantage/zero_groups"] == pytest.approx(1 - entry["hint/useful"])


def test_stopping_early_trains_the_same(tmp_path):
    outcomes = []
    for early in (True, False):
        trainer = hinted(tmp_path / str(early), hint_stop_early=early, max_steps=3)
        trainer.train()
        unused = [entry["hint/unused_tokens"] for entry in trainer.state.log_history[:3]]
        records = lines(tmp_path / str(early) / "rollouts.jsonl")
        outcomes.append((records, dict(trainer.model.named_parameters()), sum(unused)))
    (some, one, fewer), (every, other, more) = outcomes
    assert some == every and fewer < more
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_evaluation_has_no_hints(tmp_path, monkeypatch):
    sampler = Sampler(monkeypatch)
    trainer = make(
        tmp_path, rows(), (hit,), method="hint_grpo", per_device_eval_batch_size=8, **GREEDY
    )
    trainer.eval_dataset = rows(2)
    metrics = trainer.evaluate()
    assert list(map(len, sampler.calls)) == [8]
    assert metrics["eval_reward"] == pytest.approx(0.25)  # only row-0, every other rollout
    assert not any("hint" in name for name in metrics)


def test_resumed_run_gives_the_same_hints(tmp_path):
    changes = {"save_strategy": "steps", "save_steps": 1, "max_steps": 2}
    hinted(tmp_path, **changes).train()
    first = lines(tmp_path / "rollouts.jsonl")
    again = hinted(tmp_path, **changes)
    again.train(resume_from_checkpoint=str(tmp_path / "checkpoint-1"))
    assert lines(tmp_path / "rollouts.jsonl") == first


def test_text_prompts_take_hints(tmp_path, monkeypatch):
    """Rows without images in a batch with images, and hints for both."""
    trainer = hinted(tmp_path, rows(images=(0, 1, 0, 2)), max_steps=2)
    trainer.train()
    records = lines(tmp_path / "rollouts.jsonl")
    assert any(record["hint"] for record in records)


def test_hint_with_an_image_token_is_refused_by_name(tmp_path):
    data = Dataset.from_list(
        [{**row, "reasoning": "Step 1: <|image_pad|>. Step 2: b."} for row in tiny_rows(2)]
    )
    trainer = make(tmp_path, data, method="hint_grpo")
    with pytest.raises(UserError, match="row 'row-0': its hint"):
        trainer._generate_and_score_completions([data[0]] * 8)
