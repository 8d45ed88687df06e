"""Groups that teach nothing are replaced, the same ones on any number of processes and resumed."""

import json

import pytest
import torch

from noisygrpo.errors import UserError
from noisygrpo.training.groups.refill import Order
from noisygrpo.training.views.parts import refill
from tiny import tiny_rows
from tiny_trainer import make
from two_processes import keep_samples

GREEDY = {"generation_kwargs": {"do_sample": False}}


def every_third(example_id, rollout_index, **columns):
    """Rewards that differ within the groups of rows 0, 3, 6, .. and are equal in all others."""
    rows = [int(name.split("-")[1]) for name in example_id]
    pairs = zip(rows, rollout_index, strict=True)
    return [1.0 if row % 3 else float(index % 2) for row, index in pairs]


def nothing(example_id, **columns):
    return [1.0] * len(example_id)


def lines(folder, name="rollouts.jsonl"):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def flat(values):
    """A list, or the entries of its lists."""
    return [one for row in values for one in (row if isinstance(row, list) else [row])]


def refilled(folder, reward=every_third, images=(1, 0, 2), **changes):
    settings = {"groups": "refill", "max_steps": 2, **GREEDY, **changes}
    return make(folder, tiny_rows(12, images=images), (reward,), **settings)


def test_every_group_that_is_trained_teaches(tmp_path):
    trainer = refilled(tmp_path)
    trainer.train()
    found = lines(tmp_path)
    assert len(found) == 16
    assert {int(one["example_id"][4:]) % 3 for one in found} == {0}
    assert [one["rollout_index"] for one in found] == [0, 1, 2, 3] * 4
    assert all(one["advantage"] != 0 for one in found)
    metrics = lines(tmp_path, "metrics.jsonl")[0]
    assert metrics["groups/silent"] == 0 and metrics["groups/attempts"] >= 1


def test_what_cannot_be_replaced_stays(tmp_path):
    trainer = refilled(tmp_path, nothing, refill_attempts=2, max_steps=1)
    trainer.train()
    metrics = lines(tmp_path, "metrics.jsonl")[0]
    assert (metrics["groups/attempts"], metrics["groups/silent"]) == (2, 2)
    assert metrics["groups/dropped"] == 2 and metrics["advantage/zero_groups"] == 1
    assert len(lines(tmp_path)) == 8


def test_a_bayesian_group_with_a_prior_is_not_silent(tmp_path):
    trainer = refilled(tmp_path, nothing, (1,), max_steps=1, method="noisygrpo")
    trainer.train()
    metrics = lines(tmp_path, "metrics.jsonl")[0]
    assert (metrics["groups/attempts"], metrics["groups/dropped"]) == (0, 0)


def test_a_full_batch_is_the_one_without_refill(tmp_path):
    def by_index(rollout_index, **columns):
        return [float(index) for index in rollout_index]

    outcomes = []
    for groups in ("all", "refill"):
        folder = tmp_path / groups
        trainer = refilled(folder, by_index, groups=groups)
        trainer.train()
        outcomes.append((lines(folder), dict(trainer.model.named_parameters())))
    assert outcomes[0][0] == outcomes[1][0]
    assert all(torch.equal(value, outcomes[1][1][name]) for name, value in outcomes[0][1].items())


GRID = {"view_plan": "grid", "noise_levels": [0.0, 0.3, 0.6, 0.9]}
MERGED = {"papo": {"method": "papo"}, "all": {**GRID, "score_view": "all", "second_view": "text"}}


@pytest.mark.parametrize("changes", MERGED.values(), ids=MERGED)
def test_a_replaced_group_is_scored_as_if_it_had_been_first(tmp_path, changes):
    """The merged batch holds what TRL makes of the same rows, sampled in one go."""
    trainer = refilled(tmp_path / "one", num_iterations=2, **changes)
    words = keep_samples(trainer)
    rows = list(tiny_rows(12, images=(1, 0, 2)))
    merged = trainer._generate_and_score_completions([rows[n] for n in (1, 3) for _ in range(4)])
    chosen = [one["example_id"] for one in lines(tmp_path / "one")][::4]
    other = refilled(tmp_path / "two", num_iterations=2, **changes)
    keep_samples(other)
    named = {row["example_id"]: row for row in rows}
    plain = other._generate_and_score_completions([named[n] for n in chosen for _ in range(4)])
    assert len(words) > 1 and merged.keys() == plain.keys()
    for key, value in plain.items():
        if key in ("engine_log_probs", "clean_row"):  # every batch had its first row scored again
            continue
        found = merged[key]
        if isinstance(value, list):
            same = [
                torch.as_tensor(a).equal(torch.as_tensor(b))
                for a, b in zip(flat(value), flat(found), strict=True)
            ]
            assert all(same), key
            continue
        if value.ndim == 3:  # log-probs on every view
            found = found[..., : value.size(2)]
        elif value.ndim == 2 and "pixel" not in key and "grid" not in key:  # more padding
            wide = found.size(1) - value.size(1)
            left = key.startswith("prompt")
            kept = found[:, wide:] if left else found[:, : value.size(1)]
            found = kept if key != "mm_token_type_ids" else value
        assert torch.allclose(found.double(), value.double(), atol=1e-6), key


def test_the_order_is_addressed_and_reaches_every_row_from_every_place():
    order = Order(range(6), seed=0, step=3, batch=1)
    places = [order.row(n) for n in range(60)]
    assert sorted(places[:6]) == list(range(6)) and places[:6] != places[6:12]
    assert all(set(places[k::2]) == set(range(6)) for k in (0, 1))
    assert [Order(range(6), 0, 3, 1).row(n) for n in (7, 2)] == [places[7], places[2]]
    others = [Order(range(6), *where) for where in ((1, 3, 1), (0, 4, 1), (0, 3, 2))]
    assert all([other.row(n) for n in range(12)] != places[:12] for other in others)


def test_parts_of_groups_are_refused(tmp_path):
    with pytest.raises(UserError, match="groups: refill needs whole groups on each process"):
        changes = {"per_device_train_batch_size": 3, "gradient_accumulation_steps": 2}
        trainer = refilled(tmp_path, num_generations=2, steps_per_generation=2, **changes)
        trainer.args.num_generations = 4
        refill(trainer)


def test_a_resumed_run_goes_on(tmp_path):
    settings = {"max_steps": 3, "optim": "sgd", "save_strategy": "steps", "save_steps": 1}

    def run():
        trainer = refilled(tmp_path, **settings)
        keep_samples(trainer)
        return trainer

    run().train()
    whole = lines(tmp_path)
    run().train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    assert lines(tmp_path) == whole
