"""What the sampler is shown: prompts with views in them, each distinct view drawn once."""

import pytest

from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.views.plan import plan_batch
from noisygrpo.training.views.show import prompt_images, replace_images, see_all
from tiny import tiny_image, tiny_rows, tiny_settings


def batch_of(rows, group):
    return [row for row in rows for _ in range(group)]


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
