"""Dropout: in training some elements become 0, and the others grow so that the mean stays.

`random.py` gives the keys of the masks, `engine/dropout.py` says what a key means. Next: `containers.py`.
"""

from __future__ import annotations

from tinygrad_lr import random
from tinygrad_lr.booleans import true_or_false
from tinygrad_lr.engine import dropout as rows
from tinygrad_lr.engine.functional import refuse_in_place
from tinygrad_lr.engine.tensor import Operand, Tensor, apply, as_tensor
from tinygrad_lr.reals import real_number

from .module import Module

__all__ = ["Dropout", "dropout"]


def dropout(x: Operand, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """x with each element replaced by 0 with probability p, and the others divided by 1 - p.

    Each call draws a mask of its own. The masks follow from `manual_seed` and from how many were drawn since: they are
    the same in compiled training, on a GPU, at any number of threads, and in a training that goes on from a checkpoint.

    Args:
        x: float32 or float64.
        p: from 0 to 1; at 1 all elements become 0.
        training: without it, the result is x.
        inplace: must be False.

    Raises:
        TypeError: x holds no floats, p is no number, or `training` no bool. ValueError: p lies outside of 0 to 1.

    Example:
        >>> from tinygrad_lr import manual_seed, ones
        >>> manual_seed(0)
        >>> sorted(set(dropout(ones(100), 0.75).tolist()))
        [0.0, 4.0]
    """
    refuse_in_place("dropout", inplace)
    p, x = real_number("p", p, least=0.0, most=1.0), as_tensor(x)
    if not true_or_false("training", training) or p == 0:
        return x
    return apply(rows.dropout, (x,), (p, random.mask_key()))


class Dropout(Module):
    """Replaces elements by 0 with probability p, and divides the others by 1 - p; in evaluation mode it does nothing.

    Several Dropouts draw masks of their own, see `functional.dropout`. There is no state: `state_dict` has no entry,
    and `training.Checkpoint` keeps how many masks were drawn.

    Args:
        p: from 0 to 1. inplace: must be False.

    Raises:
        TypeError, ValueError: p is no number from 0 to 1. NotImplementedError: `inplace`.

    Example:
        >>> from tinygrad_lr import ones
        >>> Dropout(0.9).eval()(ones(3))
        tensor([1., 1., 1.])
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        refuse_in_place("Dropout", inplace)
        self.p = real_number("p", p, least=0.0, most=1.0)

    def forward(self, x: Operand) -> Tensor:
        return dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace=False"
