"""`noisygrpo check`: targets, rewards, arithmetic, tokens, memory, one rollout."""

import pytest


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
        line.split()[0]
        for line in text.splitlines()
        if line.startswith(("  0.", "  0 ")) and "M" not in line
    ]
    assert levels == ["0", "0.3", "0.6", "0.9"]


def test_check_without_rollout_loads_no_weights(recipe_file, run_cli, monkeypatch):
    monkeypatch.setattr("noisygrpo.check.rollout.load_model", None)
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
    status, text, _ = run_cli("check", recipe, "--no-rollout", "--no-step")
    assert status == 0
    assert "short" in text and "0.50" in text


def test_lora_is_counted(recipe_file, run_cli):
    pytest.importorskip("peft", reason="LoRA needs the extra 'peft'")
    words = ("--model.lora.r=4", "--model.lora.target_modules=[q_proj]", "--no-rollout")
    status, text, _ = run_cli("check", recipe_file(), *words)
    assert status == 0
    assert "0.0 M trained" in text  # two layers of two 4 x 32 matrices
