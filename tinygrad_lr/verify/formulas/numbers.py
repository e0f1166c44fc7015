"""Functions that the formulas use, for every type of number that a formula may run on.

A formula runs on Python floats, on float64 (or float32) arrays, on `Enclosure` (intervals with rounding, enclosure.py)
and on mpmath numbers. A type that knows an operation is asked for it; where a decision depends on a rounded number an
enclosure takes both branches together. Next: family.py, then a formula, adam.py.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .decisions import Truth

Number = Any  # a float, a NumPy array, an Enclosure or an mpmath number
State = dict[str, Any]


def _in_mpmath(x: Number) -> bool:
    return type(x).__module__.startswith("mpmath")


def sqrt(x: Number) -> Number:
    """The square root of any of the number types (a type that knows its own root is asked for it)."""
    if type(x) in (int, float):
        return math.sqrt(x)  # a Python float, which does not widen float32 arrays
    if hasattr(x, "sqrt"):
        return x.sqrt()
    if _in_mpmath(x):
        return x.context.sqrt(x)
    if isinstance(x, np.ndarray) and x.dtype == object:  # of mpmath numbers
        return np.frompyfunc(sqrt, 1, 1)(x)
    return np.sqrt(x)


def cbrt(x: Number) -> Number:
    """The cube root of numbers that are not negative."""
    if hasattr(x, "cbrt"):
        return x.cbrt()
    if _in_mpmath(x):
        return x.context.cbrt(x)
    if isinstance(x, np.ndarray) and x.dtype == object:  # of mpmath numbers
        return np.frompyfunc(cbrt, 1, 1)(x)
    return np.cbrt(x)


def maximum(x: Number, y: Number) -> Number:
    """The larger of two numbers of any of the number types."""
    if hasattr(x, "maximum"):
        return x.maximum(y)
    if hasattr(y, "maximum"):
        return y.maximum(x)
    if type(x) in (int, float) and type(y) in (int, float):
        return max(x, y)  # a Python float, which does not widen float32 arrays
    if _in_mpmath(x):
        return x if x > y else type(x)(y)
    return np.maximum(x, y)


def minimum(x: Number, y: Number) -> Number:
    """The smaller of two numbers of any of the number types."""
    return -maximum(-x, -y)


def exp(x: Number) -> Number:
    """The exponential."""
    return _by_library(x, "exp")


def log(x: Number) -> Number:
    """The natural logarithm of positive numbers."""
    return _by_library(x, "log")


def tanh(x: Number) -> Number:
    """The hyperbolic tangent."""
    return _by_library(x, "tanh")


def _by_library(x: Number, name: str) -> Number:
    if type(x) in (int, float):
        return getattr(math, name)(x)
    if _in_mpmath(x):
        return getattr(x.context, name)(x)
    if hasattr(x, name):
        return getattr(x, name)()
    if isinstance(x, np.ndarray) and x.dtype == object:  # of mpmath numbers
        return np.frompyfunc(lambda each: _by_library(each, name), 1, 1)(x)
    return getattr(np, name)(x)


def where(condition: Any, a: Number, b: Number) -> Number:
    """Elementwise a where the condition holds, else b.

    Example:
        >>> g = np.array([-2.0, 3.0])
        >>> where(g > 0, g, 0.0)
        array([0., 3.])
    """
    for value in (a, b):
        if hasattr(value, "where"):
            return value.where(condition, a, b)
    if isinstance(condition, Truth) and condition.among is not None:
        return condition.among([(condition.may_hold, a), (condition.may_fail, b)])
    if isinstance(condition, np.ndarray):
        return np.where(condition.astype(bool), a, b)
    return a if condition else b


def by_sign(s: Number, negative: Number, zero: Number, positive: Number) -> Number:
    """Elementwise one of three values, by the sign of s.

    Example:
        >>> by_sign(np.array([-2.0, 0.0, 3.0]), 0.5, 1.0, 1.2)
        array([0.5, 1. , 1.2])
    """
    for value in (s, negative, zero, positive):
        if hasattr(value, "by_sign"):
            return value.by_sign(s, negative, zero, positive)
    if _in_mpmath(s):
        return positive if s > 0 else negative if s < 0 else zero
    s = np.asarray(s)
    chosen = np.where(s > 0, positive, np.where(s < 0, negative, np.where(s == 0, zero, np.nan)))
    return np.asarray(chosen, s.dtype)


def sign(x: Number) -> Number:
    """-1, 0 or 1."""
    return by_sign(x, -1.0, 0.0, 1.0)


def norm(x: Number) -> Number:
    """The Euclidean norm of a whole parameter (of a single number: its absolute value)."""
    if hasattr(x, "norm"):
        return x.norm()
    return abs(x) if _in_mpmath(x) or type(x) in (int, float) else sqrt(total(x * x))


def ratio(numerator: Number, denominator: Number, otherwise: Number) -> Number:
    """The quotient of two sizes that are not negative, and another value where either is zero."""
    quotient = by_sign(denominator, otherwise, otherwise, numerator / by_sign(denominator, 1.0, 1.0, denominator))
    return by_sign(numerator, otherwise, otherwise, quotient)


def dimensions(x: Number) -> int:
    """How many dimensions a parameter has (a single number: 0)."""
    return x.low.ndim if hasattr(x, "low") else np.ndim(x)


def shape_of(x: Number) -> tuple[int, ...]:
    """The shape of a parameter (a single number: none)."""
    return tuple(x.low.shape) if hasattr(x, "low") else np.shape(x)


def total(x: Number, axis: int | None = None) -> Number:
    """The sum of all elements, or along one axis, which is kept with length 1."""
    if hasattr(x, "total"):
        return x.total(axis)
    if np.ndim(x) == 0:
        return x
    return np.sum(x, axis=axis, dtype=np.asarray(x).dtype, keepdims=axis is not None)


def mean(x: Number, axis: int | None = None) -> Number:
    """The mean of all elements, or along one axis, which is kept with length 1 (of a single number: itself)."""
    shape = shape_of(x)
    count = int(np.prod(shape)) if axis is None else shape[axis]
    return total(x, axis) / count if count > 1 else total(x, axis)


def largest(x: Number, axis: int) -> Number:
    """The largest along an axis, which is kept with length 1, of nonnegative numbers (0 where there is none)."""
    if hasattr(x, "largest"):
        return x.largest(axis)
    return np.max(x, axis=axis, keepdims=True, initial=0)


def rms(x: Number) -> Number:
    """The root of the mean of the squares of a whole parameter."""
    return sqrt(mean(x * x))


def matmul(x: Number, y: Number) -> Number:
    """The product of two matrices."""
    return x.matmul(y) if hasattr(x, "matmul") else np.matmul(x, y)


def transpose(x: Number) -> Number:
    """Rows as columns."""
    return x.transpose() if hasattr(x, "transpose") else np.transpose(x)


def taken(x: Number, order: Any, axis: int) -> Number:
    """The rows (axis 0) or columns (axis 1) of a matrix in an order that `descending` gave; None: as they are."""
    if order is None:
        return x
    return x.taken(order, axis) if hasattr(x, "taken") else np.take(x, order, axis)


def descending(x: Number) -> Any:
    """In which order the elements of a row are descending."""
    return x.descending() if hasattr(x, "descending") else np.argsort(-np.ravel(x), kind="stable")


def drifted(x: Number, computed_in: str = "own") -> Number:
    """A matrix that may have been turned into an orthonormal basis and back: it is itself, but for rounding.

    The basis may be `computed_in` "float32".
    """
    return x.drifted(computed_in) if hasattr(x, "drifted") else x


def eigenvectors(x: Number, computed_in: str = "own") -> Number:
    """The orthonormal eigenvectors of a symmetric matrix, as columns, by descending eigenvalues.

    The largest element of each is positive. An enclosure makes no claim where eigenvalues may be equal, and holds what
    is `computed_in` "float32", too.

    Example:
        >>> eigenvectors(np.array([[2.0, 0.0], [0.0, 3.0]]))
        array([[0., 1.],
               [1., 0.]])
    """
    if hasattr(x, "eigenvectors"):
        return x.eigenvectors(computed_in)
    if x.dtype == object:  # of mpmath numbers
        context = x.flat[0].context
        _, found = context.eigsy(context.matrix(x.tolist()))
        columns = np.array(found.tolist(), object)[:, ::-1]
    else:
        columns = np.linalg.eigh(x)[1][:, ::-1] if np.isfinite(x).all() else np.full_like(x, np.nan)
    largest = np.array([max(column, key=abs) for column in columns.T], columns.dtype)
    return columns * np.where(largest < 0, -1, 1).astype(columns.dtype)


def orthonormal(x: Number, computed_in: str = "own") -> Number:
    """The orthonormal factor of a square matrix's QR decomposition, the triangular one having a positive diagonal.

    An enclosure holds what is `computed_in` "float32", too.
    """
    if hasattr(x, "orthonormal"):
        return x.orthonormal(computed_in)
    if x.dtype != object:
        q, r = np.linalg.qr(x) if np.isfinite(x).all() else (np.full_like(x, np.nan), np.eye(len(x), dtype=x.dtype))
        return q * np.where(np.diag(r) < 0, -1, 1).astype(x.dtype)
    found: list[Any] = []
    for column in x.T:
        for q in found:
            column = column - q * np.sum(q * column)
        found.append(column / sqrt(np.sum(column * column)))
    return np.stack(found, 1)


def power(base: Number, exponent: Number) -> Number:
    """A positive number of the host to a real power (a hyperparameter, or one times the step)."""
    if hasattr(base, "to_the"):
        return base.to_the(exponent)
    if hasattr(exponent, "power_of"):
        return exponent.power_of(base)
    return base**exponent


def middle(x: Number) -> float:
    """A number of the host as a float, to decide on (an enclosure: its middle)."""
    return float(x.middle) if hasattr(x, "middle") else float(x)


def root(v: Number, eps: Number, eps_placement: str) -> Number:
    """The denominator: sqrt(v + eps) as the article writes it, or sqrt(v) + eps as the papers do."""
    return sqrt(v + eps) if eps_placement == "inside" else sqrt(v) + eps


def adam_direction(
    m: Number,
    v: Number,
    betas: tuple[Number, Number],
    t: int,
    eps: Number,
    eps_placement: str = "outside",
    eps_root: Number = 0.0,
) -> Number:
    """Adam's direction from its two moments: m^ / (sqrt(v^) + eps), or with epsilon "hat" (adam.py), or "inside".

    `eps_root` is added to v before its root, uncorrected with "hat".
    """
    correction1, correction2 = 1 - betas[0] ** t, 1 - betas[1] ** t
    if eps_placement == "hat":
        return sqrt(correction2) / correction1 * m / (sqrt(v + eps_root if eps_root else v) + eps)
    if eps_root:
        return m / correction1 / (sqrt(v / correction2 + eps_root) + eps)
    return m / correction1 / root(v / correction2, eps, eps_placement)


def norm_of_rows(x: Number) -> Number:
    """The Euclidean norm of each row of a parameter: of all elements with one first index, kept as dimensions of 1."""
    return sqrt(sum_of_rows(x * x))


def sum_of_rows(x: Number) -> Number:
    """The sum of each row, kept as dimensions of length 1."""
    for axis in range(1, dimensions(x)):
        x = total(x, axis)
    return x


SCHEDULE = "schedule"


def shrinkage(lr: Number, weight_decay: Number, decoupled: bool | str) -> Number:
    """What decoupled decay leaves of theta in a step.

    Loshchilov & Hutter (ICLR 2019, arXiv:1711.05101, Algorithms 1 and 2) multiply lambda by the schedule's multiplier
    eta_t and not by the rate alpha: "schedule", with eta_t = 1 (under a schedule weight_decay is eta_t lambda, as lr is
    eta_t alpha). torch, optax, keras and we multiply by eta_t alpha: True.
    """
    return 1 - weight_decay if decoupled == SCHEDULE else 1 - lr * weight_decay


def descended(theta: Number, step: Number, lr: Number, weight_decay: Number) -> Number:
    """theta - lr (step + lambda theta), for a decay that is no part of the gradient.

    (1 - lr lambda) theta - lr step is the same rule.
    """
    if not weight_decay:
        return theta - lr * step
    return either(theta - lr * (step + weight_decay * theta), (1 - lr * weight_decay) * theta - lr * step)


def either(found: Number, otherwise: Number) -> Number:
    """A value that may be computed otherwise, too, and then rounds otherwise: an enclosure holds both."""
    return found.among([(True, found), (True, otherwise)]) if hasattr(found, "among") else found


def decayed(
    theta: Number, g: Number, lr: Number, weight_decay: Number, maximize: bool, decoupled: bool | str
) -> tuple[Number, Number]:
    """The gradient to descend and the parameter to start from.

    Coupled decay adds the gradient of weight_decay/2 |theta|^2; decoupled decay shrinks theta itself.
    """
    g = -g if maximize else g
    if not weight_decay:
        return theta, g
    if decoupled:
        return shrinkage(lr, weight_decay, decoupled) * theta, g
    return theta, g + weight_decay * theta
