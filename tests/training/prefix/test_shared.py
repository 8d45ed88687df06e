"""Training with shared prefixes is training: same losses, norms and completions, less work."""

import inspect
import logging
from collections import Counter
from contextlib import nullcontext

import pytest
import torch
from peft import LoraConfig
from tests.training.prefix.small_run import reward, run
from transformers import Qwen2_5_VLForConditionalGeneration
from trl.trainer import grpo_trainer

from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.prefix import shared as shared_prefix
from noisygrpo.training.prefix.layout import Prompts
from noisygrpo.training.prefix.shared import SharedPrefix, shuffle_groups
from prefix_scores import cut, head
from tiny import tiny_qwen25vl, tiny_rows, tiny_saved, tiny_settings
from tiny_families import IMAGE, tiny_batch, tiny_family
from tiny_hints import hinted, lines, rows
from tiny_trainer import build_trainer

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
    said = [one.getMessage() for one in caplog.records if one.name == shared_prefix.__name__]
    assert len(said) == 1 and why in said[0]
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


def prompts_of(ids, mask=None):
    ids = torch.tensor(ids)
    mask = torch.ones_like(ids) if mask is None else torch.tensor(mask)
    return Prompts(ids, mask, torch.full((len(ids), 2), 9), torch.ones(len(ids), 2).long())


@pytest.mark.parametrize(
    ("batch", "images", "why"),
    [
        (prompts_of([[10, 11]] * 2), {}, None),
        (prompts_of([[10, 11]] * 2), {"mm_token_type_ids": None, "num_images": [0, 0]}, None),
        (prompts_of([[10, 11]] * 2), {"num_tiles": 1, "spatial_shapes": 1}, "holds num_tiles, spa"),
        (prompts_of([[10, 11]] * 2, [[0, 1]] * 2), {}, "a prompt has a single token"),
        (prompts_of([[10, 11, 12]], [[1, 0, 1]]), {}, "padding between its tokens"),
        (prompts_of([[10, IMAGE], [10, 11]]), {}, "a prompt ends with an image"),
    ],
)
def test_what_cannot_share_is_said_once(batch, images, why, caplog):
    model = tiny_family("qwen2_5_vl")
    kernel = {"kernel": "sdpa", "device": torch.device("cpu"), "autocast": nullcontext}
    shared = SharedPrefix(model, None, **kernel, sharded=False, anyone=bool)
    with caplog.at_level(logging.WARNING, logger=shared_prefix.__name__):
        assert [shared.takes(model, batch, images) for _ in range(2)] == [why is None] * 2
    assert len(caplog.records) == (why is not None) and (why or "") in caplog.text


@pytest.mark.parametrize(
    ("seed", "sharded", "frozen"), [(0, False, True), (1, False, False), (0, True, False)]
)
def test_a_reference_shares_features_only_of_an_equal_tower(seed, sharded, frozen):
    model, reference = tiny_family("qwen2_5_vl"), tiny_family("qwen2_5_vl", seed=seed)
    head(model)
    head(reference)
    for one in (model, reference):
        one.get_encoder(modality="image").requires_grad_(False)
    kernel = {"kernel": "sdpa", "device": torch.device("cpu"), "autocast": nullcontext}
    shared = SharedPrefix(model, reference, **kernel, sharded=sharded, anyone=bool)
    shared.images.start(room=9)
    batch, images = cut(tiny_batch("qwen2_5_vl", [1], [[3, 5]]))
    with torch.no_grad():
        for one in (model, reference):
            log_probs, entropies, aux = shared.score(one, one, batch, images)
            assert log_probs.shape == entropies.shape and aux is None
    kept = shared.images.computed
    assert kept == 1
    shared.images.start(room=9)
    with torch.no_grad():
        shared.score(reference, reference, batch, images)
    assert shared.images.computed - kept == int(frozen)


def test_rows_that_go_apart_keep_pixels_that_are_padded_to_a_row_each():
    """As many pictures as rows, but not one a row: TRL alone takes these for one row a picture."""
    scored = {
        "prompt_ids": torch.arange(4)[:, None],
        "pixel_values": torch.arange(4)[:, None, None] * torch.ones(1, 2, 1),
        "pixel_attention_mask": torch.arange(4)[:, None, None] * torch.ones(1, 2, 1),
        "num_images": [2, 0, 1, 1],
    }
    torch.manual_seed(3)
    drawn = torch.randperm(4).tolist()
    torch.manual_seed(3)
    parts = shuffle_groups(scored, 2, first=0, group=1)
    assert torch.cat([part["prompt_ids"] for part in parts]).flatten().tolist() == drawn
    for name in ("pixel_values", "pixel_attention_mask"):
        assert torch.cat([part[name] for part in parts])[:, 0, 0].tolist() == drawn
    assert [count for part in parts for count in part["num_images"]] == [
        scored["num_images"][row] for row in drawn
    ]


def test_micro_batches_hold_whole_groups_with_their_pixels():
    """Two groups of two; TRL draws one permutation, and so do we."""
    scored = {
        "prompt_ids": torch.tensor([[1], [1], [2], [2]]),
        "advantages": torch.tensor([0.0, 1.0, 2.0, 3.0]),
        "num_items_in_batch": torch.tensor(8),
        "pixel_values": torch.arange(4)[:, None],
        "image_grid_thw": torch.tensor([[1, 1, 1]] * 4),
        "num_images": [1, 1, 1, 1],
    }
    torch.manual_seed(3)
    drawn = torch.randperm(4).tolist()
    torch.manual_seed(3)
    parts = shuffle_groups(scored, 2, first=0, group=2)
    firsts = list(dict.fromkeys(row // 2 for row in drawn))
    assert [part["prompt_ids"].flatten().tolist() for part in parts] == [
        [g + 1] * 2 for g in firsts
    ]
    rows = [row for group in firsts for row in drawn if row // 2 == group]
    assert torch.cat([part["advantages"] for part in parts]).tolist() == rows
    assert torch.cat([part["pixel_values"] for part in parts]).flatten().tolist() == rows
    assert all(part["num_items_in_batch"] == 8 and len(part["num_images"]) == 2 for part in parts)
    after = torch.rand(1)
    torch.manual_seed(3)
    torch.randperm(4)
    assert after == torch.rand(1)
