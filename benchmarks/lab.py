"""The laboratory's page: its size, the time to its first picture, and the frames of five optimizers x 500 steps.

Measured in Chromium by its own clocks: a mark of the page, requestAnimationFrame's timestamps, and the time of all
tasks of the page's thread (Chrome DevTools' TaskDuration) for each frame. A frame's interval cannot be under the
screen's 16.7 ms.

Run: python benchmarks/lab.py      (needs the extra `test`, and Debian's chromium)
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


def state():
    """The address of five optimizers on the table's surface."""
    racers = [{"name": name, "dialect": "article", "values": {"lr": rate}} for name, rate in RACERS]
    return f"#steps={STEPS}&step={STEPS}&racers={quote(json.dumps(racers))}"


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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="loads of the page")
    parser.add_argument("--frames", type=int, default=300)
    options = parser.parse_args()
    browser_path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    text = lab.page()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "lab.html"
        path.write_text(text, encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        address = path.as_uri() + state()
        firsts = [first_picture(page, address) for _ in range(options.rounds)]
        client = page.context.new_cdp_session(page)
        client.send("Performance.enable")
        intervals, work = frames(page, client, options.frames)
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
