"""MADGRAD's cube root: how exact it is, and that machine code, Python and NumPy have the same bits."""

import numba
import numpy as np
import pytest

from tinygrad_lr.kernels import _jit
from tinygrad_lr.kernels.updates.madgrad import cbrt

over_arrays, plain = _jit.over_arrays(cbrt), _jit.uncompiled(cbrt)


@numba.njit(error_model="numpy")
def roots(x, out):
    for i in range(x.size):
        out[i] = cbrt(x[i])


def units(x):
    """By how many units in their last place the roots of an array are off."""
    out = np.empty_like(x)
    with np.errstate(all="ignore"):
        roots(x, out)
        assert over_arrays(x).tobytes() == out.tobytes()
        few = slice(None, None, max(1, x.size // 50))
        assert [plain(each).tobytes() for each in x[few]] == [each.tobytes() for each in out[few]]
    return float((np.abs(out.astype(np.longdouble) - np.cbrt(x.astype(np.longdouble))) / np.spacing(out)).max())


@pytest.mark.parametrize("first", [1, 1 << 23, 2 << 23, 127 << 23, 128 << 23, 129 << 23, 254 << 23])
def test_the_roots_of_float32_are_off_by_at_most_1_7_units(first, searches):
    """Of all numbers between two powers of two, and of all subnormal ones."""
    bits = np.arange(first, (first // (1 << 23) + 1) << 23, searches.choose(1, 4001), dtype=np.int32)
    off = units(bits.view(np.float32))
    assert off <= 1.7 and (off >= 1.3 or not searches.deep)


def test_the_roots_of_float64_are_off_by_at_most_1_unit():
    kind = np.finfo(np.float64)
    powers = np.random.default_rng(0).uniform(np.log2(kind.smallest_subnormal), kind.maxexp - 1e-9, 1000)
    assert units(np.r_[2.0**powers, kind.smallest_subnormal, kind.tiny, kind.max]) <= 1.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_has_no_root_or_is_its_own_stays(dtype):
    x = np.array([0.0, 1.0, np.inf, np.nan], dtype)
    with np.errstate(all="ignore"):
        assert np.array_equal(over_arrays(x), x, equal_nan=True) and over_arrays(x).dtype == dtype
        assert [type(plain(each)) for each in x] == [dtype] * 4
