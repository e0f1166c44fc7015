"""Examples with known results for the kernels of short states: bit patterns by Python's `struct`, levels by a table.

See kernel_loops.py. The step between decoding and encoding is adam.py's rule, which test_kernel_mutation.py judges.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from kernel_cases import Array, Call, Table
from kernel_mutation import PlainKernel, namespace, parsed

SCALARS = (
    "rate",
    "beta1",
    "one_minus_beta1",
    "beta2",
    "one_minus_beta2",
    "inverse2",
    "eps_in",
    "eps_out",
    "sign",
    "weight_decay",
    "shrink",
)
NUMBERS = np.array([0.05, 0.9, 0.1, 0.99, 0.01, 1.3, 1e-3, 0.02, -1.0, 0.1, 0.97])
NOISE = 0x5BD1E9
LEVELS = np.array([(16 + k % 16) / 16 * 2.0 ** (k // 16) for k in range(256)])
LEAST = np.float32(2.0**-126)
rng = np.random.default_rng(0)


def pattern(x: Any) -> int:
    return int(struct.unpack("<I", np.float32(x).tobytes())[0])


def number(bits: int) -> Any:
    return np.frombuffer(struct.pack("<I", bits), np.float32)[0]


def numbers(bits: Any) -> Array:
    return np.array([number(int(each)) for each in bits], np.float32)


def drawn_bits(v: Any, noise: int, dropped: int) -> int:
    return ((pattern(v) ^ noise) * (0x9E3779B9 << 9) & 0xFFFFFFFF) >> dropped


def adam_step(param: Array, grad: Array, m: Array, v: Array, scalars: Any) -> Any:
    with np.errstate(all="ignore"):
        return namespace(parsed("adam"))["rule"](param, grad, m, v, *scalars)


def bits() -> Table:
    """_bits.py, of numbers and of whole arrays; the noise comes in the parameters' dtype."""
    x = np.array([0.0, -0.0, 1.0, -1.5, 3e38, np.inf, -np.inf, 1e-40, 0.1, 7e-4], np.float32)
    patterns = np.array([pattern(each) for each in x], np.uint32)
    v = np.abs(x)
    found: Table = {
        "bits_of": [Call((each,), {}, np.uint32(pattern(each))) for each in (*x, np.float64(0.1), 1.5)],
        "float_of": [Call((kind(each),), {}, number(int(each))) for each in patterns for kind in (np.uint32, np.int64)],
        "uniform": [
            Call((each, kind(noise), np.uint32(dropped)), {}, np.uint32(drawn_bits(each, noise, dropped)))
            for each in v
            for noise in (0, 1, NOISE, 2**24 - 1)
            for dropped in (13, 16)
            for kind in (np.float32, np.float64)
        ],
    }
    found["bits_of"].append(Call((x,), {}, patterns))
    found["uniform"].append(
        Call((v, np.float32(NOISE), np.uint32(16)), {}, np.array([drawn_bits(e, NOISE, 16) for e in v], np.uint32))
    )
    return found


# bfloat16


def halves(m: Any, v: Any, drawn: int) -> int:
    drawn = 0 if np.isnan(m) else drawn
    return ((pattern(m) + drawn) & 0xFFFF0000) | (pattern(v) + drawn) >> 16


def adam_bfloat16() -> Table:
    special = np.array([0.0, -0.0, 1.0, -1.5, 3.3e38, np.inf, -np.inf, 1e-40, 0.7, number(0x7FFFFFFF)], np.float32)
    m, v = np.r_[special, rng.normal(size=9)].astype(np.float32), np.r_[special, rng.uniform(size=9)].astype(np.float32)
    v = np.abs(v)
    moments = np.array([halves(a, b, 0x9000) for a, b in zip(m, v, strict=True)], np.uint32)
    apart = numbers(moments & 0xFFFF0000), numbers((moments & 0xFFFF) << 16)
    found: Table = {"unpacked": [Call((moments,), {}, apart)], "packed": [], "rule": []}
    for draw in (0, 0x8000, 0x1234, 0xFFFF):
        packed = np.array([halves(a, b, draw) for a, b in zip(m, v, strict=True)], np.uint32)
        found["packed"].append(Call((m, v, np.uint32(draw)), {}, packed))
    exact = rng.normal(size=7) ** 2  # float64 is rounded to float32 first
    packed = np.array([halves(a, a, 77) for a in exact], np.uint32)
    found["packed"].append(Call((exact, exact, np.uint32(77)), {}, packed))
    for dtype in (np.float32, np.float64):
        param, grad, scalars = (
            rng.normal(size=19).astype(dtype),
            rng.normal(size=19).astype(dtype),
            NUMBERS.astype(dtype),
        )
        after, new_m, new_v = adam_step(param, grad, *apart, scalars)
        kept = [halves(a, b, drawn_bits(b, NOISE, 16)) for a, b in zip(new_m, new_v, strict=True)]
        kept = np.array(kept, np.uint32)
        arguments = (param, grad, moments, dtype(NOISE), *scalars)
        found["rule"].append(Call(arguments, {}, (after, kept)))
    return found


# int8


def code(level: Any, drawn: int, last: int) -> int:
    return min((pattern(level) + drawn - 0x3F800000) % 2**32 >> 19, last)


def coded_pair(m: Any, v: Any, per_m: Any, per_v: Any, drawn: int) -> int:
    with np.errstate(all="ignore"):
        level_m = np.abs(np.float32(m)) * per_m + np.float32(1)
        level_v = np.float32(v) * per_v + np.float32(31 / 32)
        level_v = np.float32(1) if level_v < 1 else level_v
    return pattern(m) >> 31 << 15 | code(level_m, drawn, 127) << 8 | code(level_v, drawn, 255)


def values_of(moments: Any, m_unit: Any, v_unit: Any) -> tuple[Array, Array]:
    both = moments.astype(int)
    with np.errstate(all="ignore"):
        m = (LEVELS[both >> 8 & 127] - 1).astype(np.float32) * m_unit
        v = (LEVELS[both & 255] - 31 / 32).astype(np.float32) * v_unit
    return np.where(both >> 15, -m, m), v


def unit(values: Array, levels: float) -> Any:
    largest = np.max(np.abs(values))
    return np.maximum(LEAST, largest / np.float32(levels)) if np.isfinite(largest) else np.float32(np.nan)


def kept_of(m: Array, v: Array, starts: Array, draw: Any) -> tuple[Array, Array, Array]:
    """`draw(v)`: an element's random bits."""
    codes, units = [], []
    for low, high in zip(starts - starts[0], starts[1:] - starts[0], strict=False):
        units.append((unit(m[low:high], 247), unit(v[low:high], 63487)))
        per_m, per_v = (np.float32(1) / each for each in units[-1])
        codes += [coded_pair(a, b, per_m, per_v, draw(b)) for a, b in zip(m[low:high], v[low:high], strict=True)]
    m_unit, v_unit = np.array(units, np.float32).T.copy()
    return np.array(codes, np.uint16), m_unit, v_unit


def moments_like(size: int) -> tuple[Array, Array]:
    """First and second moments over many segments, some zero."""
    m = (rng.normal(size=size) * 10.0 ** rng.uniform(-6, 0, size)).astype(np.float32)
    v = (rng.uniform(size=size) * 10.0 ** rng.uniform(-9, 0, size)).astype(np.float32)
    m[1], v[2], m[3] = 0.0, 0.0, -0.0
    return m, v


def adam_int8() -> Table:
    every = np.arange(2**16, dtype=np.uint16)
    units = np.float32(0.3), np.float32(7e-4)
    found: Table = {"unpacked": [Call((every, *units), {}, values_of(every, *units))]}

    levels = np.r_[1.0, 1.5, 3.99, 248.0, 254.9, 255.9, 63487.99, 7e4, np.inf, np.nan, -np.nan, 1 + 2.0**-23]
    levels = levels.astype(np.float32)
    found["coded"] = [
        Call((levels, np.uint32(draw), np.uint32(last)), {}, np.array([code(x, draw, last) for x in levels], np.uint32))
        for draw in (0, 2**18, 2**19 - 1)
        for last in (127, 255)
    ]
    m, v = moments_like(256)
    per = [np.float32(1) / each for each in (unit(m, 247), unit(v, 63487))]
    lost = np.float32(np.nan)
    found["packed"] = [
        Call(
            (m, v, per_m, per_v, np.uint32(draw)),
            {},
            np.array([coded_pair(a, b, per_m, per_v, draw) for a, b in zip(m, v, strict=True)], np.uint16),
        )
        for draw in (0, 2**18, 123_456)
        for per_m, per_v in (per, (2 * per[0], 2 * per[1]), (lost, per[1]), (per[0], lost))
    ]
    found["unit_of"] = [
        Call((np.uint32(pattern(x)), np.float32(n)), {}, unit(np.float32([x]), n))
        for x in (0.0, 1e-44, 2.0**-120, 1.0, 3e38, np.inf, np.nan)
        for n in (247.0, 63487.0)
    ]
    before = np.full((2, 256), 987.654, np.float32)
    found["decode"] = [
        Call((part, *units, *before), dict(enumerate(values_of(part, *units), start=3)))
        for part in np.split(every, 256)[::37]
    ]
    found["largest_of"] = [
        Call((a, b), {}, tuple(np.uint32(max(pattern(np.abs(x)) for x in each)) for each in (a, b)))
        for a, b in ((m, v), (-v, m * 0), (m * 0, v), (np.sort(m)[::-1], np.sort(v)[::-1]), (np.sort(m), np.sort(v)))
    ]
    draws = [drawn_bits(x, NOISE, 13) for x in v]
    codes = [coded_pair(a, b, *per, draw) for a, b, draw in zip(m, v, draws, strict=True)]
    codes = np.array(codes, np.uint16)
    found["encode"] = [Call((~codes, m, v, *per, np.float32(NOISE)), {0: codes})]
    return {**found, **_over_blocks()}


def _over_blocks() -> Table:
    found: Table = {name: [] for name in ("cpu", "cpu_numpy", "kept", "decoded")}
    for starts, dtype in (
        ([10, 266, 522, 540], np.float32),
        ([0, 256], np.float64),
        ([0, 40, 296, 300], np.float32),
        ([0, 40, 44], np.float32),
        (np.r_[5, 8 : 8 + 256 * 66 : 256], np.float32),
    ):
        starts, size = np.asarray(starts), starts[-1] - starts[0]
        m, v = moments_like(size)
        m[20], v[20] = 2.0, 2.0
        old = kept_of(m, v, starts, lambda _: 2**18)
        lengths = np.diff(starts)
        spread = [np.repeat(each, lengths) for each in old[1:]]
        decoded = values_of(old[0], *spread)
        found["decoded"].append(Call((*old, starts), {}, decoded))
        found["kept"].append(Call((m, v, starts, np.uint32(2**18)), {}, old))
        param, grad = rng.normal(size=size).astype(dtype), rng.normal(size=size).astype(dtype)
        if size == 44:  # a block that only decays, after one whose largest lies where this one has ended
            param[40:] = grad[40:] = 0
        scalars = NUMBERS.astype(dtype)
        after, *new = adam_step(param, grad, *decoded, scalars)
        new = [each.astype(np.float32) for each in new]
        now = kept_of(*new, starts, lambda x: drawn_bits(x, NOISE, 13))
        case = Call((param, grad, *old, starts, dtype(NOISE), *scalars), {0: after, 2: now[0], 3: now[1], 4: now[2]})
        found["cpu_numpy"].append(case)
        if size < 2000:
            found["cpu"].append(case)
    found["bits_of_each"] = [
        Call((x,), {}, np.array([pattern(each) for each in x], np.uint32))
        for x in (np.float32([1, -2, 0.1]), np.array([0.1, 3.0]), np.float32([1, -2, 0.1, 4])[::2])
    ]
    return found


# What a file lists


def declared(module: str, names: dict[str, Any]) -> bool:
    """Whether the file lists its kernel, as the optimizer is to find it."""
    scalars = ("noise", *SCALARS)
    if module == "_bits":
        constants = {"MAGNITUDE": 0x7FFFFFFF, "SIGN": 0x80000000, "MULTIPLIER": 0x9E3779B9 << 9 & 0xFFFFFFFF}
        return all(type(names[key]) is np.uint32 and names[key] == value for key, value in constants.items())
    if module == "adam_bfloat16":
        if names["packed_of"] is not names["packed"] or names["unpacked_of"] is not names["unpacked"]:
            return False
        wanted = PlainKernel(names["rule"], ("moments",), storage={"moments": ("uint32", 1)}, scalar_names=scalars)
    else:
        storage = {"moments": ("uint16", 1), "exp_avg_unit": ("float32", 256), "exp_avg_sq_unit": ("float32", 256)}
        wanted = PlainKernel(
            None,
            tuple(storage),
            storage=storage,
            scalar_names=scalars,
            block_loop=names["cpu"],
            numpy_loop=names["cpu_numpy"],
        )
    return bool(names["KERNELS"] == {"plain": wanted})
