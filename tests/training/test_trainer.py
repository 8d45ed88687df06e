"""Settings that only show in numbers: each reaches the method that it belongs to."""

import json

import pytest
import torch

from noisygrpo.methods.advantages import ADVANTAGES
from noisygrpo.methods.noise import noise_index
from noisygrpo.methods.schedules import noise_scale
from tiny import tiny_rows
from tiny_trainer import make


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def alike_in_one_row(example_id, rollout_index, **columns):
    """The first row's rollouts all earn 1, the second's nothing, the others' every second."""
    every = zip(example_id, rollout_index, strict=True)
    constant = {"row-0": 1.0, "row-1": 0.0}
    return [constant.get(name, float(index % 2)) for name, index in every]


def table(path, name):
    """Return a column of the log as ``[prompts, group]``."""
    values = [record[name] for record in lines(path / "rollouts.jsonl")]
    return torch.tensor(values, dtype=torch.float64).unflatten(0, (-1, 4))


@pytest.mark.parametrize("constant", ["prior", "zero", "prior_if_correct"])
def test_the_knobs_of_the_bayesian_advantage_reach_it(tmp_path, constant):
    knobs = {"bayes_alpha": 0.2, "bayes_r": 0.7, "constant_groups": constant}
    batch = {"per_device_train_batch_size": 12, "max_steps": 1}
    trainer = make(
        tmp_path, tiny_rows(3), (alike_in_one_row,), method="noisygrpo", **batch, **knobs
    )
    trainer.train()
    rewards, levels = table(tmp_path, "reward"), table(tmp_path, "noise_level")
    assert sorted(rewards.sum(1).tolist()) == [0, 2, 4]
    wanted = ADVANTAGES["bayesian"](rewards, levels, alpha=0.2, r=0.7, constant_groups=constant)
    assert torch.allclose(table(tmp_path, "advantage"), wanted.advantages, atol=1e-6)
    logged = trainer.state.log_history[0]
    assert logged["advantage/gain"] == pytest.approx(wanted.gain.mean().item(), abs=1e-6)


@pytest.mark.parametrize("name", ["dr_grpo", "rloo", "reinforce++"])
def test_other_advantages_are_those_of_methods(tmp_path, name):
    def skewed(rollout_index, example_id, **columns):
        return [
            float(index**2) + len(row) for index, row in zip(rollout_index, example_id, strict=True)
        ]

    make(tmp_path, tiny_rows(2), (skewed,), advantage=name, max_steps=1).train()
    wanted = ADVANTAGES[name](table(tmp_path, "reward")).advantages
    assert wanted.abs().min() > 0.1
    assert torch.allclose(table(tmp_path, "advantage"), wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("sigmoid", {"noise_decay_coefficient": 2.0, "noise_decay_mid_step": 1.5}),
        ("sigmoid", {"noise_decay_coefficient": 5.0}),
        ("sigmoid", {"noise_decay_mid_step": 1.0}),
        ("power_code", {"noise_decay_coefficient": 2.0}),
        ("exponential_paper", {"noise_decay_coefficient": 0.25}),
    ],
)
def test_noise_fades_as_coefficient_and_mid_step_say(tmp_path, name, settings):
    make(tmp_path, method="noisyrollout", noise_decay=name, max_steps=3, **settings).train()
    coefficient, mid = (settings.get(f"noise_decay_{key}") for key in ("coefficient", "mid_step"))
    faded = [0.5 * noise_scale(name, step, 3, coefficient, mid) for step in (1, 2, 3)]
    wanted = [level if noise_index(level) else 0.0 for level in faded]  # too little to be drawn
    assert table(tmp_path, "noise_level")[::2, 3].tolist() == pytest.approx(wanted, abs=1e-12)


def test_every_step_says_where_the_run_is(tmp_path, capsys):
    make(tmp_path, max_steps=2).train()
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("step ")]
    assert [line.split()[1] for line in said] == ["1/2", "2/2", "2/2"]
    assert all("reward 0.5" in line and "left 0:00:" in line for line in said[:2])
    assert "trained in" in said[2]
