"""How good predictions are: R2. Next: baselines.py, with which a model is compared."""

from __future__ import annotations

import numpy as np

__all__ = ["r_squared"]


def r_squared(target: np.ndarray, prediction: np.ndarray) -> float | None:
    """1 - (squared errors of the prediction) / (squared errors of the target's mean); None for a constant target.

    Example:
        >>> r_squared(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]))
        1.0
    """
    target = np.asarray(target, np.float64)
    spread = float(((target - target.mean()) ** 2).sum())
    return 1.0 - float(((target - prediction) ** 2).sum()) / spread if spread > 0 else None
