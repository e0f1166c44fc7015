"""The functions of `engine/functional.py` and of layers, under torch's name: `from tinygrad_lr.nn import functional`.

Example:
    >>> import tinygrad_lr.nn.functional as F
    >>> from tinygrad_lr import tensor
    >>> F.relu(tensor([-1.0, 2.0]))
    tensor([0., 2.])
"""

from typing import TYPE_CHECKING, Any

from tinygrad_lr.engine.functional import *  # noqa: F403 (the list of functions stands there)
from tinygrad_lr.engine.functional import __all__ as _of_the_engine

from .dropout import dropout
from .normalization import layer_norm

__all__ = [*_of_the_engine, "dropout", "layer_norm"]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Raise AttributeError, with what there is."""
        raise AttributeError(
            f"tinygrad_lr.nn.functional has no {name}; it has {', '.join(__all__)}. Write it with what Tensors can"
        )
