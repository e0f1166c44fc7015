"""The laboratory's page, opened in a browser by `open_page` (browser.py), and what its tests ask of it."""

import json
from urllib.parse import quote

FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
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
