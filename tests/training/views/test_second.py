"""The second view is the picture or the text that it says; scores on views are of those views."""

import pytest
import torch
from trl import GRPOTrainer

from noisygrpo.methods.dependence import k3
from noisygrpo.methods.noise import address, perturb
from noisygrpo.training.prefix.rows import score_batch
from noisygrpo.training.views.score import expand
from tiny import tiny_rows
from tiny_hints import lines
from tiny_trainer import make

GROUP = {"num_generations": 4, "per_device_train_batch_size": 4}
MASKED = {"second_view": "black_patches", "second_level": 0.5}


@pytest.fixture(autouse=True)
def same_completions(monkeypatch):
    def turn(trainer, prompt_ids, images, fields, *args, **kwargs):
        return [[65 + row, 66, 67][: 2 + row % 2] for row in range(len(prompt_ids))], None

    monkeypatch.setattr(GRPOTrainer, "_generate_single_turn", turn)


def large(trainer):
    """Make the weights large, so that pictures tell."""
    with torch.no_grad():
        for parameter in trainer.model.parameters():
            parameter.mul_(4 if parameter.ndim > 1 else 1)
    return trainer


def scored(trainer, row):
    return trainer._generate_and_score_completions([row] * 4)


def learnt(trainer, row):
    """Score a batch and compute its loss, which gives dependence its scored side."""
    output = scored(trainer, row)
    trainer.current_gradient_accumulation_steps = 1
    trainer._compute_loss(trainer.model.train(), output)
    return output


@pytest.mark.parametrize("images", [1, 2])
@pytest.mark.parametrize("shared", [False, True])
def test_dependence_is_that_of_the_masked_picture(tmp_path, images, shared):
    row = tiny_rows(1, images=(images,))[0]
    compared = large(make(tmp_path, tiny_rows(1), shared_prefix=shared, **GROUP, **MASKED))
    output = learnt(compared, row)
    seeds = [address("second", compared.args.seed, 1, "row-0", number) for number in range(images)]
    pairs = zip(row["images"], seeds, strict=True)
    masked = [perturb(image, 0.5, seed, "black_patches") for image, seed in pairs]
    plain = large(make(tmp_path / "plain", tiny_rows(1), **GROUP))
    second = score_batch(plain, scored(plain, {**row, "images": masked}))
    expected = k3(score_batch(plain, scored(plain, row)), second) * output["completion_mask"]
    assert expected.max() > 1e-3
    assert torch.allclose(compared.made.dependence, expected, atol=1e-5)
    found = [one["visual_dependence"] for one in lines(tmp_path / "rollouts.jsonl")]
    lengths = [len(one) for one in found]
    assert lengths == output["completion_mask"].sum(1).tolist() == [2, 3, 2, 3]
    assert found[1] == pytest.approx(expected[1].tolist(), abs=1e-5)


def test_text_is_the_prompt_without_its_pictures(tmp_path):
    row = tiny_rows(1, images=(2,))[0]
    compared = large(make(tmp_path, tiny_rows(1), second_view="text", **GROUP))
    output = learnt(compared, row)
    seen = compared._comparison.second.on(output)
    assert "pixel_values" not in seen and "image_grid_thw" not in seen
    assert not torch.isin(seen["prompt_ids"], torch.tensor(compared._banned)).any()
    plain = large(make(tmp_path / "plain", tiny_rows(1), **GROUP))
    blind = score_batch(plain, scored(plain, {**row, "images": []}))
    expected = k3(score_batch(plain, scored(plain, row)), blind) * output["completion_mask"]
    assert expected.max() > 1e-3
    assert torch.allclose(compared.made.dependence, expected, atol=1e-5)


def test_a_row_without_images_depends_on_none(tmp_path):
    row = tiny_rows(1, images=(0,))[0]
    compared = make(tmp_path, tiny_rows(1, images=(0,)), **GROUP, **MASKED)
    learnt(compared, row)
    assert (compared.made.dependence == 0).all()  # not the rounding of equal sides


def test_all_completions_of_a_prompt_share_one_picture_a_step(tmp_path):
    compared = make(tmp_path, tiny_rows(2), **GROUP, **MASKED)
    rows = list(tiny_rows(2))
    first = compared._generate_and_score_completions([rows[0]] * 4)["second_pixels"]
    other = compared._generate_and_score_completions([rows[1]] * 4)["second_pixels"]
    compared.state.global_step = 1
    later = compared._generate_and_score_completions([rows[0]] * 4)["second_pixels"]
    assert all(one is first[0] for one in first)
    assert not torch.equal(first[0], other[0]) and not torch.equal(first[0], later[0])


@pytest.mark.parametrize("shared", [False, True])
def test_own_scores_are_those_of_what_each_rollout_saw(tmp_path, shared):
    row = tiny_rows(1)[0]
    settings = {"method": "noisygrpo", "shared_prefix": shared, **GROUP}
    own = large(make(tmp_path, tiny_rows(1), score_view="own", **settings))
    found = score_batch(own, scored(own, row))
    for index in range(4):
        view = own.made.rollouts[index].see(row["images"])
        plain = large(make(tmp_path / "plain", tiny_rows(1), **GROUP))
        expected = score_batch(plain, scored(plain, {**row, "images": view}))
        assert torch.allclose(found[index], expected[index], atol=1e-4)


def test_all_scores_are_those_of_every_view_of_the_group(tmp_path):
    row = tiny_rows(1)[0]
    settings = {"method": "noisygrpo", "num_iterations": 2, "score_view": "all", **GROUP}
    every = large(make(tmp_path, tiny_rows(1), **settings))
    output = scored(every, row)
    views = [rollout.see(row["images"]) for rollout in every.made.rollouts]
    old = output["old_per_token_logps"]
    assert old.shape[:2] == (4, 4)
    expanded = expand(output)
    assert len(expanded["prompt_ids"]) == 16
    assert expanded["num_items_in_batch"] == 4 * output["num_items_in_batch"]
    assert expanded["advantages"].tolist() == output["advantages"].repeat_interleave(4).tolist()
    now = score_batch(every, expanded).view(4, 4, -1)
    assert torch.allclose(now, old, atol=1e-4)
    for number, view in enumerate(views):
        plain = large(make(tmp_path / "plain", tiny_rows(1), **GROUP))
        expected = score_batch(plain, scored(plain, {**row, "images": view}))
        assert torch.allclose(old[:, number], expected, atol=1e-4)


@pytest.mark.parametrize("shared", [False, True])
def test_full_divergence_is_that_of_the_models_own_logits(tmp_path, shared):
    row = tiny_rows(1, images=(1,))[0]
    settings = {"second_estimator": "full", "shared_prefix": shared, "temperature": 0.7}
    compared = large(make(tmp_path, tiny_rows(1), **GROUP, **MASKED, **settings))
    output = scored(compared, row)
    logits = []
    for batch in (output, compared._comparison.second.on(output)):
        parts = {key: batch[key] for key in ("pixel_values", "image_grid_thw", "mm_token_type_ids")}
        ids = torch.cat((batch["prompt_ids"], batch["completion_ids"]), 1)
        mask = torch.cat((batch["prompt_mask"], batch["completion_mask"]), 1)
        with torch.no_grad():
            whole = compared.model(input_ids=ids, attention_mask=mask, **parts).logits
        logits.append(whole[:, -4:-1].double() / 0.7)
    p, q = (one.log_softmax(-1) for one in logits)
    expected = (p.exp() * (p - q)).sum(-1) * output["completion_mask"]
    assert expected.max() > 1e-3
    assert torch.allclose(compared.made.dependence.double(), expected, atol=1e-5)


@pytest.mark.parametrize("gradient", ["clean", "second", "both"])
def test_full_divergence_trains_as_its_formula(tmp_path, gradient):
    """The gradients of a step on the loss term alone, against automatic ones of the logits."""
    settings = {**GROUP, **MASKED, "max_steps": 1, "shared_prefix": gradient == "both"}
    settings |= {"second_estimator": "full", "second_loss": 2.0, "second_policy": "current"}
    trainer = large(make(tmp_path, tiny_rows(1), second_gradient=gradient, **settings))
    output = scored(trainer, tiny_rows(1)[0])
    output["advantages"] = torch.zeros(4)
    trainer.current_gradient_accumulation_steps = 1
    loss = trainer._compute_loss(trainer.model.train(), output)
    loss.backward()
    found = {name: value.grad for name, value in trainer.model.named_parameters()}
    trainer.model.zero_grad()
    sides = []
    for batch in (output, trainer._comparison.second.on(output)):
        parts = {key: batch[key] for key in ("pixel_values", "image_grid_thw", "mm_token_type_ids")}
        ids = torch.cat((batch["prompt_ids"], batch["completion_ids"]), 1)
        mask = torch.cat((batch["prompt_mask"], batch["completion_mask"]), 1)
        sides.append(trainer.model(input_ids=ids, attention_mask=mask, **parts).logits[:, -4:-1])
    first, second = (one.log_softmax(-1) for one in sides)
    first = first.detach() if gradient == "second" else first
    second = second.detach() if gradient == "clean" else second
    d = (first.exp() * (first - second)).sum(-1) * output["completion_mask"]
    expected = 2.0 * d.sum() / output["completion_mask"].sum()
    expected.backward()
    # A difference of float32 logs, small beside them: what CPUs round otherwise is absolute.
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4, abs=2e-6)
    for name, value in trainer.model.named_parameters():
        one, other = found[name], value.grad
        if one is None or other is None:
            assert one is other, name
            continue
        assert (one - other).norm() <= 1e-3 * other.norm() + 1e-6, name
