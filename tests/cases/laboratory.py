"""The laboratory's page in a browser, and what its tests ask of it. `opened` is a fixture that opens it at a state."""

import json
from urllib.parse import quote

import pytest
from browser import watch

FRAMES = """async () => {
    for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame);
    await new Promise((done) => setTimeout(done));
    const isSeen = ({ top, bottom }) => bottom > 0 && top < innerHeight;
    const isLate = (each) => isSeen(each.getBoundingClientRect());
    while ([...document.querySelectorAll("section[data-stale]")].some(isLate)) await new Promise(requestAnimationFrame);
}"""
STRANGE = ("NaN", "undefined", "[object")  # what no page says where numbers are finite


def fragment(**state):
    """The address of a state: see toHash in lab/state.ts."""
    return "#" + "&".join(
        f"{key}={quote(value if isinstance(value, str) else json.dumps(value), safe='')}"
        for key, value in state.items()
    )


def settle(page):
    """Wait until what was done is drawn."""
    page.evaluate(FRAMES)


def section(page, name):
    """A section, scrolled into view, as its pictures are drawn only then."""
    found = page.locator(f"section#{name}")
    found.scroll_into_view_if_needed()
    settle(page)
    return found


def address(page):
    """What the address holds, by name."""
    parts = page.evaluate("location.hash").lstrip("#").split("&")
    return dict(part.split("=", 1) for part in parts if part)


def picture(page, name, number=0):
    """The pixels of a canvas of a section, as text."""
    return section(page, name).locator("canvas").nth(number).evaluate("(canvas) => canvas.toDataURL()")


def places(page):
    """The places of all paths, as the page computed them: by name, for the racers and for the two groups."""
    return page.evaluate("laboratory.places()")


def said(page):
    """What stands on the page."""
    return page.evaluate("document.body.innerText")


@pytest.fixture(scope="module")
def laboratory_page(chromium, tmp_path_factory):
    """A page for the tests of a file, its address, and the list of what it complained of: see `watch`."""
    from tinygrad_lr import lab  # not before a test needs it

    path = tmp_path_factory.mktemp("laboratory") / "lab.html"
    path.write_text(lab.page(), encoding="utf-8")
    context = chromium.new_context(
        viewport={"width": 1200, "height": 900},
        reduced_motion="reduce",
        permissions=["clipboard-read", "clipboard-write"],
    )
    page = context.new_page()
    page.set_default_timeout(5000)
    complaints = []
    watch(page, complaints)
    page.goto(path.as_uri())
    yield page, path, complaints
    context.close()


@pytest.fixture
def opened(laboratory_page, open_page):
    """A function that opens the page at a state: the page of the file's tests, or a fresh one where it gets options."""
    page, path, complaints = laboratory_page

    def open_(state=None, **options):
        if options:
            found = open_page(path, fragment=fragment(**(state or {})), **options)
        else:
            found = page
            found.bring_to_front()  # a page behind another one is drawn now and then only
            found.goto(path.as_uri() + fragment(**(state or {})))
        settle(found)
        return found

    yield open_
    assert complaints == []
