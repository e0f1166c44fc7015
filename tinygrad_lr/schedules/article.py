"""The article's three functions of epoch and batch, with its arguments, its values and its order of operations.

They give every value of the printed code bit for bit, also past the last epoch, where it may turn negative (polynomial)
or rise again (cosine). Where that code divides by zero or raises a negative number to a fraction, a ValueError names
the argument. With W = warm_up * total_batches, T = total_epochs * total_batches and
t = epoch_i * total_batches + batch_i they are, over a run (t < T), these pure schedules times base_lr:

    decay_lr_poly      warmup(W).then(polynomial(T - W, power)), for power=1 bit for bit
    decay_lr_cosine    warmup(W).then(cosine(T - W))
    decay_lr_stable    warmup_stable_decay(W, stable_epochs * total_batches, the rest)

The printed power is NumPy's and the pure one Python's (elementary.py): they differ by at most a unit in the last place.
The printed cosine is off by a rounding of 1, however small its value is, and the pure one by a rounding of its value
(half_cosine.py): while a rate falls they differ by at most 10 units of rounding (2^-53) of base_lr.

Source: the article's "warm-up" section, methods one, `cosine decay schedule` and `Warmup-Stable-Decay`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_lr.integers import shown
from tinygrad_lr.reals import real_number

Decay = Callable[[Any, "int | float"], Any]
# total_epochs, total_batches, warm_up, stable_epochs, and below which size epoch and batch are exact without a check
Phases = tuple["int | float", "int | float", "int | float", "int | float", float]

_PLAIN = (int, float)


def decay_lr_poly(
    base_lr: float,
    epoch_i: ArrayLike,
    batch_i: ArrayLike,
    total_epochs: float,
    total_batches: float,
    warm_up: float,
    power: float = 1.0,
) -> Any:
    """Linear warm-up from 0 over `warm_up` epochs, then base_lr (1 - p)^power.

    Args:
        base_lr: the rate that the warm-up ends with.
        epoch_i, batch_i: epoch and batch within it, both from 0; numbers, or arrays that broadcast with each other.
        total_epochs, total_batches: epochs of the run, batches of an epoch.
        warm_up: epochs of warm-up, 0 for none. The code switches at whole epochs.
        power: exponent of the decay.

    Returns:
        The rate: a Python float for two numbers, a float64 array where one argument is an array.

    Raises:
        TypeError: an argument that is no number.
        ValueError: NaN, a negative warm_up, counts that are not positive, and what the printed code has no value for.

    Example:
        >>> [decay_lr_poly(0.01, epoch, 0, 10, 10, 5) for epoch in (0, 2, 5, 8)]
        [0.0, 0.004, 0.01, 0.004]
        >>> decay_lr_poly(0.01, np.array([[0], [5]]), np.array([0, 5]), 10, 10, 5)
        array([[0.   , 0.001],
               [0.01 , 0.009]])
    """
    return _rate(base_lr, epoch_i, batch_i, total_epochs, total_batches, warm_up, None, _remembered(_polynomial, power))


@lru_cache(maxsize=64, typed=True)
def _polynomial(power: Any) -> Decay:
    """(1 - p)^power, with an error where the printed code would give no number."""
    exponent = real_number("power", power)

    def decay(progress: Any, length: int | float) -> Any:
        left = 1.0 - progress / length
        if exponent == 1:
            return left
        if not exponent.is_integer() and np.any(left < 0):
            raise ValueError(
                f"epoch_i lies past total_epochs, where a negative number would be raised to the "
                f"fraction power={power}; stop at the last epoch, or use a whole power"
            )
        if exponent < 0 and np.any(left == 0):
            raise ValueError(f"power={power} is negative, so the end of the run would divide by zero; use power > 0")
        with np.errstate(all="ignore"):
            return np.power(left, power)

    return decay


def decay_lr_cosine(
    base_lr: float, epoch_i: ArrayLike, batch_i: ArrayLike, total_epochs: float, total_batches: float, warm_up: float
) -> Any:
    """Linear warm-up from 0, then base_lr (1 + cos(pi p)) / 2. Arguments and errors are those of `decay_lr_poly`.

    Example:
        >>> [decay_lr_cosine(0.01, epoch, 0, 10, 10, 4) for epoch in (0, 2, 4, 10)]
        [0.0, 0.005, 0.01, 0.0]
    """
    return _rate(base_lr, epoch_i, batch_i, total_epochs, total_batches, warm_up, None, _cosine)


def decay_lr_stable(
    base_lr: float,
    epoch_i: ArrayLike,
    batch_i: ArrayLike,
    total_epochs: float,
    total_batches: float,
    warm_up: float,
    stable_epochs: float = 0,
) -> Any:
    """Linear warm-up from 0, base_lr for `stable_epochs`, then base_lr (1 + cos(pi p)) / 2; else as `decay_lr_poly`.

    Example:
        >>> [decay_lr_stable(0.01, epoch, 0, 10, 10, 2, stable_epochs=4) for epoch in (0, 1, 2, 5, 6, 10)]
        [0.0, 0.005, 0.01, 0.01, 0.01, 0.0]
    """
    return _rate(base_lr, epoch_i, batch_i, total_epochs, total_batches, warm_up, stable_epochs, _cosine)


def _cosine(progress: Any, length: int | float) -> Any:
    return 0.5 * (1.0 + np.cos(np.pi * progress / length))


def _rate(
    base_lr: float,
    epoch_i: Any,
    batch_i: Any,
    total_epochs: Any,
    total_batches: Any,
    warm_up: Any,
    stable: Any,
    decay: Decay,
) -> Any:
    """The three branches of the printed code, each computed only where it applies."""
    base = base_lr if type(base_lr) is float else real_number("base_lr", base_lr)
    phases = _remembered(_phases, total_epochs, total_batches, warm_up, stable)
    if type(epoch_i) in _PLAIN and type(batch_i) in _PLAIN:
        return _one(base, epoch_i, batch_i, phases, stable, decay)
    base = real_number("base_lr", base)
    _, total_batches, warm_up, stable_epochs, _ = phases
    epoch, batch = np.broadcast_arrays(_counter("epoch_i", epoch_i), _counter("batch_i", batch_i))
    shape = epoch.shape
    epoch, batch = epoch.ravel(), batch.ravel()
    _check_exact(float(np.abs(epoch).max(initial=0)), float(np.abs(batch).max(initial=0)), phases)

    rate = np.ones(epoch.shape)
    warming = (warm_up > 0) & (epoch < warm_up)
    decaying = ~warming if stable is None else ~(warming | (epoch < warm_up + stable_epochs))
    with np.errstate(all="ignore"):
        if warming.any():
            rate[warming] = (epoch[warming] * total_batches + batch[warming]) / (warm_up * total_batches)
        if decaying.any():
            length = _decay_length(phases, stable, epoch[decaying][0])
            decayed = (epoch[decaying] - warm_up - stable_epochs) * total_batches + batch[decaying]
            rate[decaying] = decay(decayed, length)
        values = rate * base
    if not np.isfinite(values).all():
        raise _overflow(epoch[~np.isfinite(values)][0])
    scalar = np.ndim(epoch_i) == 0 and np.ndim(batch_i) == 0
    return float(values[0]) if scalar else values.reshape(shape)


def _remembered(check: Any, *arguments: Any) -> Any:
    """The result of a cached check. For an argument that is not hashable, the check itself raises its error."""
    try:
        return check(*arguments)
    except TypeError:
        return check.__wrapped__(*arguments)


@lru_cache(maxsize=64, typed=True)
def _phases(total_epochs: Any, total_batches: Any, warm_up: Any, stable: Any) -> Phases:
    """The counts of a run, checked. The cache is for training loops, which give the same ones at every step."""
    total_epochs, total_batches = _plain("total_epochs", total_epochs), _plain("total_batches", total_batches)
    warm_up, stable_epochs = _plain("warm_up", warm_up), 0 if stable is None else _plain("stable_epochs", stable)
    for name, value in (("total_epochs", total_epochs), ("total_batches", total_batches)):
        if value <= 0:
            raise ValueError(f"{name} must be above 0, got {value}")
    for name, value in (("warm_up", warm_up), ("stable_epochs", stable_epochs)):
        if value < 0:
            raise ValueError(f"{name} must be at least 0, got {value}; use 0 for none")
    exact = min(2.0**52, 2.0**52 / total_batches - total_epochs - warm_up - stable_epochs)
    return total_epochs, total_batches, warm_up, stable_epochs, exact


def _one(base: float, epoch: Any, batch: Any, phases: Phases, stable: Any, decay: Decay) -> float:
    """The rate of a single step, thirty times faster than with an array of one element. Training loops call this."""
    _, total_batches, warm_up, stable_epochs, exact = phases
    if not (-exact < epoch < exact and -exact < batch < exact):
        _check_exact(abs(epoch), abs(batch), phases)
    if warm_up > 0 and epoch < warm_up:
        value = (epoch * total_batches + batch) / (warm_up * total_batches) * base
    elif stable is not None and epoch < warm_up + stable_epochs:
        value = base
    else:
        length = _decay_length(phases, stable, epoch)
        value = float(decay((epoch - warm_up - stable_epochs) * total_batches + batch, length)) * base
    if not math.isfinite(value):
        real_number("base_lr", base)
        raise _overflow(epoch)
    return value


def _decay_length(phases: Phases, stable: Any, epoch: Any) -> int | float:
    """The number of steps of the decay; raises where there is none."""
    total_epochs, total_batches, warm_up, stable_epochs, _ = phases
    length = (total_epochs - warm_up - stable_epochs) * total_batches
    if length == 0:
        before = "warm_up" if stable is None else "warm_up + stable_epochs"
        raise ValueError(
            f"total_epochs={total_epochs} leaves no epoch for the decay after {before}="
            f"{warm_up + stable_epochs}, so epoch_i={epoch} would divide by zero; "
            f"raise total_epochs, lower {before}, or stop before that epoch"
        )
    return length


def _overflow(epoch: Any) -> ValueError:
    return ValueError(f"the rate overflows float64 at epoch_i={epoch}; check the arguments")


def _plain(name: str, value: Any) -> int | float:
    """A finite number; integers stay integers."""
    plain = real_number(name, value)
    if abs(plain) >= 2**53:
        raise ValueError(f"{name} must be below 2**53 in size, got {shown(value)}")
    return int(value) if isinstance(value, (int, np.integer)) else plain


def _counter(name: str, value: Any) -> NDArray[Any]:
    """Epochs or batches as an array of int64 or float64."""
    array = np.asarray(value)
    if array.size and array.dtype.kind not in "iuf":
        raise TypeError(f"{name} must be a number or an array of numbers, got {value!r}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {value!r}")
    if array.size and np.abs(array.astype(np.float64)).max() >= 2**53:
        raise ValueError(f"{name} must be below 2**53 in size, got {value!r}")
    return array.astype(np.float64 if array.dtype.kind == "f" else np.int64)


def _check_exact(epoch: float, batch: float, phases: Phases) -> None:
    """Raise where there are 2**53 steps or more: below that, integers are exact in float64, and all forms agree."""
    total_epochs, total_batches, warm_up, stable_epochs, _ = phases
    epochs = max(abs(total_epochs), epoch) + warm_up + stable_epochs
    if not (epoch < 2**53 and epochs * total_batches + batch < 2**53):  # false for NaN too
        for name, value in (("epoch_i", epoch), ("batch_i", batch)):
            real_number(name, value)  # which refuses NaN, and what is beyond float64
        raise ValueError("epochs times total_batches must stay below 2**53 steps; check epoch_i and total_batches")
