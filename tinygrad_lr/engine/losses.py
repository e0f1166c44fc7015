"""The losses as functions, with torch's names and arguments.

Each takes a prediction and a target, and gives their distance: its mean, its sum, or one for each element ("none").
They are composed of rows of the table of ops: derivatives, compiled forms and CUDA are those of the rows. Where an
infinite prediction has a limit, the loss is that limit and its gradient is finite, where torch has NaN.

Next: `nn/losses.py`, which keeps their options.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lr.integers import whole_number
from tinygrad_lr.reals import real_number

from . import elementwise, products, softmax
from .dtypes import to_host
from .recording import switch
from .tensor import Operand, Tensor, adopt, apply, as_tensor, beside

__all__ = ["binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "huber_loss", "l1_loss"]
__all__ += ["mse_loss", "nll_loss", "smooth_l1_loss"]

REDUCTIONS = ("mean", "sum", "none")


def mse_loss(input: Operand, target: Operand, reduction: str = "mean", *, weight: Operand | None = None) -> Tensor:
    """The squared error (input - target)^2: its mean, its sum, or each ("none").

    Args:
        input, target: Tensors or arrays of one shape; a number stands for each element of the other.
        reduction: "mean", "sum" or "none".
        weight: what each element's loss is multiplied by, of the same shape; a mean is divided by its sum, as in torch.

    Raises:
        ValueError: an unknown reduction, or shapes that differ. torch broadcasts with a warning, so that a prediction
            of shape (n, 1) and a target of shape (n,) compare every pair; here it is an error.

    Example:
        >>> mse_loss(np.array([1.0, 3.0]), 0.0).item()
        5.0
    """
    checked_reduction(reduction)
    if not (isinstance(input, Tensor) and isinstance(target, Tensor)):
        input, target = _of_one_shape(input, target)
    if weight is None:
        return apply(products.mse_loss, (input, target), (reduction,))
    return _weighted_mean(apply(products.mse_loss, (input, target), ("none",)), weight, reduction)


def l1_loss(input: Operand, target: Operand, reduction: str = "mean", *, weight: Operand | None = None) -> Tensor:
    """The absolute error |input - target|; arguments and errors as for `mse_loss`. The derivative at 0 is declared 0.

    Example:
        >>> l1_loss(np.array([1.0, 3.0]), 0.0).item()
        2.0
    """
    checked_reduction(reduction)
    losses = abs(_error("l1_loss", input, target))
    return reduced(losses, reduction) if weight is None else _weighted_mean(losses, weight, reduction)


def smooth_l1_loss(input: Operand, target: Operand, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """The absolute error, but a parabola near 0: error^2 / (2 beta) below beta, and |error| - beta / 2 beyond.

    Args:
        input, target, reduction: as for `mse_loss`.
        beta: where the parabola ends, at least 0; with 0 this is `l1_loss`.

    Raises:
        TypeError, ValueError: beta is no number of at least 0; else as for `mse_loss`.

    Example:
        >>> smooth_l1_loss(np.array([0.5, 3.0]), 0.0, "none").tolist()
        [0.125, 2.5]
    """
    checked_reduction(reduction)
    beta = real_number("beta", beta, least=0.0)
    error = _error("smooth_l1_loss", input, target)
    return reduced(abs(error) if beta == 0 else _of_error(elementwise.smooth_l1, error, beta), reduction)


def huber_loss(
    input: Operand, target: Operand, reduction: str = "mean", delta: float = 1.0, *, weight: Operand | None = None
) -> Tensor:
    """Half the squared error up to delta, and delta (|error| - delta / 2) beyond (Huber, 1964).

    Args:
        input, target, reduction: as for `mse_loss`.
        delta: where the parabola ends, above 0.
        weight: what each element's loss is multiplied by, of the same shape; a mean is that of the products, as in
            torch.

    Raises:
        TypeError, ValueError: delta is no number above 0; else as for `mse_loss`.

    Example:
        >>> huber_loss(np.array([0.5, 3.0]), 0.0, "none", delta=2.0).tolist()
        [0.125, 4.0]
    """
    checked_reduction(reduction)
    delta = real_number("delta", delta, above=0.0)
    losses = _of_error(elementwise.huber, _error("huber_loss", input, target), delta)
    return reduced(losses if weight is None else losses * _fitting("weight", weight, losses), reduction)


def binary_cross_entropy_with_logits(
    input: Operand,
    target: Operand,
    weight: Operand | None = None,
    *,
    reduction: str = "mean",
    pos_weight: Operand | None = None,
) -> Tensor:
    """The cross-entropy of two classes: -target log(sigmoid(input)) - (1 - target) log(1 - sigmoid(input)).

    Args:
        input: logits, of any size: no exponential overflows. target: of the same shape, from 0 to 1.
        weight: what each element's loss is multiplied by; it broadcasts to the input's shape. A mean is that of the
            products, as in torch.
        reduction: "mean", "sum" or "none".
        pos_weight: what the first term is multiplied by, one for each of the last axis, or a number.

    Raises:
        ValueError: an unknown reduction, or shapes that do not fit.

    Example:
        >>> binary_cross_entropy_with_logits(np.array([0.0, 1e4, -1e4]), np.array([1.0, 1.0, 1.0]), reduction="none")
        tensor([6.93147181e-01, 0.00000000e+00, 1.00000000e+04], dtype=float64)
    """
    checked_reduction(reduction)
    x, y = _of_one_shape(input, target)
    _check_shapes("binary_cross_entropy_with_logits", x, y)
    if pos_weight is None:
        losses = apply(elementwise.binary_cross_entropy_with_logits, (x, y))
    else:
        of_positive = y * _broadcasting("pos_weight", pos_weight, x)
        losses = _less_certain(-x, of_positive) + _less_certain(x, 1 - y)
    return reduced(losses if weight is None else losses * _broadcasting("weight", weight, x), reduction)


def binary_cross_entropy(
    input: Operand, target: Operand, weight: Operand | None = None, *, reduction: str = "mean"
) -> Tensor:
    """The cross-entropy of two classes from probabilities: -target log(input) - (1 - target) log(1 - input).

    As in torch, no logarithm is below -100. From logits, `binary_cross_entropy_with_logits` is exact everywhere.

    Args:
        input: probabilities, from 0 to 1. target, weight, reduction: as there.

    Raises:
        ValueError: an input below 0 or above 1; an unknown reduction, or shapes that do not fit.

    Example:
        >>> binary_cross_entropy(np.array([0.5, 0.9, 0.0]), np.ones(3), reduction="none").numpy().round(4)
        array([  0.6931,   0.1054, 100.    ])
    """
    checked_reduction(reduction)
    x, y = _of_one_shape(input, target)
    _check_shapes("binary_cross_entropy", x, y)
    if switch.watcher is None and ((x < 0) | (x > 1)).any():  # a compiled step has NaN there, which ends the training
        raise ValueError(
            "binary_cross_entropy: probabilities are from 0 to 1; take the sigmoid first, or "
            "binary_cross_entropy_with_logits"
        )
    losses = apply(elementwise.binary_cross_entropy, (x, y))
    return reduced(losses if weight is None else losses * _broadcasting("weight", weight, x), reduction)


def _less_certain(x: Tensor, weight: Tensor) -> Tensor:
    """-weight log(1 - sigmoid(x)); 0 where the weight is 0, also for an infinite x."""
    return apply(elementwise.weighted, (apply(elementwise.softplus, (x,)), weight))


def cross_entropy(
    input: Operand,
    target: Operand,
    weight: Operand | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """The cross-entropy of several classes, from logits: -log(softmax(input)) at the target's class.

    Args:
        input: logits of shape (classes,), (n, classes) or (n, classes, ...), of any size.
        target: classes as int64, from 0 to classes - 1, of the input's shape without the axis of classes; or
            probabilities as floats, of the input's shape.
        weight: a weight for each class, of shape (classes,). A mean over targets that are classes is divided by the
            sum of their weights, as in torch.
        ignore_index: a target of this number counts nothing, also not in a mean.
        reduction: "mean", "sum" or "none"; a mean over probabilities is one over the rows.
        label_smoothing: from 0 to 1: how much of each target is spread over all classes.

    Raises:
        TypeError: targets that are neither int64 nor floats.
        IndexError: a target that is no class, with its row.
        ValueError: shapes that do not fit, an unknown reduction, or a mean over nothing.

    Example:
        >>> logits = np.array([[2.0, 0.0, 0.0], [0.0, 1e4, 0.0]])
        >>> cross_entropy(logits, np.array([0, 1]), reduction="none").numpy().round(4)
        array([0.2395, 0.    ])
    """
    checked_reduction(reduction)
    smoothing = real_number("label_smoothing", label_smoothing, least=0.0, most=1.0)
    ignored = _ignored(ignore_index)
    x, y = as_tensor(input), as_tensor(target)
    axis = _class_axis("cross_entropy", x)
    weights = _class_weights(weight, x, axis)
    logs = apply(softmax.log_softmax, (x,), (axis,))
    if y.dtype.kind == "f" and y.shape == x.shape:
        if ignored >= 0:
            raise ValueError(
                f"cross_entropy: ignore_index={ignored} names a class, and the targets are probabilities, none of "
                "which it could ignore; leave it out, or give rows to be ignored a weight of 0"
            )
        return _of_probabilities(logs, y, None if weight is None else weights, axis, reduction, smoothing)
    return _of_classes("cross_entropy", logs, y, weights, axis, ignored, reduction, smoothing)


def nll_loss(
    input: Operand, target: Operand, weight: Operand | None = None, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """Minus the input at the target's class: `cross_entropy` of logarithms of probabilities, as `log_softmax` gives.

    Arguments and errors are those of `cross_entropy`; targets are classes.

    Example:
        >>> round(nll_loss(np.log([[0.5, 0.25, 0.25]]), np.array([0])).item(), 4)
        0.6931
    """
    checked_reduction(reduction)
    x = as_tensor(input)
    axis = _class_axis("nll_loss", x)
    weights = _class_weights(weight, x, axis)
    return _of_classes("nll_loss", x, as_tensor(target), weights, axis, _ignored(ignore_index), reduction, 0.0)


def _ignored(ignore_index: int) -> int:
    return whole_number("ignore_index", ignore_index, least=-(2**63), most=2**63 - 1)


def _class_axis(name: str, x: Tensor) -> int:
    if not x.ndim:
        raise ValueError(f"{name} needs an input of shape (classes,) or (n, classes, ...), got one without axes")
    return min(x.ndim - 1, 1)


def _class_weights(weight: Operand | None, x: Tensor, axis: int) -> Tensor:
    """A weight for each class, in the dtype of the logarithms, without a gradient."""
    classes, dtype = x.shape[axis], x.dtype if x.dtype.kind == "f" else np.dtype("float32")
    if weight is None:
        return _on_device_of(x, np.ones(classes, dtype))
    given = as_tensor(weight)
    if given.shape != (classes,):
        raise ValueError(f"weight must have one number for each of {classes} classes, got shape {given.shape}")
    return given.detach().to(dtype)


def _on_device_of(x: Tensor, array: np.ndarray[Any, Any]) -> Tensor:
    return adopt(array) if x.device == "cpu" else adopt(array).to(x.device)


def _of_classes(
    name: str, logs: Tensor, target: Tensor, weights: Tensor, axis: int, ignored: int, reduction: str, smoothing: float
) -> Tensor:
    """The loss of targets that are classes."""
    shape = (*logs.shape[:axis], *logs.shape[axis + 1 :])
    if target.dtype.kind != "i":
        raise TypeError(
            f"{name}: targets are classes as int64 of shape {shape}, or probabilities of the input's shape "
            f"{logs.shape}, got {target.dtype} of shape {target.shape}; for classes write target.long()"
        )
    if target.shape != shape:
        raise ValueError(
            f"{name}: an input of shape {logs.shape} needs a target of shape {shape}, a class for each row, got "
            f"{target.shape}; reshape it, e.g. with .squeeze(1)"
        )
    try:
        return apply(softmax.nll_loss, (target, weights, logs), (reduction, ignored, smoothing))
    except (IndexError, ValueError) as error:  # the row's name is nll_loss
        raise type(error)(str(error).replace("nll_loss", name, 1)) from error


def _of_probabilities(
    logs: Tensor, target: Tensor, weights: Tensor | None, axis: int, reduction: str, smoothing: float
) -> Tensor:
    """The loss of targets that are probabilities."""
    if smoothing:
        target = target * (1 - smoothing) + smoothing / logs.shape[axis]
    if weights is not None:
        target = target * _spread(weights, logs, axis)
    losses = -apply(elementwise.weighted, (logs, target)).sum(axis)
    return reduced(losses, reduction)


def _spread(weights: Tensor, like: Tensor, axis: int) -> Tensor:
    """A weight for each class beside each element; a GPU has no broadcasting, so that the host repeats them."""
    shape = (-1, *[1] * (like.ndim - axis - 1))
    if like.device == "cpu":
        return weights.reshape(shape)
    return _on_device_of(like, np.broadcast_to(to_host(weights._data).reshape(shape), like.shape).copy())


# --- what they share --------------------------------------------------------------------------------------------------


def checked_reduction(reduction: Any) -> str:
    """The reduction itself, if there is such.

    Raises:
        ValueError: it is neither "mean", "sum" nor "none".
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction must be one of {', '.join(REDUCTIONS)}, got {reduction!r}")
    return str(reduction)


def reduced(losses: Tensor, reduction: str) -> Tensor:
    """The mean or the sum of losses, or these."""
    if reduction == "none":
        return losses
    return losses.mean() if reduction == "mean" else losses.sum()


def _of_one_shape(input: Operand, target: Operand) -> tuple[Tensor, Tensor]:
    """Both as Tensors; a number is repeated for each element of the other."""
    if isinstance(target, (Tensor, np.ndarray)):
        like = as_tensor(target)
        return _repeated(input, like), like
    like = as_tensor(input)
    return like, _repeated(target, like)


def _repeated(value: Operand, like: Tensor) -> Tensor:
    operand = beside(value, like)
    if isinstance(value, (Tensor, np.ndarray)) or not like.shape:
        return operand
    return adopt(np.full(like.shape, value, operand.dtype)).to(like.device)


def _check_shapes(name: str, x: Tensor, y: Tensor) -> None:
    if x.shape != y.shape:
        raise ValueError(
            f"{name}: input and target must have the same shape, got {x.shape} and {y.shape}; they are not broadcast, "
            "because (n, 1) against (n,) would silently compare every pair: reshape one of them"
        )


def _error(name: str, input: Operand, target: Operand) -> Tensor:
    """input - target, of one shape."""
    x, y = _of_one_shape(input, target)
    _check_shapes(name, x, y)
    return x - y


def _of_error(op: Any, error: Tensor, width: float) -> Tensor:
    """A row of an error and of the width of its parabola."""
    return apply(op, (error, beside(width, error)))


def _fitting(name: str, weight: Operand, losses: Tensor) -> Tensor:
    """Weights of the losses' shape."""
    given = beside(weight, losses)
    if given.shape != losses.shape:
        raise ValueError(f"{name} must have the shape of the input, {losses.shape}, got {given.shape}")
    return given


def _broadcasting(name: str, weight: Operand, x: Tensor) -> Tensor:
    """Weights that broadcast to the input's shape."""
    given = beside(weight, x)
    try:
        fits = np.broadcast_shapes(given.shape, x.shape) == x.shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{name} must broadcast to the shape of the input, {x.shape}, got {given.shape}")
    if given.device == x.device == "cuda" and given._data.size not in (1, x._data.size) and not given.requires_grad:
        return _on_device_of(x, np.broadcast_to(to_host(given._data), x.shape).copy())  # a GPU has no broadcasting
    return given


def _weighted_mean(losses: Tensor, weight: Operand, reduction: str) -> Tensor:
    """Weighted losses, their sum, or this divided by the sum of the weights."""
    weights = _fitting("weight", weight, losses)
    products = losses * weights
    return products.sum() / weights.sum() if reduction == "mean" else reduced(products, reduction)
