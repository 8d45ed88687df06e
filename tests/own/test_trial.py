"""A user's function is tried on a small example: each wrong one is refused in one line."""

from pathlib import Path

import pytest
import torch

from noisygrpo.errors import UserError
from noisygrpo.methods.advantages import ADVANTAGES
from noisygrpo.methods.noise import NOISE_KINDS
from noisygrpo.methods.views import PLANS
from noisygrpo.own.resolve import resolve
from noisygrpo.own.trial import try_advantage, try_noise, try_plan

FILE = str(Path(__file__).with_name("wrong.py"))
GRID = [0.0, 0.3, 0.6, 0.9]

ADVANTAGE = {
    "nan": "returned advantages that are not finite: [nan, nan, nan, nan] for the rewards [1.0, 1.",
    "one_shape": "returned a tensor of torch.float64 (5,) as advantages; a floating-point tensor "
    "of shape (5, 4) is needed",
    "a_list": "returned list as advantages; a floating-point tensor of shape (5, 4)",
    "nothing": "returned None as advantages",
    "whole_numbers": "returned a tensor of torch.int64 (5, 4) as advantages",
    "torchs_numbers": "uses the global random numbers of torch; draw nothing",
    "seeds_torch": "uses the global random numbers of torch; draw nothing",
    "own_generator": "gives another result when it is called again with the same arguments",
    "across": "across.across_groups = True",
    "scaled_across": "beside other groups; use statistics of each group",
    "in_place": "modifies the rewards that it gets; work on a copy",
    "levels_in_place": "modifies the levels that it gets; work on a copy",
    "raises": "raises KeyError: 'gone' (wrong.py:",
    "leaves": "asks the process to exit: exit(0) (wrong.py:",
    "hangs": "is not done after 0.2 s",
    "of_four": "with an unscorable completion it gets the others alone: 3 of 4)",
    "later": "returned coroutine as advantages",
    "asks": "needs 'alpha'; give it a default or the knob advantage.alpha",
    "of_nothing": "takes (); it must begin with (rewards)",
    "of_anything": "takes (*args, **kwargs); it must begin with (rewards)",
    "missing": "no function 'missing' in",
}
NOISE = {
    "array": "returned an array of uint8 (48, 64, 3); a PIL image is needed",
    "grey": "returned a picture of mode L; RGB is needed",
    "smaller": "made a picture of (64, 48) one of (8, 8); give it the same size, or say so in its "
    "file: smaller.changes_size = True",
    "pythons_numbers": "uses the global random numbers of random; draw from rng",
    "numpys_numbers": "uses the global random numbers of numpy.random; draw from rng",
    "fresh_generator": "gives another result when it is called again with the same arguments",
    "paints": "modifies the picture that it gets",
    "divides": "raises ",
    "generator_by_another_name": "needs 'generator'; give it a default or the knob "
    "noise_kind.generator (offered by name: rng)",
}
PLAN = {
    "short": "returned 3 values; a list of 4 levels or views is needed",
    "outside": "returned level 1.5 for rollout 1, outside [0, 1]",
    "no_number": "returned level nan for rollout 0, outside [0, 1]",
    "texts": "returned 'clean' for rollout 0; a level or a View is needed",
    "single": "returned float; a list of 4 levels or views is needed",
    "consumes": "uses the global random numbers of numpy.random; draw from rng",
    "takes_levels_apart": "modifies the levels that it gets; work on a copy",
    "level_of": "returned dict; a list of 4 levels or views is needed",
    "one_by_one": "returned generator; a list of 4 levels or views is needed",
}


def attempt(field, name, **knobs):
    function = resolve(field, name, knobs)
    if field == "noise_kind":
        try_noise(name, function)
    elif field == "view_plan":
        try_plan(name, function, 4, [0.3, 0.6], None)
    else:
        try_advantage(name, function, GRID)


@pytest.mark.parametrize(
    ("field", "name", "message"),
    [
        (field, name, message)
        for field, table in [("advantage", ADVANTAGE), ("noise_kind", NOISE), ("view_plan", PLAN)]
        for name, message in table.items()
    ],
)
def test_a_wrong_one_is_refused_with_its_field_and_name(field, name, message, monkeypatch):
    monkeypatch.setattr("noisygrpo.own.resolve.CALL_LIMIT", 0.2 if name == "hangs" else 60.0)
    before = torch.random.get_rng_state()
    with pytest.raises(UserError) as caught:
        attempt(field, f"{FILE}:{name}")
    said = str(caught.value)
    assert said.startswith(f"{field}: ") and f"{name}" in said and message in said
    assert "\n" not in said
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [({"alfa": 1}, "no knob 'alfa'; did you mean 'alpha'"), ({"rewards": 1}, "no knob 'rewards'")],
)
def test_knobs_that_it_does_not_take(knobs, message):
    with pytest.raises(UserError, match=message):
        attempt("advantage", f"{FILE}:knobbed", **knobs)
    with pytest.raises(UserError, match="has no knob 'levels'"):
        attempt("advantage", f"{FILE}:levels_in_place", levels=1)  # offered, so not to be given


@pytest.mark.parametrize(
    ("field", "name"),
    [
        (field, name)
        for field, names in [("advantage", ADVANTAGES), ("noise_kind", NOISE_KINDS)]
        for name in names
    ],
)
def test_the_published_ones_pass(field, name):
    attempt(field, name)


def test_the_published_plans_pass():
    for name, levels in {"clean": None, "grid": GRID, "uniform": None, "split": [0.5]}.items():
        groups = try_plan(name, PLANS[name], 4, levels, None)
        assert [len(views) for views in groups] == [4] * 6


def test_one_that_looks_across_groups_says_so(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "def f(rewards):\n    return (rewards - rewards.nanmean()).nan_to_num()\n"
        "f.across_groups = True\n"
        "def g(image, level, rng):\n    return image.resize((5, 5))\n"
        "g.changes_size = True\n"
    )
    attempt("advantage", f"{file}:f")
    attempt("noise_kind", f"{file}:g")
