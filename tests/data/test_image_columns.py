"""Where rows have their pictures: paths of other systems, origins, several columns."""

import base64
import json
import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.data.files import STRUCT, png

from noisygrpo.data import DataSpec, load
from noisygrpo.errors import UserError


@pytest.fixture
def read(tmp_path):
    (tmp_path / "images").mkdir()
    for name in "abc":
        (tmp_path / "images" / f"{name}.png").write_bytes(png(ord(name)))

    def read_rows(*rows, **spec):
        path = tmp_path / "rows.jsonl"
        whole = [{"question": f"q{n}", "answer": "4", **row} for n, row in enumerate(rows)]
        path.write_text("\n".join(map(json.dumps, whole)), encoding="utf-8")
        return load(DataSpec(str(path), **{"prompt": "plain", **spec}))

    return read_rows


def parquet(tmp_path, **columns):
    table = {"question": ["q"], "answer": ["4"], **columns}
    pq.write_table(pa.table(table), tmp_path / "rows.parquet")
    return load(DataSpec(str(tmp_path / "rows.parquet"), prompt="plain"))


def shown(loaded, row=0):
    """The pictures of a row by their grey values, as letters."""
    return "".join(chr(image.convert("L").getpixel((0, 0))) for image in loaded.data[row]["images"])


@pytest.mark.parametrize("path", ["images\\a.png", ".\\images\\a.png", "images\\..\\images/a.png"])
def test_paths_that_windows_wrote(read, path):
    assert shown(read({"image": path})) == "a"


def test_absolute_paths_of_windows(read, tmp_path):
    row = {"image": "C:\\theirs\\images\\a.png"}
    said = "leads outside .*; data.image_root: the folder of this machine that its last folders"
    with pytest.raises(UserError, match=f"line 1: image path 'C:.*{said}"):
        read(row)
    assert shown(read(row, image_root=str(tmp_path))) == "a"
    with pytest.raises(UserError, match="leads outside"):
        read({"image": "..\\x.png"})


def test_a_name_with_a_backslash_is_a_name(read, tmp_path):
    (tmp_path / "x\\y.png").write_bytes(png(ord("y")))
    assert shown(read({"image": "x\\y.png"})) == "y"


def test_cells_that_hold_nothing_and_uris_in_capitals(read):
    loaded = read({"image": math.nan}, {"image": "images/a.png"}, {"image": [math.nan, None]})
    assert [shown(loaded, row) for row in range(3)] == ["", "a", ""]
    assert shown(read({"image": {"bytes": "", "path": "images/a.png"}})) == "a"
    uri = "DATA:image/png;BASE64," + base64.b64encode(png(ord("z"))).decode()
    assert shown(read({"image": uri})) == "z"


EMBEDDED = pa.array([{"bytes": png(ord("a")), "path": None}], STRUCT)


@pytest.mark.parametrize("origin", ["gone/1.jpg", "/elsewhere/1.jpg", "../1.jpg", "images/a.png"])
def test_a_path_beside_an_embedded_picture_is_its_origin(tmp_path, read, origin):
    for name in ("image_path", "file_name"):
        assert shown(parquet(tmp_path, image=EMBEDDED, **{name: [origin]})) == "a"
    inside = {"bytes": base64.b64encode(png(ord("a"))).decode()}
    assert shown(read({"image": inside, "image_path": origin})) == "a"


def test_mathvista_has_its_picture_in_another_column(tmp_path):
    assert shown(parquet(tmp_path, image=["images/1.jpg"], decoded_image=EMBEDDED)) == "a"


def test_a_path_to_another_picture_is_refused(tmp_path, read):
    with pytest.raises(UserError, match=r"row 0: different images in 'image' and 'image_path'"):
        parquet(tmp_path, image_path=["images/b.png"], image=EMBEDDED)
    said = r"line 2: image file 'x.png' not found .*column 'image_path'; data\.columns\.image names"
    with pytest.raises(UserError, match=said):
        read({"image": "images/a.png"}, {"image": None, "image_path": "x.png"})
    with pytest.raises(UserError, match=said):
        read({"image": "images/a.png"}, {"image": "images/a.png", "image_path": "x.png"})


@pytest.mark.parametrize(
    ("names", "spec", "pictures"),
    [
        ("image_1 image_2", {}, "ab"),
        ("image2 image1", {}, "ba"),
        ("img_0 img_1 img_2", {}, "abc"),
        ("image image_2 image_3", {}, "abc"),
        ("right_image left_image", {}, "ba"),
        ("one two", {"columns": {"image": ["two", "one"]}}, "ba"),
        ("image_1 image_2", {"columns": {"image": "image_2"}}, "b"),
        ("left_image right_image", {"columns": {"image": "right_image"}}, "b"),
    ],
)
def test_pictures_in_several_columns(read, names, spec, pictures):
    row = {name: f"images/{letter}.png" for name, letter in zip(names.split(), "abc", strict=False)}
    loaded = read(
        row, {**row, "question": "Is <image> like <image>?"} if len(pictures) == 2 else row, **spec
    )
    assert shown(loaded) == pictures
    assert any(", in this order" in line for line in loaded.report) is (len(pictures) > 1)


def test_numbered_columns_in_parquet_may_be_empty(tmp_path, read):
    """MMMU has seven, and questions that say which picture stands where."""
    other = pa.array([{"bytes": png(ord("b")), "path": None}], STRUCT)
    none = pa.array([None], STRUCT)
    loaded = parquet(tmp_path, image_1=EMBEDDED, image_2=other, image_3=none, image_4=pa.nulls(1))
    assert shown(loaded) == "ab"
    loaded = read(
        {"question": "<image 1>?", "image_1": "images/a.png", "image_2": None},
        {"question": "<image 1>, <image 2>?", "image_1": "images/a.png", "image_2": "images/b.png"},
    )
    assert [shown(loaded, row) for row in (0, 1)] == ["a", "ab"]


def test_which_columns_count_is_not_guessed(read):
    row = {"image": "images/a.png", "image_1": "images/b.png"}
    with pytest.raises(UserError, match=r"pictures in 'image', 'image_1'; data\.columns\.image"):
        read(row)
    with pytest.raises(UserError, match=r"pictures in 'image_1', 'img_1'; data\.columns\.image"):
        read({"image_1": "images/a.png", "img_1": "images/a.png"})
    with pytest.raises(UserError, match=r"line 1: image file 'x.png' not found.*column 'image_2'"):
        read({"image_1": "images/a.png", "image_2": "x.png"})
    with pytest.raises(UserError, match=r"no column 'x' \(data\.columns\)"):
        read(row, columns={"image": ["image", "x"]})
    for columns in ({"image": []}, {"answer": ["a", "b"]}):
        with pytest.raises(UserError, match=r"data\.columns\.\w+: \[.*allowed is"):
            read(row, columns=columns)
    plain = read({"image": "images/a.png", "image_1": 3, "image_1024": "x"})
    assert shown(plain) == "a" and not any("not shown" in line for line in plain.report)


@pytest.mark.parametrize("name", ["right_image", "image_url", "second_picture"])
def test_pictures_that_are_not_shown_are_named(read, name):
    row = {"image": "images/a.png", name: "images/b.png"}
    said = f"pictures of {name!r} are not shown to the model; data.columns.image may be a list of"
    assert any(line.startswith(said) for line in read(row).report)
    shown_all = read(row, columns={"image": ["image", name]})
    assert shown(shown_all) == "ab" and not any("not shown" in line for line in shown_all.report)
    assert not any("not shown" in line for line in read({**row, name: 7}).report)
