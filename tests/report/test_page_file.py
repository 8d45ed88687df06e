"""The page's file: nothing in it runs but its own scripts, and its colours can be read."""

import base64
import hashlib
import re
from importlib import resources

import pytest

from made_run import HOSTILE
from noisygrpo.errors import UserError
from noisygrpo.report.page_file import SCRIPTS, STYLES, page_text, write_folder
from noisygrpo.report.parts import Parts

PAGE = resources.files("noisygrpo.report") / "page"
INK = ("--ink", "--soft", "--accent", "--right", "--wrong", "--warn", "--think")


def hostile_page(folder=False):
    parts = Parts()
    parts.add("index", {HOSTILE: [HOSTILE, "\ud800"]})
    parts.add_pictures("clean/0/0", {"</script>": ["data:image/webp;base64,AA", 1, 1]})
    return page_text(HOSTILE, parts, folder=folder)


def test_data_cannot_leave_its_element():
    page = hostile_page()
    assert (
        len(re.findall("<script", page.split("</title>")[1]))
        == len(re.findall("</script>", page.split("</title>")[1]))
        == 4
    )
    assert "pwned = 1</script>" not in page and "<img src=x" not in page
    assert "&lt;/script&gt;&lt;script&gt;window.pwned" in page  # the title
    page.encode("utf-8")


def test_the_browser_may_run_the_two_scripts_of_the_page_and_load_nothing():
    page = hostile_page()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    allowed = re.findall("sha256-([A-Za-z0-9+/=]+)", policy)
    scripts = [text for text in re.findall("<script>(.*?)</script>", page, re.DOTALL)]
    found = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    assert found == allowed and len(found) == 2
    assert policy.startswith("default-src &#x27;none&#x27;") and "http" not in policy
    assert (
        "unsafe-inline" not in re.findall("script-src ([^;]+;[^;]+;)", policy)[0].split("style")[0]
    )


def test_every_file_of_the_page_is_in_it_and_short():
    files = {path.name for path in PAGE.iterdir()}
    assert files == {*SCRIPTS, *STYLES, "page.html"}
    for path in PAGE.iterdir():
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) < 300, path.name
        assert "innerHTML" not in text and "insertAdjacentHTML" not in text, path.name
        assert "document.write" not in text and "eval(" not in text, path.name


def test_licences_are_beside_the_library():
    folder = resources.files("noisygrpo.report") / "vendor"
    assert "Apache License" in (folder / "echarts.LICENSE").read_text()
    assert "Apache ECharts" in (folder / "echarts.NOTICE").read_text()


def luminance(color):
    parts = [int(color[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def blend(ground, rgb, depth):
    base = [int(ground[n : n + 2], 16) for n in (1, 3, 5)]
    mixed = [round(b + (c - b) * depth) for b, c in zip(base, rgb, strict=True)]
    return "#" + "".join(f"{c:02x}" for c in mixed)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_have_the_contrast_that_wcag_aa_asks(scheme):
    style = (PAGE / "style.css").read_text()
    (block,) = re.findall(
        rf'\[data-theme="{scheme}"\] \{{(.*?)\}}', style.split("@media")[0], re.DOTALL
    )
    colors = dict(re.findall(r"(--[\w-]+): (#[0-9a-f]{6})", block))
    tones = {
        name: [int(n) for n in text.split(",")]
        for name, text in re.findall(r"(--up|--down|--seen): ([\d, ]+)", block)
    }
    for ground in ("--ground", "--panel"):
        for ink in INK:
            assert contrast(colors[ink], colors[ground]) >= 4.5, (ink, ground)
        assert contrast(colors["--edge"], colors[ground]) >= 3, ground
        assert contrast(colors["--accent"], colors[ground]) >= 3, ground
        for name, tone in tones.items():  # the deepest that group.js and marks.js make
            assert contrast(colors["--ink"], blend(colors[ground], tone, 0.42)) >= 4.5, name
    assert contrast(colors["--ink"], colors["--mark"]) >= 4.5
    assert contrast(colors["--accent-ink"], colors["--accent"]) >= 4.5


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match=r"thesis\.tex"):
        write_folder(tmp_path, "t", Parts())
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
