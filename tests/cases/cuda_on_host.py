"""A stand-in for a GPU where there is none: numba-cuda's own array class over the host's memory, loops run by Python.

The simulator's arrays wrap NumPy arrays and can do all that those can. Here the arrays are the ones that a GPU gets, so
what they lack or refuse shows (attributes, slices of nothing, copies between layouts); an array that would travel to
the host unasked, or be written by one of numba's own kernels, is an error. It says nothing about the compiled code:
the loops are typed and compiled to PTX in test_cuda.py. It is no evidence of a GPU either.
"""

from __future__ import annotations

import ctypes
import importlib.util
from contextlib import nullcontext
from types import FunctionType
from typing import Any

import numpy as np
import pytest

from tinygrad_lr import cuda
from tinygrad_lr.engine import on_cuda
from tinygrad_lr.kernels import _jit


def unusable() -> str:
    """Why the stand-in cannot be used here, or nothing."""
    if cuda.is_simulated():
        return "the CUDA simulator replaces the array class"
    if importlib.util.find_spec("numba_cuda") is None:
        return "no CUDA, and no numba-cuda whose arrays could stand in: `pip install 'tinygrad_lr[cuda]'`"
    return ""


class Traffic(dict[str, int]):
    """How often something was copied ("to device", "to host", "on device") or launched since `clear()`.

    `signatures` has (loop, letters) for all arguments that loops were given, in the letters of test_cuda.py.
    """

    def __init__(self) -> None:
        self.signatures: set[tuple[str, str]] = set()

    def __missing__(self, what: str) -> int:
        return 0


def install(monkeypatch: pytest.MonkeyPatch) -> Traffic:
    """Put the stand-in in the place of a GPU until the test ends."""
    from numba.cuda.cudadrv import devicearray, devices, driver

    traffic, memory = Traffic(), []

    class Context:
        def memalloc(self, size: int) -> Any:
            memory.append((ctypes.c_char * size)())
            return driver.MemoryPointer(self, driver.binding.CUdeviceptr(ctypes.addressof(memory[-1])), size)

    def copies(what: str) -> Any:
        def copy(target: Any, source: Any, size: int) -> None:
            traffic[what] += 1
            ctypes.memmove(int(target), int(source), size)

        return copy

    def refuse(array: Any, *given: Any) -> None:
        raise AssertionError("an array travels to the host, or is written by a kernel of numba's, without being asked")

    def launch(loop: Any, size: int, arguments: tuple[Any, ...]) -> None:
        traffic["launches"] += 1
        own = loop.function.__qualname__.removesuffix(f"_{arguments[0].dtype}.gpu")
        name = f"{loop.function.__module__.rpartition('.')[2]}.{own}"
        traffic.signatures.add((name, signature(arguments)))
        run_by_python(loop.function, size, [as_host(argument) for argument in arguments])

    context = Context()
    monkeypatch.setattr(devices._runtime, "ensure_context", nullcontext)
    monkeypatch.setattr(devices._runtime, "get_or_create_context", lambda device=None: context)
    for name, what in (("HtoD", "to device"), ("DtoH", "to host"), ("DtoD", "on device")):
        monkeypatch.setitem(vars(driver.driver), f"cuMemcpy{name}", copies(what))
    monkeypatch.setattr(devicearray.DeviceNDArray, "__array__", refuse)
    monkeypatch.setattr(devicearray.DeviceNDArray, "__setitem__", refuse)
    monkeypatch.setattr(_jit.on_gpu, "launch", launch)
    monkeypatch.setattr(cuda, "state", lambda: "available: stood in for by the host's memory")
    monkeypatch.setattr(on_cuda, "_ones", {})
    return traffic


def signature(arguments: tuple[Any, ...]) -> str:
    """One letter an argument: the axes of an array, r for row numbers, f for a number of the arrays' dtype, i, or t."""
    letters = ""
    dtype = arguments[0].dtype
    for argument in arguments:
        if isinstance(argument, tuple):
            letters += "t"
        elif isinstance(argument, np.generic):
            letters += "f" if argument.dtype == dtype else f"({argument.dtype})"
        elif isinstance(argument, float):
            letters += "f"
        elif isinstance(argument, int):
            letters += "i"
        elif argument.dtype != dtype:
            letters += "r" if argument.dtype == np.int64 and argument.ndim == 1 else f"({argument.dtype})"
        else:
            letters += str(argument.ndim)
    return letters


def as_host(argument: Any) -> Any:
    """An argument of a loop as Python sees it; arrays share their memory."""
    if isinstance(argument, tuple):
        return tuple(as_host(each) for each in argument)
    if isinstance(argument, (int, np.generic)):
        return argument
    assert not isinstance(argument, np.ndarray), "a host array as an argument is copied at every launch"
    assert argument.is_c_contiguous(), "the loops are compiled for arrays without gaps"
    if not argument.size:
        return np.empty(argument.shape, argument.dtype)
    buffer = (ctypes.c_char * argument.nbytes).from_address(argument.device_ctypes_pointer.value)
    return np.ndarray(argument.shape, argument.dtype, buffer)


def run_by_python(function: FunctionType, size: int, arguments: list[Any]) -> None:
    """One thread after the other, in whole blocks, as `on_gpu.launch` shares them out."""
    assert size > 0, "a launch of no threads is an error of the driver"
    index = 0
    loop = FunctionType(function.__code__, {**function.__globals__, "thread_index": lambda: index})
    threads = min(size, 256)
    with np.errstate(all="ignore"):  # no loop on a GPU warns
        for index in range(-(-size // threads) * threads):  # noqa: B007 (thread_index reads it)
            loop(*arguments)
