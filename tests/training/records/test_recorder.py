"""What a run leaves behind: every rollout, and every metric of a step."""

import json
import math
from collections import defaultdict, deque
from types import SimpleNamespace

import pytest
import torch

from noisygrpo.methods.advantages import bayesian_posterior
from noisygrpo.methods.views import View
from noisygrpo.report.views import redraw_all
from noisygrpo.training.batch import Batch, Weighed
from noisygrpo.training.records.metrics import Clock
from noisygrpo.training.records.recorder import Recorder
from noisygrpo.training.rollout import Rollout, row_images
from tiny_trainer import by_index, length, make

METRICS = [
    "loss",
    "reward",
    "entropy",
    "num_tokens",
    "tokens_per_second",
    "advantage/gain",
    "advantage/unscorable",
    "advantage/prior_driven",
    "advantage/zero_groups",
    "rewards/by_index/mean",
    "rewards/length/mean",
    "completions/mean_length",
    "completions/clipped_ratio",
    "time/noise",
    "time/generate",
    "time/score",
    "time/reward",
    "time/update",
    "time/view_ratio",
    "step_time",
]


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def made_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("noisy")
    rewards, weights = (by_index, length), [1.0, 0.5]
    changes = {"method": "noisygrpo", "log_view_ratio": True, "max_steps": 3}
    trainer = make(folder, None, rewards, weights, None, **changes)
    trainer.train()
    return folder, trainer.made


@pytest.fixture(scope="module")
def noisy_run(made_run):
    return made_run[0]


def test_noisygrpo_run_leaves_rollouts(noisy_run):
    records = lines(noisy_run / "rollouts.jsonl")
    assert len(records) == 3 * 8
    assert [record["step"] for record in records] == [1] * 8 + [2] * 8 + [3] * 8
    for start in range(0, 24, 4):
        group = records[start : start + 4]
        assert len({record["example_id"] for record in group}) == 1
        assert [record["rollout_index"] for record in group] == [0, 1, 2, 3]
        assert [record["noise_level"] for record in group] == [0.0, 0.3, 0.6, 0.9]
        seeds = [seed for record in group for seed in record["noise_seed"]]
        assert len(seeds) == len(set(seeds)) == 3
        assert group[0]["prompt"][0]["content"].startswith("Question")
        reward = torch.tensor([[record["reward"] for record in group]])
        levels = torch.tensor([[record["noise_level"] for record in group]])
        expected = bayesian_posterior(reward, levels).advantages[0].tolist()
        assert [record["advantage"] for record in group] == pytest.approx(expected, abs=1e-6)
        for record in group:
            parts = record["rewards"]
            assert parts["by_index"] == record["rollout_index"] % 2
            assert record["reward"] == pytest.approx(parts["by_index"] + 0.5 * parts["length"])
            assert parts["length"] == pytest.approx(len(record["completion"]) / 10)


def test_a_view_is_drawn_again_from_its_line_to_the_byte(made_run):
    folder, batch = made_run
    drawn = 0
    for line, images, row in zip(
        lines(folder / "rollouts.jsonl")[-8:], batch.shown.images, batch.rows, strict=True
    ):
        again = redraw_all(line, row_images(row))
        assert [view.tobytes() for view in again] == [view.tobytes() for view in images]
        drawn += line["noise_level"] > 0
    assert drawn == 6


def test_noisygrpo_run_leaves_metrics(noisy_run):
    metrics = lines(noisy_run / "metrics.jsonl")
    assert [entry["step"] for entry in metrics] == [1, 2, 3, 3]
    for entry in metrics[:3]:
        for name in METRICS:
            assert math.isfinite(entry[name]), name
        at_level = {f"reward/level_{level}" for level in ("0.0", "0.3", "0.6", "0.9")}
        assert {name for name in entry if name.startswith("reward/level")} == at_level
        ratios = {f"view_ratio/token/level_{level}" for level in ("0.3", "0.6", "0.9")}
        assert {name for name in entry if name.startswith("view_ratio/token")} == ratios
        assert all(entry[name] != 0 for name in ratios)
        parts = (value for name, value in entry.items() if name.startswith("time/"))
        assert sum(parts) >= entry["step_time"]  # TRL's clock runs inside ours


def test_a_rollout_without_any_reward_is_counted_and_gets_no_advantage(tmp_path):
    def sometimes(rollout_index, **columns):
        return [None if index == 1 else float(index) for index in rollout_index]

    trainer = make(tmp_path, rewards=(sometimes,), method="noisygrpo", max_steps=1)
    trainer.train()
    assert trainer.state.log_history[0]["advantage/no_reward"] == 0.25
    assert trainer.state.log_history[0]["advantage/unscorable"] == 0
    for record in lines(tmp_path / "rollouts.jsonl"):
        if record["rollout_index"] == 1:
            assert record["reward"] is None and record["advantage"] == 0.0


def recorder_of(folder, main=True, turns=False, **changes):
    """A recorder without a trainer."""
    settings = {"output_dir": str(folder), "rollouts_format": "jsonl", "log_multimodal": True}
    settings |= {"noise_kind": "gaussian", "knobs": None, "released": None, "view_plan": "uniform"}
    logs = {name: deque() for name in ("advantages", "prompt", "images")}
    config = SimpleNamespace(**{**settings, **changes})
    return Recorder(config, logs, defaultdict(list), Clock(), main, {2, 3}, turns)


def batch_made(ids=((5, 2), (5, 6, 7)), level=0.3):
    """A prompt's two rollouts, one of them noisy; the second is cut off and unscorable."""
    rollouts = []
    for index, completion in enumerate(ids):
        row = {"example_id": "a", "prompt": "Q", "images": ["clean"]}
        view = View(level * index)
        rollouts.append(Rollout(row, index, view, 0, 4, "gaussian", completion_ids=completion))
        rollouts[-1].rewards = {"right": 1.0 - index}
    rollouts[0].reward, rollouts[0].advantage = 1.0, 0.5
    rollouts[1].unscorable = True
    return Batch(rollouts, True)


def weighed():
    rewards, levels = torch.tensor([[1.0, torch.nan]]), torch.tensor([[0.0, 0.3]])
    lost = torch.tensor([False, True])
    return Weighed(rewards, levels, torch.tensor([[0.5, 0.0]]), lost, torch.tensor([0.75]))


def test_a_batch_is_written_with_its_metrics(tmp_path):
    recorder = recorder_of(tmp_path)
    recorder.logs["advantages"].extend([9.0, -1.0, -1.0])  # an earlier step's, and TRL's
    recorder.batch(weighed())
    recorder.rollouts(batch_made(), step=4, part=0)
    one, two = lines(tmp_path / "rollouts.jsonl")
    assert (one["step"], one["advantage"], one["noise_level"], one["noise_seed"]) == (4, 0.5, 0, [])
    assert not one["truncated"] and two["truncated"] and two["completion_tokens"] == 3
    assert two["reward"] is None and two["unscorable"] and len(two["noise_seed"]) == 1
    assert list(recorder.logs["advantages"]) == [9.0, 0.5, 0.0]
    assert recorder.clock.tokens == 5
    found = {name: values[0] for name, values in recorder.metrics.items()}
    assert found["reward/level_0.0"] == 1.0 and "reward/level_0.3" not in found
    assert found["advantage/unscorable"] == 0.5 and found["advantage/prior_driven"] == 1.0
    recorder.add({"reward/level_0.0": 2.0})
    assert recorder.metrics["reward/level_0.0"] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("part", "form", "main", "files"),
    [
        (0, "parquet", True, ["rollouts/step-000004.parquet"]),
        (2, "parquet", True, ["rollouts/step-000004-2.parquet"]),
        (0, "none", True, []),
        (0, "jsonl", False, []),
    ],
)
def test_where_rollouts_go(tmp_path, part, form, main, files):
    recorder = recorder_of(tmp_path, main, rollouts_format=form)
    recorder.rollouts(batch_made(), step=4, part=part)
    recorder.step({"loss": float("nan"), "step": 4})
    written = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")]
    assert sorted(written) == sorted([*files, *(["metrics.jsonl"] if main else [])])
    assert recorder.clock.tokens == 5  # on every process
    if main:
        assert lines(tmp_path / "metrics.jsonl") == [{"loss": None, "step": 4}]
