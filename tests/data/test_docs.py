"""The examples of the documentation are read as it says."""

import json
import re
from pathlib import Path

import pytest
import yaml
from tests.data.files import png, write_jsonl

from noisygrpo.data import ADAPTERS, DataSpec, load
from noisygrpo.data.images import FORMATS
from noisygrpo.data.parts import parts_of
from noisygrpo.data.spec import LAYOUTS, TOOLS

PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```json\n(.*?)\n```", PAGE)
READ_AS = ("messages", "conversations", "prompt", "columns", "alpaca", "query")


@pytest.mark.parametrize(("example", "layout"), list(zip(EXAMPLES, READ_AS, strict=True)))
def test_every_layout_by_its_example(tmp_path, example, layout) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(png())
    loaded = load(DataSpec(write_jsonl(tmp_path, [example])))
    assert loaded.report[0].startswith(f"layout {layout} (detected")
    (row,) = loaded.data
    assert len(row["images"]) == example.count(".png")
    assert row["answer"] and json.loads(example)


def test_every_name_is_on_the_page() -> None:
    names = [*LAYOUTS, *TOOLS, *ADAPTERS, *DataSpec.__dataclass_fields__]
    missing = [name for name in names if not re.search(rf"`(format: )?{name}`", PAGE)]
    assert missing == ["source"]  # it is there as `data.source`
    assert all(name.lower() in PAGE.lower() for name in FORMATS)


def test_the_lists_of_sources(tmp_path, monkeypatch) -> None:
    """The one in a recipe and the one in a file."""
    monkeypatch.chdir(tmp_path)
    blocks = [
        text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "first:" in text
    ]
    inline, file = (yaml.safe_load(text) for text in blocks)
    parts = parts_of(inline["data"]["source"])
    assert [(part.source, part.rows, part.image_root) for part in parts] == [
        ("a.json", "first:1000", ""),
        ("b.parquet", "random:10%", ""),
        ("c.jsonl", "end:500", "/data/c"),
    ]
    (tmp_path / "list.yaml").write_text(yaml.safe_dump(file))
    (tmp_path / "a.json").write_text("[]")
    assert [part.rows for part in parts_of("list.yaml")] == ["first:1000"]
