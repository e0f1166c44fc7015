"""The laboratory's page: its size, the time to its first picture, and the frames of five optimizers x 500 steps.

Measured in Chromium by its own clocks: a mark of the page, requestAnimationFrame's timestamps, and the time of all
tasks of the page's thread (Chrome DevTools' TaskDuration) for each frame. A frame's interval cannot be under the
screen's 16.7 ms.

Run: python benchmarks/lab.py      (needs the extra `test`, and Debian's chromium)
     python benchmarks/lab.py --pictures docs      also draws the pictures of the README
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import sync_playwright

from tinygrad_lr import lab

PICTURES = {  # the section of each, and what is chosen in it
    "surface": {
        "surface": "rosenbrock",
        "steps": 300,
        "step": 300,
        "racers": [
            {"name": "sgd", "values": {"lr": 0.0005, "momentum": 0.9}},
            {"name": "adagrad", "values": {"lr": 0.5}},
            {"name": "rmsprop", "values": {"lr": 0.02}},
            {"name": "adam", "values": {"lr": 0.1}},
        ],
    },
    "glass": {"step": 40, "looked": 2, "without": "corrections"},
}
RACERS = (("sgd", 0.1), ("adagrad", 0.3), ("rmsprop", 0.05), ("adam", 0.1), ("adamw", 0.1))
STEPS = 500
SCRUB = """(frames) => new Promise((done) => {
    const scrub = document.querySelector(".clock input[type=range]");
    const times = [];
    const next = (now) => {
        times.push(now);
        if (times.length > frames) return done(times);
        scrub.value = String((times.length * 7) % (Number(scrub.max) + 1));
        scrub.dispatchEvent(new Event("input"));
        requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
})"""


def fragment(**state):
    """The address of a state."""
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in state.items()}
    return "#" + "&".join(f"{name}={quote(text)}" for name, text in texts.items())


def five():
    """The address of five optimizers on the table's surface."""
    racers = [{"name": name, "values": {"lr": rate}} for name, rate in RACERS]
    return fragment(steps=STEPS, step=STEPS, racers=racers)


def first_picture(page, address):
    """Milliseconds from the request of the page to its first drawn canvas."""
    page.goto("about:blank")
    page.goto(address)
    page.wait_for_timeout(1000)
    return page.evaluate("performance.getEntriesByName('first picture')[0].startTime")


def frames(page, client, count):
    """Intervals between frames in milliseconds while a step is scrubbed, and the milliseconds of work of a frame."""

    def task():
        found = client.send("Performance.getMetrics")["metrics"]
        return next(each["value"] for each in found if each["name"] == "TaskDuration")

    page.locator("#surface").scroll_into_view_if_needed()
    page.wait_for_timeout(1000)
    before = task()
    times = page.evaluate(SCRUB, count)
    work = 1000 * (task() - before) / count
    return [later - earlier for earlier, later in zip(times, times[1:], strict=False)], work


def draw(browser, address, folder):
    """Write the panels of some sections as pictures."""
    for name, state in PICTURES.items():
        page = browser.new_page(viewport={"width": 1160, "height": 1400}, reduced_motion="reduce")
        page.goto(address + fragment(**state))
        page.locator(f"#{name}").scroll_into_view_if_needed()
        page.wait_for_timeout(1000)
        page.locator(".clock").evaluate("(clock) => clock.remove()")
        page.locator(f"#{name} .side").screenshot(path=Path(folder) / f"lab_{name}.png")
        page.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="loads of the page")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--pictures", metavar="FOLDER", help="also write the README's pictures there")
    options = parser.parse_args()
    browser_path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    text = lab.page()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "lab.html"
        path.write_text(text, encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        address = path.as_uri() + five()
        firsts = [first_picture(page, address) for _ in range(options.rounds)]
        client = page.context.new_cdp_session(page)
        client.send("Performance.enable")
        intervals, work = frames(page, client, options.frames)
        if options.pictures:
            draw(browser, path.as_uri(), options.pictures)
        browser.close()
    print(f"file: {path.name}, {len(text.encode()):,} bytes (under 500,000)")
    print(f"first picture: median {statistics.median(firsts):.0f} ms of {len(firsts)} loads (under 300 ms)")
    late = sum(each > 25 for each in intervals)
    print(
        f"{len(RACERS)} optimizers x {STEPS} steps, scrubbed: frame every {statistics.median(intervals):.1f} ms "
        f"(median of {len(intervals)}; {late} above 25 ms), {work:.1f} ms of work a frame (under 16.7 ms)"
    )


if __name__ == "__main__":
    main()
