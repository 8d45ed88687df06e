"""The files of a run: lines that every reader can read, cut where a resumed run begins."""

import json
import math

import numpy as np
import pandas as pd

from noisygrpo.methods.noise import perturb
from noisygrpo.training.records.rollouts import ROLLOUTS_FILE, append_lines, drop_steps_after
from tiny import tiny_image
from tiny_trainer import make


def test_log_lines_survive_numbers_json_has_not(tmp_path):
    path = tmp_path / "new" / "log.jsonl"
    append_lines(path, [{"step": 1, "a": math.nan, "b": [math.inf, 1.5], "c": {"d": "é"}}])
    append_lines(path, [{"step": 2}])
    text = path.read_text(encoding="utf-8")
    assert [json.loads(line) for line in text.splitlines()] == [
        {"step": 1, "a": None, "b": [None, 1.5], "c": {"d": "é"}},
        {"step": 2},
    ]
    assert "é" in text


def test_resumed_log_drops_later_steps_and_a_line_cut_short(tmp_path):
    path = tmp_path / ROLLOUTS_FILE
    append_lines(path, [{"step": step, "text": "a\u2028b"} for step in (1, 2, 2, 3)])
    with path.open("a") as file:
        file.write('{"step": 2, "te')
    drop_steps_after(tmp_path, 2)
    kept = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [record["step"] for record in kept] == [1, 2, 2]
    assert [entry.name for entry in tmp_path.iterdir()] == [ROLLOUTS_FILE]
    drop_steps_after(tmp_path / "none", 0)


def test_a_line_that_cannot_be_read_is_left_out_and_said(tmp_path, capsys):
    """A disk's or a hand's damage; and the last line may have lost only its end of line."""
    path = tmp_path / ROLLOUTS_FILE
    good = [json.dumps({"step": step, "text": "é"}, ensure_ascii=False) for step in (1, 2)]
    damaged = [b'{"step": 1, "text": "\xc3', b'{"loss": 1}', b"[1, 2]", b'{"step": "two"}']
    damaged.append(bytes(9))
    path.write_bytes(b"\n".join([good[0].encode(), *damaged, good[1].encode()]))
    drop_steps_after(tmp_path, 2)
    assert path.read_text(encoding="utf-8").split("\n") == [*good, ""]
    said = capsys.readouterr().err
    assert said == "rollouts.jsonl: 5 lines cannot be read and are left out: 2, 3, 4, 5, 6\n"
    path.write_bytes(good[0].encode() + b"\n" + good[1].encode()[:-2])  # cut by a crash
    drop_steps_after(tmp_path, 2)
    assert path.read_text(encoding="utf-8") == good[0] + "\n" and not capsys.readouterr().err


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_noise_can_be_made_again_from_the_log(tmp_path):
    trainer = make(tmp_path, method="noisygrpo", max_steps=1)
    trainer.train()
    record = lines(tmp_path / "rollouts.jsonl")[3]
    rollout = trainer.made.rollouts[3]
    image = tiny_image(1)
    again = perturb(image, record["noise_level"], torch_seed(record["noise_seed"][0]))
    assert again.tobytes() == rollout.see([image])[0].tobytes() != image.tobytes()


def torch_seed(text):

    return np.random.SeedSequence(int(text, 16))


def test_parquet_rollouts(tmp_path):
    changes = {"method": "noisygrpo", "rollouts_format": "parquet"}
    make(tmp_path, max_steps=3, **changes).train()
    make(tmp_path, max_steps=2, **changes).train()
    files = sorted(path.name for path in (tmp_path / "rollouts").iterdir())
    assert files == ["step-000001.parquet", "step-000002.parquet"]
    frame = pd.read_parquet(tmp_path / "rollouts" / files[0])
    assert frame["noise_level"].tolist() == [0.0, 0.3, 0.6, 0.9] * 2
    assert not (tmp_path / "rollouts.jsonl").exists()
