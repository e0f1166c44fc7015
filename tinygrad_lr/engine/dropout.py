"""The op of dropout: a key and a probability say which elements become 0. `random.mask_key` gives the keys.

Next: `nn/dropout.py`, which draws them.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from . import on_cuda
from .ops import Inputs, Op, register

__all__ = ["dropout", "least_of", "scale_of"]

Array = Any


def least_of(p: float) -> int:
    """What the upper 53 bits of a random word are compared with: p 2^53, which is a whole number or rounded up."""
    return math.ceil(math.ldexp(p, 53))


def scale_of(p: float) -> float:
    """What the elements that stay are multiplied by, so that the mean stays; 1 where none does."""
    return 1 / (1 - p) if p < 1 else 1.0


@cache
def _stays() -> Any:
    """The rule of the loops over arrays."""
    from tinygrad_lr.kernels._jit import over_arrays
    from tinygrad_lr.kernels.ops import dropout

    return over_arrays(dropout.stays)


def _dropped(a: Array, stays: Array, p: float) -> Array:
    return np.where(stays, a * a.dtype.type(scale_of(p)), a.dtype.type(0))


def _dropout(a: Array, p: float, key: int) -> tuple[Array, Array]:
    """The result, and which elements stay."""
    if a.dtype.kind not in "fc":
        raise TypeError(f"expected floats, got {a.dtype}; convert them first, .to('float32')")
    numbers = np.arange(a.size, dtype=np.uint64)
    stays = _stays()(np.uint64(key), numbers, np.uint64(least_of(p))).reshape(a.shape)
    return _dropped(a, stays, p), stays


def _on_cuda(a: Array, p: float, key: int) -> Array:
    on_cuda.floating("dropout", a)
    number, out = a.dtype.type, on_cuda.empty((a.size,), a.dtype)
    loop = on_cuda.loops("dropout").drop_gpu
    on_cuda.launch(loop, on_cuda.flat(a), int(key), least_of(p), number(scale_of(p)), number(0), out)
    return out.reshape(a.shape)


dropout = register(
    Op(
        "dropout",
        _dropout,
        (lambda g, stays, a, p, key: _dropped(g, stays, p),),
        reads=((),),
        keeps=True,
        cases=tuple(
            Inputs((shape,), (p, key))
            for key, (shape, p) in enumerate(
                (((), 0.5), ((5,), 0.5), ((4, 3), 0.25), ((4, 3), 0.0), ((3,), 1.0), ((0, 2), 0.5), ((2, 3, 2), 0.9))
            )
        ),
        cuda_forward=lambda a, p, key: (_on_cuda(a, p, key), a),
        cuda_vjps=(lambda g, kept, a, p, key: _on_cuda(g, p, key),),
    )
)
