"""Columns and answers on their way to reward functions, and the images of rows of all sorts."""

import json

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.data.files import STRUCT, png, rows_of, write_jsonl, write_parquet

from noisygrpo.data import FEATURES, DataSpec, load, load_examples
from noisygrpo.data.checks import require_images
from noisygrpo.data.features import Exact, column_of
from noisygrpo.errors import UserError


def values(row: dict) -> list[int]:
    return [int(np.asarray(image)[0, 0, 0]) for image in row["images"]]


def test_every_column_of_json_goes_along_as_it_is(folder) -> None:
    extra = [
        {"solution": "a", "boxes": [[1, 2, 3.5, 4]], "level": 3, "meta": {"a": 1}, "mixed": "3"},
        {"solution": "b", "boxes": [], "level": 4, "meta": {"b": None}, "mixed": 3},
        {"solution": None, "level": 5, "meta": None, "mixed": [True, 1.0, "x"]},
    ]
    rows = [{**row, **more} for row, more in zip(rows_of(), extra, strict=True)]
    loaded = load(DataSpec(write_jsonl(folder, rows)))
    for row, more in zip(loaded.data, extra, strict=True):
        for name in ("solution", "boxes", "level", "meta", "mixed"):
            assert row[name] == more.get(name)
            assert type(row[name]) is type(more.get(name))
    assert list(loaded.data.column_names) == [
        *FEATURES,
        *("solution", "boxes", "level", "meta", "mixed"),
    ]
    assert isinstance(loaded.data[1]["meta"]["b"], type(None)) and "a" not in loaded.data[1]["meta"]
    line = "further columns for reward functions: solution, boxes, level, meta, mixed"
    assert line in loaded.report


def test_columns_of_parquet_follow_their_rows_through_a_shuffle(tmp_path) -> None:
    count = 30
    images = [{"bytes": png(i), "path": None} for i in range(count)]
    more = {
        "box": [[float(i), i + 0.5] for i in range(count)],
        "nested": [{"n": i, "s": str(i)} for i in range(count)],
        "thumb": pa.array(images, STRUCT),
    }
    source = write_parquet(tmp_path / "a.parquet", images, STRUCT, **more)
    data = load_examples(DataSpec(source, shuffle=True, limit=20))
    for row in data:
        (value,) = values(row)
        assert row["box"] == [value, value + 0.5]
        assert row["nested"] == {"n": value, "s": str(value)}
        assert row["thumb"]["bytes"] == png(value)  # further pictures stay as they are stored


def test_names_that_the_trainer_uses_are_left_out_with_a_line(folder) -> None:
    rows = [
        {**row, "completions": 1, "noise_level": 2, "kind": "a", "problem": "p"}
        for row in rows_of()
    ]
    columns = {"question": "problem", "answer": "kind"}
    loaded = load(DataSpec(write_jsonl(folder, rows), columns=columns))
    said = "\n".join(loaded.report)
    for name in ("completions", "noise_level"):
        assert f"column {name!r} is left out" in said
        assert name not in loaded.data.column_names
    assert "column 'question' is left out: the field question is another column" in said
    assert "column 'answer' is left out" in said
    assert loaded.data["question"][:] == ["p"] * 3
    assert loaded.data["kind"][:] == ["a"] * 3


def test_fields_are_read_from_columns_of_their_names(folder) -> None:
    rows = [{**row, "reasoning": "so", "cluster": "c", "kind": "math"} for row in rows_of()]
    data = load_examples(DataSpec(write_jsonl(folder, rows)))
    assert [data[0][name] for name in ("reasoning", "cluster", "kind")] == ["so", "c", "math"]
    columns = {"reasoning": None, "cluster": None}
    data = load_examples(DataSpec(write_jsonl(folder, rows), columns=columns))
    assert (data[0]["reasoning"], data[0]["cluster"]) == ("", "train-0")


@pytest.mark.parametrize(
    "answer",
    ["B", "007", "true", 3, 2.50, True, [10, 20.5, 30, 40], [[1, 2], [3]], ["a"], {"x": 1}],
)
def test_answers_reach_rewards_as_they_are(folder, answer) -> None:
    rows = [{**rows_of()[0], "answer": answer}, {**rows_of()[1], "answer": "3"}]
    data = load_examples(DataSpec(write_jsonl(folder, rows)))
    assert data[0]["answer"] == answer and type(data[0]["answer"]) is type(answer)
    assert data[1]["answer"] == "3"
    again = data.map(lambda row: {"kind": "x"}, keep_in_memory=True)
    assert again["answer"][:] == [answer, "3"]
    assert again[1]["prompt"] == data[1]["prompt"]


@pytest.mark.parametrize("answer", ["NaN", "Infinity", "[1, NaN]", "null", '""', "[]", '"  "'])
def test_answers_that_are_none(folder, answer) -> None:
    line = f'{{"question": "q", "image": "images/0.png", "answer": {answer}}}'
    with pytest.raises(UserError, match=r"train\.jsonl line 2: .*answer"):
        load_examples(DataSpec(write_jsonl(folder, [rows_of()[0], line])))


def test_answers_in_tags_are_taken_out_with_a_line(folder) -> None:
    """R1-style files, MATH, GSM8K; the column itself reaches reward functions as it is."""
    solutions = ["<answer> 4 </answer>", "<think>two\nand two</think>\n<answer>4</answer>", "4"]
    solutions += [
        "so <answer>4</answer>",
        "Two and two.\nIt is their sum that is asked for: $\\boxed{4}$.",
        "Two and two.\n#### 4",
        "Answer: \\boxed{4}",
    ]
    solutions += [
        "<answer>1</answer><answer>2</answer>",
        "\\boxed{4} cm",
        "a \\boxed{1} \\boxed{2}",
    ]
    rows = [{"problem": f"q{n}", "image": "", "solution": x} for n, x in enumerate(solutions)]
    loaded = load(DataSpec(write_jsonl(folder, rows)))
    assert loaded.data["answer"][:] == ["4"] * 7 + solutions[7:]
    reasoning = ["", "two\nand two", "", "so", "Two and two.", "Two and two.", "", "", "", ""]
    assert loaded.data["reasoning"][:] == reasoning
    assert loaded.data["solution"][:] == solutions
    line = (
        "in 6 rows the answer is the end of a worked solution (<answer>, \\boxed or ####): the "
        "target is what stands there, the rest is the reasoning"
    )
    assert line in loaded.report
    empty = write_jsonl(folder, [{"problem": "q", "solution": "<answer> </answer>"}])
    with pytest.raises(UserError, match="line 1: the answer is empty: '<answer> </answer>'"):
        load(DataSpec(empty, columns={"image": None}))


def test_exact_columns_are_kept_by_the_datasets_library(tmp_path) -> None:
    feature, array = column_of(["3", 3, None, {"a": [1]}, "\ud800"[:0], True, 2**70])
    assert isinstance(feature, Exact)
    features = datasets.Features({"x": feature})
    data = datasets.Dataset(pa.table({"x": array}, schema=features.arrow_schema))
    expected = ["3", 3, None, {"a": [1]}, "", True, 2**70]
    assert data["x"][:] == expected
    data.save_to_disk(str(tmp_path / "saved"))
    saved = datasets.load_from_disk(str(tmp_path / "saved"))
    assert saved["x"][:] == saved.select(range(7))["x"][:] == expected
    assert [type(column_of(list(v))[0]).__name__ for v in ("ab", [1], [1, 2.0], [True, 1])] == [
        "Value",
        "Value",
        "Exact",
        "Exact",
    ]


def test_images_and_image_are_read_per_row(folder) -> None:
    rows = [
        {"question": "a", "answer": 1, "image": "images/0.png"},
        {"question": "b", "answer": 1, "images": ["images/1.png", "images/2.png"]},
        {"question": "c", "answer": 1},
        {"question": "d", "answer": 1, "image": "images/2.png", "images": ["images/2.png"]},
        {"question": "e", "answer": 1, "image": "", "images": []},
    ]
    loaded = load(DataSpec(write_jsonl(folder, rows)))
    assert [values(row) for row in loaded.data] == [[0], [1, 2], [], [2], []]
    assert "3 of 5 rows have images, 1 of them several (up to 2)" in loaded.report
    rows.append({"question": "f", "answer": 1, "image": "images/1.png", "images": ["images/2.png"]})
    with pytest.raises(UserError, match=r"line 6: different images in 'images' and 'image'"):
        load(DataSpec(write_jsonl(folder, rows)))
    data = load(DataSpec(write_jsonl(folder, rows), columns={"image": "image"})).data
    assert values(data[5]) == [1]


def test_two_image_columns_of_parquet(tmp_path) -> None:
    image = pa.array([{"bytes": png(1), "path": None}, None, None], STRUCT)
    images = pa.array([None, [{"bytes": png(2), "path": None}, None], []], pa.list_(STRUCT))
    table = {"question": ["a", "b", "c"], "answer": ["x"] * 3, "image": image, "images": images}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    data = load_examples(DataSpec(str(tmp_path / "a.parquet")))
    assert [values(row) for row in data] == [[1], [2], []]


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([None, None], STRUCT),
        ([None, []], pa.list_(STRUCT)),
        ([[None], [{"bytes": None, "path": None}]], pa.list_(STRUCT)),
        ([{"bytes": None, "path": None}, None], STRUCT),
        ([None, None], pa.null()),
        ([None, ""], pa.string()),
        ([None, [""]], pa.list_(pa.string())),
    ],
    ids=str,
)
def test_null_cells_are_no_images(tmp_path, cells, kind) -> None:
    loaded = load(DataSpec(write_parquet(tmp_path / "a.parquet", cells, kind)))
    assert [row["images"] for row in loaded.data] == [[], []]
    assert "0 of 2 rows have images" in loaded.report
    with pytest.raises(UserError, match=r"data: none of 2 rows has an image.*'grid'"):
        require_images(loaded.data, "grid")


def test_null_cells_of_a_saved_data_set(tmp_path) -> None:
    features = datasets.Features(
        {
            "question": datasets.Value("string"),
            "answer": datasets.Value("string"),
            "images": datasets.List(datasets.Image()),
        }
    )
    rows = {
        "question": ["a", "b", "c"],
        "answer": ["x"] * 3,
        "images": [None, [{"bytes": png(1), "path": None}], []],
    }
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(str(tmp_path / "saved"))
    loaded = load(DataSpec(str(tmp_path / "saved")))
    assert [values(row) for row in loaded.data] == [[], [1], []]
    require_images(loaded.data, "grid")


def test_rows_that_repeat_and_contradict_are_named(folder) -> None:
    rows = [*rows_of(3), rows_of()[1], {**rows_of()[2], "answer": "other"}]
    report = load(DataSpec(write_jsonl(folder, rows))).report
    assert "1 rows repeat an earlier one: train.jsonl line 4 = train.jsonl line 2" in report
    assert any("answered otherwise: train.jsonl line 5 = train.jsonl line 3" in r for r in report)


def test_json_of_other_shapes(folder) -> None:
    rows = rows_of(2)
    lines = "\n".join(map(json.dumps, rows))
    for name, text in (
        ("lines.json", lines),
        ("list.jsonl", json.dumps(rows)),
        ("bom.jsonl", "\ufeff" + lines),
    ):
        (folder / name).write_text(text, encoding="utf-8")
        assert len(load_examples(DataSpec(str(folder / name)))) == 2
    (folder / "wrapped.json").write_text(json.dumps({"data": rows}))
    with pytest.raises(UserError, match=r"one object with the keys \['data'\].*'data' alone"):
        load_examples(DataSpec(str(folder / "wrapped.json")))
    (folder / "info.json").write_text(json.dumps({"mine": {"file_name": "x.json"}}))
    with pytest.raises(UserError, match=r"one object with the keys \['mine'\]$"):
        load_examples(DataSpec(str(folder / "info.json")))
    (folder / "repr.jsonl").write_text(str(rows[0]))
    with pytest.raises(UserError, match=r"repr\.jsonl line 1: not valid JSON.*json\.dumps"):
        load_examples(DataSpec(str(folder / "repr.jsonl")))
    (folder / "latin.jsonl").write_bytes(lines.encode() + b"\xe9")
    with pytest.raises(UserError, match=r"line \d+: not a text file in UTF-8"):
        load_examples(DataSpec(str(folder / "latin.jsonl")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,question,answer\na,b\n", "line 2: 2 cells, but the header names 3"),
        ("image,image,answer\n", "column 'image' stands twice"),
        ("image,,answer\n", "a column has no name"),
        ('image,question,answer\nimages/0.png,"q"x,a\n', "line 2: not valid csv"),
        ("image,question,answer\nimages/0.png,q,\n", "line 2: column 'answer' is missing or null"),
        ("", "has no rows"),
    ],
)
def test_csv_errors(folder, text, message) -> None:
    (folder / "a.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        load_examples(DataSpec(str(folder / "a.csv")))
