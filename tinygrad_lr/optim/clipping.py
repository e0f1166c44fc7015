"""Clipping: by a norm over all gradients, by group, by value, and adaptively, by the size of the weights.

By a norm one factor scales all gradients, so that their direction stays. Source: Pascanu, Mikolov and Bengio, ICML
2013, arXiv:1211.5063, Algorithm 1. Declared where that leaves a choice: gradients whose norm is at most max_norm keep
their bits; afterwards the norm is at most max_norm, so that clipping again changes nothing (the factor is max_norm /
norm less four units of rounding); what is not finite is an error, and nothing is changed. `Optimizer.step(max_norm=)`
clips in the pass that updates. Sums are taken in float64 in a fixed order: the same bits at any number of threads. The
formulas stand a second time in verify/formulas/clipping.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Protocol

import numpy as np

from tinygrad_lr.engine import Tensor
from tinygrad_lr.engine.dtypes import copy_into, to_host
from tinygrad_lr.kernels._run import largest, sum_of_squares

from .groups import refuse_torch_options
from .validation import flag, non_negative, number

Array = np.ndarray[Any, Any]
Named = Callable[[], Iterable[tuple[str, Array]]]  # arrays with their parameters' names, for an error
BLOCK = 65_536  # elements that are widened to float64 at once


class Grouped(Protocol):
    """What has parameter groups: an optimizer."""

    @property
    def param_groups(self) -> Sequence[Mapping[str, Any]]: ...


# --- what users call --------------------------------------------------------------------------------------------------


def clip_grad_norm_(
    parameters: Iterable[Tensor] | Tensor,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = True,
    foreach: bool | None = None,
) -> float:
    """Scale all gradients in place so that their norm, taken over all parameters together, is at most `max_norm`.

    Args:
        parameters: Tensors; those without a gradient are passed over.
        max_norm: above 0; infinity: nothing is scaled, and the norm is told.
        norm_type: p above 0, or infinity: (sum of |g|^p)^(1/p), or the largest size. 2 is the Euclidean norm.
        error_if_nonfinite: True. torch's default is False, and makes every gradient NaN where one is not finite.
        foreach: torch's choice of an implementation: None or False.

    Returns:
        The norm before clipping (0.0 where there is no gradient). It is infinite where only its product with the
        largest element exceeds float64.

    Raises:
        ValueError: `max_norm` is not above 0, another norm, or `error_if_nonfinite=False`.
        FloatingPointError: a gradient holds NaN or infinity, or a small p makes the norm, in units of the largest
            element, exceed float64; nothing is changed.

    Example:
        >>> from tinygrad_lr import tensor
        >>> w = tensor([0.0, 0.0], requires_grad=True)
        >>> w.grad = [3.0, 4.0]
        >>> clip_grad_norm_([w], 1.0)
        5.0
        >>> [round(float(g), 3) for g in w.grad]
        [0.6, 0.8]
    """
    if not flag("error_if_nonfinite", error_if_nonfinite):
        raise ValueError(
            "error_if_nonfinite=False would make every gradient NaN where one is not finite; leave it out, and to pass "
            "over such a step write optimizer.step(max_norm=..., skip_nonfinite=True)"
        )
    refuse_torch_options({"foreach": foreach})
    given, grads, named = _given(parameters)
    norm, factor = clipping(grads, max_norm, named, checked_norm_type(norm_type))
    if factor is not None:
        _scale(given, grads, factor)
    return norm


def get_total_norm(
    tensors: Iterable[Any] | Any, norm_type: float = 2.0, error_if_nonfinite: bool = True, foreach: bool | None = None
) -> float:
    """The norm over all elements of some arrays together: of gradients, say.

    Args:
        tensors: arrays or Tensors, such as `[w.grad for w in model.parameters()]`; one of them will do.
        norm_type, error_if_nonfinite, foreach: as for `clip_grad_norm_`.

    Raises:
        TypeError: an entry is no array, such as the None of a parameter without a gradient.
        ValueError: another norm, or `error_if_nonfinite=False`.
        FloatingPointError: an element is NaN or infinite.

    Example:
        >>> get_total_norm([np.array([3.0]), np.array([[4.0]])])
        5.0
        >>> get_total_norm([np.array([3.0]), np.array([[4.0]])], norm_type=1)
        7.0
    """
    if not flag("error_if_nonfinite", error_if_nonfinite):
        raise ValueError("error_if_nonfinite=False is not offered: what is not finite has no norm; leave it out")
    refuse_torch_options({"foreach": foreach})
    given = [tensors] if isinstance(tensors, (Tensor, np.ndarray)) else list(tensors)
    arrays = [each._data if isinstance(each, Tensor) else each for each in given]
    arrays = [to_host(each) if hasattr(each, "copy_to_host") else each for each in arrays]
    for i, each in enumerate(arrays):
        if not isinstance(each, np.ndarray) or each.dtype.kind != "f":
            what = each.dtype if isinstance(each, np.ndarray) else type(each).__name__
            raise TypeError(f"a norm is of arrays of floats, got {what} at place {i}; leave out what has no gradient")
    scale, root = _checked_norm(arrays, checked_norm_type(norm_type), lambda: _numbered(arrays))
    return scale * root


def clip_grads_with_norm_(
    parameters: Iterable[Tensor] | Tensor, max_norm: float, total_norm: float, foreach: bool | None = None
) -> None:
    """Scale all gradients in place by `max_norm / total_norm`, where that is below 1.

    Args:
        parameters: Tensors; those without a gradient are passed over.
        max_norm: above 0.
        total_norm: what `get_total_norm` gave, perhaps of more gradients than these.
        foreach: torch's choice of an implementation: None or False.

    Raises:
        ValueError: `max_norm` is not above 0, or `total_norm` is no finite number of at least 0.

    Example:
        >>> from tinygrad_lr import tensor
        >>> w = tensor([0.0, 0.0], requires_grad=True)
        >>> w.grad = [3.0, 4.0]
        >>> clip_grads_with_norm_(w, 1.0, 10.0)
        >>> [round(float(g), 3) for g in w.grad]
        [0.3, 0.4]
    """
    refuse_torch_options({"foreach": foreach})
    limit, norm = _limit(max_norm), non_negative("total_norm", total_norm)
    given, grads, _ = _given(parameters)
    factor = _plain("factor")(1.0, norm, limit, unit_of(grads))
    if factor != 1.0:
        _scale(given, grads, factor)


def clip_grad_norm_per_group_(optimizer: Grouped, max_norm: float | None = None, norm_type: float = 2.0) -> list[float]:
    """Scale the gradients of each group in place by the norm over that group alone.

    Args:
        optimizer: what has `param_groups`.
        max_norm: the limit of every group that has no key "max_norm" of its own; above 0. None: only groups with that
            key are clipped.
        norm_type: as for `clip_grad_norm_`.

    Returns:
        The norm of each group before clipping.

    Raises:
        ValueError: a limit is not above 0, another norm, or no group has a limit.
        FloatingPointError: a gradient holds NaN or infinity; no group is changed.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> v, w = tensor([0.0], requires_grad=True), tensor([0.0], requires_grad=True)
        >>> v.grad, w.grad = [3.0], [4.0]
        >>> optimizer = optim.SGD([{"params": v}, {"params": w, "max_norm": 8.0}])
        >>> clip_grad_norm_per_group_(optimizer, 1.5)
        [3.0, 4.0]
        >>> [round(float(g), 3) for g in (*v.grad, *w.grad)]
        [1.5, 4.0]
    """
    order = checked_norm_type(norm_type)
    if not hasattr(optimizer, "param_groups"):
        raise TypeError(f"clip_grad_norm_per_group_ takes an optimizer, got {type(optimizer).__name__}")
    limits = [group.get("max_norm", max_norm) for group in optimizer.param_groups]
    if all(limit is None for limit in limits):
        raise ValueError("no group has a limit; give max_norm, or a group the key 'max_norm'")
    found = []
    for group, limit in zip(optimizer.param_groups, limits, strict=True):
        given, grads, named = _given(group["params"])
        scale, root = _checked_norm(grads, order, named)
        norm, factor = scale * root, None
        if limit is not None:
            norm, factor = clipping(grads, limit, named, order)
        found.append((given, grads, norm, factor))
    for given, grads, _, factor in found:
        if factor is not None:
            _scale(given, grads, factor)
    return [norm for _, _, norm, _ in found]


def clip_grad_value_(parameters: Iterable[Tensor] | Tensor, clip_value: float, foreach: bool | None = None) -> None:
    """Bring every element of all gradients into [-clip_value, clip_value], in place.

    Args:
        parameters: Tensors; those without a gradient are passed over.
        clip_value: above 0; each gradient is clipped at the number of its dtype that is nearest to it.
        foreach: torch's choice of an implementation: None or False.

    Raises:
        ValueError: `clip_value` is not above 0.
        FloatingPointError: a gradient holds NaN or infinity; nothing is changed. (torch makes a finite number of an
            infinite one, and the step goes on as if nothing had overflowed.)

    Source: Pascanu, Mikolov and Bengio, arXiv:1211.5063, section 3.2, name it, after Mikolov's thesis, 2012.

    Example:
        >>> from tinygrad_lr import tensor
        >>> w = tensor([0.0, 0.0], requires_grad=True)
        >>> w.grad = [-3.0, 0.5]
        >>> clip_grad_value_([w], 1.0)
        >>> w.grad.tolist()
        [-1.0, 0.5]
    """
    refuse_torch_options({"foreach": foreach})
    limit = _above_zero("clip_value", clip_value)
    given, grads, named = _given(parameters)
    if not all(np.isfinite(grad).all() for grad in grads):
        raise _not_finite(named(), "cannot be clipped")
    for param, grad in zip(given, grads, strict=True):
        with np.errstate(over="ignore", under="ignore"):
            bound = grad.dtype.type(limit)
        copy_into(param._grad, np.clip(grad, -bound, bound))


def adaptive_clip_grad_(parameters: Iterable[Tensor] | Tensor, clip_factor: float = 0.01, eps: float = 1e-3) -> None:
    """Scale each unit's gradient in place so that its norm is at most `clip_factor` times that of the unit's weights.

    A unit is a row of a matrix: all weights of an array with one first index, as `nn.Linear` keeps what enters one of
    its outputs. An array of one axis (a bias) or none is one unit, as in the authors' code. The paper leaves the last
    layer alone: leave its parameters out.

        G_i <- lambda max(||W_i||, eps) / ||G_i|| G_i    where ||G_i|| > lambda max(||W_i||, eps)

    Source: Brock, De, Smith and Simonyan, ICML 2021, arXiv:2102.06171, equation 3 (adaptive gradient clipping, AGC).

    Args:
        parameters: Tensors; those without a gradient are passed over.
        clip_factor: lambda, above 0.
        eps: the least norm of a unit, above 0: weights that begin at zero would never move without it.

    Raises:
        ValueError: `clip_factor` or `eps` is not above 0.
        FloatingPointError: a gradient or a parameter holds NaN or infinity; nothing is changed.

    Example:
        >>> from tinygrad_lr import tensor
        >>> w = tensor([[3.0, 4.0], [0.0, 0.0]], requires_grad=True)
        >>> w.grad = [[0.0, 10.0], [10.0, 0.0]]
        >>> adaptive_clip_grad_([w], clip_factor=0.1)
        >>> w.grad.round(3)
        array([[0. , 0.5],
               [0. , 0. ]], dtype=float32)
    """
    share, least = _above_zero("clip_factor", clip_factor), _above_zero("eps", eps)
    given, grads, named = _given(parameters)
    values = [to_host(param._data) for param in given]
    if not all(np.isfinite(each).all() for each in grads):
        raise _not_finite(named(), "cannot be clipped")
    if not all(np.isfinite(each).all() for each in values):
        raise _not_finite(zip([name for name, _ in named()], values, strict=True), "cannot be clipped", "parameter")
    for param, value, grad in zip(given, values, grads, strict=True):
        if grad.size:
            copy_into(param._grad, _by_unit(value, grad, share, least))


# --- what they share --------------------------------------------------------------------------------------------------


def _given(parameters: Iterable[Tensor] | Tensor) -> tuple[list[Tensor], list[Array], Named]:
    """The parameters that have a gradient, their gradients on the host, and these with names."""
    if isinstance(parameters, (str, bytes, Mapping)) or not isinstance(parameters, Iterable):
        raise TypeError(f"clipping takes Tensors, such as model.parameters(), got {type(parameters).__name__}")
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    for place, each in enumerate(parameters):
        if not isinstance(each, Tensor):
            raise TypeError(f"clipping takes Tensors, got {type(each).__name__} at place {place}")
    given = [param for param in parameters if param._grad is not None]
    grads = [to_host(param._grad) for param in given]
    names = [param.name or f"parameter {i}" for i, param in enumerate(given)]
    return given, grads, lambda: zip(names, grads, strict=True)


def _numbered(arrays: Sequence[Array]) -> Iterator[tuple[str, Array]]:
    return ((f"array {i}", array) for i, array in enumerate(arrays))


def _scale(given: Sequence[Tensor], grads: Sequence[Array], factor: float) -> None:
    for param, grad in zip(given, grads, strict=True):
        copy_into(param._grad, grad * grad.dtype.type(factor))


def clipping(grads: Sequence[Array], max_norm: float, named: Named, order: float = 2.0) -> tuple[float, float | None]:
    """The norm over all arrays, and the factor that brings it to `max_norm`; None where it is there already.

    `named` gives the gradients with their parameters' names, for the error where the norm is not finite.
    """
    limit = _limit(max_norm)
    scale, root = _checked_norm(grads, order, named)
    factor = _plain("factor")(scale, root, limit, unit_of(grads))
    return scale * root, None if factor == 1.0 else factor


def checked_norm_type(norm_type: float) -> float:
    """The order of a norm: above 0, or infinity.

    Raises:
        TypeError, ValueError: it is another one.
    """
    order = math.inf if norm_type in ("inf", math.inf) else number("norm_type", norm_type)
    if order <= 0:
        raise ValueError(f"norm_type must be above 0, or inf, got {norm_type}; 2, the Euclidean norm, is the usual one")
    return order


def _above_zero(name: str, value: float) -> float:
    found = number(name, value)
    if found <= 0:
        raise ValueError(f"{name} must be above 0, got {value}")
    return found


def checked_max_norm(max_norm: float) -> float:
    """The limit as a number.

    Raises:
        TypeError, ValueError: it is none, or not above 0.
    """
    limit = number("max_norm", max_norm)
    if limit <= 0:
        raise ValueError(f"max_norm must be above 0, got {max_norm}: a negative one would climb, and lr=0 freezes")
    return limit


def _limit(max_norm: float) -> float:
    """The limit for the functions of this file; infinity: nothing is scaled."""
    asks_for_the_norm = isinstance(max_norm, (float, np.floating)) and max_norm == math.inf
    return math.inf if asks_for_the_norm else checked_max_norm(max_norm)


def unit_of(grads: Sequence[Array]) -> float:
    """The largest unit of rounding among the arrays' dtypes."""
    return max((float(np.finfo(g.dtype).eps) / 2 for g in grads if g.size), default=0.0)


@cache
def _plain(rule: str) -> Callable[..., Any]:
    """A rule of kernels/updates/norm.py as plain Python: for three numbers a step nothing need be compiled."""
    from tinygrad_lr.kernels import _jit
    from tinygrad_lr.kernels.updates import norm

    return _jit.uncompiled(getattr(norm, rule))


def _checked_norm(grads: Sequence[Array], order: float, named: Named) -> tuple[float, float]:
    """(scale, root) with norm = scale * root, where root is finite.

    Raises:
        FloatingPointError: an element is not finite.
    """
    scale, root = _scaled_norm(grads, order)
    if not math.isfinite(root):
        if not first_not_finite(named()):
            raise FloatingPointError(f"the norm with norm_type={order:g} is beyond float64; take a larger norm_type")
        raise _not_finite(named(), "have no finite norm")
    return scale, root


def _scaled_norm(grads: Sequence[Array], order: float = 2.0) -> tuple[float, float]:
    """(scale, root) with norm = scale * root, where root cannot overflow if the gradients are finite."""
    flat = [np.ascontiguousarray(g).reshape(-1) for g in grads if g.size]
    if order == math.inf or not flat:
        return 1.0, max((largest(g) for g in flat), key=lambda x: (math.isnan(x), x), default=0.0)
    if order == 1.0:
        total = _sum_of_sizes(flat, 1.0)
        if total < math.inf:
            return 1.0, total
        scale = _plain("scale_of")(max((largest(g) for g in flat), key=lambda x: (math.isnan(x), x)))
        return scale, _sum_of_sizes(flat, 1.0 / scale)
    if order != 2.0:
        most = max((largest(g) for g in flat), key=lambda x: (math.isnan(x), x))
        return most, _root(_sum_of_powers(flat, most, order), order) if most else 0.0
    total = _sum_of_squares(flat, 1.0)
    if _plain("is_safe")(total):
        return 1.0, math.sqrt(total)
    scale = _plain("scale_of")(max((largest(g) for g in flat), key=lambda x: (math.isnan(x), x)))
    return scale, math.sqrt(_sum_of_squares(flat, 1.0 / scale))


def _sum_of_squares(arrays: Sequence[Array], inverse_scale: float) -> float:
    """In the arrays' order, as a compiled step adds them (Python's own sum compensates from 3.12 on)."""
    total = 0.0
    for each in arrays:
        total += sum_of_squares(each, inverse_scale)
    return total


def _sum_of_sizes(arrays: Sequence[Array], inverse_scale: float) -> float:
    """The sum of |element| * inverse_scale in float64, in the arrays' order and block by block."""
    total = 0.0
    for each in arrays:
        for low in range(0, each.size, BLOCK):
            with np.errstate(all="ignore"):
                total += float((np.abs(each[low : low + BLOCK].astype(np.float64)) * inverse_scale).sum())
    return total


def _sum_of_powers(arrays: Sequence[Array], most: float, order: float) -> float:
    """The sum of (|element| / most)^order in float64, in the arrays' order and block by block."""
    total = 0.0
    for each in arrays:
        for low in range(0, each.size, BLOCK):
            with np.errstate(all="ignore"):
                total += float(((np.abs(each[low : low + BLOCK].astype(np.float64)) / most) ** order).sum())
    return total


def _root(total: float, order: float) -> float:
    """total^(1/order); infinite where it is beyond float64."""
    try:
        return float(total ** (1.0 / order))
    except OverflowError:
        return math.inf


def _by_unit(value: Array, grad: Array, share: float, least: float) -> Array:
    """A gradient whose units are clipped by the norms of the parameter's."""
    count = grad.shape[0] if grad.ndim > 1 else 1
    rows, weights = grad.reshape(count, -1), value.reshape(count, -1)
    clipped = np.empty_like(rows)
    unit = unit_of([grad])
    together = max(1, BLOCK // rows.shape[1])
    for low in range(0, count, together):
        some = slice(low, low + together)
        mantissa, exponent = _row_norms(rows[some])
        of_weights, exponents = _row_norms(weights[some])
        with np.errstate(all="ignore"):
            limit = share * np.maximum(np.ldexp(of_weights, exponents), least)
            # a quotient of norms; neither may overflow
            factor = np.ldexp(limit / mantissa, -exponent) * (1 - 4 * unit)
            factor = np.where(np.ldexp(mantissa, exponent) <= limit, 1.0, factor)
        clipped[some] = rows[some] * factor.astype(grad.dtype)[:, None]
    return clipped.reshape(grad.shape)


def _row_norms(rows: Array) -> tuple[Array, Array]:
    """The Euclidean norm of each row as a mantissa and an exponent of two: nothing overflows, nothing vanishes."""
    wide = rows.astype(np.float64)
    exponent = np.frexp(np.abs(wide).max(axis=1))[1]
    return np.sqrt((np.ldexp(wide, -exponent[:, None]) ** 2).sum(axis=1)), exponent


def _not_finite(named: Iterable[tuple[str, Array]], why: str, whose: str = "gradient") -> FloatingPointError:
    found = first_not_finite(named, whose)
    assert found, "finite gradients have a finite scaled norm"
    return FloatingPointError(
        f"the gradients {why}: {found}; nothing was changed. Look at the loss and the learning rate"
    )


def first_not_finite(named: Iterable[tuple[str, Array]], whose: str = "gradient") -> str:
    """Which element of which array is NaN or infinite, in words; empty where all are finite."""
    for name, array in named:
        wrong = np.flatnonzero(~np.isfinite(array))
        if wrong.size:
            of = f"the gradient of {name}" if whose == "gradient" else name
            return f"element {wrong[0]} of {of}, of shape {array.shape}, is {array.flat[wrong[0]]}"
    return ""


def norm_of(grads: Sequence[Array]) -> float:
    """The Euclidean norm of all arrays together; infinite or NaN where an element is."""
    scale, root = _scaled_norm(grads)
    return scale * root
