"""`noisygrpo check --plan`: what fits, and what is printed."""

import shlex
from dataclasses import replace

import pytest
from tests.check.by_hand import LOAD, SIZE
from tests.check.measured_run import run_folder

from noisygrpo.check.plan import Request, for_all_gpus, plan_rows
from noisygrpo.errors import UserError
from noisygrpo.recipes.recipe import load_recipe


def test_what_fits_leaves_a_tenth():
    header, rows = plan_rows(SIZE, LOAD, 80)
    assert header[0] == "strategy" and "vllm" not in header
    fits = {row[0]: row[-1] for row in rows}
    assert set(fits.values()) == {"yes"}
    assert {row[0]: row[-1] for row in plan_rows(SIZE, LOAD, 76)[1]}["ddp"] == "no"  # 68.8 of 76
    assert [row[0] for row in plan_rows(SIZE, replace(LOAD, gpus=1), 80)[1]] == ["ddp"]


def test_the_plan_is_printed(recipe_file, run_cli, tmp_path):
    words = ["check", recipe_file(), "--plan", "--gpus", "2", "--gpu-memory", "24"]
    status, text, _ = run_cli(*words)
    assert status == 0
    assert "4 prompts x 4 rollouts = 16 per generation" in text  # 8 on each GPU
    assert "generated: at most 16 x 4 = 64 tokens, 32 on each GPU" in text
    assert "\n  zero3 + offload " in text
    assert "nothing was measured for this model and engine" in text
    status, text, _ = run_cli(*words, "--tokens-per-second", "16")
    assert "at most 2.0 s for 16 rollouts of up to 4 tokens" in text
    run = run_folder(tmp_path / "run")
    status, _, said = run_cli(*words, "--measured", str(run))
    assert status == 2 and "ran m with generate" in said


def test_a_plan_needs_no_gpu_that_it_plans_for(recipe_file):
    recipe = load_recipe(recipe_file(training={"per_device_train_batch_size": 1}))
    planned = for_all_gpus(recipe, 8)  # one rollout on each GPU is a batch of two groups of 4
    assert planned.training["per_device_train_batch_size"] == 8
    for wrong in ({"gpus": 0, "memory": 80}, {"gpus": 1, "memory": 0}):
        with pytest.raises(UserError, match="is not positive"):
            Request(**wrong)
    with pytest.raises(UserError, match="give one"):
        Request(1, 80, measured="run", tokens_per_second=3.0)


def test_a_plan_that_fits_nowhere_ends_in_1_and_names_what_would_fit(recipe_file, run_cli):
    words = ["check", recipe_file(), "--plan", "--gpus", "1"]
    assert run_cli(*words, "--gpu-memory", "1")[0] == 0
    status, text, _ = run_cli(*words, "--gpu-memory", "0.0015")  # 1.35 MB of it may be filled
    assert status == 1
    (line,) = [item for item in text.splitlines() if "it fits with: " in item]
    assert "it does not fit" in text
    options = shlex.split(line.split("it fits with: ")[1])
    assert options[:3] == ["--model.dtype", "bfloat16", "--model.lora"]
    assert run_cli(*words, *options, "--gpu-memory", "0.0015")[0] == 0
    status, text, _ = run_cli(*words, "--gpu-memory", "0.0001")
    assert status == 1 and "use a smaller model, or larger GPUs" in text
