"""What a script for TRL hands the trainer: pictures and rewards in other forms, odd columns."""

from pathlib import Path

import datasets
import pytest
from datasets import Dataset

from noisygrpo.errors import UserError
from noisygrpo.training.given import decoded, rewards, unique
from tiny import tiny_image
from tiny_trainer import by_index, make


def single(count=4, **columns):
    """Rows as TRL has them: a conversation and one image, without ids."""
    made = [
        {"prompt": [{"role": "user", "content": f"How many, {i}?"}], "image": tiny_image(i)}
        for i in range(count)
    ]
    rows = Dataset.from_list(made)
    for name, values in columns.items():
        kept = rows.remove_columns(name) if name in rows.column_names else rows
        rows = kept.add_column(name, values)
    return rows


@pytest.fixture
def paths(tmp_path):
    names = [str(tmp_path / f"{i}.png") for i in range(4)]
    for i, name in enumerate(names):
        tiny_image(i).save(name)
    return names


def test_pictures_that_are_paths_bytes_or_undecoded_are_opened(paths):
    undecoded = single().cast_column("image", datasets.Image(decode=False))
    held = [Path(name).read_bytes() for name in paths]
    listed = Dataset.from_list([{"images": [name, paths[0]]} for name in paths])
    mapped = Dataset.from_list([{"image": {"bytes": one, "path": None}} for one in held])
    bare = Dataset.from_list([{"image": one} for one in held])
    named = Dataset.from_list([{"image": name} for name in [*paths, None]])
    for rows in (undecoded, mapped, bare, named):
        assert decoded(rows)[2]["image"].tobytes() == tiny_image(2).tobytes()
    assert decoded(named)[4]["image"] is None
    assert decoded(listed)[3]["images"][0].tobytes() == tiny_image(3).tobytes()
    assert decoded({"a": undecoded})["a"][0]["image"].size == (56, 56)
    rows = single()
    assert decoded(rows) is rows and decoded(None) is None


def test_a_path_to_no_picture_is_named_before_training(paths):
    rows = Dataset.from_list([{"image": name} for name in [*paths, "gone.png"]])
    with pytest.raises(UserError, match=r"row 4, column 'image': no file 'gone\.png'"):
        decoded(rows)


def test_a_run_on_paths_sees_the_pictures(tmp_path, paths):
    trainer = make(tmp_path, single(image=paths), method="noisygrpo", max_steps=1)
    trainer.train()
    assert {one.size for row in trainer.made.rows for one in row["images"]} == {(56, 56)}


def test_a_batch_without_any_picture_trains_beside_others(tmp_path):
    rows = Dataset.from_list(
        [{**row, "image": row["image"] if n else None} for n, row in enumerate(single(2))]
    )
    seen = []

    def columns(completions, **given):
        seen.append({*given})
        return [float(n) for n in range(len(completions))]

    one = {"per_device_train_batch_size": 4, "shuffle_dataset": False, "max_steps": 2}
    make(tmp_path, rows, [columns], method="noisygrpo", **one).train()
    assert len(seen) == 2 and all("images" not in names for names in seen)  # as TRL passes them


@pytest.mark.parametrize("name", ["hint", "noise_level", "completions"])
def test_a_column_that_reward_functions_would_not_get_is_refused(tmp_path, name):
    with pytest.raises(UserError, match=f"rename_column\\('{name}', …\\)"):
        make(tmp_path, single(**{name: ["a"] * 4}))


def test_text_prompts_beside_pictures_are_refused(tmp_path):
    rows = single(prompt=["How many?"] * 4)
    with pytest.raises(UserError, match="'prompt' is text, but with pictures"):
        make(tmp_path, rows)
    make(tmp_path, rows.remove_columns("image"))


def test_rewards_go_by_the_names_of_recipes_too(tmp_path):
    (tmp_path / "mine.py").write_text("def one(completions, **more):\n    return [1.0] * 2\n")
    given = ["accuracy", f"{tmp_path / 'mine.py'}:one", "owner/model", by_index]
    found = rewards(given)
    assert [getattr(one, "__name__", one) for one in found[:3]] == [
        "accuracy",
        "one",
        "owner/model",
    ]
    assert found[3] is by_index and given[0] == "accuracy"
    assert rewards("format").__name__ == "format"


def test_functions_of_one_name_are_recorded_apart(tmp_path, capsys):
    assert unique(["f", "f-2", "f", "f"]) == ["f", "f-2", "f-3", "f-4"]
    both = [lambda completions, **_: [1.0] * 8, lambda completions, **_: [0.5] * 8]
    trainer = make(tmp_path, rewards=both, max_steps=1)
    assert "'<lambda>-2' in the records" in capsys.readouterr().out
    trainer.train()
    assert trainer.made.rollouts[0].rewards == {"<lambda>": 1.0, "<lambda>-2": 0.5}
    assert trainer.state.log_history[0]["rewards/<lambda>-2/mean"] == 0.5


def test_fewer_rows_than_a_batch_has_prompts_are_refused(tmp_path):
    trainer = make(tmp_path, single(1), max_steps=-1)
    with pytest.raises(UserError, match="1 rows are fewer than the 2 prompts of one generation"):
        trainer.train()


def test_a_checkpoint_that_is_not_there_is_named(tmp_path):
    with pytest.raises(
        UserError, match="resume_from_checkpoint: '/nope/checkpoint-4' is not a fold"
    ):
        make(tmp_path).train(resume_from_checkpoint="/nope/checkpoint-4")


def test_a_run_that_is_done_does_no_step_more(tmp_path):
    saved = {"save_strategy": "steps", "save_steps": 1, "max_steps": 1}
    make(tmp_path, **saved).train()
    trainer = make(tmp_path, **saved)
    assert trainer.train(resume_from_checkpoint=True).global_step == 1
    assert not hasattr(trainer, "made")


def test_the_rollouts_of_an_earlier_run_do_not_go_in_silence(tmp_path, capsys):
    first = make(tmp_path, max_steps=1)
    first.train()
    assert "earlier run" not in capsys.readouterr().err
    first.train()
    assert "the rollouts of an earlier run, 1 steps, are replaced" in capsys.readouterr().err
