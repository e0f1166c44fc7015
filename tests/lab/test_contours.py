"""The contours of the page (web/src/lab/contours.ts), in Node: each runs where the surface has its level."""

import json

import pytest

from tinygrad_lr.lab.engine import engine_source
from tinygrad_lr.lab.surfaces import SURFACES

web = pytest.importorskip("web")

BUNDLED = """
import { contours } from "./src/lab/contours";
Object.assign(globalThis, { contours });
"""
TRACED = """
const { seen, size, surface } = JSON.parse(process.argv[2]);
const { value } = engine.surfaces[surface];
const problem = { key: surface, lowest: surface === "cliff" ? null : 0, value: (x, y) => value(x, y, {}) };
const found = contours(problem, { x: seen[0], y: seen[1] }, ...size);
console.log(JSON.stringify(found));
"""
SIZE = (480, 400)


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """The page's module and the engine as one script."""
    web.installed()
    folder = tmp_path_factory.mktemp("contours")
    words = ["--bundle", "--log-level=error", f"--outfile={folder / 'bundle.js'}"]
    done = web.node("node_modules/esbuild/bin/esbuild", *words, input=BUNDLED)
    assert done.returncode == 0, done.stdout
    path = folder / "script.js"
    path.write_text(
        f"{(folder / 'bundle.js').read_text(encoding='utf-8')}\n{engine_source()}\n{TRACED}", encoding="utf-8"
    )
    return path


def traced(script, surface, size=SIZE):
    """The levels of a surface, and the places of each one's rings."""
    given = json.dumps({"surface": surface, "seen": SURFACES[surface].seen, "size": size})
    done = web.node(script, given)
    assert done.returncode == 0, done.stdout
    return {each["value"]: each["rings"] for each in json.loads(done.stdout)}


@pytest.mark.parametrize("surface", ["rosenbrock", "beale", "saddle", "cliff"])
def test_a_contour_is_between_lower_and_higher_places(script, surface):
    levels = traced(script, surface)
    (left, right), (bottom, top) = SURFACES[surface].seen
    dx, dy = (right - left) / SIZE[0], (top - bottom) / SIZE[1]
    value = SURFACES[surface].value
    assert len(levels) >= 5
    for level, rings in levels.items():
        for x, y in (place for ring in rings for place in ring[::7]):
            if left + dx < x < right - dx and bottom + dy < y < top - dy:
                around = [value(x + i * dx, y + j * dy) for i in (-1, 0, 1) for j in (-1, 0, 1)]
                assert min(around) <= level <= max(around)


def test_no_contour_of_a_valley_is_torn(script):
    for rings in list(traced(script, "rosenbrock").values())[:2]:
        assert len(rings) == 1  # around what is higher: the valley runs out of the picture at both ends
    saddle = traced(script, "saddle")
    assert [len(saddle[level]) for level in (0.01, 0.1)] == [3, 3]  # the border, and a ring around each minimum


def test_levels_that_a_grid_cannot_hold_are_left_out(script):
    fine, coarse = traced(script, "rosenbrock"), traced(script, "rosenbrock", (48, 40))
    assert min(coarse) > min(fine)
