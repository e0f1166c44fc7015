"""`drawing`: curves as an SVG, for notebooks. It needs nothing else, and takes the colour of its text from around it.

A notebook is light or dark whatever the system is, so text and lines are "currentColor", and the curves have colours
that can be seen on white and on black, and told apart by the colour-blind (Okabe and Ito, "Color Universal Design",
2008). Matplotlib would draw more, in a second and with an extra to install; these are pictures to glance at.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Curve", "Panel", "drawing"]

WIDTH, HEIGHT, LEFT, RIGHT, GAP, FOOT = 640, 150, 64, 20, 30, 34
MOST = 1e300  # the size of what is drawn
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
ROUND = 'stroke-linejoin="round" stroke-linecap="round"'
DASHES = ("", "6 3", "2 3", "8 3 2 3")
TEXT = 'font-family="system-ui, sans-serif" font-size="11" fill="currentColor"'


@dataclass(frozen=True)
class Curve:
    """A line through points; a value that is not finite, or whose size is beyond 1e300, leaves a gap.

    Attributes:
        label: what it is, any text.
        x, y: float64, shape (points,).
        is_faint: whether it lies behind the others.
        is_stepped: whether a value holds until the next one.
    """

    label: str
    x: np.ndarray
    y: np.ndarray
    is_faint: bool = False
    is_stepped: bool = False


@dataclass(frozen=True)
class Panel:
    """Axes with curves. `unit` says what they are; `marks` are places with a dotted line."""

    unit: str
    curves: Sequence[Curve]
    is_log: bool = False
    marks: Sequence[float] = ()


def drawing(title: str, x_unit: str, panels: Sequence[Panel]) -> str:
    """Return the text of an SVG: the panels below one another, over one axis.

    Args:
        title: what it is, for those who cannot see it; any text.
        x_unit: what the axis counts.

    Example:
        >>> points = np.array([0.0, 1.0, 2.0])
        >>> text = drawing("a < b", "step", [Panel("loss", [Curve("a", points, points)])])
        >>> text[:4], "<title>a &lt; b</title>" in text
        ('<svg', True)
    """
    places = np.concatenate([curve.x for panel in panels for curve in panel.curves])
    first, last = (float(places.min()), float(places.max())) if len(places) else (0.0, 1.0)
    across = _Axis(first, _above(first, last), LEFT, WIDTH - RIGHT)
    parts, top = [], GAP
    for panel in panels:
        parts.append(_panel(panel, across, top))
        top += HEIGHT + GAP
    bottom = top - GAP
    for tick in across.ticks():
        x, number = across.place(tick), _written(tick)
        parts.append(f'<text x="{x:.1f}" y="{bottom + 14}" text-anchor="middle">{number}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH) / 2}" y="{bottom + 29}" text-anchor="middle">{html.escape(x_unit)}</text>')
    said = html.escape(title)
    size = f'viewBox="0 0 {WIDTH} {bottom + FOOT}" width="{WIDTH}" style="max-width: 100%; height: auto"'
    body = "".join(parts)
    about = f'xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{said}"'
    return f"<svg {about} {TEXT}><title>{said}</title>{body}</svg>"


@dataclass(frozen=True)
class _Axis:
    """From numbers to places in the picture."""

    low: float
    high: float
    start: float
    stop: float
    is_log: bool = False

    def place(self, value: float) -> float:
        low, high = (math.log10(self.low), math.log10(self.high)) if self.is_log else (self.low, self.high)
        at = math.log10(value) if self.is_log else value
        return self.start + (at - low) / (high - low) * (self.stop - self.start)

    def ticks(self) -> list[float]:
        """Some round numbers: powers of ten on a log axis, else multiples of 1, 2 or 5 times one."""
        if self.is_log:
            powers = range(math.ceil(math.log10(self.low)), math.floor(math.log10(self.high)) + 1)
            every = max(1, math.ceil(len(powers) / 5))
            return [10.0**power for power in powers if power % every == 0]
        size = 10.0 ** math.floor(math.log10((self.high - self.low) / 4))
        step = next(size * each for each in (1, 2, 5, 10) if (self.high - self.low) / (size * each) <= 6)
        return [step * each for each in range(math.ceil(self.low / step), math.floor(self.high / step + 1e-9) + 1)]


def _written(tick: float) -> str:
    """A number as the pages have it: -1e-07 is −1e−7."""
    return re.sub("(e[+-])0", r"\1", f"{tick:g}").replace("-", "−")


def _can_be_drawn(values: np.ndarray) -> np.ndarray:
    return np.abs(values) <= MOST


def _above(low: float, high: float) -> float:
    """The upper end of an axis, where numbers can be told from the lower one."""
    return high if high - low > 1e-12 * max(abs(low), abs(high), 1 / MOST) else low + max(1.0, abs(low))


def _panel(panel: Panel, across: _Axis, top: float) -> str:
    """The axis at the left, the curves, and their names above."""
    values = np.concatenate([curve.y[_can_be_drawn(curve.y)] for curve in panel.curves] or [np.empty(0)])
    up = _upwards(values, panel.is_log, top)
    unit = f"{panel.unit} (log scale)" if up.is_log else panel.unit
    parts = [f'<text x="4" y="{top - 9}">{html.escape(unit)}</text>']
    for tick in up.ticks():
        y = up.place(tick)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="currentColor" opacity="0.15"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_written(tick)}</text>')
    for mark in panel.marks:
        x = across.place(mark)
        parts.append(
            f'<path d="M{x:.1f} {top}V{top + HEIGHT}" stroke="currentColor" opacity="0.4" stroke-dasharray="2 3"/>'
        )
    named = [curve for curve in panel.curves if len(panel.curves) > 1]
    right = WIDTH - RIGHT
    for number, curve in reversed(list(enumerate(panel.curves))):
        parts.append(_line(curve, number, across, up))
    for number, curve in reversed(list(enumerate(named))):
        text = curve.label if len(curve.label) <= 32 else f"{curve.label[:31]}…"
        parts.append(f'<text x="{right}" y="{top - 9}" text-anchor="end">{html.escape(text)}</text>')
        right -= 6 * len(text) + 10
        parts.append(f'<path d="M{right - 14} {top - 13}h16" {_stroke(curve, number)}/>')
        right -= 24
    return "".join(parts)


def _upwards(values: np.ndarray, is_log: bool, top: float) -> _Axis:
    """The axis at the left: from 0, or from below that; on a log scale from the least value."""
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    if is_log and low > 0:
        return _Axis(low, high if high > 1.001 * low else 10 * low, top + HEIGHT, top, True)
    low = min(0.0, low)
    return _Axis(low, _above(low, high), top + HEIGHT, top)


def _line(curve: Curve, number: int, across: _Axis, up: _Axis) -> str:
    """The path of a curve."""
    words, pen = [], "M"
    for x, y, is_drawn in zip(curve.x.tolist(), curve.y.tolist(), _can_be_drawn(curve.y).tolist(), strict=True):
        if not is_drawn:
            pen = "M"
            continue
        at = f"{across.place(x):.1f}"
        words.append(f"H{at}" if curve.is_stepped and pen == "L" else "")
        words.append(f"{pen}{at} {up.place(y):.1f}{'h0' if pen == 'M' else ''}")  # a lone point is a dot
        pen = "L"
    return f'<path d="{"".join(words)}" {_stroke(curve, number)}/>'


def _stroke(curve: Curve, number: int) -> str:
    dash = DASHES[number % len(DASHES)] if not curve.is_faint else ""
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    weight = 'stroke-width="1" opacity="0.45"' if curve.is_faint else 'stroke-width="2"'
    return f'fill="none" stroke="{COLOURS[number % len(COLOURS)]}" {ROUND} {weight}{dashed}'
