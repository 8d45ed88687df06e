"""Pages in a headless Chromium. Without one these tests are skipped, and that is said at the end.

``make test-browser`` runs them wherever it is: there a browser that is missing is a failure.
"""

import os
import shutil
from pathlib import Path

import pytest

from made_run import HOSTILE, records, write_data, write_run

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
SKIPPED = "no chromium was found: NO PAGE OF THE REPORT WAS TESTED (make test-browser)"


def chromium():
    """The browser's path, or None."""
    named = os.environ.get("CHROMIUM")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


def pytest_terminal_summary(terminalreporter):
    if any(SKIPPED in str(one.longrepr) for one in terminalreporter.stats.get("skipped", [])):
        terminalreporter.section("browser tests", red=True)
        terminalreporter.write_line(SKIPPED, red=True)


@pytest.fixture(scope="module")  # while it lasts, playwright keeps an event loop running here
def browser():
    path, required = chromium(), "NOISYGRPO_BROWSER" in os.environ
    if path is None:
        assert not required, "make test-browser needs a chromium"
        pytest.skip(SKIPPED)
    if not required:
        pytest.importorskip("playwright", reason=SKIPPED)
    import playwright.sync_api as api

    root = os.geteuid() == 0  # Chromium's sandbox does not work for root
    with api.sync_playwright() as playwright:
        made = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox"] if root else []
        )
        yield made
        made.close()


@pytest.fixture
def expect(browser):
    """Playwright's assertions, that wait. The page draws after an event, not within it: what is
    read right after a click may still be what was there before."""
    from playwright.sync_api import expect

    expect.set_options(timeout=20_000)
    return expect


@pytest.fixture(scope="session")
def pages(tmp_path_factory):
    """Name to the path of a page: of a run, of two runs, of a hostile run, and as a folder."""
    from noisygrpo.report.write import Wanted, write_page

    home = tmp_path_factory.mktemp("pages")
    write_data(home)
    write_run(home / "one")
    write_run(home / "two", method="grpo", seed=1, after=(True, True, True))
    write_run(home / "<b>bad<", hostile_records())
    before = Path.cwd()
    os.chdir(home)  # a recipe that was found may name files below the working directory
    try:
        wanted = {
            "one": Wanted(["one"]),
            "two": Wanted(["one", "two"]),
            "hostile": Wanted(["<b>bad<"]),
            "folder": Wanted(["one"], all_views=True),
        }
        return {name: home / write_page(one)[0] for name, one in wanted.items()}
    finally:
        os.chdir(before)


def hostile_records():
    """Rollouts whose every text is hostile, one of them huge."""
    lines = records()
    for line in lines:
        line["completion"] = f"<think>{HOSTILE}</think><answer>{HOSTILE}</answer>"
        line["rewards"] = {HOSTILE: line["rewards"]["accuracy"], "format": 1.0}
        line["hint"], line["hint_ratio"] = HOSTILE, 0.5
    for line in lines[:4]:
        line["example_id"] = HOSTILE
        line["prompt"] = [{"role": HOSTILE, "content": HOSTILE}]
    lines[0]["completion"] = "huge " * 100_000
    return lines


class Opened:
    """A page, and what it complained about or asked for."""

    def __init__(self, context, path, address):
        self.complaints, self.asked = [], []
        self.page = context.new_page()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(f"{path.as_uri()}{address}")
        self.page.wait_for_selector("html[data-ready]", timeout=60_000)

    def _console(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


@pytest.fixture
def open_page(browser, pages):
    """Opens a page by name; at the end it must have complained about nothing, and asked for
    nothing but files beside it."""
    contexts, opened = [], []

    def open_one(name, address="", width=1440, scheme="light"):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        context.set_default_timeout(20_000)
        contexts.append(context)
        opened.append(Opened(context, pages[name], address))
        return opened[-1].page

    yield open_one
    for one in opened:
        assert one.complaints == []
        assert all(url.startswith(("file:", "data:")) for url in one.asked)
    for context in contexts:
        context.close()
