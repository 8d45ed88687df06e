"""Every page at two widths, light and dark: nothing fails, nothing is out of sight."""

import json
import re

import pytest
from PIL import Image

from made_run import records
from noisygrpo.report.pictures import encode
from noisygrpo.report.views import redraw


@pytest.mark.parametrize("name", ["one", "two", "hostile", "folder"])
@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_a_page_opens_without_complaint_and_fits_its_window(open_page, expect, name, width, scheme):
    page = open_page(name, width=width, scheme=scheme)
    for link in page.locator("#nav a").all():
        link.click()
    page.locator("#rollouts .card").first.wait_for()
    page.locator("#samples .card").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    expect(page.locator("html")).to_have_attribute("data-theme", scheme)
    page.locator("figure canvas").nth(3).wait_for()


def test_from_a_curve_to_the_noisy_picture_in_three_clicks(open_page, pages, expect):
    page = open_page("one")
    chart = page.locator("#curves .chart").first
    chart.scroll_into_view_if_needed()
    chart.locator("canvas").wait_for()
    box = chart.bounding_box()
    page.mouse.click(box["x"] + 0.92 * box["width"], box["y"] + 0.5 * box["height"])  # 1: a step
    page.locator("#rollouts .asked h3", has_text="Step 4 · rows-0").wait_for()
    page.locator("#rollouts .list tbody tr", has_text="rows-1").nth(2).click()  # 2: a rollout
    page.locator("#rollouts .card.chosen", has_text="level 0.3").locator("button.view").click()  # 3
    dialog = page.locator("dialog[open]")
    shown = dialog.locator(".pair img")
    shown.nth(1).wait_for()
    line = next(
        one for one in records()
        if (one["step"], one["example_id"], one["rollout_index"]) == (4, "rows-1", 2)
    )  # fmt: skip
    image = Image.open(pages["one"].parent.parent / "rows-1.png")
    expect(shown.nth(0)).to_have_attribute("src", encode(image, None)[0])
    expect(shown.nth(1)).to_have_attribute("src", encode(redraw(line, image), None)[0])
    dialog.locator("summary").click()
    expect(dialog.locator("pre")).to_contain_text(line["noise_seed"][0])
    page.keyboard.press("ArrowRight")
    page.locator("dialog[open] h3", has_text="rollout 3").wait_for()
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)


def test_what_models_say_is_shown_as_text_and_never_run(open_page, pages):
    source = pages["hostile"].read_text(encoding="utf-8")
    assert "pwned" not in source and "\u2028" not in source
    page = open_page("hostile")
    page.locator("#rollouts .card").first.wait_for()
    assert page.evaluate("window.pwned") is None
    assert page.locator("main script, main img[src='x'], main b b").count() == 0
    said = page.locator("#rollouts .card").nth(1).locator(".completion").inner_text()
    assert "</script><script>window.pwned = 1</script><img src=x" in said
    assert "{{script}}" in said and "مرحبا" in said
    assert not any(mark in said for mark in "\x1b\u202e\u2028")
    huge = page.locator("#rollouts .card").first.locator(".completion").inner_text()
    assert len(huge) < 25_000 and "characters more" in huge
    assert page.locator("h1").inner_text() == "<b>bad<"
    assert "<b>bad<" in page.title()


def test_an_address_is_what_is_shown_and_comes_back(open_page, expect):
    page = open_page("one", "#rollouts?step=3&example=rows-2&rollout=1&filter=wrong&steps=all")
    page.locator("#rollouts .asked h3", has_text="Step 3 · rows-2").wait_for()
    chosen = page.locator("#rollouts .card.chosen header")
    expect(chosen).to_have_text(re.compile(r"^\s*1 · level 0\.1"))
    wrong = sum(one["rewards"]["accuracy"] == 0 for one in records())
    page.locator("#rollouts aside [role=status]", has_text=f"{wrong} rollouts").wait_for()
    page.keyboard.press("k")
    page.locator("#rollouts .asked h3", has_text="Step 3 · rows-1").wait_for()
    expect(page).to_have_url(re.compile("example=rows-1.*filter=wrong"))
    page.goto(page.url)
    page.reload()
    page.locator("#rollouts .asked h3", has_text="Step 3 · rows-1").wait_for()


def test_a_page_prints_and_its_focus_is_seen(open_page, expect):
    page = open_page("one")
    for _ in range(12):
        page.keyboard.press("Tab")
        outline = page.evaluate(
            "(() => { const s = getComputedStyle(document.activeElement);"
            " return [s.outlineStyle, parseFloat(s.outlineWidth)]; })()"
        )
        assert outline[0] != "none" and outline[1] >= 2
    page.emulate_media(media="print")
    expect(page.locator("#nav")).to_be_hidden()
    expect(page.locator("#rollouts .card").first).to_be_visible()
    assert page.pdf().startswith(b"%PDF")


def test_visual_dependence_colours_a_completion(open_page, expect):
    line = records()[5]
    page = open_page("one", f"#rollouts?step={line['step']}&example={line['example_id']}")
    page.get_by_role("button", name="Colour by visual dependence").click()
    tokens = page.locator("#rollouts .card .seen")
    expect(tokens).to_have_count(3)
    for token, text in enumerate(("0.100", "0.900", "0")):
        expect(tokens.nth(token)).to_have_attribute("title", f"visual dependence {text}")
    assert json.dumps(line["visual_dependence"]) == "[0.1, 0.9, 0.0]"
