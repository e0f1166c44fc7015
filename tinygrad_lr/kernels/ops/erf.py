"""erfc and erf over NumPy arrays, which NumPy lacks. Numbers take those of `math`, which Numba compiles.

    erfc(z) = exp(-z^2) P(t) / (1 + 2 z)    with t = (z - 3.75) / (z + 3.75), for z >= 0; erfc(-z) = 2 - erfc(z)

Source of the form: Shepherd and Laframboise, Chebyshev Approximation of (1 + 2x) exp(x^2) erfc x in 0 <= x < infinity,
Mathematics of Computation 36 (1981). P is the expansion in Chebyshev polynomials to degree 22, computed with 60 digits
and written in powers of t. The relative error is at most 8 (1 + z^2) units of rounding of float64: z^2 is rounded
before the exponential is taken. (tests/kernels/test_erf.py compares with mpmath.)

    erf(z) = 2 / sqrt(pi) (z - z^3 / 3 + z^5 / (2! 5) - z^7 / (3! 7) + ...) for |z| < 1/2, and 1 - erfc(z) beyond

The 12th term is below 3 units of rounding there. The relative error is at most 12 units.
"""

import math

import numpy as np

MIDDLE = 3.75
LARGEST = 30.0  # erfc is 0 from 27.3 on, and infinity has no t
AT_ONCE = 16_384  # numbers, which stay in the processor's cache
# fmt: off
COEFFICIENTS = (
    -2.623107347133476e-09, -1.9551358868985616e-09, 3.197926671666804e-08, 1.879082322370048e-08,
    -2.4857126248016745e-07, -5.084465378687302e-08, 1.7419821586224816e-06, -9.792625707303523e-07,
    -1.1438048033346894e-05, 2.2387565714911816e-05, 5.164652974177416e-05, -0.00029015535246077655,
    0.000293714378044958, 0.0017556261651970652, -0.009746579683265262, 0.02836227737211114,
    -0.05869339857664934, 0.09230432116428125, -0.10880393014244462, 0.08227673848999506,
    0.0035854154854790257, -0.14024059858554525, 1.2375126308378275,
)
# fmt: on
SERIES = tuple([2 / math.sqrt(math.pi) * (-1) ** k / (math.factorial(k) * (2 * k + 1)) for k in range(11)])


def erfc(x):
    """1 - erf(x) of each element, in the dtype of x; computed in float64 and rounded once."""
    out, given = np.empty(x.size, x.dtype), x.ravel()
    for first in range(0, x.size, AT_ONCE):
        out[first : first + AT_ONCE] = erfc_of_few(given[first : first + AT_ONCE])
    return out.reshape(x.shape)


def erfc_of_few(x):
    """The same in float64, or in complex128 of complex numbers, which tests of derivatives use."""
    x = x.astype(np.result_type(x.dtype, np.float64))
    size = np.minimum(np.maximum(x, -x), LARGEST)
    t = (size - MIDDLE) / (size + MIDDLE)
    total = t * COEFFICIENTS[0]
    for coefficient in COEFFICIENTS[1:-1]:
        total += coefficient
        total *= t
    right = np.exp(-size * size) * (total + COEFFICIENTS[-1]) / (1 + 2 * size)
    return np.where(x >= 0, right, 2 - right)


def erf(x):
    """2 / sqrt(pi) times the integral of exp(-t^2) from 0 to each element, in the dtype of x."""
    wide = x.astype(np.result_type(x.dtype, np.float64))
    size = np.maximum(wide, -wide)
    near = np.minimum(size, 0.5)
    square = near * near
    total = square * SERIES[-1]
    for coefficient in SERIES[-2:0:-1]:
        total += coefficient
        total *= square
    total = np.where(size < 0.5, near * (total + SERIES[0]), 1 - erfc(size))
    return np.where(wide >= 0, total, -total).astype(x.dtype)
