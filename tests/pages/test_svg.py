"""Tests of tinygrad_lr/pages/svg.py and thinning.py, and of what histories and schedules show in notebooks."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from browser import HOSTILE
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_lr import schedules
from tinygrad_lr.pages.svg import HEIGHT, LEFT, RIGHT, WIDTH, Curve, Panel, drawing
from tinygrad_lr.pages.thinning import thinned
from tinygrad_lr.schedules.table import SCHEDULES
from tinygrad_lr.training import History
from tinygrad_lr.verify.documents import shapes

SVG = "{http://www.w3.org/2000/svg}"
THICK = "2"


def parsed(text):
    """The SVG in a text, which must be well formed."""
    return ElementTree.fromstring(text[text.index("<svg") : text.index("</svg>") + len("</svg>")])


def lines(picture, width=THICK):
    """The corners of each curve's path, in the places of the picture; legends are short strokes."""
    paths = [each.get("d") for each in picture.iter(f"{SVG}path") if each.get("stroke-width") == width]
    return [re.findall(r"[ML]([-\d.]+) ([-\d.]+)", path) for path in paths if "h16" not in path]


def texts(picture):
    return [each.text for each in picture.iter(f"{SVG}text")]


def test_points_lie_where_the_axes_say():
    curve = Curve("a", np.array([0.0, 5.0, 10.0]), np.array([0.0, 1.0, 2.0]))
    picture = parsed(drawing("a picture", "step", [Panel("loss", [curve])]))
    (found,) = lines(picture)
    (left, bottom), (middle, half), (right, top) = [tuple(map(float, point)) for point in found]
    assert (left, middle, right) == (LEFT, (LEFT + WIDTH - RIGHT) / 2, WIDTH - RIGHT)
    assert bottom - half == half - top == HEIGHT / 2
    assert {"loss", "step", "0", "10", "0.5", "2"} <= set(texts(picture))


def test_a_log_axis_has_powers_of_ten_and_says_so():
    curve = Curve("a", np.arange(3.0), np.array([1e-4, 1e-2, 1.0]))
    picture = parsed(drawing("a picture", "step", [Panel("loss", [curve], is_log=True)]))
    (found,) = lines(picture)
    ups = [float(point[1]) for point in found]
    assert ups[0] - ups[1] == pytest.approx(ups[1] - ups[2], abs=0.11) and "loss (log scale)" in texts(picture)
    assert {"0.0001", "0.01", "1"} <= set(texts(picture))
    zero = Curve("a", np.arange(2.0), np.array([0.0, 1.0]))
    assert "loss" in texts(parsed(drawing("", "step", [Panel("loss", [zero], is_log=True)]))), "0 has no logarithm"


def test_numbers_have_the_sign_of_arithmetic():
    curve = Curve("a", np.array([-2.0, 0.0]), np.array([-1e-7, 0.0]))
    found = set(texts(parsed(drawing("a picture", "step", [Panel("loss", [curve])]))))
    assert {"−2", "−1e−7"} <= found and not any("-" in text for text in found)


def test_what_is_not_finite_leaves_a_gap():
    curve = Curve("a", np.arange(5.0), np.array([0.0, np.nan, 1.0, np.inf, 2.0]))
    text = drawing("a picture", "step", [Panel("loss", [curve])])
    (path,) = [each.get("d") for each in parsed(text).iter(f"{SVG}path") if each.get("stroke-width") == THICK]
    assert path.count("M") == 3 and "L" not in path and not re.search("nan|inf", text)


@pytest.mark.parametrize("name", [name for name in HOSTILE if "\ud800" not in name])
def test_names_are_text_whatever_they_are(name):
    curves = [Curve(name, np.arange(2.0), np.arange(2.0)), Curve("b", np.arange(2.0), np.arange(2.0))]
    picture = parsed(drawing(name, name, [Panel(name, curves)]).replace("\r", ""))
    assert {each.tag for each in picture.iter()} == {f"{SVG}{tag}" for tag in ("svg", "title", "text", "path")}
    said = name.replace("\r", "").split()
    assert picture.get("aria-label").split() == picture.find(f"{SVG}title").text.split() == said
    assert picture.get("role") == "img"


numbers = st.floats(allow_nan=True, allow_infinity=True, width=64)


@given(st.lists(st.tuples(st.floats(0, 1e15), numbers), min_size=1, max_size=20), st.booleans(), st.booleans())
def test_any_numbers_give_a_picture(points, is_log, is_stepped):
    x, y = np.array(sorted(point[0] for point in points)), np.array([point[1] for point in points])
    with np.errstate(all="ignore"):
        text = drawing("a", "step", [Panel("loss", [Curve("a", x, y, is_stepped=is_stepped)], is_log)])
    parsed(text)
    assert not re.search(r"[ ML\"H](nan|-?inf)", text)


@given(st.lists(numbers, max_size=200), st.integers(4, 60))
def test_thinned_keeps_the_ends_and_the_extremes(values, most):
    values = np.array(values, np.float64)
    kept = thinned(values, most)
    assert len(kept) <= max(most, 0) and np.array_equal(kept, np.unique(kept))
    if len(values):
        assert {0, len(values) - 1} <= set(kept.tolist())
        finite = values[np.isfinite(values)]
        assert not len(finite) or {finite.min(), finite.max()} <= set(values[kept].tolist())
    if len(values) <= most:
        assert len(kept) == len(values)


# --- in notebooks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_shows_itself(name):
    picture = shapes.built(SCHEDULES[name])._repr_html_()
    (line,) = lines(parsed(picture))
    assert len(line) > 2 and len(picture) < 30_000
    assert "factor of the rate" in texts(parsed(picture))


def test_a_schedule_is_drawn_with_its_phases_and_its_code():
    picture = schedules.warmup(50).then(schedules.cosine(950))._repr_html_()
    assert "<div>warmup(50).then(cosine(950))</div>" in picture
    (dotted,) = [each for each in parsed(picture).iter(f"{SVG}path") if each.get("stroke-dasharray") == "2 3"]
    at = float(re.match(r"M([\d.]+)", dotted.get("d"))[1])
    assert at == pytest.approx(LEFT + 0.05 * (WIDTH - RIGHT - LEFT), abs=0.1)


def test_a_history_shows_its_losses_and_rates():
    history = History(["<b>", "head"])
    for step in range(20):
        history.append(step // 5, (0.1, 0.2), 2.0 / (step + 1))
        if step % 5 == 4:
            history.set_held_out(1.5)
    text = history._repr_html_()
    picture = parsed(text)
    assert "<div>History(20 steps, 4 epochs)</div>" in text
    assert {"loss", "learning rate", "mean of the epoch", "held out", "each step", "<b>", "head"} <= set(texts(picture))
    assert sorted(map(len, lines(picture))) == [4, 4, 20, 20]
    (faint,) = lines(picture, "1")
    assert len(faint) == 20


def test_an_epoch_that_was_not_completed_has_no_mean_and_is_not_counted():
    history = History()
    for loss in (1.0, 2.0, 4.0):
        history.append(0, (0.1,), loss)
    history.steps_in_epoch = 6
    text = history._repr_html_()
    picture = parsed(text)
    assert "<div>History(3 steps, 0 epochs)</div>" in text and "mean of the epoch" not in texts(picture)
    assert sorted(map(len, lines(picture))) == [3, 3] and not lines(picture, "1"), "nothing is faint"
    for epoch in (0, 0, 0, 1):
        history.append(epoch, (0.1,), 3.0)
    assert repr(history) == repr(history.copy()) == "History(7 steps, 1 epoch)"
    assert {"mean of the epoch", "each step"} <= set(texts(parsed(history._repr_html_())))
    assert repr(History()) == "History(0 steps, 0 epochs)"


@pytest.mark.parametrize("rows", [0, 1, 100_000])
def test_a_history_of_any_length_is_a_small_picture(rows):
    history = History()
    losses = np.random.default_rng(0).random(rows)
    history.extend(np.arange(rows) // 5, np.ones(rows, np.int64), np.full((rows, 1), 0.1), losses)
    text = history._repr_html_()
    assert len(text) < 60_000 and text.endswith("</div>") and ("<svg" in text) is (rows > 0)
