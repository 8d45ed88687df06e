import json
import sys
import types
from io import BytesIO
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from noisygrpo.data import (
    FEATURES,
    KEYS,
    DataSpec,
    check_example,
    load_examples,
    make_example,
    validate_examples,
)
from noisygrpo.errors import UserError


def png(value: int = 0, size: tuple[int, int] = (8, 6), mode: str = "RGB") -> bytes:
    buffer = BytesIO()
    Image.new("L", size, value).convert(mode).save(buffer, "PNG")
    return buffer.getvalue()


def value_of(image: Image.Image) -> int:
    assert image.mode == "RGB"
    return int(np.asarray(image)[0, 0, 0])


def write_jsonl(folder: Path, rows: list, name: str = "train.jsonl") -> str:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "images").mkdir()
    for value in range(3):
        (tmp_path / "images" / f"{value}.png").write_bytes(png(value))
    return tmp_path


def rows_of(count: int = 3) -> list[dict]:
    return [
        {"question": f"q{i}", "answer": i, "image": f"images/{i % 3}.png"} for i in range(count)
    ]


def test_jsonl_with_relative_paths(folder) -> None:
    data = load_examples(DataSpec(write_jsonl(folder, rows_of())))
    assert data.column_names == list(KEYS)
    for i, row in enumerate(data):
        check_example(row)
        assert (row["question"], row["answer"], row["example_id"]) == (
            f"q{i}",
            str(i),
            f"train-{i}",
        )
        assert row["cluster"] == row["example_id"]
        assert [value_of(image) for image in row["images"]] == [i]
        assert row["prompt"][-1]["content"].startswith(f"q{i}\n")


def test_json_list_columns_and_text_only_rows(folder) -> None:
    rows = [
        {"q": "a <image> b", "a": True, "pics": ["images/0.png", "images/2.png"], "why": "so"},
        {"q": "c", "a": 2.5, "pics": []},
        {"q": "d", "a": 4.0, "pics": None, "why": None},
    ]
    path = folder / "rows.json"
    path.write_text(json.dumps(rows))
    columns = {"question": "q", "answer": "a", "image": "pics", "reasoning": "why"}
    data = load_examples(DataSpec(str(path), columns=columns, prompt="plain", system="Be brief."))
    assert data["answer"][:] == ["true", "2.5", "4"]
    assert data["reasoning"][:] == ["so", "", ""]
    assert [len(row["images"]) for row in data] == [2, 0, 0]
    assert data[0]["prompt"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "a b"},
    ]


def write_parquet(path: Path, images: list, kind: pa.DataType | None = None, **more) -> str:
    count = len(images)
    columns = {"question": [f"q{i}" for i in range(count)], "answer": ["x"] * count, **more}
    table = pa.table({**columns, "image": pa.array(images, type=kind)})
    pq.write_table(table, path, row_group_size=2)
    return str(path)


STRUCT = pa.struct({"bytes": pa.binary(), "path": pa.string()})


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
        row = next(row for row in rows if row["answer"] == "0")
        assert value_of(row["images"][0]) == 255
    mapped = data.map(lambda row: {"kind": "x"}, keep_in_memory=True)
    assert mapped[0]["images"][0].mode == "RGB"
    assert data["answer"][:] == list("0123")  # without decoding any image


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
        data = load_examples(DataSpec(str(tmp_path / name), split="test"))
        assert data["answer"][:] == ["1", "2"]
        assert value_of(data[1]["images"][0]) == 9
        assert data["example_id"][1] == f"{name}-test-1"
    for name in ("two", "three"):
        with pytest.raises(UserError, match=r"test|train"):
            load_examples(DataSpec(str(tmp_path / name), split="validation"))


def test_limit_shuffle_and_seed(folder) -> None:
    source = write_jsonl(folder, rows_of(30))
    first = load_examples(DataSpec(source, limit=5))
    assert first["answer"][:] == list("01234")
    drawn = [
        load_examples(DataSpec(source, limit=5, shuffle=True, seed=seed))["example_id"][:]
        for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    data = load_examples(DataSpec(source, shuffle=True))
    assert sorted(map(int, data["answer"])) == list(range(30))
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


GOOD = {"question": "q", "answer": "a", "image": "images/0.png"}


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([], {}, r"train\.jsonl: the data set has no rows"),
        ([GOOD], {"columns": {"question": "query"}}, r"no column 'query'.*'question'"),
        ([GOOD], {"columns": {"image": "picture"}}, r"no image column 'picture'"),
        ([{"question": "q", "answer": "a"}], {}, r"no image column 'images' or 'image'"),
        ([GOOD], {"columns": {"questions": "q"}}, r"'questions' is not a field"),
        ([GOOD, "", {"question": "q", "image": None}], {}, r"line 3: column 'answer' is missing"),
        ([{**GOOD, "answer": " "}], {}, r"line 1: the answer is empty"),
        ([{**GOOD, "question": "<image>"}], {}, r"line 1: the question is empty"),
        ([{**GOOD, "answer": ["a"]}], {}, r"line 1: column 'answer' is \['a'\]"),
        ([GOOD, {**GOOD, "image": "images/9.png"}], {}, r"line 2: image file 'images/9.png' not"),
        ([{**GOOD, "image": "../x.png"}], {}, r"line 1: image path '../x.png' leads outside"),
        ([{**GOOD, "image": 3}], {}, r"line 1: image is 3"),
        ([{**GOOD, "image": {"bytes": "abc"}}], {}, r"line 1: image bytes are not binary"),
        ([GOOD, "{"], {}, r"line 2: not valid JSON"),
        ([GOOD, "[1]"], {}, r"line 2: \[1\] is not an object"),
        ([{**GOOD, "question": "a <|image_pad|>"}], {}, r"line 1: the user turn contains <\|im"),
        ([{**GOOD, "id": "a"}] * 2, {"columns": {"id": "id"}}, r"line 2: id 'a' is also.* line 1"),
        ([GOOD], {"prompt": "Answer!"}, r"data\.prompt: 'Answer!'"),
        ([GOOD], {"cluster_pattern": "("}, r"data\.cluster_pattern"),
        ([GOOD], {"limit": 0}, r"data\.limit: 0"),
        ([GOOD], {"adapter": "nlvrs"}, r"data\.adapter: 'nlvrs'"),
        ([GOOD], {"adapter": "nlvr"}, r"no column 'identifier'"),
        ([GOOD], {"adapter": "nlvr", "columns": {"id": "x"}}, r"data\.columns: the adapter"),
        ([GOOD], {"options": {"x": 1}}, r"data\.options"),
    ],
)
def test_row_level_errors(folder, rows, options, message) -> None:
    with pytest.raises(UserError, match=message):
        load_examples(DataSpec(write_jsonl(folder, rows), **options))


def test_broken_images_are_named_before_training(folder) -> None:
    (folder / "images" / "1.png").write_bytes(png(1)[:-20])
    (folder / "images" / "2.png").write_bytes(b"")
    with pytest.raises(UserError) as caught:
        load_examples(DataSpec(write_jsonl(folder, rows_of(12))))
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("train.jsonl line 2: broken image (1.png): ")
    assert lines[1] == "train.jsonl line 3: broken image (2.png): the file is empty"
    assert lines[-1] == "... and 3 more rows"
    assert len(load_examples(DataSpec(write_jsonl(folder, rows_of(3))), check_images=False)) == 3


def test_broken_embedded_image_is_named_after_shuffling(tmp_path) -> None:
    images = [{"bytes": png(i), "path": None} for i in range(6)]
    images[4]["bytes"] = b"no image"
    source = write_parquet(tmp_path / "a.parquet", images, STRUCT)
    with pytest.raises(UserError, match=r"a\.parquet row 4: broken image"):
        load_examples(DataSpec(source, shuffle=True))


@pytest.mark.parametrize("source", ["missing.jsonl", "no/such/folder", "white space"])
def test_missing_sources(source) -> None:
    with pytest.raises(UserError, match=f"^data.source: '{source}' does not exist"):
        load_examples(DataSpec(source))


def test_files_that_are_not_what_they_say(tmp_path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 not really")
    (tmp_path / "a.csv").write_text("x")
    with pytest.raises(UserError, match="cannot load"):
        load_examples(DataSpec(str(tmp_path / "a.parquet")))
    with pytest.raises(UserError, match="not one of"):
        load_examples(DataSpec(str(tmp_path / "a.csv")))


def test_hub_id_without_network_is_one_message(monkeypatch) -> None:
    def unreachable(*args, **kwargs):
        raise ConnectionError("Couldn't reach 'some/data' on the Hub\nlong traceback")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(
        UserError,
        match=r"^data\.source: cannot load some/data, split 'train' .*here.: C",
    ):
        load_examples(DataSpec("some/data"))


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


def test_validate_rows_made_elsewhere() -> None:
    image = {"bytes": png(), "path": None}
    rows = [make_example(f"q{i}", "a", [image], example_id=str(i)) for i in range(3)]
    validate_examples(datasets.Dataset.from_list(rows, features=FEATURES))
    rows[2]["example_id"] = "0"
    with pytest.raises(UserError, match=r"mine row 2: example_id '0' is also row 0's"):
        validate_examples(datasets.Dataset.from_list(rows, features=FEATURES), "mine")
    rows[2]["images"] = [{"bytes": b"x", "path": None}]
    rows[2]["example_id"] = "2"
    with pytest.raises(UserError, match="mine row 2: broken image"):
        validate_examples(datasets.Dataset.from_list(rows, features=FEATURES), "mine")
    with pytest.raises(UserError, match="missing columns"):
        validate_examples(datasets.Dataset.from_list([{"a": 1}]))


def test_check_example_names_what_is_wrong() -> None:
    good = make_example("q", "a", [Image.new("RGB", (2, 2))], example_id="1")
    check_example(good)
    for change, message in [
        ({"images": [Image.new("L", (2, 2))]}, "image 0 is L"),
        ({"images": ["a.png"]}, "image 0 is str"),
        ({"answer": 3}, "answer is 3"),
        ({"prompt": []}, "non-empty list"),
        ({"prompt": [{"role": "assistant", "content": "x"}]}, "last turn"),
        ({"prompt": [{"role": "user", "content": [{"type": "image"}]}]}, "not plain text"),
        ({"prompt": [{"role": "bot", "content": "x"}]}, "role 'bot'"),
    ]:
        with pytest.raises(UserError, match=message):
            check_example({**good, **change})
