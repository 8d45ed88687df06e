"""Settings: methods fill in what is left open, and everything wrong is one clear message."""

import copy

import numpy as np
import pytest
from trl import GRPOConfig

from noisygrpo.errors import UserError
from noisygrpo.training import precision
from noisygrpo.training.config import METHODS, NoisyGRPOConfig
from noisygrpo.training.trainer import NoisyGRPOTrainer
from tiny import tiny_qwen25vl, tiny_rows, tiny_settings
from tiny_trainer import length


def make(tmp_path, **changes):
    return NoisyGRPOConfig(**tiny_settings(tmp_path, **changes))


def test_method_fills_in_what_is_left_open(tmp_path):
    config = make(tmp_path, method="noisygrpo")
    assert (config.view_plan, config.advantage) == ("grid", "bayesian")
    assert config.noise_levels == [0.0, 0.3, 0.6, 0.9]
    assert (config.bayes_alpha, config.bayes_r) == (0.01, 0.1)
    assert config.loss_type == "dapo"
    assert config.noisy and config.vllm_importance_sampling_correction is False
    assert METHODS["noisygrpo"]["noise_levels"] is not config.noise_levels


def test_published_methods(tmp_path):
    config = make(tmp_path, method="noisyrollout")
    assert (config.view_plan, config.noise_levels) == ("split", [0.5])
    assert (config.noise_decay, config.advantage, config.hint_levels) == ("sigmoid", "grpo", 1)
    config = make(tmp_path, method="hint_grpo")
    assert (config.hint_levels, config.view_plan, config.noise_decay) == (2, "clean", "none")
    assert not config.noisy
    both = make(tmp_path, method="noisyrollout", hint_levels=3, advantage="bayesian")
    assert both.noisy and both.hint_levels == 3
    assert make(tmp_path, method="noisyrollout", noise_decay="none").noise_decay == "none"


def test_user_wins_over_method(tmp_path):
    config = make(tmp_path, method="noisygrpo", view_plan="uniform", advantage="rloo")
    assert (config.view_plan, config.noise_levels, config.advantage) == ("uniform", None, "rloo")
    assert config.noisy


def test_plain_grpo_is_trl(tmp_path):
    config = make(tmp_path)
    assert (config.view_plan, config.advantage, config.loss_type) == ("clean", "grpo", "dapo")
    assert not config.noisy
    assert config.vllm_importance_sampling_correction is True
    assert make(tmp_path, method="dr_grpo").loss_type == "dr_grpo"


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_valid(tmp_path, method):
    assert make(tmp_path, method=method).method == method


def test_the_vllm_correction_can_be_asked_for(tmp_path):
    for mode in ("colocate", "server"):
        settings = {"method": "noisygrpo", "use_vllm": True, "vllm_mode": mode}
        assert make(tmp_path, **settings).vllm_importance_sampling_correction is False
        asked = make(tmp_path, **settings, vllm_importance_sampling_correction=True)
        assert asked.vllm_importance_sampling_correction is True


def test_all_levels_zero_is_not_noisy(tmp_path):
    config = make(tmp_path, view_plan="grid", noise_levels=[0.0, 0.0])
    assert not config.noisy


@pytest.mark.parametrize(
    "changes",
    [
        {"view_plan": "split", "noise_levels": [0.5], "num_generations": 2},
        {"view_plan": "split", "noise_levels": [0.5], "clean_rollouts": 3},
        {"view_plan": "uniform", "clean_rollouts": 0},
        {"view_plan": "uniform", "noise_levels": [0.4, 0.4], "num_generations": 2},
        {"view_plan": "grid", "noise_levels": [0.3, 0.4], "num_generations": 2},
    ],
)
def test_two_levels_in_a_group_are_a_prior(tmp_path, changes):
    assert make(tmp_path, advantage="bayesian", **changes).noisy


WRONG = {
    "unknown method": ({"method": "nosygrpo"}, ["method", "nosygrpo", "noisygrpo"]),
    "unknown plan": ({"view_plan": "grit"}, ["view_plan", "grit", "grid"]),
    "unknown kind": ({"noise_kind": "salt"}, ["noise_kind", "salt", "gaussian"]),
    "unknown advantage": ({"advantage": "gae"}, ["advantage", "gae", "bayesian"]),
    "unknown decay": ({"noise_decay": "cosine"}, ["noise_decay", "cosine", "sigmoid"]),
    "level above 1": (
        {"view_plan": "grid", "noise_levels": [0.0, 1.5]},
        ["noise_levels", "1.5", "[0, 1]"],
    ),
    "levels do not divide group": (
        {"method": "noisygrpo", "noise_levels": [0.0, 0.3, 0.6]},
        ["noise_levels", "divide", "group of 4"],
    ),
    "group does not divide batch": (
        {"num_generations": 3},
        ["num_generations", "3", "8 rollouts", "per_device_train_batch_size 8"],
    ),
    "group of one": ({"num_generations": 1}, ["num_generations", "at least 2"]),
    "more clean than rollouts": (
        {"view_plan": "split", "noise_levels": [0.5], "clean_rollouts": 5},
        ["clean_rollouts", "5", "4"],
    ),
    "bayesian without noise": ({"advantage": "bayesian"}, ["advantage", "bayesian", "clean"]),
    "bayesian with one level": (
        {"view_plan": "grid", "noise_levels": [0.3, 0.3], "advantage": "bayesian"},
        ["advantage", "bayesian", "0.3", "all 4 rollouts"],
    ),
    "bayesian with nothing but noise": (
        {"method": "noisyrollout", "clean_rollouts": 0, "advantage": "bayesian"},
        ["advantage", "bayesian", "clean_rollouts 0"],
    ),
    "no hint level": ({"hint_levels": 0}, ["hint_levels", "0", "at least 1"]),
    "unknown selection": (
        {"hint_selection": "best"},
        ["hint_selection", "best", "first_with_variance"],
    ),
    "unknown style": ({"hint_style": "words"}, ["hint_style", "words", "sentence"]),
    "unknown place": ({"hint_place": "system"}, ["hint_place", "system", "question"]),
    "template without hint": ({"hint_template": "<think>"}, ["hint_template", "{hint}"]),
    "alpha": ({"method": "noisygrpo", "bayes_alpha": 0.0}, ["bayes_alpha", "0.0"]),
    "r": ({"method": "noisygrpo", "bayes_r": -1.0}, ["bayes_r", "-1.0"]),
    "constant groups": ({"constant_groups": "drop"}, ["constant_groups", "drop", "prior"]),
    "scale without effect": (
        {"advantage": "rloo", "scale_rewards": "batch"},
        ["scale_rewards", "batch", "rloo"],
    ),
    "loss": ({"loss_type": "ppo"}, ["loss_type", "ppo", "dapo"]),
    "temperature": ({"temperature": 0.0}, ["temperature", "0.0", "above 0"]),
    "length": ({"max_completion_length": 0}, ["max_completion_length", "0", "at least 1"]),
    "pixels": ({"max_pixels": 0}, ["max_pixels", "0"]),
    "rollouts format": ({"rollouts_format": "csv"}, ["rollouts_format", "csv", "parquet"]),
    "ratio of other sizes": (
        {"method": "noisygrpo", "noise_kind": "rotation", "log_view_ratio": True},
        ["log_view_ratio", "rotation"],
    ),
    "vLLM and an off-policy mask": (
        {"method": "noisygrpo", "use_vllm": True, "off_policy_mask_threshold": 0.5},
        ["off_policy_mask_threshold", "0.5", "noisy rollouts"],
    ),
    "TRL's own check": ({"steps_per_generation": 1, "generation_batch_size": 8}, ["both"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_setting_is_one_message(tmp_path, case):
    changes, words = WRONG[case]
    with pytest.raises(UserError) as error:
        make(tmp_path, **changes)
    message = str(error.value)
    assert all(word in message for word in words), message
    assert "\n" not in message


WRONG_TYPES = {
    "noise_levels": [0.5, "0.5", True, ["a"], [None]],
    "clean_rollouts": ["1", 1.5],
    "bayes_alpha": ["x", None],
    "hint_levels": [2.5],
    "max_pixels": ["many"],
    "temperature": ["1"],
    "num_generations": ["8", 2.0],
    "per_device_train_batch_size": ["8"],
    "method": [None, 3],
    "freeze_vision_tower": [1],
}


@pytest.mark.parametrize("name", WRONG_TYPES)
def test_a_value_of_another_type_is_one_line(tmp_path, name):
    for value in WRONG_TYPES[name]:
        with pytest.raises(UserError, match=f"^{name}: .* is not "):
            make(tmp_path, **{name: value})


def test_numbers_of_numpy_and_tuples_are_taken(tmp_path):
    levels = tuple(np.linspace(0, 0.9, 4, dtype=np.float32))
    config = make(tmp_path, method="noisygrpo", noise_levels=levels, num_generations=np.int64(4))
    assert config.noise_levels == levels and config.noisy


def no_gpu(monkeypatch):
    monkeypatch.setattr(precision, "is_torch_bf16_gpu_available", lambda: False)
    monkeypatch.setattr(precision.torch.accelerator, "is_available", lambda: False)


def test_without_a_gpu_open_precision_is_32_bits(tmp_path, monkeypatch, caplog):
    no_gpu(monkeypatch)
    config = NoisyGRPOConfig(str(tmp_path), report_to="none")
    assert config.bf16 is False
    assert [record.message.split(":")[0] for record in caplog.records] == ["bf16"]
    assert NoisyGRPOConfig(str(tmp_path), use_cpu=True).bf16 is True  # TRL's own, on purpose


@pytest.mark.parametrize("name", ["bf16", "fp16", "bf16_full_eval"])
def test_without_a_gpu_precision_that_is_asked_for_is_refused(tmp_path, monkeypatch, name):
    no_gpu(monkeypatch)
    with pytest.raises(UserError, match=f"^{name}: true needs a GPU"):
        NoisyGRPOConfig(str(tmp_path), **{name: True})


def test_other_settings_than_trls_are_refused_by_name(tmp_path):
    model, processor = tiny_qwen25vl()
    with pytest.raises(UserError, match="args: dict is not a NoisyGRPOConfig"):
        NoisyGRPOTrainer(model, length, {"seed": 1}, tiny_rows(2), processing_class=processor)


def test_trls_settings_share_nothing_and_ours_do(tmp_path):
    settings = tiny_settings(tmp_path)
    made = [NoisyGRPOConfig.of(GRPOConfig(**settings), None), NoisyGRPOConfig(**settings)]
    assert [(one.shared_prefix, one.shared_prefill) for one in made] == [
        (False, False),
        (True, True),
    ]


@pytest.mark.parametrize("cut", [{"top_k": 50}, {"top_p": 0.9}, {"min_p": 0.1}])
@pytest.mark.parametrize("compared", [{"log_view_ratio": True}, {"view_correction": "truncated"}])
def test_vllms_log_probs_are_compared_only_where_it_samples_from_all_tokens(
    tmp_path, cut, compared
):
    name = next(iter(cut))
    with pytest.raises(UserError, match=f"{name}: .*vLLM gives log-probs renormalised"):
        make(tmp_path, method="noisygrpo", use_vllm=True, **cut, **compared)
    assert make(tmp_path, method="noisygrpo", **cut, **compared).use_vllm is False


def test_a_method_is_settled_when_the_config_is_made(tmp_path):
    made = make(tmp_path, method="noisygrpo")
    made.method = "noisygrpo"
    for same in (made, copy.deepcopy(made)):
        with pytest.raises(UserError, match="method: 'papo' cannot be set later"):
            same.method = "papo"
        assert same.method == "noisygrpo"


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("lr_scheduler_type", "cosin", "did you mean 'cosine'"),
        ("optim", "adam", "adamw_torch"),
        ("save_strategy", "sometimes", "no, steps, epoch, best"),
        ("logging_strategy", "step", "did you mean 'steps'"),
    ],
)
def test_a_name_that_a_library_lists_is_refused_by_its_field(tmp_path, field, value, said):
    with pytest.raises(UserError, match=f"^{field}: {value!r} is not one of .*{said}"):
        NoisyGRPOConfig(str(tmp_path), use_cpu=True, **{field: value})
