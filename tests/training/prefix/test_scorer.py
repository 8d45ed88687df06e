"""The scorer: chunks of rows, none of which takes the vision tower where it has no image."""

from types import SimpleNamespace

import pytest
import torch

from noisygrpo.training.prefix.scorer import COUNTS, Scorer


def plain(input_ids=None):
    """The forward of a backbone that asks for nothing."""


def tiled(input_ids=None, batch_num_images=None):
    """The forward of LLaVA-OneVision's."""


class Trl:
    """TRL's scoring function: it calls the model, and a token's log-prob is its own number."""

    def __init__(self):
        self.calls = []

    def __call__(self, model, ids, mask, keep, compute_entropy, compute_aux_loss, **images):
        model(input_ids=ids)
        self.calls.append((ids[:, 0].tolist(), images))
        kept = ids[:, -keep:].float()
        entropy = kept + 0.5 if compute_entropy else None
        return kept, entropy, torch.tensor(float(len(ids))) if compute_aux_loss else None


def scorer(forward=plain, shared=None):
    core = SimpleNamespace(base_model=SimpleNamespace(forward=forward))
    rows = Trl()
    return Scorer(rows, lambda model: core, shared), rows.calls


IDS = torch.arange(15).view(5, 3)
"""Five rows of one prompt token and two of the completion."""


def score(scorer, size, images, model=lambda **inputs: None, **options):
    mask = torch.ones_like(IDS)
    return scorer.score(model, IDS, mask, 2, batch_size=size, **options, **images)


def qwen(*counts):
    """Images of four patches each, numbered from 0 on, as TRL's batch holds them."""
    total = sum(counts)
    return {
        "pixel_values": torch.arange(total).repeat_interleave(4)[:, None].float(),
        "image_grid_thw": torch.tensor([[1, 2, 2]] * total).view(total, 3),
        "num_images": list(counts),
        "spatial_shapes": None,
    }


@pytest.mark.parametrize("size", [1, 2, 3, 5, 9, None])
def test_chunks_give_the_scores_of_all_rows(size):
    one, calls = scorer()
    log_probs, entropies, aux = score(one, size, {}, compute_entropy=True)
    assert log_probs.tolist() == IDS[:, 1:].tolist() and aux is None
    assert torch.equal(entropies, log_probs + 0.5)
    firsts = [ids for ids, _ in calls]
    width = 5 if size in (9, None) else size
    assert firsts == [IDS[start : start + width, 0].tolist() for start in range(0, 5, width)]
    assert score(one, size, {})[1] is None


def test_the_loss_of_experts_is_the_mean_of_chunks():
    assert score(scorer()[0], 2, {}, compute_aux_loss=True)[2] == (2 + 2 + 1) / 3


@pytest.mark.parametrize(
    ("counts", "size", "seen"),
    [
        ((1, 0, 2, 0, 0), 1, [[0], None, [1, 2], None, None]),
        ((1, 0, 2, 0, 0), 2, [[0], [1, 2], None]),
        ((0, 0, 1, 1, 1), 2, [None, [0, 1], [2]]),
        ((1, 0, 0, 0, 1), 3, [[0], [1]]),
        ((1, 1, 1, 1, 1), 5, [[0, 1, 2, 3, 4]]),
        ((0, 0, 0, 0, 0), 5, [None]),
        ((0, 0, 0, 0, 0), 2, [None, None, None]),
    ],
)
def test_a_chunk_takes_its_own_images_or_none(counts, size, seen):
    one, calls = scorer()
    score(one, size, {**qwen(*counts), "token_type_ids": torch.zeros(5, 3)})
    found = []
    for rows, images in calls:
        assert images.pop("token_type_ids").shape == (len(rows), 3)
        pixels = images.pop("pixel_values", None)
        if pixels is None:
            assert images == {}
            found.append(None)
            continue
        assert len(pixels) == 4 * len(images.pop("image_grid_thw"))
        assert sum(images.pop("num_images")) == len(pixels) // 4 and images == {}
        found.append(pixels[::4, 0].int().tolist())
    assert found == seen


@pytest.mark.parametrize(
    ("forward", "counts", "told"),
    [
        (tiled, (2, 1, 1, 1, 1), [[2, 1], None, None]),
        (tiled, (1, 0, 0, 3, 1), [None, [0, 3], None]),
        (plain, (2, 2, 2, 2, 2), [None] * 3),
    ],
)
def test_a_model_that_asks_is_told_of_several_images(forward, counts, told):
    found = []

    def model(input_ids, **more):
        assert more.keys() <= {COUNTS}
        found.append(more[COUNTS].tolist() if more else None)

    one, calls = scorer(forward)
    images = {**qwen(*counts), COUNTS: torch.tensor(counts)}  # as its processor gives them
    score(one, 2, images, model)
    assert found == told
    assert all(COUNTS not in given for _, given in calls)


class Shared:
    """Takes what it is told to take."""

    def __init__(self, *takes):
        self.left, self.scored, self.images = list(takes), [], self

    def takes(self, core, batch, images):
        return self.left.pop(0)

    def score(self, model, core, batch, images, tap):
        self.scored.append(batch.ids[:, 0].tolist())
        return -batch.completion_ids.float(), batch.completion_ids.float(), None

    def start(self, room):
        self.room = room


def test_each_chunk_is_shared_or_not():
    shared = Shared(True, False, True)
    one, calls = scorer(shared=shared)
    log_probs, entropies, _ = score(one, 2, {}, compute_entropy=True)
    assert shared.scored == [[0, 3], [12]] and [ids for ids, _ in calls] == [[6, 9]]
    assert log_probs[:, 0].tolist() == [-1.0, -4.0, 7.0, 10.0, -13.0]
    assert entropies[:, 0].tolist() == [1.0, 4.0, 7.5, 10.5, 13.0]
    shared.left = [True] * 3
    assert score(one, 2, {})[1] is None  # entropies were not asked for


def test_a_batch_makes_room_for_the_images_of_its_groups():
    rows = [{"images": [1, 2]}] * 4 + [{"images": []}] * 4 + [{}] * 4
    rollouts = [SimpleNamespace(row=row) for row in rows]
    one, _ = scorer(shared=Shared())
    one.start(rollouts, 4)
    assert one.shared.room >= 2
    scorer()[0].start(rollouts, 4)  # rows need none
