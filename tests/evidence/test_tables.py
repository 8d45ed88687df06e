import pandas as pd
import pytest
from benchmarks.evidence import tables as module
from benchmarks.evidence.main import NAMES
from benchmarks.evidence.main import made as every_table
from benchmarks.evidence.tables import Tables, dynamics_table, power_table, primary_table
from tests.evidence import made

ARMS = {"grpo": 0.0, "papo": 0.2, "vppo": 0.05}


@pytest.fixture(scope="module")
def tables():
    before = made.verdicts({"before": -0.3}, (0,), setting="none")
    verdicts = pd.concat([made.verdicts(ARMS), before])
    runs = pd.concat([made.runs(ARMS), made.runs(["dapo"], state="missing"),
                      made.runs(["noise-own"], state="failed")])  # fmt: skip
    return Tables(verdicts, made.dynamics(ARMS), runs, resamples=200)


def cells(text, first):
    line = next(line for line in text.splitlines() if line.startswith(f"| {first} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_primary_table(tables):
    text = primary_table(tables, 1)
    head = cells(text, "arm")
    assert head[:5] == ["arm", "setting", "seeds", "rows", "primary"]
    assert head[-2:] == ["blind", "noisy"]
    assert cells(text, "before training")[3] == "200"
    papo = cells(text, "PAPO")
    assert papo[1:4] == ["rate1", "3", "200"]
    assert papo[5].startswith("+")
    assert papo[6] in ("< .001",) or float(papo[6]) < 0.05
    assert cells(text, "GRPO")[5:8] == ["–", "–", "–"]


def test_arms_without_runs_are_missing_and_not_dropped(tables):
    text = primary_table(tables, 1)
    for name in ("DAPO, refill", "noise, scored on its own view"):
        assert cells(text, name)[2:5] == ["0 of 3", "–", "missing"]
    every = every_table(tables)
    for name in ("primary-1", "splits-1", "settings", "dynamics-1", "runs-1"):
        assert "DAPO, refill" in every[name], name
    assert every["calibration-1"] == "Scale 0.8: no run of stage 1 has been evaluated with it."
    assert "- failed: noise-own, rate1, seed 0: error: it broke" in every["runs-1"]
    assert set(every) == {name for name in NAMES if not name.endswith("-2")}


def test_seeds_that_lack_are_told(tables):
    fewer = tables.verdicts[~((tables.verdicts["arm"] == "papo") & (tables.verdicts["seed"] == 2))]
    text = primary_table(Tables(fewer, tables.dynamics, tables.runs, resamples=200), 1)
    assert cells(text, "PAPO")[2] == "2 of 3"


def test_splits_that_lack_are_told(tables):
    less = tables.verdicts[tables.verdicts["split"] != "wording"]
    text = primary_table(Tables(less, tables.dynamics, tables.runs, resamples=200), 1)
    assert "The primary figure lacks wording." in text


def test_dynamics(tables):
    text = dynamics_table(tables, 1)
    head, papo, grpo = cells(text, "arm"), cells(text, "PAPO"), cells(text, "GRPO")
    assert papo[head.index("useful groups")] == "0.75"
    assert papo[head.index("KL")] == "0.5"
    assert papo[head.index("reward, noisiest")] == "0.5"
    assert grpo[head.index("reward, noisiest")] == "–"
    assert grpo[head.index("prior's share of sum A")] == "–"
    assert papo[head.index("reward, cleanest")] == "1.5"


def test_power_is_told_in_points_and_hours(tables):
    text = power_table(tables, 1)
    assert "6.0 minutes a run, 2 side by side" in text
    assert cells(text, "8")[-1] == f"{8 * 5 * 6 / 60 / 2:.1f}"
    one = made.verdicts({"grpo": 0.0}, (0,))
    alone = Tables(one, tables.dynamics, made.runs(["grpo"], (0,)))
    assert power_table(alone, 1) == "Needs at least two seeds of GRPO."


def test_calibration_is_against_the_same_model_on_the_rows_and_seeds_of_both(tables):
    own = made.verdicts({"papo": 0.2}, (0, 1), calibrated=True)
    own["seed"] = own["seed"] + 1
    own["correct"] = True
    own = own[own["row"].str.split("-").str[1].astype(int) < 20]
    both = Tables(pd.concat([tables.verdicts, own]), tables.dynamics, tables.runs, resamples=200)
    text = module.calibration_table(both, 1)
    papo = tables.verdicts.query("arm == 'papo' and seed > 0 and split == 'test'")
    papo = papo[papo["row"].str.split("-").str[1].astype(int) < 20]
    row = cells(text, "PAPO")
    assert row[1] == "2"
    assert row[3].startswith(f"+{100 - 100 * papo['correct'].mean():.1f} [")
    assert "1 of 5 arms have been evaluated with it" in text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0004, "< .001"), (0.0312, "0.031"), (1.0, "1"), (float("nan"), "–")]
)
def test_p_text(value, text):
    assert module.p_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(12345.6, "12,346"), (0.12345, "0.123"), (float("nan"), "–"), (0.0, "0")]
)
def test_shown(value, text):
    assert module.shown(value) == text


def test_shares():
    assert module.shares([0.5, 0.7]) == "60.0 ± 10.0"
    assert module.shares([0.5]) == "50.0"
    assert module.shares([]) == "–"
