"""CoupledOptimizer: what decides on its step from all parameters of all groups together, as DoG. Read dog.py next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, cast

import numpy as np

from tinygrad_lr import backend
from tinygrad_lr.engine.dtypes import copy_into, to_host
from tinygrad_lr.kernels._measured import MeasuredKernel, fold

from .arena import Segment
from .optimizer import Optimizer, Plan, kernels

__all__ = ["CoupledOptimizer"]


class _Run(NamedTuple):
    """Parameters first:stop of a segment in one step."""

    kernel: MeasuredKernel
    segment: Segment
    first: int
    stop: int
    step: int
    backend: str
    arrays: Sequence[Any]
    scalars: Any


class CoupledOptimizer(Optimizer):
    """An optimizer of one measured kernel (kernels/_measured.py) that decides once for all parameters.

    The sums of all runs are added, in the order of the groups; the numbers are those of the optimizer, and every
    parameter holds them. A parameter's state is that of its own steps.

    Raises:
        TypeError, ValueError: see `Optimizer`; groups that differ in a hyperparameter of `together`.
    """

    together: ClassVar[Sequence[str]] = ()
    """The hyperparameters that decide, so that all groups must have the same."""

    def _planned(self, i: int) -> Plan:
        for name in self.together if i else ():
            here, first = self.param_groups[i][name], self.param_groups[0][name]
            if here != first:
                raise ValueError(
                    f"{type(self).__name__} decides for all groups together: {name} must be the same in all, got "
                    f"{first!r} in group 0 and {here!r} in group {i}"
                )
        return super()._planned(i)

    @property
    def measured_kernel(self) -> MeasuredKernel:
        """The one kernel that updates all of its parameters."""
        (kernel,) = kernels(self.kernels).values()
        assert isinstance(kernel, MeasuredKernel), f"{kernel.module} has no measured kernel"
        return kernel

    def _update(self, factor: float) -> None:
        runs = [each for i in range(len(self._groups)) for each in self._runs(i, factor)]
        if not runs:
            return
        if any(0 in segment.steps for each in self._segments for segment in each):  # they may not agree
            self.share(self.shared_numbers())
        if len(runs) == 1:
            (only,) = runs
            only.kernel.run(only.backend, only.arrays, only.scalars)
            if len(self._names) > only.stop - only.first:
                self.share(self.numbers_of(only.segment, only.first))
        else:
            self._decide_together(runs)
        for each in runs:
            each.segment.advance(each.first, each.stop, each.step + 1, {})

    def _decide_together(self, runs: Sequence[_Run]) -> None:
        """Parameters that lie apart: both passes over each run, and one decision between them."""
        kernel, total, other = runs[0].kernel, np.float64(0.0), np.float64(0.0)
        before = [np.float64(number) for number in self.shared_numbers().values()]
        with np.errstate(all="ignore"):  # compiled code does not warn either
            for each in runs:
                kernel.measure_all(each.backend, each.arrays, each.scalars)
                sums = fold(to_host(each.arrays[kernel.places["sums"]]))
                total, other = total + sums[0], other + sums[1]
            size = np.float64(sum(each.arrays[0].size for each in runs))
            found = kernel.decide(total, other, size, *before, *runs[0].scalars)
        self.share(dict(zip(kernel.numbers, found[2:], strict=True)))
        for each in runs:
            _fill(each.arrays[kernel.places["factors"]], found[:2])
            kernel.apply_all(each.backend, each.arrays, each.scalars)

    def _runs(self, i: int, factor: float) -> list[_Run]:
        """What of group i makes a step."""
        group, plan = self._groups[i], self._plans[i]
        if plan is None or plan.changes != group.changes:
            plan = self._planned(i)
        kernel, found = cast(MeasuredKernel, plan.kernel), []
        for segment in self._segments[i]:
            on = "cuda" if segment.device == "cuda" else backend.get()
            for first, stop, step in segment.runs():
                scalars = plan.scalars(self.moving(group, step + 1), segment.dtype, factor).copy()
                arrays = segment.buffers(first, stop, kernel.states, kernel.layout)
                found.append(_Run(kernel, segment, first, stop, step, on, arrays, scalars))
        return found

    def numbers_of(self, segment: Segment, i: int) -> dict[str, float]:
        """The numbers that parameter i of a segment holds."""
        kernel = self.measured_kernel
        return {name: float(to_host(segment.states[name])[i]) for name in kernel.numbers}

    def shared_numbers(self) -> dict[str, float]:
        """The optimizer's numbers: those of the first parameter that has made a step."""
        for segments in self._segments:
            for segment in segments:
                for i, step in enumerate(segment.steps):
                    if step > 0:
                        return self.numbers_of(segment, i)
        kernel = self.measured_kernel
        return {name: self.initial_state(self._groups[0], name) for name in kernel.numbers}

    def share(self, numbers: Mapping[str, float]) -> None:
        """Give all parameters the same numbers."""
        for segments in self._segments:
            for segment in segments:
                for name, value in numbers.items():
                    if name in segment.states:
                        _fill(segment.states[name], value)


def _fill(array: Any, values: Any) -> None:
    """Set every row of an array, on the CPU or the GPU, in its dtype."""
    with np.errstate(over="ignore", under="ignore"):
        if isinstance(array, np.ndarray):
            array[:] = values
        else:
            copy_into(array, np.broadcast_to(np.asarray(values), array.shape).astype(array.dtype))
