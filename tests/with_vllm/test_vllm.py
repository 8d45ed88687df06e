"""The playground's model trained and evaluated through a real vLLM, on a CPU: `make test-vllm`."""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import cpu_weights  # noqa: F401  leaves linear layers their weights
import pytest
import torch
from trl.generation import vllm_generation

from noisygrpo.errors import UserError
from noisygrpo.evaluation.generate import build_inputs
from noisygrpo.evaluation.vllm_engine import engine_arguments, start_vllm
from noisygrpo.playground import load_processor, make_split, model_path
from noisygrpo.training.engines.vllm import fold_images
from noisygrpo.training.pictures.links import LostPicture
from with_vllm.agree import CASES, agree
from with_vllm.runs import (
    CLOSE,
    FAULTS,
    clean_difference,
    forget_nothing,
    groups_of,
    plant,
    records,
    sample,
    swapped,
    trainer_of,
)


@pytest.fixture(scope="module")
def engines():
    """TRL's engine as it is, but one for all tests, not compiled (minutes), and in float32, as the
    trainer's weights are; ``cpu_weights`` says why these are not packed.
    """
    made, original = [], vllm_generation.LLM

    @functools.wraps(original)
    def quick(*args, **kwargs):
        if not made:
            made.append(original(*args, **kwargs, enforce_eager=True, dtype="float32"))
        return made[0]

    vllm_generation.LLM = quick
    yield made
    vllm_generation.LLM = original


def test_training_on_noisy_views(engines, model_folder, tmp_path):
    """Two steps; the engine samples with the weights of the moment, each rollout from its view."""
    trainer = trainer_of(model_folder, tmp_path)
    before = {name: value.clone() for name, value in trainer.model.named_parameters()}
    trainer.train()
    rollouts = records(tmp_path)
    assert [record["noise_level"] for record in rollouts[:4]] == [0.0, 0.1, 0.2, 0.3]
    assert len(rollouts) == 16 and all(record["completion_tokens"] > 0 for record in rollouts)
    assert any(not torch.equal(v, before[n]) for n, v in trainer.model.named_parameters())
    history = trainer.state.log_history[0]
    ratios = [history[f"view_ratio/token/level_{level}"] for level in (0.1, 0.2, 0.3)]
    # The less a view shows, the farther it is from the clean picture.
    assert 30 * CLOSE < ratios[0] < ratios[1] < ratios[2] < 10, ratios
    assert abs(history["view_ratio/token/level_0.0"]) < CLOSE
    # Within a step vLLM keeps its weights; the next step renews them, and what it remembers of
    # images that it has seen.
    inputs = groups_of(trainer)
    trainer._generate_and_score_completions(inputs)
    with torch.no_grad():  # far from where they were, or agreement would show nothing
        for value in trainer.model.parameters():
            value.mul_(0.95)
    stale = clean_difference(trainer, trainer._generate_and_score_completions(inputs))
    trainer.state.global_step += 1
    fresh = clean_difference(trainer, trainer._generate_and_score_completions(inputs))
    assert fresh < CLOSE and stale > 30 * CLOSE, (fresh, stale)
    print(f"mean difference per token: {fresh:.4f} in step, {stale:.4f} with stale weights")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda one: one.__name__)
def test_other_pictures_are_not_handed_over(engines, model_folder, tmp_path, monkeypatch, fault):
    """Planted in TRL, between the trainer and vLLM, from the second step on."""
    plant(monkeypatch, fault, at=2)
    with pytest.raises(LostPicture, match=r"^step 2: row '.*handed to vLLM"):
        trainer_of(model_folder, tmp_path, max_steps=3).train()


def test_pictures_swapped_inside_vllm_show_in_the_log_probs(
    engines, model_folder, tmp_path, monkeypatch
):
    """A model that mostly guesses: some of eight prompts are answered by looking."""
    more = {"rows": 8, "per_device_train_batch_size": 32, "learning_rate": 1e-6}
    trainer = trainer_of(model_folder, tmp_path, max_steps=3, **more)
    generate = engines[0].generate

    def planted(prompts, *args, **kwargs):
        if trainer.state.global_step == 1:
            pictures = swapped([prompt["multi_modal_data"] for prompt in prompts])
            both = zip(prompts, pictures, strict=True)
            prompts = [{**prompt, "multi_modal_data": picture} for prompt, picture in both]
        return generate(prompts, *args, **kwargs)

    monkeypatch.setattr(engines[0], "generate", planted)
    with pytest.raises(LostPicture, match=r"^step 2: row '.*the engine's log-probs"):
        trainer.train()
    print(trainer.state.log_history[0]["mismatch/max"])


def test_stale_features_show_in_the_log_probs(engines, model_folder, tmp_path):
    """As TRL leaves it, vLLM keeps what the old vision tower made of a picture."""
    trainer = trainer_of(model_folder, tmp_path, rows=2, max_steps=3, mismatch_limit=5 * CLOSE)
    forget_nothing(trainer)
    with pytest.raises(LostPicture, match=r"^step 2: row '.*the engine's log-probs"):
        trainer.train()
    print(trainer.state.log_history[0]["mismatch/max"])


def test_the_correction_is_of_clean_rollouts(engines, model_folder, tmp_path):
    trainer = trainer_of(
        model_folder,
        tmp_path,
        vllm_importance_sampling_correction=True,
        vllm_importance_sampling_mode="token_truncate",
    )
    batch = sample(trainer)
    noisy = torch.tensor([rollout.noisy for rollout in trainer.made.rollouts])
    ratio = batch["importance_sampling_ratio"]
    assert noisy.sum() == 6 and (ratio[noisy] == 1).all() and not (ratio[~noisy] == 1).all()
    assert clean_difference(trainer, batch) < CLOSE


@pytest.mark.parametrize("score_view", ["own", "all"])
def test_the_correction_takes_scores_on_the_view_that_was_sampled_on(
    engines, model_folder, tmp_path, score_view
):
    """At levels where the learner's log-probs on another view are far away, rounding is left."""
    more = {"noise_levels": [0.0, 0.5, 0.7, 0.9], "log_view_ratio": None}
    more |= {"score_view": score_view, "vllm_importance_sampling_correction": True}
    more |= {"vllm_importance_sampling_mode": "token_truncate"}
    trainer = trainer_of(model_folder, tmp_path, **more)
    batch = sample(trainer)
    noisy = torch.tensor([rollout.noisy for rollout in trainer.made.rollouts])
    ratio = batch["importance_sampling_ratio"][noisy]
    assert len(ratio) == 6 and (ratio - 1).abs().mean() < CLOSE and not (ratio == 1).all()


def test_hints(engines, model_folder, tmp_path):
    """A level's prompts end with a part of the reference reasoning, and vLLM reads them so."""
    trainer = trainer_of(
        model_folder, tmp_path, method="hint_grpo", noise_levels=None, hint_levels=2, max_steps=1
    )
    trainer.train()
    assert len(records(tmp_path)) == 8


@pytest.mark.parametrize("name", CASES)
def test_what_is_logged_is_what_transformers_engine_gives(engines, model_folder, tmp_path, name):
    trainer = functools.partial(trainer_of, model_folder, tmp_path)
    agree(trainer, tmp_path, model_folder, CASES[name])


def test_expanded_prompts_would_be_expanded_again(engines, model_folder):
    """Why placeholders are folded: vLLM puts the features in the place of the first one."""
    processor = load_processor(model_path())
    row = make_split("test", 1)[0]
    ids = build_inputs(processor, [row])["input_ids"][0].tolist()
    pad = processor.tokenizer.convert_tokens_to_ids("<|image_pad|>")
    data = {"multi_modal_data": {"image": row["images"][0]}}
    folded, expanded = (
        engines[0].generate([{"prompt_token_ids": prompt, **data}], use_tqdm=False)[0]
        for prompt in (fold_images(ids, pad), ids)
    )
    assert list(folded.prompt_token_ids) == ids
    assert len(expanded.prompt_token_ids) == len(ids) + ids.count(pad) - 1


def test_evaluation(model_folder, tmp_path):
    """The same rows through both engines: nearly the same answers, as one computes in bfloat16.

    Two benchmarks by one engine, with vLLM's own arguments.
    """
    texts = {}
    arguments = [
        "--tensor-parallel-size",
        "1",
        "--max-model-len",
        "512",
        "--vllm.max_num_seqs",
        "8",
    ]
    arguments += ["--gpu-memory-utilization", "0.4", "--vllm.enforce_eager", "true"]
    for engine, more in {"hf": [], "vllm": arguments}.items():
        words = ["evaluate", "--model", model_folder, "--rows", "12", "--max-new-tokens", "128"]
        words += ["--benchmark", "playground-test,playground-absent", "--engine", engine, *more]
        result = in_a_process(*words, "--output-dir", str(tmp_path / engine))
        assert result.returncode == 0, result.stderr[-3000:]
        files = sorted((tmp_path / engine).rglob("samples.jsonl"))
        assert len(files) == 2
        lines = [json.loads(line) for line in files[1].read_text().splitlines()]
        texts[engine] = {line["example_id"]: line["output"] for line in lines}
    assert texts["hf"].keys() == texts["vllm"].keys()
    same = sum(texts["vllm"][key] == text for key, text in texts["hf"].items())
    assert len(texts["hf"]) == 12 and same >= 8, f"{same} of 12 answers are the same"
    settings = json.loads(files[1].with_name("settings.json").read_text())
    assert settings["vllm"] == {
        "tensor_parallel_size": 1, "max_model_len": 512, "max_num_seqs": 8, "enforce_eager": True,
    }  # fmt: skip


def test_engine_arguments_are_read_by_vllms_own_types():
    given = {"max_model_len": "512", "gpu_memory_utilization": "0.5", "kv_cache_dtype": "auto"}
    assert engine_arguments(given) == {
        "max_model_len": 512, "gpu_memory_utilization": 0.5, "kv_cache_dtype": "auto",
    }  # fmt: skip
    for name, value in {
        "max_model_length": 5,
        "max_model_len": "many",
        "kv_cache_dtype": "x",
    }.items():
        with pytest.raises(UserError, match=rf"vllm\.{name}"):
            engine_arguments({name: value})


@pytest.mark.parametrize(
    "wrong", [{"max_model_len": 10**7}, {"gpu_memory_utilization": 3.0}, {"max_num_seqs": -1}]
)
def test_what_vllm_refuses_is_one_line(model_folder, wrong):
    with pytest.raises(UserError, match="vLLM refuses its arguments: "):
        start_vllm(model_folder, 1, seed=0, dtype="float32", **wrong)


def in_a_process(*words):
    """Run the command line where no engine lives yet; conftest makes vLLM importable there too."""
    code = "import sys, conftest; from noisygrpo.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=Path(__file__).parent,
        env={**os.environ, "TORCH_COMPILE_DISABLE": "1"},
        capture_output=True,
        text=True,
        timeout=1800,
    )
