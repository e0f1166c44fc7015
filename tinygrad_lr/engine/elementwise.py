"""Ops that act element by element, with NumPy's broadcasting.

Each row is a forward, the vector-Jacobian product for each input, and test inputs. In a product, `g` is the gradient
of the result; broadcasting needs no care here, because `unbroadcast` undoes it for all ops alike.
Where a derivative is infinite (sqrt at 0) or a value undefined (log of -1), NumPy's inf, NaN and warning come through.
Declared values: relu'(0) = 0, abs'(0) = 0, the inputs of `maximum` share a tie equally.

Next: `shapes.py`, `products.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import on_cuda, on_cuda_arithmetic
from .ops import OUTPUT, Inputs, Kink, Op, register

__all__ = [
    "abs_",
    "add",
    "div",
    "exp",
    "log",
    "maximum",
    "mul",
    "neg",
    "pow_",
    "relu",
    "sigmoid",
    "sqrt",
    "sub",
    "tanh",
]

Array = Any

UNARY = (Inputs(((),)), Inputs(((3,),)), Inputs(((2, 3),)), Inputs(((0,),)), Inputs(((2, 0, 3),)))
BINARY = (
    Inputs(((), ())),
    Inputs(((3,), (3,))),
    Inputs(((2, 3), ())),
    Inputs(((), (3,))),
    Inputs(((2, 3), (3,))),
    Inputs(((2, 1), (3,))),
    Inputs(((1,), (2, 3))),
    Inputs(((4, 1, 2), (3, 1))),
    Inputs(((0, 3), (1, 3))),
    Inputs(((1,), (0,))),
)
ANY = ((-2.0, 2.0), (-2.0, 2.0))

add = register(
    Op(
        "add",
        np.add,
        (lambda g, out, a, b: g, lambda g, out, a, b: g),
        reads=((), ()),
        cases=BINARY,
        domain=ANY,
        **on_cuda_arithmetic.ROWS["add"],
    )
)
sub = register(
    Op(
        "sub",
        np.subtract,
        (lambda g, out, a, b: g, lambda g, out, a, b: -g),
        reads=((), ()),
        cases=BINARY,
        domain=ANY,
        **on_cuda_arithmetic.ROWS["sub"],
    )
)
mul = register(
    Op(
        "mul",
        np.multiply,
        (lambda g, out, a, b: g * b, lambda g, out, a, b: g * a),
        reads=((1,), (0,)),
        cases=BINARY,
        domain=ANY,
        **on_cuda_arithmetic.ROWS["mul"],
    )
)
div = register(
    Op(
        "div",
        np.true_divide,
        (lambda g, out, a, b: g / b, lambda g, out, a, b: -(g / b) * out),
        reads=((1,), (1, OUTPUT)),
        cases=BINARY,
        domain=((-2.0, 2.0), (0.5, 2.0)),
        **on_cuda_arithmetic.ROWS["div"],
    )
)
neg = register(
    Op("neg", np.negative, (lambda g, out, a: -g,), reads=((),), cases=UNARY, **on_cuda_arithmetic.ROWS["neg"])
)


def _pow(a: Array, b: Array) -> Array:
    return a * a if b.ndim == 0 and b == 2 and b.dtype == a.dtype else np.power(a, b)


def _pow_vjp_base(g: Array, out: Array, a: Array, b: Array) -> Array:
    """b a^(b-1), and 0 for b = 0 also where a = 0."""
    if b.ndim == 0:
        if b == 2:
            return g * (a + a)
        if b == 0:
            return np.zeros_like(g)
        return g * (b * np.power(a, b - 1))
    one = np.ones((), b.dtype)
    return g * (b * np.power(a, np.where(b == 0, one, b) - 1))


def _pow_vjp_exponent(g: Array, out: Array, a: Array, b: Array) -> Array:
    """a^b log a; where a = 0 the limit 0 for b > 0, and 0 declared for b = 0. NaN for a < 0, where 0^b is not real."""
    declared = (a == 0) & (b >= 0)
    return g * np.where(declared, np.zeros((), out.dtype), out * np.log(np.where(declared, np.ones((), a.dtype), a)))


pow_ = register(
    Op(
        "pow",
        _pow,
        (_pow_vjp_base, _pow_vjp_exponent),
        reads=((0, 1), (0, 1, OUTPUT)),
        cases=BINARY,
        domain=((0.3, 2.0), (-2.0, 2.0)),
        kinks=(
            Kink((np.array([0.0, 0.0, 3.0]), np.array([2.0, 1.0, 0.0])), ([0.0, 1.0, 0.0], [0.0, 0.0, np.log(3.0)])),
            Kink((np.array([0.0, -3.0]), np.array(2.0)), ([0.0, -6.0], None)),
            Kink((np.array([0.0, -3.0]), np.array(0.0)), ([0.0, 0.0], None)),
            Kink((np.array(0.0), np.array(0.0)), (0.0, 0.0)),
        ),
    )
)
exp = register(Op("exp", np.exp, (lambda g, out, a: g * out,), reads=((OUTPUT,),), cases=UNARY))
log = register(Op("log", np.log, (lambda g, out, a: g / a,), reads=((0,),), cases=UNARY, domain=((0.3, 3.0),)))
sqrt = register(
    Op("sqrt", np.sqrt, (lambda g, out, a: g / (out + out),), reads=((OUTPUT,),), cases=UNARY, domain=((0.3, 3.0),))
)
abs_ = register(
    Op(
        "abs",
        np.absolute,
        (lambda g, out, a: g * np.sign(a),),
        reads=((0,),),
        cases=UNARY,
        analytic=False,
        kinks=(Kink((np.array([0.0, -0.0, -2.0]),), ([0.0, 0.0, -1.0],)),),
        distance=lambda a: np.min(np.abs(a), initial=1.0),
    )
)
relu = register(
    Op(
        "relu",
        lambda a: np.maximum(a, np.zeros((), a.dtype)),
        (lambda g, out, a: g * (out > 0),),
        reads=((OUTPUT,),),
        cases=UNARY,
        analytic=False,
        kinks=(Kink((np.array([0.0, -0.0, 2.0]),), ([0.0, 0.0, 1.0],)),),
        distance=lambda a: np.min(np.abs(a), initial=1.0),
        **on_cuda.ACTIVATIONS["relu"],
    )
)
tanh = register(
    Op(
        "tanh",
        np.tanh,
        (lambda g, out, a: g * (1 - out * out),),
        reads=((OUTPUT,),),
        cases=UNARY,
        **on_cuda.ACTIVATIONS["tanh"],
    )
)


def _sigmoid(a: Array) -> Array:
    """1 / (1 + exp(-a)), written with the exponential of -|a|, which cannot overflow."""
    small = np.exp(np.minimum(a, -a))
    return np.where(a >= 0, np.ones((), small.dtype), small) / (1 + small)


sigmoid = register(
    Op(
        "sigmoid",
        _sigmoid,
        (lambda g, out, a: g * (out * (1 - out)),),
        reads=((OUTPUT,),),
        cases=UNARY,
        **on_cuda.ACTIVATIONS["sigmoid"],
    )
)


def _share(a: Array, b: Array, dtype: Any) -> Array:
    """The part of the gradient that goes to `a`: all, none, or half at a tie."""
    return ((a > b).astype(dtype) + (a >= b)) / 2


maximum = register(
    Op(
        "maximum",
        np.maximum,
        (lambda g, out, a, b: g * _share(a, b, g.dtype), lambda g, out, a, b: g * (1 - _share(a, b, g.dtype))),
        reads=((0, 1), (0, 1)),
        cases=BINARY,
        domain=ANY,
        analytic=False,
        kinks=(
            Kink((np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])), ([0.5, 0.0, 1.0], [0.5, 1.0, 0.0])),
            Kink((np.array([0.0, 1.0]), np.array(0.0)), ([0.5, 1.0], 0.5)),
        ),
        distance=lambda a, b: np.min(np.abs(a - b), initial=1.0),
    )
)
