"""One run told to tensorboard, wandb (offline) and trackio at once; `make test-trackers` runs it.

It lives outside the usual tests because the three bring some forty packages.
"""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

WORDS = [
    "train",
    "playground",
    "--no-evaluation",
    "--training.max_steps",
    "1",
    "--training.log_completions",
    "true",
    "--training.log_multimodal",
    "true",
    "--training.report_to",
    "[tensorboard,wandb,trackio]",
    "--training.run_name",
    "mine",
    "--training.project",
    "ours",
    "--output-dir",
    "run",
]
NAMES = {"reward", "kl", "reward/level_0.3", "advantage/gain", "time/generate"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trackers")
    environment = {**os.environ, "WANDB_MODE": "offline", "TRACKIO_DIR": str(folder / "trackio")}
    command = [sys.executable, "-m", "noisygrpo", *WORDS]
    subprocess.run(command, cwd=folder, env=environment, check=True)
    return folder


def test_tensorboard_has_metrics_table_and_pictures(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (folder,) = (run / "run" / "runs").iterdir()
    board = EventAccumulator(str(folder))
    board.Reload()
    tags = board.Tags()
    assert {f"train/{name}" for name in NAMES} <= set(tags["scalars"])
    assert tags["images"] == ["completions/pictures"]
    assert "completions/text_summary" in tags["tensors"]


def test_wandb_has_the_table_and_pictures(run):
    (folder,) = (run / "wandb").glob("offline-run-*")
    media = folder / "files" / "media"
    tables = sorted((media / "table").glob("completions_*.json"))
    table = json.loads(tables[0].read_text())
    assert {"example_id", "noise_level", "advantage"} <= set(table["columns"])
    assert (
        len(list((media / "images" / "completions").glob("pictures_*.png"))) > 2
    )  # equal ones once


def test_trackio_has_metrics_table_and_pictures(run):
    (database,) = (run / "trackio").glob("ours*.db")
    with sqlite3.connect(database) as connection:
        rows = connection.execute("select metrics from metrics where run_name = 'mine'").fetchall()
    logged = [json.loads(row[0]) for row in rows]
    assert {f"train/{name}" for name in NAMES} <= {name for one in logged for name in one}
    assert any("completions" in one for one in logged)
    assert list(Path(run / "trackio" / "media").rglob("*.png"))
