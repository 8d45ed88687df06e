"""Every family: training on noisy views, padding, the image tokens, the tower, calibration, LoRA.

One test per property and family; ``table.py`` makes the table of docs/models.md from the results.
"""

import pytest
import torch
from peft import LoraConfig

from families.tiny_vlm import FAMILIES, tiny_vlm
from noisygrpo.errors import UserError
from noisygrpo.evaluation.generate import Generation, build_inputs, generate_batch
from noisygrpo.methods.calibration import calibrate_logits
from noisygrpo.models.vision import set_pixel_limits, vision_token_ids
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.prefix.rows import score_batch
from tiny import tiny_image, tiny_rows, tiny_settings
from tiny_trainer import build_trainer, keep_batch

every_family = pytest.mark.parametrize("name", FAMILIES)
IMAGE_TOKENS = {
    "Idefics3": "<image>",
    "SmolVLM": "<image>",
    "InternVL": "<IMG_CONTEXT>",
    "Gemma 3": "<image_soft_token>",
    "LLaVA-OneVision": "<image>",
}
GREEDY = {"do_sample": False, "temperature": None}


def by_index(rollout_index, **columns):
    return [float(index % 2) for index in rollout_index]


def make(name, tmp_path, images=(1, 2), lora=None, **changes):
    model, processor = tiny_vlm(name)
    settings = tiny_settings(tmp_path, max_steps=1, max_grad_norm=0.0, **changes)
    config = NoisyGRPOConfig(**{**settings, "optim": "sgd", "learning_rate": 1e-3})
    rows = tiny_rows(len(images), images=images)
    return keep_batch(build_trainer(model, processor, config, rows, [by_index], peft_config=lora))


def weights(model):
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def as_tensor(pixels):
    """Return pixels as one tensor; some processors give a list of arrays or tensors."""
    return torch.stack([torch.as_tensor(item) for item in pixels])


def changed(model, before):
    """Return the names of the parameters that are no longer what they were."""
    return {
        name for name, value in model.named_parameters() if not torch.equal(value, before[name])
    }


def tower_names(model):
    tower = {id(parameter) for parameter in model.get_encoder(modality="image").parameters()}
    return {name for name, value in model.named_parameters() if id(value) in tower}


@every_family
def test_step_on_noisy_views(name, tmp_path, monkeypatch):
    """The sampler sees every rollout's view, the scorer the clean image, and both parts learn."""
    trainer = make(name, tmp_path, method="noisygrpo", shuffle_dataset=False)
    before, batches = weights(trainer.model), []
    original = trainer._generate_and_score_completions

    def record(inputs):
        output = original(inputs)
        views = [r.see(row["images"]) for r, row in zip(trainer.made.rollouts, inputs, strict=True)]
        batches.append((inputs, views, trainer.made.shown.fields["pixel_values"], output))
        return output

    monkeypatch.setattr(trainer, "_generate_and_score_completions", record)
    trainer.train()
    (inputs, views, sampled, output), processor = batches[0], trainer.processing_class
    noisy = [{**row, "images": seen} for row, seen in zip(inputs, views, strict=True)]
    expected = build_inputs(processor, noisy)["pixel_values"]
    scored = build_inputs(processor, inputs)["pixel_values"]
    assert not torch.equal(expected, scored)
    assert torch.equal(as_tensor(sampled), expected)
    assert torch.equal(as_tensor(output["pixel_values"]), scored)
    history = trainer.state.log_history
    assert all(torch.isfinite(torch.tensor(entry["loss"])) for entry in history if "loss" in entry)
    moved, tower = changed(trainer.model, before), tower_names(trainer.model)
    assert moved & tower and moved - tower


@every_family
def test_padded_batch_scores_as_single_rows_do(name, tmp_path):
    """Rows with 1, 0 and 2 images, left-padded together, get the log-probs they get alone."""
    trainer = make(
        name,
        tmp_path,
        images=(1, 0, 2),
        num_generations=2,
        per_device_train_batch_size=6,
        generation_kwargs=GREEDY,
    )
    inputs = [row for row in trainer.train_dataset for _ in range(2)]
    batch = trainer._generate_and_score_completions(inputs)
    together = score_batch(trainer, batch)
    for number, row in enumerate(inputs):
        alone = trainer._generate_and_score_completions([row, row])
        width = alone["completion_ids"].size(1)
        mask = batch["completion_mask"][number, :width].bool()
        ids = batch["completion_ids"][number, :width][mask]
        assert torch.equal(alone["completion_ids"][0][mask], ids)
        assert torch.allclose(
            score_batch(trainer, alone)[0][mask], together[number, :width][mask], atol=1e-4
        )
    other = [{**row, "images": [image.rotate(90) for image in row["images"]]} for row in inputs]
    turned = {
        **batch,
        "pixel_values": trainer._generate_and_score_completions(other)["pixel_values"],
    }
    assert (score_batch(trainer, turned) - together)[0].abs().max() > 1e-3  # the image does count


@every_family
def test_image_tokens_are_never_sampled(name, tmp_path):
    """Even a model that wants nothing else does not get to say one; without the ban it is told."""
    model, processor = tiny_vlm(name)
    banned = vision_token_ids(model.config.to_dict(), processor.tokenizer)
    token = processor.tokenizer.convert_tokens_to_ids(IMAGE_TOKENS.get(name, "<|image_pad|>"))
    assert token in banned and len(banned) > 1

    def eager(module, args, logits):
        return logits.index_fill(-1, torch.tensor(banned), 1e4)

    trainer = make(name, tmp_path)
    trainer.model.get_output_embeddings().register_forward_hook(eager)
    inputs = [trainer.train_dataset[0]] * 8
    ids = trainer._generate_and_score_completions(inputs)["completion_ids"]
    assert not torch.isin(ids, torch.tensor(banned)).any()
    trainer.generation_config.update(suppress_tokens=None)
    with pytest.raises(RuntimeError, match="row 'row-0': the completion contains the image token"):
        trainer._generate_and_score_completions(inputs)


@every_family
def test_frozen_tower_stays(name, tmp_path):
    trainer = make(name, tmp_path, method="noisygrpo", freeze_vision_tower=True)
    before = weights(trainer.model)
    trainer.train()
    moved, tower = changed(trainer.model, before), tower_names(trainer.model)
    assert tower and moved
    assert not moved & tower


@every_family
def test_calibration_is_its_formula(name):
    """Decoding in a batch with a cache = argmax of the mixed logits of two plain forwards."""
    model, processor = tiny_vlm(name)
    rows = list(tiny_rows(2, images=(1, 1)))
    settings = Generation(max_new_tokens=4, text_bias_scale=0.8)
    got = [item.text for item in generate_batch(model, processor, rows, settings)]
    plain = generate_batch(model, processor, rows, Generation(max_new_tokens=4))
    assert got == [calibrated_text(model, processor, row, 4, 0.8) for row in rows]
    assert [item.text for item in plain] == [
        calibrated_text(model, processor, row, 4, 0.0) for row in rows
    ]


@torch.no_grad()
def calibrated_text(model, processor, row, tokens, scale):
    """Decode greedily, every step from whole sequences."""
    model.eval()
    seeing = build_inputs(processor, [row])
    blind = build_inputs(processor, [{**row, "images": []}])
    blind.pop("token_type_ids", None)
    banned = torch.tensor(vision_token_ids(model.config.to_dict(), processor.tokenizer))
    answer: list[int] = []
    while len(answer) < tokens and processor.tokenizer.eos_token_id not in answer:
        both = [model(**extended(inputs, answer)).logits[:, -1] for inputs in (seeing, blind)]
        both = [logits.index_fill(-1, banned, -torch.inf) for logits in both]
        answer.append(int(calibrate_logits(both[0], both[1], scale).argmax()))
    return processor.tokenizer.decode(answer, skip_special_tokens=True)


def extended(inputs, answer):
    """Return the model's inputs with the answer so far at their end."""
    more = torch.tensor([answer], dtype=torch.long)
    fill = {"input_ids": more, "attention_mask": torch.ones_like(more)}
    rest = dict.fromkeys(("token_type_ids", "mm_token_type_ids"), torch.zeros_like(more))
    return {
        key: torch.cat([value, {**fill, **rest}[key]], dim=1) if key in {**fill, **rest} else value
        for key, value in inputs.items()
    }


@every_family
def test_lora_trains_the_adapter_alone(name, tmp_path):
    """With a reference model, which is the model without its adapter: KL is 0 at the start."""
    lora = LoraConfig(r=4, target_modules=["q_proj", "v_proj"])
    trainer = make(name, tmp_path, lora=lora, method="noisygrpo", beta=0.04)
    before = weights(trainer.model)
    trainer.train()
    moved = changed(trainer.model, before)
    assert moved and all("lora_" in key for key in moved)
    assert trainer.state.log_history[0]["kl"] == pytest.approx(0.0, abs=1e-6)


@every_family
def test_shared_prefix_gives_the_same_scores(name, tmp_path, caplog, record_property):
    """One forward per group where that was checked for the family; else rows, and it is said."""
    settings = {"images": (1, 2), "generation_kwargs": GREEDY, "shuffle_dataset": False}
    plain = make(name, tmp_path / "rows", shared_prefix=False, **settings)
    shared = make(name, tmp_path / "shared", **settings)
    holds = shared._scorer.shared is not None
    assert holds or "completions are scored row by row" in caplog.text
    inputs = [row for row in plain.train_dataset for _ in range(4)]
    batch = plain._generate_and_score_completions(inputs)
    mask = batch["completion_mask"].bool()
    difference = (score_batch(shared, batch) - score_batch(plain, batch))[mask]
    assert difference.abs().max() < 1e-4
    record_property("cell", "yes" if holds else "row by row")


@every_family
def test_pixel_limits_hold(name, tmp_path, record_property):
    """An image above the limit becomes smaller; where a processor has no such limit it is said."""
    _, processor = tiny_vlm(name)
    row = {**tiny_rows(1)[0], "images": [tiny_image(0, 280, 280)]}
    before = build_inputs(processor, [row])["input_ids"].shape[1]
    images = processor.image_processor
    if "max_pixels" not in images.valid_kwargs.__annotations__:
        with pytest.raises(UserError, match="does not size images by their pixels"):
            set_pixel_limits(processor, None, 56 * 56)
        record_property("cell", "refused")
        return
    set_pixel_limits(processor, None, 56 * 56)
    assert build_inputs(processor, [row])["input_ids"].shape[1] < before
