"""Log-probs taken while sampling: against a forward over what was sampled."""

from contextlib import ExitStack

import pytest
import torch

from noisygrpo.models.decoding import EVERY, leaner
from noisygrpo.training.engines.log_probs import TakenLogProbs, taken_log_probs
from noisygrpo.training.engines.prefill import shared_prefill
from noisygrpo.training.prefix.rows import score_batch
from tiny import tiny_rows
from tiny_families import FIRST_TEXT, prompts_of, tiny_batch, tiny_family
from tiny_trainer import make

NEW = 4 * EVERY
COUNTS = [1, 1, 1, 1, 1]
LAYOUTS = ["qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen2", "llama"]
OTHERS = ["idefics3", "smolvlm", "llava_onevision"]


def sample(model, name, temperature, spared, **more):
    """Return prompts, what was sampled (cut after its first end), and its log-probs."""
    counts = COUNTS if hasattr(model.config, "vision_config") else [0] * len(COUNTS)
    inputs = prompts_of(tiny_batch(name, counts, [[3]] * len(counts)))[0]
    width = inputs["input_ids"].shape[1]
    options = {"max_new_tokens": NEW, "do_sample": True, "pad_token_id": 0} | more
    options |= {"suppress_tokens": list(range(FIRST_TEXT))}  # none that stands for an image
    torch.manual_seed(1)
    free = model.generate(**inputs, **options, temperature=temperature, eos_token_id=None)
    ends = [free[0, width + EVERY // 2].item(), free[1, width + 2].item()]
    with ExitStack() as around:
        if spared:
            around.enter_context(leaner(model, ends))
            around.enter_context(shared_prefill(model, counts))
        taken = around.enter_context(taken_log_probs(model, temperature))
        torch.manual_seed(1)
        ids = model.generate(**inputs, **options, temperature=temperature, eos_token_id=ends)
    completions = [until(row, ends) for row in ids[:, width:].tolist()]
    return inputs, ids, completions, taken.of(completions)


def until(row, ends):
    places = [place for place, token in enumerate(row) if token in ends]
    return row[: places[0] + 1] if places else row


@torch.no_grad()
def rescored(model, inputs, ids, temperature):
    """Log-probs of the tokens after the prompt, by one forward over whole rows."""
    more = torch.ones(len(ids), ids.shape[1] - inputs["input_ids"].shape[1], dtype=torch.long)
    whole = {**inputs, "input_ids": ids}
    whole["attention_mask"] = torch.cat((inputs["attention_mask"], more), 1)
    if "mm_token_type_ids" in whole:
        whole["mm_token_type_ids"] = torch.cat((inputs["mm_token_type_ids"], 0 * more), 1)
    if not hasattr(model.config, "vision_config"):  # generate counts from the first real token
        places = whole["attention_mask"].cumsum(1) - 1
        whole["position_ids"] = places.clamp(min=0)
    logits = model(**whole).logits[:, :-1].double() / temperature
    found = logits.log_softmax(-1).gather(2, ids[:, 1:, None])[..., 0]
    return found[:, -more.shape[1] :]


@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize(
    ("name", "spared"),
    [(name, spared) for name in LAYOUTS for spared in (False, True)]
    + [(name, False) for name in OTHERS],
)
def test_they_are_those_of_a_forward_over_what_was_sampled(name, spared, temperature):
    model = tiny_family(name).eval()
    inputs, ids, completions, got = sample(model, name, temperature, spared)
    expected = rescored(model, inputs, ids, temperature)
    assert len({len(row) for row in completions}) > 2  # some end before the last forward
    for row, values in enumerate(got):
        assert len(values) == len(completions[row])
        wanted = expected[row, : len(values)]
        assert torch.allclose(torch.tensor(values).double(), wanted, atol=1e-5)


def test_limits_of_sampling_are_left_out():
    model = tiny_family("qwen2_5_vl").eval()
    inputs, ids, _, got = sample(model, "qwen2_5_vl", 1.0, True, top_k=2)
    expected = rescored(model, inputs, ids, 1.0)
    for row, values in enumerate(got):
        wanted = expected[row, : len(values)]
        assert torch.allclose(torch.tensor(values).double(), wanted, atol=1e-5)


def test_what_was_not_seen_to_be_sampled_has_none():
    model = tiny_family("qwen2")
    with taken_log_probs(model, 1.0) as taken:
        for token in (5, 6):
            model(input_ids=torch.tensor([[token], [token + 1]]))
    assert isinstance(taken, TakenLogProbs)
    assert [len(row) for row in taken.of([[6, 9], [7]])] == [2, 1]
    assert not model._forward_hooks and not model._forward_pre_hooks
    with pytest.raises(RuntimeError, match="row 1: generate returned other tokens"):
        TakenLogProbs(1.0, taken.logits, taken.tokens[:1], taken.values[:1]).of([[6], [9]])


@pytest.mark.parametrize(
    "changes",
    [
        {"log_view_ratio": True},
        {"view_correction": "truncated", "temperature": 0.8},
        {"log_view_ratio": True, "hint_levels": 2, "hint_reward": "by_index"},
    ],
)
def test_a_trainer_has_them_of_the_views_without_scoring_these(tmp_path, monkeypatch, changes):
    steps = "We look.\nWe count.\nIt is two."
    rows = tiny_rows(1).remove_columns("reasoning").add_column("reasoning", [steps])
    row = rows[0]
    settings = {"num_generations": 4, "per_device_train_batch_size": 4, "method": "noisygrpo"}
    trainer = make(tmp_path, rows, **settings, **changes)
    scored = []
    monkeypatch.setattr(
        "noisygrpo.training.parts.score_batch",
        lambda made, batch: scored.append(len(batch["prompt_ids"])) or score_batch(made, batch),
    )
    batch = trainer._generate_and_score_completions([row] * 4)
    assert not scored and "sampling_per_token_logps" not in batch
    seen = torch.as_tensor(trainer.made.shown.fields["pixel_values"]).to(batch["pixel_values"])
    expected = score_batch(trainer, {**batch, "pixel_values": seen})
    clean = score_batch(trainer, batch)
    mask = batch["completion_mask"].bool()
    assert torch.allclose(batch["view_log_probs"][mask], expected[mask], atol=1e-5)
    assert (expected - clean)[mask].abs().max() > 1e-3


@pytest.mark.parametrize(
    "changes", [{}, {"log_view_ratio": True, "generation_kwargs": {"num_beams": 2}}]
)
def test_none_are_taken_where_nobody_asks_or_generate_decodes_otherwise(tmp_path, changes):
    trainer = make(tmp_path, tiny_rows(2), method="noisygrpo", **changes)
    assert trainer._engine.temperature is None
