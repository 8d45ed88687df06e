"""The page itself: template, style, scripts and data in one file, or in a folder.

The page may run the two scripts that are in it (by their hashes) and nothing else, and may load
nothing from a network: whatever a model or a data set says, the browser itself refuses it.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
import shutil
from importlib import resources
from pathlib import Path

from noisygrpo.errors import require
from noisygrpo.evaluation.samples import write_atomic
from noisygrpo.report.parts import Parts

SCRIPTS = (
    "util.js", "store.js", "address.js", "theme.js", "overview.js", "chart.js", "curves.js",
    "levels.js", "marks.js", "table.js", "filters.js", "group.js", "picture.js", "explorer.js",
    "samples.js", "sample.js", "comparison.js", "keys.js", "main.js",
)  # fmt: skip
"""Files of ``page/``, in the order in which they stand in the page's one script."""

STYLES = ("style.css", "explorer.css")
LIBRARY = "echarts.common.min.js"
PARTS_FOLDER = "parts"


def page_text(title: str, parts: Parts, *, folder: bool = False) -> str:
    """The page as HTML; its data is in it, or, with ``folder``, in scripts beside it."""
    here = resources.files("noisygrpo.report")
    library = (here / "vendor" / LIBRARY).read_text(encoding="utf-8")
    code = "\n".join((here / "page" / name).read_text(encoding="utf-8") for name in SCRIPTS)
    script = f'(() => {{\n"use strict";\n{code}\n}})();\n'
    allowed = " ".join(f"'sha256-{_hash(text)}'" for text in (library, script))
    source = f"{allowed} 'self' file:" if folder else allowed
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {source}; "
        "base-uri 'none'; form-action 'none'"
    )
    filled = {
        "title": html.escape(title),
        "policy": html.escape(policy, quote=True),
        "style": "\n".join((here / "page" / n).read_text(encoding="utf-8") for n in STYLES),
        "parts": "" if folder else parts.elements(),
        "library": library,
        "script": script,
    }
    template = (here / "page" / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: filled[match.group(1)], template)


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def write_file(path: Path, title: str, parts: Parts) -> Path:
    """Write the page as one file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, page_text(title, parts))
    return path


def write_folder(path: Path, title: str, parts: Parts) -> Path:
    """Write the page as ``index.html`` with its parts beside it, in the place of an earlier one.

    Raises:
        UserError: the folder holds something else.
    """
    known = {"index.html", PARTS_FOLDER}
    others = sorted({one.name for one in path.iterdir()} - known) if path.is_dir() else []
    require(not others, f"--output: {path} holds something else ({', '.join(others[:3])})")
    require(not path.is_file(), f"--output: {path} is a file; --all-views writes a folder")
    shutil.rmtree(path / PARTS_FOLDER, ignore_errors=True)
    (path / PARTS_FOLDER).mkdir(parents=True)
    for name, text in parts.scripts().items():
        (path / PARTS_FOLDER / name).write_text(text, encoding="ascii")
    write_atomic(path / "index.html", page_text(title, parts, folder=True))
    return path / "index.html"
