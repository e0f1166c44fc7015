"""The ops as functions, for code that reads better without methods.

Each takes Tensors, arrays or numbers, and returns a Tensor.

Next: `nn/`, which keeps parameters for some of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_lr.booleans import true_or_false
from tinygrad_lr.integers import whole_number
from tinygrad_lr.reals import real_number

from . import elementwise, losses, products, shapes
from .dtypes import result_dtype
from .losses import *  # noqa: F403 (the losses, whose list stands there)
from .tensor import Axes, Operand, Tensor, adopt, apply, as_tensor, beside

__all__ = ["cat", "clip", "concatenate", "einsum", "elu", "gelu", "leaky_relu", "linear", "log_softmax", "logsigmoid"]
__all__ += [
    "logsumexp",
    "maximum",
    "normalize",
    "minimum",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "stack",
    "tanh",
]
__all__ += ["where", "one_hot", *losses.__all__]


def linear(x: Operand, weight: Operand, bias: Operand | None = None) -> Tensor:
    """x weight^T + bias.

    Args:
        x: (..., in_features). weight: (out_features, in_features). bias: (out_features,) or None.

    Raises:
        ValueError: shapes that do not fit.

    Example:
        >>> from tinygrad_lr import ones
        >>> linear(ones(4, 3), ones(2, 3)).shape
        (4, 2)
    """
    given = (x, weight) if bias is None else (x, weight, bias)
    return apply(products.linear, tuple([as_tensor(each) for each in given]))


def maximum(a: Operand, b: Operand) -> Tensor:
    """The larger of two, element by element; a tie shares the gradient equally."""
    first = beside(a, b) if isinstance(b, Tensor) else as_tensor(a)
    return first.maximum(b)


def minimum(a: Operand, b: Operand) -> Tensor:
    """The smaller of two, element by element; a tie shares the gradient equally."""
    first = beside(a, b) if isinstance(b, Tensor) else as_tensor(a)
    return first.minimum(b)


def clip(x: Operand, min: Operand | None = None, max: Operand | None = None) -> Tensor:
    """Each element, but at least `min` and at most `max`; see `Tensor.clip`."""
    return as_tensor(x).clip(min, max)


def where(condition: Operand, a: Operand | None = None, b: Operand | None = None) -> Any:
    """The elements of a where a condition holds, and those of b elsewhere; of a condition alone, where it holds.

    Args:
        condition: bool. a, b: Tensors, arrays or numbers. All three broadcast. Without both, the places are given as
            by `condition.nonzero(as_tuple=True)`.

    Raises:
        TypeError: the condition is not bool. ValueError: shapes that do not broadcast.

    Example:
        >>> from tinygrad_lr import tensor
        >>> x = tensor([-1.0, 4.0])
        >>> where(x > 0, x, 0.0)
        tensor([0., 4.])
    """
    if a is None or b is None:
        if a is not b:
            raise TypeError("where needs both a and b, or neither; write where(condition, a, b)")
        return as_tensor(condition).nonzero(as_tuple=True)
    if isinstance(a, (Tensor, np.ndarray)):
        first = as_tensor(a)
        second = beside(b, first)
    else:
        second = as_tensor(b)
        first = beside(a, second)
    return apply(shapes.where, (as_tensor(condition), first, second))


def concatenate(tensors: Sequence[Operand], axis: int | None = None, *, dim: int | None = None) -> Tensor:
    """Tensors one after another along an axis that there is: 0 by default. `dim` is torch's name for it.

    Raises:
        ValueError: no Tensors, an axis that there is not, or shapes that differ in another axis.

    Example:
        >>> concatenate([np.ones(2, "f4"), np.zeros(1, "f4")])
        tensor([1., 1., 0.])
    """
    given = _several("concatenate", tensors)
    if any(each.ndim != 1 for each in given):  # as in torch, a row of nothing may stand beside any shape
        kept = [each for each in given if each.shape != (0,)]
        if len(kept) < len(given):
            dtype = result_dtype([each._data for each in given])
            given = [each.to(dtype) for each in kept]
    return apply(shapes.concatenate(len(given)), given, (_given(axis, dim),))


cat = concatenate  # torch's name


def stack(tensors: Sequence[Operand], axis: int | None = None, *, dim: int | None = None) -> Tensor:
    """Tensors of one shape one after another along a new axis: 0 by default.

    Raises:
        ValueError: no Tensors, an axis that there is not, or shapes that differ.

    Example:
        >>> stack([np.ones(2, "f4"), np.zeros(2, "f4")], dim=1).shape
        (2, 2)
    """
    given = _several("stack", tensors)
    if len({each.shape for each in given}) > 1:
        raise ValueError(f"stack: the shapes must be equal, got {', '.join(str(each.shape) for each in given)}")
    place = _given(axis, dim)
    return concatenate([each.unsqueeze(place) for each in given], place)


def _several(name: str, tensors: Sequence[Operand]) -> list[Tensor]:
    """A list or tuple of Tensors, one at least."""
    if isinstance(tensors, (Tensor, np.ndarray)) or not isinstance(tensors, Iterable):
        raise TypeError(f"{name} needs a list of Tensors, got {type(tensors).__name__}; write {name}([a, b])")
    given = [as_tensor(each) for each in tensors]
    if not given:
        raise ValueError(f"{name} needs at least one Tensor, got none")
    return given


def _given(axis: int | None, dim: int | None) -> int:
    """The axis that is given under one of its names; 0 by default."""
    if axis is not None and dim is not None:
        raise TypeError(f"axis={axis!r} and dim={dim!r} are one argument; give one of them")
    found = axis if dim is None else dim
    return 0 if found is None else found


def einsum(subscripts: str, *operands: Any) -> Tensor:
    """The sum of products that Einstein's notation names, as `np.einsum` and `torch.einsum` write it.

    Args:
        subscripts: letters for the axes of each operand, and after "->" those of the result. A letter that stands twice
            in one operand takes its diagonal; "..." stands for the axes that are not named.
        operands: Tensors or arrays, one or more, or a list of them.

    Raises:
        ValueError: subscripts that do not fit the shapes. TypeError: operands of another kind.

    Example:
        >>> einsum("ij,kj->ik", np.ones((2, 3), "f4"), np.ones((4, 3), "f4")).shape
        (2, 4)
    """
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    if not isinstance(subscripts, str):
        raise TypeError(f"einsum needs the subscripts as a text such as 'ij,jk->ik', got {type(subscripts).__name__}")
    given = [as_tensor(each) for each in operands]
    if not given:
        raise ValueError("einsum needs at least one Tensor, got none")
    labels = products.labelled(subscripts, [each.shape for each in given])
    return apply(products.einsum(len(given)), given, (labels,))


def relu(x: Operand, inplace: bool = False) -> Tensor:
    """max(x, 0); the derivative at 0 is declared 0."""
    refuse_in_place("relu", inplace)
    return apply(elementwise.relu, (as_tensor(x),))


def leaky_relu(x: Operand, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where it is above 0, and negative_slope x elsewhere; the derivative at 0 is declared negative_slope.

    Raises:
        TypeError, ValueError: a slope that is no finite number. NotImplementedError: `inplace`.

    Example:
        >>> leaky_relu(np.array([-2.0, 3.0]), 0.1)
        tensor([-0.2,  3. ], dtype=float64)
    """
    refuse_in_place("leaky_relu", inplace)
    x = as_tensor(x)
    return apply(elementwise.leaky_relu, (x, beside(real_number("negative_slope", negative_slope), x)))


def elu(x: Operand, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where it is above 0, and alpha (exp(x) - 1) elsewhere (Clevert et al., 2016, arXiv:1511.07289).

    Raises:
        TypeError, ValueError: alpha is no finite number. NotImplementedError: `inplace`.
    """
    refuse_in_place("elu", inplace)
    x = as_tensor(x)
    return apply(elementwise.elu, (x, beside(real_number("alpha", alpha), x)))


def silu(x: Operand, inplace: bool = False) -> Tensor:
    """x sigmoid(x), which is also named Swish."""
    refuse_in_place("silu", inplace)
    return apply(elementwise.silu, (as_tensor(x),))


APPROXIMATIONS = {"none": elementwise.gelu, "tanh": elementwise.gelu_tanh}


def gelu(x: Operand, approximate: str = "none") -> Tensor:
    """x times the normal distribution's share below x (Hendrycks and Gimpel, 2016, arXiv:1606.08415).

    Args:
        approximate: "none", or "tanh" for x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2.

    Raises:
        ValueError: another approximation.

    Example:
        >>> [round(gelu(1.0, approximate=how).item(), 4) for how in ("none", "tanh")]
        [0.8413, 0.8412]
    """
    if approximate not in APPROXIMATIONS:
        raise ValueError(f"approximate must be one of {', '.join(APPROXIMATIONS)}, got {approximate!r}")
    return apply(APPROXIMATIONS[approximate], (as_tensor(x),))


def refuse_in_place(name: str, inplace: object) -> None:
    """Raise NotImplementedError for torch's `inplace=True`, and TypeError for what is no bool."""
    if true_or_false("inplace", inplace):
        raise NotImplementedError(
            f"{name}: inplace must be False, got {inplace!r}; an op here gives a new Tensor, which has the same values"
        )


def tanh(x: Operand) -> Tensor:
    """The hyperbolic tangent."""
    return apply(elementwise.tanh, (as_tensor(x),))


def sigmoid(x: Operand) -> Tensor:
    """1 / (1 + exp(-x)), without overflow for any x."""
    return apply(elementwise.sigmoid, (as_tensor(x),))


def softplus(x: Operand, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta x)) / beta, without overflow for any x.

    Args:
        beta: how steep it is.
        threshold: x itself is taken where beta x is above it. From 20 on that is not done, because
            the logarithm is exact here; the difference is below 2.1e-9.

    Raises:
        TypeError, ValueError: beta is no number other than 0, or the threshold none.

    Example:
        >>> softplus(np.array([-1e4, 0.0, 1e4])).tolist() == [0.0, np.log(2), 1e4]
        True
    """
    given, slope = as_tensor(x), real_number("beta", beta)
    limit = real_number("threshold", threshold)
    if slope == 0:
        raise ValueError("beta must be another number than 0")
    scaled = given if slope == 1 else given * slope
    if limit >= 20:
        out = apply(elementwise.softplus, (scaled,))
    else:
        out = apply(elementwise.softplus_below, (scaled, beside(limit, scaled)))
    return out if slope == 1 else out / slope


def logsigmoid(x: Operand) -> Tensor:
    """The logarithm of the sigmoid, without overflow for any x.

    Example:
        >>> logsigmoid(np.array([-1e4, 1e4])).tolist()
        [-10000.0, -0.0]
    """
    return -softplus(-as_tensor(x))


def softmax(x: Operand, axis: int | None = None, *, dim: int | None = None, dtype: DTypeLike | None = None) -> Tensor:
    """exp(x) divided by its sum along an axis: see `Tensor.softmax`."""
    return as_tensor(x).softmax(axis, dim=dim, dtype=dtype)


def log_softmax(
    x: Operand, axis: int | None = None, *, dim: int | None = None, dtype: DTypeLike | None = None
) -> Tensor:
    """The logarithm of the softmax along an axis: see `Tensor.log_softmax`."""
    return as_tensor(x).log_softmax(axis, dim=dim, dtype=dtype)


def normalize(x: Operand, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """x divided by its norm along an axis, or by eps where the norm is smaller.

    Raises:
        TypeError, ValueError: no such norm or axis, or eps below 0.

    Example:
        >>> normalize(np.array([[3.0, 4.0], [0.0, 0.0]]))
        tensor([[0.6, 0.8],
                [0. , 0. ]], dtype=float64)
    """
    given = as_tensor(x)
    return given / given.norm(p, dim, keepdims=True).clip(min=real_number("eps", eps, least=0.0))


def logsumexp(
    x: Operand, axis: Axes = None, keepdims: bool | None = None, *, dim: Axes = None, keepdim: bool | None = None
) -> Tensor:
    """The logarithm of the sum of exp(x) along an axis or several: see `Tensor.logsumexp`."""
    return as_tensor(x).logsumexp(axis, keepdims, dim=dim, keepdim=keepdim)


def one_hot(x: Operand, num_classes: int = -1) -> Tensor:
    """A row of 0 with a 1 at the place of each class: int64, of the shape of x and another last axis.

    Args:
        x: classes as int64, from 0 on. num_classes: how many there are; by default one more than the largest of x.

    Raises:
        TypeError: x holds no int64. ValueError: a class below 0, or beyond the last; or no elements to count by.

    Example:
        >>> one_hot(np.array([0, 2]))
        tensor([[1, 0, 0],
                [0, 0, 1]])
    """
    given = as_tensor(x)
    if given.dtype.kind != "i":
        raise TypeError(f"one_hot needs classes as int64, got {given.dtype}; convert them with .long()")
    values = given.detach().numpy()
    count = whole_number("num_classes", num_classes, least=-1)
    if count == -1:
        if not values.size:
            raise ValueError("one_hot of no elements needs num_classes")
        count = int(values.max()) + 1
    if values.size and (values.min() < 0 or values.max() >= count):
        raise ValueError(f"one_hot: expected classes from 0 to {count - 1}, got {values.min()} to {values.max()}")
    return adopt((values[..., None] == np.arange(count)).astype(np.int64))
