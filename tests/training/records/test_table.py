"""TRL's table of completions says what each rollout saw, and can be written, printed and sent."""

from collections import defaultdict, deque
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from noisygrpo.methods.views import View
from noisygrpo.training.batch import Batch
from noisygrpo.training.records.table import (
    TensorBoardTable,
    WandbPictures,
    complete,
    contact_sheet,
    markdown,
)
from noisygrpo.training.rollout import Hint, Rollout
from noisygrpo.training.views.show import Shown
from tiny import tiny_rows
from tiny_trainer import make

PARTS = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Q\x1b[2J"}]}]
GONE = "\N{REPLACEMENT CHARACTER}"


def logs_of(prompts, completions=()):
    """TRL's, as they are after a batch."""
    logs = {name: deque() for name in ("prompt", "completion", "images", "advantages")}
    logs["prompt"].extend(prompts)
    logs["completion"].extend(completions)
    return {**logs, "extra": defaultdict(deque), "rewards": defaultdict(deque)}


def batch_of(*levels, hints=(0, 1), images=("clean",)):
    row = {"example_id": "a", "prompt": "Q", "images": list(images)}
    rollouts = [
        Rollout(row, number, View(level), 0, 1, "gaussian", hint=Hint(level=hint))
        for number, (level, hint) in enumerate(zip(levels, hints, strict=False))
    ]
    batch = Batch(rollouts, True)
    views = [["clean"], ["view"]] if any(levels) else None
    batch.shown = Shown([], [], [], views, {}, [list(images)] * len(rollouts), [])
    return batch


@pytest.mark.parametrize("images", [True, False])
@pytest.mark.parametrize("hinted", [True, False])
def test_prompts_are_of_texts_and_columns_say_what_was_seen(images, hinted):
    answer = [{"role": "assistant", "content": None, "tool_calls": []}]
    logs = logs_of(["Q", PARTS], ["a\x07", answer])
    complete(logs, batch_of(0.0, 0.5), images=images, hinted=hinted)
    assert list(logs["prompt"]) == [
        "Q",
        [{"role": "user", "content": f"<image>\nQ{GONE}[2J"}],
    ]
    said = [{"role": "assistant", "content": "", "tool_calls": []}]
    assert list(logs["completion"]) == [f"a{GONE}", said]
    assert list(logs["images"]) == ([["clean"], ["clean", "view"]] if images else [])
    columns = {"example_id": ["a", "a"], "noise_level": [0.0, 0.5]}
    columns |= {"hint_level": [0, 1]} if hinted else {}
    assert {name: list(values) for name, values in logs["extra"].items()} == columns


def test_rows_without_any_image():
    logs = logs_of(["Q", "Q"], ["a", "b"])
    complete(logs, batch_of(0.0, 0.0, images=()), images=True, hinted=False)
    assert list(logs["images"]) == [[], []]


@pytest.mark.parametrize("shown", [True, False])
def test_a_trainer_leaves_a_table_with_images_views_and_levels(tmp_path, shown):
    changes = {"method": "noisygrpo", "log_completions": True, "log_multimodal": shown}
    trainer = make(tmp_path, max_steps=1, **changes)
    trainer.train()
    counts = [len(images) for images in trainer._logs["images"]]
    assert counts == ([1, 2, 2, 2] * 2 if shown else [])  # level 0 sees the image itself
    table = pd.read_parquet(tmp_path / "completions" / "completions_00001.parquet")
    assert table["noise_level"].tolist() == [0.0, 0.3, 0.6, 0.9] * 2
    assert table["example_id"].nunique() == 2
    assert {len(rows) for rows in table["prompt"]} == {1}
    assert table["prompt"][0][0]["content"].startswith("<image>\n")
    rows = {row["example_id"] for row in tiny_rows(8)}
    assert set(table["example_id"]) <= rows


def filled(pictures=()):
    logs = logs_of(["Q|`q`", [{"role": "user", "content": "<image>\nx"}]], ["a\nb", "c"])
    logs["rewards"]["right"].extend([1.0, 0.25])
    logs["extra"]["example_id"].extend(["e\x1b", "f"])
    logs["extra"]["noise_level"].extend([0.0, 0.5])
    logs["advantages"].extend([0.5, -0.5])
    logs["images"].extend(pictures)
    return logs


def test_what_models_say_stays_text_in_markdown():
    assert markdown(filled(), 9).splitlines() == [
        "| | prompt | completion | right | example_id | noise_level | advantage |",
        "|---|---|---|---|---|---|---|",
        f"| 1 | `Q¦'q'` | `a b` | 1 | `e{GONE}` | 0 | 0.5 |",
        "| 2 | `<image> x` | `c` | 0.25 | `f` | 0.5 | -0.5 |",
    ]
    assert len(markdown(filled(), 1).splitlines()) == 3


def test_a_sheet_has_a_line_for_each_row():
    black, white = Image.new("L", (320, 80)), Image.new("RGB", (80, 320), "white")
    sheet = np.asarray(contact_sheet([[black, black], [white]]))
    assert sheet.shape == (40 + 4 + 160 + 4, 2 * 164, 3)
    assert (sheet[:40, :160] == 0).all() and (sheet[:40, 164:324] == 0).all()
    assert (sheet[40:] == 255).all() and (sheet[:40, 160:164] == 255).all()
    assert black.size == (320, 80)  # the picture itself is left as it is


STATE = SimpleNamespace(global_step=7, is_world_process_zero=True)


@pytest.mark.parametrize("pictures", [[], [[], []], [[Image.new("RGB", (8, 8))], []]])
def test_tensorboard_gets_text_and_pictures(pictures):
    calls = []
    writer = SimpleNamespace(
        add_text=lambda *args: calls.append(args),
        add_image=lambda *args, **how: calls.append((args[0], args[1].shape, args[2], how)),
    )
    logs, board = filled(pictures), SimpleNamespace(tb_writer=None)
    table = TensorBoardTable(logs, None, board)
    table.on_log(None, STATE, None, logs={})  # the writer is not there yet
    board.tb_writer = writer
    table.on_log(None, STATE, None, logs={"train_runtime": 1.0})  # the last, of nothing new
    table.on_log(None, STATE, None, logs={})
    expected = [("completions", markdown(logs, 16), 7)]
    if any(pictures):
        expected.append(("completions/pictures", (8 + 4 + 4, 164, 3), 7, {"dataformats": "HWC"}))
    assert calls == expected


def test_wandb_gets_pictures_with_captions(monkeypatch):
    sent = []
    wandb = SimpleNamespace(
        run=object(),
        Image=lambda image, caption: (image.size, caption),
        log=lambda what, commit: sent.append((what, commit)),
    )
    monkeypatch.setitem(__import__("sys").modules, "wandb", wandb)
    picture = Image.new("RGB", (8, 8))
    pictures = WandbPictures(filled([[], [picture, picture]]), None)
    pictures.on_log(None, STATE, None, logs={})
    expected = [((328, 12), "f · level 0.5 · advantage -0.50")]
    assert sent == [({"completions/pictures": expected}, False)]
    pictures.on_log(None, SimpleNamespace(is_world_process_zero=False), None, logs={})
    pictures.on_log(None, STATE, None, logs={"train_runtime": 1.0})
    WandbPictures(filled(), None).on_log(None, STATE, None, logs={})
    assert len(sent) == 1
