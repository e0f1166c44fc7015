"""An optimizer's part of a compiled step: which kernels are called on which memory, and with which scalars.

The scalars of every step (rates, bias corrections) are computed on the host in float64, by the optimizer's own
`moving`, and cast to the parameters' dtype, exactly as an eager step does (scalars.py). Next: runner.py.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_lr.engine.tensor import Tensor
from tinygrad_lr.optim import Optimizer

from .refusal import CannotCompile, refuse_overridden
from .scalars import moving_table
from .source import Update

if TYPE_CHECKING:  # it imports Numba
    from tinygrad_lr.kernels._kernel import Kernel

__all__ = ["Bound", "Updates"]

OWN_METHODS = ("step", "zero_grad", "scalars")
LEFT_OUT = ("params", "lr", "initial_lr", "name")  # of a group's entries: they choose no kernel


@dataclass
class Bound:
    """One call of the optimizer's: on parameters first:stop of a segment, which have made the same count of steps."""

    group: Any
    number: int  # of the group
    segment: Any
    first: int
    stop: int
    update: Update


class Updates:
    """The updates of an optimizer of tinygrad_lr.

    Raises:
        CannotCompile: an optimizer that makes its steps in its own way.
        TypeError: not an optimizer of tinygrad_lr.
    """

    def __init__(self, optimizer: Any) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"compiled training needs an optimizer of tinygrad_lr, got {type(optimizer).__name__}")
        refuse_overridden(optimizer, Optimizer, OWN_METHODS)
        self.optimizer = optimizer

    @property
    def segments(self) -> Iterator[Any]:
        return (segment for segments in self.optimizer._segments for segment in segments)

    @property
    def trained(self) -> list[Tensor]:
        """The parameters to be trained, whether the loss depends on them or not."""
        return [p for group in self.optimizer.param_groups for p in group["params"] if p._requires_grad]

    def signature(self) -> tuple[Any, ...]:
        """What the calls depend on; a list of arrays in it stands for their identity."""
        groups = self.optimizer.param_groups
        params = [p for group in groups for p in group["params"]]
        arrays = [p._data for p in params]
        states = [array for segment in self.segments for array in segment.states.values()]
        flags = [p._requires_grad for p in params]
        chosen = [{name: value for name, value in group.items() if name not in LEFT_OUT} for group in groups]
        return arrays, states, flags, chosen, [_ends(s.steps) for s in self.segments]

    def settings(self) -> dict[str, Any]:
        """What the model must leave alone."""
        found: dict[str, Any] = {}
        for i, group in enumerate(self.optimizer.param_groups):
            found[f"the parameters of group {i}"] = len(group["params"])
            found |= {f"{name} of group {i}": value for name, value in group.items() if name != "params"}
        return found

    def bind(self, trained: Collection[Tensor]) -> list[Bound]:
        """The calls that update some parameters, each of which must lie in its segment."""
        found: list[Bound] = []
        with self._marked(trained):
            for i, (group, segments) in enumerate(
                zip(self.optimizer.param_groups, self.optimizer._segments, strict=True)
            ):
                plan = self.optimizer._planned(i)
                for segment in segments:
                    for first, stop, _ in segment.runs():
                        buffers = segment.buffers(first, stop, plan.kernel.states)
                        update = self._update(group, plan.kernel, buffers, len(found))
                        found.append(Bound(group, i, segment, first, stop, update))
        return found

    def _update(self, group: Any, kernel: Kernel, buffers: Sequence[np.ndarray], number: int) -> Update:
        blocks = ["starts"] if kernel.numpy_loop is not None else []
        words = ["values", "gradients", *kernel.states, *blocks]
        named = [(f"{word}{number}", array) for word, array in zip(words, buffers, strict=True)]
        moving = list(self.optimizer.moving(group, 1))
        constants = [name for name in self.optimizer.constants(group) if name not in moving]
        places = {name: ("constants", j) for j, name in enumerate(constants)}
        places |= {name: ("moving", j) for j, name in enumerate(moving)}
        scalars = [(name, *places[name]) for name in kernel.scalars]
        return Update(*_place(kernel), named, scalars, number)

    @contextmanager
    def _marked(self, trained: Collection[Tensor]) -> Iterator[None]:
        """As if these parameters, and no others, had gradients."""
        with self.without_gradients():
            for param in trained:
                param._grad = param._grad_home
            yield

    @contextmanager
    def without_gradients(self) -> Iterator[None]:
        """As an eager step finds the parameters when it calls the model."""
        params = [p for group in self.optimizer.param_groups for p in group["params"]]
        before = [p._grad for p in params]
        try:
            self.optimizer.zero_grad()
            yield
        finally:
            for param, grad in zip(params, before, strict=True):
                param._grad = grad

    @contextmanager
    def at_another_step(self) -> Iterator[None]:
        """Other rates and counts of steps, for a while."""
        rates = [group["lr"] for group in self.optimizer.param_groups]
        steps = [segment.steps for segment in self.segments]
        try:
            for group in self.optimizer.param_groups:
                dict.__setitem__(group, "lr", 0.75 * group["lr"] + 0.125)
            for segment in self.segments:
                segment.steps = [step + 1 for step in segment.steps]
            yield
        finally:
            for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
                dict.__setitem__(group, "lr", rate)
            for segment, before in zip(self.segments, steps, strict=True):
                segment.steps = before

    # --- a run of steps -----------------------------------------------------------------------------------------------

    def scalars(self, bound: Sequence[Bound], rates: np.ndarray) -> list[np.ndarray]:
        """For each call its table of scalars, a row for each step, and those that stay."""
        found = []
        for each in bound:
            dtype, first = each.segment.dtype, each.segment.steps[each.first] + 1
            found.append(moving_table(self.optimizer, each.group, rates[:, each.number], first, dtype))
            moving = self.optimizer.moving(each.group, 1)
            constants = [v for name, v in self.optimizer.constants(each.group).items() if name not in moving]
            found.append(np.array(constants, np.float64).astype(dtype))
        return found

    def made(self, bound: Sequence[Bound], steps: int, last: np.ndarray, with_gradients: Collection[Tensor]) -> None:
        """Note that steps were made; `last` are the rates of the last one that was begun."""
        for each in bound if steps else ():
            each.segment.advance(each.first, each.stop, each.segment.steps[each.first] + steps)
        for group, rate in zip(self.optimizer.param_groups, last.tolist(), strict=True):
            dict.__setitem__(group, "lr", rate)
        self.optimizer.zero_grad()
        for param in with_gradients:
            param._grad = param._grad_home


def _place(kernel: Kernel) -> tuple[str, str]:
    """The module that lists a kernel in its KERNELS, and the key there: how a generated file names it."""
    table = getattr(sys.modules.get(kernel.module), "KERNELS", {})
    for key, each in table.items():
        if each is kernel:
            return kernel.module, key
    raise CannotCompile(f"a kernel that {kernel.module}.KERNELS does not list; put it there, beside its rule")


def _ends(steps: Sequence[int]) -> Any:
    """Where runs of equal counts end."""
    if steps.count(steps[0]) == len(steps):
        return len(steps)
    return [i for i in range(1, len(steps)) if steps[i] != steps[i - 1]]
