"""A kernel: the scalar rule of an update, and the loops that run it. This file holds the loops of all kernels.

    param, *states = rule(param, grad, *states, *scalars)

`Kernel(rule, states)` is all that an optimizer's file declares. There is one loop for the CPU and one for CUDA per
number of states. They are written out here, because Numba compiles them so, and each kernel gets copies whose name
`rule` is bound to its own rule. A copy gives the bits of a loop written by hand and is vectorised like one.

Only a kernel whose update does not go element by element writes its own loops (updates/adam_int8.py).
Next: _jit.py for how they are compiled, _run.py for how they run on arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, ClassVar

from ._jit import COMPILER_IS_OFF, bound, compiled, on_gpu, thread_index, tuple_of_array
from ._run import run as run_elements

__all__ = ["Kernel"]


# A kernel binds these names in its copies of the functions below.
rule = loop = to_fixed_tuple = count = None


def cpu0(param, grad, *scalars):
    for i in range(param.size):
        (param[i],) = rule(param[i], grad[i], *scalars)


def cpu1(param, grad, a, *scalars):
    for i in range(param.size):
        param[i], a[i] = rule(param[i], grad[i], a[i], *scalars)


def cpu2(param, grad, a, b, *scalars):
    for i in range(param.size):
        param[i], a[i], b[i] = rule(param[i], grad[i], a[i], b[i], *scalars)


def cpu3(param, grad, a, b, c, *scalars):
    for i in range(param.size):
        param[i], a[i], b[i], c[i] = rule(param[i], grad[i], a[i], b[i], c[i], *scalars)


def cpu4(param, grad, a, b, c, d, *scalars):
    for i in range(param.size):
        param[i], a[i], b[i], c[i], d[i] = rule(param[i], grad[i], a[i], b[i], c[i], d[i], *scalars)


def cpu5(param, grad, a, b, c, d, e, *scalars):
    for i in range(param.size):
        param[i], a[i], b[i], c[i], d[i], e[i] = rule(param[i], grad[i], a[i], b[i], c[i], d[i], e[i], *scalars)


def gpu0(param, grad, scalars):
    i = thread_index()
    if i < param.size:
        (param[i],) = rule(param[i], grad[i], *scalars)


def gpu1(param, grad, a, scalars):
    i = thread_index()
    if i < param.size:
        param[i], a[i] = rule(param[i], grad[i], a[i], *scalars)


def gpu2(param, grad, a, b, scalars):
    i = thread_index()
    if i < param.size:
        param[i], a[i], b[i] = rule(param[i], grad[i], a[i], b[i], *scalars)


def gpu3(param, grad, a, b, c, scalars):
    i = thread_index()
    if i < param.size:
        param[i], a[i], b[i], c[i] = rule(param[i], grad[i], a[i], b[i], c[i], *scalars)


def gpu4(param, grad, a, b, c, d, scalars):
    i = thread_index()
    if i < param.size:
        param[i], a[i], b[i], c[i], d[i] = rule(param[i], grad[i], a[i], b[i], c[i], d[i], *scalars)


def gpu5(param, grad, a, b, c, d, e, scalars):
    i = thread_index()
    if i < param.size:
        param[i], a[i], b[i], c[i], d[i], e[i] = rule(param[i], grad[i], a[i], b[i], c[i], d[i], e[i], *scalars)


CPU_LOOPS = (cpu0, cpu1, cpu2, cpu3, cpu4, cpu5)
GPU_LOOPS = (gpu0, gpu1, gpu2, gpu3, gpu4, gpu5)


def unpacking(*arguments):
    """The CPU loop with its scalars in one array: Python hands over a dozen numbers at the cost of one."""
    loop(*arguments[:-1], *to_fixed_tuple(arguments[-1], count))


class UnpackedByPython:
    """The CPU loop with its scalars in one array, which Python unpacks."""

    def __init__(self, cpu: Any) -> None:
        self.cpu = cpu

    def __call__(self, *arguments: Any) -> None:
        self.cpu(*arguments[:-1], *arguments[-1])

    @property
    def stats(self) -> Any:
        """Numba's counts of cache hits and misses."""
        return self.cpu.stats


def arguments_of(rule: Any) -> tuple[str, ...]:
    """The names of a rule's arguments, of one that Numba compiles or of a plain one."""
    code = getattr(rule, "py_func", rule).__code__
    found: tuple[str, ...] = code.co_varnames[: code.co_argcount]
    return found


def refuse_other_scalars(scalars: tuple[str, ...], *rules: Any) -> None:
    """Raise a ValueError where the arguments of one of some rules do not end with these scalars, in this order."""
    for rule in rules:
        found = arguments_of(rule)
        if found[len(found) - len(scalars) :] != scalars:
            raise ValueError(
                f"all rules of a kernel take the same scalars in the same order, here {', '.join(scalars)}; "
                f"{rule.__name__} takes {', '.join(found)}"
            )


@dataclass(frozen=True)
class Kernel:
    """One update: its rule, and the names of its state arrays in the rule's order. Its loops follow from these.

    Args:
        rule: the scalar rule, decorated with `compiled`. It returns the new parameter and the new states, as a tuple.
        states: their names in a state_dict; at most 5 for a rule.
        storage: for a state that is not kept in the parameter's dtype with one entry per element: its dtype, and how
            many elements share an entry. A kernel with such states runs on the CPU only.
        scalar_names: the rule's scalar arguments, where its signature does not name all of them.
        block_loop: a CPU loop written by hand, in place of a rule; its last array says where each block begins.
        numpy_loop: the same over whole NumPy arrays.

    Example:
        >>> from tinygrad_lr.kernels.updates.adagrad import rule
        >>> Kernel(rule, ("sum",)).scalars
        ('lr', 'eps_in', 'eps_out', 'sign', 'weight_decay', 'shrink')
    """

    interpreted: ClassVar[bool] = COMPILER_IS_OFF
    dimensions: ClassVar[int] = 1
    """How many dimensions a parameter has to have, where the layout depends on its shape."""
    layout: ClassVar[Callable[..., list[Any]] | None] = None
    """From the parameters' shapes and dtype, what the loops take after the states."""
    layout_names: ClassVar[tuple[str, ...]] = ()

    rule: Callable[..., Any] | None
    states: tuple[str, ...]
    storage: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    scalar_names: tuple[str, ...] = ()
    block_loop: Callable[..., None] | None = None
    numpy_loop: Callable[..., None] | None = None

    def __post_init__(self) -> None:
        if self.rule is not None and len(self.states) >= len(CPU_LOOPS):
            raise ValueError(
                f"a kernel has at most {len(CPU_LOOPS) - 1} states, got {', '.join(self.states)}; "
                "add loops for more of them to kernels/_kernel.py"
            )

    @property
    def module(self) -> str:
        """The module of the rule, whose table KERNELS lists this kernel."""
        found: str = self._owner.__module__
        return found

    @property
    def _owner(self) -> Any:
        return self.rule or self.block_loop

    @cached_property
    def scalars(self) -> tuple[str, ...]:
        """The names of the scalar arguments: those that follow param, grad and the states."""
        if self.scalar_names:
            return self.scalar_names
        return arguments_of(self.rule)[2 + len(self.states) :]

    @cached_property
    def cpu(self) -> Callable[..., None]:
        """The CPU loop: `cpu(param, grad, *states, *scalars)`, over flat arrays, in place."""
        if self.block_loop is not None:
            return self.block_loop
        made: Callable[..., None] = self._compiled(CPU_LOOPS[len(self.states)], "cpu", rule=self.rule)
        return made

    @property
    def by_loops(self) -> Callable[..., None]:
        """The same without any library's products."""
        return self.cpu

    @cached_property
    def loop(self) -> Callable[..., None]:
        """`by_loops` with its scalars in one array."""
        return self._unpacking(self.by_loops)

    def _unpacking(self, cpu: Any) -> Callable[..., None]:
        to_tuple = tuple_of_array()
        if to_tuple is None:
            return UnpackedByPython(cpu)
        names = {"loop": cpu, "to_fixed_tuple": to_tuple, "count": len(self.scalars)}
        made: Callable[..., None] = self._compiled(unpacking, "unpacking", **names)
        return made

    def _compiled(self, function: Any, name: str, **names: Any) -> Any:
        return compiled(bound(function, self.module, self._named(name), **names), self._owner)

    def _named(self, loop: str) -> str:
        """The name of one of the loops: that of the rule is a part of it."""
        return f"{getattr(self._owner, 'py_func', self._owner).__qualname__}.{loop}"

    @cached_property
    def gpu(self) -> on_gpu | None:
        """The CUDA loop, `gpu(param, grad, *states, scalars)`, or None where the kernel has none."""
        if self.rule is None or self.storage:
            return None
        return on_gpu(bound(GPU_LOOPS[len(self.states)], self.module, self._named("gpu"), rule=self.rule))

    @cached_property
    def run(self) -> Callable[..., None]:
        """Makes a step on arrays, in place: `run(backend, arrays, scalars)`, as in _run.py."""
        return partial(run_elements, self)

    def stored(self, key: str) -> tuple[str, Any]:
        """The dtype of a state's entries (empty: the parameter's), and its form: how many elements share an entry, or
        a function that gives the state's shape from the parameter's."""
        return self.storage.get(key, ("", 1))
