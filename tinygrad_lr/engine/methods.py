"""Methods of Tensor that a row of the table of ops defines: `Tensor.log1p` comes from the row "log1p" and its `doc`.

Where NumPy has another name for a row than torch, there is a method of each: `arcsin` and `asin`. A method that Tensor
defines itself stays. Next: `functional.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .elementwise import NUMPY
from .ops import OPS, Op
from .tensor import Tensor, apply

__all__ = ["add_methods"]


def add_methods(rows: Iterable[Op]) -> None:
    """Give Tensor a method for each row of one input that has a `doc`."""
    for op in rows:
        if op.doc and len(op.vjps) == 1 and not hasattr(Tensor, op.name):
            setattr(Tensor, op.name, _method(op))


def _method(op: Op) -> Callable[[Tensor], Tensor]:
    def method(self: Tensor) -> Tensor:
        return apply(op, (self,))

    method.__name__, method.__qualname__, method.__doc__ = op.name, f"Tensor.{op.name}", op.doc
    return method


add_methods(OPS.values())
for _numpy, _name in NUMPY.items():
    if OPS[_name].doc:
        setattr(Tensor, _numpy, getattr(Tensor, _name))
