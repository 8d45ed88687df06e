"""`noisygrpo check`: targets, rewards, arithmetic, tokens, memory, one rollout."""

import pytest
import torch

from noisygrpo.budget import LAYER_BYTES, estimate_memory, plan_batches
from noisygrpo.check import answer_with, other_answer, shorten
from noisygrpo.training.config import NoisyGRPOConfig
from tiny import tiny_qwen25vl


def config(**changes):
    settings = {"num_generations": 4, "per_device_train_batch_size": 8, "bf16": False}
    return NoisyGRPOConfig(**{**settings, "use_cpu": True, "report_to": "none", **changes})


def test_check_prints_every_part(recipe_file, run_cli):
    status, text, _ = run_cli("check", recipe_file(), "--rows", "4")
    assert status == 0
    for part in ("recipe", "targets", "mean rewards", "tokens", "memory", "one group of rollouts"):
        assert f"\n{part}" in text
    assert "2 prompts x 4 rollouts = 8 per generation" in text
    assert "nothing wrong was found" in text
    accuracy = next(line.split() for line in text.splitlines() if line.startswith("  accuracy "))
    assert accuracy == ["accuracy", "1.00", "0.00"]
    levels = [
        line.split()[0] for line in text.splitlines() if line.startswith("  0.") and "M" not in line
    ]
    assert levels == ["0.00", "0.30", "0.60", "0.90"]


def test_check_without_rollout_loads_no_weights(recipe_file, run_cli, monkeypatch):
    monkeypatch.setattr("noisygrpo.check.load_model", None)
    status, text, _ = run_cli("check", recipe_file(), "--no-rollout")
    assert status == 0
    assert "memory" in text and "one group of rollouts" not in text


def test_a_reward_that_sees_no_difference_is_trouble(recipe_file, run_cli):
    status, text, _ = run_cli("check", recipe_file(rewards=["format"]), "--no-rollout")
    assert status == 1
    assert "in 6 of 6 rows a right answer earns no more than a wrong one" in text


def test_a_user_reward_is_called_as_in_training(recipe_file, run_cli, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "def short(prompts, completions, answer, noise_level, hint, hint_level, **columns):\n"
        "    assert noise_level == hint_level == [0] * len(completions) and hint == ['']\n"
        "    return [float(f'>{a}<' in c[0]['content']) for c, a in zip(completions, answer)]\n"
    )
    recipe = recipe_file(rewards=[{"name": f"{path}:short", "weight": 0.5}])
    status, text, _ = run_cli("check", recipe, "--no-rollout")
    assert status == 0
    assert "short" in text and "0.50" in text


def test_hints_of_every_level_are_shown(run_cli):
    words = ("playground-hint-grpo", "--rows", "2", "--no-rollout")
    status, text, _ = run_cli("check", *words, "--data.limit=8", "--evaluation=null")
    assert status == 0
    assert "  hints    3 levels, first_nonzero\n" in text
    rows = [line.split() for line in text.split("\nhints\n")[1].splitlines()[3:5]]
    for name, steps, *tokens in rows:
        assert name.startswith("train-0-") and int(steps) >= 3
        assert 0 == int(tokens[0]) < int(tokens[1]) < int(tokens[2])
    assert "'<think>Step 1: " in text


def test_lora_is_counted(recipe_file, run_cli):
    pytest.importorskip("peft", reason="LoRA needs the extra 'peft'")
    words = ("--model.lora.r=4", "--model.lora.target_modules=[q_proj]", "--no-rollout")
    status, text, _ = run_cli("check", recipe_file(), *words)
    assert status == 0
    assert "0.0 M trained" in text  # two layers of two 4 x 32 matrices


def test_answers_follow_the_form_of_the_prompt():
    row = {"prompt": [{"role": "user", "content": "Q"}], "reasoning": "", "kind": ""}
    assert answer_with(row, "3").endswith("<answer>3</answer>")
    boxed = {**row, "prompt": [{"role": "user", "content": "Answer in \\boxed{}."}]}
    assert answer_with(boxed, "3").endswith("\\boxed{3}")


def test_a_wrong_answer_is_of_the_same_kind_where_possible():
    rows = [
        {"answer": "true", "kind": "truth"},
        {"answer": "3", "kind": "count"},
        {"answer": "false", "kind": "truth"},
    ]
    assert other_answer(rows[0], rows) == "false"
    assert other_answer(rows[1], rows) == "true"
    assert other_answer(rows[0], rows[:1]) == "none of these"


def test_terminal_codes_of_a_model_are_not_printed():
    assert shorten("\x1b[2Jgone\x07") == "�[2Jgone�"
    assert shorten("one\ntwo") == "one two"


def test_batch_arithmetic():
    plan = plan_batches(config(gradient_accumulation_steps=2, num_train_epochs=1), rows=100)
    assert (plan.prompts, plan.rollouts, plan.rollouts_per_update) == (4, 16, 16)
    assert (plan.updates_per_generation, plan.updates, plan.epochs) == (1, 25, 1)
    twice = plan_batches(config(num_iterations=2, max_steps=10), rows=100)
    assert (twice.prompts, twice.updates_per_generation, twice.updates) == (2, 2, 10)
    assert twice.epochs == 10 / 100


def test_memory_is_the_documented_formula():
    model, _ = tiny_qwen25vl()
    total = sum(parameter.numel() for parameter in model.parameters())
    settings = config(max_completion_length=6, gradient_checkpointing=False, beta=0.04)
    memory = estimate_memory(model, settings, prompt_tokens=10)
    layers, hidden, rollouts, tokens = 2, 32, 8, 16
    assert memory.weights == memory.gradients == memory.reference == 4 * total
    assert memory.optimiser == 8 * total
    assert memory.activations == LAYER_BYTES * 4 * rollouts * tokens * hidden * layers
    assert memory.kv_cache == 2 * 4 * layers * (2 * 8) * tokens * rollouts
    assert memory.total == 5 * 4 * total + max(memory.activations, memory.kv_cache)


def test_memory_of_bfloat16_with_checkpointing_and_a_frozen_part():
    model = tiny_qwen25vl()[0].to(torch.bfloat16)
    model.get_input_embeddings().requires_grad_(False)
    trained = sum(item.numel() for item in model.parameters() if item.requires_grad)
    settings = config(max_completion_length=6, gradient_checkpointing=True)
    memory = estimate_memory(model, settings, prompt_tokens=10)
    slab = 2 * 8 * 16 * 32
    assert memory.gradients == 2 * trained
    assert memory.reference == 0
    assert memory.activations == slab * 2 + LAYER_BYTES * slab
