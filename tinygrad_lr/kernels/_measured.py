"""A measured kernel: an update whose step depends on sums over a whole parameter, as a norm. It takes two passes.

    *states, x, y, z, w = measure(param, grad, *states, number, *scalars)                       for each element
    factor, other, *numbers = decide(sum of x y, sum of z w, size, *numbers, *scalars)          for each parameter
    param, *states = rule(param, grad, *states, factor, other, *scalars)                        for each element

`MeasuredKernel(rule, states, measure=..., decide=..., numbers=...)` is all that an optimizer's file declares. Numbers
are states in float64 with one entry for a parameter. `measure` gets the first one, as it was before the step, in the
parameter's dtype (0 where there is none), and `rule` the factors so. Products and sums are taken in float64: squares of
float32 neither overflow nor vanish there.

The elements of a parameter are cut into chunks. A chunk is summed in lanes, which the processor adds side by side, and
lanes and chunks are folded in their order, as those of updates/norm.py: the same bits at any number of threads, on the
CPU, on CUDA and over NumPy arrays. One loop for each number of states is written out, as in _kernel.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from . import _run
from ._jit import bound, compiled, on_gpu, over_arrays, thread_index, uncompiled
from ._kernel import Kernel, arguments_of, refuse_other_scalars
from .updates.norm import CHUNK, LANES, chunk_sum_numpy

__all__ = ["MeasuredKernel", "fold", "of_parameter"]

HALVINGS = 40  # more chunks than any memory holds

# A kernel binds these names in its copies of the functions below.
rule = element = part = measured = decided = applied = None
arrays_end = numbers_end = layout_end = first_number = 0


def of_parameter(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a state with one entry for a parameter."""
    return ()


# --- one element, for each number of states -----------------------------------------------------------------------


def measure0(i, number, param, grad, *scalars):
    return rule(param[i], grad[i], number, *scalars)


def measure1(i, number, param, grad, a, *scalars):
    a[i], x, y, z, w = rule(param[i], grad[i], a[i], number, *scalars)
    return x, y, z, w


def measure2(i, number, param, grad, a, b, *scalars):
    a[i], b[i], x, y, z, w = rule(param[i], grad[i], a[i], b[i], number, *scalars)
    return x, y, z, w


def measure3(i, number, param, grad, a, b, c, *scalars):
    a[i], b[i], c[i], x, y, z, w = rule(param[i], grad[i], a[i], b[i], c[i], number, *scalars)
    return x, y, z, w


def measure4(i, number, param, grad, a, b, c, d, *scalars):
    a[i], b[i], c[i], d[i], x, y, z, w = rule(param[i], grad[i], a[i], b[i], c[i], d[i], number, *scalars)
    return x, y, z, w


def apply0(i, factor, other, param, grad, *scalars):
    (param[i],) = rule(param[i], grad[i], factor, other, *scalars)


def apply1(i, factor, other, param, grad, a, *scalars):
    param[i], a[i] = rule(param[i], grad[i], a[i], factor, other, *scalars)


def apply2(i, factor, other, param, grad, a, b, *scalars):
    param[i], a[i], b[i] = rule(param[i], grad[i], a[i], b[i], factor, other, *scalars)


def apply3(i, factor, other, param, grad, a, b, c, *scalars):
    param[i], a[i], b[i], c[i] = rule(param[i], grad[i], a[i], b[i], c[i], factor, other, *scalars)


def apply4(i, factor, other, param, grad, a, b, c, d, *scalars):
    param[i], a[i], b[i], c[i], d[i] = rule(param[i], grad[i], a[i], b[i], c[i], d[i], factor, other, *scalars)


MEASURES = (measure0, measure1, measure2, measure3, measure4)
APPLIES = (apply0, apply1, apply2, apply3, apply4)


# --- one parameter, for each number of numbers --------------------------------------------------------------------


@compiled
def totals(p, starts, firsts, sums):
    """The two sums of parameter p, and its size."""
    total, other = 0.0, 0.0
    for c in range(firsts[p], firsts[p + 1]):
        total += sums[c, 0]
        other += sums[c, 1]
    return total, other, np.float64(starts[firsts[p + 1]] - starts[firsts[p]])


@compiled
def spread(number, firsts):
    """Give a number that was decided for all parameters together to all of them."""
    if firsts.size == 2:
        for p in range(1, number.size):
            number[p] = number[0]


def decide0(p, starts, firsts, sums, factors, *scalars):
    total, other, size = totals(p, starts, firsts, sums)
    factors[p, 0], factors[p, 1] = rule(total, other, size, *scalars)


def decide1(p, starts, firsts, sums, factors, a, *scalars):
    total, other, size = totals(p, starts, firsts, sums)
    factors[p, 0], factors[p, 1], a[p] = rule(total, other, size, a[p], *scalars)
    spread(a, firsts)


def decide2(p, starts, firsts, sums, factors, a, b, *scalars):
    total, other, size = totals(p, starts, firsts, sums)
    factors[p, 0], factors[p, 1], a[p], b[p] = rule(total, other, size, a[p], b[p], *scalars)
    spread(a, firsts)
    spread(b, firsts)


DECIDES = (decide0, decide1, decide2)


# --- the loops ----------------------------------------------------------------------------------------------------


def measured_on_cpu(first, last, starts, owners, sums, number, param, *rest):
    lanes, others = np.zeros(LANES), np.zeros(LANES)
    for c in range(first, last):
        now, low, high = param.dtype.type(number[owners[c]]), starts[c], starts[c + 1]
        total, other, whole = 0.0, 0.0, (high - low) // LANES
        if whole > 0:
            lanes[:] = 0.0
            others[:] = 0.0
            for row in range(whole):
                for j in range(LANES):
                    x, y, z, w = element(np.uint64(low + row * LANES + j), now, param, *rest)
                    lanes[j] += np.float64(x) * np.float64(y)
                    others[j] += np.float64(z) * np.float64(w)
            for j in range(LANES):
                total += lanes[j]
                other += others[j]
        for i in range(low + whole * LANES, high):
            x, y, z, w = element(np.uint64(i), now, param, *rest)
            total += np.float64(x) * np.float64(y)
            other += np.float64(z) * np.float64(w)
        sums[c, 0] = total
        sums[c, 1] = other


def measured_on_gpu(starts, owners, sums, number, arrays, scalars):
    """A thread sums a chunk: lane after lane, so that it adds in the CPU's order without room for lanes."""
    c = thread_index()
    if c < owners.size:
        now, low, high = arrays[0].dtype.type(number[owners[c]]), starts[c], starts[c + 1]
        total, other, whole = 0.0, 0.0, (high - low) // LANES
        for j in range(LANES if whole > 0 else 0):
            lane, lane_of_other = 0.0, 0.0
            for row in range(whole):
                x, y, z, w = element(low + row * LANES + j, now, *arrays, *scalars)
                lane += np.float64(x) * np.float64(y)
                lane_of_other += np.float64(z) * np.float64(w)
            total += lane
            other += lane_of_other
        for i in range(low + whole * LANES, high):
            x, y, z, w = element(i, now, *arrays, *scalars)
            total += np.float64(x) * np.float64(y)
            other += np.float64(z) * np.float64(w)
        sums[c, 0] = total
        sums[c, 1] = other


def decided_on_cpu(first, last, *rest):
    for p in range(first, last):
        part(p, *rest)


def decided_on_gpu(starts, firsts, sums, factors, numbers, scalars):
    p = thread_index()
    if p < firsts.size - 1:
        part(p, starts, firsts, sums, factors, *numbers, *scalars)


def applied_on_cpu(first, last, starts, owners, factors, *rest):
    for c in range(first, last):
        factor, other = factors[owners[c], 0], factors[owners[c], 1]
        for i in range(starts[c], starts[c + 1]):
            element(np.uint64(i), factor, other, *rest)


def applied_on_gpu(starts, owners, factors, arrays, scalars):
    i = thread_index()
    if i < arrays[0].size:
        p = owners[chunk_of(i, starts)]
        element(i, factors[p, 0], factors[p, 1], *arrays, *scalars)


@compiled
def chunk_of(i, starts):
    """In which chunk an element lies, by bisection."""
    low, high = 0, starts.size - 1
    for _ in range(HALVINGS):
        middle = (low + high) // 2
        if starts[middle] <= i:
            low = middle
        else:
            high = middle
    return low


def whole(*arguments):
    """All three: param, grad, states, numbers, the layout's arrays and scalars."""
    arrays, scalars = arguments[:arrays_end], arguments[layout_end:]
    starts, owners, firsts, sums, factors, _ = arguments[numbers_end:layout_end]
    numbers, number = arguments[arrays_end:numbers_end], arguments[first_number]
    measured(0, owners.size, starts, owners, sums, number, *arrays, *scalars)
    decided(0, firsts.size - 1, starts, firsts, sums, factors, *numbers, *scalars)
    applied(0, owners.size, starts, owners, factors, *arrays, *scalars)


@compiled
def fold(sums):
    """The two sums of all chunks, in their order."""
    total, other = 0.0, 0.0
    for c in range(sums.shape[0]):
        total += sums[c, 0]
        other += sums[c, 1]
    return total, other


# --- the kernel ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MeasuredKernel(Kernel):
    """One update of two passes: see the top of this file.

    Args:
        rule: the scalar rule of the second pass. Its states begin with those of `measure`, in one order.
        states: the names of all states in a state_dict, those in `numbers` last.
        measure: the scalar rule of the first pass. It takes the same scalars.
        decide: the scalar rule of a parameter, in float64. It takes the same scalars.
        numbers: the states with one entry for a parameter; at most 2.
        together: decide once for all parameters, which have the numbers of the first one. Parameters that lie elsewhere
            are the optimizer's business (optim/coupled.py).
    """

    layout_names: ClassVar[tuple[str, ...]] = ("starts", "owners", "firsts", "measured", "factors", "zeros")

    measure: Callable[..., Any] = field(kw_only=True)
    decide: Callable[..., Any] = field(kw_only=True)
    numbers: tuple[str, ...] = field(default=(), kw_only=True)
    together: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        if self.states[len(self.arrays) :] != self.numbers:
            raise ValueError(f"numbers come last among the states; got {self.states} and {self.numbers}")
        if len(self.arrays) >= len(MEASURES) or len(self.numbers) >= len(DECIDES):
            raise ValueError(
                f"a measured kernel has at most {len(MEASURES) - 1} states of elements and {len(DECIDES) - 1} numbers, "
                f"got {self.arrays} and {self.numbers}; add functions for more of them to kernels/_measured.py"
            )
        refuse_other_scalars(self.scalars, self.measure, self.decide)

    @cached_property
    def arrays(self) -> tuple[str, ...]:
        """The names of the states with an entry for each element."""
        return tuple(key for key in self.states if key not in self.numbers)

    @cached_property
    def scalars(self) -> tuple[str, ...]:
        """The names of the scalar arguments: those that follow param, grad, the states and the two factors."""
        return arguments_of(self.rule)[4 + len(self.arrays) :]

    def stored(self, key: str) -> tuple[str, Any]:
        """The dtype of a state's entries (empty: the parameter's), and the shape of those of a parameter."""
        return ("float64", of_parameter) if key in self.numbers else ("", 1)

    def layout(self, shapes: Sequence[tuple[int, ...]], dtype: np.dtype[Any]) -> list[np.ndarray[Any, Any]]:
        """What the loops take after the states: see `laid_out`."""
        return self.laid_out(shapes, dtype, self.together)

    @staticmethod
    def laid_out(
        shapes: Sequence[tuple[int, ...]], dtype: np.dtype[Any], together: bool = False
    ) -> list[np.ndarray[Any, Any]]:
        """The chunks of parameters of some shapes that lie end to end, and room for what is measured.

        Where each chunk begins and at last where the last one ends; whose it is; each parameter's first chunk and at
        last their count; room for the chunks' sums and the parameters' factors; zeros for numbers. Parameters that are
        decided together count as one.
        """
        sizes = [int(np.prod(shape)) for shape in shapes]
        ends = np.cumsum([0, *sizes])
        starts = [np.arange(low, high, CHUNK) for low, high in zip(ends, ends[1:], strict=False)]
        counts = [sum(each.size for each in starts)] if together else [each.size for each in starts]
        return [
            np.append(np.concatenate(starts), ends[-1]).astype(np.int64),
            np.repeat(np.arange(len(counts)), counts),
            np.cumsum([0, *counts]),
            np.zeros((sum(counts), 2)),
            np.zeros((len(counts), 2), dtype),
            np.zeros(len(counts)),
        ]

    # Its loops. The names in brackets are what each is bound to.

    def _bound(self, function: Any, name: str, **names: Any) -> Any:
        return bound(function, self.module, self._named(name), **names)

    @cached_property
    def _parts(self) -> dict[str, Any]:
        """The functions of one element and of one parameter."""
        of_elements, of_numbers = len(self.arrays), len(self.numbers)
        return {
            "measure": self._compiled(MEASURES[of_elements], "measure", rule=self.measure),
            "decide": self._compiled(DECIDES[of_numbers], "decide", rule=self.decide),
            "apply": self._compiled(APPLIES[of_elements], "apply", rule=self.rule),
        }

    @cached_property
    def measured(self) -> Any:
        """The first pass over some chunks, on the CPU."""
        return self._compiled(measured_on_cpu, "measured", element=self._parts["measure"])

    @cached_property
    def decided(self) -> Any:
        """What is decided for some parameters, on the CPU."""
        return self._compiled(decided_on_cpu, "decided", part=self._parts["decide"])

    @cached_property
    def applied(self) -> Any:
        """The second pass over some chunks, on the CPU."""
        return self._compiled(applied_on_cpu, "applied", element=self._parts["apply"])

    @cached_property
    def places(self) -> dict[str, int]:
        """Where each part of a loop's arguments ends, and where the first number, the sums and the factors are."""
        arrays_end = 2 + len(self.arrays)
        numbers_end = arrays_end + len(self.numbers)
        layout_end = numbers_end + len(self.layout_names)
        first = arrays_end if self.numbers else layout_end - 1
        return {
            "arrays_end": arrays_end,
            "numbers_end": numbers_end,
            "layout_end": layout_end,
            "first_number": first,
            "sums": numbers_end + self.layout_names.index("measured"),
            "factors": numbers_end + self.layout_names.index("factors"),
        }

    @cached_property
    def cpu(self) -> Callable[..., None]:
        """Both passes on the CPU: `cpu(param, grad, *states, *layout, *scalars)`, over flat arrays, in place."""
        places = {name: at for name, at in self.places.items() if name in whole.__code__.co_names}
        made: Callable[..., None] = self._compiled(
            whole, "whole", measured=self.measured, decided=self.decided, applied=self.applied, **places
        )
        return made

    @cached_property
    def on_gpu(self) -> dict[str, on_gpu]:
        """The loops on CUDA."""
        parts = {
            "measured": (measured_on_gpu, {"element": self._parts["measure"]}),
            "decided": (decided_on_gpu, {"part": self._parts["decide"]}),
            "applied": (applied_on_gpu, {"element": self._parts["apply"]}),
        }
        return {name: on_gpu(self._bound(f, f"{name}_gpu", **names)) for name, (f, names) in parts.items()}

    # How they run.

    @cached_property
    def run(self) -> Callable[..., None]:
        """Makes a step on arrays, in place: `run(backend, arrays, scalars)`; see `step`."""
        return self.step

    def step(self, backend: str, arrays: Sequence[Any], scalars: np.ndarray[Any, Any]) -> None:
        """Make a step, in place.

        Args:
            backend: "numba", "numpy" or "cuda".
            arrays: param, grad and the states, flat, contiguous, and the layout.
            scalars: an array of them on the host, in the rule's order and the parameters' dtype.
        """
        if backend != "numba" or arrays[0].size >= 2 * _run.SMALLEST_CHUNK:
            self.measure_all(backend, arrays, scalars)
            self._decide_all(backend, arrays, scalars)
            self.apply_all(backend, arrays, scalars)
        elif self.interpreted:
            with np.errstate(all="ignore"):  # compiled code does not warn either
                self.loop(*arrays, scalars)
        else:
            self.loop(*arrays, scalars)

    def measure_all(self, backend: str, arrays: Sequence[Any], scalars: np.ndarray[Any, Any]) -> None:
        """The first pass: update the states, and leave the chunks' sums in the layout."""
        given, _, (starts, owners, _, sums, _, _), number = self._parted(arrays)
        if backend == "cuda":
            _launch(self.on_gpu["measured"], owners.size, (starts, owners, sums, number, tuple(given), tuple(scalars)))
        elif backend == "numpy":
            measured_numpy(self._over_arrays["measure"], starts, owners, sums, number, given, scalars)
        else:
            _run.in_pieces(self.measured, owners.size, given[0].size, (starts, owners, sums, number, *given, *scalars))

    def _decide_all(self, backend: str, arrays: Sequence[Any], scalars: np.ndarray[Any, Any]) -> None:
        _, numbers, (starts, _, firsts, sums, factors, _), _ = self._parted(arrays)
        count = firsts.size - 1
        if backend == "cuda":
            given = (starts, firsts, sums, factors, tuple(numbers), tuple(scalars))
            _launch(self.on_gpu["decided"], count, given)
            return
        decided = self.decided if backend == "numba" else self._over_arrays["decided"]
        with np.errstate(all="ignore"):
            decided(0, count, starts, firsts, sums, factors, *numbers, *scalars)

    def apply_all(self, backend: str, arrays: Sequence[Any], scalars: np.ndarray[Any, Any]) -> None:
        """The second pass, with the factors in the layout."""
        given, _, (starts, owners, _, _, factors, _), _ = self._parted(arrays)
        if backend == "cuda":
            _launch(self.on_gpu["applied"], given[0].size, (starts, owners, factors, tuple(given), tuple(scalars)))
        elif backend == "numpy":
            _applied_numpy(self._over_arrays["apply"], starts, owners, factors, given, scalars)
        else:
            _run.in_pieces(self.applied, owners.size, given[0].size, (starts, owners, factors, *given, *scalars))

    def _parted(self, arrays: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any], Sequence[Any], Any]:
        """Param, grad and the states of elements; the numbers; the layout; the number that `measure` gets."""
        at = self.places
        arrays_end, numbers_end = at["arrays_end"], at["numbers_end"]
        layout = arrays[numbers_end : at["layout_end"]]
        return arrays[:arrays_end], arrays[arrays_end:numbers_end], layout, arrays[at["first_number"]]

    @cached_property
    def _over_arrays(self) -> dict[str, Callable[..., Any]]:
        """The rules of elements over whole NumPy arrays, and what is decided as plain Python."""
        return {
            "measure": over_arrays(self.measure),
            "decided": self._plain(
                decided_on_cpu, part=self._plain(DECIDES[len(self.numbers)], rule=uncompiled(self.decide))
            ),
            "apply": over_arrays(self.rule),
        }

    def _plain(self, function: Any, **names: Any) -> Any:
        plain = {"totals": uncompiled(totals), "spread": uncompiled(spread)}
        return bound(function, self.module, function.__name__, **plain, **names)


def _launch(loop: on_gpu, size: int, arguments: tuple[Any, ...]) -> None:
    if size:
        loop.launch(size, arguments)


def measured_numpy(rule, starts, owners, sums, number, arrays, scalars):
    """`measured_on_cpu` over whole arrays: the same operations in the same order, and so the same bits."""
    for c in range(owners.size):
        param, grad, *states = (array[starts[c] : starts[c + 1]] for array in arrays)
        with np.errstate(all="ignore"):
            *after, x, y, z, w = rule(param, grad, *states, param.dtype.type(number[owners[c]]), *scalars)
            for state, values in zip(states, after, strict=True):
                state[:] = values
            for k, (a, b) in enumerate(((x, y), (z, w))):
                terms = np.multiply(a, b, dtype=np.float64)
                sums[c, k] = chunk_sum_numpy(np.broadcast_to(terms, param.shape))


def _applied_numpy(rule, starts, owners, factors, arrays, scalars):
    """`applied_on_cpu` over whole arrays."""
    for c in range(owners.size):
        param, grad, *states = (array[starts[c] : starts[c + 1]] for array in arrays)
        with np.errstate(all="ignore"):
            after = rule(param, grad, *states, *factors[owners[c]], *scalars)
        for target, values in zip((param, *states), after, strict=True):
            target[:] = values
