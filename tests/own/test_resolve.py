"""From a name and knobs to what a run calls."""

import functools

import numpy as np
import pytest
import torch
from PIL import Image

from noisygrpo.errors import UserError
from noisygrpo.methods.advantages import ADVANTAGES, AdvantageResult
from noisygrpo.methods.noise import perturb
from noisygrpo.methods.views import View, plan_views
from noisygrpo.own.choice import remember
from noisygrpo.own.resolve import resolve

CODE = """
import numpy as np
from noisygrpo.methods.advantages import AdvantageResult
from noisygrpo.methods.views import View

calls = []

def dark(image, level, *, to=0):
    calls.append(level)
    return image.point(lambda value: round(value * (1 - level) + to * level))

def coin(group, rng, levels, *, share=0.5):
    return [levels[0] if rng.random() < share else 0.0 for _ in range(group)]

def mixed(group, step, example_id):
    return [View(0.5, shared_noise=True), step / 10, 0, np.float32(0.25)][:group]

def tilted(rewards, levels, correct, *, alpha=0.1):
    assert not rewards.isnan().any()
    score = rewards - alpha * levels + correct.double()
    return AdvantageResult(score - score.mean(1, keepdim=True), rewards[:, 0] * 0 + alpha)
"""


@pytest.fixture
def code(tmp_path):
    (tmp_path / "mine.py").write_text(CODE)
    return str(tmp_path / "mine.py")


def test_a_noise_with_a_knob_and_without_a_generator(code):
    picture = Image.new("RGB", (3, 2), (200, 100, 0))
    assert perturb(picture, 0.5, 0, resolve("noise_kind", f"{code}:dark")).getpixel((0, 0)) == (
        100, 50, 0,
    )  # fmt: skip
    lighter = resolve("noise_kind", f"{code}:dark", {"to": 100})
    assert perturb(picture, 0.5, 0, lighter).getpixel((0, 0)) == (150, 100, 50)


def test_at_level_0_no_noise_is_called_and_the_picture_is_the_same_object(code):
    def never(image, level):
        raise AssertionError("called")

    picture = Image.new("L", (3, 2))
    for name in (remember(never), f"{code}:dark"):
        assert perturb(picture, 0.0, 0, resolve("noise_kind", name)) is picture
        assert perturb(picture, 0.0004, 0, resolve("noise_kind", name)) is picture


def test_a_plan_draws_from_an_addressed_generator_and_is_scaled(code):
    plan = resolve("view_plan", f"{code}:coin", {"share": 0.4})

    def levels(**where):
        return [view.level for view in plan_views(plan, 40, levels=[0.6], scale=0.5, **where)]

    first = levels(seed=1, step=2, example_id="row")
    assert set(first) == {0.0, 0.3} and first == levels(seed=1, step=2, example_id="row")
    for other in ({"seed": 2}, {"step": 3}, {"example_id": "other"}):
        assert levels(**{"seed": 1, "step": 2, "example_id": "row", **other}) != first


def test_views_levels_and_numpys_numbers_may_be_mixed(code):
    plan = resolve("view_plan", f"{code}:mixed")
    assert plan_views(plan, 4, step=3) == [View(0.5, True), View(0.3), View(0.0), View(0.25)]
    tensor = resolve("view_plan", remember(lambda group: torch.arange(group) / 10))
    assert [view.level for view in plan_views(tensor, 3)] == pytest.approx([0, 0.1, 0.2])
    with pytest.raises(ValueError, match="clean=1 has no meaning"):
        plan_views(plan, 4, clean=1)


def test_an_advantage_sees_no_unscorable_completion(code):
    f = resolve("advantage", f"{code}:tilted", {"alpha": 1.0})
    nan = float("nan")
    rewards = torch.tensor([[0, 1, 0], [nan, 1, 0], [nan, nan, 1], [nan] * 3], dtype=torch.float64)
    levels = torch.tensor([[0, 0.5, 1]] * 4, dtype=torch.float64)
    result = f(rewards, levels=levels, correct=rewards == 1)
    # scores of the first group: 0, 1 - .5 + 1, -1; of the second: 1.5 and -1
    expected = torch.tensor([[0 - 1 / 6, 1.5 - 1 / 6, -1 - 1 / 6], [0, 1.25, -1.25]])
    assert torch.allclose(result.advantages[:2], expected.double())
    assert (result.advantages[2:] == 0).all()  # nobody to compare with
    assert result.gain.tolist() == [1.0, 1.0, 0.0, 0.0]


def test_a_result_that_turns_wrong_ends_the_run_in_one_line():
    name = remember(lambda rewards: rewards / rewards.sum(1, keepdim=True))
    f = resolve("advantage", name)
    assert f(torch.ones(1, 2)).advantages.tolist() == [[0.5, 0.5]]
    with pytest.raises(UserError, match=r"not finite: \[nan, nan\] for the rewards \[0.0, 0.0\]"):
        f(torch.zeros(1, 2))


def test_published_ones_by_the_same_door():
    rewards = torch.tensor([[0.0, 1.0, 1.0]], dtype=torch.float64)
    assert resolve("advantage", "rloo") is ADVANTAGES["rloo"]
    f = resolve("advantage", "grpo", {"eps": 0.5})
    assert torch.equal(f(rewards)[0], ADVANTAGES["grpo"](rewards, eps=0.5)[0])
    with pytest.raises(UserError, match="advantage: grpo has no knob 'alpha'; allowed: eps"):
        resolve("advantage", "grpo", {"alpha": 1})
    with pytest.raises(UserError, match="advantage: rloo has no knob 'alpha'; it takes none"):
        resolve("advantage", "rloo", {"alpha": 1})
    with pytest.raises(UserError, match=r"view_plan: 'grit' is not one of clean, .* or path\.py"):
        resolve("view_plan", "grit")
    image = Image.fromarray(np.full((4, 4, 3), 250, np.uint8))
    wrapped = perturb(image, 0.5, 1, resolve("noise_kind", "gaussian", {"wrap": True}))
    assert wrapped.tobytes() == perturb(image, 0.5, 1, wrap=True).tobytes()


def test_functions_from_python_keep_their_names_apart():
    def make(value):
        def f(rewards):
            return rewards * 0 + value

        return f

    one, two = make(1.0), make(2.0)
    assert remember(one) == remember(one) != remember(two)
    bound = functools.partial(lambda rewards, k: AdvantageResult(rewards * k), k=3.0)
    rewards = torch.ones(1, 2)
    for function, value in ((one, 1.0), (two, 2.0), (bound, 3.0)):
        assert resolve("advantage", remember(function))(rewards).advantages[0, 0] == value
