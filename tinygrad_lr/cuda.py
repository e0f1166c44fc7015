"""CUDA: whether it can be used in this process, and an error with the remedy where it cannot.

The first question imports numba.cuda; `import tinygrad_lr` does not.

Next: `engine/on_cuda.py`, the ops that run on a GPU.
"""

from __future__ import annotations

import os

__all__ = ["is_available", "is_simulated", "require", "state"]

_REMEDY = (
    "install an NVIDIA driver and `pip install 'tinygrad_lr[cuda]'` on a machine with a GPU, or use device 'cpu' "
    "(nothing falls back silently)"
)


def is_simulated() -> bool:
    """Whether Numba's simulator replaces a GPU (NUMBA_ENABLE_CUDASIM=1 was set before Numba was imported).

    Example:
        >>> is_simulated() in (True, False)
        True
    """
    return os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")


def state() -> str:
    """A line on CUDA in this process: available, simulated, or why it is not available.

    Example:
        >>> isinstance(state(), str)
        True
    """
    try:
        from numba import cuda
    except ImportError as error:
        return f"not available: numba is not installed ({error})"
    if is_simulated():
        return "simulated by Numba (NUMBA_ENABLE_CUDASIM=1): for tests, not evidence of a GPU"
    try:
        available = cuda.is_available()
    except Exception as error:  # the driver's own failure is the answer here
        return f"not available: {type(error).__name__}: {error}"
    if not available:
        return "not available: no CUDA driver or no GPU was found"
    device = cuda.get_current_device()
    name = device.name.decode() if isinstance(device.name, bytes) else device.name
    return f"available: {name}, compute capability {'.'.join(map(str, device.compute_capability))}"


def is_available() -> bool:
    """Whether tensors and optimizers can be placed on `"cuda"` in this process: on a GPU, or in Numba's simulator.

    Example:
        >>> is_available() in (True, False)
        True
    """
    return not state().startswith("not available")


def require() -> None:
    """Raise a RuntimeError that names the remedy unless CUDA can be used.

    Raises:
        RuntimeError: no GPU, no driver or no Numba.
    """
    found = state()
    if found.startswith("not available"):
        raise RuntimeError(f"device 'cuda' was asked for, but CUDA is {found}; {_REMEDY}")
