"""erfc and erf over arrays beside mpmath's, within the bounds that their file states."""

import numpy as np
import pytest

from tinygrad_lr.kernels.ops.erf import erf, erfc

RNG = np.random.default_rng(0)
X = np.r_[RNG.uniform(-6, 6, 600), np.linspace(0, 26, 200), RNG.normal(size=200) / 1e3]


def errors(found):
    """In units of rounding times 1 + z^2, the z of the exponential."""
    mpmath = pytest.importorskip("mpmath", reason="mpmath is not installed here (extra `verify`)")
    with mpmath.workdps(40):
        exact = [mpmath.erfc(float(x)) for x in X]
        relative = [abs(mpmath.mpf(float(y)) - e) / e for y, e in zip(found, exact, strict=True)]
    return np.array(relative, float) * 2.0**53 / (1 + np.maximum(X, 0) ** 2)


def test_the_error_is_at_most_what_its_file_says():
    assert errors(erfc(X)).max() <= 8


def test_the_error_of_erf_is_at_most_what_its_file_says():
    mpmath = pytest.importorskip("mpmath", reason="mpmath is not installed here (extra `verify`)")
    x = np.r_[X, np.linspace(-0.51, 0.51, 205), 1e-300]
    with mpmath.workdps(40):
        exact = [mpmath.erf(float(each)) for each in x]
        pairs = zip(erf(x), exact, strict=True)
        relative = [abs(mpmath.mpf(float(y)) - e) / abs(e) if e else abs(float(y)) for y, e in pairs]
    assert np.array(relative, float).max() * 2.0**53 <= 12
    assert erf(np.array([-np.inf, np.inf, 0.0])).tolist() == [-1, 1, 0] and np.isnan(erf(np.array([np.nan]))).all()
    np.testing.assert_array_equal(erf(x.astype("f4")), erf(x.astype("f4").astype("f8")).astype("f4"))


def test_an_error_is_seen():
    assert errors(erfc(X) * (1 + 1e-14)).max() > 8


def test_float32_is_rounded_once():
    few = X.astype(np.float32)
    np.testing.assert_array_equal(erfc(few), erfc(few.astype(np.float64)).astype(np.float32))


def test_any_shape_and_the_same_numbers_however_many_there_are():
    many = np.tile(X, 40).reshape(100, -1)
    np.testing.assert_array_equal(erfc(many), np.tile(erfc(X), 40).reshape(100, -1))
    assert erfc(np.float64(0.0)) == 1 and erfc(np.zeros((0, 3))).shape == (0, 3)


def test_the_ends():
    assert erfc(np.array([-np.inf, np.inf, 1e300, -1e300, 0.0])).tolist() == [2, 0, 0, 2, 1]
    assert np.isnan(erfc(np.array([np.nan]))).all()
