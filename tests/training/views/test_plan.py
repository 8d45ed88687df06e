"""From a batch of rows to the view of each rollout, whatever process holds it."""

import json

import numpy as np
import pytest

from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.views.plan import batch_of_step, plan_batch
from tiny import tiny_image, tiny_rows, tiny_settings
from tiny_trainer import make


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    settings = tiny_settings(tmp_path_factory.mktemp("run"), method="noisygrpo")
    return NoisyGRPOConfig(**{**settings, "view_plan": "uniform"})


def batch_of(rows, group):
    return [row for row in rows for _ in range(group)]


@pytest.mark.parametrize("processes", [2, 4, 8])
def test_plan_does_not_depend_on_how_the_batch_is_shared_out(config, processes):
    rows = batch_of(tiny_rows(4), 4)
    whole = plan_batch(config, rows, first=0, group=4, step=7)
    share = len(rows) // processes
    parts = [
        plan_batch(config, rows[start : start + share], first=start, group=4, step=7)
        for start in range(0, len(rows), share)
    ]
    assert [rollout for part in parts for rollout in part] == whole
    assert [rollout.index for rollout in whole] == [0, 1, 2, 3] * 4


def test_noise_depends_on_each_part_of_its_address_and_nothing_else(config):
    row = tiny_rows(1)[0]
    (image,) = row["images"]

    def seen(**changes):
        arguments = {"first": 3, "group": 4, "step": 1, **changes}
        (rollout,) = plan_batch(config, [row], **arguments)
        np.random.seed(len(changes))  # must not matter
        return rollout.see([image, image])

    one, two = seen()
    assert one.tobytes() == seen()[0].tobytes()
    assert one.tobytes() != two.tobytes()  # two images of one prompt
    assert one.tobytes() != seen(step=2)[0].tobytes()
    assert one.tobytes() != seen(first=2)[0].tobytes()


def test_clean_and_imageless_rollouts_see_the_same_objects(config):
    rows = tiny_rows(2, images=(1, 0))
    clean = plan_batch(config, batch_of(rows, 4), first=0, group=4, step=1, clean=True)
    images = rows[0]["images"]
    assert all(rollout.see(images)[0] is images[0] for rollout in clean)
    noisy = plan_batch(config, batch_of(rows, 4), first=0, group=4, step=1)
    assert [rollout.noisy for rollout in noisy] == [False, True, True, True] + [False] * 4
    assert noisy[0].seeds(1) == [] and len(noisy[1].seeds(2)) == 2


def test_the_plan_shares_images_and_leaves_rows_alone(config):
    rows = [dict(row) for row in batch_of(tiny_rows(2), 4)]
    for row in rows:
        row["images"] = [image.copy() for image in row["images"]]
    before = [set(row) for row in rows]
    rollouts = plan_batch(config, rows, first=0, group=4, step=1)
    result = [rollout.row for rollout in rollouts]
    assert all(row["images"] is result[0]["images"] for row in result[:4])
    assert result[4]["images"] is not result[0]["images"]
    assert [set(row) for row in [*rows, *result]] == before * 2
    given = [one.reward_row(one.row) for one in rollouts]
    assert [row["rollout_index"] for row in given] == [0, 1, 2, 3] * 2
    assert [row["noise_level"] for row in given] == [one.view.level for one in rollouts]


def test_a_row_without_an_id_gets_one_of_its_prompt_and_pixels(config):
    row = tiny_rows(1)[0]
    bare = {key: value for key, value in row.items() if key != "example_id"}
    other = {**bare, "images": [tiny_image(9)]}
    copied = {**bare, "images": [image.copy() for image in bare["images"]]}

    def ids(*rows):
        made = plan_batch(config, batch_of(rows, 4), first=0, group=4, step=1)
        return [one.reward_row(one.row)["example_id"] for one in made[::4]]

    first, second, third, none = ids(bare, copied, other, {**bare, "example_id": None})
    assert first == second == none != third
    assert ids(row) == ["row-0"] and ids({**row, "example_id": 7}) == [7]


def test_a_row_without_an_id_gets_one_of_its_content(tmp_path):
    rows = tiny_rows(3)
    bare = rows.remove_columns("example_id")
    trainer = make(tmp_path, bare, method="noisygrpo", shuffle_dataset=False)
    seeds = []
    for data in (bare, bare.select([0, 2])):
        trainer._generate_and_score_completions([row for row in data for _ in range(4)])
        groups = {rollout.example_id: rollout.seeds(1) for rollout in trainer.made.rollouts}
        assert len(groups) == len(data)
        seeds.append(groups)
    assert seeds[1].items() <= seeds[0].items()  # whatever else is in the batch


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_decay_shrinks_levels_over_the_run(tmp_path):
    make(tmp_path, method="noisygrpo", noise_decay="linear", max_steps=4).train()
    top = [record["noise_level"] for record in lines(tmp_path / "rollouts.jsonl")][3::8]
    assert top == pytest.approx([0.9 * 0.75, 0.9 * 0.5, 0.9 * 0.25, 0.0])


@pytest.mark.parametrize(
    ("settings", "batches", "total"),
    [
        ({"gradient_accumulation_steps": 2}, [1, 2, 3, 4], 8),
        ({"gradient_accumulation_steps": 2, "num_iterations": 2}, [1, 1, 2, 2], 4),
        ({"steps_per_generation": 4, "gradient_accumulation_steps": 1}, [1, 1, 1, 1], 2),
        ({"steps_per_generation": 3, "gradient_accumulation_steps": 2}, [1, 1, 2, 3], 6),
        ({"steps_per_generation": 1, "gradient_accumulation_steps": 4}, [1, 2, 3, 4], 8),
    ],
)
def test_the_schedule_counts_batches_of_rollouts(tmp_path, settings, batches, total):
    args = make(tmp_path, **settings).args
    assert [batch_of_step(step, 8, args) for step in range(4)] == [(n, total) for n in batches]
