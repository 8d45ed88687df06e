"""What the trainer relies on inside TRL and Transformers.

If this fails after an upgrade, the places named here moved: read their new version before changing
these lines.
"""

import inspect
from importlib.metadata import version

import pytest
import transformers
import trl
from packaging.version import Version
from trl import GRPOTrainer
from trl.models.utils import disable_gradient_checkpointing
from trl.trainer import grpo_trainer
from trl.trainer.utils import (
    RepeatSampler,
    split_pixel_values_by_grid,
    unsplit_pixel_values_by_grid,
)

from noisygrpo.training.prefix.rows import SCORING_KEYS
from noisygrpo.training.ranges import NAMES
from noisygrpo.training.trainer import NoisyGRPOTrainer
from tiny import tiny_rows
from tiny_trainer import by_index, length, make

SIGNATURES = {
    GRPOTrainer._prepare_inputs: ["self", "generation_batch"],
    GRPOTrainer._generate_and_score_completions: ["self", "inputs"],
    GRPOTrainer._generate: ["self", "prompts"],
    GRPOTrainer._tokenize_prompts: ["self", "prompts"],
    GRPOTrainer._generate_single_turn: [
        "self",
        "prompt_ids",
        "images",
        "multimodal_fields",
        "num_generations",
        "has_tool_images",
    ],
    GRPOTrainer._calculate_rewards: [
        "self",
        "inputs",
        "prompts",
        "completions",
        "completion_ids_list",
    ],
    GRPOTrainer._compute_loss: ["self", "model", "inputs"],
    GRPOTrainer.training_step: ["self", "model", "inputs", "num_items_in_batch"],
    GRPOTrainer.log: ["self", "logs", "start_time"],
    GRPOTrainer._get_train_sampler: ["self", "dataset"],
    transformers.Trainer._get_grad_norm: ["self", "model", "grad_norm"],
    transformers.Trainer._load_from_checkpoint: ["self", "resume_from_checkpoint", "model"],
    transformers.Trainer._load_best_model: ["self"],
    transformers.Trainer._run_epoch: [
        "self",
        "model",
        "epoch",
        "train_dataloader",
        "steps_in_epoch",
        "num_update_steps_per_epoch",
        "trial",
        "ignore_keys_for_eval",
        "start_time",
        "resume_from_checkpoint",
        "epochs_trained",
        "steps_trained_in_current_epoch",
    ],
    transformers.Trainer._get_output_dir: ["self", "trial"],
    GRPOTrainer._save_checkpoint: ["self", "model", "trial"],
    transformers.Trainer.create_accelerator_and_postprocess: ["self"],
    RepeatSampler.__init__: [
        "self",
        "data_source",
        "mini_repeat_count",
        "batch_size",
        "repeat_count",
        "shuffle",
        "seed",
    ],
    disable_gradient_checkpointing: ["model", "gradient_checkpointing_kwargs"],
    split_pixel_values_by_grid: ["batch"],
    unsplit_pixel_values_by_grid: ["batch"],
}


def test_versions_are_the_tested_ones():
    assert Version("1.16") <= Version(trl.__version__) < Version("1.17"), trl.__version__
    assert Version(version("transformers")).major == 5


@pytest.mark.parametrize("function", SIGNATURES, ids=lambda function: function.__qualname__)
def test_signature_has_not_moved(function):
    assert list(inspect.signature(function).parameters) == SIGNATURES[function]


def test_scoring_takes_what_we_pass():
    names = list(inspect.signature(GRPOTrainer._get_per_token_logps_and_entropies).parameters)
    assert names[:5] == ["self", "model", "input_ids", "attention_mask", "logits_to_keep"]
    assert names[5:8] == ["batch_size", "compute_entropy", "compute_aux_loss"]
    assert set(names[8:]) == set(SCORING_KEYS)


TRLS = ("loss_type", "importance_sampling_level", "scale_rewards", "multi_objective_aggregation")


@pytest.mark.parametrize("name", [*TRLS, "vllm_mode", "vllm_importance_sampling_mode"])
def test_choices_are_trls(name):
    source = inspect.getsource(grpo_trainer)
    assert all(f'"{choice}"' in source for choice in NAMES[name])


@pytest.mark.parametrize(
    "text",
    [
        # Order within a generation batch, and what is done with it.
        # The rows that reward functions get are those that we annotate, and lists of theirs.
        "rewards_per_func = self._calculate_rewards(inputs, prompts, completions, completion_ids",
        "zip(self.reward_funcs, self.reward_processing_classes, self.reward_func_names",
        # Token types are made of the prompts without hints.
        'forward_kwargs["mm_token_type_ids"] = torch.cat(',
        # Prompt ids are those that sampling began from, and what was read is counted.
        "prompt_lengths = torch.tensor([len(ids) for ids in prompt_ids], device=device)",
        "generation_batch = self._generate_and_score_completions(generation_batch)",
        "generation_batch = shuffle_sequence_dict(generation_batch)",
        "generation_batches = split_tensor_dict(generation_batch, self.args.steps_per_generation)",
        # The sampler reads the fields, the scorer the images.
        "prompt_ids, images, multimodal_fields = self._tokenize_prompts(prompts)",
        "self.processing_class(images=images, text=prompts_text, padding=True",
        # Groups are consecutive rows over all processes.
        "rewards.view(-1, num_generations)",
        "self.accelerator.process_index * len(prompts)",
        # The log whose last entries we replace, and the clock that we follow.
        'self._logs["advantages"].extend(all_process_advantages.tolist())',
        "if self._step % self.current_gradient_accumulation_steps == 0:",
        # Old log-probs are missing only where they equal those of the loss.
        "if self.args.gradient_accumulation_steps % generate_every != 0 or (",
    ],
)
def test_source_still_says(text):
    assert text in inspect.getsource(grpo_trainer)


def test_one_class_overrides_each_method_once():
    ours = [cls for cls in NoisyGRPOTrainer.__mro__ if cls.__module__.startswith("noisygrpo.")]
    assert ours == [NoisyGRPOTrainer] and NoisyGRPOTrainer.__bases__ == (GRPOTrainer,)


def test_every_override_is_pinned_and_no_new_name_is_trls():
    inherited = set(dir(GRPOTrainer))
    methods = {name for name, value in vars(NoisyGRPOTrainer).items() if callable(value)}
    pinned = {function.__name__ for function in SIGNATURES}
    pinned |= {"_get_per_token_logps_and_entropies"}
    assert (methods & inherited) == pinned & set(vars(NoisyGRPOTrainer))
    # New names must not be ones that TRL uses for attributes of its instances.
    source = inspect.getsource(grpo_trainer)
    assert not [name for name in methods - inherited if f"self.{name}" in source]


def test_the_batch_is_there_only_while_it_is_made(tmp_path):
    trainer, seen = make(tmp_path, tiny_rows(2)), []
    reward = trainer.reward_funcs[0]
    trainer.reward_funcs[0] = lambda **columns: seen.append(trainer._batch) or reward(**columns)
    assert trainer._batch is None
    inputs = [row for row in tiny_rows(2) for _ in range(4)]
    trainer._generate_and_score_completions(inputs)
    assert seen[0] is trainer.made and trainer._batch is None
    trainer.reward_funcs[0] = lambda **columns: 1 / 0
    with pytest.raises(ZeroDivisionError):
        trainer._generate_and_score_completions(inputs)
    assert trainer._batch is None


def test_weights_must_fit_the_rewards(tmp_path):
    with pytest.raises(ValueError, match=r"reward weights \(1\).*reward functions \(2\)"):
        make(tmp_path, rewards=(by_index, length), weights=[1.0])
