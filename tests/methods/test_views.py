import pytest
from PIL import Image

from noisygrpo.methods.noise import SHARED, noise_seed, perturb
from noisygrpo.methods.views import View, plan_views, view_seed


def levels(plan, group, **settings):
    return [view.level for view in plan_views(plan, group, **settings)]


def test_clean_is_all_clean():
    assert plan_views("clean", 3, levels=[0.5]) == [View()] * 3


def test_grid_cycles_over_the_group():
    published = [0.0, 0.3, 0.6, 0.9]
    assert levels("grid", 4, levels=published) == published
    assert levels("grid", 8, levels=published) == published * 2
    assert levels("grid", 4, levels=published, scale=0.5) == [0.0, 0.15, 0.3, 0.45]
    assert levels("grid", 2, levels=[1.0], scale=1.0) == [1.0, 1.0]
    assert levels("grid", 1, levels=[0.3], scale=0.0) == [0.0]


def test_uniform_keeps_the_first_clean_and_is_addressed():
    where = {"seed": 1, "step": 2, "example_id": "row"}
    drawn = levels("uniform", 8, **where)
    assert drawn[0] == 0.0 and len(set(drawn)) == 8
    assert all(0.0 <= level < 1.0 for level in drawn)
    assert levels("uniform", 8, **where) == drawn
    assert levels("uniform", 4, **where) == drawn[:4]  # each rollout has its own address
    for change in ({"seed": 2}, {"step": 3}, {"example_id": "wor"}):
        other = levels("uniform", 8, **(where | change))
        assert all(a != b for a, b in zip(drawn[1:], other[1:], strict=True))
    assert levels("uniform", 8, **where, clean=3)[:3] == [0.0] * 3
    assert levels("uniform", 8, **where, scale=0.5)[1:] == [0.5 * level for level in drawn[1:]]
    assert levels("uniform", 8) == levels("uniform", 8, seed=0, step=0, example_id="")
    assert levels("uniform", 3, levels=[0.4, 0.4]) == [0.0, 0.4, 0.4]
    narrow = levels("uniform", 64, levels=[0.3, 0.4], **where)
    assert all(0.3 <= level <= 0.4 for level in narrow[1:])


def test_uniform_levels_are_the_same_in_later_releases():
    drawn = levels("uniform", 3, seed=42, step=7, example_id="nlvr-dev-3")
    assert drawn == [0.0, 0.17431807092079188, 0.647634128802478]


def test_uniform_levels_are_uniform():
    drawn = [levels("uniform", 2, example_id=str(i))[1] for i in range(2000)]
    assert sum(drawn) / 2000 == pytest.approx(0.5, abs=0.02)
    assert sum(level < 0.25 for level in drawn) / 2000 == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize(("clean", "n_clean"), [(None, 6), (9, 9), (3, 3), (0, 0), (12, 12)])
def test_split_allows_any_share(clean, n_clean):
    views = plan_views("split", 12, levels=[0.5], clean=clean, scale=0.5)
    assert views[:n_clean] == [View()] * n_clean
    assert views[n_clean:] == [View(level=0.25, shared_noise=True)] * (12 - n_clean)


def test_split_shares_one_noisy_picture():
    image = Image.new("RGB", (16, 16), (90, 120, 150))

    def seen(plan, **settings):
        views = plan_views(plan, 4, **settings)
        return [
            perturb(image, view.level, view_seed(view, 0, 5, "row", i)).tobytes()
            for i, view in enumerate(views)
        ]

    split = seen("split", levels=[0.5])
    assert split[0] == split[1] == image.tobytes()
    assert split[2] == split[3] != image.tobytes()
    assert len(set(seen("grid", levels=[0.5]))) == 4


@pytest.mark.parametrize("shared", [False, True])
def test_each_image_has_its_own_noise_and_the_first_is_the_default(shared):
    view, where = View(level=0.5, shared_noise=shared), (1, 2, "row")
    seeds = [view_seed(view, *where, 3, image).entropy for image in range(3)]
    rollout = SHARED if shared else 3
    assert seeds == [noise_seed(*where, rollout, image).entropy for image in range(3)]
    assert len(set(seeds)) == 3 and view_seed(view, *where, 3).entropy == seeds[0]


def test_a_level_too_small_to_draw_is_level_zero():
    """Annealed to 1.4e-05 the noisy half sees the clean image, and must not be ranked below it."""
    split = plan_views("split", 4, levels=[0.5], scale=2.8e-5)
    assert [view.level for view in split] == [0.0] * 4
    grid = plan_views("grid", 4, levels=[0.0, 0.0004, 0.0006, 1.0])
    assert [view.level for view in grid] == [0.0, 0.0, 0.0006, 1.0]
    tiny = plan_views("uniform", 3, levels=[0.0001, 0.0004], clean=0)
    assert [view.level for view in tiny] == [0.0] * 3


@pytest.mark.parametrize(
    ("plan", "group", "settings", "message"),
    [
        ("spiral", 4, {}, "'spiral' is not one of clean, grid, uniform, split"),
        ("grid", 0, {"levels": [0.1]}, "group is 0"),
        ("grid", 4, {}, "^levels is empty"),
        ("grid", 4, {"levels": [0.1, 0.2, 0.3]}, "3 do not divide a group of 4"),
        ("grid", 4, {"levels": [0.0, 1.2]}, r"levels \[0.0, 1.2\]: 1.2 is outside \[0, 1\]"),
        ("clean", 4, {"clean": 1}, "clean=1 has no meaning in plan 'clean'"),
        ("grid", 4, {"levels": [0.0], "clean": 1}, "clean=1 has no meaning"),
        ("uniform", 4, {"levels": [0.5]}, "none"),
        ("uniform", 4, {"levels": [0.5, 0.1]}, "low and high"),
        ("uniform", 4, {"clean": 5}, "clean=5 rollouts are outside 0..4"),
        ("split", 4, {}, "split takes one"),
        ("split", 5, {"levels": [0.5]}, "no two halves"),
        ("split", 4, {"levels": [0.5], "scale": 1.5}, "scale 1.5"),
    ],
)
def test_wrong_settings_are_named(plan, group, settings, message):
    with pytest.raises(ValueError, match=message):
        plan_views(plan, group, **settings)
