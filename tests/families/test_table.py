"""docs/models.md names exactly the families and properties that are tested, and no failure."""

import ast
from pathlib import Path

from families.table import BEGIN, COLUMNS, END, PAGE, markdown, results
from families.tiny_vlm import FAMILIES


def committed():
    page = PAGE.read_text(encoding="utf-8")
    text = page[page.index(BEGIN) + len(BEGIN) : page.index(END)].strip()
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    return lines[0], lines[2:]


def test_the_committed_table_names_the_tested_families_and_properties():
    header, rows = committed()
    assert header == ["family", *COLUMNS.values()]
    assert [row[0] for row in rows] == list(FAMILIES)
    for row in rows:
        assert all(cell and cell != "no" for cell in row), row


def test_every_test_of_a_family_has_a_column():
    tree = ast.parse((Path(__file__).parent / "test_families.py").read_text())
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert [name for name in names if name.startswith("test_")] == list(COLUMNS)


def test_cells_are_what_the_tests_said(tmp_path):
    report = tmp_path / "report.xml"
    step, limits = "test_step_on_noisy_views", "test_pixel_limits_hold"
    report.write_text(
        "<testsuites><testsuite>"
        f'<testcase name="{step}[Qwen2-VL]"/>'
        f'<testcase name="{step}[InternVL]"><failure message="x"/></testcase>'
        f'<testcase name="{limits}[InternVL]"><properties>'
        '<property name="cell" value="refused"/></properties></testcase>'
        '<testcase name="test_something_else"/>'
        "</testsuite></testsuites>"
    )
    cells = results(report)
    assert cells == {
        "Qwen2-VL": {"step on noisy views": "yes"},
        "InternVL": {"step on noisy views": "no", "pixel limits": "refused"},
    }
    assert "| InternVL | no |" in markdown(cells)
