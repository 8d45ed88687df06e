"""Text files as other programs write them: read right, or refused by what they are."""

import gzip
import json

import pytest
from tests.data.files import png

from noisygrpo.data import DataSpec, load
from noisygrpo.errors import UserError

ROW = {"question": "q", "answer": "4", "image": "a.png"}
LINE = json.dumps(ROW)
TABLE = "question,answer,image\n"


def packed(text):
    """The same bytes whenever it is called: a parameter's name is made of them."""
    return gzip.compress(text.encode(), mtime=0)


@pytest.fixture
def read(tmp_path):
    (tmp_path / "a.png").write_bytes(png(1))

    def read_file(name, text, encoding="utf-8", **spec):
        data = text if isinstance(text, bytes) else text.encode(encoding)
        (tmp_path / name).write_bytes(data)
        return load(DataSpec(str(tmp_path / name), **{"prompt": "plain", **spec}))

    return read_file


@pytest.mark.parametrize(
    ("name", "text", "encoding"),
    [
        ("rows.JSONL", LINE, "utf-8"),
        ("rows.Json", f"[{LINE}]", "utf-8"),
        ("rows.CSV", TABLE + "q,4,a.png\n", "utf-8"),
        ("rows.json", f"[{LINE}]", "utf-16"),
        ("rows.json", f"[{LINE}]", "utf-32"),
        ("rows.jsonl.gz", packed(LINE), ""),
        ("rows.json.gz", packed(f"[{LINE}]"), ""),
        ("rows.csv.gz", packed(TABLE + "q,4,a.png\n"), ""),
        ("rows.json", json.dumps({"17": ROW}), "utf-8"),
        ("rows.csv", ",question,answer,image\n0,q,4,a.png\n", "utf-8"),
        ("rows.csv", 'question, answer, image\nq, "4", a.png\n', "utf-8"),
        ("rows.csv", "sep=;\r\nquestion;answer;image\r\nq;4;a.png\r\n", "utf-8"),
        ("rows.csv", TABLE + "q,4,a.png\n,,\n,,\n", "utf-8"),
    ],
)
def test_files_as_programs_write_them(read, name, text, encoding):
    loaded = read(name, text, encoding)
    row = loaded.data[0]
    assert len(loaded.data) == 1 and len(row["images"]) == 1
    assert (row["question"], row["answer"], row["example_id"]) == ("q", "4", "rows-0")


def test_rows_under_ids_are_named_by_them(read):
    with pytest.raises(UserError, match=r"rows\.json entry '18': column 'answer' is missing"):
        read("rows.json", json.dumps({"17": ROW, "18": {**ROW, "answer": None}}))


def test_lines_are_counted_below_a_separator(read):
    text = "sep=,\n" + TABLE + 'q,4,a.png\n"two\nlines",,a.png\n'
    with pytest.raises(UserError, match=r"rows\.csv line 4: column 'answer' is missing"):
        read("rows.csv", text)


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n"


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.tsv", "a.parquet"])
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (LFS, "it is a pointer of Git LFS, not the data file: run git lfs pull"),
        (b"<!DOCTYPE html>\n<html></html>", "it is a web page or XML, not a data file: was the"),
        (packed(LINE), r"it is a gzip file: let its name end in \.gz"),
        (b"PK\x03\x04", "it is a zip archive, not a data file"),
    ],
)
def test_other_things_under_a_data_files_name(read, name, data, said):
    with pytest.raises(UserError, match=f"^{name}: {said}"):
        read(name, data)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", "", r"^a\.json: the data set has no rows"),
        ("a.json", "\n \n", r"^a\.json: the data set has no rows"),
        ("a.json", b"PAR1\x15\x04", r"^a\.json: it is a parquet file: let its name end in"),
        ("a.jsonl.gz", packed("x" * 99)[:-9], r"^a\.jsonl\.gz: cannot be unpacked: "),
        ("a.zip", b"PK\x03\x04", r"a\.zip is not one of .*; unpack it first"),
        ("a.jsonl.zst", b"\x28\xb5\x2f\xfd", r"a\.jsonl\.zst is not one of .*; unpack it first"),
        ("a.parquet.gz", packed("PAR1"), r"is not one of .*; unpack it first"),
        ("a.jsonl", LINE[:-1] + ', "answer": 5}', "line 1: 'answer' stands twice in one object"),
        ("a.json", f'[{LINE[:-1]}, "x": {{"y": 1, "y": 2}}}}]', "'y' stands twice in one object"),
        ("a.csv", ",question,answer\nx,q,4\n", r"^a\.csv line 1: a column has no name"),
    ],
)
def test_what_is_refused(read, name, text, said):
    with pytest.raises(UserError, match=said):
        read(name, text)


def test_the_same_value_twice_is_no_contradiction(read):
    assert read("a.jsonl", LINE[:-1] + ', "answer": "4"}').data["answer"][:] == ["4"]


def test_a_space_behind_a_tab_is_text(read):
    loaded = read("a.tsv", 'question\tanswer\timage\nq\t "x" or y\ta.png\n')
    assert loaded.data["answer"][:] == ['"x" or y']


def test_whole_numbers_of_any_size_are_answers(read):
    large = 10**400
    rows = read("a.jsonl", json.dumps({**ROW, "answer": large})).data
    assert rows[0]["answer"] == large
