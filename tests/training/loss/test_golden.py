"""Each method's loss and gradients against the papers' formulas, for any micro-batch.

``golden.json`` holds what ``golden.py`` computed, which knows nothing of our code. Here the whole
way is walked, from the batch to the loss of its micro-batches, but log-probs come from a table.
"""

import json
from pathlib import Path

import pytest
import torch
from trl.trainer.utils import shuffle_sequence_dict, split_tensor_dict

from accelerate import Accelerator
from noisygrpo.methods.dependence import keep_top, sequence_weights, view_weights
from noisygrpo.training.batch import Batch
from noisygrpo.training.rollout import Rollout
from noisygrpo.training.views import parts
from noisygrpo.training.views.plan import CLEAN
from tiny_trainer import make

GOLDEN = json.loads((Path(__file__).parent / "golden.json").read_text())
MASK = torch.tensor([[int(t < n) for t in range(5)] for n in GOLDEN["lengths"]])
NAMES = ("old", "new", "old_second", "new_second", "old_views", "new_views")
TABLES = {name: torch.tensor(GOLDEN[name], dtype=torch.float64) for name in NAMES}

TEXT = {"second_view": "text", "second_level": None}
METHODS = {
    "grpo": {},
    "papo": {"method": "papo", **TEXT},
    "papo_exact": {"method": "papo_exact", **TEXT},
    "papo_exact with entropies": {
        "method": "papo_exact",
        **TEXT,
        "second_loss": -0.01,
        "sampled_entropy": 0.03,
        "second_entropy": 0.03,
    },
    "towards, second only, right only": {
        **TEXT,
        "second_loss": 0.5,
        "second_estimator": "k1",
        "second_policy": "current",
        "second_gradient": "second",
        "second_gate": "correct",
    },
    "vppo": {"method": "vppo", **TEXT},
}
ALL = {"score_view": "all", "view_plan": "grid", "noise_levels": [0.0, 0.3, 0.6]}
"""Every group has three views."""


class Tables:
    """Scores rows by table: a prompt with the vision token is the picture, one without the text."""

    def __init__(self, vision, views):
        self.vision, self.name = vision, "views" if views else ""
        self.clean, self.second = TABLES["old_views" if views else "old"], TABLES["old_second"]

    def update(self):
        self.clean = TABLES["new_views" if self.name else "new"].clone().requires_grad_()
        self.second = TABLES["new_second"].clone().requires_grad_()

    def __call__(self, model, ids, mask, keep, compute_entropy=False, **more):
        rows = ids[:, -5]  # the first token of a completion says whose it is
        seen = (ids[:, :-5] == self.vision).any(1)
        clean = self.clean[rows]
        if clean.ndim == 3:  # a picture's pixel is the number of the view
            views = torch.zeros(len(rows), dtype=torch.long)
            views[seen] = more["pixel_values"][:, 0].long() if seen.any() else 0
            clean = clean[range(len(rows)), views]
        scores = torch.where(seen[:, None], clean, self.second[rows])
        return scores, torch.zeros_like(scores), None


@pytest.fixture(scope="module")
def trainer(tmp_path_factory):
    return make(tmp_path_factory.mktemp("golden"), num_generations=3, per_device_train_batch_size=6)


def use(trainer, changes, loss_type, monkeypatch):
    """Let the trainer be that of other settings, with scores from tables."""
    config = type(trainer.args)(
        **{"output_dir": trainer.args.output_dir, "report_to": [], "num_generations": 3},
        per_device_train_batch_size=6,
        max_completion_length=GOLDEN["longest"],
        use_cpu=True,
        bf16=False,
        loss_type=loss_type,
        **changes,
    )
    Accelerator(cpu=True)  # settings have reset what all accelerators share
    monkeypatch.setattr(trainer, "args", config)
    monkeypatch.setattr(trainer, "loss_type", loss_type)
    monkeypatch.setattr(trainer, "max_completion_length", GOLDEN["longest"])
    tables = Tables(trainer._banned[0], "score_view" in changes)
    monkeypatch.setattr(trainer._scorer, "score", tables)
    monkeypatch.setattr(trainer, "_comparison", parts.comparison(trainer))
    monkeypatch.setattr(trainer, "_forward", parts.loss_forward(trainer))
    return tables


def made_batch(trainer):
    row = {"prompt": "?", "example_id": "a", "images": [None]}
    rollouts = [Rollout(row, n % 3, CLEAN, 0, 1, "gaussian") for n in range(6)]
    batch = Batch(rollouts, training=True)
    batch.rewards = torch.tensor(GOLDEN["rewards"])[:, None]
    completions = torch.arange(6)[:, None].expand(6, 5) * 1  # row n is n n n n n
    output = {
        "prompt_ids": torch.tensor([[65, trainer._banned[0], 66, 67]] * 6),
        "prompt_mask": torch.ones(6, 4, dtype=torch.long),
        "completion_ids": completions,
        "completion_mask": MASK,
        "advantages": torch.tensor(GOLDEN["advantages"], dtype=torch.float64),
        "old_per_token_logps": TABLES["old"],
        "num_items_in_batch": MASK.sum().double(),
    }
    for rollout, length in zip(rollouts, GOLDEN["lengths"], strict=True):
        rollout.completion_ids = [0] * length
    if trainer.args.score_view == "all":
        output |= {"pixel_values": torch.zeros(6, 1), "num_images": [1] * 6}
        output["old_per_token_logps"] = TABLES["old_views"]
        output["view_pixels"] = [[torch.tensor([[float(v)]]) for v in range(3)]] * 6
    return batch, output


@pytest.mark.parametrize("parts_of_a_step", [1, 2, 3, 6])
@pytest.mark.parametrize("case", GOLDEN["cases"])
def test_loss_and_gradients_are_the_formulas(trainer, monkeypatch, case, parts_of_a_step):
    name, _, loss_type = case.rpartition("/")
    views, name = name.startswith("all, "), name.removeprefix("all, ")
    tables = use(trainer, METHODS[name] | (ALL if views else {}), loss_type, monkeypatch)
    batch, output = made_batch(trainer)
    trainer._comparison.look(batch, output)
    trainer._comparison.weigh(batch, output)
    tables.update()
    monkeypatch.setattr(trainer, "current_gradient_accumulation_steps", parts_of_a_step, False)
    monkeypatch.setattr(trainer.args, "steps_per_generation", parts_of_a_step)
    torch.manual_seed(parts_of_a_step)
    micro_batches = split_tensor_dict(shuffle_sequence_dict(output), parts_of_a_step)
    loss = sum(trainer._compute_loss(trainer.model.train(), part) for part in micro_batches)
    loss.backward()
    expected = GOLDEN["cases"][case]
    assert loss.item() == pytest.approx(expected["loss"], abs=1e-9)
    for table, key in ((tables.clean, "new"), (tables.second, "second")):
        gradient = torch.zeros_like(table) if table.grad is None else table.grad
        wanted = torch.tensor(expected[key], dtype=torch.float64)
        assert (gradient - wanted).abs().max() < 1e-9


def test_log_probs_of_all_views_are_scored_where_trl_has_none(trainer, monkeypatch):
    use(trainer, METHODS["vppo"] | ALL, "dapo", monkeypatch)
    batch, output = made_batch(trainer)
    del output["old_per_token_logps"]
    assert torch.equal(trainer._comparison.scored(batch, output), TABLES["old_views"])


def test_weights_of_vppo_are_the_formulas():
    old, second = TABLES["old"], TABLES["old_second"]
    delta = second - old
    d = (delta.exp() - delta - 1).clamp(max=10)
    assert keep_top(d, MASK, 0.4).tolist() == GOLDEN["vppo"]["tokens"]
    scores = (d * MASK).sum(1) / MASK.sum(1)
    wanted = pytest.approx(GOLDEN["vppo"]["sequences"], abs=1e-12)
    assert sequence_weights(scores, 0.9).tolist() == wanted


@pytest.mark.parametrize(
    ("name", "limit"), [("truncated", 1.2), ("geometric", 1.2), ("rejection", 0.1)]
)
def test_corrections_are_the_formulas(name, limit):
    found = view_weights(TABLES["new"], TABLES["old"], MASK, name, limit)
    assert found.tolist() == pytest.approx(GOLDEN["corrections"][name], abs=1e-12)
