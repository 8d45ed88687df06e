import json

import pandas as pd
import pytest
from benchmarks.evidence.arms import ARMS
from benchmarks.evidence.keep import DYNAMICS, RUNS, VERDICTS
from benchmarks.evidence.main import main, runs_of
from benchmarks.evidence.plan import untrained
from tests.evidence import made

GAINS = {"grpo": 0.0, "papo": 0.1, "vppo": 0.2}


@pytest.fixture
def out(tmp_path):
    """A folder with the tables of an experiment."""
    made.verdicts(GAINS).to_parquet(tmp_path / VERDICTS)
    made.dynamics(GAINS).to_parquet(tmp_path / DYNAMICS)
    made.runs(GAINS).to_parquet(tmp_path / RUNS)
    return tmp_path


def test_the_tables_are_made_from_the_parquet_files_alone(out, capsys):
    page = out / "page.md"
    page.write_text("# Page\n\n<!-- evidence: primary-1 -->\n<!-- end -->\n")
    words = ["--stage", "table", "--output-dir", str(out), "--resamples", "200"]
    assert main([*words, "--write", str(page)]) == 0
    said = capsys.readouterr().out
    row = next(line for line in said.splitlines() if line.startswith("| VPPO |"))
    assert row in page.read_text()
    assert row in (out / "tables.md").read_text()
    again = page.read_text()
    assert main([*words, "--write", str(page)]) == 0
    assert page.read_text() == again


def test_listing_runs_and_writes_nothing(tmp_path, capsys):
    words = ["--stage", "1", "--list", "--arms", "papo", "--training.max_steps=3"]
    assert main([*words, "--output-dir", str(tmp_path / "x")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("noisygrpo ") for line in lines)
    trained = [line for line in lines if line.startswith("noisygrpo train ")]
    assert len(trained) == 3
    assert all("--method papo" in line and "max_steps=3" in line for line in trained)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--stage", "1", "--arms", "grqo"], "--arms: grqo; there are grpo, "),
        (["--stage", "1", "--settings", "9"], "--settings: 9, allowed is 1 to 3"),
        (["--stage", "1", "--parallel", "0"], "--parallel: 0, allowed is 1 or more"),
        (["--stage", "1", "--training.max_step=3"], "training.max_step"),
        (["--stage", "table"], "holds no verdicts.parquet; run a stage first"),
        (["--stage", "2", "--list"], "holds no verdicts.parquet; run a stage first"),
    ],
)
def test_what_is_wrong_is_one_line(words, message, tmp_path, capsys):
    assert main([*words, "--output-dir", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_runs_of_other_weights_are_refused(tmp_path, capsys):
    (tmp_path / "plan.json").write_text(json.dumps({"weights": "others"}))
    assert main(["--stage", "1", "--arms", "grpo", "--output-dir", str(tmp_path)]) == 2
    assert "holds runs of other weights; all arms are run again" in capsys.readouterr().err


def test_a_run_made_by_other_commands_is_refused(tmp_path, capsys):
    folder = untrained(1).folder(tmp_path)
    folder.mkdir(parents=True)
    (folder / "done.json").write_text(json.dumps({"commands": [["evaluate", "else"]]}))
    assert main(["--stage", "1", "--list", "--output-dir", str(tmp_path)]) == 2
    assert "holds a run made by other commands" in capsys.readouterr().err


def test_stage_two_is_settled_by_stage_one(out, capsys):
    words = ["--stage", "2", "--list", "--no-calibrated", "--output-dir", str(out)]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert said.count("noisygrpo train ") == 8 * len(GAINS)
    assert said.index("stage2/grpo-rate1-seed3") < said.index("stage2/vppo-rate1-seed3")
    assert said.index("stage2/vppo-rate1-seed3") < said.index("stage2/papo-rate1-seed3")
    settled = {"settings": 2, "stage2": [["grpo", "rate1"], ["vppo", "rate2"]]}
    found = runs_of(settled)
    assert sum(run.stage == 1 for run in found) == 2 * 3 * len(ARMS)
    second = [run for run in found if run.stage == 2]
    assert {(run.arm, run.setting) for run in second} == {("grpo", "rate1"), ("vppo", "rate2")}
    assert len(second) == 16
    (out / "plan.json").write_text(json.dumps(settled))
    assert main(words) == 0
    said = capsys.readouterr().out
    assert said.count("noisygrpo train ") == 16
    assert "stage2/vppo-rate2-seed10" in said


def test_the_table_stage_sees_what_was_finished_since(tmp_path):
    (tmp_path / "plan.json").write_text(json.dumps({"settings": 1}))
    (tmp_path / "stage1").mkdir()
    assert main(["--stage", "table", "--output-dir", str(tmp_path), "--resamples", "200"]) == 0
    runs = pd.read_parquet(tmp_path / RUNS)
    assert len(runs) == 3 * len(ARMS)
    assert set(runs["state"]) == {"missing"}


def test_stage_two_needs_the_baseline_of_stage_one(tmp_path, capsys):
    only = {"papo": 0.1}
    made.verdicts(only).to_parquet(tmp_path / VERDICTS)
    made.dynamics(only).to_parquet(tmp_path / DYNAMICS)
    made.runs(["grpo", "papo"], state="missing").to_parquet(tmp_path / RUNS)
    assert main(["--stage", "2", "--list", "--output-dir", str(tmp_path)]) == 2
    assert "has no grpo of stage 1; run that first" in capsys.readouterr().err


def test_arms_of_stage_two_can_be_named_before_stage_one(tmp_path, capsys):
    words = ["--stage", "2", "--list", "--output-dir", str(tmp_path)]
    assert main([*words, "--arms", "papo", "grpo"]) == 0
    said = capsys.readouterr().out
    assert said.index("stage2/grpo-rate1-seed3") < said.index("stage2/papo-rate1-seed3")
    assert said.count("noisygrpo train ") == 16
    six = [name for name in ARMS if name != "grpo"][:6]
    assert main([*words, "--arms", *six]) == 2
    assert "--arms: stage 2 has grpo and at most 5" in capsys.readouterr().err


def test_finished_runs_are_taken_from_tables(out, tmp_path_factory, capsys):
    fresh = tmp_path_factory.mktemp("fresh")
    words = ["--stage", "table", "--resamples", "200", "--take", str(out)]
    assert main([*words, "--output-dir", str(fresh)]) == 2
    assert f"--take: {out} holds no plan.json" in capsys.readouterr().err
    (out / "plan.json").write_text(json.dumps({"settings": 1}))
    assert main([*words, "--output-dir", str(fresh)]) == 0
    said = capsys.readouterr().out
    assert main(["--stage", "table", "--resamples", "200", "--output-dir", str(fresh)]) == 0
    assert "| VPPO | rate1 | 3 |" in said
    again = capsys.readouterr().out
    assert again.splitlines()[:40] == said.splitlines()[:40]
    (fresh / "plan.json").write_text(json.dumps({"settings": 2}))
    assert main([*words, "--output-dir", str(fresh)]) == 2
    assert "has another plan.json than" in capsys.readouterr().err
