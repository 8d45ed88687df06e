"""Curves of made-up scores, whose right reading is known."""

import json
from dataclasses import replace

import numpy as np
import pytest

from noisygrpo.errors import UserError
from noisygrpo.report.levels import levels_plot, levels_text
from noisygrpo.runs.level_curve import Scores, describe_curve
from noisygrpo.runs.measured_levels import chosen_levels

N = 400


def scores(accuracy, blind, rewards=None):
    """Views whose first rows are right, as many as say: differences between them have no noise."""
    views = [(f"level-{level:g}", level, share) for level, share in accuracy.items()]
    views += [(name, None, share) for name, share in blind.items()]
    made = []
    for name, level, share in views:
        correct = [float(row < round(share * N)) for row in range(N)]
        reward = [2 * value for value in correct] if rewards is None else rewards(correct)
        made.append(Scores(name, level, correct, reward, [f"row-{row}" for row in range(N)]))
    return made


CURVE = {0.0: 0.65, 0.3: 0.66, 0.45: 0.55, 0.6: 0.34, 0.75: 0.28, 0.9: 0.33}
BLIND = {"grey": 0.45, "no-picture": 0.40}


def test_the_playgrounds_curve():
    found = describe_curve(scores(CURVE, BLIND), "accuracy", [0.0, 0.1, 0.2, 0.3])
    # Level .3 cannot be better than 0, nor .9 than .75: both pairs are pooled.
    assert found["curve"] == pytest.approx([0.655, 0.655, 0.55, 0.34, 0.305, 0.305])
    assert found["blind_by"] == "grey"
    assert [entry["level"] for entry in found["grid"]] == pytest.approx(
        [0, 0.373, 0.446, 0.486], abs=2e-3
    )
    assert found["felt"] == pytest.approx(0.329, abs=1e-3)
    assert found["gone"] == pytest.approx(0.507, abs=1e-3)
    for entry in found["grid"][1:]:
        assert entry["low"] <= entry["level"] <= entry["high"]
    assert [entry["left"] for entry in found["own"]] == [1, 1, 1, 1]
    point = found["points"][0]["accuracy"]
    assert point["mean"] == 0.65 and point["low"] < 0.65 < point["high"]
    assert point["stderr"] == pytest.approx(np.sqrt(0.65 * 0.35 / (N - 1)))


@pytest.mark.parametrize(
    ("plan", "levels"), [("grid", 4), ("uniform", 2), ("split", 1)], ids=lambda one: str(one)
)
def test_levels_for_a_plan(plan, levels):
    found = describe_curve(scores(CURVE, BLIND), "accuracy")
    chosen = chosen_levels(found, plan)
    assert len(chosen) == levels and chosen == sorted(chosen)
    assert (chosen[0] == 0) == (plan == "grid")


def test_a_model_that_does_not_look():
    found = describe_curve(scores({0.0: 0.5, 0.5: 0.5, 1.0: 0.49}, {"grey": 0.5}), "accuracy")
    assert found["grid"] == [] and found["felt"] is None and found["worth"]["difference"] == 0
    assert "do not depend on the picture" in found["verdict"]
    with pytest.raises(Exception, match=r"noise_levels: 'measured' found no level.*do not depend"):
        chosen_levels(found, "grid")


def test_noise_that_is_never_felt():
    found = describe_curve(scores({0.0: 0.8, 0.5: 0.8, 1.0: 0.79}, {"grey": 0.4}), "accuracy")
    assert "not felt up to level 1" in found["verdict"] and found["gone"] is None
    assert [entry["level"] for entry in found["grid"]] == [0, None, None, None]
    with pytest.raises(Exception, match="found no level"):
        chosen_levels(found, "split")


def test_noise_that_is_felt_and_never_hides_all():
    found = describe_curve(scores({0.0: 0.8, 0.5: 0.7, 1.0: 0.6}, {"grey": 0.4}), "accuracy")
    assert found["felt"] == 0.2 and found["gone"] is None and "never gone" in found["verdict"]
    assert [entry["level"] for entry in found["grid"]] == [0, 0.5, 1, None]


def test_by_reward_with_unscorable_rollouts():
    """Every second right answer has no reward that can be told; those left give the same curve."""

    def rewards(correct):
        return [np.nan if row % 2 else value for row, value in enumerate(correct)]

    found = describe_curve(scores(CURVE, BLIND, rewards), "reward")
    assert found["curve"][2] == pytest.approx(0.55)
    assert found["points"][2]["reward"]["n"] == N // 2
    assert found["points"][2]["accuracy"]["n"] == N


def test_report_and_plot(tmp_path):
    found = {
        "noise_kind": "gaussian",
        "rows": N,
        "temperature": 0.7,
        **describe_curve(scores(CURVE, BLIND), "accuracy", [0.0, 0.6]),
    }
    text = levels_text(found)
    proposed = ", ".join(f"{entry['level']:g}" for entry in found["grid"])
    assert f"proposed: noise_levels [{proposed}], at which is left: 100%, 75% [" in text
    assert "the recipe has: 0 (100%), 0.6 (-54%): at 0.6 the picture is gone" in text
    assert text.count("\n0.") == 5 and "no-picture" in text
    own = describe_curve(scores(CURVE, BLIND), "accuracy", [0.0, 0.3])
    assert "none of them is felt" in levels_text({**found, **own})
    assert levels_plot(found, tmp_path / "a.png").stat().st_size > 10_000
    same = scores({0.0: 0.5, 0.5: 0.5, 1.0: 0.5}, {"grey": 0.5, "no-picture": 0.5})
    flat = describe_curve(same, "accuracy")
    assert "proposed" not in levels_text({**found, **flat})
    levels_plot({**found, **flat}, tmp_path / "b.png")


def untold(views, names):
    """The views, those that are named without any reward."""
    return [replace(one, reward=[np.nan] * N) if one.name in names else one for one in views]


def test_a_view_without_any_reward_is_left_out_and_named(tmp_path):
    views = untold(scores(CURVE, BLIND), ("level-0.45", "no-picture"))
    found = describe_curve(views, "reward", [0.0, 0.3])
    assert [value is None for value in found["curve"]] == [False, False, True, False, False, False]
    assert found["left_out"] == ["level-0.45", "no-picture"] and "reward" not in found["points"][2]
    said = "left out, as no row has a reward there: level-0.45, no-picture"
    assert found["verdict"].endswith(said)
    json.dumps(found, allow_nan=False)
    found = {"noise_kind": "gaussian", "rows": N, "temperature": 0.7, **found}
    assert said in levels_text(found)
    levels_plot(found, tmp_path / "a.png")


@pytest.mark.parametrize(
    ("names", "said"),
    [(("level-0",), "on the clean picture"), (tuple(BLIND), "without a picture")],
)
def test_a_curve_without_its_ends_is_one_message(names, said):
    with pytest.raises(UserError, match=f"no reward could be told {said}.*allowed are"):
        describe_curve(untold(scores(CURVE, BLIND), names), "reward")


def test_one_cluster_has_no_error(tmp_path):
    views = [replace(one, clusters=["all"] * N) for one in scores(CURVE, BLIND)]
    found = describe_curve(views, "accuracy")
    point = found["points"][0]["accuracy"]
    assert (point["mean"], point["stderr"], point["low"], point["high"]) == (0.65, None, None, None)
    found = {"noise_kind": "gaussian", "rows": N, "temperature": 0.7, **found}
    assert "±" not in levels_text(found).split("standard error")[1]
    levels_plot(found, tmp_path / "a.png")
