"""First values of parameters, with torch's names: each function fills a Tensor in place and returns it.

Nothing is recorded. The numbers come from the generator that `manual_seed` seeds; they are not torch's numbers. What is
random is drawn in float32 or float64, as the Tensor is. The first axis of a matrix counts the outputs, the second the
inputs, as in `Linear`; further axes belong to both.

Example:
    >>> from tinygrad_lr import nn
    >>> layer = nn.Linear(4, 8)
    >>> _ = nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
    >>> _ = nn.init.zeros_(layer.bias)
    >>> layer.bias.tolist() == [0.0] * 8
    True
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_lr import random
from tinygrad_lr.engine.tensor import Tensor
from tinygrad_lr.integers import shown
from tinygrad_lr.reals import real_number

__all__ = ["calculate_gain", "constant_", "eye_", "kaiming_normal_", "kaiming_uniform_", "normal_", "ones_"]
__all__ += ["orthogonal_", "sparse_", "trunc_normal_", "uniform_", "xavier_normal_", "xavier_uniform_", "zeros_"]

# What a nonlinearity multiplies the deviation of its input by, so that weights have to make up for it.
GAINS = {
    **dict.fromkeys(("linear", "conv1d", "conv2d", "conv3d", "sigmoid"), 1.0),
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "selu": 3 / 4,
}
TRIES = 1000  # of draws from a normal distribution between two bounds


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which the weights before a nonlinearity should be larger.

    Args:
        nonlinearity: "linear", "conv1d", "conv2d", "conv3d", "sigmoid", "tanh", "relu", "leaky_relu" or "selu".
        param: the negative slope of "leaky_relu", 0.01 by default; the others have none.

    Raises:
        ValueError: another nonlinearity. TypeError: `param` is no number.

    Example:
        >>> calculate_gain("tanh") == 5 / 3
        True
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else real_number("param", param)
        return math.sqrt(2 / (1 + slope * slope))
    if not isinstance(nonlinearity, str) or nonlinearity not in GAINS:
        known = ", ".join([*GAINS, "leaky_relu"])
        raise ValueError(f"nonlinearity must be one of {known}, got {shown(nonlinearity)}")
    return GAINS[nonlinearity]


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """Fill with draws from the uniform distribution between a and b.

    Raises:
        TypeError: no Tensor of floats, or bounds that are no numbers. ValueError: b is below a.
    """
    a, b = real_number("a", a), real_number("b", b)
    if b < a:
        raise ValueError(f"b must be at least a, got a={a:g} and b={b:g}")
    return _filled(tensor, _uniform(_checked(tensor), a, b))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Fill with draws from the normal distribution.

    Raises:
        TypeError: no Tensor of floats, or no numbers. ValueError: std is below 0.
    """
    mean, std = real_number("mean", mean), real_number("std", std, least=0.0)
    return _filled(tensor, _normal(_checked(tensor), mean, std))


def trunc_normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0) -> Tensor:
    """Fill with draws from the normal distribution, of which those outside of [a, b] are drawn again.

    Args:
        mean, std: of the distribution before. a, b: the bounds; they are no multiples of std.

    Raises:
        TypeError: no Tensor of floats, or no numbers. ValueError: std is below 0, b is below a, or the bounds lie so
            far from the mean that hardly a draw is between them.
    """
    mean, std = real_number("mean", mean), real_number("std", std, least=0.0)
    a, b = real_number("a", a), real_number("b", b)
    if b < a:
        raise ValueError(f"b must be at least a, got a={a:g} and b={b:g}")
    data = _checked(tensor)
    values = _normal(data, mean, std).reshape(-1)
    low, high = _within(a, b, values.dtype)
    for _ in range(TRIES):
        outside = np.flatnonzero((values < low) | (values > high))
        if not outside.size:
            return _filled(tensor, values.reshape(data.shape))
        values[outside] = _normal(values[outside], mean, std)
    raise ValueError(
        f"hardly a draw of mean {mean:g} and std {std:g} lies between a={a:g} and b={b:g}; nothing was changed: move "
        "the bounds towards the mean, or take uniform_(tensor, a, b)"
    )


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one number.

    Raises:
        TypeError: no Tensor of floats, or no number. ValueError: it is not finite.
    """
    return _filled(tensor, np.full(_checked(tensor).shape, real_number("val", val)))


def ones_(tensor: Tensor) -> Tensor:
    """Fill with 1."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with 0."""
    return constant_(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with 1 on its diagonal and 0 elsewhere.

    Raises:
        TypeError: no Tensor of floats. ValueError: it is no matrix.
    """
    data = _checked(tensor)
    _matrix("eye_", data, exactly=True)
    return _filled(tensor, np.eye(*data.shape))


def xavier_uniform_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Fill uniformly within gain sqrt(6 / (inputs + outputs)) of 0 (Glorot and Bengio, AISTATS 2010).

    Raises:
        TypeError: no Tensor of floats, or the gain is no number. ValueError: fewer than two axes.
    """
    inputs, outputs = _fans("xavier_uniform_", _checked(tensor))
    bound = real_number("gain", gain) * math.sqrt(6 / (inputs + outputs))
    return _filled(tensor, _uniform(tensor._data, -bound, bound))


def xavier_normal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Fill normally with standard deviation gain sqrt(2 / (inputs + outputs)); errors as for `xavier_uniform_`."""
    inputs, outputs = _fans("xavier_normal_", _checked(tensor))
    return _filled(tensor, _normal(tensor._data, 0.0, real_number("gain", gain) * math.sqrt(2 / (inputs + outputs))))


def kaiming_uniform_(tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Tensor:
    """Fill uniformly within gain sqrt(3 / fan) of 0 (He et al., 2015, arXiv:1502.01852).

    Args:
        a: the negative slope of "leaky_relu".
        mode: "fan_in" keeps the size of values going forward, "fan_out" that of gradients going back.
        nonlinearity: what follows, see `calculate_gain`.

    Raises:
        TypeError: no Tensor of floats, or a is no number. ValueError: fewer than two axes, or another mode or
            nonlinearity.
    """
    bound = math.sqrt(3) * _kaiming("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return _filled(tensor, _uniform(tensor._data, -bound, bound))


def kaiming_normal_(tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Tensor:
    """Fill normally with standard deviation gain / sqrt(fan); arguments and errors as for `kaiming_uniform_`."""
    return _filled(tensor, _normal(_checked(tensor), 0.0, _kaiming("kaiming_normal_", tensor, a, mode, nonlinearity)))


def orthogonal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Fill with a random matrix whose rows, or columns where these are fewer, are orthonormal, times the gain.

    It is drawn uniformly from all such matrices (Saxe et al., 2014, arXiv:1312.6120). Axes after the second count as
    columns.

    Raises:
        TypeError: no Tensor of floats, or the gain is no number. ValueError: fewer than two axes.
    """
    data, gain = _checked(tensor), real_number("gain", gain)
    _matrix("orthogonal_", data)
    if not data.size:
        return tensor
    rows, columns = data.shape[0], data.size // data.shape[0]
    drawn = random.generator().standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(drawn)
    q *= np.where(np.diag(r) < 0, -1, 1)  # without it not uniform: QR has a sign of its own for each column
    return _filled(tensor, (gain * (q if rows >= columns else q.T)).reshape(data.shape))


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01) -> Tensor:
    """Fill a matrix normally, and then a share of each column, rounded up, with 0 (Martens, ICML 2010).

    Raises:
        TypeError: no Tensor of floats, or no numbers. ValueError: no matrix, a sparsity outside of 0 to 1, or std
            below 0.
    """
    data = _checked(tensor)
    sparsity, std = real_number("sparsity", sparsity, least=0.0, most=1.0), real_number("std", std, least=0.0)
    _matrix("sparse_", data, exactly=True)
    rows, columns = data.shape
    values = _normal(data, 0.0, std)
    for column in range(columns):
        values[random.generator().permutation(rows)[: math.ceil(sparsity * rows)], column] = 0
    return _filled(tensor, values)


# --- what they share ------------------------------------------------------------------------------------------------


def _checked(tensor: Any) -> Any:
    """The values of a Tensor of floats."""
    if not isinstance(tensor, Tensor):
        raise TypeError(
            f"expected a Tensor or a Parameter to fill, got {type(tensor).__name__}; of a layer give its weight, "
            "nn.init.zeros_(layer.weight)"
        )
    if tensor.dtype.kind != "f":
        raise TypeError(f"expected a Tensor of floats, got {tensor.dtype}; convert it first, .to('float32')")
    return tensor._data


def _filled(tensor: Tensor, values: np.ndarray) -> Tensor:
    """The Tensor, with other values."""
    with np.errstate(all="ignore"):
        cast = values.astype(tensor.dtype)
    if not np.isfinite(cast).all():
        raise ValueError(f"{tensor.dtype} cannot hold such values; nothing was changed: give smaller numbers")
    tensor.data = cast
    return tensor


def _within(a: float, b: float, dtype: np.dtype[Any]) -> tuple[Any, Any]:
    """The bounds in a dtype, rounded towards each other; the nearest numbers where none lies between."""
    with np.errstate(all="ignore"):
        low, high = dtype.type(a), dtype.type(b)
    low = np.nextafter(low, dtype.type(np.inf)) if np.isfinite(low) and float(low) < a else low
    high = np.nextafter(high, dtype.type(-np.inf)) if np.isfinite(high) and float(high) > b else high
    return (low, high) if low <= high else (high, low)


def _uniform(like: Any, a: float, b: float) -> np.ndarray:
    """Draws between a and b, as many as `like` has elements."""
    low, high = _within(a, b, like.dtype)
    draws = np.asarray(random.generator().random(like.shape, like.dtype.type), np.float64)
    with np.errstate(all="ignore"):
        return np.minimum(np.maximum(a + (b - a) * draws, low), high)


def _normal(like: Any, mean: float, std: float) -> np.ndarray:
    draws = np.asarray(random.generator().standard_normal(like.shape, like.dtype.type), np.float64)
    with np.errstate(all="ignore"):
        return np.asarray(mean + std * draws).astype(like.dtype)


def _matrix(name: str, data: Any, exactly: bool = False) -> None:
    if data.ndim < 2 or (exactly and data.ndim > 2):
        wanted = "two axes" if exactly else "two axes or more"
        raise ValueError(
            f"{name} needs {wanted}, got shape {tuple(data.shape)}; for a bias write nn.init.zeros_(bias), or uniform_"
        )


def _fans(name: str, data: Any) -> tuple[int, int]:
    """The numbers of inputs and outputs of a weight, at least 1 together."""
    _matrix(name, data)
    beyond = math.prod(data.shape[2:])
    return max(data.shape[1] * beyond, 1), max(data.shape[0] * beyond, 1)


def _kaiming(name: str, tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    """The standard deviation of Kaiming's weights."""
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode must be 'fan_in' or 'fan_out', got {shown(mode)}")
    inputs, outputs = _fans(name, _checked(tensor))
    return calculate_gain(nonlinearity, real_number("a", a)) / math.sqrt(inputs if mode == "fan_in" else outputs)
