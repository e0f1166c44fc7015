"""Pages in a real browser: `open_page` is a fixture that opens one, and holds that it says and asks nothing.

The browser is the system's Chromium, driven by Playwright.
"""

import shutil
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
OWN = ("file:", "data:", "blob:", "about:")  # what is no request to anybody


@pytest.fixture(scope="module")
def chromium():
    """The browser, for the tests of a file."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"no browser is here: {' or '.join(NAMES)} (Debian: apt-get install chromium)")
    api = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser: pip install playwright")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def watch(page, complaints):
    """Add to a list what a page writes to the console, what it throws, and whom it asks."""
    page.on("console", lambda message: complaints.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(f"exception: {error}"))
    page.on("request", lambda asked: asked.url.startswith(OWN) or complaints.append(f"request: {asked.url}"))


@pytest.fixture
def open_page(chromium, tmp_path):
    """A function that opens HTML text, or a file: `open_page(text, width=400, scheme="dark")` gives Playwright's page.

    At the end, each page must have made no request, and have written nothing to the console.
    """
    opened, complaints = [], []

    def open_(content, *, width=1200, height=900, scheme="light", motion="reduce", fragment="", touch=False):
        path = content
        if not isinstance(content, Path):
            path = tmp_path / f"page-{len(opened)}.html"
            path.write_text(content, encoding="utf-8")
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            reduced_motion=motion,
            has_touch=touch,
            permissions=["clipboard-read", "clipboard-write"],
        )
        opened.append(context)
        page = context.new_page()
        page.set_default_timeout(5000)
        watch(page, complaints)
        page.goto(path.absolute().as_uri() + fragment)
        return page

    yield open_
    for context in opened:
        context.close()
    assert complaints == []
