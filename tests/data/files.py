"""Small data files for tests."""

import json
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image


def png(value: int = 0, size: tuple[int, int] = (8, 6), mode: str = "RGB") -> bytes:
    buffer = BytesIO()
    Image.new("L", size, value).convert(mode).save(buffer, "PNG")
    return buffer.getvalue()


def write_jsonl(folder: Path, rows: list, name: str = "train.jsonl") -> str:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def rows_of(count: int = 3) -> list[dict]:
    return [
        {"question": f"q{i}", "answer": i, "image": f"images/{i % 3}.png"} for i in range(count)
    ]


def write_parquet(path: Path, images: list, kind: pa.DataType | None = None, **more) -> str:
    count = len(images)
    columns = {"question": [f"q{i}" for i in range(count)], "answer": ["x"] * count, **more}
    table = pa.table({**columns, "image": pa.array(images, type=kind)})
    pq.write_table(table, path, row_group_size=2)
    return str(path)


STRUCT = pa.struct({"bytes": pa.binary(), "path": pa.string()})
