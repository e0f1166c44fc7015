"""torch's functions that are methods of a Tensor here, as functions too: `exp(x)` is `x.exp()`.

Each takes a Tensor, an array or a number, and then what the method takes. The functions that are more than a method are
in `functional.py`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from . import methods  # noqa: F401 (adds the methods that rows define)
from .tensor import Tensor, as_tensor, beside

_NAMES = """
abs acos acosh add all allclose amax amin any argmax argmin argsort asin asinh atan atan2 atanh bmm broadcast_to ceil
chunk clamp clone cos cosh count_nonzero cumsum diag diagonal div dot eq equal erf erfc exp exp2 expm1 flatten flip
floor floor_divide frac gather ge gt index_select isclose isfinite isinf isnan le lerp log log10 log1p log2
logical_and logical_not logical_or logical_xor lt masked_select matmul max mean median min mm moveaxis movedim mul mv
nan_to_num narrow ne neg nonzero norm numel outer permute pow prod ravel reciprocal remainder repeat_interleave
reshape roll round rsqrt select sign sin sinh sort split sqrt square squeeze std sub sum swapaxes t tan topk trace
transpose tril triu trunc unbind unique unsqueeze var
"""
METHODS = _NAMES.split()

__all__ = [*METHODS]


def _function(name: str) -> Callable[..., Any]:
    """A method as a function."""
    method = getattr(Tensor, name)

    def function(x: Any, *given: Any, **named: Any) -> Any:
        first = beside(x, given[0]) if given and isinstance(given[0], Tensor) else as_tensor(x)
        return method(first, *given, **named)

    own = list(inspect.signature(method).parameters.values())
    function.__signature__ = inspect.Signature([own[0].replace(name="x"), *own[1:]])  # type: ignore[attr-defined]
    function.__name__ = function.__qualname__ = name
    function.__module__ = __name__
    function.__doc__ = f"See `Tensor.{name}`: {method.__doc__}"
    return function


globals().update({name: _function(name) for name in METHODS})
