"""Ops that act element by element, with NumPy's broadcasting. One row of this table is all that such an op needs.

A row is a forward, the vector-Jacobian product for each input, what those read, and the intervals of its test inputs.
In a product, `g` is the gradient of the result. Broadcasting needs no care here: `unbroadcast` undoes it for all ops.

The same functions are compiled for single numbers (kernels/ops/elementwise.py), for compiled steps and for a GPU.
Write the constants 0 and 1 as `zero` and `one`, so that float32 stays float32 there. Where NumPy needs other words for
arrays than Python for numbers, `rules` has the functions of numbers. With `doc`, Tensor gets a method of the row's
name; `NUMPY` says where NumPy's function has another one. All tests of ops run over the rows: derivatives, compiled
form, PTX, mutation.

Where a derivative is infinite (sqrt at 0) or a value undefined (log of -1), NumPy's inf, NaN and warning come through.
Declared values: relu'(0) = 0, abs'(0) = 0, root'(0) = 0, steps such as floor have the derivative 0 everywhere, the
inputs of `maximum` and `minimum` share a tie equally, and a bound of `clip` leaves it to the value. A gradient of 0 is
selected, not multiplied: relu(-1) and then sqrt has the derivative 0, and not 0 * inf = NaN.

Next: `shapes.py`, `products.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lr.kernels.ops.elementwise import (
    cos_of,
    cosh_of,
    erf_of,
    erfc_of,
    exp_of,
    exp_of_minus_hundred,
    expm1_of,
    half,
    hundred,
    least_share,
    ln2,
    ln10,
    log1p_of,
    log_of,
    one,
    per_root_2pi,
    root_half,
    sin_of,
    sinh_of,
    sqrt_of,
    tanh_cube,
    tanh_factor,
    tanh_of,
    two_per_root_pi,
    zero,
)

from . import on_cuda, on_cuda_arithmetic, whole_numbers
from .ops import OUTPUT, Inputs, Kink, Op, register

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
INTERVAL = (-2.0, 2.0)


def elementwise(
    name: str,
    forward: Callable[..., Array],
    *vjps: Callable[..., Array],
    reads: tuple[tuple[int, ...], ...],
    rules: tuple[Callable[..., Array], ...] = (),
    domain: tuple[tuple[float, float], ...] = (INTERVAL, INTERVAL),
    cuda: bool | None = None,
    **more: Any,
) -> Op:
    """Put a row into the table.

    Args:
        name: of the op, and of its method.
        forward: `forward(a)` or `forward(a, b)`.
        vjps: `vjp(g, out, a)` or `vjp(g, out, a, b)`, one for each input.
        reads: see `Op`.
        rules: the same functions of single numbers, the forward first; by default they are the functions of arrays.
        domain: the interval of each input in tests; by default -2 to 2.
        cuda: whether the row's loops run on a GPU, for which numba-cuda must have the functions that the rules call;
            otherwise the op is refused there. By default those of one input do.
        more: other fields of `Op`.
    """
    cases = UNARY if len(vjps) == 1 else BINARY
    rules = rules or (forward, *vjps)
    op = Op(name, forward, vjps, reads, cases, domain[: len(vjps)], rules=rules, **more)
    if len(vjps) == 1 and cuda is not False:
        op.cuda_forward, op.cuda_vjps = on_cuda.of_one_input(op)
    elif cuda:
        op.cuda_forward, op.cuda_vjps = on_cuda_arithmetic.of_two_inputs(op)
    return register(op)


def zeroed(g: Array, where: Array) -> Array:
    """`g`, and 0 where a condition holds, also if `g` is infinite there.

    The bits are masked: g * 0 may be NaN, and `np.where` is slow where the condition changes from element to element.
    """
    whole = f"i{g.itemsize}"
    return (g.view(whole) & np.subtract(where, 1, dtype=whole)).view(g.dtype)


add = elementwise(
    "add", np.add, lambda g, out, a, b: g, lambda g, out, a, b: g, reads=((), ()), **on_cuda_arithmetic.ROWS["add"]
)
sub = elementwise(
    "sub",
    np.subtract,
    lambda g, out, a, b: g,
    lambda g, out, a, b: -g,
    reads=((), ()),
    **on_cuda_arithmetic.ROWS["sub"],
)
mul = elementwise(
    "mul",
    np.multiply,
    lambda g, out, a, b: g * b,
    lambda g, out, a, b: g * a,
    reads=((1,), (0,)),
    **on_cuda_arithmetic.ROWS["mul"],
)
div = elementwise(
    "div",
    np.true_divide,
    lambda g, out, a, b: g / b,
    lambda g, out, a, b: -g * (out / b),
    reads=((1,), (1, OUTPUT)),
    domain=(INTERVAL, (0.5, 2.0)),
    **on_cuda_arithmetic.ROWS["div"],
)
neg = elementwise("neg", np.negative, lambda g, out, a: -g, reads=((),))
exp = elementwise("exp", np.exp, lambda g, out, a: g * out, reads=((OUTPUT,),))
log = elementwise("log", np.log, lambda g, out, a: g / a, reads=((0,),), domain=((0.3, 3.0),))
sqrt = elementwise("sqrt", np.sqrt, lambda g, out, a: g / (out + out), reads=((OUTPUT,),), domain=((0.3, 3.0),))
square = elementwise(
    "square", lambda a: a * a, lambda g, out, a: g * (a + a), reads=((0,),), doc="Each element times itself."
)
tanh = elementwise("tanh", np.tanh, lambda g, out, a: g * (one - out * out), reads=((OUTPUT,),))
abs_ = elementwise(
    "abs",
    np.absolute,
    lambda g, out, a: zeroed(g, a == 0) * np.sign(a),
    reads=((0,),),
    rules=(np.absolute, lambda g, out, a: g if a > zero else (-g if a < zero else a)),
    analytic=False,
    kinks=(Kink((np.array([0.0, -0.0, -2.0]),), ([0.0, 0.0, -1.0],)),),
    distance=lambda a: np.min(np.abs(a), initial=1.0),
)
relu = elementwise(
    "relu",
    lambda a: np.maximum(a, np.zeros((), a.dtype)),
    lambda g, out, a: zeroed(g, out <= 0),
    reads=((OUTPUT,),),
    rules=(lambda a: zero if zero > a else a, lambda g, out, a: zero if out <= zero else g),
    analytic=False,
    kinks=(Kink((np.array([0.0, -0.0, 2.0]),), ([0.0, 0.0, 1.0],)),),
    distance=lambda a: np.min(np.abs(a), initial=1.0),
)


def _sigmoid(a: Array) -> Array:
    """1 / (1 + exp(-a)), written with the exponential of -|a|, which cannot overflow."""
    small = np.exp(np.minimum(a, -a))
    return np.where(a >= 0, np.ones((), small.dtype), small) / (1 + small)


def _sigmoid_of_number(a: Array) -> Array:
    small = exp_of(-abs(a))
    return (one if a >= zero else small) / (one + small)


sigmoid = elementwise(
    "sigmoid",
    _sigmoid,
    lambda g, out, a: g * (out * (one - out)),
    reads=((OUTPUT,),),
    floats=True,
    rules=(_sigmoid_of_number, lambda g, out, a: g * (out * (one - out))),
)

# --- activations with a number of their own, which is the second input ------------------------------------------------

leaky_relu = elementwise(
    "leaky_relu",
    lambda a, b: np.where(a > 0, a, a * b),
    lambda g, out, a, b: np.where(a > 0, g, g * b),
    lambda g, out, a, b: g * np.where(a > 0, zero, a),
    reads=((0, 1), (0,)),
    rules=(
        lambda a, b: a if a > zero else a * b,
        lambda g, out, a, b: g if a > zero else g * b,
        lambda g, out, a, b: g * (zero if a > zero else a),
    ),
    kinks=(Kink((np.array([0.0, -0.0, 2.0, -2.0]), np.array(0.25)), ([0.25, 0.25, 1.0, 0.25], -2.0)),),
    cuda=True,
)
elu = elementwise(
    "elu",
    lambda a, b: np.where(a > 0, a, b * np.expm1(np.minimum(a, 0))),
    lambda g, out, a, b: np.where(a > 0, g, g * (b * np.exp(np.minimum(a, 0)))),
    lambda g, out, a, b: g * np.expm1(np.minimum(a, 0)),
    reads=((0, 1), (0,)),
    rules=(
        lambda a, b: a if a > zero else b * expm1_of(a),
        lambda g, out, a, b: g if a > zero else g * (b * exp_of(a)),
        lambda g, out, a, b: g * (zero if a > zero else expm1_of(a)),
    ),
    kinks=(Kink((np.array([0.0, -0.0, 2.0]), np.array(0.25)), ([0.25, 0.25, 1.0], 0.0)),),
    cuda=True,
)

# --- activations that weigh their input -------------------------------------------------------------------------------


def _silu_vjp(g: Array, out: Array, a: Array) -> Array:
    weight = _sigmoid(a)
    return g * (weight + weight * (a * _sigmoid(-a)))


def _silu_of_number(a: Array) -> Array:
    small = exp_of(-abs(a))
    return a * ((one if a >= zero else small) / (one + small))


def _silu_vjp_of_number(g: Array, out: Array, a: Array) -> Array:
    small = exp_of(-abs(a))
    weight = (one if a >= zero else small) / (one + small)
    return g * (weight + weight * (a * ((small if a >= zero else one) / (one + small))))


silu = elementwise(
    "silu",
    lambda a: a * _sigmoid(a),
    _silu_vjp,
    reads=((0,),),
    floats=True,
    rules=(_silu_of_number, _silu_vjp_of_number),
)


def _gelu(a: Array) -> tuple[Array, Array]:
    """a times the normal distribution's share below a, and that share, which takes most of the time."""
    share = half * erfc_of(-a * root_half)
    return a * share, share


def _gelu_vjp_of_number(g: Array, out: Array, a: Array) -> Array:
    return g * (half * erfc_of(-a * root_half) + a * (exp_of(-half * (a * a)) * per_root_2pi))


gelu = elementwise(
    "gelu",
    _gelu,
    lambda g, share, a: (
        g * (share + a * (exp_of(-half * (a * a)) * per_root_2pi))
    ),  # the share, and a times the density
    reads=((0,),),
    keeps=True,
    floats=True,
    rules=(lambda a: a * (half * erfc_of(-a * root_half)), _gelu_vjp_of_number),
)


def _gelu_tanh(a: Array) -> Array:
    return a * (half * (one + tanh_of(tanh_factor * (a + tanh_cube * (a * a * a)))))


def _gelu_tanh_vjp(g: Array, out: Array, a: Array) -> Array:
    bent = tanh_of(tanh_factor * (a + tanh_cube * (a * a * a)))
    slope = tanh_factor * (one + (one + one + one) * tanh_cube * (a * a))
    return g * (half * (one + bent) + half * (a * ((one - bent * bent) * slope)))


gelu_tanh = elementwise("gelu_tanh", _gelu_tanh, _gelu_tanh_vjp, reads=((0,),), floats=True)


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
    return np.where(b == 0, zero, g * (b * np.power(a, np.where(b == 0, one, b) - 1)))


def _pow_vjp_exponent(g: Array, out: Array, a: Array, b: Array) -> Array:
    """a^b log a; where a = 0 the limit 0 for b > 0, and 0 declared for b = 0. NaN for a < 0, where 0^b is not real."""
    declared = (a == 0) & (b >= 0)
    return np.where(declared, zero, g * (out * np.log(np.where(declared, np.ones((), a.dtype), a))))


def _pow_vjp_base_of_numbers(g: Array, out: Array, a: Array, b: Array) -> Array:
    return g * (b * np.power(a, b - one)) if b != zero else zero


def _pow_vjp_exponent_of_numbers(g: Array, out: Array, a: Array, b: Array) -> Array:
    return zero if a == zero and b >= zero else g * (out * np.log(a))


pow_ = elementwise(
    "pow",
    _pow,
    _pow_vjp_base,
    _pow_vjp_exponent,
    reads=((0, 1), (0, 1, OUTPUT)),
    rules=(np.power, _pow_vjp_base_of_numbers, _pow_vjp_exponent_of_numbers),
    domain=((0.3, 2.0), INTERVAL),
    kinks=(
        Kink((np.array([0.0, 0.0, 3.0]), np.array([2.0, 1.0, 0.0])), ([0.0, 1.0, 0.0], [0.0, 0.0, np.log(3.0)])),
        Kink((np.array([0.0, -3.0]), np.array(2.0)), ([0.0, -6.0], None)),
        Kink((np.array([0.0, -3.0]), np.array(0.0)), ([0.0, 0.0], None)),
        Kink((np.array(0.0), np.array(0.0)), (0.0, 0.0)),
    ),
)


maximum = elementwise(
    "maximum",
    np.maximum,
    lambda g, out, a, b: zeroed(g, a <= b) + zeroed(g / 2, a != b),
    lambda g, out, a, b: zeroed(g, a >= b) + zeroed(g / 2, a != b),
    reads=((0, 1), (0, 1)),
    rules=(
        lambda a, b: a if a >= b or a != a else b,
        lambda g, out, a, b: zero if a < b else (g / (one + one) if a == b else g),
        lambda g, out, a, b: zero if a > b else (g / (one + one) if a == b else g),
    ),
    analytic=False,
    kinks=(
        Kink((np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])), ([0.5, 0.0, 1.0], [0.5, 1.0, 0.0])),
        Kink((np.array([0.0, 1.0]), np.array(0.0)), ([0.5, 1.0], 0.5)),
    ),
    distance=lambda a, b: np.min(np.abs(a - b), initial=1.0),
)
elementwise(
    "log1p",
    np.log1p,
    lambda g, out, a: g / (one + a),
    reads=((0,),),
    domain=((-0.5, 3.0),),
    doc="The natural logarithm of 1 + each element, exact where the element is near 0.",
)
elementwise(
    "expm1",
    np.expm1,
    lambda g, out, a: g * (out + one),
    reads=((OUTPUT,),),
    doc="e to the power of each element, less 1, exact where the element is near 0.",
)
minimum = elementwise(
    "minimum",
    np.minimum,
    lambda g, out, a, b: zeroed(g, a >= b) + zeroed(g / 2, a != b),
    lambda g, out, a, b: zeroed(g, a <= b) + zeroed(g / 2, a != b),
    reads=((0, 1), (0, 1)),
    rules=(
        lambda a, b: a if a <= b or a != a else b,
        lambda g, out, a, b: zero if a > b else (g / (one + one) if a == b else g),
        lambda g, out, a, b: zero if a < b else (g / (one + one) if a == b else g),
    ),
    analytic=False,
    kinks=(
        Kink((np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])), ([0.5, 1.0, 0.0], [0.5, 0.0, 1.0])),
        Kink((np.array([0.0, 1.0]), np.array(0.0)), ([0.5, 0.0], 1.5)),
    ),
    distance=lambda a, b: np.min(np.abs(a - b), initial=1.0),
)
at_least = elementwise(  # the half of `clip` below: at a tie the gradient is that of the value
    "at_least",
    np.maximum,
    lambda g, out, a, b: zeroed(g, np.logical_not(a >= b)),
    lambda g, out, a, b: zeroed(g, np.logical_not(a < b)),
    reads=((0, 1), (0, 1)),
    rules=(
        lambda a, b: a if a >= b or a != a else b,
        lambda g, out, a, b: g if a >= b else zero,
        lambda g, out, a, b: g if a < b else zero,
    ),
    analytic=False,
    kinks=(Kink((np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])), ([1.0, 0.0, 1.0], [0.0, 1.0, 0.0])),),
    distance=lambda a, b: np.min(np.abs(a - b), initial=1.0),
)
at_most = elementwise(
    "at_most",
    np.minimum,
    lambda g, out, a, b: zeroed(g, np.logical_not(a <= b)),
    lambda g, out, a, b: zeroed(g, np.logical_not(a > b)),
    reads=((0, 1), (0, 1)),
    rules=(
        lambda a, b: a if a <= b or a != a else b,
        lambda g, out, a, b: g if a <= b else zero,
        lambda g, out, a, b: g if a > b else zero,
    ),
    analytic=False,
    kinks=(Kink((np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])), ([1.0, 1.0, 0.0], [0.0, 0.0, 1.0])),),
    distance=lambda a, b: np.min(np.abs(a - b), initial=1.0),
)
remainder = elementwise(
    "remainder",
    whole_numbers.divided(np.remainder),
    lambda g, out, a, b: g,
    lambda g, out, a, b: -g * np.floor_divide(a, b),
    reads=((), (0, 1)),
    rules=(np.remainder, lambda g, out, a, b: g, lambda g, out, a, b: -g * np.floor_divide(a, b)),
    domain=(INTERVAL, (0.5, 2.0)),
    analytic=False,
    kinks=(Kink((np.array([2.0, -2.0, 3.0]), np.array([1.0, 1.0, 2.0])), ([1.0, 1.0, 1.0], [-2.0, 2.0, -1.0])),),
    distance=lambda a, b: np.min(np.abs(a / b - np.rint(a / b)), initial=1.0) / 16,
)
floor_divide = elementwise(
    "floor_divide",
    whole_numbers.divided(np.floor_divide),
    lambda g, out, a, b: np.zeros_like(g),
    lambda g, out, a, b: np.zeros_like(g),
    reads=((), ()),
    rules=(np.floor_divide, lambda g, out, a, b: zero, lambda g, out, a, b: zero),
    domain=(INTERVAL, (0.5, 2.0)),
    analytic=False,
    kinks=(Kink((np.array([2.0, -2.0]), np.array([1.0, 1.0])), ([0.0, 0.0], [0.0, 0.0])),),
    distance=remainder.distance,
)
elementwise("sin", np.sin, lambda g, out, a: g * cos_of(a), reads=((0,),), doc="The sine of each element, in radians.")
elementwise(
    "cos", np.cos, lambda g, out, a: -g * sin_of(a), reads=((0,),), doc="The cosine of each element, in radians."
)
elementwise(
    "tan",
    np.tan,
    lambda g, out, a: g * (one + out * out),
    reads=((OUTPUT,),),
    domain=((-1.2, 1.2),),
    doc="The tangent of each element, in radians.",
)
elementwise(
    "asin",
    np.arcsin,
    lambda g, out, a: g / sqrt_of(one - a * a),
    reads=((0,),),
    domain=((-0.9, 0.9),),
    doc="The angle in radians, from -pi/2 to pi/2, whose sine each element is.",
)
elementwise(
    "acos",
    np.arccos,
    lambda g, out, a: -g / sqrt_of(one - a * a),
    reads=((0,),),
    domain=((-0.9, 0.9),),
    doc="The angle in radians, from 0 to pi, whose cosine each element is.",
)
elementwise(
    "atan",
    np.arctan,
    lambda g, out, a: g / (one + a * a),
    reads=((0,),),
    doc="The angle in radians, from -pi/2 to pi/2, whose tangent each element is.",
)


def _atan2_vjp_y(g: Array, out: Array, a: Array, b: Array) -> Array:
    """b / (a^2 + b^2), and 0 declared where that is 0, as in torch."""
    size = a * a + b * b
    return zeroed(g, size == 0) * b / (size + (size == 0))


def _atan2_vjp_x(g: Array, out: Array, a: Array, b: Array) -> Array:
    return -_atan2_vjp_y(g, out, b, a)


def _atan2_vjp_y_of_numbers(g: Array, out: Array, a: Array, b: Array) -> Array:
    size = a * a + b * b
    return zero if size == zero else g * b / size


def _atan2_vjp_x_of_numbers(g: Array, out: Array, a: Array, b: Array) -> Array:
    size = a * a + b * b
    return zero if size == zero else -(g * a / size)


atan2 = elementwise(
    "atan2",
    np.arctan2,
    _atan2_vjp_y,
    _atan2_vjp_x,
    reads=((0, 1), (0, 1)),
    rules=(np.arctan2, _atan2_vjp_y_of_numbers, _atan2_vjp_x_of_numbers),
    domain=(INTERVAL, (0.5, 2.0)),
    kinks=(Kink((np.array([0.0, 1.0]), np.array([0.0, 2.0])), ([0.0, 0.4], [0.0, -0.2])),),
)
elementwise(
    "sinh", np.sinh, lambda g, out, a: g * cosh_of(a), reads=((0,),), doc="The hyperbolic sine of each element."
)
elementwise(
    "cosh", np.cosh, lambda g, out, a: g * sinh_of(a), reads=((0,),), doc="The hyperbolic cosine of each element."
)
elementwise(
    "asinh",
    np.arcsinh,
    lambda g, out, a: g / sqrt_of(one + a * a),
    reads=((0,),),
    doc="The number whose hyperbolic sine each element is.",
)
elementwise(
    "acosh",
    np.arccosh,
    lambda g, out, a: g / sqrt_of(a * a - one),
    reads=((0,),),
    domain=((1.5, 3.0),),
    doc="The number, at least 0, whose hyperbolic cosine each element is.",
)
elementwise(
    "atanh",
    np.arctanh,
    lambda g, out, a: g / (one - a * a),
    reads=((0,),),
    domain=((-0.9, 0.9),),
    doc="The number whose hyperbolic tangent each element is.",
)
elementwise(
    "exp2",
    np.exp2,
    lambda g, out, a: g * (out * ln2),
    reads=((OUTPUT,),),
    cuda=False,
    doc="2 to the power of each element.",
)
elementwise(
    "log2",
    np.log2,
    lambda g, out, a: g / (a * ln2),
    reads=((0,),),
    domain=((0.3, 3.0),),
    doc="The logarithm to base 2 of each element.",
)
elementwise(
    "log10",
    np.log10,
    lambda g, out, a: g / (a * ln10),
    reads=((0,),),
    domain=((0.3, 3.0),),
    doc="The logarithm to base 10 of each element.",
)
elementwise(
    "reciprocal",
    lambda a: one / a,
    lambda g, out, a: -g * (out * out),
    reads=((OUTPUT,),),
    domain=((0.5, 2.0),),
    doc="1 over each element.",
)
root = elementwise(  # of sums of squares: the derivative of a length is declared 0 where the length is
    "root",
    np.sqrt,
    lambda g, out, a: zeroed(g, out == 0) / (out + out + (out == 0)),
    reads=((OUTPUT,),),
    rules=(np.sqrt, lambda g, out, a: zero if out == zero else g / (out + out)),
    domain=((0.3, 3.0),),
    kinks=(Kink((np.array([0.0, 4.0]),), ([0.0, 0.25],)),),
)
# --- of losses --------------------------------------------------------------------------------------------------------


def _softplus(a: Array) -> Array:
    """log(1 + exp(a)), written with the exponential of -|a|, which cannot overflow."""
    return np.maximum(a, 0) + np.log1p(np.exp(np.minimum(a, -a)))


def _softplus_of_number(a: Array) -> Array:
    return (a if a > zero else zero) + log1p_of(exp_of(-abs(a)))


def _softplus_vjp_of_number(g: Array, out: Array, a: Array) -> Array:
    small = exp_of(-abs(a))
    return g * ((one if a >= zero else small) / (one + small))


softplus = elementwise(
    "softplus",
    _softplus,
    lambda g, out, a: g * _sigmoid(a),
    reads=((0,),),
    floats=True,
    rules=(_softplus_of_number, _softplus_vjp_of_number),
)


def _softplus_below_vjp(g: Array, out: Array, a: Array, b: Array) -> Array:
    return np.where(a > b, g, g * _sigmoid(a))


def _softplus_below_of_numbers(a: Array, b: Array) -> Array:
    return a if a > b else (a if a > zero else zero) + log1p_of(exp_of(-abs(a)))


def _softplus_below_vjp_of_numbers(g: Array, out: Array, a: Array, b: Array) -> Array:
    small = exp_of(-abs(a))
    return g if a > b else g * ((one if a >= zero else small) / (one + small))


softplus_below = elementwise(  # and a itself where a is above b
    "softplus_below",
    lambda a, b: np.where(a > b, a, _softplus(a)),
    _softplus_below_vjp,
    lambda g, out, a, b: np.zeros_like(g),
    reads=((0, 1), ()),
    floats=True,
    rules=(_softplus_below_of_numbers, _softplus_below_vjp_of_numbers, lambda g, out, a, b: zero),
    kinks=(Kink((np.array([1.0, 2.0, 3.0]), np.array(0.5)), ([1.0, 1.0, 1.0], 0.0)),),
    cuda=True,
)


def _binary_cross_entropy(a: Array, b: Array) -> Array:
    """-b log(sigmoid(a)) - (1 - b) log(1 - sigmoid(a)): |a| times the weight of the other class, and a small rest.

    Nothing is subtracted from a large number, and a weight of 0 gives 0, also for an infinite a.
    """
    other = np.where(a >= 0, 1 - b, -b)
    return other * np.where(other == 0, zero, a) + np.log1p(np.exp(np.minimum(a, -a)))


def _binary_cross_entropy_vjp(g: Array, out: Array, a: Array, b: Array) -> Array:
    """sigmoid(a) - b, right also where the sigmoid is rounded to 1."""
    small = np.exp(np.minimum(a, -a))
    rest = small / (1 + small)
    return g * np.where(a >= 0, 1 - b - rest, rest - b)


def _binary_cross_entropy_of_numbers(a: Array, b: Array) -> Array:
    other = one - b if a >= zero else -b
    return (zero if other == zero else other * a) + log1p_of(exp_of(-abs(a)))


def _binary_cross_entropy_vjp_of_numbers(g: Array, out: Array, a: Array, b: Array) -> Array:
    small = exp_of(-abs(a))
    rest = small / (one + small)
    return g * (one - b - rest if a >= zero else rest - b)


binary_cross_entropy_with_logits = elementwise(
    "binary_cross_entropy_with_logits",
    _binary_cross_entropy,
    _binary_cross_entropy_vjp,
    lambda g, out, a, b: -g * a,
    reads=((0, 1), (0,)),
    floats=True,
    rules=(_binary_cross_entropy_of_numbers, _binary_cross_entropy_vjp_of_numbers, lambda g, out, a, b: -g * a),
    domain=(INTERVAL, (0.0, 1.0)),
    cuda=True,
)


def _log_of_share(a: Array) -> Array:
    """The logarithm, but at least -100."""
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(a), -hundred)


def _shares_loss(a: Array, b: Array) -> Array:
    """-b log(a) - (1 - b) log(1 - a), both logarithms being at least -100."""
    return -(b * _log_of_share(a) + (1 - b) * _log_of_share(1 - a))


def _shares_loss_of_numbers(a: Array, b: Array) -> Array:
    first = -hundred if zero <= a < exp_of_minus_hundred else log_of(a)
    second = -hundred if a == one else log_of(one - a)
    return -(b * first + (one - b) * second)


def _shares_loss_vjp_target_of_numbers(g: Array, out: Array, a: Array, b: Array) -> Array:
    first = -hundred if zero <= a < exp_of_minus_hundred else log_of(a)
    second = -hundred if a == one else log_of(one - a)
    return g * (second - first)


binary_cross_entropy = elementwise(
    "binary_cross_entropy",
    _shares_loss,
    lambda g, out, a, b: g * ((a - b) / np.maximum(a * (1 - a), least_share)),
    lambda g, out, a, b: g * (_log_of_share(1 - a) - _log_of_share(a)),
    reads=((0, 1), (0,)),
    rules=(
        _shares_loss_of_numbers,
        lambda g, out, a, b: g * ((a - b) / (a * (one - a) if a * (one - a) > least_share else least_share)),
        _shares_loss_vjp_target_of_numbers,
    ),
    domain=((0.1, 0.9), (0.0, 1.0)),
    kinks=(
        Kink((np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0, 0.0])), ([0.0, 0.0, -1e12, 1e12], None)),
        Kink((np.array([0.0, 1.0]), np.array([0.5, 0.5])), (None, [100.0, -100.0])),
    ),
    cuda=True,
)


def _within(a: Array, b: Array) -> Array:
    """a, but at least -b and at most b."""
    return np.where(a > b, b, np.where(a < -b, -b, a))


def _huber(a: Array, b: Array) -> Array:
    """a^2 / 2 where |a| <= b, and b (|a| - b / 2) beyond: no square that is not wanted can overflow."""
    size = np.maximum(a, -a)
    near = np.where(size > b, b, size)
    return near * (size - near / 2)


def _huber_vjp_width(g: Array, out: Array, a: Array, b: Array) -> Array:
    size = np.absolute(a)
    return g * np.where(size > b, size - b, zero)


def _huber_of_numbers(a: Array, b: Array) -> Array:
    near = b if abs(a) > b else abs(a)
    return near * (abs(a) - near / (one + one))


huber = elementwise(
    "huber",
    _huber,
    lambda g, out, a, b: g * _within(a, b),
    _huber_vjp_width,
    reads=((0, 1), (0, 1)),
    rules=(
        _huber_of_numbers,
        lambda g, out, a, b: g * (b if a > b else (-b if a < -b else a)),
        lambda g, out, a, b: g * (abs(a) - b if abs(a) > b else zero),
    ),
    domain=(INTERVAL, (0.5, 1.5)),
    cuda=True,
)


def _smooth_l1(a: Array, b: Array) -> Array:
    """a^2 / (2 b) where |a| <= b, and |a| - b / 2 beyond."""
    size = np.maximum(a, -a)
    near = np.where(size > b, b, size)
    return near / b * (size - near / 2)


def _smooth_l1_vjp_width(g: Array, out: Array, a: Array, b: Array) -> Array:
    share = np.where(np.absolute(a) > b, b, a) / b
    return -g * (share * share / 2)


def _smooth_l1_of_numbers(a: Array, b: Array) -> Array:
    near = b if abs(a) > b else abs(a)
    return near / b * (abs(a) - near / (one + one))


def _smooth_l1_vjp_width_of_numbers(g: Array, out: Array, a: Array, b: Array) -> Array:
    share = (b if abs(a) > b else a) / b
    return -g * (share * share / (one + one))


smooth_l1 = elementwise(
    "smooth_l1",
    _smooth_l1,
    lambda g, out, a, b: g * (_within(a, b) / b),
    _smooth_l1_vjp_width,
    reads=((0, 1), (0, 1)),
    rules=(
        _smooth_l1_of_numbers,
        lambda g, out, a, b: g * ((b if a > b else (-b if a < -b else a)) / b),
        _smooth_l1_vjp_width_of_numbers,
    ),
    domain=(INTERVAL, (0.5, 1.5)),
    cuda=True,
)
weighted = elementwise(  # a product in which a weight of 0 gives 0, also of an infinite a
    "weighted",
    lambda a, b: b * np.where(b == 0, zero, a),
    lambda g, out, a, b: g * b,
    lambda g, out, a, b: g * a,
    reads=((1,), (0,)),
    rules=(lambda a, b: zero if b == zero else a * b, lambda g, out, a, b: g * b, lambda g, out, a, b: g * a),
    kinks=(Kink((np.array([np.inf, -np.inf, 2.0]), np.array([0.0, 0.0, 3.0])), ([0.0, 0.0, 3.0], None)),),
    cuda=True,
)
STEPS: dict[str, Any] = {  # of the rows that are constant between whole numbers
    "analytic": False,
    "kinks": (Kink((np.array([0.0, 1.0, -2.0]),), ([0.0, 0.0, 0.0],)),),
    "distance": lambda a: np.min(np.abs(a - np.rint(a)), initial=1.0),
}
elementwise(
    "sign",
    whole_numbers.sign,
    lambda g, out, a: np.zeros_like(g),
    reads=((),),
    rules=(lambda a: one if a > zero else (-one if a < zero else a), lambda g, out, a: zero),
    doc="-1, 0 or 1, as each element is negative, zero or positive; the derivative is 0.",
    **STEPS,
)
elementwise(
    "floor",
    whole_numbers.kept(np.floor),
    lambda g, out, a: np.zeros_like(g),
    reads=((),),
    rules=(np.floor, lambda g, out, a: zero),
    doc="The largest whole number that is at most each element; the derivative is 0.",
    cuda=False,
    **STEPS,
)
elementwise(
    "ceil",
    whole_numbers.kept(np.ceil),
    lambda g, out, a: np.zeros_like(g),
    reads=((),),
    rules=(np.ceil, lambda g, out, a: zero),
    doc="The least whole number that is at least each element; the derivative is 0.",
    cuda=False,
    **STEPS,
)
elementwise(
    "trunc",
    whole_numbers.kept(np.trunc),
    lambda g, out, a: np.zeros_like(g),
    reads=((),),
    rules=(np.trunc, lambda g, out, a: zero),
    doc="Each element without what stands after the point; the derivative is 0.",
    cuda=False,
    **STEPS,
)

elementwise(
    "frac",
    lambda a: a - np.trunc(a),
    lambda g, out, a: g,
    reads=((),),
    rules=(lambda a: a - np.trunc(a), lambda g, out, a: g),
    doc="What stands after the point of each element, with its sign.",
    cuda=False,
    analytic=False,
    kinks=(Kink((np.array([0.0, 1.0, -2.0]),), ([1.0, 1.0, 1.0],)),),
    distance=STEPS["distance"],
)
elementwise(
    "erf",
    whole_numbers.of_floats(erf_of),
    lambda g, out, a: g * (exp_of(-a * a) * two_per_root_pi),
    reads=((0,),),
    rules=(lambda a: erf_of(a), lambda g, out, a: g * (exp_of(-a * a) * two_per_root_pi)),
    doc="2 / sqrt(pi) times the integral of exp(-t^2) from 0 to each element.",
)
elementwise(
    "erfc",
    whole_numbers.of_floats(erfc_of),
    lambda g, out, a: -g * (exp_of(-a * a) * two_per_root_pi),
    reads=((0,),),
    rules=(lambda a: erfc_of(a), lambda g, out, a: -g * (exp_of(-a * a) * two_per_root_pi)),
    doc="1 less `erf` of each element, exact where that is near 1.",
)
elementwise(
    "round",
    whole_numbers.kept(np.rint),
    lambda g, out, a: np.zeros_like(g),
    reads=((),),
    rules=(np.rint, lambda g, out, a: zero),
    doc="The whole number nearest to each element, the even one of two; the derivative is 0.",
    cuda=False,
    analytic=False,
    kinks=(Kink((np.array([0.5, -1.5, 2.0]),), ([0.0, 0.0, 0.0],)),),
    distance=lambda a: np.min(np.abs(a - np.floor(a) - 0.5), initial=1.0),
)

# NumPy's names of rows that are named as in torch.
NUMPY = {
    "subtract": "sub",
    "multiply": "mul",
    "divide": "div",
    "power": "pow",
    "negative": "neg",
    "absolute": "abs",
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "arctan2": "atan2",
    "arcsinh": "asinh",
    "arccosh": "acosh",
    "arctanh": "atanh",
    "rint": "round",
}
