"""Pages in a real browser: `open_page` is a fixture that opens one, and holds that it says and asks nothing.

The browser is the system's Chromium, driven by Playwright.
"""

import json
import re
import shutil
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
# names as tables and folders may have them
HOSTILE = [
    '</script><script>document.title = "taken"</script>',
    "<!--<script>",
    "\"'`${document.title}",
    "<img src=https://example.org/x.png onerror='document.title = 1'>",
    "价格 (元) 🙂 𝔘",
    "line\u2028ends\u2029\r\nhere",
    "half a pair: \ud800",
    "&lt;b&gt; &amp; ]]>",
]
OWN = ("file:", "data:", "blob:", "about:")  # what is no request to anybody


def data_of(page):
    """The data that the text of a page holds, as a parser of HTML and one of JSON find it."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


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


@pytest.fixture(scope="module")
def windows(chromium):
    """A window without and one with touch, for the tests of a file: a window takes longer to open than a page in it."""
    found = {}

    def window(touch):
        if touch not in found:
            found[touch] = chromium.new_context(has_touch=touch, permissions=["clipboard-read", "clipboard-write"])
            found[touch].new_page()  # holds the window open while no test has a page in it
        return found[touch]

    yield window
    for each in found.values():
        each.close()


def watch(page, complaints):
    """Add to a list what a page writes to the console, what it throws, and whom it asks."""
    page.on("console", lambda message: complaints.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(f"exception: {error}"))
    page.on("request", lambda asked: asked.url.startswith(OWN) or complaints.append(f"request: {asked.url}"))


@pytest.fixture
def open_page(windows, tmp_path):
    """A function that opens HTML text, or a file: `open_page(text, width=400, scheme="dark")` gives Playwright's page.

    At the end, each page must have made no request, and have written nothing to the console.
    """
    opened, complaints = [], []

    def open_(content, *, width=1200, height=900, scheme="light", motion="reduce", fragment="", touch=False):
        path = content
        if not isinstance(content, Path):
            path = tmp_path / f"page-{len(opened)}.html"
            path.write_text(content, encoding="utf-8")
        page = windows(touch).new_page()
        opened.append(page)
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme, reduced_motion=motion)
        page.set_default_timeout(5000)
        watch(page, complaints)
        page.goto(path.absolute().as_uri() + fragment)
        return page

    yield open_
    for page in opened:
        page.close()
    assert complaints == []
