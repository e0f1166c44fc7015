"""The loops of ops that act element by element. All arrays are flat, contiguous and of one length;
on a GPU an input of two may be a single number.

    out = rule(a)                     out = rule(a, b)                the op itself, of one input or two
    out = rule(g, value, a)           out = rule(g, value, a, b)      its vector-Jacobian product for one input

`g` is the gradient of the op's result `value`. The rules stand in the rows of engine/elementwise.py, where they run
over NumPy arrays. Here they become rules for single numbers of one dtype: `zero` and `one` are bound to numbers of that
dtype, so that float32 stays float32, and NumPy's functions to those of `math`. A loop is bound to such a rule.

Numba is imported when the first loop is made, so that the engine can import this file. Next: moves.py.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from . import erf

__all__ = [
    "Rule",
    "cos_of",
    "cosh_of",
    "cpu_loop",
    "erf_of",
    "erfc_of",
    "exp_of",
    "exp_of_minus_hundred",
    "expm1_of",
    "gpu_loop",
    "half",
]
__all__ += ["hundred", "least_share", "ln10", "ln2", "log1p_of", "log_of", "one", "per_root_2pi", "root_half"]
__all__ += ["sin_of", "sinh_of", "sqrt_of", "tanh_cube", "tanh_factor", "tanh_of", "two_per_root_pi", "zero"]

Rule = Callable[..., Any]

# What rules may name besides their arguments. Over arrays they mean this; a loop binds numbers of its dtype, and the
# functions of `math` of the same names, to them.
zero, one = 0, 1
ln2 = math.log(2)
ln10 = math.log(10)
half = 0.5
root_half = math.sqrt(0.5)
per_root_2pi = 1 / math.sqrt(2 * math.pi)
two_per_root_pi = 2 / math.sqrt(math.pi)
# of the logarithms and the derivative of binary_cross_entropy, as torch has them
hundred, exp_of_minus_hundred, least_share = 100.0, math.exp(-100), 1e-12
tanh_factor, tanh_cube = math.sqrt(2 / math.pi), 0.044715  # of GELU by tanh
exp_of = np.exp
log1p_of = np.log1p
expm1_of = np.expm1
tanh_of = np.tanh
erfc_of = erf.erfc
erf_of = erf.erf
log_of = np.log
sqrt_of = np.sqrt
sin_of = np.sin
cos_of = np.cos
sinh_of = np.sinh
cosh_of = np.cosh
NUMBERS = {"zero": zero, "one": one, "ln2": ln2, "ln10": ln10, "half": half, "root_half": root_half}
NUMBERS |= {"per_root_2pi": per_root_2pi, "tanh_factor": tanh_factor, "tanh_cube": tanh_cube}
NUMBERS |= {"two_per_root_pi": two_per_root_pi, "hundred": hundred, "least_share": least_share}
NUMBERS |= {"exp_of_minus_hundred": exp_of_minus_hundred}
OF_ARRAYS = {"exp": exp_of, "expm1": expm1_of, "log1p": log1p_of, "tanh": tanh_of, "erfc": erfc_of, "sqrt": sqrt_of}
OF_ARRAYS |= {"sin": sin_of, "cos": cos_of, "sinh": sinh_of, "cosh": cosh_of, "erf": erf_of, "log": log_of}

# NumPy's functions as functions of numbers. Its other functions have those of `math` of the same name.
OF_NUMBERS: dict[Any, Rule] = {
    np.arcsin: math.asin,
    np.arccos: math.acos,
    np.arctan: math.atan,
    np.arctan2: math.atan2,
    np.arcsinh: math.asinh,
    np.arccosh: math.acosh,
    np.arctanh: math.atanh,
    np.exp2: np.exp2,
    np.log2: np.log2,
    np.floor: np.floor,
    np.ceil: np.ceil,
    np.trunc: np.trunc,
    np.remainder: np.remainder,
    np.floor_divide: np.floor_divide,
    np.negative: operator.neg,
    np.absolute: abs,
    np.add: operator.add,
    np.subtract: operator.sub,
    np.multiply: operator.mul,
    np.true_divide: operator.truediv,
}

# The names that `cpu_loop` and `gpu_loop` bind in the loops below.
rule = thread_index = None


def cpu1(a, out):
    for i in range(out.size):
        out[i] = rule(a[i])


def cpu2(a, b, out):
    for i in range(out.size):
        out[i] = rule(a[i], b[i])


def cpu3(a, b, c, out):
    for i in range(out.size):
        out[i] = rule(a[i], b[i], c[i])


def cpu4(a, b, c, d, out):
    for i in range(out.size):
        out[i] = rule(a[i], b[i], c[i], d[i])


def gpu1(a, out):
    i = thread_index()
    if i < out.size:
        out[i] = rule(a[i])


def gpu2(a, b, out):
    i = thread_index()
    if i < out.size:
        out[i] = rule(a[min(i, a.size - 1)], b[min(i, b.size - 1)])


def gpu3(a, b, c, out):
    i = thread_index()
    if i < out.size:
        out[i] = rule(a[i], b[i], c[i])


def gpu4(a, b, c, d, out):
    i = thread_index()
    if i < out.size:
        out[i] = rule(a[i], b[i], c[min(i, c.size - 1)], d[min(i, d.size - 1)])


CPU_LOOPS = {1: cpu1, 2: cpu2, 3: cpu3, 4: cpu4}
GPU_LOOPS = {1: gpu1, 2: gpu2, 3: gpu3, 4: gpu4}


def of_numbers(function: Rule, name: str, dtype: np.dtype[Any], interpreted: bool) -> Rule:
    """A rule over arrays as a compiled rule for single numbers of a dtype.

    Args:
        function: the rule, or a function of NumPy.
        name: a name that no other rule of its file has.
        dtype: of the results.
        interpreted: whether Python runs it, which needs NumPy's functions: those of `math` give float64.
    """
    from .._jit import bound, compiled

    if isinstance(function, np.ufunc):
        of_math: Rule = getattr(math, function.__name__, function)
        return function if interpreted else OF_NUMBERS.get(function, of_math)
    names: dict[str, Any] = {name: dtype.type(number) for name, number in NUMBERS.items()}
    names |= {f"{name}_of": array if interpreted else getattr(math, name) for name, array in OF_ARRAYS.items()}
    made: Rule = compiled(bound(function, function.__module__, name, **names), function)
    return made


def cpu_loop(function: Rule, count: int, name: str, dtype: np.dtype[Any]) -> Callable[..., None]:
    """The loop of a rule with so many arguments: `loop(*arrays, out)`."""
    from .._jit import COMPILER_IS_OFF, bound, compiled

    name = f"{name}_{dtype.name}"
    made: Callable[..., None] = compiled(
        bound(CPU_LOOPS[count], __name__, f"{name}.cpu", rule=of_numbers(function, name, dtype, COMPILER_IS_OFF))
    )
    return made


def gpu_loop(function: Rule, count: int, name: str, dtype: np.dtype[Any]) -> Any:
    """The same for CUDA: an `on_gpu`."""
    from .._jit import bound, on_gpu

    name = f"{name}_{dtype.name}"
    return on_gpu(bound(GPU_LOOPS[count], __name__, f"{name}.gpu", rule=of_numbers(function, name, dtype, False)))
