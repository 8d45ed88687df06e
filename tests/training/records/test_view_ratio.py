"""How far sampler and learner are apart, by level: against scoring the view itself."""

import pytest
import torch
from trl import GRPOTrainer

from noisygrpo.training import rollout as rollouts
from noisygrpo.training.prefix.rows import score_batch
from noisygrpo.training.records.view_ratio import RatioByLevel
from tiny import tiny_rows
from tiny_trainer import make


@pytest.mark.parametrize("clean", [False, True])
def test_ratio_by_level_counts_clean_rollouts_where_asked(clean):
    ratio = RatioByLevel(clean)
    view, image = torch.tensor([[1.0, 2.0], [3.0, 9.0]]), torch.tensor([[0.5, 1.0], [1.0, 0.0]])
    batch = {"view_log_probs": view, "completion_mask": torch.tensor([[1, 1], [1, 0]])}
    ratio.add({**batch, "noise_level": torch.tensor([0.0, 0.3])}, image)
    ratio.add({"completion_mask": batch["completion_mask"]}, image)  # no view was scored
    metrics = ratio.flush(lambda sums: sums)
    wanted = {"view_ratio/token/level_0.3": 2.0, "view_ratio/sequence/level_0.3": 2.0}
    if clean:
        wanted |= {"view_ratio/token/level_0.0": 0.75, "view_ratio/sequence/level_0.0": 1.5}
    assert metrics == pytest.approx(wanted)
    assert ratio.flush(lambda sums: sums) == {}


def test_view_ratio_is_what_scoring_the_view_itself_gives(tmp_path, monkeypatch):
    def same_completions(trainer, prompt_ids, images, fields, *args, **kwargs):
        return [[65 + row, 66, 67] for row in range(len(prompt_ids))], None

    monkeypatch.setattr(GRPOTrainer, "_generate_single_turn", same_completions)
    row = tiny_rows(1)[0]
    settings = {"num_generations": 4, "per_device_train_batch_size": 4}
    noisy = make(tmp_path, tiny_rows(1), method="noisygrpo", log_view_ratio=True, **settings)
    noisy._engine.temperature = None  # as where generate samples in continuous batches
    batch = noisy._generate_and_score_completions([row] * 4)
    assert torch.equal(batch["view_log_probs"][0], torch.zeros(3))
    for index in (1, 2, 3):
        view = noisy.made.rollouts[index].see(row["images"])
        clean = make(tmp_path, tiny_rows(1), **settings)
        other = clean._generate_and_score_completions([{**row, "images": view}] * 4)
        expected = score_batch(clean, other)[index]
        assert torch.allclose(batch["view_log_probs"][index], expected, atol=1e-6)
        assert not torch.equal(expected, score_batch(noisy, batch)[index])


def test_view_ratio_is_zero_where_views_show_the_image(tmp_path, monkeypatch):
    monkeypatch.setattr(rollouts, "perturb", lambda image, *args: image.copy())
    changes = {"method": "noisygrpo", "log_view_ratio": True, "num_iterations": 2, "max_steps": 2}
    trainer = make(tmp_path, tiny_rows(6, images=(1, 0, 2)), **changes)
    trainer.train()
    entry = trainer.state.log_history[0]
    ratios = [value for name, value in entry.items() if name.startswith("view_ratio/token")]
    assert ratios and all(abs(ratio) < 1e-6 for ratio in ratios)
