"""What a run bans, limits, checks and refuses, before anything is lost."""

import math

import pytest
import torch
from datasets import Dataset
from trl import GRPOTrainer

from noisygrpo.errors import UserError
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.finite import NonFiniteError
from noisygrpo.training.trainer import NoisyGRPOTrainer
from tiny import tiny_image, tiny_qwen25vl, tiny_rows, tiny_settings
from tiny_trainer import build_trainer, by_index, length, make


def test_pixel_limits_hold_for_sampling_and_scoring(tmp_path):
    rows = Dataset.from_list([{**tiny_rows(1)[0], "images": [tiny_image(0, 112, 112)]}])
    changes = {"num_generations": 2, "per_device_train_batch_size": 2}
    trainer = make(tmp_path, rows, max_pixels=56 * 56, min_pixels=28 * 28, **changes)
    batch = trainer._generate_and_score_completions([rows[0]] * 2)
    assert batch["image_grid_thw"].tolist() == [[1, 4, 4]] * 2
    assert trainer.made.shown.fields["image_grid_thw"].tolist() == [[1, 4, 4]] * 2
    with pytest.raises(UserError, match="min_pixels: 9999 is above max_pixels 56"):
        make(tmp_path, rows, max_pixels=56, min_pixels=9999, **changes)


def test_image_tokens_are_banned_from_sampling(tmp_path):
    model, processor = tiny_qwen25vl()
    tokens = ["<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"]
    banned = set(processor.tokenizer.convert_tokens_to_ids([*tokens, "<|vision_pad|>"]))
    with torch.no_grad():  # a model that would sample nothing else
        model.lm_head.weight[sorted(banned)] = 50 * model.lm_head.weight[sorted(banned)].sign()
    settings = tiny_settings(tmp_path, max_completion_length=16)
    config = NoisyGRPOConfig(**settings)
    trainer = build_trainer(model, processor, config, tiny_rows(4), [by_index])
    batch = trainer._generate_and_score_completions([tiny_rows(1)[0]] * 8)
    assert not banned & set(batch["completion_ids"].flatten().tolist())
    assert set(trainer.generation_config.suppress_tokens) == banned


def test_sampled_image_token_is_refused_by_name(tmp_path, monkeypatch):
    def bad(trainer, prompt_ids, *args, **kwargs):
        return [[65, trainer._image_pad_token_id, 66] for _ in prompt_ids], None

    monkeypatch.setattr(GRPOTrainer, "_generate_single_turn", bad)
    trainer = make(tmp_path, tiny_rows(2))
    with pytest.raises(RuntimeError, match=r"row 'row-0'.*image token"):
        trainer._generate_and_score_completions([tiny_rows(1)[0]] * 8)


def test_image_token_in_the_text_is_refused_by_name(tmp_path):
    row = {**tiny_rows(1)[0], "prompt": [{"role": "user", "content": "<|image_pad|> what?"}]}
    trainer = make(tmp_path, tiny_rows(2))
    with pytest.raises((UserError, ValueError)) as error:
        trainer._generate_and_score_completions([row] * 8)
    assert "image" in str(error.value)


@pytest.mark.parametrize("where", ["loss", "gradient norm"])
def test_not_a_number_stops_before_the_step(tmp_path, monkeypatch, where):
    trainer = make(tmp_path, max_steps=4, learning_rate=1.0)
    if where == "loss":
        compute = GRPOTrainer._compute_loss

        def spoiled(self, model, inputs):
            loss = compute(self, model, inputs)
            return loss * torch.nan if self.state.global_step == 2 else loss

        monkeypatch.setattr(GRPOTrainer, "_compute_loss", spoiled)
    else:
        weight = trainer.model.lm_head.weight
        weight.register_hook(lambda g: g * torch.inf if trainer.state.global_step == 2 else g)
    with pytest.raises(NonFiniteError, match=rf"step 3: the {where} is .*parameters.*step 2"):
        trainer.train()
    assert all(torch.isfinite(value).all() for value in trainer.model.parameters())
    assert trainer.state.global_step == 2


def test_infinite_reward_is_refused_by_name(tmp_path):
    def broken(completions, **columns):
        return [math.inf] * len(completions)

    with pytest.raises(UserError, match="reward 'broken' returned infinity"):
        make(tmp_path, rewards=(broken,)).train()


WRONG_DATA = {
    "empty": (tiny_rows(2).select([]), "no rows"),
    "no prompt": (tiny_rows(2).remove_columns("prompt"), "column 'prompt' is missing"),
    "no images": (tiny_rows(2).remove_columns("images"), "no column 'images'"),
    "id twice": (
        Dataset.from_list([tiny_rows(2)[0], tiny_rows(2)[0]]),
        "example_id 'row-0' occurs 2 times",
    ),
    "a list": ([tiny_rows(2)[0]], "list is not a datasets.Dataset"),
}


@pytest.mark.parametrize("case", WRONG_DATA)
def test_wrong_data_is_refused_before_training(tmp_path, case):
    rows, message = WRONG_DATA[case]
    with pytest.raises(UserError, match=message):
        make(tmp_path, rows, method="noisygrpo")


def test_what_only_noise_needs_is_not_asked_of_others(tmp_path):
    twice = Dataset.from_list([{**row, "example_id": "same"} for row in tiny_rows(2)])
    nameless = tiny_rows(2).remove_columns("example_id").add_column("example_id", [None] * 2)
    make(tmp_path, twice)
    make(tmp_path, nameless, method="noisygrpo")


def test_other_settings_than_trls_are_refused_by_name(tmp_path):
    model, processor = tiny_qwen25vl()
    with pytest.raises(UserError, match="args: dict is not a NoisyGRPOConfig"):
        NoisyGRPOTrainer(model, length, {"seed": 1}, tiny_rows(2), processing_class=processor)


@pytest.mark.parametrize(("short", "said"), [([], 0), (["row-1"], 1)])
def test_rows_with_too_little_reasoning_are_counted(tmp_path, caplog, short, said):
    rows = tiny_rows(3)
    texts = ["One." if name in short else "One. Two. Three." for name in rows["example_id"]]
    rows = rows.remove_columns("reasoning").add_column("reasoning", texts)
    make(tmp_path, rows, method="hint_grpo", hint_levels=3)
    assert caplog.text.count("1 of 3 rows have too little reasoning") == said
    assert caplog.text.count("too little") == said


def test_weights_must_fit_the_rewards(tmp_path):
    with pytest.raises(ValueError, match=r"reward weights \(1\).*reward functions \(2\)"):
        make(tmp_path, rewards=(by_index, length), weights=[1.0])


def test_a_row_without_an_id_gets_one_of_its_content(tmp_path):
    rows = tiny_rows(3)
    bare = rows.remove_columns("example_id")
    trainer = make(tmp_path, bare, method="noisygrpo", shuffle_dataset=False)
    seeds = []
    for data in (bare, bare.select([0, 2])):
        trainer._generate_and_score_completions([row for row in data for _ in range(4)])
        groups = {rollout.example_id: rollout.seeds(1) for rollout in trainer.made.rollouts}
        assert len(groups) == len(data)
        seeds.append(groups)
    assert seeds[1].items() <= seeds[0].items()  # whatever else is in the batch
