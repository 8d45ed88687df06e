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
