"""`noisygrpo check --plan`: memory by hand-computed numbers, time from measurements alone."""

import json
import shlex

import pytest
import torch
from torch import nn

from noisygrpo.check import duration as throughput
from noisygrpo.check.duration import Measurement, measure, shipped, time_lines
from noisygrpo.check.memory import NF4_BITS, Load, Shape, plan_rows, shape_of, share_of, vllm_lines
from noisygrpo.check.plan import Request, for_all_gpus
from noisygrpo.errors import UserError
from noisygrpo.recipes.recipe import load_recipe

GB = 1e9
# 3.75 billion parameters in float32, all trained: about Qwen2.5-VL-3B. 36 layers of width 2048 with
# 2 key-value heads of 128; 0.31 billion parameters outside the blocks, 80 million in the largest.
SHAPE = Shape(
    parameters=3_750_000_000,
    trained=3_750_000_000,
    weights=15e9,
    width=4,
    outside=310_000_000,
    block=80_000_000,
    layers=36,
    hidden=2048,
    kv=256,
)
LOAD = Load(
    gpus=8,
    per_device=4,
    generated=8,
    tokens=1500,
    compute=2,
    checkpointing=True,
    reference=False,
    vllm_share=0.0,
    vllm_sleeps=False,
    generates=True,
)
ACTIVATIONS = 2 * 4 * 1500 * 2048 * (36 + 17)  # one slab per layer, and one layer recomputed
CACHE = 2 * 36 * 256 * 1500 * 8  # numbers; keys and values of 8 sequences


def change(part, **values):
    return type(part)(**{**vars(part), **values})


def test_ddp_by_hand():
    share = share_of("ddp", SHAPE, LOAD, 80 * GB)
    assert share.weights == 15e9 + 7.5e9  # float32, and autocast's bfloat16 copy
    assert (share.gradients, share.optimiser, share.reference) == (15e9, 30e9, 0)
    assert share.activations == ACTIVATIONS == 1_302_528_000
    assert share.generation == 4 * CACHE == 884_736_000
    assert share.peak == 22.5e9 + 15e9 + 30e9 + ACTIVATIONS
    assert share.host == 0


def test_fsdp2_by_hand():
    share = share_of("fsdp2", SHAPE, LOAD, 80 * GB)
    gathered = 2 * (310e6 + 2 * 80e6)  # bfloat16: what is outside, and two blocks
    assert share.weights == 15e9 / 8 + gathered == 2.815e9
    assert (share.gradients, share.optimiser) == (15e9 / 8, 30e9 / 8)
    assert share.peak == 2.815e9 + 1.875e9 + 3.75e9 + ACTIVATIONS


def test_zero_by_hand():
    two = share_of("zero2", SHAPE, LOAD, 80 * GB)
    assert two.weights == 7.5e9  # bfloat16, whole
    assert two.gradients == 7.5e9 / 8
    assert two.optimiser == 12 * 3.75e9 / 8  # float32 master copy and two moments
    assert two.generation == 2 * CACHE
    three = share_of("zero3", SHAPE, LOAD, 80 * GB)
    assert three.weights == 7.5e9 / 8 + 0.94e9
    assert three.generation == 2 * CACHE + 7.5e9 * 7 / 8  # generating gathers the other shards
    offloaded = share_of("zero2 + offload", SHAPE, LOAD, 80 * GB)
    assert (offloaded.optimiser, offloaded.host) == (0, two.optimiser)
    assert offloaded.peak == two.peak - two.optimiser


def test_the_reference_costs_a_copy_and_is_sharded_with_the_weights():
    load = change(LOAD, reference=True)
    assert share_of("ddp", SHAPE, load, 80 * GB).reference == 15e9
    assert share_of("fsdp2", SHAPE, load, 80 * GB).reference == 15e9 / 8
    assert share_of("zero2", SHAPE, load, 80 * GB).reference == 7.5e9
    assert share_of("zero3", SHAPE, load, 80 * GB).reference == 7.5e9 / 8


def test_vllm_takes_its_share_always_or_while_it_is_awake():
    load = change(LOAD, vllm_share=0.3, generates=False)
    plain = share_of("fsdp2", SHAPE, LOAD, 80 * GB)
    awake = share_of("fsdp2", SHAPE, load, 80 * GB)
    assert awake.generation == 0
    assert awake.peak == plain.peak + 24e9
    asleep = share_of("fsdp2", SHAPE, change(load, vllm_sleeps=True), 80 * GB)
    assert asleep.peak == pytest.approx(plain.peak - ACTIVATIONS + 24e9)
    # 24 GB hold 7.5 GB of weights; a sequence of 1500 tokens takes 1500 x 36,864 bytes.
    assert "298 sequences of 1500 tokens at once (of 8)" in vllm_lines(SHAPE, load, 80)[0]
    assert "do not hold its weights" in vllm_lines(SHAPE, load, 20)[0]
    assert vllm_lines(SHAPE, LOAD, 80) == []


def test_what_fits_leaves_a_tenth():
    header, rows = plan_rows(SHAPE, LOAD, 80)
    assert header[0] == "strategy" and "vllm" not in header
    fits = {row[0]: row[-1] for row in rows}
    assert set(fits.values()) == {"yes"}
    assert {row[0]: row[-1] for row in plan_rows(SHAPE, LOAD, 76)[1]}["ddp"] == "no"  # 68.8 of 76
    assert [row[0] for row in plan_rows(SHAPE, change(LOAD, gpus=1), 80)[1]] == ["ddp"]


class Config:
    num_hidden_layers, hidden_size, num_attention_heads = 2, 8, 2

    def to_dict(self):
        return {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 4}


def test_a_models_shape_is_read_off_it():
    model = nn.Module()
    model.embed = nn.Embedding(10, 8)
    model.layers = nn.ModuleList(nn.Linear(8, 8, bias=False) for _ in range(2))
    model.lm_head = nn.Linear(8, 10, bias=False)
    model.embed.requires_grad_(False)
    shape = shape_of(model, Config())
    assert (shape.parameters, shape.trained) == (80 + 2 * 64 + 80, 2 * 64 + 80)
    assert (shape.weights, shape.width) == (4 * 288, 4)
    assert (shape.outside, shape.block, shape.kv) == (160, 64, 4)
    packed = shape_of(model.to(torch.bfloat16), Config(), quantization="4bit")
    assert packed.weights == pytest.approx(2 * 160 + 128 * NF4_BITS / 8)


def run_folder(folder, *, steps=4, gpus="none"):
    """Write what a run of two processes leaves: 16 rollouts of 50 tokens in 2 seconds a step."""
    parts = {"noise": 0.1, "generate": 0.9, "reward": 0.1, "score": 0.3, "update": 0.6}
    line = {f"time/{name}": value for name, value in parts.items()}
    line |= {"tokens_per_second": 400.0, "completions/mean_length": 50.0}
    folder.mkdir()
    slow = [{**line, "time/update": 9.0}] * 2  # warming up
    lines = [*slow, *[line] * (steps - 2)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(item) + "\n" for item in lines))
    found = {"threads": "2", "gpus": gpus, "processes": "2"}
    (folder / "environment.json").write_text(json.dumps(found))
    (folder / "recipe.yaml").write_text("model: {path: m}\ntraining: {}\n")
    return folder


def test_a_run_is_measured_without_its_first_steps(tmp_path):
    found = measure(run_folder(tmp_path / "run"))
    assert (found.model, found.engine, found.processes) == ("m", "generate", 2)
    assert (found.seconds, found.rollouts, found.completion_tokens) == (2.0, 16, 50)
    assert found.seconds_per_rollout == 2.0 * 2 / 16
    assert found.device == "CPU, 2 threads"
    # 64 rollouts on 4 GPUs: 16 each, at a quarter of a second
    assert time_lines(found, 64, 4, 90)[0] == "4.0 s for 64 rollouts, 6.0 minutes for 90 of these"
    with pytest.raises(UserError, match="no step after the first 2"):
        measure(run_folder(tmp_path / "short", steps=2))
    with pytest.raises(UserError, match=r"holds no metrics\.jsonl"):
        measure(tmp_path)


def test_shipped_measurements_are_read():
    text = (throughput.resources.files("noisygrpo.check") / "throughput.json").read_text()
    entries = [Measurement(**entry) for entry in json.loads(text)]
    assert entries and all(entry.seconds > 0 and entry.source for entry in entries)
    assert shipped("playground", "generate") and not shipped("another/model", "generate")


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


def test_a_plan_needs_no_gpu_that_it_plans_for(recipe_file):
    recipe = load_recipe(recipe_file(training={"per_device_train_batch_size": 1}))
    planned = for_all_gpus(recipe, 8)  # one rollout on each GPU is a batch of two groups of 4
    assert planned.training["per_device_train_batch_size"] == 8
    for wrong in ({"gpus": 0, "memory": 80}, {"gpus": 1, "memory": 0}):
        with pytest.raises(UserError, match="is not positive"):
            Request(**wrong)
    with pytest.raises(UserError, match="give one"):
        Request(1, 80, measured="run", tokens_per_second=3.0)
