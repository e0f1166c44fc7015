"""`Schedule`: an immutable pure function of the step, and the longer schedules that its methods build.

A schedule of T steps has the steps 0 ... T-1. From step T on it holds its end value. A step below 0 raises ValueError.
A schedule is a tree. `.then`, `*`, `.clip`, `.repeat` and `.shift` make a node whose parts are other schedules; the
leaves are single phases such as a cosine (`phases.py`). A walk over the tree (`evaluate`, `fold`) is a loop and not a
recursion, so a tree may be thousands of levels deep.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import cached_property
from itertools import accumulate
from typing import Any, NamedTuple, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from tinygrad_lr.integers import shown

from . import _checks

Array = NDArray[Any]
Result = TypeVar("Result")


class Phase(NamedTuple):
    """One phase of a schedule: it covers the steps start ... stop-1 (stop is None where it never ends)."""

    start: int
    stop: int | None
    schedule: Schedule


class TableRow(NamedTuple):
    """One row of a schedule's table: a step, its factor, and the number of its phase, from 1, with its code."""

    step: int
    factor: float
    phase: str


class Table(tuple[TableRow, ...]):
    """Rows of a schedule; as a text they stand under each other."""

    __slots__ = ()

    def __str__(self) -> str:
        cells = [("step", "factor", "phase"), *((str(row.step), f"{row.factor:.6g}", row.phase) for row in self)]
        widths = [max(len(row[column]) for row in cells) for column in (0, 1)]
        return "\n".join(f"{step:>{widths[0]}}  {factor:<{widths[1]}}  {phase}" for step, factor, phase in cells)


class Schedule:
    """A learning-rate schedule: `schedule(step)` is the factor that the base rate is multiplied with at that step.

    Args of the call: an int or a float (returns a Python float), or an array of these (returns a float64 array of the
    same shape, each element bit-equal to the call with that element alone). The caller chooses the unit of a step (an
    update or an epoch). Schedules are immutable, equal and hashed by value, picklable, and safe to share.

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

    # A subclass defines these. `parts` holds the results of the parts, in their order.
    def _length(self) -> int | None:
        """The number of steps; None where there is no end."""
        raise NotImplementedError

    def _asked(self, steps: Array) -> list[tuple[Schedule, Array]]:
        """Which parts the factors of these steps depend on, each with the steps as that part counts them."""
        return []

    def _values(self, steps: Array, parts: list[Array]) -> Array:
        """The factors of these steps, from the factors of what `_asked` named."""
        raise NotImplementedError

    def _bounds(self, parts: list[tuple[float, float]]) -> tuple[float, float]:
        """Two numbers that no factor lies outside of."""
        raise NotImplementedError

    def _holds_from(self, parts: list[int | None]) -> int | None:
        """The first step from which the end value holds; None where no value holds forever."""
        raise NotImplementedError

    def _written(self, parts: list[str]) -> str:
        """The code that builds it."""
        raise NotImplementedError

    def _locate(self, step: int | float) -> tuple[str, Schedule, int | float] | None:
        """Where a step falls: a description, the part in charge, and the step as that part counts; None for a leaf."""
        return None

    @property
    def parts(self) -> tuple[Schedule, ...]:
        """The schedules that this one is directly built from."""
        return self._parts

    @property
    def total_steps(self) -> int | None:
        """The number of steps T; None where there is no end."""
        return self._total_steps

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
        if not isinstance(other, Schedule):
            raise TypeError(f".then takes a schedule such as cosine(100), got {other!r} ({type(other).__name__})")
        return Sequence((), (self, other))

    def __mul__(self, other: Any) -> Schedule:
        if isinstance(other, Schedule):
            return Product((), (self, other))
        return Scaled((_checks.factor("the factor", other),), (self,))

    __rmul__ = __mul__
    # Without this NumPy would try to multiply a NumPy scalar on the left by itself.
    __array_ufunc__ = None

    def clip(self, min: float | None = None, max: float | None = None) -> Schedule:
        """Factors below `min` become `min`, factors above `max` become `max`; either may be left out."""
        if min is None and max is None:
            raise ValueError(".clip needs min, max or both")
        low = None if min is None else _checks.factor("min", min)
        high = None if max is None else _checks.factor("max", max)
        if low is not None and high is not None and low > high:
            raise ValueError(f"min must not be above max, got min={low} and max={high}")
        return Clipped((low, high), (self,))

    def repeat(self, times: int) -> Schedule:
        """This schedule `times` times, each time from its step 0; only the last time reaches the end value."""
        return Repeated((_checks.count("times", times, least=1),), (self,))

    def shift(self, steps: int) -> Schedule:
        """`steps` later, waiting at the first value; a negative number leaves out that many first steps."""
        return Shifted((_checks.integer("steps", steps),), (self,))

    def phases(self) -> tuple[Phase, ...]:
        """The phases one after another; a factor or a clip around them is applied to each."""
        around: list[Schedule] = []
        schedule = self
        while isinstance(schedule, (Scaled, Clipped)):
            around.append(schedule)
            schedule = schedule.parts[0]
        found: list[Phase] = []
        start = 0
        for part in schedule.parts if isinstance(schedule, Sequence) else (schedule,):
            stop = None if part.total_steps is None else start + part.total_steps
            for wrapper in reversed(around):
                part = type(wrapper)(wrapper._arguments, (part,))
            found.append(Phase(start, stop, part))
            start = stop or 0
        return tuple(found)

    def phase(self, step: int | float) -> Phase:
        """The phase that a step is in; past the end, the last one.

        Example:
            >>> from tinygrad_lr.schedules import cosine, warmup
            >>> warmup(10).then(cosine(90)).phase(10)
            Phase(start=10, stop=100, schedule=cosine(90))
        """
        return self._phase_at(step)[1]

    def _phase_at(self, step: int | float) -> tuple[int, Phase]:
        """The number of a step's phase, from 1, and the phase."""
        flat, shape = _checks.steps(step)
        if shape is not None:
            raise TypeError(f"phase takes one step, got {shown(step)}")
        phases = self.phases()
        index = sum(phase.start <= flat[0] for phase in phases)
        return index, phases[index - 1]

    @property
    def _shown_steps(self) -> int:
        """The step that a picture and a table end with: T, or of an endless schedule one beyond its last phase."""
        if self.total_steps is not None:
            return self.total_steps
        held = fold(self, lambda schedule, parts: schedule._holds_from(parts))
        return 2 * max(self.phases()[-1].start, held or 0) + 100

    def table(self, n: int = 11, until: int | None = None) -> Table:
        """`n` steps from 0 to `until`, each with its factor and its phase.

        Args:
            n: how many rows, at least 2; fewer where there are not so many steps.
            until: the last step; None: the schedule's end, or of an endless one a step some way into its last phase.

        Returns:
            A tuple of `TableRow`, (step, factor, phase), which prints as a table.

        Example:
            >>> from tinygrad_lr.schedules import cosine, warmup
            >>> print(warmup(2).then(cosine(4)).table(4))
            step  factor  phase
               0  0       1: warmup(2)
               2  1       2: cosine(4)
               4  0.5     2: cosine(4)
               6  0       2: cosine(4)
        """
        rows, last = _checks.count("n", n, least=2), self._shown_steps if until is None else until
        last = _checks.count("until", last)
        steps = sorted({last * index // (rows - 1) for index in range(rows)})
        factors = self(np.array(steps, dtype=np.int64)).tolist()
        places = (self._phase_at(step) for step in steps)
        said = (f"{number}: {phase.schedule._label}" for number, phase in places)
        return Table(map(TableRow, steps, factors, said))

    def plot(self, axes: Any = None, *, base_lr: float = 1.0, until: int | None = None) -> Any:
        """Draw the rates, and return matplotlib's figure.

        Args:
            axes: axes of matplotlib to draw on; None: those of a new figure.
            base_lr: what the factors are multiplied with.
            until: the last step, as for `table`.

        Raises:
            ModuleNotFoundError: matplotlib is not installed; the message says how to get it.
        """
        from .drawing import draw

        return draw(self, axes, base_lr, until)

    def _repr_html_(self) -> str:
        """The factors as a picture, for notebooks."""
        from .drawing import as_svg

        return as_svg(self)

    def explain(self, step: int | float) -> str:
        """A text that says which phase a step is in, and which step of it."""
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

    @property
    def _label(self) -> str:
        """Its code where that is short, otherwise its length: this keeps `explain` cheap for a deep tree."""
        if len(self.parts) <= 4 and not any(part.parts for part in self.parts):
            return repr(self)
        return "an endless schedule" if self.total_steps is None else f"a schedule of {self.total_steps} steps"

    def describe(self) -> str:
        """A text with the range, the length, and what holds below step 0, at the end and past it.

        Example:
            >>> from tinygrad_lr.schedules import cosine
            >>> print(cosine(100).describe())
            cosine(100): T = 100 steps, 0 to 99; factors in [0.0, 1.0];
            the end value 0.0 is reached at step 100 (T) and held past it; a step below 0 raises ValueError
        """
        low, high = self.range
        total = self.total_steps
        holds_from = fold(self, lambda schedule, parts: schedule._holds_from(parts))
        length = "no end" if total is None else f"T = {total} steps" + (f", 0 to {total - 1}" if total else "")
        if holds_from is None:
            ending = "no value is held for good"
        else:
            name = {total: " (T)", -1 if total is None else total - 1: " (T-1)"}.get(holds_from, "")
            ending = f"the end value {self(holds_from)!r} is reached at step {holds_from}{name} and held past it"
        return f"{self!r}: {length}; factors in [{low!r}, {high!r}];\n{ending}; a step below 0 raises ValueError"

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


def evaluate(schedule: Schedule, steps: Array) -> Array:
    """The factors of a flat array of checked steps.

    Steps go down the tree level by level, then factors come back up.
    """
    asked = [(schedule, steps)]
    numbers_of_parts = []
    for node, local in asked:  # the list grows: the parts that a node asks stand behind it, side by side
        parts = node._asked(local)
        numbers_of_parts.append(len(parts))
        asked += parts
    factors: deque[Array] = deque()
    for (node, local), number in zip(reversed(asked), reversed(numbers_of_parts), strict=True):
        factors.append(node._values(local, [factors.popleft() for _ in range(number)][::-1]))
    return factors[0]


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


def _rebuild(program: tuple[Any, ...]) -> Schedule:
    """The schedule that a postfix program describes."""
    stack: list[Schedule] = []
    for kind, arguments, number_of_parts in program:
        first = len(stack) - number_of_parts
        stack[first:] = [kind(arguments, tuple(stack[first:]))]
    return stack[0]


class Sequence(Schedule):
    """Schedules one after another. Nested sequences become one flat sequence, so `.then` is associative."""

    def __init__(self, arguments: tuple[Any, ...], parts: tuple[Schedule, ...]) -> None:
        super().__init__(arguments, parts)
        flat: list[Schedule] = []
        for part in parts:
            flat += part.parts if isinstance(part, Sequence) else (part,)
        object.__setattr__(self, "_parts", tuple(flat))

    def _length(self) -> int | None:
        total = 0
        for part in self._parts[:-1]:
            if part.total_steps is None:
                raise ValueError("an endless schedule cannot be followed by another one; give it a total_steps")
            total += part.total_steps
        last = self._parts[-1].total_steps
        return None if last is None else total + last

    @cached_property
    def starts(self) -> Array:
        """The step at which each part starts, int64."""
        return np.array([0, *accumulate(part.total_steps or 0 for part in self.parts[:-1])], dtype=np.int64)

    def _groups(self, steps: Array) -> list[tuple[int, Array]]:
        """The parts that some of these steps fall in: the number of the part, and the places of its steps."""
        which = np.searchsorted(self.starts, steps, side="right") - 1
        if steps.size == 1:
            return [(int(which[0]), np.zeros(1, np.int64))]
        order = np.argsort(which, kind="stable")
        changes = np.flatnonzero(np.diff(which[order])) + 1
        return [(int(which[places[0]]), places) for places in np.split(order, changes) if places.size]

    def _asked(self, steps: Array) -> list[tuple[Schedule, Array]]:
        return [(self.parts[index], steps[places] - self.starts[index]) for index, places in self._groups(steps)]

    def _values(self, steps: Array, parts: list[Array]) -> Array:
        if len(parts) == 1 and steps.size == 1:
            return parts[0]
        values = np.empty(steps.shape)
        for (_, places), factors in zip(self._groups(steps), parts, strict=True):
            values[places] = factors
        return values

    def _locate(self, step: int | float) -> tuple[str, Schedule, int | float]:
        index = int(np.searchsorted(self.starts, step, side="right")) - 1
        part, start = self.parts[index], int(self.starts[index])
        until = "on" if part.total_steps is None else f"to {start + part.total_steps - 1}"
        return f"phase {index + 1} of {len(self.parts)}, steps {start} {until}: {part._label}", part, step - start

    def _bounds(self, parts: list[tuple[float, float]]) -> tuple[float, float]:
        return min(low for low, _ in parts), max(high for _, high in parts)

    def _holds_from(self, parts: list[int | None]) -> int | None:
        return None if parts[-1] is None else int(self.starts[-1]) + parts[-1]

    def _written(self, parts: list[str]) -> str:
        return "".join([_operand(parts[0], self.parts[0]), *(f".then({text})" for text in parts[1:])])


class _Wrapper(Schedule):
    """A schedule around one part. A subclass changes the steps, the factors or the length."""

    def _length(self) -> int | None:
        return self._parts[0].total_steps

    def _asked(self, steps: Array) -> list[tuple[Schedule, Array]]:
        return [(self._parts[0], steps)]

    def _values(self, steps: Array, parts: list[Array]) -> Array:
        return parts[0]

    def _bounds(self, parts: list[tuple[float, float]]) -> tuple[float, float]:
        return parts[0]

    def _holds_from(self, parts: list[int | None]) -> int | None:
        return parts[0]

    def _locate(self, step: int | float) -> tuple[str, Schedule, int | float] | None:
        return "", self._parts[0], step


class Scaled(_Wrapper):
    """A schedule times a number."""

    def _values(self, steps: Array, parts: list[Array]) -> Array:
        return parts[0] * self._arguments[0]

    def _bounds(self, parts: list[tuple[float, float]]) -> tuple[float, float]:
        (low, high), factor = parts[0], self._arguments[0]
        return _bound(low, factor), _bound(high, factor)

    def _written(self, parts: list[str]) -> str:
        return f"{parts[0]} * {self._arguments[0]!r}"


class Product(Schedule):
    """The product of two schedules. It is as long as the longer one, and endless only where both are."""

    def _length(self) -> int | None:
        return max((part.total_steps for part in self._parts if part.total_steps is not None), default=None)

    def _asked(self, steps: Array) -> list[tuple[Schedule, Array]]:
        return [(part, steps) for part in self._parts]

    def _values(self, steps: Array, parts: list[Array]) -> Array:
        return parts[0] * parts[1]

    def _bounds(self, parts: list[tuple[float, float]]) -> tuple[float, float]:
        return _bound(parts[0][0], parts[1][0]), _bound(parts[0][1], parts[1][1])

    def _holds_from(self, parts: list[int | None]) -> int | None:
        first, second = parts
        return None if first is None or second is None else max(first, second)

    def _written(self, parts: list[str]) -> str:
        return f"{parts[0]} * {_operand(parts[1], self._parts[1])}"


class Clipped(_Wrapper):
    """A schedule held between two numbers (either may be None)."""

    def _values(self, steps: Array, parts: list[Array]) -> Array:
        return np.clip(parts[0], *self._arguments)

    def _bounds(self, parts: list[tuple[float, float]]) -> tuple[float, float]:
        low, high = (float(np.clip(bound, *self._arguments)) for bound in parts[0])
        return low, high

    def _written(self, parts: list[str]) -> str:
        names = (("min", self._arguments[0]), ("max", self._arguments[1]))
        given = ", ".join(f"{name}={value!r}" for name, value in names if value is not None)
        return f"{_operand(parts[0], self._parts[0])}.clip({given})"


class Repeated(_Wrapper):
    """A schedule several times over."""

    def _length(self) -> int | None:
        cycle = self._parts[0].total_steps
        if cycle is None:
            raise ValueError("an endless schedule cannot be repeated; give it a total_steps")
        return cycle * self._arguments[0]

    def _asked(self, steps: Array) -> list[tuple[Schedule, Array]]:
        cycle = self._parts[0].total_steps or 0
        return [(self._parts[0], np.where(steps < self._total_steps, steps % max(cycle, 1), cycle))]

    def _locate(self, step: int | float) -> tuple[str, Schedule, int | float]:
        part, times = self._parts[0], self._arguments[0]
        cycle = part.total_steps or 0
        if step >= cycle * times:
            return f"past the last of {times} cycles: {part._label}", part, cycle
        return f"cycle {int(step // cycle) + 1} of {times}: {part._label}", part, step % cycle

    def _holds_from(self, parts: list[int | None]) -> int | None:
        return None if parts[0] is None else (self._arguments[0] - 1) * (self._parts[0].total_steps or 0) + parts[0]

    def _written(self, parts: list[str]) -> str:
        return f"{_operand(parts[0], self._parts[0])}.repeat({self._arguments[0]})"


class Shifted(_Wrapper):
    """A schedule that starts later, or further in."""

    def _length(self) -> int | None:
        total_steps = self._parts[0].total_steps
        return None if total_steps is None else max(total_steps + self._arguments[0], 0)

    def _asked(self, steps: Array) -> list[tuple[Schedule, Array]]:
        # The minimum keeps int64 from overflowing; a step that it lowers is past the end before and after.
        later = self._arguments[0]
        return [(self._parts[0], np.maximum(np.minimum(steps, _checks.MAX_STEPS + min(later, 0)) - later, 0))]

    def _locate(self, step: int | float) -> tuple[str, Schedule, int | float]:
        later = self._arguments[0]
        waiting = ", waiting at its first value" if step < later else ""
        return f"shifted by {later}{waiting}: {self._parts[0]._label}", self._parts[0], max(step - later, 0)

    def _holds_from(self, parts: list[int | None]) -> int | None:
        return None if parts[0] is None else max(parts[0] + self._arguments[0], 0)

    def _written(self, parts: list[str]) -> str:
        return f"{_operand(parts[0], self._parts[0])}.shift({self._arguments[0]})"


def _bound(one: float, other: float) -> float:
    """The product of two bounds; that of 0 and of a schedule without an upper bound is 0."""
    return one * other if one and other else 0.0


def _operand(text: str, schedule: Schedule) -> str:
    """The text of a schedule that a method call follows or that stands at the right of a product."""
    return f"({text})" if isinstance(schedule, (Scaled, Product)) else text
