"""The schedules as they are printed, in the language of notation.py; a test holds them to the oracle in schedules.py.

s is the step, counted from 0, and f the factor of the base rate. Next: explain.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .notation import evaluate, parse


@dataclass(frozen=True)
class ScheduleLines:
    """A schedule's printed form.

    Attributes:
        title, source: what it is called and where it was published.
        lines: the formula.
        symbols: the constructor's arguments and their symbols in the lines.
        example: arguments for a table that fits a screen.
        ends: what happens at the ends, in words.
    """

    title: str
    source: str
    lines: tuple[str, ...]
    symbols: Mapping[str, Any]
    example: Mapping[str, Any]
    ends: str = "From step T on it stays at f_end."

    def worked_steps(self, steps: Sequence[int], /, **arguments: Any) -> list[dict[str, float]]:
        """Every quantity of the lines at the given steps.

        Example:
            >>> [values["f"] for values in SCHEDULE_LINES["cosine"].worked_steps([0, 2, 4], total_steps=4, end=0.0)]
            [1.0, 0.5, 0.0]
        """
        values: dict[str, Any] = {"pi": np.pi}
        for name, symbol in self.symbols.items():
            value = arguments[name]
            values |= dict(zip(symbol, value, strict=True)) if isinstance(symbol, tuple) else {symbol: value}
        history = []
        for step in steps:
            found: dict[str, float] = {"s": float(step)}
            with np.errstate(all="ignore"):
                for line in map(parse, self.lines):
                    found[line.name] = float(evaluate(line.expression, values | found))
            history.append(found)
        return history


_WSD = "Hu et al., 2024, arXiv:2404.06395, equation 1"
_decays = {
    "cosine": (
        "f_decay = f_end + (1 - f_end) (1 + cos(pi p)) / 2",
        "Loshchilov & Hutter, ICLR 2017, arXiv:1608.03983, eq. 5",
    ),
    "linear": ("f_decay = 1 - (1 - f_end) p", "a straight line"),
    "1-sqrt": ("f_decay = f_end + (1 - f_end) (1 - sqrt(p))", "Haegele et al., 2024, arXiv:2405.18392"),
    "exponential": ("f_decay = f_end^p", "Hu et al., 2024, arXiv:2404.06395, section 4"),
}
_to_end = {"total_steps": "T", "end": "f_end"}
_progress = "p = min(s / T, 1)"

SCHEDULE_LINES: dict[str, ScheduleLines] = {
    "constant": ScheduleLines(
        "A constant factor", "none", ("f = c",), {"factor": "c"}, {"factor": 0.5, "total_steps": 4}, "It never ends."
    ),
    "linear": ScheduleLines(
        "A straight line",
        "none",
        (_progress, "f = f_0 + (f_end - f_0) p"),
        {"total_steps": "T", "start": "f_0", "end": "f_end"},
        {"total_steps": 8, "start": 1.0, "end": 0.0},
    ),
    "warmup": ScheduleLines(
        "Linear warm-up",
        "Goyal et al., 2017, arXiv:1706.02677, section 2.2",
        ("p = min(s / W, 1)", "f = f_0 + (1 - f_0) p"),
        {"steps": "W", "start": "f_0"},
        {"steps": 5, "start": 0.0, "first_step": "zero"},
        'From step W on it stays at 1. first_step="1/W" counts s from 1: the first step is not wasted.',
    ),
    "polynomial": ScheduleLines(
        "Polynomial decay",
        "the article, decay_lr_poly",
        (_progress, "f = f_end + (1 - f_end) (1 - p)^k"),
        {**_to_end, "power": "k"},
        {"total_steps": 8, "power": 2.0, "end": 0.0},
    ),
    "cosine": ScheduleLines(
        "Cosine decay",
        _decays["cosine"][1],
        (_progress, _decays["cosine"][0].replace("f_decay", "f")),
        _to_end,
        {"total_steps": 8, "end": 0.0},
        "From step T on it stays at f_end (torch's rises again).",
    ),
    "one_minus_sqrt": ScheduleLines(
        "1 - sqrt cool-down",
        _decays["1-sqrt"][1],
        (_progress, _decays["1-sqrt"][0].replace("f_decay", "f")),
        _to_end,
        {"total_steps": 8, "end": 0.0},
    ),
    "exponential": ScheduleLines(
        "Exponential decay",
        _decays["exponential"][1],
        (_progress, "f = f_end^p"),
        _to_end,
        {"total_steps": 8, "end": 0.01},
    ),
    "piecewise": ScheduleLines(
        "Piecewise constant",
        "none",
        ("f = (v1 if s < m1 else (v2 if s < m2 else v3))",),
        {"milestones": ("m1", "m2"), "values": ("v1", "v2", "v3")},
        {"milestones": [3, 6], "values": [1.0, 0.1, 0.01]},
        "A milestone belongs to what follows it (keras: to what precedes). Any number of milestones; here two.",
    ),
    **{
        f"warmup_stable_decay, {name}": ScheduleLines(
            f"Warm-up, stable, decay ({name})",
            f"{_WSD}; decay: {source}",
            (
                "p = max(min((s - W - S) / D, 1), 0)",
                line,
                "f = (f_0 + (1 - f_0) s / W if s < W else (1 if s < W + S else f_decay))",
            ),
            {"warmup_steps": "W", "stable_steps": "S", "decay_steps": "D", "end": "f_end", "start": "f_0"},
            {
                "warmup_steps": 3,
                "stable_steps": 3,
                "decay_steps": 4,
                "end": 0.01 if name == "exponential" else 0.0,
                "start": 0.0,
            },
            "From step W + S + D on it stays at f_end.",
        )
        for name, (line, source) in _decays.items()
    },
}
ALIASES = {
    "wsd": "warmup_stable_decay, cosine",
    "warmup_stable_decay": "warmup_stable_decay, cosine",
    "1-sqrt": "one_minus_sqrt",
}
