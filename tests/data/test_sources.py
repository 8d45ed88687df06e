import json
import sys
import types

import datasets
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from tests.data.files import STRUCT, png, rows_of, write_jsonl, write_parquet

from noisygrpo.data import (
    FEATURES,
    KEYS,
    DataSpec,
    check_example,
    load_examples,
    make_example,
)
from noisygrpo.errors import UserError


def value_of(image: Image.Image) -> int:
    assert image.mode == "RGB"
    return int(np.asarray(image)[0, 0, 0])


def test_jsonl_with_relative_paths(folder) -> None:
    data = load_examples(DataSpec(write_jsonl(folder, rows_of())))
    assert data.column_names == list(KEYS)
    for i, row in enumerate(data):
        check_example(row)
        assert (row["question"], row["answer"], row["example_id"]) == (
            f"q{i}",
            i,
            f"train-{i}",
        )
        assert row["cluster"] == row["example_id"]
        assert [value_of(image) for image in row["images"]] == [i]
        assert row["prompt"][-1]["content"].startswith(f"q{i}\n")


def test_json_list_columns_and_text_only_rows(folder) -> None:
    rows = [
        {
            "q": "a <image> b <image>",
            "a": True,
            "pics": ["images/0.png", "images/2.png"],
            "why": "so",
        },
        {"q": "c", "a": 2.5, "pics": []},
        {"q": "d", "a": 4.0, "pics": None, "why": None},
    ]
    path = folder / "rows.json"
    path.write_text(json.dumps(rows))
    columns = {"question": "q", "answer": "a", "image": "pics", "reasoning": "why"}
    data = load_examples(DataSpec(str(path), columns=columns, prompt="plain", system="Be brief."))
    assert data["answer"][:] == [True, 2.5, 4.0]
    assert data["reasoning"][:] == ["so", "", ""]
    assert [len(row["images"]) for row in data] == [2, 0, 0]
    words = [{"type": "text", "text": "a "}, {"type": "image"}, {"type": "text", "text": " b "}]
    assert data[0]["prompt"] == [
        {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
        {"role": "user", "content": [*words, {"type": "image"}]},
    ]
    assert data[1]["prompt"][1] == {"role": "user", "content": "c"}


@pytest.mark.parametrize(
    ("images", "kind", "counts"),
    [
        ([{"bytes": png(i), "path": f"{i}.png"} for i in range(5)], STRUCT, [1] * 5),
        (
            [{"bytes": png(0), "path": None}, None, {"bytes": png(2), "path": None}],
            STRUCT,
            [1, 0, 1],
        ),
        ([png(0), None, png(2)], pa.binary(), [1, 0, 1]),
        (
            [[], [{"bytes": png(1), "path": None}], [{"bytes": png(2), "path": None}] * 2],
            pa.list_(STRUCT),
            [0, 1, 2],
        ),
    ],
)
def test_parquet_with_embedded_images(tmp_path, images, kind, counts) -> None:
    data = load_examples(DataSpec(write_parquet(tmp_path / "a.parquet", images, kind)))
    assert [len(row["images"]) for row in data] == counts
    for i, row in enumerate(data):
        assert all(value_of(image) == i for image in row["images"])


def test_parquet_paths_stay_inside_their_folder(folder) -> None:
    inside = [{"bytes": None, "path": "images/1.png"}]
    data = load_examples(DataSpec(write_parquet(folder / "a.parquet", inside, STRUCT)))
    assert value_of(data[0]["images"][0]) == 1
    outside = [{"bytes": None, "path": "/etc/hostname"}]
    with pytest.raises(UserError, match=r"b\.parquet row 0: image path .* outside"):
        load_examples(DataSpec(write_parquet(folder / "b.parquet", outside, STRUCT)))


def test_images_are_rgb_whatever_is_done_to_the_rows(folder) -> None:
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    clear.save(folder / "images" / "0.png")
    data = load_examples(DataSpec(write_jsonl(folder, rows_of(4))))
    for rows in (data, data.shuffle(seed=0), data.select([0, 1]), data.remove_columns("kind")):
        row = next(row for row in rows if row["answer"] == 0)
        assert value_of(row["images"][0]) == 255
    mapped = data.map(lambda row: {"kind": "x"}, keep_in_memory=True)
    assert mapped[0]["images"][0].mode == "RGB"
    assert data["answer"][:] == [0, 1, 2, 3]  # without decoding any image


def test_saved_data_set_and_folder_of_files(tmp_path) -> None:
    features = datasets.Features(
        {
            "question": datasets.Value("string"),
            "answer": datasets.Value("int64"),
            "image": datasets.Image(),
        }
    )
    rows = {"question": ["a", "b"], "answer": [1, 2], "image": [Image.new("L", (4, 4), 9)] * 2}
    made = datasets.Dataset.from_dict(rows, features=features)
    made.save_to_disk(str(tmp_path / "one"))
    datasets.DatasetDict({"train": made, "test": made}).save_to_disk(str(tmp_path / "two"))
    (tmp_path / "three" / "data").mkdir(parents=True)
    made.to_parquet(str(tmp_path / "three" / "data" / "test-00000-of-00001.parquet"))
    for name in ("one", "two", "three"):
        split = "train" if name == "one" else "test"
        data = load_examples(DataSpec(str(tmp_path / name), split=split))
        assert data["answer"][:] == [1, 2]
        assert value_of(data[1]["images"][0]) == 9
        assert data["example_id"][1] == f"{name}-{split}-1"
    for name in ("two", "three"):
        with pytest.raises(UserError, match=r"test|train"):
            load_examples(DataSpec(str(tmp_path / name), split="validation"))


def test_limit_shuffle_and_seed(folder) -> None:
    source = write_jsonl(folder, rows_of(30))
    first = load_examples(DataSpec(source, limit=5))
    assert first["answer"][:] == [0, 1, 2, 3, 4]
    drawn = [
        load_examples(DataSpec(source, limit=5, shuffle=True, seed=seed))["example_id"][:]
        for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    data = load_examples(DataSpec(source, shuffle=True))
    assert sorted(data["answer"][:]) == list(range(30))
    for row in data:
        assert value_of(row["images"][0]) == int(row["answer"]) % 3


def test_parquet_subset_keeps_images_with_their_rows(tmp_path) -> None:
    images = [{"bytes": png(i), "path": None} for i in range(20)]
    answers = [str(i) for i in range(20)]
    source = write_parquet(tmp_path / "a.parquet", images, STRUCT, answer=answers)
    data = load_examples(DataSpec(source, shuffle=True, limit=9))
    assert [value_of(row["images"][0]) for row in data] == [int(row["answer"]) for row in data]
    again = data.shuffle(seed=3).select(range(4))
    assert [value_of(row["images"][0]) for row in again] == [int(row["answer"]) for row in again]


def test_ids_and_clusters(folder) -> None:
    rows = [{**row, "id": f"s-{i // 2}-{i}", "g": i} for i, row in enumerate(rows_of(4))]
    source = write_jsonl(folder, rows)
    data = load_examples(DataSpec(source, columns={"id": "id"}, cluster_pattern=r"^s-(\d+)-"))
    assert data["cluster"][:] == ["0", "0", "1", "1"]
    data = load_examples(DataSpec(source, columns={"id": "id", "cluster": "g"}))
    assert data["cluster"][:] == ["0", "1", "2", "3"]
    with pytest.raises(UserError, match=r"line 1: .*cluster_pattern.*'s-0-0'"):
        load_examples(DataSpec(source, columns={"id": "id"}, cluster_pattern="^x"))


def test_playground_is_asked_for(monkeypatch) -> None:
    calls = []
    made = datasets.Dataset.from_list([make_example("q", "a", example_id="1")], features=FEATURES)

    def make_split(split, rows, seed=0):
        calls.append((split, rows, seed))
        return made

    fake = types.SimpleNamespace(make_split=make_split)
    monkeypatch.setitem(sys.modules, "noisygrpo.playground", fake)
    assert load_examples(DataSpec("playground", split="test", limit=7, seed=3)) is made
    assert calls == [("test", 7, 3)]
    with pytest.raises(UserError, match="playground takes no columns, prompt"):
        load_examples(DataSpec("playground", columns={"id": "x"}, prompt="plain"))
