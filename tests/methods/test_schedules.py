import pytest

from noisygrpo.methods.noise import noise_index
from noisygrpo.methods.schedules import SCHEDULES, noise_scale

# (level at the start x 1000, coefficient, mid step, total) -> {step: diffusion index in the code}
SIGMOID_RUNS = [
    ((500, 30, 40, 60), {1: 499, 15: 499, 30: 496, 35: 462, 40: 250, 45: 37, 60: 0}),
    ((450, 60, 40, 120), {1: 449, 30: 446, 35: 415, 40: 225, 45: 34, 60: 0, 120: 0}),
    ((450, 30, 35, 40), {1: 449, 20: 449, 30: 439, 35: 225, 40: 10}),
    ((450, 30, 35, 70), {30: 402, 35: 225, 40: 47, 52: 0}),
]
GOLDEN = [(*run, step, index) for run, steps in SIGMOID_RUNS for step, index in steps.items()]


@pytest.mark.parametrize(("start", "coefficient", "mid", "total", "step", "index"), GOLDEN)
def test_sigmoid_gives_the_published_indices(start, coefficient, mid, total, step, index):
    scale = noise_scale("sigmoid", step, total, coefficient, mid)
    assert int(start * scale) == index  # as the released code truncates
    assert abs(noise_index(start / 1000 * scale) - index) <= 1  # as ours rounds


@pytest.mark.parametrize(
    ("name", "step", "total", "coefficient", "expected"),
    [
        ("none", 7, 10, None, 1.0),
        ("linear_half", 5, 10, None, 0.75),
        ("linear_half", 10, 10, None, 0.5),
        ("linear_half", 99, 10, None, 0.5),
        ("linear", 3, 10, None, 0.7),
        ("linear", 10, 10, None, 0.0),
        ("linear", 1, 1, None, 0.0),
        ("linear", 0, 1, None, 1.0),
        ("sigmoid", 40, 60, None, 0.5),
        ("power_paper", 5, 10, None, 0.125),
        ("power_paper", 5, 10, 2, 0.25),
        ("power_code", 5, 10, 3, 0.875),
        ("exponential_paper", 10, 10, None, 0.98),
        ("exponential_paper", 5, 10, 0.25, 0.5),
        ("exponential_code", 8, 10, 0.5, 0.75),
        ("exponential_code", 10, 10, 0.5, 0.0),
        ("exponential_code", 5, 10, 1.0, 0.0),
    ],
)
def test_forms(name, step, total, coefficient, expected):
    assert noise_scale(name, step, total, coefficient) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("coefficient", [0.1, 0.98, 1.0])
def test_stays_in_range_and_never_rises(name, coefficient):
    c = None if name in ("none", "linear", "linear_half") else coefficient
    scales = [noise_scale(name, step, 50, c) for step in range(70)]
    assert all(0.0 <= scale <= 1.0 for scale in scales)
    assert scales == sorted(scales, reverse=True)


def test_a_steep_sigmoid_does_not_overflow():
    assert noise_scale("sigmoid", 1, 60, 1e6, 40) == 1.0
    assert noise_scale("sigmoid", 60, 60, 1e6, 40) == 0.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cosine", 1, 10), "'cosine' is not one of none, linear_half"),
        (("linear", 1, 0), "total is 0"),
        (("linear", -1, 10), "step is -1"),
        (("linear", 1, 10, 2.0), "takes no coefficient"),
        (("power_paper", 1, 10, 2.0, 5), "takes no mid_step"),
        (("exponential_code", 1, 10), "needs a coefficient"),
        (("sigmoid", 1, 10, -1.0), "must be above 0"),
        (("sigmoid", 1, 10, 0.0), "must be above 0"),
        (("exponential_paper", 1, 10, 1.1), "at most 1"),
    ],
)
def test_wrong_settings_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        noise_scale(*arguments)
