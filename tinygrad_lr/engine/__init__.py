"""The engine: Tensors over NumPy arrays, the table of ops, and gradients in reverse mode.

Read in this order: `ops.py` (what a row is); `elementwise.py`, `shapes.py`, `products.py` (the rows); `questions.py`
(rows without a gradient); `graph.py` (the recorded graph, and `backward`); `saved.py` (guards against changes in
place); `recording.py` (`no_grad` and the watcher); `tensor.py` (the class that users hold); `gradcheck.py`. The
function `tinygrad_lr.tensor` is in `create.py`.
"""

from . import dropout, methods, normalization, numpy_functions  # noqa: F401 (rows, methods, NumPy's functions)
from .create import from_numpy, ones, zeros
from .dtypes import float32, float64, int64
from .ops import OPS
from .recording import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from .tensor import Tensor, adopt

__all__ = ["OPS", "Tensor", "adopt", "enable_grad", "float32", "float64", "from_numpy", "int64", "is_grad_enabled"]
__all__ += ["no_grad", "ones", "set_grad_enabled", "zeros"]
