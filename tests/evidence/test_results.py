"""The runs that the repository keeps, and what the page says of them."""

from pathlib import Path

from benchmarks.evidence.keep import read
from benchmarks.evidence.main import made
from benchmarks.evidence.tables import Tables

ROOT = Path(__file__).parents[2]


def test_the_page_has_the_tables_of_the_runs_that_are_kept():
    tables = made(Tables(*read(ROOT / "benchmarks" / "evidence" / "results")))
    assert {"primary-2", "splits-2", "runs-2"} <= tables.keys()
    page = (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")
    for name, text in tables.items():
        place = page.split(f"<!-- evidence: {name} -->\n\n")[1].split("\n\n<!-- end -->")[0]
        assert place == text, name
