"""Moments in fewer bytes: what Adam keeps with `state_dtype`, how it is saved and loaded.

Kernels: kernels/updates/adam_bfloat16.py and adam_int8.py. An arena holds what they work on, packed; a state_dict holds
the two moments apart, under torch's names:

    bfloat16   exp_avg, exp_avg_sq: uint16, the patterns of bfloat16 numbers, in the parameter's shape
    int8       exp_avg, exp_avg_sq: uint8, the codes, in the parameter's shape (exp_avg: 128 for the sign);
               exp_avg_unit, exp_avg_sq_unit: float32, one for each block of 256 elements, in the order of the ravelled
               parameter

What is saved is what is kept, so a saved run continues bit for bit. Floating-point moments (of torch, or of an Adam
with another state_dtype after `decoded_state`) are rounded to the nearest code when they are loaded.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from .table import STATE_DTYPES

ABOUT = (
    'how m and v are kept, in every group. None or "float32": in the parameter\'s dtype. "bfloat16": 4 bytes '
    'an element. "int8": codes in blocks of 256 elements (Dettmers et al., arXiv:2110.02861), 2 bytes an '
    "element and 8 a block, and in memory 8 more for where it begins: 2.03 a parameter saved and 2.06 in "
    "memory where parameters are large, 10 and 18 for one of a single element, whose block is its own "
    "(float32: 8); one infinite or NaN moment loses its block. Both round stochastically, with a hash of step "
    "and moment (kernels/updates/_bits.py), so that small changes are not lost and equal runs have equal "
    "bits. The moments have float32's range, for float64 parameters too."
)
MASK = 2**64 - 1
MOMENTS = ("exp_avg", "exp_avg_sq")
SCALES = ("exp_avg_unit", "exp_avg_sq_unit")


def noise_of(step: int) -> float:
    """24 random bits for a step, as a number: the upper ones of kernels/ops/shuffle.py's word `step` - 1 of key 0.

    Once more, in Python's whole numbers, because a step is a number of any size and a NumPy scalar takes ten times as
    long; a test compares them.
    """
    z = int(step) * 0x9E3779B97F4A7C15 & MASK
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
    return float((z ^ z >> 31) >> 40)


def chosen(state_dtype: Any) -> str:
    """The word, checked; None is "float32"."""
    if state_dtype is None:
        return "float32"
    if not isinstance(state_dtype, str) or state_dtype not in STATE_DTYPES:
        known = ", ".join(map(repr, STATE_DTYPES))
        raise ValueError(f"state_dtype must be None or one of {known}; got {state_dtype!r}")
    return state_dtype


def refuse_device(state_dtype: str, devices: set[str]) -> None:
    """Short states have no CUDA loop."""
    if state_dtype != "float32" and "cuda" in devices:
        raise NotImplementedError(
            f"state_dtype={state_dtype!r} runs on the CPU only; leave it out for parameters on a GPU, or keep them on "
            "the CPU: model.to('cpu') before the optimizer is built"
        )


def refuse_amsgrad(state_dtype: str, amsgrad: bool) -> None:
    """AMSGrad's maximum would only ever grow by the noise of rounding."""
    if state_dtype != "float32" and amsgrad:
        raise ValueError(
            f"amsgrad=True keeps a running maximum, which rounding to {state_dtype} would drive upwards; "
            "use state_dtype=None, or amsgrad=False"
        )


def _kernels(state_dtype: str) -> Any:
    return importlib.import_module(f"tinygrad_lr.kernels.updates.adam_{state_dtype}")


def _starts(size: int) -> np.ndarray:
    block = _kernels("int8").BLOCK
    return np.minimum(np.arange(-(-size // block) + 1, dtype=np.int64) * block, size)


def saved(state_dtype: str, kept: Mapping[str, Any]) -> dict[str, Any]:
    """What a state_dict holds of one parameter's packed state, copied."""
    if "moments" not in kept:
        return {key: value.copy() for key, value in kept.items()}
    moments = kept["moments"]
    if state_dtype == "bfloat16":
        return {"exp_avg": (moments >> 16).astype(np.uint16), "exp_avg_sq": moments.astype(np.uint16)}
    codes = {"exp_avg": (moments >> 8).astype(np.uint8), "exp_avg_sq": moments.astype(np.uint8)}
    return {**codes, **{key: kept[key].copy() for key in SCALES}}


def packed(state_dtype: str, name: str, shape: tuple[int, ...], given: Mapping[str, Any]) -> dict[str, Any]:
    """The packed state of one parameter from what a state_dict holds: what `saved` gave, or floating-point moments."""
    arrays = {key: _plain_array(state_dtype, key, value) for key, value in given.items()}
    if not arrays:
        return {}
    missing = sorted({"exp_avg", "exp_avg_sq"} - set(arrays))
    if missing:
        raise ValueError(f"the state of parameter {name!r} lacks {', '.join(missing)}; it has {sorted(arrays)}")
    m, v = (arrays[key] for key in ("exp_avg", "exp_avg_sq"))
    if m.shape != shape or v.shape != shape:
        raise ValueError(f"the moments of parameter {name!r} must have its shape {shape}, got {m.shape} and {v.shape}")
    if m.dtype.kind == v.dtype.kind == "f":
        return _rounded(state_dtype, name, _plain(m), _plain(v))
    code = np.uint16 if state_dtype == "bfloat16" else np.uint8
    if m.dtype != code or v.dtype != code:
        raise ValueError(
            f"the moments of parameter {name!r} are {m.dtype} and {v.dtype}; state_dtype={state_dtype!r} loads "
            f"{np.dtype(code)} or floating-point ones: optim.decoded_state(state_dict)"
        )
    if state_dtype == "bfloat16":
        return {"moments": (m.astype(np.uint32) << 16 | v).ravel()}
    units = {key: np.asarray(arrays.get(key)) for key in SCALES}
    blocks = _starts(m.size).size - 1
    for key, unit in units.items():
        if unit.shape != (blocks,) or unit.dtype != np.float32:
            raise ValueError(
                f"state {key!r} of parameter {name!r} must be float32 of shape ({blocks},), one for each block of 256 "
                f"elements, got {unit.dtype} {unit.shape}"
            )
    return {"moments": (m.astype(np.uint16) << 8 | v).ravel(), **units}


def _plain_array(state_dtype: str, key: str, value: Any) -> np.ndarray:
    """An array; lists, which JSON makes of arrays, in the dtype that was saved."""
    array = np.asarray(value)
    if isinstance(value, (list, tuple, int)):
        code = np.uint16 if state_dtype == "bfloat16" else np.uint8
        if array.dtype.kind == "i" and array.size and array.min() >= 0 and array.max() <= np.iinfo(code).max:
            return array.astype(code)
        return array.astype(np.float32) if key in SCALES else array
    return array


def _plain(moment: np.ndarray) -> np.ndarray:
    """Flat float32 with NaNs of one pattern."""
    with np.errstate(over="ignore", under="ignore"):
        flat = moment.astype(np.float32).ravel()
    flat[np.isnan(flat)] = np.nan
    return flat


def _rounded(state_dtype: str, name: str, m: np.ndarray, v: np.ndarray) -> dict[str, Any]:
    """Moments rounded to the nearest code."""
    if (v < 0).any():
        raise ValueError(f"state 'exp_avg_sq' of parameter {name!r} has negative elements; it averages squares")
    kernels = _kernels(state_dtype)
    with np.errstate(all="ignore"):
        if state_dtype == "bfloat16":
            return {"moments": kernels.packed_of(m, v, np.uint32(2**15))}
        starts = _starts(m.size)
        if not m.size:
            return {"moments": np.zeros(0, np.uint16), **{key: np.zeros(0, np.float32) for key in SCALES}}
        moments, *units = kernels.kept(m, v, starts, np.uint32(2**18))
        return {"moments": moments, **dict(zip(SCALES, units, strict=True))}


def decoded_state(state_dict: Mapping[str, Any]) -> dict[str, Any]:
    """A state_dict with its moments as float32 arrays, however they were kept: to look at, or for another optimizer.

    Args:
        state_dict: of an `Adam` or `AdamW` with any state_dtype.

    Returns:
        A new dict in the same layout: exp_avg and exp_avg_sq are float32 in the parameter's shape. What is
        floating-point already is passed on.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.Adam([w], betas=(0.5, 0.5), state_dtype="bfloat16")
        >>> w.grad = [4.0]
        >>> optimizer.step()
        >>> entry = decoded_state(optimizer.state_dict())["state"][0]
        >>> entry["exp_avg"].tolist(), entry["exp_avg_sq"].tolist()
        ([2.0], [8.0])
    """
    return {**state_dict, "state": {index: _decoded(entry) for index, entry in state_dict["state"].items()}}


def _decoded(entry: Mapping[str, Any]) -> dict[str, Any]:
    codes = np.asarray(entry.get("exp_avg", 0.0))
    found = {key: value for key, value in entry.items() if key not in SCALES}
    if codes.dtype not in (np.uint8, np.uint16):
        return found
    state_dtype = "int8" if codes.dtype == np.uint8 else "bfloat16"
    kept = packed(state_dtype, "", codes.shape, {key: value for key, value in entry.items() if key != "step"})
    kernels = _kernels(state_dtype)
    with np.errstate(all="ignore"):
        if state_dtype == "bfloat16":
            moments = kernels.unpacked_of(kept["moments"])
        else:
            moments = kernels.decoded(kept["moments"], *(kept[key] for key in SCALES), _starts(codes.size))
    m, v = (np.asarray(x, np.float32).reshape(codes.shape) for x in moments)
    return {**found, "exp_avg": m, "exp_avg_sq": v}
