"""How tests compile a CUDA loop without a GPU, and reasons why they cannot."""

from __future__ import annotations

import importlib
import importlib.util
import os
from typing import Any

import pytest

from tinygrad_lr import cuda


def without_cuda() -> str:
    """Why nothing can run on "cuda" here, or nothing."""
    return "" if cuda.is_available() else f"CUDA here is {cuda.state()}"


def has_toolkit() -> bool:
    """Whether loops can be compiled to PTX here."""
    return importlib.util.find_spec("cuda") is not None or bool(os.environ.get("CUDA_HOME"))


def ptx(loop: Any, signature: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch) -> str:
    """Compile a CUDA loop for compute capability 9.0; device functions ask for the current device, so name one."""
    if cuda.is_simulated():
        pytest.skip("the CUDA simulator has no compiler; this runs in the compiled mode")
    if not has_toolkit():
        pytest.skip("no CUDA toolkit: `pip install 'tinygrad_lr[cuda]'`, or set CUDA_HOME")
    from numba import cuda as numba_cuda

    class Device:
        compute_capability = (9, 0)

    for name in ("numba.cuda.dispatcher", "numba.cuda.compiler"):
        module = importlib.import_module(name)
        if hasattr(module, "get_current_device"):
            monkeypatch.setattr(module, "get_current_device", Device)
    text, _ = numba_cuda.compile_ptx(loop.py_func, signature, cc=(9, 0), fastmath=False)
    return str(text)
