"""Training with shared prefixes is training: same losses, norms and completions, less work."""

import inspect
import logging
from collections import Counter

import pytest
import torch
from peft import LoraConfig
from transformers import Qwen2_5_VLForConditionalGeneration
from trl.trainer import grpo_trainer

from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.prefix import shared as shared_prefix
from tiny import tiny_qwen25vl, tiny_rows, tiny_saved, tiny_settings
from tiny_hints import hinted, lines, rows
from tiny_trainer import build_trainer


def reward(completions, rollout_index, **columns):
    texts = [completion[0]["content"] for completion in completions]
    return [
        len(set(text)) / 8 + index / 7 for text, index in zip(texts, rollout_index, strict=True)
    ]


LORA = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)

SPLIT = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4}

CASES = {
    "twenty steps": ({"max_steps": 20, "beta": 0.04, "num_iterations": 2}, None),
    "noisy views": ({"method": "noisygrpo", "log_view_ratio": True, "max_steps": 4}, None),
    "reference, reuse, parts of groups": ({"beta": 0.04, "num_iterations": 2, **SPLIT}, None),
    "whole groups accumulated": (
        {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2, "beta": 0.04},
        None,
    ),
    "groups across micro-batches": (
        {"per_device_train_batch_size": 6, "gradient_accumulation_steps": 2},
        None,
    ),
    "adapter and its reference": ({"beta": 0.04, "num_iterations": 2}, LORA),
    "frozen tower": ({"freeze_vision_tower": True, "beta": 0.04, "num_iterations": 2}, None),
    "checkpointing": ({"gradient_checkpointing": True}, None),
    "truncated completions masked, temperature": (
        {"mask_truncated_completions": True, "temperature": 0.6, "max_completion_length": 12},
        None,
    ),
}


def run(tmp_path, folder, changes, lora=None, **more):
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, dtype="float32")
    _, processor = tiny_qwen25vl()
    settings = {"max_steps": 6, **changes, **more}
    config = NoisyGRPOConfig(**tiny_settings(tmp_path, **settings))
    rows = tiny_rows(8, images=(1, 2, 0, 1))
    trainer = build_trainer(model, processor, config, rows, [reward], peft_config=lora)
    trainer.train()
    return trainer


def history(trainer, name):
    return torch.tensor([entry[name] for entry in trainer.state.log_history if name in entry])


@pytest.mark.parametrize("case", CASES)
def test_a_run_agrees_with_the_plain_path(tmp_path, case, caplog):
    changes, lora = CASES[case]
    folder, _ = tiny_saved()
    plain = run(tmp_path / "plain", folder, changes, lora)
    with caplog.at_level(logging.WARNING, logger=shared_prefix.__name__):
        shared = run(tmp_path / "shared", folder, changes, lora, shared_prefix=True)
    assert not caplog.records and shared._scorer.shared and not plain._scorer.shared
    for name in ("loss", "grad_norm", "entropy", *(("kl",) if "beta" in changes else ())):
        one, other = history(plain, name), history(shared, name)
        assert len(one) == shared.state.max_steps and one.abs().max() > 0, name
        assert (one - other).abs().max() <= 1e-4 * max(float(one.abs().max()), 0.01), name
    assert list(plain._logs["completion"]) == list(shared._logs["completion"])
    ratios = [name for name in shared.state.log_history[0] if name.startswith("view_ratio")]
    assert bool(ratios) == ("log_view_ratio" in changes)
    for name in ratios:
        assert torch.allclose(history(plain, name), history(shared, name), atol=1e-4)


def test_forwards_are_one_per_group_and_see_its_prompt_once(tmp_path):
    folder, _ = tiny_saved()
    shapes, images = [], []
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, dtype="float32")
    _, processor = tiny_qwen25vl()
    config = NoisyGRPOConfig(**tiny_settings(tmp_path, max_steps=1, shared_prefix=True))
    trainer = build_trainer(model, processor, config, tiny_rows(4), [reward])
    original = trainer._compute_loss

    def compute_loss(wrapped, inputs):
        hooks = [
            model.model.language_model.register_forward_pre_hook(
                lambda module, args, kwargs: shapes.append(kwargs["inputs_embeds"].shape),
                with_kwargs=True,
            ),
            model.model.visual.register_forward_pre_hook(
                lambda module, args, kwargs: images.append(len(kwargs["grid_thw"])),
                with_kwargs=True,
            ),
        ]
        loss = original(wrapped, inputs)
        for hook in hooks:
            hook.remove()
        prompt = int(inputs["prompt_mask"].sum(1).max())
        completion = int(inputs["completion_mask"].sum(1).max())
        assert shapes == [(2, prompt - 1 + 4 * completion, 32)]
        return loss

    trainer._compute_loss = compute_loss
    trainer.train()
    assert images == [2]  # of eight rows


@pytest.mark.parametrize("size", [2, 4, 8])
def test_micro_batches_hold_groups_or_parts_of_one(tmp_path, size):
    folder, _ = tiny_saved()
    changes = {"per_device_train_batch_size": size, "gradient_accumulation_steps": 8 // size}
    seen = []
    shared = run(tmp_path, folder, {**changes, "max_steps": 1}, shared_prefix=True)
    for batch in shared._buffered_inputs:
        prompts = Counter(tuple(row) for row in batch["prompt_ids"].tolist())
        seen.append(sorted(prompts.values()))
    assert seen == {2: [[2]] * 4, 4: [[4]] * 2, 8: [[4, 4]]}[size]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("eager", "attn_implementation 'sdpa', not 'eager'"),
        ("family", "not checked for model type 'mistral3'"),
    ],
)
def test_where_it_does_not_hold_rows_are_scored_and_it_is_said_once(tmp_path, caplog, change, why):
    folder, processor = tiny_saved()
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, dtype="float32")
    if change == "eager":
        model.set_attn_implementation("eager")
    settings = tiny_settings(tmp_path, shared_prefix=True)
    with pytest.MonkeyPatch.context() as patch:
        if change == "family":
            patch.setitem(model.config.__dict__, "model_type", "mistral3")
        with caplog.at_level(logging.WARNING, logger=shared_prefix.__name__):
            trainer = build_trainer(
                model, processor, NoisyGRPOConfig(**settings), tiny_rows(4), [reward]
            )
            if change == "family":
                patch.undo()
            trainer.train()
    assert len(caplog.records) == 1 and why in caplog.text
    assert "scored row by row" in caplog.text
    assert len(history(trainer, "loss")) == 2


def test_a_batch_that_does_not_fit_is_scored_by_rows(tmp_path, caplog):
    """A prompt that ends with an image: its token must not be repeated."""
    folder, _ = tiny_saved()
    with (
        caplog.at_level(logging.WARNING, logger=shared_prefix.__name__),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(shared_prefix, "image_token_ends", lambda batch, model: True)
        trainer = run(tmp_path / "a", folder, {"max_steps": 2}, shared_prefix=True)
    assert [record.message.count("ends with an image") for record in caplog.records] == [1]
    assert len(history(trainer, "loss")) == 2


def test_trl_still_shuffles_and_splits_as_the_seam_does():
    """If this fails, compare TRL's ``_prepare_inputs`` with ``SharedPrefixSeam``'s."""
    source = inspect.getsource(grpo_trainer.GRPOTrainer._prepare_inputs)
    for line in (
        "generate_every = self.args.steps_per_generation * self.num_iterations",
        "self._step % generate_every == 0 or self._buffered_inputs is None",
        "split_pixel_values_by_grid(generation_batch)",
        "shuffle_sequence_dict(generation_batch)",
        "split_tensor_dict(generation_batch, self.args.steps_per_generation)",
        "unsplit_pixel_values_by_grid(batch)",
        "self._buffered_inputs[self._step % self.args.steps_per_generation]",
    ):
        assert line in source


@pytest.mark.parametrize("batch", [16, 8])
def test_shared_prefixes_with_hints_give_the_same_update(tmp_path, batch):
    results = []
    for shared in (False, True):
        trainer = hinted(
            tmp_path / str(shared),
            rows(images=(1, 2)),
            shared_prefix=shared,
            num_iterations=2,
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=16 // batch,
            optim="sgd",
            learning_rate=0.1,
        )
        trainer.train()
        assert bool(trainer._scorer.shared) == shared
        records = lines(tmp_path / str(shared) / "rollouts.jsonl")
        results.append((records, dict(trainer.model.named_parameters())))
    assert results[0][0] == results[1][0]
    assert any(record["hint"] for record in results[0][0])
    for name, value in results[0][1].items():
        assert torch.allclose(value, results[1][1][name], atol=1e-5), name
