"""How everything is compiled, said once: rules and CPU loops by `compiled`, CUDA loops by `on_gpu`.

A rule is a scalar function, `param, *state = rule(param, grad, *state, *scalars)`, made of + - * / sqrt and `maximum`
only. The same rule serves four ways: compiled into the CPU loop, compiled into the CUDA loop, run as plain Python when
Numba's compiler is off, and run over whole NumPy arrays (`over_arrays`) where Numba is not installed.

`error_model="numpy"` and `fastmath=False` stand on every rule and every loop: with another error model the loops do
not vectorise, and with fastmath the results would no longer be those of the formula.
"""

from __future__ import annotations

import importlib
import math
import os
import warnings
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

WITHOUT_NUMBA = os.environ.get("TINYGRAD_LR_BACKEND") == "numpy"
if not WITHOUT_NUMBA:
    try:
        import numba
    except ImportError:
        WITHOUT_NUMBA = True

COMPILER_IS_OFF = WITHOUT_NUMBA or bool(numba.config.DISABLE_JIT)  # type: ignore[attr-defined]
if not COMPILER_IS_OFF:
    from ._cache import warn_not_kept
    from ._store import keep
# `forceinline`: a compiled step of a small model is many calls; inlined, it takes a third of the time.
_FLAGS: dict[str, Any] = {"nogil": True, "forceinline": True, "error_model": "numpy", "fastmath": False}
# What rules call `sqrt`: plain Python's would make a float of a float32.
sqrt: Any = np.sqrt if COMPILER_IS_OFF else math.sqrt
_rules: set[FunctionType] = set()
cuda: Any = None  # numba.cuda, once a CUDA loop is compiled


def compiled(function: Any, owner: Any = None) -> Any:
    """Compile a rule or a CPU loop on first use, cached on disk; without Numba, the function as it is.

    Args:
        function: what is compiled.
        owner: the rule in whose file's name machine code is cached; by default the function itself.
    """
    rule = function if WITHOUT_NUMBA else numba.njit(**_FLAGS)(function)
    if not COMPILER_IS_OFF:
        try:
            keep(rule, getattr(owner, "py_func", owner) or function)
        except OSError as error:  # the source cannot be read, so that nothing tells old machine code from new
            warn_not_kept(error)
    _rules.add(function)
    return rule


@compiled
def maximum(a, b):
    """The larger of two numbers; NaN where one of them is."""
    return a if a > b else (b if a == a else a)


@compiled
def choose(condition, a, b):
    """`a` where the condition holds, else `b`; over whole arrays element by element."""
    return a if condition else b


@compiled
def minimum(a, b):
    """The smaller of two numbers; NaN where one of them is."""
    return -maximum(-a, -b)


@compiled
def ratio(a, b, otherwise):
    """The quotient of two sizes that are not negative, and another number where either is 0; of single numbers."""
    return otherwise if a == 0.0 or b == 0.0 else a / b


@compiled
def like(x, number):
    """A number in the dtype of x."""
    return type(x)(number)


def bound(function: Any, module: str, name: str, **names: Any) -> FunctionType:
    """A copy of a function for which some of its global names stand for something else.

    Numba tells compiled functions apart by module and name, so copies must not share both.
    """
    copy = FunctionType(function.__code__, {**function.__globals__, **names}, name.rpartition(".")[2])
    copy.__module__, copy.__qualname__, copy.__doc__ = module, name, function.__doc__
    return copy


def uncompiled(rule: Any, **bindings: Any) -> Callable[..., Any]:
    """The rule as plain Python, and the rules that it calls too, with the given names bound to other functions."""
    function = getattr(rule, "py_func", rule)
    bindings = {"sqrt": np.sqrt, **bindings}
    names = dict(function.__globals__)
    for name in function.__code__.co_names:
        used = getattr(names.get(name), "py_func", names.get(name))
        if name in bindings:
            names[name] = bindings[name]
        elif isinstance(used, FunctionType) and used in _rules:
            names[name] = uncompiled(used, **bindings)
    return FunctionType(function.__code__, names, function.__name__)


def larger(a: Any, b: Any) -> Any:
    """`maximum` over whole arrays."""
    return np.where(a > b, a, np.where(a == a, b, a))


def cast(x: Any, number: Any) -> Any:
    """`like` over whole arrays."""
    return np.asarray(number, x.dtype)


def over_arrays(rule: Any) -> Callable[..., Any]:
    """The same scalar rule over whole NumPy arrays: its `sqrt`, `maximum`, `choose` and `like` become NumPy's."""
    return uncompiled(rule, sqrt=np.sqrt, maximum=larger, choose=np.where, like=cast)


def thread_index() -> int:
    """Inside a CUDA loop: the index of this thread's element. Bound to the device function when a loop is compiled."""
    raise RuntimeError("thread_index() is only defined inside a CUDA kernel")


def _with_device_rules(function: FunctionType, **bindings: Any) -> FunctionType:
    """The function with names bound, and the rules that it calls compiled for the device where the CPU's are not."""
    names = {**function.__globals__, **bindings}
    if COMPILER_IS_OFF and not importlib.import_module("numba").config.ENABLE_CUDASIM:
        names |= {"sqrt": math.sqrt} if "sqrt" in names else {}
        for name in function.__code__.co_names:
            rule = names.get(name)
            if isinstance(rule, FunctionType) and rule in _rules:
                names[name] = cuda.jit(device=True)(_with_device_rules(rule))
    return FunctionType(function.__code__, names, function.__name__)


class on_gpu:
    """A CUDA loop, compiled at its first launch, so that numba.cuda is imported only where it is used."""

    def __init__(self, function: Any) -> None:
        self.function: FunctionType = function
        self.__doc__ = function.__doc__
        self._dispatcher: Any = None
        self._configured: dict[tuple[int, int], Any] = {}

    @property
    def py_func(self) -> FunctionType:
        """The loop with `thread_index` bound to the device function: what numba.cuda compiles."""
        global cuda  # the simulator replaces `cuda` among a function's globals, so it must stand there
        cuda = importlib.import_module("numba.cuda")

        @cuda.jit(device=True)
        def index():
            return cuda.grid(1)

        return _with_device_rules(self.function, thread_index=index)

    def launch(self, size: int, arguments: tuple[Any, ...]) -> None:
        """Run over `size` elements, one thread each."""
        threads = min(size, 256)
        shape = (size + threads - 1) // threads, threads
        if shape not in self._configured:
            self._configured[shape] = self._of_shape(shape)
        self._configured[shape](*arguments)

    def _of_shape(self, shape: tuple[int, int]) -> Any:
        """The loop for a number of blocks and of threads in each. That few leave a GPU idle is no news to a user whose
        arrays are small."""
        from numba import cuda

        if self._dispatcher is None:
            self._dispatcher = cuda.jit(fastmath=False)(self.py_func)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*Grid size")
            found = self._dispatcher[shape]
        if found is self._dispatcher:  # the simulator's, which bears the last shape it was given
            return lambda *arguments: self._dispatcher[shape](*arguments)
        return found


def tuple_of_array() -> Any:
    """Numba's `to_fixed_tuple`, or None where the compiler is off or this Numba has it no more."""
    if COMPILER_IS_OFF:
        return None
    from ._numba import TUPLES, resolve, usable

    return resolve(*TUPLES.used_for) if usable(TUPLES) else None
