"""Wrong schedules, and right but unusual ones: every row of the references at every boundary. Next: clipping.py.

Each is checked against the row of its name, as a user calls `check_schedule`. What is right is computed by our own
constructors; a change of a printed formula is a change of one token of its lines.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lr.schedules import SCHEDULES

from ..formulas.schedules import REFERENCES
from ..language.notation import evaluate, parse
from .candidates import PATIENCE, Candidate, Formulas, family

Schedule = Callable[[Any], Any]


class Built(NamedTuple):
    """A row with arguments: what it is called with, where its phases meet, and how long it is."""

    name: str
    arguments: dict[str, Any]
    right: Schedule
    borders: tuple[int, ...]

    @property
    def place(self) -> str:
        """The row and its length."""
        return f"{self.name} of {self.borders[-1]} steps"


SCALES = (1, 25, 40_000)


def built() -> Iterator[Built]:
    """Every row with the arguments of its example, and the same many times as long."""
    for name, reference in REFERENCES.items():
        row = next((row for row in SCHEDULES.values() if row.name == name), None)
        if row is None:
            continue
        for scale in SCALES:
            given = {key: scaled(row.arguments[key], value, scale) for key, value in reference.example.items()}
            lengths = [value for key, value in given.items() if row.arguments[key] in ("steps", "timescale") and value]
            marks = [*given.get("milestones", ())] or list(np.cumsum(lengths))
            if "factor" in given:
                given, marks = {"factor": 0.5, "total_steps": None}, [40 * scale]
            marks = [mark for mark in marks if mark > 0] or [40 * scale]
            yield Built(name, given, row.build(**given), tuple(int(mark) for mark in marks))


def scaled(kind: Any, value: Any, scale: int) -> Any:
    """A length, so many times as long."""
    if kind in ("steps", "timescale"):
        return value * scale if value else value
    return [scale * mark for mark in value] if kind == "milestones" else value


def check_against(schedule: Callable[[], Schedule], made: Built) -> Any:
    """The kit, as a user calls it."""
    from ..checks.schedules import check_schedule

    return check_schedule(
        schedule(), made.name, timeout=PATIENCE, **{k: v for k, v in made.arguments.items() if v is not None}
    )


def replaced(made: Built, step: int, change: Callable[[float], float]) -> Schedule:
    """Another value at one step alone."""
    return lambda s: np.where(np.asarray(s) == step, change(made.right(step)), made.right(s))[()]


def shifted(made: Built, since: int, by: int) -> Schedule:
    """From a step on, the values of other steps."""
    return lambda s: made.right(s + by if np.ndim(s) == 0 and s >= since else s)


def wrapped(made: Built, bits: int) -> Schedule:
    """Steps are counted in a whole number of so many bits, with a sign."""
    return lambda s: made.right(max((int(s) + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1), 0))


def repeated(made: Built, length: int) -> Schedule:
    """It begins again after its end."""
    return lambda s: made.right(s % length)


def in_float(made: Built, kind: Any) -> Schedule:
    """The step is held in so few bits."""
    return lambda s: made.right(int(kind(min(s, 60_000) if kind is np.float16 else s)))


def wrong_ones(made: Built) -> Iterator[tuple[str, Callable[[], Schedule]]]:
    """What is wrong, and what builds it."""
    right, end = made.right, made.borders[-1]
    for number, border in enumerate((0, *made.borders)):
        where = "the start" if not number else "the end" if border == end else f"border {number}"
        for near in (-1, 0, 1):
            if border + near >= 0:
                told = {-1: f"one step before {where}", 0: f"at {where}", 1: f"one step after {where}"}[near]
                yield f"is a tenth larger {told}", partial(replaced, made, border + near, lambda x: 1.1 * x + 1e-3)
        yield f"is one step late from {where} on", partial(shifted, made, border + 1, -1)
        yield f"is one step early from {where} on", partial(shifted, made, border, 1)
    for part in (0.1, 0.37, 0.5, 0.9):
        step = int(end * part)
        yield (
            f"is a hundredth larger at {part:g} of its length",
            partial(replaced, made, step, lambda x: 1.01 * x + 1e-4),
        )
    for power in (10, 12, 16, 24, 31, 32):
        yield f"is one at 2^{power}", partial(replaced, made, 2**power, lambda x: 1.0 if x != 1.0 else 0.5)
    for bits in (8, 16, 32):
        yield f"counts in {bits} bits", partial(wrapped, made, bits)
    yield "counts in float16", partial(in_float, made, np.float16)
    yield "counts in float32", partial(in_float, made, np.float32)
    yield "begins again after its end", partial(repeated, made, end)
    yield "begins again one step after its end", partial(repeated, made, end + 1)
    yield "begins again in its middle", partial(repeated, made, max(end // 2, 1))
    yield "begins again at twice its length", partial(repeated, made, 2 * end)
    yield "is negative far beyond its end", lambda: lambda s: right(s) if s < 10 * end else -1e-9
    yield "is not a number far beyond its end", lambda: lambda s: right(s) if s < 10 * end else math.nan
    yield "is 0 from its end on", lambda: lambda s: right(s) if s < end else 0.0
    yield "is halved", lambda: lambda s: 0.5 * right(s)
    yield "stays at its first value", lambda: lambda s: right(0)
    yield "is rounded to three digits", lambda: lambda s: round(float(right(s)), 3)
    yield "is rounded to float16", lambda: lambda s: float(np.float16(right(s)))
    yield "changes when it is read twice", lambda: read_twice(right)
    yield "is that of every second step", lambda: lambda s: right(s // 2 * 2)


def read_twice(right: Schedule) -> Schedule:
    """Each call advances a count of its own."""
    calls = iter(range(10**9))
    return lambda s: right(next(calls))


TOKENS = {
    "+": "-",
    "-": "+",
    "/": "*",
    "min": "max",
    "max": "min",
    "cos": "abs",
    "sqrt": "abs",
    "<": ">",
    "1": "2",
    "2": "1",
}


def written(made: Built, lines: tuple[str, ...]) -> Schedule:
    """The schedule that printed lines give."""
    parsed = [parse(line) for line in lines]
    values: dict[str, Any] = {"pi": np.pi}
    for name, symbol in REFERENCES[made.name].symbols.items():
        value = made.arguments[name]
        values |= dict(zip(symbol, value, strict=True)) if isinstance(symbol, tuple) else {symbol: value}

    def rate(step):
        found = {"s": float(step)}
        with np.errstate(all="ignore"):
            for line in parsed:
                found[line.name] = float(evaluate(line.expression, values | found))
        return found["f"]

    return rate


def changed_lines(name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The lines of a row, with one token changed."""
    lines = REFERENCES[name].lines
    for number, line in enumerate(lines):
        head, arrow, text = line.partition("=")
        tokens = text.split(" ")
        for place, token in enumerate(tokens):
            bare = token.strip("()")
            other = TOKENS.get(bare) or (TOKENS.get(bare.split("(")[0]) if "(" in bare else None)
            if other:
                part = bare if bare in TOKENS else bare.split("(")[0]
                changed = " ".join([*tokens[:place], token.replace(part, other, 1), *tokens[place + 1 :]])
                found = f"{head}{arrow}{changed}".replace(" * ", " ")
                yield f"{line} is {found}, place {place}", (*lines[:number], found, *lines[number + 1 :])


def differs(made: Built, schedule: Callable[[], Schedule]) -> bool:
    """Whether it differs from the row at a step of its run, at a border, or far on."""
    end = made.borders[-1]
    steps = {*range(min(end + 3, 250)), *(b + d for b in made.borders for d in (-2, -1, 0, 1, 2)), 2 * end, 10 * end}
    steps |= {int(end * part) for part in (0.1, 0.37, 0.5, 0.9)}
    steps |= {2**power + d for power in (10, 12, 16, 24, 31, 32) for d in (0, 1)}
    try:
        other = schedule()
        pairs = [(float(made.right(s)), float(other(s))) for s in sorted(steps) if s >= 0]
    except Exception:
        return True
    return not all(abs(a - b) <= 1e-9 * max(1.0, abs(a)) for a, b in pairs)


def candidate(family_name: str, kind: str, made: Built, schedule: Callable[[], Schedule]) -> Candidate:
    """A schedule that claims to be a row."""
    return Candidate(
        family_name, kind, made.place, partial(check_against, schedule, made), partial(differs, made, schedule)
    )


@family(
    "schedules",
    "A schedule is wrong at a border, early or late, begins again, counts in few bits, or has another token.",
)
def schedules(formulas: Formulas = ()) -> Iterator[Candidate]:
    for made in built():
        for kind, schedule in wrong_ones(made):
            yield candidate("schedules", kind, made, schedule)
        if made.borders[-1] < 100 and "factor" not in made.arguments:
            for kind, lines in changed_lines(made.name):
                yield candidate("schedules", kind, made, partial(runs, made, lines))


def runs(made: Built, lines: tuple[str, ...]) -> Schedule:
    """The schedule of changed lines, which may not be parsed: then it is the row, and no candidate."""
    try:
        schedule = written(made, lines)
        schedule(1)
    except Exception:
        return made.right
    return schedule


class Counter:
    """A schedule as an object, which keeps what it has computed."""

    def __init__(self, right: Schedule) -> None:
        self.right, self.kept = right, {}  # type: ignore[var-annotated]

    def __call__(self, step):
        step = int(step)
        if step not in self.kept:
            self.kept[step] = float(self.right(step))
        return self.kept[step]


def refuses_arrays(right: Schedule) -> Schedule:
    def rate(step):
        if not isinstance(step, (int, np.integer)):
            raise TypeError(f"step must be a whole number, got {type(step).__name__}")
        return right(step)

    return rate


RIGHT_FORMS: dict[str, Callable[[Built], Schedule]] = {
    "gives float32": lambda made: lambda s: np.float32(made.right(s)),
    "gives arrays without dimensions": lambda made: lambda s: np.asarray(made.right(s)),
    "keeps what it has computed": lambda made: Counter(made.right),
    "takes whole numbers alone": lambda made: refuses_arrays(made.right),
    "takes floats": lambda made: lambda s: made.right(float(s) if np.ndim(s) == 0 else s),
    "is evaluated from its printed lines": lambda made: written(made, REFERENCES[made.name].lines),
    "is itself": lambda made: made.right,
}


@family("unusual schedules", "float32, arrays, whole numbers alone, kept values, the printed lines.", right=True)
def unusual_schedules(formulas: Formulas = ()) -> Iterator[Candidate]:
    for made in built():
        for kind, form in RIGHT_FORMS.items():
            if "factor" in made.arguments and "printed" in kind:
                continue
            yield Candidate("unusual schedules", kind, made.place, partial(check_against, partial(form, made), made))
