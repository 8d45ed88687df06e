"""The trainer's small parts: views of a batch, metrics, logs, preprocessing, vision tokens."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from noisygrpo.errors import UserError
from noisygrpo.models.vision import vision_token_ids
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.finite import NonFiniteError, require_finite
from noisygrpo.training.image_tokens import check_image_tokens
from noisygrpo.training.model import ban_tokens
from noisygrpo.training.records.metrics import (
    Clock,
    bucket,
    by_level,
    is_constant,
    total_rewards,
)
from noisygrpo.training.records.progress import step_line
from noisygrpo.training.records.rollouts import append_lines, drop_steps_after
from noisygrpo.training.records.view_ratio import RatioByLevel
from noisygrpo.training.views.plan import plan_batch
from noisygrpo.training.views.preprocess import OncePerImage, once_per_image
from noisygrpo.training.views.show import prompt_images, replace_images, see_all
from tiny import tiny_image, tiny_qwen25vl, tiny_rows, tiny_settings, tiny_tokenizer


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


def test_replace_images_keeps_everything_else():
    first, second, view = tiny_image(1), tiny_image(2), tiny_image(3)
    prompt = [
        {"role": "system", "content": "be brief"},
        {
            "role": "user",
            "content": [
                {"type": "image", "image": first},
                {"type": "text", "text": "and"},
                {"type": "image", "image": second},
            ],
        },
    ]
    replaced = replace_images(prompt, [view, second])
    assert prompt_images(replaced) == [view, second] and prompt_images(prompt) == [first, second]
    assert replaced[0] == prompt[0] and replaced[1]["content"][1] == prompt[1]["content"][1]


def test_buckets_hold_levels_up_to_their_edge():
    assert [bucket(tenth / 10) for tenth in range(11)] == list(range(11))
    assert [bucket(level) for level in (0.0, 1e-3, 0.1001, 0.95)] == [0, 1, 2, 10]
    assert by_level([1.0, 3.0, math.nan, 5.0], [0.0, 0.0, 0.3, 0.25], "reward") == {
        "reward/level_0.0": 2.0,
        "reward/level_0.3": 5.0,
    }


def test_total_reward_leaves_out_what_could_not_be_scored():
    nan = math.nan
    parts = torch.tensor([[1.0, 2.0], [nan, 2.0], [nan, nan]])
    total = total_rewards(parts, torch.tensor([1.0, 0.5]))
    assert total[:2].tolist() == [2.0, 1.0] and math.isnan(total[2])
    groups = torch.tensor([[0.9, 0.9, nan], [0.9, 0.8, nan], [nan, nan, nan]])
    assert is_constant(groups).tolist() == [True, False, True]


def test_clock_accounts_for_the_whole_step():
    clock = Clock()
    clock.seconds = {"noise": 1, "generate": 4, "reward": 1, "rollout": 8, "step": 20}
    clock.tokens = 100
    metrics = clock.flush()
    assert metrics["time/score"] == 2 and metrics["time/update"] == 12
    assert metrics["tokens_per_second"] == 5
    assert clock.flush()["time/update"] == 0


def test_log_lines_survive_numbers_json_has_not(tmp_path):
    path = tmp_path / "new" / "log.jsonl"
    append_lines(path, [{"step": 1, "a": math.nan, "b": [math.inf, 1.5], "c": {"d": "é"}}])
    append_lines(path, [{"step": 2}])
    text = path.read_text(encoding="utf-8")
    assert [json.loads(line) for line in text.splitlines()] == [
        {"step": 1, "a": None, "b": [None, 1.5], "c": {"d": "é"}},
        {"step": 2},
    ]
    assert "é" in text


def test_resumed_log_drops_later_steps_and_a_line_cut_short(tmp_path):
    path = tmp_path / "log.jsonl"
    append_lines(path, [{"step": step, "text": "a\u2028b"} for step in (1, 2, 2, 3)])
    with path.open("a") as file:
        file.write('{"step": 2, "te')
    drop_steps_after(path, 2)
    kept = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [record["step"] for record in kept] == [1, 2, 2]
    assert [entry.name for entry in tmp_path.iterdir()] == ["log.jsonl"]
    drop_steps_after(tmp_path / "none.jsonl", 0)


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


@pytest.mark.parametrize(("method", "distinct"), [("noisygrpo", 3), ("noisyrollout", 1)])
def test_every_distinct_view_is_drawn_once(tmp_path, method, distinct):
    """Of four rollouts NoisyGRPO shows three their own noise, NoisyRollout shows two the same."""
    settings = tiny_settings(tmp_path, method=method)
    rows = batch_of(tiny_rows(2, images=(1, 2)), 4)
    rollouts = plan_batch(NoisyGRPOConfig(**settings), rows, first=0, group=4, step=1)
    images = [rollout.row["images"] for rollout in rollouts]
    views = see_all(rollouts, images)
    alone = [rollout.see(row) for rollout, row in zip(rollouts, images, strict=True)]
    for row, wanted in zip(views, alone, strict=True):
        assert [image.tobytes() for image in row] == [image.tobytes() for image in wanted]
    for group, pictures in ((slice(0, 4), 1), (slice(4, 8), 2)):
        objects = {id(image) for row in views[group] for image in row}
        clean = {id(image) for row in images[group] for image in row}
        assert clean < objects and len(clean) == pictures
        assert len(objects - clean) == distinct * pictures


def test_images_are_processed_once_and_exactly_alike():
    _, processor = tiny_qwen25vl()
    images = [tiny_image(0), tiny_image(1, 84, 56), tiny_image(0)]
    order = [images[0], images[1], images[0], images[2], images[1]]
    text = "<|vision_start|><|image_pad|><|vision_end|>"
    arguments = {"text": [text] * 5, "images": [[image] for image in order], "padding": True}
    expected = processor(**arguments, return_tensors="pt")
    calls = []
    inner = processor.image_processor
    with once_per_image(processor):
        stand_in = processor.image_processor
        assert isinstance(stand_in, OncePerImage) and stand_in.merge_size == inner.merge_size
        stand_in._processor = lambda new, **kwargs: calls.append(len(new)) or inner(new, **kwargs)
        stand_in._processor.__dict__.update(vars(inner))
        direct = stand_in([[image] for image in order], return_tensors="pt")
        again = stand_in([images[1], images[0]])
    assert processor.image_processor is inner
    assert calls == [3]
    for key in ("pixel_values", "image_grid_thw"):
        assert torch.equal(direct[key], expected[key])
        assert isinstance(again[key], np.ndarray)
    with once_per_image(processor):
        through = processor(**arguments, return_tensors="pt")
    assert through.keys() == expected.keys()
    assert all(torch.equal(through[key], expected[key]) for key in expected)


def test_other_processors_are_left_alone():
    with once_per_image(tiny_tokenizer()):
        pass


def test_vision_tokens_are_found_and_banned():
    model, processor = tiny_qwen25vl()
    tokenizer = processor.tokenizer
    banned = vision_token_ids(model.config.to_dict(), tokenizer)
    names = tokenizer.convert_ids_to_tokens(banned)
    kinds = ["image_pad", "video_pad", "vision_end", "vision_pad", "vision_start"]
    assert sorted(names) == [f"<|{kind}|>" for kind in kinds]
    changes = ban_tokens({"suppress_tokens": [5]}, banned, vllm=False)
    assert changes == {"suppress_tokens": sorted([5, *banned])}
    bias = ban_tokens({"logit_bias": {7: 1.0}}, banned, vllm=True)["logit_bias"]
    assert bias == {7: 1.0, **dict.fromkeys(banned, -100.0)}
    assert ban_tokens({}, [], vllm=True) == {}


def test_image_tokens_must_match_features_by_row():
    grids = [[1, 4, 4], [1, 2, 4], [1, 4, 4]]  # 4, 2 and 4 features
    good = [[9] * 4 + [1], [9] * 6 + [1], [1]]
    check_image_tokens(good, [1, 2, 0], grids, 9, 2, ["a", "b", "c"])
    with pytest.raises(UserError, match=r"row 'b': its prompt has 7 .* 2 image\(s\) give 6"):
        check_image_tokens([good[0], [9] * 7, [1]], [1, 2, 0], grids, 9, 2, ["a", "b", "c"])


def test_line_says_what_one_waits_for():
    logs = {"loss": 0.01234, "reward": 0.5, "learning_rate": 1e-6, "step_time": 3.21}
    line = step_line(logs, 12, 200, 603.4)
    assert line == "step 12/200  reward 0.5  loss 0.0123  s/step 3.21  left 0:10:03"
    assert step_line({"eval_reward": 0.25}, 12, 200, 9.0) == "step 12/200  evaluation  reward 0.25"
    assert step_line({"train_runtime": 61.2}, 200, 200, 0.0) == "step 200/200  trained in 0:01:01"


def test_finite_check_names_step_and_value():
    done, args = SimpleNamespace(global_step=3), SimpleNamespace(output_dir="runs/x")
    require_finite(0.0, "loss", done, args)
    with pytest.raises(NonFiniteError, match=r"step 4: the loss is nan.*step 3.*runs/x"):
        require_finite(math.nan, "loss", done, args)
