import json

import pandas as pd
import pytest
from benchmarks.evidence import keep
from benchmarks.evidence.plan import Job, Run, untrained

from noisygrpo.errors import UserError

RUN = Run(1, "papo", "rate1", 2)


def evaluated(folder, right, pair=""):
    folder.mkdir(parents=True)
    lines = [
        {
            "example_id": f"{folder.name}-{n}", "cluster": pair or f"{folder.name}-{n}",
            "correct": bool(value), "tokens": 5 + n,
            **({"pair": pair, "correct_alone": True} if pair else {}),
        }
        for n, value in enumerate(right)
    ]  # fmt: skip
    (folder / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def a_run(out, run=RUN):
    folder = run.folder(out)
    evaluated(folder / "after" / "test", [1, 0, 1])
    evaluated(folder / "after" / "pairs", [0, 0], pair="p")
    steps = [
        {"step": n, "grad_norm": 1.0, "kl": None, "num_tokens": 50.0 * n, "epoch": 1.0,
         "reward/level_0.3": 0.5, "clip_ratio/low_mean": 0.0}
        for n in (1, 2)
    ]  # fmt: skip
    lines = [*steps, {"step": 2, "train_runtime": 9.0}]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    job = Job(folder, (("train", "x"), ("evaluate", "y")), "done.json", "stage 1", run)
    keep.keep(job, 4.5)
    return job


def test_what_is_kept_of_a_run(tmp_path):
    job = a_run(tmp_path)
    frame = pd.read_parquet(job.folder / keep.VERDICTS)
    assert list(frame) == [*keep.ADDRESS, *keep.OF_A_ROW]
    assert set(frame["arm"]) == {"papo"}
    assert set(frame["seed"]) == {2}
    test, pairs = frame[frame["split"] == "test"], frame[frame["split"] == "pairs"]
    assert list(test["correct"]) == list(test["correct_alone"]) == [True, False, True]
    assert list(test["tokens"]) == [5, 6, 7]
    assert set(test["pair"]) == {""}
    assert (list(pairs["correct"]), list(pairs["correct_alone"])) == ([False] * 2, [True] * 2)
    assert set(pairs["pair"]) == set(pairs["cluster"]) == {"p"}
    steps = pd.read_parquet(job.folder / keep.DYNAMICS)
    assert list(steps["step"]) == [1, 2]
    assert list(steps["num_tokens"]) == [50.0, 100.0]
    assert steps["kl"].isna().all()
    assert "epoch" not in steps
    assert "clip_ratio/low_mean" not in steps
    facts = json.loads((job.folder / "done.json").read_text())
    assert (facts["minutes"], facts["steps"], facts["tokens"]) == (4.5, 2, 100.0)
    assert facts["commands"] == [["train", "x"], ["evaluate", "y"]]


def test_missing_and_failed_runs_are_in_the_table(tmp_path):
    a_run(tmp_path)
    failed, missing = Run(1, "vppo", "rate1", 0), Run(2, "grpo", "rate1", 3)
    path = tmp_path / "stage1" / "vppo-rate1-seed0.failed.json"
    path.write_text(json.dumps({"status": 1, "why": "stopped: NaN", "commands": [["train"]]}))
    keep.store(keep.collect([RUN, failed, missing], tmp_path), tmp_path)
    verdicts, dynamics, runs = keep.read(tmp_path)
    assert list(runs["state"]) == ["done", "failed", "missing"]
    assert runs["why"][1] == "stopped: NaN"
    assert runs["minutes"][0] == 4.5
    assert runs["commands"][0] == "train x\nevaluate y"
    assert len(verdicts) == 5
    assert len(dynamics) == 2


def test_the_untrained_model_and_calibrated_answers_are_there(tmp_path):
    job = a_run(tmp_path)
    before = untrained(1).folder(tmp_path)
    evaluated(before / "after" / "test", [0, 0, 1])
    keep.keep(Job(before, (("evaluate",),), "done.json", "evaluate", untrained(1)), 1.0)
    evaluated(job.folder / "calibrated" / "test", [1, 1, 1])
    again = Job(job.folder, (("evaluate",),), "calibrated.json", "calibrated", RUN, True)
    keep.keep(again, 2.0)
    assert json.loads((job.folder / "done.json").read_text())["minutes"] == 4.5
    verdicts, _, runs = keep.collect([RUN], tmp_path)
    assert dict(verdicts.groupby(["arm", "calibrated"]).size()) == {
        ("before", False): 3, ("papo", False): 5, ("papo", True): 3,
    }  # fmt: skip
    assert len(runs) == 1


def test_a_folder_without_anything_gives_empty_tables_and_one_message(tmp_path):
    with pytest.raises(UserError, match=r"holds no verdicts\.parquet; run a stage first"):
        keep.read(tmp_path)
    keep.store(keep.collect([RUN], tmp_path), tmp_path)
    verdicts, dynamics, runs = keep.read(tmp_path)
    assert (len(verdicts), len(dynamics), list(runs["state"])) == (0, 0, ["missing"])


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("kl", True), ("kl_other", False), ("reward", True), ("reward_std", False),
        ("reward/level_0.3", True), ("advantage/prior_mass", True), ("visual_dependence", True),
        ("visual_dependence/level_0.3", True), ("view_ratio/token/level_0.3", True),
        ("view_ratio/sequence/level_0.3", False), ("hint/useful", True), ("time/step", False),
    ],
)  # fmt: skip
def test_which_metrics_are_kept(name, kept):
    assert keep.is_kept(name) == kept


def test_tables_can_be_gone_on_from(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    job = a_run(first)
    keep.store(keep.collect([RUN, Run(1, "vppo", "rate1", 0)], first), first)
    keep.unpack(keep.read(first), second)
    assert [path.name for path in (second / "stage1").iterdir()] == [RUN.name]
    for name in (keep.VERDICTS, keep.DYNAMICS):
        was, now = (pd.read_parquet(RUN.folder(out) / name) for out in (first, second))
        pd.testing.assert_frame_equal(was[list(now)], now.reset_index(drop=True))
        assert was.drop(columns=list(now)).isna().all(axis=None)
    was, now = (json.loads((RUN.folder(out) / job.done).read_text()) for out in (first, second))
    assert was == now
    (RUN.folder(second) / keep.VERDICTS).unlink()
    keep.unpack(keep.read(first), second)  # a run that is there is not made again
    assert not (RUN.folder(second) / keep.VERDICTS).exists()
