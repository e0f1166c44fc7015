"""The optimizer's part of a compiled step: its kernels, the memory they work on, and the scalars of every step.

The optimizer's own `moving` computes the scalars (rates, bias corrections) on the host in float64, as in an eager step;
then they are cast to the parameters' dtype. `moving_table` calls it once for many steps. Next: runner.py.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_lr.engine.tensor import Tensor
from tinygrad_lr.optim import Optimizer
from tinygrad_lr.optim.arena import Segment
from tinygrad_lr.optim.around import Around
from tinygrad_lr.optim.coupled import CoupledOptimizer
from tinygrad_lr.optim.groups import ParamGroup
from tinygrad_lr.optim.hooks import EVERYWHERE

from .refusal import CannotCompile, refuse_overridden
from .source import Update, words_of

if TYPE_CHECKING:  # it imports Numba
    from tinygrad_lr.kernels._kernel import Kernel

__all__ = ["Bound", "Updates", "moving_table"]

OWN_METHODS = ("step", "zero_grad", "scalars")
FEW = 2000  # for so few steps Python's power is faster than loading a compiled loop


@dataclass
class Bound:
    """One call of a kernel, on parameters first:stop of a segment. They have made the same number of steps.

    `numbers`: the optimizer's `numbers` after each step that `Updates.scalars` prepared; empty where it has none.
    """

    group: ParamGroup
    number: int  # of the group
    segment: Segment
    first: int
    stop: int
    update: Update
    numbers: list[dict[str, float]] = field(default_factory=list)


class Updates:
    """The updates of an optimizer of tinygrad_lr.

    Raises:
        CannotCompile: the optimizer overrides how steps are made, or has hooks around them.
        TypeError: not an optimizer of tinygrad_lr.
    """

    def __init__(self, optimizer: Optimizer | Around) -> None:
        if isinstance(optimizer, Around):
            raise CannotCompile(
                f"{type(optimizer).__name__} moves the parameters in Python around the steps of its optimizer"
            )
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"compiled training needs an optimizer of tinygrad_lr, got {type(optimizer).__name__}")
        refuse_overridden(optimizer, Optimizer, OWN_METHODS)
        self.optimizer = optimizer
        self.refuse_hooks()

    def refuse_hooks(self) -> None:
        """Raise CannotCompile where hooks would have to run around every step."""
        if self.optimizer._step_hooks or EVERYWHERE:
            whose = "the optimizer has step hooks" if self.optimizer._step_hooks else "there are hooks for all steps"
            raise CannotCompile(
                f"{whose}, which run in Python between backward and update, and machine code makes both in one call; "
                "remove them (handle.remove())"
            )

    @property
    def segments(self) -> Iterator[Segment]:
        return (segment for segments in self.optimizer._segments for segment in segments)

    @property
    def trained(self) -> list[Tensor]:
        """The parameters that require gradients, whether the loss depends on them or not."""
        return [p for group in self.optimizer.param_groups for p in group["params"] if p._requires_grad]

    def signature(self) -> tuple[Any, ...]:
        """What the calls depend on; the arrays in its first two lists are compared by identity."""
        groups = self.optimizer.param_groups
        params = [p for group in groups for p in group["params"]]
        arrays = [p._data for p in params]
        states = [array for segment in self.segments for array in segment.states.values()]
        flags = [p._requires_grad for p in params]
        chosen = [{name: group[name] for name in self.optimizer.hyperparameters if name != "lr"} for group in groups]
        return arrays, states, flags, chosen, [_ends(list(zip(s.steps, s.numbers, strict=True))) for s in self.segments]

    def settings(self) -> dict[str, Any]:
        """What the model must not change."""
        found: dict[str, Any] = {}
        for i, group in enumerate(self.optimizer.param_groups):
            found[f"the parameters of group {i}"] = len(group["params"])
            known = [*self.optimizer.hyperparameters, "initial_lr"]
            found |= {f"{name} of group {i}": group[name] for name in known if name in group}
        return found

    def bind(self, trained: Collection[Tensor]) -> list[Bound]:
        """The calls that update these parameters. Each must lie in its segment."""
        found: list[Bound] = []
        with self._marked(trained):
            for i, (group, segments) in enumerate(
                zip(self.optimizer.param_groups, self.optimizer._segments, strict=True)
            ):
                plan = self.optimizer._planned(i)
                for segment in segments:
                    for first, stop, _ in segment.runs():
                        buffers = segment.buffers(first, stop, plan.kernel.states, plan.kernel.layout)
                        update = self._update(group, plan.kernel, buffers, len(found))
                        found.append(Bound(group, i, segment, first, stop, update))
        return found

    def _update(self, group: ParamGroup, kernel: Kernel, buffers: Sequence[np.ndarray], number: int) -> Update:
        blocks = ["starts"] if kernel.numpy_loop is not None else []
        states = words_of(kernel.states, [*blocks, *kernel.layout_names])
        words = ["values", "gradients", *states.values(), *blocks, *kernel.layout_names]
        named = [(f"{word}{number}", array) for word, array in zip(words, buffers, strict=True)]
        moving = self._moving_names(group)
        constants = [name for name in self.optimizer.constants(group) if name not in moving]
        places = {name: ("constants", j) for j, name in enumerate(constants)}
        places |= {name: ("moving", j) for j, name in enumerate(moving)}
        scalars = [(name, *places[name]) for name in kernel.scalars]
        optimizer = self.optimizer
        numbers = optimizer.measured_kernel.numbers if isinstance(optimizer, CoupledOptimizer) else None
        together = None if numbers is None else tuple(states[number] for number in numbers)
        return Update(*_place(kernel), named, scalars, number, together, kernel.layout_names)

    def _moving_names(self, group: ParamGroup) -> list[str]:
        optimizer = self.optimizer
        return list(optimizer.moving(optimizer.numbered(group, 1, optimizer.numbers), 1))

    @contextmanager
    def _marked(self, trained: Collection[Tensor]) -> Iterator[None]:
        """For a while these parameters have gradients, and no others."""
        with self.without_gradients():
            for param in trained:
                param._grad = param._grad_slot
            yield

    @contextmanager
    def without_gradients(self) -> Iterator[None]:
        """For a while no parameter has a gradient, as when an eager step calls the model."""
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
        """For a while the rates and the counts of steps are those of another step."""
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
        """For each call two arrays: the scalars that change, a row for each step, and those that stay."""
        self.optimizer.check_ready()
        if isinstance(self.optimizer, CoupledOptimizer):
            self.optimizer.share(self.optimizer.shared_numbers())
        found = []
        for each in bound:
            dtype, first = each.segment.dtype, each.segment.steps[each.first] + 1
            before = each.segment.numbers[each.first]
            table, each.numbers = moving_table(self.optimizer, each.group, rates[:, each.number], first, dtype, before)
            found.append(table)
            moving = self._moving_names(each.group)
            constants = [v for name, v in self.optimizer.constants(each.group).items() if name not in moving]
            found.append(np.array(constants, np.float64).astype(dtype))
        return found

    def made(self, bound: Sequence[Bound], steps: int, last: np.ndarray, with_gradients: Collection[Tensor]) -> None:
        """Record that steps were made. `last`: the rates of the last step that was begun."""
        self.optimizer._has_called_step = self.optimizer._has_called_step or steps > 0
        for each in bound if steps else ():
            numbers = each.numbers[steps - 1] if each.numbers else {}
            each.segment.advance(each.first, each.stop, each.segment.steps[each.first] + steps, numbers)
        if isinstance(self.optimizer, CoupledOptimizer) and steps:
            self.optimizer.share(self.optimizer.numbers_of(bound[0].segment, bound[0].first))
        for group, rate in zip(self.optimizer.param_groups, last.tolist(), strict=True):
            dict.__setitem__(group, "lr", rate)
        self.optimizer.zero_grad()
        for param in with_gradients:
            param._grad = param._grad_slot


def _place(kernel: Kernel) -> tuple[str, str]:
    """The module that lists a kernel in its KERNELS, and the key there: how a generated file names it."""
    table = getattr(sys.modules.get(kernel.module), "KERNELS", {})
    for key, each in table.items():
        if each is kernel:
            return kernel.module, key
    raise CannotCompile(f"a kernel that {kernel.module}.KERNELS does not list; put it there, beside its rule")


def _ends(counts: Sequence[Any]) -> int | list[int]:
    """The places where one count of steps ends and another begins; the length if all are equal."""
    if counts.count(counts[0]) == len(counts):
        return len(counts)
    return [i for i in range(1, len(counts)) if counts[i] != counts[i - 1]]


# --- the scalars of many steps at once --------------------------------------------------------------------------------


class _StepNumbers:
    """The step numbers first, first + 1, ... with the arithmetic that optimizers do with a step number.

    A power is taken element by element by the C function that Python calls, so that the bits are those of one step.
    """

    def __init__(self, first: int, count: int) -> None:
        self.first, self.count = first, count

    def __rpow__(self, base: float) -> np.ndarray:
        from tinygrad_lr.kernels.ops.matmul import powers

        if base >= 0 and float(base) ** self.first == 0:  # it is too small for float64, and so are the next ones
            return np.zeros(self.count)
        if self.count < FEW and not getattr(powers, "signatures", ()):
            return np.array([float(base) ** step for step in range(self.first, self.first + self.count)])
        found = np.empty(self.count)
        powers(float(base), self.first, found)
        return found

    def __sub__(self, other: int) -> np.ndarray:
        return np.arange(self.first - other, self.first - other + self.count)

    def __gt__(self, other: int) -> bool:
        if self.first > other:
            return True
        raise TypeError("steps on both sides of a comparison")

    def __eq__(self, other: object) -> bool:
        raise TypeError("one step of many may be equal to a number")

    __hash__ = None  # type: ignore[assignment]


def moving_table(
    optimizer: Optimizer,
    group: Mapping[str, Any],
    rates: np.ndarray,
    first: int,
    dtype: DTypeLike = np.float64,
    numbers: Mapping[str, float] | None = None,
) -> tuple[np.ndarray, list[dict[str, float]]]:
    """The scalars of `optimizer.moving` at steps first, first + 1, ..., shape (steps, scalars), and its `numbers` then.

    They are computed in float64 and cast to `dtype`. Every row has the bits that `moving` gives for that step alone,
    because + - * / and the square root are correctly rounded for numbers and for arrays. `numbers` are those before
    the first of these steps; None: as they are before all.
    """
    if optimizer.numbers:
        return _numbered_table(optimizer, group, rates, first, dtype, numbers or optimizer.numbers)
    head = _one(optimizer, group, float(rates[0]), first)
    table = np.empty((len(rates), len(head)), dtype)
    table[0] = head
    if len(rates) > 1 and not _at_once(optimizer, group, rates, first, table):
        for i, rate in enumerate(rates[1:].tolist(), 1):
            table[i] = _one(optimizer, group, rate, first + i)
    return table, []


def _numbered_table(
    optimizer: Optimizer,
    group: Mapping[str, Any],
    rates: np.ndarray,
    first: int,
    dtype: DTypeLike,
    numbers: Mapping[str, float],
) -> tuple[np.ndarray, list[dict[str, float]]]:
    """The same where each step needs numbers of the step before."""
    rows, found = [], []
    for step, rate in enumerate(rates.tolist(), first):
        now = optimizer.numbered({**group, "lr": rate}, step, numbers)
        numbers = {name: now[name] for name in optimizer.numbers}
        rows.append(list(optimizer.moving(now, step).values()))
        found.append(dict(numbers))
    return np.array(rows, np.float64).astype(dtype), found


def _at_once(optimizer: Optimizer, group: Mapping[str, Any], rates: np.ndarray, first: int, table: np.ndarray) -> bool:
    """Fill all rows but the first, whose step may be a special case. False if the formula takes only single numbers."""
    count = len(rates) - 1
    try:
        steps: Any = _StepNumbers(first + 1, count)
        found = optimizer.moving({**group, "lr": rates[1:]}, steps)
        for i, values in enumerate(found.values()):
            table[1:, i] = values
    except (TypeError, ValueError):  # an error of its own comes again with numbers
        return False
    last = np.array(_one(optimizer, group, float(rates[-1]), first + count)).astype(table.dtype)
    return last.tobytes() == table[-1].tobytes()


def _one(optimizer: Optimizer, group: Mapping[str, Any], rate: float, step: int) -> list[float]:
    return list(optimizer.moving({**group, "lr": rate}, step).values())
