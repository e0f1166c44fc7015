"""How far eigenvectors and orthonormal factors may lie apart that are computed by different libraries.

LAPACK's routines are backward stable: what they compute is, nearly, the exact result of a matrix nearby. How near
their own tests say (LAPACK Working Note 41, the threshold 30): |A - Q D Q^T| < 30 n ulp |A| and |I - Q Q^T| < 30 n ulp
for eigenvectors, and so for QR, whose error is that small for each column (Higham, Accuracy and Stability of Numerical
Algorithms, 2nd ed., theorem 19.4). From a matrix nearby to its eigenvectors leads the theorem of Davis and Kahan
(SIAM J. Numer. Anal. 7(1), 1970): their angle to the exact ones is at most |E| over the gap between eigenvalues.

Plain arrays in, plain arrays out. Next: enclosure.py.
"""

from __future__ import annotations

import numpy as np

THRESHOLD = 30.0
Ends = tuple[np.ndarray, np.ndarray]


def departure(count: int, ulp: float) -> float:
    """How far the product of computed orthonormal columns with themselves may be from the identity."""
    return THRESHOLD * count * ulp


def factoring_error(rows: int, columns: int, ulp: float) -> float:
    """How far, relative to a column's norm, the matrix may be off of which a computed QR is the exact one."""
    return THRESHOLD * rows * columns * ulp


def turning_error(shape: tuple[int, ...], ulp: float) -> float:
    """How far, relative to its norm, a matrix may be off that was turned into a basis and back: P (P^T M Q) Q^T.

    Each of four products of n terms is off by at most n^1.5 ulp of the norm (Higham, equation 3.13, and |Q| = n^0.5 in
    Frobenius' norm), and P P^T and Q Q^T depart from the identity.
    """
    n = max(shape)
    return 4 * n**1.5 * ulp + 2 * departure(n, ulp)


def eigenvectors_between(low: np.ndarray, high: np.ndarray, ulp: float) -> Ends:
    """The ends between which the eigenvectors lie of each symmetric matrix between low and high, as LAPACK has them.

    By descending eigenvalues, the largest element of each in the middle positive; NaN where another eigenvalue may be
    as large: then every vector of a plane is one.

    What rounding the matrix itself to the dtype of `ulp` first may change is a part of LAPACK's error.

    Example:
        >>> ends = eigenvectors_between(np.diag([1.0, 3.0]), np.diag([1.0, 3.0]), 2.0**-52)
        >>> bool((ends[0] <= [[0, 1], [1, 0]]).all() and (ends[1] - ends[0] < 1e-12).all())
        True
        >>> np.isnan(eigenvectors_between(np.eye(2), np.eye(2), 2.0**-52)[0]).all()
        np.True_
    """
    n = len(low)
    nothing = np.full(low.shape, np.nan)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        return nothing, nothing
    middle = low / 2 + high / 2
    middle = (middle + middle.T) / 2
    values, vectors = np.linalg.eigh(middle)
    values, vectors = values[::-1], vectors[:, ::-1]
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(0)[None], 0)
    vectors = vectors * np.where(largest < 0, -1, 1)
    size = float(np.abs(middle).sum(0).max(initial=0.0))  # the norm in which LAPACK is tested, at least that of Euclid
    nearest = 2 * departure(n, ulp) * size  # theirs, and that of the eigenvectors above
    error = nearest + float(np.linalg.norm(np.maximum(high - middle, middle - low)))
    apart = np.abs(values[:, None] - values[None]) + np.where(np.eye(n, dtype=bool), np.inf, 0.0)
    gap = apart.min(1) - error
    with np.errstate(all="ignore"):
        sine = np.where(error < gap / 2, error / gap, np.nan)
    if n == 1:
        sine = np.zeros(1)
    slack = np.sqrt(2) * sine + departure(n, ulp)
    return vectors - slack, vectors + slack
