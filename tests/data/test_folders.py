"""Folders: their text files are read as files are, cell for cell, with their lines."""

import json

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.data.files import png

from noisygrpo.data import DataSpec, load
from noisygrpo.errors import UserError

TABLE = "question,answer,image\n"
KEPT = ["x", 3, [1, 2], "007", "2020-01-01", "NA", 10**30, 2.0]


def rows(answers, **more):
    return [{"question": f"q{n}", "answer": a, **more} for n, a in enumerate(answers)]


def lines(items):
    return "\n".join(map(json.dumps, items))


@pytest.fixture
def folder(tmp_path):
    def make(files):
        for name, text in {"a.png": png(1), "b.png": png(2), **files}.items():
            path = tmp_path / "mine" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return tmp_path / "mine"

    return make


def read(source, **spec):
    return load(DataSpec(str(source), **{"prompt": "plain", **spec}))


def test_answers_of_json_lines_stay_what_they_are(folder):
    loaded = read(folder({"train.jsonl": lines(rows(KEPT, image="a.png", level="x"))}))
    assert loaded.data["answer"][:] == KEPT
    assert [type(a) for a in loaded.data["answer"][:]] == [type(a) for a in KEPT]
    assert loaded.data[1]["example_id"] == "mine-train-1" and len(loaded.data[1]["images"]) == 1
    assert loaded.where(1) == "train.jsonl line 2"


def test_cells_of_csv_stay_text(folder):
    answers = ["007", "1.0", "NA", "None", "2020-01-01", "TRUE"]
    text = TABLE + "".join(f"q,{answer},a.png\n" for answer in answers)
    assert read(folder({"train.csv": text})).data["answer"][:] == answers
    few = TABLE + "q,010,a.png\n"
    assert read(folder({"train.csv": few})).data["answer"][:] == ["010"]


def test_splits_and_several_files(folder):
    files = {
        f"data/{name}.jsonl": lines(rows([name], image="a.png"))
        for name in ("train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001")
    }
    source = folder(files)
    loaded = read(source)
    assert loaded.data["answer"][:] == ["train-00000-of-00002", "train-00001-of-00002"]
    assert loaded.where(1) == "data/train-00001-of-00002.jsonl line 1"
    assert read(source, split="test").data["answer"][:] == ["test-00000-of-00001"]
    with pytest.raises(UserError, match=r"data\.split: 'dev' is not a split of .*'test', 'train'"):
        read(source, split="dev")
    folder({"data/train-00001-of-00002.jsonl": "{bad"})
    said = r"^data/train-00001-of-00002\.jsonl line 1: not valid JSON.*all of 2 files of mine"
    with pytest.raises(UserError, match=said):
        read(source)


def test_metadata_of_pictures(folder):
    answers = ["x", 3, "007"]
    named = [{**row, "file_name": "a.png"} for row in rows(answers)]
    loaded = read(folder({"train/metadata.jsonl": lines(named), "train/a.png": png(9)}))
    assert loaded.data["answer"][:] == answers
    assert [row["images"][0].getpixel((0, 0))[0] for row in loaded.data] == [9] * 3


@pytest.mark.parametrize(
    ("name", "text", "pictures"),
    [
        ("metadata.csv", "file_name,question,answer\na.png,q,007\n", [1]),
        (
            "metadata.jsonl",
            lines([{"file_names": ["a.png", "b.png"], "question": "q", "answer": "007"}]),
            [1, 2],
        ),
    ],
)
def test_names_of_the_library_for_pictures(folder, name, text, pictures):
    column = "image" if len(pictures) == 1 else "images"
    for columns in ({}, {"image": column}):
        row = read(folder({name: text}), columns=columns).data[0]
        assert row["answer"] == "007"
        assert [image.getpixel((0, 0))[0] for image in row["images"]] == pictures


def test_a_card_that_says_how_to_read_counts(folder):
    card = "---\nconfigs:\n- config_name: default\n  data_files: x.csv\n  sep: '|'\n---\n"
    text = TABLE.replace(",", "|") + "q|4|a.png\n"
    assert read(folder({"x.csv": text, "README.md": card})).data["answer"][:] == [4]


@pytest.mark.parametrize("name", ["annotations.jsonl", "annotations.csv"])
def test_a_file_beside_pictures_is_named(folder, name):
    row = {"question": "q", "answer": "4", "image": "images/c.png"}
    text = lines([row]) if name.endswith("l") else TABLE + "q,4,images/c.png\n"
    source = folder({name: text, **{f"images/{n}.png": png(n) for n in "cde" for n in (1, 2, 3)}})
    with pytest.raises(UserError, match=rf"data\.source: {source / name} reads the file"):
        read(source)


def test_what_cannot_be_loaded_is_one_message(folder, tmp_path):
    lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n"
    with pytest.raises(UserError, match=r"^data/train\.parquet: .*Git LFS.*run git lfs pull"):
        read(folder({"data/train.parquet": lfs}))
    (tmp_path / "script").mkdir()
    (tmp_path / "script" / "script.py").write_text("import datasets\n")
    with pytest.raises(UserError, match=r"^data\.source: cannot load .*scripts"):
        read(tmp_path / "script")
    datasets.Dataset.from_dict({"question": ["q"]}).select([]).save_to_disk(tmp_path / "none")
    with pytest.raises(UserError, match=r"^none: the data set has no rows"):
        read(tmp_path / "none")


def test_mixed_columns_of_the_library_are_read_as_they_were(folder, tmp_path):
    source = folder({})
    answers = ["x", 3, [1, 2], None, {"k": "y"}]
    made = datasets.Dataset.from_dict(
        {
            "question": ["q0", "q1", "q2", "q3", "q4"],
            "answer": ["x", 3, [1, 2], "y", 2.5],
            "more": answers,
            "nested": [[answer] for answer in answers],
            "image": ["a.png", ["a.png", "b.png"], None, "a.png", {"path": "b.png"}],
        },
        on_mixed_types="use_json",
    )
    made.to_parquet(str(source / "rows.parquet"))
    made.save_to_disk(str(source / "saved"))
    for name in ("rows.parquet", "saved"):
        loaded = read(source / name, image_root=str(source))
        assert loaded.data["answer"][:] == ["x", 3, [1, 2], "y", 2.5]
        assert loaded.data["more"][:] == answers
        assert loaded.data["nested"][:] == [[answer] for answer in answers]
        assert [len(row["images"]) for row in loaded.data] == [1, 2, 0, 1, 1]


def test_views_within_lists_of_parquet(folder):
    source = folder({})
    kind = pa.list_(pa.struct({"name": pa.string_view()}))
    table = {"question": ["q"], "answer": ["4"], "image": ["a.png"]}
    table |= {"tags": pa.array([["x"]], pa.list_(pa.string_view()))}
    table |= {"more": pa.array([[{"name": "y"}]], kind)}
    pq.write_table(pa.table(table), source / "rows.parquet")
    row = read(source / "rows.parquet").data[0]
    assert (row["tags"], row["more"]) == (["x"], [{"name": "y"}])


def test_data_files_that_are_in_no_split_are_named(folder):
    table = TABLE + "q,1,a.png\n"
    loaded = read(folder({"train/a.csv": table, "more.jsonl": "{}", ".cache/b.csv": table}))
    assert "1 data files of mine are not read: more.jsonl" in loaded.report
    plain = read(folder({"train/a.csv": table}) / "train", image_root=str(folder({})))
    assert not any("not read" in line for line in plain.report)
