"""Runs the families' tests and writes their results as the table of docs/models.md.

    python tests/families/table.py            # needs a few minutes on one core

The table stands between two markers; everything around it is written by hand. A cell is "yes" where
the test passed, "no" where it failed. ``test_table.py`` keeps the committed table's names and
versions honest.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "models.md"
BEGIN, END = "<!-- table: tests/families/table.py -->", "<!-- end of table -->"

COLUMNS = {
    "test_step_on_noisy_views": "step on noisy views",
    "test_padded_batch_scores_as_single_rows_do": "padded = single",
    "test_image_tokens_are_never_sampled": "image-token ban",
    "test_frozen_tower_stays": "frozen tower",
    "test_calibration_is_its_formula": "calibration",
    "test_lora_trains_the_adapter_alone": "LoRA, reference",
    "test_shared_prefix_gives_the_same_scores": "shared prefix",
    "test_pixel_limits_hold": "pixel limits",
}
"""Name of a test to the title of its column."""


def results(report: Path) -> dict[str, dict[str, str]]:
    """Return family to column to cell from a report in JUnit's format."""
    cells: dict[str, dict[str, str]] = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        name, _, family = case.attrib["name"].rstrip("]").partition("[")
        if name not in COLUMNS or not family:
            continue
        failed = any(child.tag in ("failure", "error") for child in case)
        said = [
            item.attrib["value"] for item in case.iter("property") if item.get("name") == "cell"
        ]
        cell = "no" if failed else (said[0] if said else "yes")
        cells.setdefault(family, {})[COLUMNS[name]] = cell
    return cells


def markdown(cells: dict[str, dict[str, str]]) -> str:
    """Return the table; a test that did not run leaves its cell empty."""
    titles = list(COLUMNS.values())
    lines = [["family", *titles], ["---"] * (1 + len(titles))]
    lines += [[family, *(row.get(title, "") for title in titles)] for family, row in cells.items()]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> int:
    """Run the tests, write the table, and return the tests' exit status."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        tests = str(ROOT / "tests" / "families" / "test_families.py")
        command = [sys.executable, "-m", "pytest", "-q", tests, f"--junitxml={report}"]
        status = subprocess.run([*command, "-o", "junit_family=xunit1"], cwd=ROOT).returncode
        table = markdown(results(report))
    page = PAGE.read_text(encoding="utf-8")
    before, after = page[: page.index(BEGIN) + len(BEGIN)], page[page.index(END) :]
    PAGE.write_text(f"{before}\n\n{table}\n\n{after}", encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main())
