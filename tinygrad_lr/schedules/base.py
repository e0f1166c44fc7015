"""`Schedule`: an immutable pure function of the step, with an algebra to build longer ones from shorter ones.

A schedule of T steps has the steps 0 ... T-1; from step T on it holds its end value; a step below 0 raises ValueError.
`shapes.py` has the single phases (cosine, ...), `algebra.py` what `.then`, `*`, `.clip`, `.repeat`, `.shift` build.
A schedule is a tree: every walk over it (evaluate, fold, explain) keeps its own stack, so that depth is no limit.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, NamedTuple, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from . import _checks

Array = NDArray[Any]
Result = TypeVar("Result")
Requests = Generator["tuple[Schedule, Array]", Array, Array]


class Phase(NamedTuple):
    """One phase of a schedule: it covers the steps start ... stop-1 (stop is None where it never ends)."""

    start: int
    stop: int | None
    schedule: Schedule


class Schedule:
    """A learning-rate schedule: `schedule(step)` is the factor that the base rate is multiplied with at that step.

    Args of the call: an int or a float (returns a Python float), or an array of these (returns a float64 array of the
    same shape, each element bit-equal to the call with that element alone). The unit of a step (an update or an epoch)
    is the caller's. Schedules are immutable, equal and hashed by value, picklable, and safe to share.

    Raises:
        TypeError: a step that is no number.
        ValueError: a step that is negative, NaN or infinite.
        OverflowError: a factor beyond the range of float64.

    Example:
        >>> from tinygrad_lr.schedules import cosine, warmup
        >>> schedule = warmup(10).then(cosine(90)) * 0.5
        >>> schedule(0), schedule(5), schedule(10), schedule(100)
        (0.0, 0.25, 0.5, 0.0)
        >>> schedule
        warmup(10).then(cosine(90)) * 0.5
        >>> print(schedule.explain(55))
        step 55: factor 0.25
          phase 2 of 2, steps 10 to 99: cosine(90)
          step 45 of 90 there
    """

    __slots__ = ("_arguments", "_parts", "_total_steps", "__weakref__")
    _arguments: tuple[Any, ...]
    _parts: tuple[Schedule, ...]
    _total_steps: int | None

    def __init__(self, arguments: tuple[Any, ...], parts: tuple[Schedule, ...] = ()) -> None:
        object.__setattr__(self, "_arguments", arguments)
        object.__setattr__(self, "_parts", parts)
        total_steps = self._length()
        if total_steps is not None and total_steps > _checks.MAX_STEPS:
            raise ValueError(f"a schedule can have at most 2**62 steps, this one would have {total_steps}")
        object.__setattr__(self, "_total_steps", total_steps)

    def __setattr__(self, name: str, value: Any = None) -> None:
        raise AttributeError("a schedule is immutable; build another one")

    __delattr__ = __setattr__

    # What a kind of schedule defines.
    def _length(self) -> int | None:
        raise NotImplementedError

    def _bounds(self, parts: list[tuple[float, float]]) -> tuple[float, float]:
        raise NotImplementedError

    def _settles(self, parts: list[int]) -> int:
        """The first step from which the end value holds."""
        raise NotImplementedError

    def _written(self, parts: list[str]) -> str:
        raise NotImplementedError

    def _values(self, steps: Array) -> Array:
        """The factors of a schedule without parts."""
        raise NotImplementedError

    def _combine(self, steps: Array) -> Requests:
        """The factors of a schedule with parts: yields (part, its local steps), is sent that part's factors."""
        raise NotImplementedError

    def _locate(self, step: int | float) -> tuple[str, Schedule, int | float] | None:
        """Where a step falls: what to say about it, the part that is in charge, and the step as that part counts."""
        return None

    # What every schedule can do.
    @property
    def parts(self) -> tuple[Schedule, ...]:
        """The schedules that this one is directly built from."""
        return self._parts

    @property
    def total_steps(self) -> int | None:
        """The number of steps T; None where there is no end."""
        return self._total_steps

    @property
    def _label(self) -> str:
        """The code that builds it where that is short, else its length: explaining a deep tree stays cheap."""
        if len(self.parts) <= 4 and not any(part.parts for part in self.parts):
            return repr(self)
        return "an endless schedule" if self.total_steps is None else f"a schedule of {self.total_steps} steps"

    @property
    def range(self) -> tuple[float, float]:
        """Two numbers that no factor lies outside of."""
        return fold(self, lambda schedule, parts: schedule._bounds(parts))

    @overload
    def __call__(self, step: int | float) -> float: ...
    @overload
    def __call__(self, step: Array) -> NDArray[np.float64]: ...
    def __call__(self, step: Any) -> Any:
        flat, shape = _checks.steps(step)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            values = evaluate(self, flat)
        if not np.isfinite(values).all():
            raise OverflowError("a factor is beyond the range of float64; use smaller factors")
        return float(values[0]) if shape is None else values.reshape(shape)

    def then(self, other: Schedule) -> Schedule:
        """This schedule for its total_steps, then `other`, which counts its own steps from 0."""
        from .algebra import Sequence

        return Sequence((), (self, _schedule(other, "then")))

    def __mul__(self, other: Any) -> Schedule:
        from .algebra import Product, Scaled

        if isinstance(other, Schedule):
            return Product((), (self, other))
        return Scaled((_checks.factor("the factor", other),), (self,))

    __rmul__ = __mul__
    # Without this NumPy would try to multiply a NumPy scalar on the left by itself.
    __array_ufunc__ = None

    def clip(self, min: float | None = None, max: float | None = None) -> Schedule:
        """Factors below `min` become `min`, factors above `max` become `max`; either may be left out."""
        from .algebra import clipped

        return clipped(self, min, max)

    def repeat(self, times: int) -> Schedule:
        """This schedule `times` times, each time from its step 0; only the last time reaches the end value."""
        from .algebra import Repeated

        return Repeated((_checks.count("times", times, least=1),), (self,))

    def shift(self, steps: int) -> Schedule:
        """`steps` later, waiting at the first value; a negative number leaves out that many first steps."""
        from .algebra import Shifted

        return Shifted((_checks.integer("steps", steps),), (self,))

    def phases(self) -> tuple[Phase, ...]:
        """The phases one after another; a factor or a clip around them is applied to each."""
        from .algebra import phases

        return phases(self)

    def explain(self, step: int | float) -> str:
        """Say which phase a step is in, and which step of it."""
        factor = self(step)
        lines = [f"step {step}: factor {factor!r}"]
        place: tuple[str, Schedule, int | float] | None = ("", self, step)
        while place is not None:
            text, part, local = place
            if text:
                lines.append(f"  {text}")
            place = part._locate(local)
        of_total = "" if part.total_steps is None else f" of {part.total_steps}"
        held = part.total_steps is not None and local >= part.total_steps
        lines.append(f"  step {local}{of_total} there" + (": past its end, the end value is held" if held else ""))
        return "\n".join(lines)

    def describe(self) -> str:
        """Range, length, and what holds below step 0, at the end and past it.

        Example:
            >>> from tinygrad_lr.schedules import cosine
            >>> print(cosine(100).describe())
            cosine(100): T = 100 steps, 0 to 99; factors in [0.0, 1.0];
            the end value 0.0 is reached at step 100 (T) and held past it; a step below 0 raises ValueError
        """
        low, high = self.range
        total = self.total_steps
        settled = fold(self, lambda schedule, parts: schedule._settles(parts))
        length = "no end" if total is None else f"T = {total} steps" + (f", 0 to {total - 1}" if total else "")
        name = {total: " (T)", -1 if total is None else total - 1: " (T-1)"}.get(settled, "")
        return (
            f"{self!r}: {length}; factors in [{low!r}, {high!r}];\n"
            f"the end value {self(settled)!r} is reached at step {settled}{name} and held past it; "
            "a step below 0 raises ValueError"
        )

    __str__ = describe

    def __repr__(self) -> str:
        return fold(self, lambda schedule, parts: schedule._written(parts))

    def _program(self) -> tuple[Any, ...]:
        """The tree in postfix order: the flat form in which it is compared, hashed and pickled."""
        program: list[Any] = []
        fold(self, lambda schedule, _: program.append((type(schedule), schedule._arguments, len(schedule.parts))))
        return tuple(program)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Schedule) and self._program() == other._program())

    def __hash__(self) -> int:
        return hash(self._program())

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self._program(),)


def fold(schedule: Schedule, visit: Callable[[Schedule, list[Any]], Result]) -> Result:
    """Visit a tree from its leaves up; `visit` gets a schedule and the results of its parts."""
    results: list[Any] = []
    waiting = [(schedule, False)]
    while waiting:
        node, parts_done = waiting.pop()
        if parts_done or not node.parts:
            first = len(results) - len(node.parts)
            results[first:] = [visit(node, results[first:])]
        else:
            waiting.append((node, True))
            waiting.extend((part, False) for part in reversed(node.parts))
    return results[0]


def evaluate(schedule: Schedule, steps: Array) -> Array:
    """Factors of a flat array of checked steps."""
    if not schedule.parts:
        return schedule._values(steps)
    running = [schedule._combine(steps)]
    answer: Any = None
    while True:
        try:
            part, local = running[-1].send(answer)
        except StopIteration as finished:
            running.pop()
            answer = finished.value
            if not running:
                return answer
        else:
            if part.parts:
                running.append(part._combine(local))
                answer = None
            else:
                answer = part._values(local)


def _rebuild(program: tuple[Any, ...]) -> Schedule:
    """The schedule that a postfix program describes."""
    stack: list[Schedule] = []
    for kind, arguments, number_of_parts in program:
        first = len(stack) - number_of_parts
        stack[first:] = [kind(arguments, tuple(stack[first:]))]
    return stack[0]


def _schedule(value: Any, where: str) -> Schedule:
    if not isinstance(value, Schedule):
        raise TypeError(f".{where} takes a schedule such as cosine(100), got {value!r} ({type(value).__name__})")
    return value
