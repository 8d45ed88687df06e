"""Every control of a page does what it says, by mouse and by keys."""

import re

import pytest

from made_run import PROMPTS, STEPS, records

PER_STEP = PROMPTS * 4


def heading(page, text):
    page.locator("#rollouts .asked h3", has_text=text).wait_for()


def status(page, text):
    page.locator("#rollouts aside [role=status]", has_text=text).wait_for()


@pytest.fixture
def page(open_page):
    opened = open_page("one", "#rollouts")
    heading(opened, "Step 1 · rows-0")
    return opened


def test_places(page):
    page.get_by_label("Step after (])").click()
    heading(page, "Step 2 · rows-0")
    page.get_by_label("Prompt after (j)").click()
    heading(page, "Step 2 · rows-1")
    page.get_by_label("Step before ([)").click()
    heading(page, "Step 1 · rows-1")
    page.get_by_label("Prompt before (k)").click()
    heading(page, "Step 1 · rows-0")
    page.locator("#step").fill("3")
    page.locator("#step").press("Enter")
    heading(page, "Step 3 · rows-0")
    page.locator("#prompt").select_option(label="rows-2")
    heading(page, "Step 3 · rows-2")
    page.get_by_label("Step, as a slider").fill("0")
    heading(page, "Step 1 · rows-0")
    page.get_by_role("button", name="4 (2/4)").click()  # the same prompt at step 4
    heading(page, "Step 4 · rows-0")


def test_keys(page, expect):
    for key, text in (("]", "Step 2 · rows-0"), ("j", "Step 2 · rows-1"), ("[", "Step 1 · rows-1"),
                      ("k", "Step 1 · rows-0"), ("n", "Step 1 · rows-0")):  # fmt: skip
        page.keyboard.press(key)
        heading(page, text)
    chosen = page.locator("#rollouts .card.chosen header")
    page.locator("#rollouts .card.chosen", has_text="level 0.1").wait_for()
    page.keyboard.press("l")
    page.locator("#rollouts .card.chosen", has_text="level 0.3").wait_for()
    page.keyboard.press("h")
    page.keyboard.press("p")
    page.locator("#rollouts .card.chosen", has_text="clean").wait_for()
    expect(chosen).to_have_count(1)
    page.keyboard.press("Enter")
    page.locator("dialog[open] h3", has_text="rollout 0").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.locator("dialog[open] kbd").first.wait_for()
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("t")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.keyboard.press("/")
    page.keyboard.type("jjj")  # in the search field a letter is a letter
    status(page, "0 rollouts")
    heading(page, "Step 1 · rows-0")


def test_filters_and_sorting_find_what_they_say(page, expect):
    lines = records()
    wrong_up = [one for one in lines if one["rewards"]["accuracy"] == 0 and one["advantage"] > 0]
    prior = [one for one in lines if one["gain"] > 0.5]
    assert wrong_up and prior
    find = page.locator("#rollouts aside")
    status(page, f"{PER_STEP} rollouts")
    find.get_by_label("Steps").select_option("all")
    status(page, f"{len(lines)} rollouts")
    counts = {"wrongup": len(wrong_up), "prior": len(prior), "cut": 1, "unscorable": 1, "all": 48}
    for name, number in counts.items():
        find.get_by_label("Show").select_option(name)
        status(page, f"{number} rollout")
    find.get_by_label("Level").select_option("0.3")
    status(page, f"{len(lines) // 4} rollouts")
    find.get_by_label("Level").select_option("")
    find.get_by_label("Sort by").select_option("advup")
    status(page, f"{len(lines)} rollouts")
    low = page.locator("#rollouts .list tbody tr").first.locator("td").nth(3)
    expect(low).to_have_text("\u22121.00")
    page.locator("#search").fill("SHAPE 2")
    status(page, f"{STEPS * 4} rollouts")
    expect(page.locator("#rollouts .list tbody tr")).to_have_count(STEPS * 4)
    page.locator("#rollouts .list tbody tr").nth(3).click()
    page.locator("#rollouts .asked h3", has_text="rows-2").wait_for()


def test_charts_and_theme(page, expect):
    page.locator("#smoothing").fill("3")
    page.locator("#curves output", has_text="stronger").wait_for()
    page.locator("#curves").scroll_into_view_if_needed()
    key = page.locator("#curves .panel", has_text="Rewards").locator(".key").first
    key.click()
    expect(key).to_have_attribute("aria-pressed", "false")
    key.click()
    page.locator("#curves select").select_option("my/own")
    page.locator("#levels select").select_option("reward")
    page.get_by_role("button", name="Dark").click()
    expect(page.get_by_role("button", name="Light")).to_be_visible()
    page.get_by_text("The whole recipe").click()
    expect(page.locator("#overview pre")).to_contain_text("method: noisygrpo")


def test_samples_of_runs_side_by_side(open_page, expect):
    page = open_page("two", "#samples")
    rows = page.locator("#samples .list tbody tr")
    expect(rows).to_have_count(3)
    page.get_by_text("Side by side: 2 of 6").click()
    expect(page.locator("#samples .sets input:checked")).to_have_count(2)
    page.locator("#samples select").last.select_option("differ")
    page.locator("#samples [role=status]", has_text="1 of 3 samples").wait_for()
    expect(page.locator("#samples .card header b")).to_have_text(["✗ wrong", "✓ right"])
    expect(page.locator("#samples .asked img")).to_have_count(1)
    page.locator("#samples .sets input").first.check()
    page.locator("#samples .card").nth(2).wait_for()
    page.locator("#sample-search").fill("no such thing")
    page.locator("#samples [role=status]", has_text="0 of 3 samples").wait_for()
    page.locator("#rollouts select").first.select_option(label="two")
    page.locator("#rollouts .asked h3", has_text="Step 1").wait_for()
    expect(page).to_have_url(re.compile("run=1"))
